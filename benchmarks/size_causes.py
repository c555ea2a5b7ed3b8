"""What makes a network measure size instead of repeating what it is told? One factor at a time.

python benchmarks/size_causes.py recipes/train_size.yaml --write results/size_causes.json

Each arm takes back one thing that the recipe does about size; "as before" takes back all of them.
Gain and bias of the size response come from 20 generated sequences and the held-out training
videos, on which settings may be chosen; those on generated-v1 and on the real targets stand beside
them, sequence by sequence in `clips`, and choose nothing. Resumes where it was cut off. Lesson 08
draws the file.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch
from arms import Arm, Row, run_arms, study_options
from size_response import REAL, SETS, response_of

from course_lib.models.weights import read_card
from course_lib.trackers import make_tracker
from course_lib.training.settings import TrainSettings

MIX = {
    "sources": ["videos:got10k-train", "photos:photos", "generated"],
    "probabilities": [0.45, 0.4, 0.15],
}
ARMS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "exemplar varied too": {"augmentation.exemplar": 1.0},
    "anchors by IoU": {"proposals.any_size": False},
    "scales within 30 %": {"augmentation.stretch": 0.3},
    "template at one scale": {"proposals.scales": [1]},
    "norms of the batch": {"fix_norms": 0.0},
    "whole things only": MIX,
    "nothing pasted": {"paste": 0.0},
    "smooth L1": {"proposals.smooth": True},
    "GIoU": {"proposals.giou": True},
    "box loss doubled": {"proposals.weight": 4.0},
    "dilated backbone": {"dilated": True},
}
ARMS["as before"] = MIX | {
    "augmentation.exemplar": 1.0,
    "augmentation.stretch": 0.3,
    "proposals.any_size": False,
    "proposals.scales": [1],
    "fix_norms": 0.0,
}
BENCHMARKS = ("generated-v1", REAL)
FRAMES = 4  # of each of their sequences


def measured(arm: Arm, settings: TrainSettings, path: Path) -> Row:
    """The row of one trained network."""
    card = read_card(path)
    make = partial(make_tracker, "siamrpn", weights=str(path), precision="fp32")
    responses = {name: response_of(make, SETS[name](), FRAMES) for name in BENCHMARKS}
    row = {
        "arm": arm.name,
        "seed": settings.seed,
        "validation": card["validation"],
        "training_seconds": sum(card["seconds"].values()),
        "clips": {
            name: {sequence: one["gain"] for sequence, one in found["sequences"].items()}
            for name, found in responses.items()
        },
    }
    for name, found in responses.items():
        row[name] = {key: found[key] for key in ("gain", "bias", "settles", "logs")}
    return row


def headline(row: Row) -> dict[str, float]:
    """The scores that are averaged over seeds."""
    names = ("iou", "hits", "tracking_iou", "tracking_size", "size_gain", "size_bias")
    found = {name: row["validation"][name] for name in names}
    return found | {"real_gain": row[REAL]["gain"], "real_bias": row[REAL]["bias"]}


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    options = study_options(__doc__, list(ARMS), seeds=3).parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    recipe = options.recipes[0]
    return run_arms(
        [Arm(name, recipe, ARMS[name]) for name in options.arms],
        options,
        measured,
        headline=headline,
        table=lambda rows: {"arms": {name: dict(ARMS[name]) for name in options.arms}},
    )


if __name__ == "__main__":
    sys.exit(main())
