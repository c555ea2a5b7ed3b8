"""The classical trackers, rung by rung, beside OpenCV's: accuracy and speed, in one run, one thread, decoding left out.

    make reference                                               OpenCV with its trackers, into .reference/
    PYTHONPATH=.reference python benchmarks/classical.py         print the tables
    … benchmarks/classical.py --write results/real_clips.json    keep them

Real clips, generated clips, and the OTB targets beside the boxes that authors published on them. Speed is measured twice:
over the clips, and on a moving texture with a target of 83 × 97 pixels that every tracker follows, where "updates" says
how many frames it reported as found: a tracker that gives up is fast.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark
from course_lib.errors import CourseError
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.otb_published import beside, published_report
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.evaluation.tables import to_markdown, without_nan
from course_lib.files import write_whole
from course_lib.geometry.boxes import iou
from course_lib.places import RECIPES, data_root
from course_lib.provenance import provenance
from course_lib.trackers import Tracker, make_tracker
from course_lib.trackers.opencv import KINDS, find_factory

# row of the tables: tracker, recipe, overrides
TRACKERS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    **{name: (name, None, {}) for name in ("stay-put", "random-walk", "ncc", "mosse")},
    "mosse-never-lost": ("mosse", "mosse", {"psr_threshold": 0.0}),
    "csk": ("kcf", "csk", {}),
    "dcf-grey": ("kcf", "kcf_grey", {"kernel": "linear"}),
    "kcf-grey": ("kcf", "kcf_grey", {}),
    "dcf-hog": ("kcf", "kcf_dcf", {}),
    "kcf-hog-polynomial": ("kcf", "kcf_poly", {}),
    "kcf-hog": ("kcf", "kcf_hog", {}),
    "kcf": ("kcf", "kcf", {}),
    "kcf-filter": ("kcf", "kcf", {"scale": "filter"}),
    "kcf-colour": ("kcf", "kcf", {"features": "hog+colour"}),
    "kcf-subcell": ("kcf", "kcf", {"subcell": True}),
    "kcf-tuned": ("kcf", "kcf", {"padding": 2.0, "patch": 96, "subcell": True}),
    "kcf-vot": ("kcf", "kcf_vot", {}),
    **{f"opencv-{kind}": (f"opencv-{kind}", None, {}) for kind in KINDS},
}
SIZE = (83.0, 97.0)  # of the target in the speed test, pixels


def make(row: str) -> Tracker:
    """A fresh tracker for a row of the tables."""
    name, recipe, overrides = TRACKERS[row]
    return make_tracker(name, RECIPES / f"{recipe}.yaml" if recipe else None, **overrides)


def all_trackers(benchmark: Benchmark, names: list[str]) -> Report:
    """OPE of every tracker on a benchmark, one sequence in memory at a time."""
    scores, fps = {n: {} for n in names}, {n: {} for n in names}
    for sequence in benchmark:
        kept = replace(sequence, frames=ArrayFrames(list(sequence.frames)))
        for name in names:
            result = track(make(name), kept)
            scores[name][sequence.name] = score_sequence(
                result.boxes, sequence.boxes, sequence.omitted
            )
            fps[name][sequence.name] = len(result) / float(result.seconds.sum())
        print(f"  {sequence.name}: {len(sequence)} frames", flush=True)
    trackers = {n: TrackerScores(scores[n], fps[n]) for n in names}
    return Report(benchmark.name, "ope", trackers, {s.name: s.attributes for s in benchmark})


def moving_texture(length: int = 200) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames (480, 640, 3) that slide by one pixel, and the true boxes (length, 4) of a target in them."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    whole = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
    frames = [np.ascontiguousarray(np.roll(whole, (t // 2, t), axis=(0, 1))) for t in range(length)]
    boxes = np.array([[200.0 + t, 150.0 + t // 2, *SIZE] for t in range(length)])
    return frames, boxes


def speed(names: list[str], rounds: int = 5) -> dict[str, dict[str, float]]:
    """Frames per second on the moving texture, the median of rounds that take turns, with mean IoU and updates."""
    frames, boxes = moving_texture()
    rates: dict[str, list[float]] = {n: [] for n in names}
    told: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name in names:
            tracker = make(name)
            tracker.init(frames[0], boxes[0])
            found, given = 0, [boxes[0]]
            start = time.perf_counter()
            for frame in frames[1:]:
                given.append(tracker.update(frame))
                found += tracker.last.updated
            rates[name].append((len(frames) - 1) / (time.perf_counter() - start))
            told[name] = {
                "updates": found / (len(frames) - 1),
                "mean_iou": float(iou(np.array(given), boxes).mean()),
            }
    return {name: {"fps": float(np.median(rates[name])), **told[name]} for name in names}


def main() -> None:
    """Measure, print, and keep the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    parser.add_argument("--speed-only", action="store_true", help="leave the real clips out")
    arguments = parser.parse_args()
    if find_factory("mosse") is None:
        raise CourseError(
            "this OpenCV has no MOSSE: run `make reference`, then put .reference first on PYTHONPATH"
        )
    cv2.setNumThreads(1)

    fast = speed(["mosse", "opencv-mosse", "kcf", "opencv-kcf", "opencv-csrt"])
    print(f"Target of {SIZE[0]:.0f} × {SIZE[1]:.0f} px on a moving texture, one thread:\n")
    print("| tracker | fps | mean IoU | updates |\n|---|---|---|---|")
    for name, row in fast.items():
        print(f"| {name} | {row['fps']:,.0f} | {row['mean_iou']:.3f} | {row['updates']:.0%} |")
    print(
        f"\nMOSSE: {fast['mosse']['fps'] / fast['opencv-mosse']['fps']:.2f} times OpenCV's speed;",
        end=" ",
    )
    print(f"KCF: {fast['kcf']['fps'] / fast['opencv-csrt']['fps']:.1f} times CSRT's\n")
    if arguments.speed_only:
        return
    names = list(TRACKERS)
    report = all_trackers(load_benchmark("otb+vot2014"), names)
    print(to_markdown(report))
    made = all_trackers(load_benchmark("generated-v1"), names)
    print(to_markdown(made))
    together = beside(report, published_report(data_root() / "otb100_published"))
    print(to_markdown(together))
    ours, csrt = (report.overall()[n] for n in ("kcf", "opencv-csrt"))
    print(
        f"KCF against CSRT: AUC {ours['auc']:.3f} / {csrt['auc']:.3f}, {ours['fps'] / csrt['fps']:.1f} times as fast"
    )
    if arguments.write:
        kept = {
            **report.to_dict(),
            "generated": {"benchmark": made.benchmark, "overall": made.overall()},
            "published": {
                "sequences": together.names,
                "overall": together.overall(),
                "success": {
                    t: np.round(together.curve(t, "success"), 6).tolist() for t in together.trackers
                },
            },
            "speed_83x97": fast,
            "measured": provenance() | {"threads": "1", "profile": "laptop"},
        }
        write_whole(arguments.write, json.dumps(without_nan(kept), indent=1) + "\n")
        print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
