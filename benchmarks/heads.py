"""SiamFC and four proposal heads: same backbone, same pairs, same steps, two seeds; trained, then measured on clips.

python benchmarks/heads.py recipes/train_heads.yaml --write results/heads.json

Goes on where it was cut off. Success and precision on the generated benchmark and on the real clips, speed, parameters.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import figures, one_pass, trained_and_measured

from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import without_nan
from course_lib.files import write_whole
from course_lib.models.device import choose_placement
from course_lib.models.weights import load_network, read_card
from course_lib.provenance import provenance
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.training.budget import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings

MATCHES = ("siamfc", "upchannel", "depthwise", "broadcast", "concat")


def settings_of(recipe: Path, match: str, seed: int) -> TrainSettings:
    """The recipe for one way to match and one seed."""
    name = load_settings(TrainSettings, recipe).name
    what = (
        {"network": "siamfc"}
        if match == "siamfc"
        else {"network": "siamrpn", "proposals.head": match}
    )
    return load_settings(
        TrainSettings, recipe, {**what, "seed": seed, "name": f"{name}-{match}-seed{seed}"}
    )


def measured(path: Path, settings: TrainSettings, match: str) -> dict:
    """The row of one trained network."""
    network = load_network(str(path))
    row = {
        "match": match,
        "seed": settings.seed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "parameters_of_head": sum(
            p.numel() for n, p in network.named_parameters() if not n.startswith("backbone")
        ),
        "validation": read_card(path)["validation"],
        "training_seconds": sum(read_card(path)["seconds"].values()),
    }
    for name in ("generated-v1", "otb+vot2014"):
        tracker = "siamfc" if match == "siamfc" else "siamrpn"
        row[name] = figures(
            one_pass(partial(make_tracker, tracker, weights=str(path)), load_benchmark(name))
        )
    return row


def main() -> int:
    """Run what is missing, keep the table; 75 if the budget ended first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--matches", nargs="+", default=list(MATCHES), choices=list(MATCHES))
    parser.add_argument(
        "--write", type=Path, required=True, help="JSON file to keep the figures in"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    budget, began, rows = budget_from_outside(), time.monotonic(), []
    for seed in arguments.seeds:
        for match in arguments.matches:
            left = None if budget is None else budget - (time.monotonic() - began)
            if left is not None and left < 20:
                return STOPPED
            settings = settings_of(arguments.recipe, match, seed)
            row = trained_and_measured(
                settings, partial(measured, settings=settings, match=match), left
            )
            if row is None:
                return STOPPED
            rows.append(row)
            told = {name: row[name]["auc"] for name in ("generated-v1", "otb+vot2014")}
            print(match, seed, told, row["otb+vot2014"]["fps"], flush=True)
    write_whole(
        arguments.write, json.dumps(without_nan(table_of(arguments.recipe, rows)), indent=1) + "\n"
    )
    return 0


def table_of(recipe: Path, rows: list[dict]) -> dict:
    """What is kept of all runs, with the change of aspect ratio in each real clip (largest over smallest).

    `best_proposals` is the head with the highest mean AUC on the generated clips: the real ones choose nothing.
    """
    settings = load_settings(TrainSettings, recipe)
    of = {m: [r["generated-v1"]["auc"] for r in rows if r["match"] == m] for m in MATCHES[1:]}
    changes = {}
    for sequence in load_benchmark("otb+vot2014"):
        ratio = sequence.boxes[:, 2] / sequence.boxes[:, 3]  # (T,)
        changes[sequence.name] = float(np.nanmax(ratio) / np.nanmin(ratio))
    return {
        "pairs": settings.steps * settings.batch,
        "widths": list(settings.widths),
        "best_proposals": max((m for m in of if of[m]), key=lambda m: sum(of[m]) / len(of[m])),
        "aspect_change": changes,
        "runs": rows,
        "measured": provenance(str(choose_placement().device))
        | {"threads": torch.get_num_threads()},
    }


if __name__ == "__main__":
    sys.exit(main())
