"""How good and how fast are the classical trackers, rung by rung, beside OpenCV's?

    make reference                                               OpenCV with its trackers
    PYTHONPATH=.reference python benchmarks/classical.py         print the tables
    … benchmarks/classical.py --write results/real_sequences.json    keep them

One run, one thread, decoding left out. Real sequences, generated sequences, and the OTB targets
beside the boxes that authors published on them. Speed is measured twice: over the sequences, and on
a moving texture with a target of 83 × 97 pixels that every tracker follows, where "updates" is the
fraction of frames in which it reported its target as found: a tracker that gives up is fast.
Lessons 01, 02, 03 and 06 read the file for their tables of real sequences.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import cv2
import numpy as np
from measure import one_pass, options_of, tracking_speeds, write_results

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Sequence
from course_lib.errors import CourseError
from course_lib.evaluation.otb_published import beside, published_report
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import to_markdown
from course_lib.geometry.boxes import iou
from course_lib.places import RECIPES, data_root
from course_lib.trackers import Tracker, make_tracker
from course_lib.trackers.opencv import find_factory

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
    **{name: (name, None, {}) for name in ("opencv-mosse", "opencv-kcf", "opencv-csrt")},
}
SIZE = (83.0, 97.0)  # pixels, of the target in the speed test


def make(row: str) -> Tracker:
    """A fresh tracker for a row of the tables."""
    name, recipe, overrides = TRACKERS[row]
    return make_tracker(name, RECIPES / f"{recipe}.yaml" if recipe else None, **overrides)


def all_trackers(name: str) -> Report:
    """One pass of every tracker on a benchmark, printed."""
    benchmark = load_benchmark(name)
    report = Report.from_results(
        benchmark, one_pass({row: partial(make, row) for row in TRACKERS}, benchmark)
    )
    print(to_markdown(report))
    return report


def moving_texture(length: int = 200) -> Sequence:
    """Frames (480, 640, 3) that slide by one pixel, with the true boxes of a target in them."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    whole = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
    frames = [np.ascontiguousarray(np.roll(whole, (t // 2, t), axis=(0, 1))) for t in range(length)]
    boxes = np.array([[200.0 + t, 150.0 + t // 2, *SIZE] for t in range(length)])
    return Sequence.in_memory("texture", frames, boxes)


def updates(name: str, sequence: Sequence) -> float:
    """Fraction of frames after the first in which a tracker reports that it found its target."""
    tracker = make(name)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    found = 0
    for frame in sequence.frames.part(1):
        tracker.update(frame)
        found += tracker.last.updated
    return found / (len(sequence) - 1)


def speed(names: list[str], rounds: int = 5) -> dict[str, dict[str, float]]:
    """Frames per second on the moving texture, with mean IoU and updates."""
    sequence = moving_texture()
    fps, boxes = tracking_speeds({name: partial(make, name) for name in names}, sequence, rounds)
    return {
        name: {
            "fps": fps[name],
            "updates": updates(name, sequence),
            "mean_iou": float(iou(boxes[name], sequence.boxes).mean()),
        }
        for name in names
    }


def print_speed(fast: dict[str, dict[str, float]]) -> None:
    """The table of `speed`, and the two ratios that matter."""
    print(f"Target of {SIZE[0]:.0f} × {SIZE[1]:.0f} px on a moving texture, one thread:\n")
    print("| tracker | fps | mean IoU | updates |\n|---|---|---|---|")
    for name, row in fast.items():
        print(f"| {name} | {row['fps']:,.0f} | {row['mean_iou']:.3f} | {row['updates']:.0%} |")
    mosse = fast["mosse"]["fps"] / fast["opencv-mosse"]["fps"]
    kcf = fast["kcf"]["fps"] / fast["opencv-csrt"]["fps"]
    print(f"\nMOSSE: {mosse:.2f} times OpenCV's speed; KCF: {kcf:.1f} times CSRT's\n")


def main() -> None:
    """Measure, print, and write the results if asked to."""
    parser = options_of(__doc__)
    parser.add_argument("--speed-only", action="store_true", help="leave out the sequences")
    options = parser.parse_args()
    if find_factory("mosse") is None:
        raise CourseError(
            "this OpenCV has no MOSSE: run `make reference`, then put .reference first on "
            "PYTHONPATH"
        )
    cv2.setNumThreads(1)
    fast = speed(["mosse", "opencv-mosse", "kcf", "opencv-kcf", "opencv-csrt"])
    print_speed(fast)
    if options.speed_only:
        return
    report, generated = all_trackers("otb+vot2014"), all_trackers("generated-v1")
    together = beside(report, published_report(data_root() / "otb100_published"))
    print(to_markdown(together))
    ours, csrt = (report.overall()[name] for name in ("kcf", "opencv-csrt"))
    print(f"KCF against CSRT: AUC {ours['auc']:.3f} / {csrt['auc']:.3f}, ", end="")
    print(f"{ours['fps'] / csrt['fps']:.1f} times as fast")
    published = together.to_dict()
    kept = {
        **report.to_dict(),
        "generated": generated.to_dict(),
        "published": {
            "sequences": together.names,
            "overall": published["overall"],
            "success": {name: curves["success"] for name, curves in published["curves"].items()},
        },
        "speed_83x97": fast,
    }
    write_results(options.write, kept, "cpu", threads=1)


if __name__ == "__main__":
    main()
