"""SiamRPN on the real clips, one pass, with settings published for other benchmarks; nothing is chosen on these clips.

Beside success and precision: what success would be if only the places, or only the sizes, were wrong (`split`).

python benchmarks/siamrpn_real.py --write results/siamrpn_real_clips.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.evaluation.metrics import auc
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.evaluation.tables import to_markdown, without_nan
from course_lib.files import write_whole
from course_lib.geometry.boxes import from_centre, to_centre
from course_lib.models.runtime import load_proposer
from course_lib.models.weights import find_weights
from course_lib.places import RECIPES
from course_lib.provenance import provenance
from course_lib.trackers import make_tracker

VARIANTS = {
    "siamrpn": "siamrpn.yaml",
    "siamrpn-otb": "siamrpn_otb.yaml",
    "siamrpn-vot": "siamrpn_vot.yaml",
}


def split(boxes: np.ndarray, sequence: Sequence) -> tuple[float, float]:
    """Success AUC of boxes (T, 4) given the true size at their own centre, and the true centre with their own size."""
    own, true = to_centre(boxes), to_centre(sequence.boxes)
    mixed = (
        np.concatenate([own[:, :2], true[:, 2:]], 1),
        np.concatenate([true[:, :2], own[:, 2:]], 1),
    )
    return tuple(
        auc(score_sequence(from_centre(b), sequence.boxes, sequence.omitted).success) for b in mixed
    )


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="siamrpn", help="name or path")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    benchmark = load_benchmark("otb+vot2014")
    names = [*arguments.variants, "siamfc-3s"]
    scores, fps, parts = ({n: {} for n in names} for _ in range(3))
    for sequence in benchmark:
        sequence = replace(sequence, frames=ArrayFrames(list(sequence.frames)))
        for name in names:
            if name == "siamfc-3s":
                tracker = make_tracker("siamfc", RECIPES / "siamfc.yaml")
            else:
                tracker = make_tracker(
                    "siamrpn", RECIPES / VARIANTS[name], weights=arguments.weights
                )
            result = track(tracker, sequence)
            parts[name][sequence.name] = split(result.boxes, sequence)
            scores[name][sequence.name] = score_sequence(
                result.boxes, sequence.boxes, sequence.omitted
            )
            fps[name][sequence.name] = len(result) / float(result.seconds.sum())
    trackers = {n: TrackerScores(scores[n], fps[n]) for n in names}
    report = Report(benchmark.name, "ope", trackers, {s.name: s.attributes for s in benchmark})
    print(to_markdown(report))
    halves = {n: np.mean(list(parts[n].values()), axis=0).round(4).tolist() for n in names}
    print(halves)
    if arguments.write:
        placement = load_proposer(arguments.weights, "auto", "auto").placement
        about = {"threads": torch.get_num_threads(), "bf16": placement.bf16, "channels_last": True}
        kept = {
            **report.to_dict(),
            "split": {n: {"right_size": a, "right_place": b} for n, (a, b) in halves.items()},
            "weights": find_weights(arguments.weights).name,
            "measured": provenance(str(placement.device)) | about,
        }
        write_whole(arguments.write, json.dumps(without_nan(kept), indent=1) + "\n")
        print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
