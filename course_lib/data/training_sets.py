"""Videos to train on: the training benchmarks, by name; test benchmarks are refused."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.data.benchmarks import FOLDERS, load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.errors import SettingsError

TRAINING_SETS = ("got10k-train", "lasot-train", "trackingnet-train", "vid")
# Benchmarks that trackers are measured on. GOT-10k's validation split may be used to choose
# settings and to train.
MEASURED_ON = re.compile(r"otb.*|vot.*|uav.*|nfs.*|lasot|generated-.*|.*-test")


def refuse_measured(name: str) -> None:
    """Raise SettingsError if the name holds a benchmark that trackers are measured on.

    In Python, `VideoPairs` takes any sequences.
    """
    names = re.sub(r"(^|\+)folder[01]?:.*", "", name, flags=re.DOTALL)  # one's own sequences
    measured = [part for part in names.split("+") if MEASURED_ON.fullmatch(part)]
    if measured:
        raise SettingsError(
            f"{', '.join(measured)}: trackers are measured on these videos, so none may be trained "
            f"on them. Train on {', '.join(TRAINING_SETS)}, or on generated pairs, which need no "
            "data"
        )


def load_training_videos(name: str, root: Path) -> tuple[Sequence, ...]:
    """The sequences of `load_benchmark(name, root)`, if it is for training.

    Raises SettingsError for benchmarks that trackers are measured on and for unknown names,
    MissingDataError if the data are missing.
    """
    refuse_measured(name)
    return load_benchmark(name, root).sequences


def training_folders(name: str, root: Path) -> list[Path]:
    """The folders in which the videos of `name` are expected."""
    return [root / FOLDERS[part][0] for part in name.split("+") if part in FOLDERS]
