"""SiamMargin's ablation repeated: what do cosine, margin, update and wider search each add?

python benchmarks/siammargin.py recipes/train_siammargin.yaml recipes/train_siammargin_rpn.yaml \\
    --write results/siammargin.json

Arms (what is trained): SiamFC; the same with a cosine; with the recipe's margin; with that margin
pixel by pixel; with its softmax and no margin; a SiamRPN++ without and with a margin loss on its
maps. SiamFC's labels are its own: right within 16 pixels and no ignored ring. At most five seeds of
the two that the question is about, cosine and margin, three of the others. Variants (what the
tracker does): see VARIANTS; update and wider search apart are measured on the first seed alone.
VOT's supervised protocol on generated sequences with look-alikes, on the real VOT-2014 sequences
and on real sequences with look-alikes; one pass over all real sequences. How distorted each arm's
maps are, and were before training. Scores are kept sequence by sequence. Resumes where it was cut
off (see arms.py); the real-time rule comes last, with the table: it needs a machine that does
nothing else.

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
from measure import exact_tracker, one_pass, tracking_speeds

from course_lib.analysis.distortion import (
    KINDS,
    MapStudy,
    maps_of,
    moments_of,
    responses_of,
    study,
)
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.evaluation.eao import eao, interval
from course_lib.evaluation.realtime import Realtime
from course_lib.evaluation.scores import Report
from course_lib.evaluation.vot import accuracy, run_supervised
from course_lib.models.device import choose_placement
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.siammargin import SiamMargin
from course_lib.models.weights import find_weights, load_network, load_siamfc, read_card
from course_lib.trackers.base import Tracker
from course_lib.trackers.siammargin import SiamMarginSettings, SiamMarginTracker
from course_lib.training.first_weights import first_network
from course_lib.training.settings import TrainSettings

ARMS: dict[str, dict[str, Any]] = {
    "margin": {},
    "cosine": {"margin.margin": 0.0, "margin.loss": "logistic"},
    # the recipe's 8 pixels need a ring, which SiamFC does not have: cells 9 pixels from the target
    # would be rivals
    "siamfc": {"network": "siamfc", "radius": 16.0},
    "margin pixel by pixel": {"margin.loss": "logistic"},
    "softmax without margin": {"margin.margin": 0.0},
    "siamrpn++": {},
    "siamrpn++ with map": {"margin.weight": 1.0},
}
MAIN, FEW = ("margin", "cosine"), 3  # arms with all seeds; seeds of the others
OFF = {"update": False, "again": False, "adapt": False}
VARIANTS: dict[str, dict[str, bool]] = {
    "plain": OFF,
    "update": OFF | {"update": True},
    "search": OFF | {"again": True, "adapt": True},
    "all": {},
}
VARIANTS_OF = {"margin": tuple(VARIANTS), "cosine": ("plain", "search", "all")}
APART = ("update", "search")  # variants of the first seed alone
ON_A_CLOCK = (("siamfc", "plain"), ("margin", "plain"), ("margin", "all"))
ALIKE = ("Deer", "DragonBaby", "Football1", "Jogging.1", "Jogging.2")
SHIPPED = {
    "margin": "siammargin",
    "cosine": "siammargin-cosine",
    "siamrpn++": "siamrpnpp-small",
    "siamrpn++ with map": "siamrpnpp-small-map",
}
EDGES = np.linspace(-0.4, 1, 36)  # of the histograms of cosines
SCORE_EDGES = np.linspace(-12, 12, 49)  # of those of log-odds below a proposal head
# sequences that are in no benchmark, to choose each network's thresholds on
FIRST_SEED, COUNT = 710_000, 16
SURE, UNSURE = 0.5, 0.05  # quantiles of the peak where the target is seen


@cache
def sequences() -> dict[str, list[Sequence]]:
    """The sequences by group, their frames decoded."""
    parts = {
        "generated": load_benchmark("generated-alike-v1"),
        "vot2014": load_benchmark("vot2014"),
        "look-alikes": load_benchmark("otb").only(ALIKE),
    }
    return {name: [s.loaded() for s in part] for name, part in parts.items()}


def thresholds_of(network: torch.nn.Module) -> dict[str, float]:
    """`sure` and `unsure` of a SiamMargin: quantiles of its highest cosine, with the target in
    view, on generated sequences that are not in the benchmark."""
    parts = [make_sequence(random_spec(FIRST_SEED + k, length=40)) for k in range(COUNT)]
    peaks = responses_of(maps_of(network), moments_of(parts, every=4)).max((1, 2))  # (N,)
    sure, unsure = np.quantile(peaks, (SURE, UNSURE))
    return {"sure": round(float(sure), 3), "unsure": round(float(unsure), 3)}


def tracker_of(arm: str, weights: str, settings: dict[str, Any]) -> Tracker:
    """A fresh tracker: an arm's weights; the settings are SiamMargin's alone."""
    if arm.startswith("siamrpn"):
        return exact_tracker("siamrpn", weights=weights)
    if arm == "siamfc":
        return exact_tracker("siamfc", weights=weights)
    return exact_tracker("siammargin", weights=weights, **settings)


def supervised(make: Callable[[], Tracker], groups: list[str]) -> Row:
    """VOT's scores on each group of sequences, and seconds per frame over all of them."""
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
            "accuracy_by_clip": [round(accuracy([run]), 4) for run in runs],
        }
    return row | {"seconds_a_frame": (time.perf_counter() - began) / frames}


def passed(make: Callable[[], Tracker]) -> dict[str, float]:
    """AUC by sequence of one pass over the real sequences."""
    benchmark = load_benchmark("otb+vot2014")
    report = Report.from_results(benchmark, one_pass({"it": make}, benchmark))
    return {name: round(float(v), 4) for name, v in report.trackers["it"].by_sequence().items()}


def distortion(network: torch.nn.Module, arm: str) -> Row:
    """Distortion of the arm's maps on generated and real sequences; histograms of cosines by class,
    and of log-odds below a proposal head."""
    reads = {"map": maps_of(network)}
    if arm.startswith("siamrpn"):
        reads["score"] = maps_of(network, scores=True)
    found = {}
    for name in ("generated", "look-alikes"):
        moments = moments_of(sequences()[name])
        for what, read in reads.items():
            seen = study(responses_of(read, moments), network.stride, moments)
            found[f"{name} {what}"] = seen.summary()
            if name == "generated" and arm != "siamfc":
                kind = "histogram" if what == "map" else "histogram of scores"
                found[kind] = histograms(seen, what)
    return found


def histograms(seen: MapStudy, what: str) -> dict[str, list[float]]:
    """By class, the fraction of values in each bin: cosines of a "map", log-odds of a "score"."""
    edges, read = EDGES, np.asarray
    if what == "score":
        edges = SCORE_EDGES

        def read(p: np.ndarray) -> np.ndarray:
            p = np.clip(p.astype(np.float64), 1e-5, 1 - 1e-5)
            return np.log(p / (1 - p))

    return {
        kind: (np.histogram(read(v), edges)[0] / len(v)).round(4).tolist()
        for kind, v in ((kind, seen.values[kind]) for kind in KINDS)
    }


def measured(arm: Arm, settings: TrainSettings, path: Path) -> Row:
    """The row of one arm and one seed."""
    card, network = read_card(path), load_network(str(path))
    row = {
        "arm": arm.name,
        "seed": settings.seed,
        "commit": card["commit"],
        "validation": card["validation"],
        "distortion": distortion(network, arm.name),
    }
    own = thresholds_of(network) if settings.network == "siammargin" else {}
    if own:
        row["thresholds"] = own
    for variant in VARIANTS_OF.get(arm.name, ("plain",)):
        if settings.seed and variant in APART:
            continue
        make = partial(tracker_of, arm.name, str(path), own | VARIANTS[variant])
        row[variant] = supervised(make, list(sequences()))
        if variant == "plain":
            row[variant]["auc_by_clip"] = passed(make)
        print(arm.name, settings.seed, variant, row[variant]["seconds_a_frame"], "s", flush=True)
    return row


def on_a_clock(arms: list[Arm], rows: list[Row]) -> list[Row]:
    """VOT's scores of the first seed on the real sequences under the real-time rule, and how long a
    frame takes without it, in turns."""
    real, makers = [name for name in sequences() if name != "generated"], {}
    for arm, variant in ((a, v) for name, v in ON_A_CLOCK for a in arms if a.name == name):
        own = next(r for r in rows if r["arm"] == arm.name and r["seed"] == 0)
        settings = own.get("thresholds", {}) | VARIANTS[variant]
        path = find_weights(arm.settings(0).name)
        makers[arm.name, variant] = partial(tracker_of, arm.name, str(path), settings)
    fps = tracking_speeds(makers, sequences()["generated"][0])[0]
    return [
        {"arm": name[0], "variant": name[1], "milliseconds_a_frame": 1e3 / fps[name]}
        | supervised(lambda make=make: Realtime(make()), real)
        for name, make in makers.items()
    ]


def failures(row: Row) -> dict[str, float]:
    """Failures by variant and group of sequences."""
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


def table_of(arms: list[Arm], first: TrainSettings, rows: list[Row]) -> dict[str, Any]:
    """The table's entries beside the runs, `rows`; `first`: settings of an arm with that
    network."""
    sequence, place = sequences()["generated"][0], choose_placement(precision="fp32")
    # the cost of a frame does not depend on the weights
    whole = SiamMargin(backbone="ciresnet22").eval()
    lengths = {arm.name: arm.settings(0) for arm in arms}
    return {
        "pairs": {name: s.steps * s.batch for name, s in lengths.items()},
        "start": first.start_from or "random weights",
        "before": distortion(first_network(first).eval(), "cosine"),
        "edges": EDGES.round(3).tolist(),
        "score_edges": SCORE_EDGES.round(3).tolist(),
        "clips": {name: [sequence.name for sequence in part] for name, part in sequences().items()},
        "overlaps": "pixels as vot-toolkit 0.9.0 counts them; accuracy pooled over frames",
        "real_time": on_a_clock(arms, rows),
        "update": {
            "trained here": time_of_update(SiamFCRuntime(load_siamfc(first.name), place), sequence),
            "CIResNet-22 in the paper's size": time_of_update(
                SiamFCRuntime(whole, place), sequence.part(0, 12)
            ),
        },
    }


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    options = study_options(__doc__, list(ARMS), seeds=5, recipes=2).parse_args()
    cv2.setNumThreads(1)
    arms = [
        Arm(
            n,
            options.recipes[n.startswith("siamrpn")],
            ARMS[n],
            SHIPPED.get(n, ""),
            None if n in MAIN else FEW,
        )
        for n in options.arms
    ]
    first = Arm("margin", options.recipes[0]).settings(options.seeds[0])
    return run_arms(arms, options, measured, failures, partial(table_of, arms, first))


if __name__ == "__main__":
    sys.exit(main())
