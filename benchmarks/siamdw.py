"""SiamDW's analysis repeated: what do receptive field, stride and padding do to a tracker?

python benchmarks/siamdw.py recipes/train_twins.yaml --write results/siamdw_analysis.json
python benchmarks/siamdw.py recipes/train_cir.yaml --write results/siamdw_networks.json

Networks that differ in one of the three, or CIResNets; same pairs, same steps, three seeds. Resumes
where it was cut off (see arms.py). The effect of padding near the border is measured for both pairs
of twins; the course ships the first seed's weights of the networks in SHIPPED. Lesson 10 draws
both files: AUC against field, stride and size of the features, the errors of the padded twins by
position, the table of CIResNets.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from arms import Arm, Row, run_arms, study_options
from measure import exact_tracker, first_frames, one_pass

from course_lib.analysis.border import errors_by_place, wide_pairs
from course_lib.data.benchmarks import load_benchmark
from course_lib.evaluation.scores import Report
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.geometry.windows import EXEMPLAR, search_side
from course_lib.models.twins import TWINS
from course_lib.models.weights import load_siamfc, read_card
from course_lib.recipe import load_settings
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

CIR = (*(f"ciresnet{k}" for k in ("16", "19", "22", "22w")), "ciresinception22", "ciresnext22")
NETWORKS = {
    "twins": [f"twin-{family}-{column}" for family, columns in TWINS.items() for column in columns],
    "cir": [*CIR, "ciresnet43"],
}
# without and with padding
PAIRS = ("twin-alexnet-5", "twin-alexnet-6", "twin-resnet-4", "twin-resnet-5")
PLACES = np.arange(-64, 65, 16)  # pixels of the search image from its centre
BENCHMARKS = ("generated-v1", "otb+vot2014")
SHIPPED = ("twin-alexnet-5", "twin-alexnet-6")


def measured(arm: Arm, settings: TrainSettings, path: Path, frames: int | None) -> Row:
    """The row of one trained network.

    Args:
        arm: its name is the network's.
        settings: those it was trained with.
        path: of its weights.
        frames: of each sequence, from its first; all if None.
    """
    network, card = load_siamfc(str(path)), read_card(path)
    z = traced_receptive_fields(network.backbone, EXEMPLAR)[-1]
    row = {
        "network": arm.name,
        "seed": settings.seed,
        "parameters": sum(p.numel() for p in network.backbone.parameters()),
        "field": z.field,
        "stride": z.stride,
        "ofs": z.size,
        "validation": card["validation"],
        "training_seconds": sum(card["seconds"].values()),
    }
    make = partial(exact_tracker, "siamfc", weights=str(path))
    for name in BENCHMARKS:
        benchmark = first_frames(load_benchmark(name), frames)
        report = Report.from_results(benchmark, one_pass({"it": make}, benchmark))
        found = report.trackers["it"].by_sequence()
        row[name] = report.overall()["it"]
        row[name]["auc_by_sequence"] = {one: round(auc, 4) for one, auc in found.items()}
    return row


def border(arms: list[Arm], seeds: list[int], count: int = 24) -> dict[str, Any]:
    """Mean error of the peak (seeds, 9, 9) for targets at PLACES, on held-out pairs.

    Args:
        arms: the twins with and without padding.
        seeds: of their weights.
        count: pairs.
    """
    wide = {"search": 255 + 2 * int(PLACES.max()), "negatives": 0, "augmentation.shift": 0}
    _, held_out = make_sources(load_settings(TrainSettings, arms[0].recipe, wide))
    pairs, runs = wide_pairs(held_out, count, seed=5), {}
    for arm in arms:
        networks = [load_siamfc(arm.settings(seed).name) for seed in seeds]
        errors = [errors_by_place(network, *pairs, PLACES) for network in networks]
        runs[arm.name] = np.round(errors, 2).tolist()
        print("errors by position:", arm.name, flush=True)
    return {"places": PLACES.tolist(), "pairs": count, "runs": runs}


def fast_frames(name: str, frames: int | None, pixels: float = 32) -> float:
    """How often a target moves fast, as a fraction of a benchmark's frame-to-frame steps.

    Args:
        name: of the benchmark.
        frames: of each sequence, from its first; all if None.
        pixels: of its search image; a target that moves more is fast.
    """
    moves = []
    for sequence in load_benchmark(name):
        boxes = sequence.boxes[:frames]
        steps = np.diff(boxes[:, :2] + boxes[:, 2:] / 2, axis=0)  # (T - 1, 2), NaN where absent
        sides = search_side(boxes[:-1])  # (T - 1,) pixels
        moved = np.hypot(*steps.T) * 255 / sides  # (T - 1,)
        moves.append(moved[np.isfinite(moved)])
    return float(np.mean(np.concatenate(moves) > pixels))


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    parser = study_options(__doc__, None, seeds=3)
    parser.add_argument(
        "--frames", type=int, help="of each sequence, from its first; all unless given"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    recipe, frames = options.recipes[0], options.frames
    settings = load_settings(TrainSettings, recipe)
    names = options.arms or NETWORKS[settings.name.removesuffix("-gpu")]
    arms = {n: Arm(n, recipe, {"backbone": n}, n if n in SHIPPED else "") for n in names}

    def table(rows: list[Row]) -> dict[str, Any]:
        kept = {
            "pairs": settings.steps * settings.batch,
            "width_multiplier": settings.width_multiplier,
            "frames": frames,
        }
        if set(PAIRS) <= set(names):
            kept["fast_frames"] = {name: fast_frames(name, frames) for name in BENCHMARKS}
            kept["errors_by_place"] = border([arms[name] for name in PAIRS], options.seeds)
        return kept

    return run_arms(
        list(arms.values()),
        options,
        partial(measured, frames=frames),
        headline=lambda row: {name: row[name]["auc"] for name in BENCHMARKS},
        table=table,
    )


if __name__ == "__main__":
    sys.exit(main())
