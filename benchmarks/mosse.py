"""MOSSE beside OpenCV's trackers: accuracy on real clips and speed, in one run, one thread, decoding left out.

    make reference                                           OpenCV with its trackers, into .reference/
    PYTHONPATH=.reference python benchmarks/mosse.py         print the table
    … benchmarks/mosse.py --write results/real_clips.json    keep it

Speed is measured twice: over the real clips, and on a moving texture with a target of 83 × 97 pixels that every tracker
follows, where "updates" says how many frames it reported as found: a tracker that gives up is fast.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.errors import CourseError
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.evaluation.tables import to_markdown, without_nan
from course_lib.files import write_whole
from course_lib.geometry.boxes import iou
from course_lib.provenance import provenance
from course_lib.trackers import make_tracker
from course_lib.trackers.opencv import find_factory

TRACKERS = ("mosse", "ncc", "random-walk", "stay-put", "opencv-mosse", "opencv-kcf", "opencv-csrt")
SIZE = (83.0, 97.0)  # of the target in the speed test, pixels


def real_clips(names: list[str]) -> Report:
    """OPE of every tracker on otb+vot2014, one sequence in memory at a time."""
    benchmark = load_benchmark("otb+vot2014")
    scores, fps = {n: {} for n in names}, {n: {} for n in names}
    for sequence in benchmark:
        kept = replace(sequence, frames=ArrayFrames(list(sequence.frames)))
        for name in names:
            result = track(make_tracker(name), kept)
            scores[name][sequence.name] = score_sequence(result.boxes, sequence.boxes, sequence.omitted)
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
            tracker = make_tracker(name)
            tracker.init(frames[0], boxes[0])
            found, given = 0, [boxes[0]]
            start = time.perf_counter()
            for frame in frames[1:]:
                given.append(tracker.update(frame))
                found += tracker.last.updated
            rates[name].append((len(frames) - 1) / (time.perf_counter() - start))
            told[name] = {"updates": found / (len(frames) - 1), "mean_iou": float(iou(np.array(given), boxes).mean())}
    return {name: {"fps": float(np.median(rates[name])), **told[name]} for name in names}


def main() -> None:
    """Measure, print, and keep the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="JSON file to keep the figures in")
    parser.add_argument("--speed-only", action="store_true", help="leave the real clips out")
    arguments = parser.parse_args()
    if find_factory("mosse") is None:
        raise CourseError("this OpenCV has no MOSSE: run `make reference`, then put .reference first on PYTHONPATH")
    cv2.setNumThreads(1)

    fast = speed(["mosse", "opencv-mosse"])
    print(f"Target of {SIZE[0]:.0f} × {SIZE[1]:.0f} px on a moving texture, one thread:\n")
    print("| tracker | fps | mean IoU | updates |\n|---|---|---|---|")
    for name, row in fast.items():
        print(f"| {name} | {row['fps']:,.0f} | {row['mean_iou']:.3f} | {row['updates']:.0%} |")
    print(f"\nours / OpenCV's: {fast['mosse']['fps'] / fast['opencv-mosse']['fps']:.2f} times as fast\n")
    if arguments.speed_only:
        return
    report = real_clips(list(TRACKERS))
    print(to_markdown(report))
    ours, theirs = (report.overall()[n]["auc"] for n in ("mosse", "opencv-mosse"))
    print(f"AUC ours / OpenCV's MOSSE: {ours:.3f} / {theirs:.3f} = {ours / theirs:.2f}")
    if arguments.write:
        kept = {
            **report.to_dict(),
            "speed_83x97": fast,
            "measured": provenance() | {"threads": "1", "profile": "laptop"},
        }
        write_whole(arguments.write, json.dumps(without_nan(kept), indent=1) + "\n")
        print(f"wrote {arguments.write}")


if __name__ == "__main__":
    main()
