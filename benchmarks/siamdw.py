"""SiamDW's analysis made again: networks that differ in field, stride or padding; same pairs, same steps, three seeds.

python benchmarks/siamdw.py recipes/train_twins.yaml --write results/siamdw_analysis.json
python benchmarks/siamdw.py recipes/train_cir.yaml --write results/siamdw_networks.json

Goes on where it was cut off. `--part 0/2` and `--part 1/2` do half of the runs each, in two processes; the same command
without it then puts the table together. What padding does near the border is measured for both pairs of twins; of the
networks in SHIPPED the first seed's weights are kept with the course.
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
from clips import figures, kept_scores, one_pass, ship, trained_and_measured

from course_lib.analysis.border import errors_by_place, wide_pairs
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.tables import without_nan
from course_lib.files import write_whole
from course_lib.geometry.traced import live_reception
from course_lib.geometry.windows import EXEMPLAR, search_side
from course_lib.models.device import choose_placement
from course_lib.models.twins import TWINS
from course_lib.models.weights import load_siamfc, read_card
from course_lib.provenance import provenance
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.training.budget import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

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
PAIRS = [
    f"twin-{family}-{column}"
    for family, column in (("alexnet", 5), ("alexnet", 6), ("resnet", 4), ("resnet", 5))
]
PLACES = np.arange(-64, 65, 16)  # pixels of the search image from its middle
BENCHMARKS = ("generated-v1", "otb+vot2014")
SHIPPED = ("twin-alexnet-5", "twin-alexnet-6", "ciresnet22")


def settings_of(recipe: Path, backbone: str, seed: int) -> TrainSettings:
    """The recipe for one network and one seed."""
    name = load_settings(TrainSettings, recipe).name
    return load_settings(
        TrainSettings,
        recipe,
        {"backbone": backbone, "seed": seed, "name": f"{name}-{backbone}-seed{seed}"},
    )


def measured(path: Path, settings: TrainSettings, frames: int | None) -> dict:
    """The row of one trained network."""
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
    for name in BENCHMARKS:
        row[name] = figures(
            one_pass(
                lambda: make_tracker("siamfc", weights=str(path)), load_benchmark(name), frames
            )
        )
    return row


def border(recipe: Path, seeds: list[int], count: int = 24) -> dict:
    """Mean error of the peak (seeds, 9, 9) for targets at PLACES, for the twins with and without padding; held-out pairs."""
    wide = {"search": 255 + 2 * int(PLACES.max()), "negatives": 0, "changes.shift": 0}
    views = wide_pairs(make_sources(load_settings(TrainSettings, recipe, wide))[1], count, seed=5)
    runs = {}
    for name in PAIRS:
        networks = [load_siamfc(settings_of(recipe, name, seed).name) for seed in seeds]
        runs[name] = [
            errors_by_place(network, *views, PLACES).round(2).tolist() for network in networks
        ]
        print("errors by place:", name, flush=True)
    return {"places": PLACES.tolist(), "pairs": count, "runs": runs}


def fast_frames(name: str, frames: int | None, pixels: float = 32) -> float:
    """Share of a benchmark's steps from frame to frame in which the target moves more than `pixels` of its search image."""
    moves = []
    for sequence in load_benchmark(name):
        boxes = sequence.boxes[:frames]
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        for k in np.flatnonzero(np.isfinite(boxes[:-1] + boxes[1:]).all(1)):
            moves.append(
                np.hypot(*(centres[k + 1] - centres[k])) * 255 / float(search_side(boxes[k]))
            )
    return float(np.mean(np.array(moves) > pixels))


def main() -> int:
    """Run what is missing, keep the table; 75 if the budget ended first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", help="only these")
    parser.add_argument("--frames", type=int, help="of each clip, from its first; all unless given")
    parser.add_argument(
        "--finished", action="store_true", help="start nothing; a table of what is finished"
    )
    parser.add_argument("--part", default="0/1", help="which of how many processes this is")
    parser.add_argument(
        "--write", type=Path, required=True, help="JSON file to keep the figures in"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    mine, all_parts = map(int, arguments.part.split("/"))
    budget, began, rows = budget_from_outside(), time.monotonic(), []
    settings = load_settings(TrainSettings, arguments.recipe)
    networks = arguments.networks or NETWORKS[settings.name.removesuffix("-gpu")]
    jobs = [(seed, name) for seed in arguments.seeds for name in networks]
    for seed, name in jobs[mine::all_parts]:
        if (
            arguments.finished
            and not kept_scores(settings_of(arguments.recipe, name, seed)).is_file()
        ):
            continue
        left = None if budget is None else budget - (time.monotonic() - began)
        if left is not None and left < 20:
            return STOPPED
        one = settings_of(arguments.recipe, name, seed)
        row = trained_and_measured(
            one, partial(measured, settings=one, frames=arguments.frames), left
        )
        if row is None:
            return STOPPED
        for benchmark in BENCHMARKS:
            for long in (
                "curves",
                "auc_by_sequence",
            ):  # a table of so many runs has no room for them
                row[benchmark].pop(long)
        rows.append(row)
        told = {benchmark: row[benchmark]["auc"] for benchmark in BENCHMARKS}
        print(name, seed, told, row["otb+vot2014"]["fps"], flush=True)
    if all_parts == 1:
        table = {
            "pairs": settings.steps * settings.batch,
            "share": settings.share,
            "frames": arguments.frames,
            "runs": rows,
            "measured": provenance(str(choose_placement().device))
            | {"threads": torch.get_num_threads()},
        }
        if set(PAIRS) <= set(networks):
            table["fast_frames"] = {
                name: fast_frames(name, arguments.frames) for name in BENCHMARKS
            }
            table["errors_by_place"] = border(arguments.recipe, arguments.seeds)
        if not settings.name.endswith("-gpu"):
            ship(
                {
                    settings_of(arguments.recipe, name, 0).name: name
                    for name in SHIPPED
                    if name in networks
                }
            )
        write_whole(arguments.write, json.dumps(without_nan(table), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
