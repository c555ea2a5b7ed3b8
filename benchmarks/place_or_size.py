"""Which costs a tracker more, a wrong place or a wrong size? It is told one of the two.

    python benchmarks/place_or_size.py --write results/place_or_size.json

After every frame a tracker is told the true size and keeps the place it found, or is told the true
place and keeps the size it found; in between it is as always, and searches around what it believes.
What it gains by each is what its own errors of that kind cost. And its own size can be smoothed:
the one stream believes a fraction of every change, as SiamRPN++ does; SiamRPN++ without penalty, at
a rate of 1, moves by the proposal's probability. The one stream, and SiamRPN++ on the same backbone
with the same pairs, on generated sequences, on held-out training videos, which belong to no
benchmark, and on the real targets, where nothing is chosen: they showed the difference that is to
be explained. Lesson 15 reads the file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from measure import exact_tracker, options_of, write_results
from onestream_arms import mean_iou
from size_response import response_of

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.data.training_sets import load_training_videos
from course_lib.evaluation.intervals import Interval
from course_lib.geometry.boxes import iou
from course_lib.places import RECIPES, data_root
from course_lib.recipe import load_settings
from course_lib.trackers.base import Tracker
from course_lib.training.settings import TrainSettings
from course_lib.training.sources import make_sources

FIRST_SEED, CLIPS = 760_000, 24  # of the generated sequences
LENGTH = 100  # frames of each sequence
TRACKERS: dict[str, Callable[[], Tracker]] = {
    "one stream": partial(exact_tracker, "onestream"),
    "siamrpn++": partial(exact_tracker, "siamrpnpp"),
}
TOLD = ("alone", "true size", "true place")
RATES = (0.1, 0.3, 0.6)  # how far the one stream's size moves, where it is smoothed
UNSMOOTHED = partial(exact_tracker, "siamrpnpp", penalty=0.0, rate=1.0)


def told(tracker: Tracker, sequence: Sequence, what: str, rate: float = 1.0) -> np.ndarray:
    """Boxes (T, 4) of a tracker that is told something after every frame.

    Args:
        tracker: with a method `believe`.
        sequence: frames without a known target tell nothing.
        what: "alone" for nothing, "true size" or "true place".
        rate: how far the size believed moves towards the one found; 1 for no smoothing.
    """
    boxes = np.array(sequence.boxes, dtype=np.float64)  # (T, 4)
    tracker.init(sequence.frames[0], boxes[0])
    for t in range(1, len(sequence)):
        true, found = boxes[t].copy(), tracker.update(sequence.frames[t])
        if what != "alone" and np.isfinite(true).all() and (true[2:] > 0).all():
            centre, size = found[:2] + found[2:] / 2, found[2:]
            if what == "true size":
                size = true[2:]
            else:
                centre = true[:2] + true[2:] / 2
            tracker.believe(centre, size)
            found = np.concatenate([centre - size / 2, size])
        elif rate < 1:
            before = boxes[t - 1, 2:]
            centre, size = found[:2] + found[2:] / 2, before + rate * (found[2:] - before)
            tracker.believe(centre, size)
            found = np.concatenate([centre - size / 2, size])
        boxes[t] = found
    return boxes


def smoothed(sequences: list[Sequence], alone: dict[str, list[float]]) -> dict[str, Any]:
    """What smoothing the size does: mean IoU, and what it gains over each tracker as it is.

    Args:
        sequences: that are tracked.
        alone: by tracker, its mean IoU on each of them as it is.
    """
    ways = {f"one stream, {rate}": ("one stream", TRACKERS["one stream"], rate) for rate in RATES}
    ways["siamrpn++, unsmoothed"] = ("siamrpn++", UNSMOOTHED, 1.0)
    table = {}
    for name, (as_it_is, make, rate) in ways.items():
        found = [mean_iou(told(make(), s, "alone", rate), s) for s in sequences]
        gain = Interval.of(np.subtract(found, alone[as_it_is]))
        by_sequence = {s.name: v for s, v in zip(sequences, found, strict=True)}
        table[name] = {
            "iou": float(np.mean(found)),
            "by_sequence": by_sequence,
            "gain": {"mean": gain.mean, "half_width": gain.half_width},
        }
        print(name, table[name]["iou"], gain, flush=True)
    return table


def lost_part(boxes: np.ndarray, sequence: Sequence) -> float:
    """Fraction of the frames with a target that boxes (T, 4) do not overlap."""
    overlaps = iou(boxes[1:], sequence.boxes[1:])
    return float((overlaps[np.isfinite(overlaps)] == 0).mean())


def examined(sequences: list[Sequence]) -> dict[str, Any]:
    """What each tracker makes of a set of sequences: by sequence, and the gains by being told."""
    table: dict[str, Any] = {}
    for name, make in TRACKERS.items():
        boxes = {what: [told(make(), s, what) for s in sequences] for what in TOLD}
        found = {
            what: [mean_iou(b, s) for b, s in zip(of, sequences, strict=True)]
            for what, of in boxes.items()
        }
        alone = zip(boxes["alone"], sequences, strict=True)
        gains = {w: Interval.of(np.subtract(found[w], found["alone"])) for w in TOLD[1:]}
        response = response_of(make, sequences, 8, smoothed=True)
        table[name] = {
            "iou": {what: float(np.mean(of)) for what, of in found.items()},
            "by_sequence": {
                what: {s.name: v for s, v in zip(sequences, of, strict=True)}
                for what, of in found.items()
            },
            "lost": float(np.mean([lost_part(b, s) for b, s in alone])),
            "gains": {w: {"mean": g.mean, "half_width": g.half_width} for w, g in gains.items()},
            "response": {key: response[key] for key in ("gain", "bias", "logs")},
        }
        print(name, {k: table[name][k] for k in ("iou", "lost", "gains", "response")}, flush=True)
    one, other = (table[name]["by_sequence"] for name in TRACKERS)
    minus = {
        what: Interval.of([one[what][s.name] - other[what][s.name] for s in sequences])
        for what in TOLD
    }
    table["minus"] = {w: {"mean": m.mean, "half_width": m.half_width} for w, m in minus.items()}
    alone = {name: list(table[name]["by_sequence"]["alone"].values()) for name in TRACKERS}
    table["smoothed"] = smoothed(sequences, alone)
    return table


def held_out_videos() -> list[Sequence]:
    """The beginnings of the training videos that were held out when the two were trained."""
    settings = load_settings(TrainSettings, RECIPES / "train_onestream_lite0.yaml")
    sources = make_sources(settings)[1].sources
    names = {video.name for source in sources for video, _ in getattr(source, "videos", [])}
    videos = load_training_videos("got10k-train", data_root())
    return [video.part(0, LENGTH).loaded() for video in videos if video.name in names]


def main() -> None:
    """Measure, print, write."""
    options = options_of(__doc__).parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    seeds = range(FIRST_SEED, FIRST_SEED + CLIPS)
    sets = {
        "generated": [make_sequence(random_spec(seed, length=LENGTH)) for seed in seeds],
        "videos": held_out_videos(),
        "real": [s.part(0, LENGTH) for s in load_benchmark("otb+vot2014")],
    }
    table: dict[str, Any] = {"first_seed": FIRST_SEED, "frames": LENGTH}
    for name, sequences in sets.items():
        print(name, len(sequences), "sequences")
        table[name] = examined(sequences)
    write_results(options.write, table, "cpu")


if __name__ == "__main__":
    main()
