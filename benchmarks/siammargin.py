"""SiamMargin's ablation repeated: what do cosine, margin, update and wider search each bring?

python benchmarks/siammargin.py recipes/train_siammargin.yaml recipes/train_siammargin_rpn.yaml \\
    --write results/siammargin.json

Arms (what is trained): SiamFC; the same with a cosine; with the recipe's margin; with that margin
pixel by pixel; with its softmax and no margin; a small SiamRPN++ without and with a margin loss on
its maps. Variants (what the tracker does): see VARIANTS. VOT's supervised protocol on generated
clips with look-alikes, on the real VOT-2014 clips and on real clips with look-alikes; for the first
seed, the real ones under the real-time rule too. How distorted each arm's maps are. Resumes
where it was cut off (see arms.py).

Lesson 11 reads the file: the table of arms and variants beside the authors' ablation, the
histograms of cosines, the maps' distortion, and the cost of the update.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from arms import Arm, Row, run_arms, study_options
from measure import tracking_speeds

from course_lib.analysis.distortion import KINDS, maps_of, moments_of, responses_of, study
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.evaluation.eao import eao, interval
from course_lib.evaluation.realtime import Realtime
from course_lib.evaluation.vot import accuracy, run_supervised
from course_lib.models.device import choose_placement
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.siammargin import SiamMargin
from course_lib.models.weights import load_network, load_siamfc, read_card
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker
from course_lib.trackers.siammargin import SiamMarginSettings, SiamMarginTracker
from course_lib.training.settings import TrainSettings

ARMS: dict[str, dict[str, Any]] = {
    "margin": {},
    "cosine": {"margin.margin": 0.0, "margin.loss": "logistic"},
    "siamfc": {"network": "siamfc"},
    "margin pixel by pixel": {"margin.loss": "logistic"},
    "softmax without margin": {"margin.margin": 0.0},
    "siamrpn++": {},
    "siamrpn++ with map": {"margin.weight": 1.0},
}
OFF = {"update": False, "again": False, "adapt": False}
VARIANTS: dict[str, dict[str, bool]] = {
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


@cache
def sequences() -> dict[str, list[Sequence]]:
    """The clips by group, their frames decoded."""
    parts = {
        "generated": load_benchmark("generated-alike-v1"),
        "vot2014": load_benchmark("vot2014"),
        "look-alikes": load_benchmark("otb").only(ALIKE),
    }
    return {name: [s.loaded() for s in part] for name, part in parts.items()}


def tracker_of(arm: str, weights: str, variant: str) -> Tracker:
    """A fresh tracker: an arm's weights, and one of VARIANTS, which SiamMargin alone has."""
    if arm.startswith("siamrpn"):
        return make_tracker("siamrpn", weights=weights)
    if arm == "siamfc":
        return make_tracker("siamfc", weights=weights)
    return make_tracker("siammargin", weights=weights, **VARIANTS[variant])


def supervised(make: Callable[[], Tracker], groups: list[str]) -> Row:
    """VOT's scores on each group of clips, and seconds per frame over all of them."""
    began, row, frames = time.perf_counter(), {}, 0
    for name in groups:
        runs = [run_supervised(make, sequence) for sequence in sequences()[name]]
        low, high = interval(name, [len(run.codes) for run in runs])
        frames += sum(len(sequence) for sequence in sequences()[name])
        row[name] = {
            "accuracy": accuracy(runs),
            "failures": sum(run.failures for run in runs),
            "eao": eao(runs, low, high),
            "lengths": [low, high],
            "by_clip": [run.failures for run in runs],
        }
    return row | {"seconds_a_frame": (time.perf_counter() - began) / frames}


def distortion(network: torch.nn.Module, arm: str) -> Row:
    """Distortion of the arm's maps on generated and real clips; histograms of cosines by class."""
    reads = {"map": maps_of(network)}
    if arm.startswith("siamrpn"):
        reads["score"] = maps_of(network, scores=True)
    found = {}
    for name in ("generated", "look-alikes"):
        moments = moments_of(sequences()[name])
        for what, read in reads.items():
            seen = study(responses_of(read, moments), network.stride, moments)
            found[f"{name} {what}"] = seen.summary()
            if name == "generated" and what == "map" and arm != "siamfc":
                found["histogram"] = {kind: histogram(seen.values[kind]) for kind in KINDS}
    return found


def histogram(values: np.ndarray) -> list[float]:
    """The fraction of values in each bin between EDGES."""
    return (np.histogram(values, EDGES)[0] / len(values)).round(4).tolist()


def measured(arm: Arm, settings: TrainSettings, path: Path) -> Row:
    """The row of one arm and one seed."""
    card = read_card(path)
    row = {
        "arm": arm.name,
        "seed": settings.seed,
        "commit": card["commit"],
        "validation": card["validation"],
        "distortion": distortion(load_network(str(path)), arm.name),
    }
    for variant in VARIANTS_OF.get(arm.name, ("plain",)):
        make = partial(tracker_of, arm.name, str(path), variant)
        row[variant] = supervised(make, list(sequences()))
        print(arm.name, settings.seed, variant, row[variant]["seconds_a_frame"], "s", flush=True)
        if settings.seed == 0 and variant in ("plain", "all"):
            real = [name for name in sequences() if name != "generated"]
            row[f"{variant} in real time"] = supervised(lambda make=make: Realtime(make()), real)
    return row


def failures(row: Row) -> dict[str, float]:
    """Failures by variant and group of clips."""
    return {
        f"{variant}, {group}": row[variant][group]["failures"]
        for variant in VARIANTS
        if variant in row
        for group in sequences()
    }


def time_of_update(runtime: SiamFCRuntime, sequence: Sequence) -> dict[str, float]:
    """Extra time of the update against the rest of a frame: measured around it, in one run, with an
    update in every frame."""
    settings = SiamMarginSettings(sure=-1.0, again=False, adapt=False)
    spent: list[float] = []

    def make() -> SiamMarginTracker:
        tracker = SiamMarginTracker(settings, runtime)
        inner = tracker._learn

        def timed(features: torch.Tensor) -> None:
            began = time.perf_counter()
            inner(features)
            spent.append(time.perf_counter() - began)

        tracker._learn = timed
        return tracker

    whole = 1 / tracking_speeds({"it": make}, sequence)[0]["it"]
    update = float(np.median(spent))
    return {
        "milliseconds_a_frame": 1e3 * whole,
        "milliseconds_of_update": 1e3 * update,
        "fraction": update / (whole - update),
    }


def table_of(arms: list[Arm], first: TrainSettings) -> dict[str, Any]:
    """The table's entries beside the runs; `first`: settings of an arm with that network."""
    sequence, place = sequences()["generated"][0], choose_placement()
    # the cost of a frame does not depend on the weights
    whole = SiamMargin(backbone="ciresnet22").eval()
    lengths = {arm.name: arm.settings(0) for arm in arms}
    return {
        "pairs": {name: s.steps * s.batch for name, s in lengths.items()},
        "edges": EDGES.round(3).tolist(),
        "clips": {name: [sequence.name for sequence in part] for name, part in sequences().items()},
        "overlaps": "pixels as vot-toolkit 0.9.0 counts them; accuracy pooled over frames",
        "update": {
            "trained here": time_of_update(SiamFCRuntime(load_siamfc(first.name), place), sequence),
            "paper's size": time_of_update(SiamFCRuntime(whole, place), sequence.part(0, 12)),
        },
    }


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    options = study_options(__doc__, list(ARMS), seeds=3, recipes=2).parse_args()
    cv2.setNumThreads(1)
    arms = [
        Arm(n, options.recipes[n.startswith("siamrpn")], ARMS[n], SHIPPED.get(n, ""))
        for n in options.arms
    ]
    first = Arm("margin", options.recipes[0]).settings(options.seeds[0])
    return run_arms(arms, options, measured, failures, lambda rows: table_of(arms, first))


if __name__ == "__main__":
    sys.exit(main())
