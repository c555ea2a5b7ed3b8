"""Sequences and runs from a seed, for the measures of VOT: long, with absent targets, lost ones,
absences reported rightly and wrongly, scores that tie, and one sequence of polygons."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation import longterm, multistart
from course_lib.evaluation.multistart import anchors, frames_of
from course_lib.evaluation.records import Run

HEIGHT, WIDTH = 90, 120
LENGTHS = (60, 130, 300, 180)


def frames(length: int, height: int = HEIGHT, width: int = WIDTH) -> ArrayFrames:
    """Black frames that share their memory."""
    return ArrayFrames(
        np.broadcast_to(np.zeros((height, width, 3), np.uint8), (length, height, width, 3))
    )


def plain(length: int, name: str = "plain", **more) -> Sequence:
    """A target of 20 × 10 px that moves right by a tenth of a pixel per frame."""
    t = np.arange(length)
    boxes = np.column_stack([20 + 0.1 * t, np.full(length, 30.0), np.full(length, 20.0)])
    return Sequence(name, frames(length), np.column_stack([boxes, np.full(length, 10.0)]), **more)


def scripted_benchmark(seed: int = 23, name: str = "vot2022") -> Benchmark:
    """Four sequences; the last has polygons."""
    rng, sequences = np.random.default_rng(seed), []
    for i, T in enumerate(LENGTHS):
        corner = 25 + 20 * np.sin(np.arange(T)[:, None] / rng.uniform(10, 40, 2))  # (T, 2)
        size = rng.uniform(14, 30, 2) + 4 * np.sin(np.arange(T)[:, None] / 17)  # (T, 2)
        boxes = np.concatenate([corner, size], axis=1)
        for start in rng.integers(8, T - 20, 2):
            boxes[start : start + 12] = np.nan
        x, y, w, h = boxes.T
        corners = np.stack([x, y, x + w, y, x + w, y + h, x, y + h], axis=1)
        polygons = corners + rng.uniform(-3, 3, corners.shape) if i == 3 else None
        sequences.append(Sequence(f"long-{i}", frames(T), boxes, polygons=polygons))
    return Benchmark(name, tuple(sequences))


def write_scripted(
    root: Path, benchmark: Benchmark, seed: int = 5, absent: tuple[float, ...] = (0.0,)
) -> None:
    """Runs of a tracker "fake" under the protocols multistart, longterm and vots; `absent` is what
    it reports of a target that it takes to be absent, a code or a region."""
    rng = np.random.default_rng(seed)
    for sequence in benchmark:
        runs = []
        for anchor, way in anchors(sequence).items():
            order = list(frames_of(anchor, way < 0, len(sequence)))
            regions = _regions(rng, sequence, order, absent)
            runs.append(
                multistart.with_overlaps(
                    regions, np.full(len(order), 0.01), sequence, anchor, way < 0
                )
            )
        files = Run(root, benchmark, "fake", sequence, "multistart").files
        for path, run in zip(files, runs, strict=True):
            multistart.write_anchored(path, run)
        regions = _regions(rng, sequence, range(len(sequence)), absent)
        near = [
            len(r) > 1 and abs(r - b).max() < 5
            for r, b in zip(regions, sequence.boxes, strict=True)
        ]
        scores = np.round(np.array(near) + rng.normal(0, 0.5, len(near)), 1)
        seconds = np.full(len(near), 0.01)
        run = longterm.with_overlaps(regions, seconds, scores, sequence)
        for protocol in ("longterm", "vots"):
            longterm.write_reported(Run(root, benchmark, "fake", sequence, protocol).files[0], run)


def _regions(
    rng: np.random.Generator, sequence: Sequence, order, absent: tuple[float, ...]
) -> list[np.ndarray]:
    """Regions in the order of a run: near the truth, from some frame on mostly elsewhere."""
    lost_at, regions = rng.choice([0, 25, 90, 10_000, 10_000]), [np.array([1.0])]
    for k, t in enumerate(order[1:], start=1):
        true = sequence.boxes[t]
        lost = k > lost_at and k // 30 % 3 != 2
        if rng.random() < (0.05 if np.isfinite(true).all() else 0.4):
            regions.append(np.array(absent))
        elif lost or not np.isfinite(true).all():
            regions.append(np.concatenate([rng.uniform(-20, 110, 2), rng.uniform(5, 30, 2)]))
        else:
            regions.append(true + rng.normal(0, 1.5, 4))
    return regions
