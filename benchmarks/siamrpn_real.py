"""SiamRPN on the real clips, one pass, with settings published for other benchmarks; nothing is chosen on these clips.

python benchmarks/siamrpn_real.py --write results/siamrpn_real_clips.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.evaluation.tables import to_markdown, without_nan
from course_lib.files import write_whole
from course_lib.models.weights import find_weights
from course_lib.places import RECIPES
from course_lib.provenance import provenance
from course_lib.trackers import make_tracker
from course_lib.trackers.siamrpn import load_proposer

VARIANTS = {"siamrpn": "siamrpn.yaml", "siamrpn-otb": "siamrpn_otb.yaml", "siamrpn-vot": "siamrpn_vot.yaml"}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="siamrpn", help="name or path")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    benchmark = load_benchmark("otb+vot2014")
    scores, fps = {n: {} for n in arguments.variants}, {n: {} for n in arguments.variants}
    for sequence in benchmark:
        sequence = replace(sequence, frames=ArrayFrames(list(sequence.frames)))
        for name in arguments.variants:
            tracker = make_tracker("siamrpn", RECIPES / VARIANTS[name], weights=arguments.weights)
            result = track(tracker, sequence)
            scores[name][sequence.name] = score_sequence(result.boxes, sequence.boxes, sequence.omitted)
            fps[name][sequence.name] = len(result) / float(result.seconds.sum())
    trackers = {n: TrackerScores(scores[n], fps[n]) for n in arguments.variants}
    report = Report(benchmark.name, "ope", trackers, {s.name: s.attributes for s in benchmark})
    print(to_markdown(report))
    if arguments.write:
        placement = load_proposer(arguments.weights, "auto", "auto").placement
        about = {"threads": torch.get_num_threads(), "bf16": placement.bf16, "channels_last": True}
        kept = {
            **report.to_dict(),
            "weights": find_weights(arguments.weights).name,
            "measured": provenance(str(placement.device)) | about,
        }
        write_whole(arguments.write, json.dumps(without_nan(kept), indent=1) + "\n")
        print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
