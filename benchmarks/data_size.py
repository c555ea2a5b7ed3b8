"""How accuracy grows with the training set: five sizes, two seeds, the same number of steps.

python benchmarks/data_size.py recipes/train_siamfc_tiny.yaml --write results/data_size.json

Goes on where it was cut off. Each size is part of the next larger one; held-out pairs are the same for all.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
from siamfc_real import measure, settings_of

from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import without_nan
from course_lib.files import write_whole
from course_lib.models.device import choose_placement
from course_lib.models.runtime import Embedding
from course_lib.models.weights import load_siamfc, read_card
from course_lib.places import RUNS
from course_lib.provenance import provenance
from course_lib.recipe import load_settings
from course_lib.training.finish import train_to_weights
from course_lib.training.runs import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

FRACTIONS = (0.02, 0.08, 0.32, 0.64, 1.0)


def one_run(
    recipe: Path, fraction: float, seed: int, name: str, budget: float | None
) -> dict | None:
    """Train one network and evaluate it; None if the budget ended first."""
    overrides = {"fraction": fraction, "seed": seed, "name": name}
    settings = load_settings(TrainSettings, recipe, overrides)
    kept = RUNS / "training" / name / "scores.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    path = train_to_weights(settings, budget=budget)
    if path is None:
        return None
    embedding = Embedding(load_siamfc(str(path)), choose_placement())
    on_gpu = embedding.placement.device.type == "cuda"
    report = measure(
        {"it": settings_of("siamfc-3s", name)},
        embedding,
        load_benchmark("otb+vot2014"),
        22 if on_gpu else 1,
    )
    overall, validation = report.overall()["it"], read_card(path)["validation"]
    row = {
        "fraction": fraction,
        "seed": seed,
        "auc": overall["auc"],
        "precision20": overall["precision20"],
        "validation_loss": validation["loss"],
        "hits": validation["hits"],
        **sizes_of(settings),
    }
    write_whole(kept, json.dumps(without_nan(row)) + "\n")
    return row


def sizes_of(settings: TrainSettings) -> dict[str, int]:
    """How many videos and photographs the settings train on."""
    training, _ = make_sources(settings)
    videos = sum(len(s.videos) for s in training.sources if hasattr(s, "videos"))
    photographs = {
        o.picture.key for s in training.sources if hasattr(s, "objects") for o in s.objects
    }
    return {"videos": videos, "photographs": len(photographs)}


def main() -> int:
    """Run what is missing, keep the table; 75 if the budget ended first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument(
        "--write", type=Path, required=True, help="JSON file to keep the figures in"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    budget, began = budget_from_outside(), time.monotonic()
    settings, rows = load_settings(TrainSettings, arguments.recipe), []
    for seed in arguments.seeds:
        for fraction in FRACTIONS:
            left = None if budget is None else budget - (time.monotonic() - began)
            if left is not None and left < 20:
                return STOPPED
            row = one_run(
                arguments.recipe,
                fraction,
                seed,
                f"{settings.name}-{100 * fraction:g}-seed{seed}",
                left,
            )
            if row is None:
                return STOPPED
            rows.append(row)
            print(row, flush=True)
    table = {
        "benchmark": "otb+vot2014",
        "pairs": settings.steps * settings.batch,
        "widths": list(settings.widths),
        "runs": rows,
        "measured": provenance(str(choose_placement().device)),
    }
    write_whole(arguments.write, json.dumps(without_nan(table), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
