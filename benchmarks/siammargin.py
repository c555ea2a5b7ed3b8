"""SiamMargin's ablation made again: what the cosine, the margin, the update and the wider search each bring.

python benchmarks/siammargin.py recipes/train_siammargin.yaml recipes/train_siammargin_rpn.yaml --write results/siammargin.json

Arms (what is trained): SiamFC; the same with a cosine; with the recipe's margin; with that margin pixel by pixel; with its
softmax and no margin; a small SiamRPN++ without and with a margin loss on its maps. Variants (what the tracker does): see
VARIANTS. VOT's supervised protocol on clips made by code with look-alikes, on the real VOT-2014 clips and on real clips with
look-alikes; for the first seed the real ones under the real-time rule too. How distorted each arm's maps are.

Goes on where it was cut off; `--part 0/2` and `--part 1/2` share the runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from clips import kept_scores, ship, trained_and_measured

from course_lib.analysis.distortion import KINDS, maps_of, moments_of, responses_of, study
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.evaluation.eao import eao, interval
from course_lib.evaluation.realtime import Realtime
from course_lib.evaluation.tables import without_nan
from course_lib.evaluation.vot import SupervisedRun, accuracy, run_supervised
from course_lib.files import write_whole
from course_lib.models.device import choose_placement
from course_lib.models.runtime import Embedding
from course_lib.models.siammargin import SiamMargin
from course_lib.models.weights import load_network, load_siamfc, read_card
from course_lib.places import RUNS
from course_lib.provenance import provenance
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker
from course_lib.trackers.siammargin import SiamMarginSettings, SiamMarginTracker
from course_lib.training.runs import STOPPED, budget_from_outside
from course_lib.training.settings import TrainSettings

ARMS = {
    "margin": {},
    "cosine": {"margin.margin": 0.0, "margin.loss": "logistic"},
    "siamfc": {"network": "siamfc"},
    "margin pixel by pixel": {"margin.loss": "logistic"},
    "softmax without margin": {"margin.margin": 0.0},
    "siamrpn++": {},
    "siamrpn++ with map": {"margin.weight": 1.0},
}
OFF = {"update": False, "again": False, "adapt": False}
VARIANTS = {
    "plain": OFF,
    "update": OFF | {"update": True},
    "search": OFF | {"again": True, "adapt": True},
    "all": {},
}
VARIANTS_OF = {"margin": tuple(VARIANTS), "cosine": ("plain", "search", "all")}
ALIKE = ("Deer", "DragonBaby", "Football1", "Jogging.1", "Jogging.2")
SHIPPED = {
    "margin": "siammargin",
    "cosine": "siammargin-cosine",
    "siamrpn++": "siamrpnpp-small",
    "siamrpn++ with map": "siamrpnpp-small-map",
}
EDGES = np.linspace(-0.4, 1, 36)  # of the histograms of cosines


def groups() -> dict[str, list[Sequence]]:
    """The clips by group, their frames decoded when they are first asked for and then kept."""
    parts = {
        "generated": load_benchmark("generated-alike-v1"),
        "vot2014": load_benchmark("vot2014"),
        "look-alikes": load_benchmark("otb").only(ALIKE),
    }
    return {
        name: [replace(s, frames=ArrayFrames(list(s.frames))) for s in part]
        for name, part in parts.items()
    }


def settings_of(recipes: list[Path], arm: str, seed: int) -> TrainSettings:
    """The recipe for one arm and one seed."""
    recipe = recipes[arm.startswith("siamrpn")]
    name = f"{load_settings(TrainSettings, recipe).name}-{arm.replace(' ', '-')}-seed{seed}"
    return load_settings(TrainSettings, recipe, {**ARMS[arm], "seed": seed, "name": name})


def tracker_of(arm: str, weights: str, variant: str) -> Tracker:
    """A fresh tracker of an arm."""
    if arm.startswith("siamrpn"):
        return make_tracker("siamrpn", weights=weights)
    if arm == "siamfc":
        return make_tracker("siamfc", weights=weights)
    return make_tracker("siammargin", weights=weights, **VARIANTS[variant])


def scores(runs: list[SupervisedRun], name: str) -> dict:
    """Accuracy, failures and EAO of the runs on one group of clips."""
    low, high = interval(name, [len(run.codes) for run in runs])
    return {
        "accuracy": accuracy(runs),
        "failures": sum(run.failures for run in runs),
        "eao": eao(runs, low, high),
        "lengths": [low, high],
        "by_clip": [run.failures for run in runs],
    }


def supervised(make: Callable[[], Tracker], clips: dict[str, list[Sequence]]) -> dict:
    """Scores on each group, and seconds a frame over all of them."""
    began, row = time.perf_counter(), {}
    for name, part in clips.items():
        row[name] = scores([run_supervised(make, clip) for clip in part], name)
    frames = sum(len(clip) for part in clips.values() for clip in part)
    return row | {"seconds_a_frame": (time.perf_counter() - began) / frames}


def distortion(network: torch.nn.Module, arm: str, clips: dict[str, list[Sequence]]) -> dict:
    """How the arm's maps stand on generated and on real clips; the values of cosine maps by kind, as histograms."""
    reads = {"map": maps_of(network)}
    if arm.startswith("siamrpn"):
        reads["score"] = maps_of(network, scores=True)
    found = {}
    for name in ("generated", "look-alikes"):
        moments = moments_of(clips[name])
        for what, read in reads.items():
            seen = study(responses_of(read, moments), network.stride, moments)
            found[f"{name} {what}"] = seen.summary()
            if name == "generated" and what == "map" and arm != "siamfc":
                shares = {
                    kind: np.histogram(seen.values[kind], EDGES)[0] / len(seen.values[kind])
                    for kind in KINDS
                }
                found["histogram"] = {
                    kind: share.round(4).tolist() for kind, share in shares.items()
                }
    return found


def measured(path: Path, settings: TrainSettings, arm: str, clips: Callable[[], dict]) -> dict:
    """The row of one arm and one seed."""
    card = read_card(path)
    row = {
        "arm": arm,
        "seed": settings.seed,
        "commit": card["commit"],
        "validation": card["validation"],
    }
    row["distortion"] = distortion(load_network(str(path)), arm, clips())
    variants = VARIANTS_OF.get(arm, ("plain",))
    for variant in variants:
        make = partial(tracker_of, arm, str(path), variant)
        row[variant] = supervised(make, clips())
        if settings.seed == 0 and variant in ("plain", "all"):
            real = {name: part for name, part in clips().items() if name != "generated"}
            row[f"{variant} in real time"] = supervised(lambda make=make: Realtime(make()), real)
        told = {name: row[variant][name]["failures"] for name in clips()}
        print(
            arm,
            settings.seed,
            variant,
            told,
            f"{row[variant]['seconds_a_frame']:.4f} s",
            flush=True,
        )
    return row


def time_of_update(embedding: Embedding, clip: Sequence, rounds: int = 3) -> dict:
    """Extra time of the update against the rest of a frame: measured around it, in one run, with an update in every frame."""
    tracker = SiamMarginTracker(SiamMarginSettings(sure=-1.0, again=False, adapt=False), embedding)
    inner, spent = tracker._learn, []

    def timed(features: torch.Tensor) -> None:
        began = time.perf_counter()
        inner(features)
        spent.append(time.perf_counter() - began)

    tracker._learn = timed
    whole = []
    for _ in range(rounds):
        tracker.init(clip.frames[0], clip.boxes[0])
        for t in range(1, len(clip)):
            began = time.perf_counter()
            tracker.update(clip.frames[t])
            whole.append(time.perf_counter() - began)
    return {
        "milliseconds_a_frame": 1e3 * float(np.median(whole)),
        "milliseconds_of_update": 1e3 * float(np.median(spent)),
        "share": float(np.median(spent) / (np.median(whole) - np.median(spent))),
    }


def main() -> int:
    """Run what is missing, keep the table; 75 if the budget ended first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", type=Path, nargs=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--part", default="0/1", help="which of how many processes this is")
    parser.add_argument(
        "--finished", action="store_true", help="start nothing; a table of what is finished"
    )
    parser.add_argument(
        "--write", type=Path, required=True, help="JSON file to keep the figures in"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    mine, all_parts = map(int, arguments.part.split("/"))
    budget, began, rows, loaded = budget_from_outside(), time.monotonic(), [], []

    def clips() -> dict[str, list[Sequence]]:
        if not loaded:
            loaded.append(groups())
        return loaded[0]

    jobs = [(seed, arm) for seed in arguments.seeds for arm in arguments.arms]
    for seed, arm in jobs[mine::all_parts]:
        settings = settings_of(arguments.recipes, arm, seed)
        if arguments.finished and not kept_scores(settings).is_file():
            continue
        left = None if budget is None else budget - (time.monotonic() - began)
        if left is not None and left < 20:
            return STOPPED
        row = trained_and_measured(
            settings, partial(measured, settings=settings, arm=arm, clips=clips), left
        )
        if row is None:
            return STOPPED
        rows.append(row)
    if all_parts == 1:
        first = settings_of(arguments.recipes, "margin", arguments.seeds[0])
        weights = RUNS / "training" / first.name / f"{first.name}.safetensors"
        clip, place = clips()["generated"][0], choose_placement("auto", "auto")
        # what a frame costs does not depend on the weights
        whole = SiamMargin(backbone="ciresnet22").eval()
        table = {
            "pairs": {
                arm: s.steps * s.batch
                for arm in arguments.arms
                for s in [settings_of(arguments.recipes, arm, 0)]
            },
            "edges": EDGES.round(3).tolist(),
            "clips": {name: [clip.name for clip in part] for name, part in clips().items()},
            "overlaps": "pixels as vot-toolkit 0.9.0 counts them; accuracy pooled over frames",
            "runs": rows,
            "update": {
                "trained here": time_of_update(Embedding(load_siamfc(str(weights)), place), clip),
                "paper's size": time_of_update(Embedding(whole, place), clip.part(0, 12)),
            },
            "measured": provenance(str(choose_placement().device))
            | {"threads": torch.get_num_threads()},
        }
        write_whole(arguments.write, json.dumps(without_nan(table), indent=1) + "\n")
        if not first.name.startswith("siammargin-gpu"):
            ship(
                {settings_of(arguments.recipes, arm, 0).name: name for arm, name in SHIPPED.items()}
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
