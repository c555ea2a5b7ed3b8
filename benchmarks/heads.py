"""Which proposal head is best? SiamFC and four heads on the same backbone, pairs, steps and seeds.

python benchmarks/heads.py recipes/train_heads.yaml --write results/heads.json

All begin at random; two more arms are the up-channel head that begins as a similarity and the
concatenation without its mask. Resumes where it was cut off. Success and precision on the generated
benchmark and on the real sequences, and in `clips` the AUC of every sequence; speed, parameters.
The weights of the first seed ship as heads-NAME. Lesson 09 draws and tabulates the file; lesson 07
takes the change of aspect ratio in the real sequences from it.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from arms import Arm, Row, run_arms, study_options
from measure import exact_tracker, figures, one_pass

from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.scores import Report
from course_lib.models.weights import load_network, read_card
from course_lib.recipe import load_settings
from course_lib.training.settings import TrainSettings

HEADS = ("upchannel", "depthwise", "broadcast", "concat")
SIMILAR, UNGUIDED = "upchannel as similarity", "concat without a mask"
# SiamFC has no head: its backbone's last stage is trained
ARMS: dict[str, dict[str, Any]] = {
    "siamfc": {"network": "siamfc", "freeze": 5},
    **{head: {"proposals.head": head} for head in HEADS},
    SIMILAR: {"proposals.head": "upchannel", "proposals.as_similarity": True},
    UNGUIDED: {"proposals.head": "concat", "proposals.mask": False},
}
BENCHMARKS = ("generated-v1", "otb+vot2014")


def measured(arm: Arm, settings: TrainSettings, path: Path) -> Row:
    """The row of one trained network."""
    sizes = {n: p.numel() for n, p in load_network(str(path)).named_parameters()}
    card = read_card(path)
    row = {
        "arm": arm.name,
        "start": start_of(settings),
        "seed": settings.seed,
        "parameters": sum(sizes.values()),
        "parameters_of_head": sum(k for n, k in sizes.items() if not n.startswith("backbone")),
        "backbone": settings.backbone,
        "validation": card["validation"],
        "training_seconds": sum(card["seconds"].values()),
    }
    make = partial(exact_tracker, settings.network, weights=str(path))
    for name in BENCHMARKS:
        benchmark = load_benchmark(name)
        row[name] = figures(Report.from_results(benchmark, one_pass({"it": make}, benchmark)), "it")
    row["clips"] = {name: row[name].pop("auc_by_sequence") for name in BENCHMARKS}
    return row


def start_of(settings: TrainSettings) -> str:
    """How the comparison begins: SiamFC's is a correlation and needs no weights."""
    similar = settings.proposals.head == "upchannel" and settings.proposals.as_similarity
    return "similarity" if similar or settings.network == "siamfc" else "random"


def aspect_changes(name: str) -> dict[str, float]:
    """How much the aspect ratio of each target changes: the largest over the smallest."""
    ratios = {}
    for sequence in load_benchmark(name):
        ratio = sequence.boxes[:, 2] / sequence.boxes[:, 3]  # (T,)
        ratios[sequence.name] = float(np.nanmax(ratio) / np.nanmin(ratio))
    return ratios


def table_of(recipe: Path, rows: list[Row]) -> dict[str, Any]:
    """The table's entries beside the runs.

    `best_proposals` is the head with the highest mean AUC on the generated sequences: the real ones
    are not used to choose.
    """
    settings = load_settings(TrainSettings, recipe)
    found = {h: [r["generated-v1"]["auc"] for r in rows if r["arm"] == h] for h in HEADS}
    means = {head: np.mean(values) for head, values in found.items() if values}
    return {
        "pairs": settings.steps * settings.batch,
        "backbone": settings.backbone,
        "best_proposals": max(means, key=means.get, default=None),
        "aspect_change": aspect_changes("otb+vot2014"),
    }


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    options = study_options(__doc__, list(ARMS), seeds=3).parse_args()
    cv2.setNumThreads(1)
    recipe = options.recipes[0]
    ships = {name: f"heads-{name}" for name in ARMS if name not in (SIMILAR, UNGUIDED)}
    return run_arms(
        [Arm(name, recipe, ARMS[name], ships.get(name, "")) for name in options.arms],
        options,
        measured,
        headline=lambda row: {name: row[name]["auc"] for name in BENCHMARKS},
        table=partial(table_of, recipe),
    )


if __name__ == "__main__":
    sys.exit(main())
