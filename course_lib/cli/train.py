"""`python -m course_lib train`: train a network from a recipe, or go on with it."""

from __future__ import annotations

import argparse
from pathlib import Path

from course_lib.places import RUNS
from course_lib.recipe import load_settings, parse_overrides
from course_lib.training.finish import train_to_weights
from course_lib.training.monitor import ProgressBar, TensorBoard
from course_lib.training.processes import started_rank
from course_lib.training.runs import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "recipe", nargs="?", type=Path, help="YAML file, for example recipes/train_siamfc.yaml"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings that win over the recipe",
    )
    parser.add_argument("--data", type=Path, help="data root (default: COURSE_DATA, or data/)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        default=budget_from_outside(),
        help="stop after this long (exit status 75); the same command goes on",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="where the weights go (default: runs/training/NAME)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Train; print where the weights are, or how to go on."""
    settings = load_settings(TrainSettings, arguments.recipe, parse_overrides(arguments.set))
    folder = RUNS / "training" / settings.name
    # under torchrun only the first process shows and writes
    watchers = (
        [ProgressBar(arguments.quiet), TensorBoard(folder / "tensorboard")]
        if started_rank() == 0
        else []
    )
    path = train_to_weights(
        settings,
        folder,
        watchers,
        arguments.budget,
        arguments.device,
        arguments.data,
        arguments.weights,
    )
    if started_rank() == 0:
        print(
            f"weights: {path}"
            if path
            else f"stopped; the same command goes on from {folder / 'last.pt'}"
        )
    return 0 if path or started_rank() else STOPPED
