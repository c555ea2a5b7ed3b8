"""Videos to train on: the benchmarks that are for training, by name; what is measured on is refused."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.data.benchmarks import FOLDERS, load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.errors import SettingsError

TRAINING_SETS = ("got10k-train", "lasot-train", "trackingnet-train", "vid")
# Benchmarks that trackers are measured on. GOT-10k's validation part is free to choose settings and to train on.
MEASURED_ON = re.compile(r"otb.*|vot20\d\d|uav.*|lasot|generated-.*|.*-test")


def load_training_videos(name: str, root: Path) -> tuple[Sequence, ...]:
    """The sequences of `load_benchmark(name, root)`, if they are for training.

    Raises SettingsError for benchmarks that trackers are measured on (in Python, `VideoPairs` takes any
    sequences) and for unknown names, MissingDataError if the data are not there.
    """
    measured = [part for part in name.split("+") if MEASURED_ON.fullmatch(part)]
    if measured:
        raise SettingsError(
            f"{', '.join(measured)}: trackers are measured on these videos, so none is trained on them. To train on "
            f"there are {', '.join(TRAINING_SETS)}; generated pairs need no data"
        )
    return load_benchmark(name, root).sequences


def training_folders(name: str, root: Path) -> list[Path]:
    """The folders that the videos called `name` would stand in."""
    return [root / FOLDERS[part][0] for part in name.split("+") if part in FOLDERS]
