"""What does one stream bring, and what makes it work? Arms of one recipe, and earlier trackers.

    python benchmarks/onestream_arms.py recipes/train_onestream_lite0.yaml recipes/train_heads.yaml \
        recipes/train_siamrpnpp_lite0.yaml recipes/train_atom_lite0.yaml \
        --write results/onestream_arms.json

Equal pairs for all: STEPS steps of 16, from the same videos and photographs with the same sampling
probabilities, on the same frozen backbone unless an arm says otherwise. ATOM's pairs are cut as it
needs them, and SiamFC trains the backbone's last stage, since it has nothing else to train. Each
network is then judged on held-out pairs, and by tracking the sequences of
`training/by_tracking.py`: generated ones, and the held-out videos. Settings may be chosen by it; no
sequence of OTB or VOT is seen. Resumes where it was cut off. Lessons 14 and 15 read the file.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from arms import Arm, Row, run_arms, study_options

from course_lib.data.sequence import Sequence
from course_lib.evaluation.arms import arm_difference
from course_lib.evaluation.otb import track
from course_lib.geometry.boxes import iou
from course_lib.models.networks import network_class
from course_lib.models.weights import load_network, read_card
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.training.by_tracking import FIRST_SEED, FRAMES, validation_clips
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

STEPS = 1500  # of 16 pairs: about 20 minutes on one thread of a processor
CLIPS = 24  # generated ones
BASE = "one stream"
SHORT = {"steps": STEPS, "validate_every": STEPS, "validation_clips": 0}
ALIKE = ("sources", "probabilities", "held_out", "batch")  # settings that all arms share
RANDOM = {"start_from": None, "freeze": 0}
# by the recipe's number: arms, and the settings in which they differ from it
ARMS: dict[int, dict[str, dict[str, Any]]] = {
    0: {
        BASE: {},
        "no position codes": {"stream.positions": False},
        "template not seen": {"stream.joint": False},
        "asymmetric": {"stream.asymmetric": True},
        "patches from random weights": {"backbone": "patches", **RANDOM},
        "convolutions from random weights": {"backbone": "convstem", **RANDOM},
    },
    1: {"siamfc": {"network": "siamfc", "freeze": 5, "augmentation.stretch": 0.6}},
    2: {"siamrpn++": {}},
    3: {"atom": {}},
}
# kind of a network's output → the tracker that uses it
TRACKERS = {
    "centres": "onestream",
    "responses": "siamfc",
    "proposals": "siamrpn",
    "overlaps": "atom",
}


def arms_of(recipes: list[Path]) -> dict[str, Arm]:
    """All arms by name: short runs of the recipes, with the first one's pairs."""
    first = load_settings(TrainSettings, recipes[0])
    alike = {name: getattr(first, name) for name in ALIKE}
    return {
        name: Arm(name, recipes[k], {**alike, **SHORT, **changes})
        for k, of in ARMS.items()
        for name, changes in of.items()
    }


def clips_of(settings: TrainSettings) -> dict[str, list[Sequence]]:
    """Sequences to track in: CLIPS generated ones, and the beginnings of the held-out videos."""
    sequences = validation_clips(CLIPS, make_sources(settings)[1])
    return {"generated": sequences[:CLIPS], "videos": sequences[CLIPS:]}


def mean_iou(boxes: np.ndarray, sequence: Sequence) -> float:
    """Mean IoU of boxes (T, 4) over the frames after the first in which there is a target."""
    return float(np.nanmean(iou(boxes[1:], sequence.boxes[1:])))


def measured(
    arm: Arm, settings: TrainSettings, path: Path, sequences: dict[str, list[Sequence]]
) -> Row:
    """The row of one trained network.

    Args:
        arm: of the study.
        settings: those it was trained with.
        path: of its weights.
        sequences: by group.
    """
    card = read_card(path)
    kind = TRACKERS[network_class(settings.network).output]
    make = partial(make_tracker, kind, weights=str(path), precision="fp32")
    row = {
        "arm": arm.name,
        "seed": settings.seed,
        "parameters": sum(p.numel() for p in load_network(str(path)).parameters()),
        "validation": card["validation"],
        "training_seconds": sum(card["seconds"].values()),
        "clips": {},
        "frames_per_second": {},
    }
    for group, of in sequences.items():
        results = {s.name: track(make(), s) for s in of}
        found = {s.name: mean_iou(results[s.name].boxes, s) for s in of}
        row["clips"][group] = {name: round(value, 4) for name, value in found.items()}
        seconds = np.concatenate([r.seconds[1:] for r in results.values()])
        row["frames_per_second"][group] = round(float(1 / seconds.mean()), 1) if of else None
    return row


def headline(row: Row) -> dict[str, float]:
    """The scores that are averaged over seeds: the mean IoU by tracking, and those on held-out
    pairs for one-stream networks. Other networks' measures on pairs have other meanings."""
    own = row["arm"] in ARMS[0]
    pairs = {name: row["validation"][name] for name in ("iou", "hits", "distance") if own}
    return pairs | {g: float(np.mean(list(of.values()))) for g, of in row["clips"].items() if of}


def against(rows: list[Row], arm: str, other: str = BASE) -> dict[str, dict[str, float]]:
    """By group of sequences: mean IoU of one arm minus another's, with an interval for other
    sequences and other seeds.

    Args:
        rows: of the study.
        arm: its name.
        other: the arm it is compared with.
    """
    told = {}
    for group in rows[0]["clips"]:
        found = arm_difference(rows, arm, other, group)
        if found is not None:
            told[group] = {"mean": found.mean, "half_width": found.half_width, "n": found.n}
    return told


def table_of(arms: dict[str, Arm], rows: list[Row]) -> dict[str, Any]:
    """The table's entries beside the runs."""
    names = dict.fromkeys(r["arm"] for r in rows)
    return {
        "steps": STEPS,
        "pairs": STEPS * arms[BASE].settings(0).batch,
        "first_seed": FIRST_SEED,
        "frames": FRAMES,
        "arms": {name: {"recipe": arms[name].recipe.name, **arms[name].changes} for name in names},
        f"minus {BASE}": {name: against(rows, name) for name in names if name != BASE},
    }


def main() -> int:
    """Run what is missing, write the table; returns 75 if the budget ran out first."""
    names = [name for of in ARMS.values() for name in of]
    options = study_options(__doc__, names, seeds=2, recipes=len(ARMS)).parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    arms = arms_of(options.recipes)
    sequences = clips_of(load_settings(TrainSettings, options.recipes[0]))
    return run_arms(
        [arms[name] for name in options.arms],
        options,
        partial(measured, sequences=sequences),
        headline=headline,
        table=partial(table_of, arms),
    )


if __name__ == "__main__":
    sys.exit(main())
