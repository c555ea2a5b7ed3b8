"""OTB's protocols: one pass (OPE), started at other times (TRE), started from shifted boxes (SRE).

Wu, Lim, Yang: Object Tracking Benchmark, PAMI 2015; details as in the authors' MATLAB toolkit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.metrics import (
    NORM_PRECISION_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    share_up_to,
)
from course_lib.evaluation.results import Result
from course_lib.geometry.boxes import as_boxes, centre_error, iou, is_valid, normalised_centre_error
from course_lib.trackers.base import Tracker

Factory = Callable[[], Tracker]


@dataclass(frozen=True, eq=False)
class SequenceScore:
    """Curves of one sequence.

    Attributes:
        success: (21,); precision: (51,); normalised_precision: (51,).
        mean_iou: mean IoU of the frames that count.
        frames: how many frames count.
    """

    success: np.ndarray
    precision: np.ndarray
    normalised_precision: np.ndarray
    mean_iou: float
    frames: int


def track(
    tracker: Tracker, sequence: Sequence, start: int = 0, box: ArrayLike | None = None
) -> Result:
    """One pass: start on frame `start` with `box` (4,), by default the true one, then run to the
    end unaided.

    The result has one row per frame from `start` on. Seconds count the tracker's calls, not the
    reading of frames. Raises DataError naming sequence and frame if the tracker gives anything but
    four finite numbers.
    """
    first = sequence.boxes[start] if box is None else np.asarray(box, dtype=np.float64)  # (4,)
    T = len(sequence) - start
    boxes, seconds = np.empty((T, 4)), np.empty(T)
    for t in range(T):
        frame = sequence.frames[start + t]  # (H, W, 3)
        began = time.perf_counter()
        given = tracker.init(frame, first.copy()) if t == 0 else tracker.update(frame)
        seconds[t] = time.perf_counter() - began
        boxes[t] = first if t == 0 else checked_box(given, tracker, sequence, start + t)
    return Result(boxes, seconds)


def checked_box(given: object, tracker: Tracker, sequence: Sequence, frame: int) -> np.ndarray:
    """What a tracker gave for a frame as a box (4,).

    Raises DataError naming all three if that is not four finite numbers.
    """
    try:
        box = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        box = np.empty(0)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise DataError(
            f"tracker {getattr(tracker, 'name', '')} gave {given!r} for frame {frame} of "
            f"{sequence.name}; expected four finite numbers x, y, w, h. Look at what its `update` "
            "returns there."
        )
    return box


def score_sequence(
    predicted: ArrayLike,
    truth: ArrayLike,
    omitted: np.ndarray | None = None,
    absent_missed: bool = False,
) -> SequenceScore:
    """Curves of one pass: `predicted` (T, 4) against `truth` (T, 4); see `score_sequences`."""
    left_out = None if omitted is None else [omitted]
    return score_sequences([predicted], [truth], left_out, absent_missed)[0]


def score_sequences(
    predicted: Items[ArrayLike],
    truth: Items[ArrayLike],
    omitted: Items[np.ndarray] | None = None,
    absent_missed: bool = False,
) -> list[SequenceScore]:
    """Curves of many passes at once, one for each pair of boxes (T, 4).

    As every toolkit does, SRE included, the first box counts as the true one. A predicted box that
    is no box (NaN, no area) is replaced by the one before it.

    Args:
        predicted: boxes (T, 4) of each pass; truth: the true ones.
        omitted: frames (T,) of each that do not count.
        absent_missed: frames whose truth is no box count as missed, as in LaSOT; else they do not
            count.

    Raises:
        DataError: if the lengths of a pair differ.
    """
    for boxes, true in zip(predicted, truth, strict=True):
        if np.shape(boxes) != np.shape(true):
            raise DataError(
                f"{len(boxes)} boxes for {len(true)} frames of truth; expected one per frame. Run "
                "the tracker again."
            )
    lengths = np.array([len(true) for true in truth])  # (S,)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])  # (S,)
    # (n, 4) of all passes, end to end
    P, G = (as_boxes(np.concatenate(predicted)), as_boxes(np.concatenate(truth)))
    P[starts] = G[starts]
    P = carry_forward(P, starts)
    valid = is_valid(G)  # (n,)
    counted = np.ones(len(G), dtype=bool) if absent_missed else valid.copy()  # (n,)
    if omitted is not None:
        counted &= ~np.concatenate(omitted)
    owner = np.repeat(np.arange(len(lengths)), lengths)  # (n,) the pass each frame belongs to
    if not counted.all():
        P, G, owner, valid = P[counted], G[counted], owner[counted], valid[counted]
    frames = np.bincount(owner, minlength=len(lengths))  # (S,)
    overlaps, errors = iou(P, G), centre_error(P, G)  # (n,) and pixels (n,)
    relative = normalised_centre_error(P, G)  # (n,) in true sizes
    for values, missed in ((overlaps, 0.0), (errors, np.inf), (relative, np.inf)):
        values[~valid | np.isnan(values)] = missed  # NaN: of boxes too large for their areas
    with np.errstate(invalid="ignore"):  # a pass of which no frame counts has no score: NaN
        means = np.bincount(owner, overlaps, minlength=len(lengths)) / frames
        success = 1 - share_up_to(overlaps, SUCCESS_THRESHOLDS, owner, frames)  # (S, 21)
        precision = share_up_to(errors, PRECISION_THRESHOLDS, owner, frames)  # (S, 51)
        normalised = share_up_to(relative, NORM_PRECISION_THRESHOLDS, owner, frames)  # (S, 51)
    return [
        SequenceScore(success[s], precision[s], normalised[s], float(means[s]), int(frames[s]))
        for s in range(len(lengths))
    ]


def carry_forward(boxes: np.ndarray, starts: ArrayLike = 0) -> np.ndarray:
    """Boxes (n, 4) in which each row that is no box is replaced by the last one that is, back to
    its pass's start."""
    good = is_valid(boxes)  # (n,)
    if good.all():
        return boxes
    good[starts] = True
    return boxes[np.maximum.accumulate(np.where(good, np.arange(len(boxes)), 0))]


def pool(scores: Iterable[SequenceScore]) -> SequenceScore:
    """Several runs on one sequence as one: hits over all their frames, so longer runs weigh
    more."""
    scores = list(scores)
    weights = np.array([s.frames for s in scores], dtype=np.float64)

    def mean(name: str):
        return np.average([getattr(s, name) for s in scores], axis=0, weights=weights)

    curves = {name: mean(name) for name in ("success", "precision", "normalised_precision")}
    return SequenceScore(**curves, mean_iou=float(mean("mean_iou")), frames=int(weights.sum()))


def tre_starts(
    truth: ArrayLike, omitted: np.ndarray | None = None, segments: int = 20
) -> list[int]:
    """Frames on which the `segments` passes of TRE start (0-based); the first is OPE's.

    As the MATLAB toolkit splits: of the frames that have a true box, those that leave at least 20
    candidates to run on; the starts are evenly spread over them, and every pass runs to the END of
    the sequence. A short sequence has fewer starts.
    """
    usable = (
        is_valid(truth) if omitted is None else is_valid(truth) & ~np.asarray(omitted, dtype=bool)
    )
    candidates = np.flatnonzero(usable)  # 0-based frames
    last = max(len(candidates) - 20, 0)  # 0-based index of the last allowed candidate
    E = last + 1  # MATLAB counts it from 1: floor(1 : E/(n-1) : E), then E
    # (segments - 1,)
    steps = np.floor(1 + np.arange(segments - 1) * (E / (segments - 1))).astype(int)
    positions = sorted({int(p) for p in steps if p <= E} | {E})
    return [int(candidates[p - 1]) for p in positions] if len(candidates) else []


def tre(make: Factory, sequence: Sequence, segments: int = 20) -> list[tuple[int, Result]]:
    """Temporal robustness: (start frame, result of the pass that starts there) for each start of
    `tre_starts`."""
    starts = tre_starts(sequence.boxes, sequence.omitted, segments)
    return [(start, track(make(), sequence, start)) for start in starts]


def sre_boxes(box: ArrayLike, height: int, width: int) -> dict[str, np.ndarray]:
    """The twelve first boxes (4,) of SRE, by the toolkit's names, for a true box in a height ×
    width frame.

    Four shifts by a tenth keep the size. Four more move one corner outward by a tenth, so the box
    grows. Four scale it about its centre. Whole pixels and clipping as in the MATLAB toolkit, which
    counts from 1.
    """
    x, y, w, h = as_boxes(box) + np.array([1, 1, 0, 0])  # counted from 1
    dx, dy = 0.1 * w, 0.1 * h
    step_x, step_y = np.ceil(dx), np.ceil(dy)
    right, bottom = x + w - 1, y + h - 1  # last pixels
    shifted = {
        "left": (x - step_x, y, w, h),
        "right": (x + step_x, y, w, h),
        "up": (x, y - step_y, w, h),
        "down": (x, y + step_y, w, h),
        "topLeft": _between(x - dx, y - dy, right, bottom),
        "topRight": _between(x, y - dy, right + dx, bottom),
        "bottomLeft": _between(x - dx, y, right, bottom + dy),
        "bottomRight": _between(x, y, right + dx, bottom + dy),
    }
    for name, scale in (("scale_8", 0.8), ("scale_9", 0.9), ("scale_11", 1.1), ("scale_12", 1.2)):
        cx, cy = x + (w - 1) / 2, y + (h - 1) / 2
        shifted[name] = (cx - scale * w / 2, cy - scale * h / 2, scale * w, scale * h)
    return {name: _whole_and_inside(values, height, width) for name, values in shifted.items()}


def _between(
    left: float, top: float, right: float, bottom: float
) -> tuple[float, float, float, float]:
    """The box from its first to its last pixel, both counted, on whole pixels."""
    left, top, right, bottom = (np.floor(v + 0.5) for v in (left, top, right, bottom))
    return left, top, right - left + 1, bottom - top + 1


def _whole_and_inside(box: tuple[float, ...], height: int, width: int) -> np.ndarray:
    """A box counted from 1, rounded as MATLAB rounds and clipped to the frame, as a 0-based box
    (4,)."""
    x, y, w, h = (np.floor(v + 0.5) for v in box)
    right, bottom = min(x + w - 1, width), min(y + h - 1, height)
    x, y = max(x, 1.0), max(y, 1.0)
    return np.array([x - 1, y - 1, max(right - x + 1, 1.0), max(bottom - y + 1, 1.0)])


def sre(make: Factory, sequence: Sequence) -> dict[str, Result]:
    """Spatial robustness: the result of a whole pass for each first box of `sre_boxes`. The truth
    stays as it is."""
    height, width = sequence.frames[0].shape[:2]
    return {
        name: track(make(), sequence, box=box)
        for name, box in sre_boxes(sequence.boxes[0], height, width).items()
    }
