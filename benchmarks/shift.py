"""Does moving the target in training cure a padded network of its centre bias? (SiamRPN++'s answer)

python benchmarks/shift.py recipes/train_shift.yaml recipes/train_twins.yaml --frames 60 --write results/shift.json

Two padded networks, each trained with targets moved by at most 0, 16, 32 and 64 pixels: SiamRPN++
on a frozen EfficientNet-Lite0 ("lite0"), and SiamFC on the padded AlexNet twin, trained from noise
("twin"). Resumes where it was cut off (see arms.py). For each: AUC sequence by sequence; how far
its answers lag behind targets off the centre, pair by pair, on held-out pairs; its mean map over
targets everywhere. Beside them the AlexNet twins that come with the course, one padded, one not,
and how far their boxes stay behind in generated sequences. Lesson 10 draws the file.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from arms import Arm, Row, run_arms, study_options
from measure import exact_tracker, first_frames, one_pass
from torch import Tensor, nn

from course_lib.analysis.border import wide_pairs
from course_lib.analysis.centre import answers_of, lags, mean_map
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.otb import track
from course_lib.evaluation.scores import Report
from course_lib.models.runtime import fold_all
from course_lib.models.weights import load_network, read_card
from course_lib.recipe import load_settings
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

SHIFTS = (0, 16, 32, 64)
# by name of the network: further changes to its recipe, and its tracker
NETWORKS: dict[str, tuple[dict[str, Any], str]] = {
    "lite0": ({}, "siamrpn"),
    "twin": ({"backbone": "twin-alexnet-6"}, "siamfc"),
}
MOST = {"lite0": 1, "twin": 2}  # seeds of the shifts that are compared, 0 and 64; the others: 1
DISTANCES = np.arange(0, 65, 16)  # pixels of the search image from its centre
PLACES = np.arange(-64, 65, 32)
TWINS = ("twin-alexnet-5", "twin-alexnet-6")  # without and with padding
BENCHMARKS = ("otb+vot2014",)


def pairs_of(recipe: Path, count: int) -> tuple[Tensor, Tensor]:
    """Held-out exemplars (B, 3, 127, 127) and wide crops (B, 3, 383, 383)."""
    wide = {"search": 255 + 2 * int(DISTANCES.max()), "negatives": 0, "augmentation.shift": 0}
    _, held_out = make_sources(load_settings(TrainSettings, recipe, wide))
    return wide_pairs(held_out, count, seed=5)


def bias(network: nn.Module, exemplars: Tensor, wide: Tensor) -> dict[str, Any]:
    """Lags (D, B) in pixels at DISTANCES and the mean map (n, n) of a network."""
    answer = answers_of(network, exemplars)
    return {
        "lags": np.round(lags(answer, wide, DISTANCES), 2).tolist(),
        "mean_map": np.round(mean_map(answer, wide, PLACES).astype(float), 4).tolist(),
    }


def stays_behind(weights: str, frames: int | None) -> dict[str, float]:
    """By generated sequence, how much further from its start the target is than a twin's box,
    pixels of the frame, mean over the frames.

    Args:
        weights: of a SiamFC.
        frames: of each sequence, from its first; all if None.
    """
    found = {}
    for sequence in first_frames(load_benchmark("generated-v1"), frames):
        boxes = track(exact_tracker("siamfc", weights=weights), sequence.loaded()).boxes
        found[sequence.name] = round(float(np.nanmean(way(sequence.boxes) - way(boxes))), 2)
    return found


def way(boxes: np.ndarray) -> np.ndarray:
    """Distance (T,) of the centres of boxes (T, 4) from the first centre; NaN where absent."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    return np.linalg.norm(centres - centres[0], axis=1)


def measured(
    arm: Arm, settings: TrainSettings, path: Path, frames: int | None, pairs: tuple[Tensor, Tensor]
) -> Row:
    """The row of one trained network.

    Args:
        arm: its name is the network's and the shift.
        settings: those it was trained with.
        path: of its weights.
        frames: of each sequence, from its first; all if None.
        pairs: from `pairs_of`.
    """
    network = arm.name.split()[0]
    row: Row = {"network": network, "shift": settings.augmentation.shift, "seed": settings.seed}
    row["validation"] = read_card(path)["validation"]
    trained = load_network(str(path))
    row |= bias(fold_all(trained) if trained.output == "proposals" else trained, *pairs)
    make = partial(exact_tracker, NETWORKS[network][1], weights=str(path))
    for name in BENCHMARKS:
        benchmark = first_frames(load_benchmark(name), frames)
        report = Report.from_results(benchmark, one_pass({"it": make}, benchmark))
        found = report.trackers["it"].by_sequence()
        row[name] = {
            "auc": report.overall()["it"]["auc"],
            "auc_by_sequence": {one: round(auc, 4) for one, auc in found.items()},
        }
    return row


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    names = [f"{network} {shift}" for network in NETWORKS for shift in SHIFTS]
    parser = study_options(__doc__, names, seeds=3, recipes=len(NETWORKS))
    parser.add_argument(
        "--frames", type=int, help="of each sequence, from its first; all unless given"
    )
    parser.add_argument("--pairs", type=int, default=48, help="on which the lag is measured")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    frames, pairs = options.frames, pairs_of(options.recipes[0], options.pairs)
    recipes = dict(zip(NETWORKS, options.recipes, strict=True))
    arms = []
    for name in options.arms:
        network, shift = name.split()
        most = MOST[network] if int(shift) in (min(SHIFTS), max(SHIFTS)) else 1
        changes = {**NETWORKS[network][0], "augmentation.shift": float(shift)}
        arms.append(Arm(name, recipes[network], changes, most=most))

    def table(rows: list[Row]) -> dict[str, Any]:
        return {
            "pairs": {
                name: settings.steps * settings.batch
                for name, settings in (
                    (n, load_settings(TrainSettings, recipe)) for n, recipe in recipes.items()
                )
            },
            "frames": frames,
            "distances": DISTANCES.tolist(),
            "places": PLACES.tolist(),
            "twins": {
                name: {
                    **bias(load_network(name), *pairs),
                    "stays_behind": stays_behind(name, frames),
                }
                for name in TWINS
            },
        }

    return run_arms(
        arms,
        options,
        partial(measured, frames=frames, pairs=pairs),
        headline=lambda row: {name: row[name]["auc"] for name in BENCHMARKS},
        table=table,
    )


if __name__ == "__main__":
    sys.exit(main())
