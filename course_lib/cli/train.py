"""`python -m course_lib train`: train a network from a recipe, or resume its training."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from course_lib.errors import SettingsError
from course_lib.places import RUNS
from course_lib.recipe import load_settings, parse_overrides
from course_lib.training.budget import budget_from_outside, seconds_of, stopped_in_time
from course_lib.training.monitor import ProgressBar, TensorBoard
from course_lib.training.processes import started_rank, under_torchrun
from course_lib.training.settings import TrainSettings
from course_lib.training.trained_weights import train_to_weights

# network → tracker that runs it, and which of the tracker's settings names its weights
MEASURED_AS = {
    "siamfc": ("siamfc", "weights"),
    "siammargin": ("siammargin", "weights"),
    "siamrpn": ("siamrpn", "weights"),
    "siamrpn++": ("siamrpnpp", "weights"),
    "siamconcatrpn": ("siamrpn", "weights"),
    "siambroadcastrpn": ("siamrpn", "weights"),
    "atom": ("atom", "weights"),
    "dimp": ("dimp", "classifier"),
    "onestream": ("onestream", "weights"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "recipe",
        nargs="?",
        type=Path,
        help="YAML file, for example recipes/train_siamfc.yaml (default: SiamFC in the paper's "
        "size and length, on generated pairs)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings that override the recipe's",
    )
    parser.add_argument("--root", type=Path, help="data root (default: COURSE_DATA, or data/)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument(
        "--budget",
        metavar="TIME",
        help="stop after this long: 540 (seconds), 90s, 9m, 2h (exit status 75, under torchrun 0); "
        "the same command resumes",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="where the weights go (default: runs/training/NAME)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Train; print where the weights are and how to measure them, or how to resume."""
    settings = load_settings(TrainSettings, arguments.recipe, parse_overrides(arguments.set))
    budget = budget_of(arguments.budget)
    root = arguments.root
    if root is not None and not root.is_dir():
        raise SettingsError(
            f"--root {root} is not a folder; expected the one that holds the datasets"
        )
    folder = RUNS / "training" / settings.name
    # under torchrun only the first process shows and writes
    watchers = (
        [ProgressBar(arguments.quiet), TensorBoard(folder / "tensorboard")]
        if started_rank() == 0
        else []
    )
    path = train_to_weights(
        settings, folder, watchers, budget, arguments.device, root, arguments.weights
    )
    if started_rank() == 0:
        if path:
            print(
                f"weights: {path}\nmeasure them: {measuring_command(settings, arguments.weights)}"
            )
        else:
            print(f"stopped; the same command resumes from {folder / 'last.pt'}")
    return 0 if path else stopped_in_time(under_torchrun())


def measuring_command(settings: TrainSettings, weights: Path | None) -> str:
    """The command that measures trained weights in their tracker, in a folder of results of its
    own, since the tracker's may hold those of the shipped weights.

    Args:
        settings: the recipe.
        weights: their path if one was given; otherwise the run's name finds them.
    """
    tracker, setting = MEASURED_AS[settings.network]
    chosen = shlex.quote(f"{tracker}.{setting}={weights or settings.name}")
    return (
        f"python -m course_lib evaluate --tracker {tracker} --set {chosen} "
        f"--label {shlex.quote(settings.name)} --benchmark generated-v1"
    )


def budget_of(text: str | None) -> float | None:
    """Seconds of `--budget`, a number or a time like 9m; without it, the budget set by `runs`.

    Raises SettingsError for anything else.
    """
    if text is None:
        return budget_from_outside()
    if text.strip() == "0":  # one step, and a checkpoint
        return 0.0
    return seconds_of(text, unit="s")
