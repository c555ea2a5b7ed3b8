"""How does accuracy grow with the training set? Five sizes, two seeds, the same number of steps.

python benchmarks/data_size.py recipes/train_siamfc_tiny.yaml --write results/data_size.json

Resumes where it was cut off. Each training set is part of the next larger one; held-out pairs are
the same for all. Lesson 05 draws the file beside the same curve of the SiamFC paper.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import cv2
from arms import Arm, Row, run_arms, study_options
from measure import exact_tracker, one_pass

from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.scores import Report
from course_lib.models.device import choose_placement
from course_lib.models.weights import read_card
from course_lib.recipe import load_settings
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

FRACTIONS = {f"{100 * fraction:g}": fraction for fraction in (0.02, 0.08, 0.32, 0.64, 1.0)}
BENCHMARK = "otb+vot2014"


def measured(arm: Arm, settings: TrainSettings, path: Path) -> Row:
    """The row of one trained network."""
    benchmark = load_benchmark(BENCHMARK)
    width = 22 if choose_placement().device.type == "cuda" else 1
    make = partial(exact_tracker, "siamfc", weights=str(path))
    report = Report.from_results(benchmark, one_pass({"it": make}, benchmark, width))
    overall = report.overall()["it"]
    validation = read_card(path)["validation"]
    return {
        "fraction": FRACTIONS[arm.name],
        "seed": settings.seed,
        "auc": overall["auc"],
        "precision20": overall["precision20"],
        "validation_loss": validation["loss"],
        "hits": validation["hits"],
        **sizes_of(settings),
    }


def sizes_of(settings: TrainSettings) -> dict[str, int]:
    """How many videos and photographs the settings train on."""
    training, _ = make_sources(settings)
    videos = sum(len(s.videos) for s in training.sources if hasattr(s, "videos"))
    photographs = {
        o.image.key for s in training.sources if hasattr(s, "objects") for o in s.objects
    }
    return {"videos": videos, "photographs": len(photographs)}


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    options = study_options(__doc__, list(FRACTIONS), seeds=2).parse_args()
    cv2.setNumThreads(1)
    recipe = options.recipes[0]
    settings = load_settings(TrainSettings, recipe)
    table = {
        "benchmark": BENCHMARK,
        "pairs": settings.steps * settings.batch,
        "widths": list(settings.widths),
    }
    return run_arms(
        [Arm(name, recipe, {"fraction": FRACTIONS[name]}) for name in options.arms],
        options,
        measured,
        headline=lambda row: {"auc": row["auc"]},
        table=lambda rows: table,
    )


if __name__ == "__main__":
    sys.exit(main())
