"""SiamDW's analysis made again: networks that differ in field, stride or padding; same pairs, same steps, three seeds.

python benchmarks/siamdw.py recipes/train_twins.yaml --write results/siamdw_analysis.json
python benchmarks/siamdw.py recipes/train_cir.yaml --write results/siamdw_networks.json

Goes on where it was cut off. `--part 0/2` and `--part 1/2` do half of the runs each, in two processes; the same command
without it then puts the table together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import torch
from clips import figures, one_pass

from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import without_nan
from course_lib.files import write_whole
from course_lib.geometry.windows import EXEMPLAR
from course_lib.models.device import choose_placement
from course_lib.models.fields import live_reception
from course_lib.models.twins import TWINS
from course_lib.models.weights import load_siamfc, read_card
from course_lib.places import RUNS
from course_lib.provenance import provenance
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.training.finish import train_to_weights
from course_lib.training.runs import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings

NETWORKS = {
    "twins": [f"twin-{family}-{column}" for family, columns in TWINS.items() for column in columns],
    "cir": [
        "ciresnet16",
        "ciresnet19",
        "ciresnet22",
        "ciresnet22w",
        "ciresinception22",
        "ciresnext22",
        "ciresnet43",
    ],
}


def settings_of(recipe: Path, backbone: str, seed: int) -> TrainSettings:
    """The recipe for one network and one seed."""
    name = load_settings(TrainSettings, recipe).name
    return load_settings(
        TrainSettings, recipe, {"backbone": backbone, "seed": seed, "name": f"{name}-{backbone}-seed{seed}"}
    )


def one_run(settings: TrainSettings, frames: int | None, budget: float | None) -> dict | None:
    """Train one network and measure it; None if the budget ended first."""
    kept = RUNS / "training" / settings.name / "scores.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    path = train_to_weights(settings, budget=budget)
    if path is None:
        return None
    network, card = load_siamfc(str(path)), read_card(path)
    z = live_reception(network.backbone, EXEMPLAR)[-1]
    row = {
        "network": settings.backbone,
        "seed": settings.seed,
        "parameters": sum(p.numel() for p in network.backbone.parameters()),
        "field": z.field,
        "stride": z.stride,
        "ofs": z.size,
        "validation": card["validation"],
        "training_seconds": sum(card["seconds"].values()),
    }
    for name in ("generated-v1", "otb+vot2014"):
        row[name] = figures(one_pass(lambda: make_tracker("siamfc", weights=str(path)), load_benchmark(name), frames))
    write_whole(kept, json.dumps(without_nan(row)) + "\n")
    return row


def main() -> int:
    """Run what is missing, keep the table; 75 if the budget ended first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", help="only these")
    parser.add_argument("--frames", type=int, help="of each clip, from its first; all unless given")
    parser.add_argument("--part", default="0/1", help="which of how many processes this is")
    parser.add_argument("--write", type=Path, required=True, help="JSON file to keep the figures in")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    mine, all_parts = map(int, arguments.part.split("/"))
    budget, began, rows = budget_from_outside(), time.monotonic(), []
    settings = load_settings(TrainSettings, arguments.recipe)
    networks = arguments.networks or NETWORKS[settings.name.removesuffix("-gpu")]
    jobs = [(seed, name) for seed in arguments.seeds for name in networks]
    for seed, name in jobs[mine::all_parts]:
        left = None if budget is None else budget - (time.monotonic() - began)
        if left is not None and left < 20:
            return STOPPED
        row = one_run(settings_of(arguments.recipe, name, seed), arguments.frames, left)
        if row is None:
            return STOPPED
        rows.append(row)
        told = {name: row[name]["auc"] for name in ("generated-v1", "otb+vot2014")}
        print(name, seed, told, row["otb+vot2014"]["fps"], flush=True)
    if all_parts == 1:
        table = {
            "pairs": settings.steps * settings.batch,
            "share": settings.share,
            "frames": arguments.frames,
            "runs": rows,
            "measured": provenance(str(choose_placement().device)) | {"threads": torch.get_num_threads()},
        }
        write_whole(arguments.write, json.dumps(without_nan(table), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
