"""VOT's supervised protocol (2013 to 2019): a tracker that loses its target is started again five frames later.

Kristan et al.: A Novel Performance Evaluation Methodology for Single-Target Trackers, PAMI 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.files import write_whole
from course_lib.geometry.boxes import clip_to_image, iou, to_corners
from course_lib.trackers.base import Tracker

INIT, FAILURE, SKIPPED, TRACKED = 1, 2, 0, -1  # the first three as in VOT's files


@dataclass(frozen=True, eq=False)
class SupervisedRun:
    """One supervised run on one sequence of T frames.

    Attributes:
        codes: (T,) INIT, FAILURE, SKIPPED or TRACKED.
        boxes: (T, 4) the tracker's boxes, 0-based pixels; NaN where it gave none.
        overlaps: (T,) overlap with the truth: 1 where it was started, 0 where it failed, NaN where it was skipped.
    """

    codes: np.ndarray
    boxes: np.ndarray
    overlaps: np.ndarray

    @property
    def failures(self) -> int:
        """How often the tracker lost its target."""
        return int((self.codes == FAILURE).sum())


def region_overlap(
    box: np.ndarray, region: np.ndarray, height: int, width: int, exact: bool = False
) -> float:
    """Overlap of a box (4,) with a true region, a box (4,) or a polygon (8,), both within the image.

    By default as VOT's toolkit counts: pixels of two masks drawn from rounded corners. `exact=True` takes areas of
    the regions themselves.
    """
    if exact and len(region) == 4:
        return float(iou(clip_to_image(box, height, width), clip_to_image(region, height, width)))
    if exact:
        return _polygon_overlap(to_polygon(box), to_polygon(region))
    a, b = (_mask(to_polygon(r), height, width) for r in (box, region))
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 0.0


def to_polygon(region: np.ndarray) -> np.ndarray:
    """Corners (4, 2) of a box (4,) or a polygon (8,), in order around it."""
    if len(region) == 8:
        return np.asarray(region, dtype=np.float64).reshape(4, 2)
    left, top, right, bottom = to_corners(region)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _mask(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixels (height, width) whose rows and columns lie within the polygon of rounded corners, the last ones excluded."""
    canvas = np.zeros((height, width), dtype=np.uint8)
    inner = np.rint(corners)
    inner = np.where(
        inner == inner.max(axis=0), inner - 1, inner
    )  # a box of width 5 covers five columns, not six
    cv2.fillPoly(canvas, [inner.astype(np.int32)], 1)
    return canvas.astype(bool)


def _polygon_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two convex polygons (4, 2)."""
    shared, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    union = cv2.contourArea(a.astype(np.float32)) + cv2.contourArea(b.astype(np.float32)) - shared
    return float(shared / union) if union > 0 else 0.0


def run_supervised(
    make: Callable[[], Tracker], sequence: Sequence, skip: int = 5, exact: bool = False
) -> SupervisedRun:
    """Run a fresh tracker; at each failure (overlap 0) wait until `skip` frames after it and start anew.

    Frames without a true box are skipped over when starting, and are no failure when tracking.
    """
    T = len(sequence)
    codes, boxes, overlaps = np.full(T, SKIPPED), np.full((T, 4), np.nan), np.full(T, np.nan)
    regions = sequence.boxes if sequence.polygons is None else sequence.polygons  # (T, 4) or (T, 8)
    tracker, waiting = None, 0
    for t, frame in enumerate(sequence.frames):
        there = bool(np.isfinite(regions[t]).all() and np.isfinite(sequence.boxes[t]).all())
        if tracker is None:
            if waiting > 0 or not there:
                waiting -= 1
                continue
            tracker = make()
            tracker.init(frame, sequence.boxes[t].copy())
            codes[t], boxes[t], overlaps[t] = INIT, sequence.boxes[t], 1.0
            continue
        boxes[t], codes[t] = tracker.update(frame), TRACKED
        if not there:
            continue
        overlaps[t] = region_overlap(boxes[t], regions[t], *frame.shape[:2], exact=exact)
        if overlaps[t] <= 0:
            codes[t], overlaps[t], boxes[t] = FAILURE, 0.0, np.nan
            tracker, waiting = None, skip - 1
    return SupervisedRun(codes, boxes, overlaps)


def accuracy(runs: list[SupervisedRun], burn_in: int = 10) -> float:
    """Mean overlap over all frames tracked, without the `burn_in` frames from each start on, pooled over sequences."""
    pooled = []
    for run in runs:
        counted = run.codes == TRACKED  # (T,)
        for start in np.flatnonzero(run.codes == INIT):
            counted[start : start + burn_in] = False
        pooled.append(run.overlaps[counted & np.isfinite(run.overlaps)])
    values = np.concatenate(pooled) if pooled else np.empty(0)
    return float(values.mean()) if values.size else float("nan")


def robustness(runs: list[SupervisedRun], sensitivity: float = 30.0) -> dict[str, float]:
    """Failures of a tracker over all sequences, in the three ways they are written.

    "failures" is their number, "per_100_frames" 100 · failures / frames, "reliability" exp(−S · failures / frames),
    the share of runs of S frames expected to go without a failure.
    """
    failures, frames = sum(run.failures for run in runs), sum(len(run.codes) for run in runs)
    return {
        "failures": float(failures),
        "per_100_frames": 100.0 * failures / frames,
        "reliability": float(np.exp(-sensitivity * failures / frames)),
    }


def write_supervised(path: Path, run: SupervisedRun) -> None:
    """Write a run as VOT does: a line per frame, 1 started, 2 failed, 0 skipped, or x,y,w,h."""
    lines = [
        ",".join(f"{v:.4f}" for v in box) if code == TRACKED else str(int(code))
        for code, box in zip(run.codes, run.boxes, strict=True)
    ]
    write_whole(path, "\n".join(lines) + "\n")


def read_supervised(path: Path, sequence: Sequence, exact: bool = False) -> SupervisedRun:
    """Read a run in VOT's form and compute its overlaps with the truth of `sequence`.

    Raises MissingDataError if there is no file, DataError naming the line that is neither a code nor a box.
    """
    if not path.is_file():
        raise MissingDataError(f"no result {path}; run the tracker under the supervised protocol")
    lines = path.read_text(encoding="utf-8").split()
    if len(lines) != len(sequence):
        raise DataError(
            f"{path} has {len(lines)} lines; {sequence.name} has {len(sequence)} frames. Run the tracker again."
        )
    T = len(lines)
    codes, boxes, overlaps = np.full(T, SKIPPED), np.full((T, 4), np.nan), np.full(T, np.nan)
    regions = sequence.boxes if sequence.polygons is None else sequence.polygons
    height, width = sequence.frames[0].shape[:2]
    for t, line in enumerate(lines):
        try:
            numbers = [float(word) for word in line.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) == 1 and numbers[0] in (INIT, FAILURE, SKIPPED):
            codes[t] = int(numbers[0])
            overlaps[t] = {INIT: 1.0, FAILURE: 0.0}.get(codes[t], np.nan)
            boxes[t] = sequence.boxes[t] if codes[t] == INIT else np.nan
        elif len(numbers) == 4:
            codes[t], boxes[t] = TRACKED, numbers
            if np.isfinite(regions[t]).all():
                overlaps[t] = region_overlap(boxes[t], regions[t], height, width, exact)
        else:
            raise DataError(f"{path}, line {t + 1}: {line!r}; expected 1, 2, 0 or x,y,w,h")
    return SupervisedRun(codes, boxes, overlaps)
