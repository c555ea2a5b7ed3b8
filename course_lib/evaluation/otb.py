"""One pass of a tracker over a sequence (OPE), and the OTB curves that score it.

Wu, Lim, Yang: Object Tracking Benchmark, PAMI 2015; details as in the authors' MATLAB toolkit,
`calcSeqErrRobust.m` and `calcRectInt.m`, but for one: a frame without a true box is left out here.
The toolkit counts such a frame, and one whose true box has a coordinate of 0 or less (counted from
1), as a miss for success and as a hit for precision. On the published boxes of OTB-100, where a few
sequences have such frames, that moves a mean by at most .001. OTB's other protocols are in
`tre_sre.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
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
)
from course_lib.evaluation.results import Result
from course_lib.evaluation.rules import OTB, Rule
from course_lib.geometry.boxes import as_boxes, centre_error, iou, is_valid, normalised_centre_error
from course_lib.trackers.base import Tracker


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
    """One pass: the tracker is started once, then runs to the end unaided.

    Args:
        tracker: not initialised yet.
        sequence: what to run on.
        start: the frame to start on.
        box: (4,) the box to start with; by default the true one.

    Returns:
        One row per frame from `start` on. Seconds count the tracker's calls, not the reading of
        frames.

    Raises:
        DataError: naming sequence and frame, if the tracker gives anything but four finite numbers.
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


def checked_box(
    given: object, tracker: Tracker, sequence: Sequence, frame: int, may_be_absent: bool = False
) -> np.ndarray:
    """What a tracker gave for a frame as a box (4,), a copy: a tracker may go on changing its own.

    Args:
        given: what the tracker returned.
        tracker, sequence, frame: where it comes from, for the message.
        may_be_absent: whether four NaN, for an absent target, are accepted too.

    Raises:
        DataError: if it is not four finite numbers.
    """
    try:
        box = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        box = np.empty(0)
    if may_be_absent and box.shape == (4,) and np.isnan(box).all():
        return box
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
    rule: Rule = OTB,
) -> SequenceScore:
    """Curves of one pass, see `score_sequences`.

    Args:
        predicted: boxes (T, 4).
        truth: the true ones (T, 4).
        omitted: (T,) bool, frames that do not count.
        rule: which frames count, and how.
    """
    left_out = None if omitted is None else [omitted]
    return score_sequences([predicted], [truth], left_out, rule)[0]


def score_sequences(
    predicted: Items[ArrayLike],
    truth: Items[ArrayLike],
    omitted: Items[np.ndarray] | None = None,
    rule: Rule = OTB,
) -> list[SequenceScore]:
    """Curves of many passes at once, one for each pair of boxes (T, 4).

    As in every toolkit, SRE included, the first box is taken as the true one. A predicted row that
    is not a box (NaN, no area) is replaced by the one before it.

    Args:
        predicted: boxes (T, 4) of each pass.
        truth: the true ones.
        omitted: frames (T,) of each that do not count.
        rule: which frames count, and how: OTB's, or LaSOT's, where frames without a true box count
            as missed.

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
    counted = np.ones(len(G), dtype=bool) if rule.absent_missed else valid.copy()  # (n,)
    if omitted is not None:
        counted &= ~np.concatenate(omitted)
    owner = np.repeat(np.arange(len(lengths)), lengths)  # (n,) the pass each frame belongs to
    if not counted.all():
        P, G, owner, valid = P[counted], G[counted], owner[counted], valid[counted]
    frames = np.bincount(owner, minlength=len(lengths))  # (S,)
    overlaps, errors = iou(P, G), centre_error(P, G)  # (n,) and pixels (n,)
    relative = normalised_centre_error(P, G)  # (n,) in true sizes
    for values, missed in ((overlaps, 0.0), (errors, np.inf), (relative, np.inf)):
        values[~valid | np.isnan(values)] = missed  # NaN: boxes whose area overflows
    if rule.border_apart:
        apart = np.isfinite(G).all(axis=1) & (G <= 0).any(axis=1)  # (n,)
        overlaps[apart], errors[apart], relative[apart] = 0.0, -1.0, -1.0
    with np.errstate(invalid="ignore"):  # a pass without counted frames has no score: NaN
        means = np.bincount(owner, overlaps, minlength=len(lengths)) / frames
        success = 1 - _share_up_to(overlaps, SUCCESS_THRESHOLDS, owner, frames)  # (S, 21)
        precision = _share_up_to(errors, PRECISION_THRESHOLDS, owner, frames)  # (S, 51)
        normalised = _share_up_to(relative, NORM_PRECISION_THRESHOLDS, owner, frames)  # (S, 51)
    return [
        SequenceScore(success[s], precision[s], normalised[s], float(means[s]), int(frames[s]))
        for s in range(len(lengths))
    ]


def carry_forward(boxes: np.ndarray, starts: ArrayLike = 0) -> np.ndarray:
    """Boxes (n, 4) with each row that is not a box replaced by the last valid one of its pass."""
    good = is_valid(boxes)  # (n,)
    if good.all():
        return boxes
    good[starts] = True
    return boxes[np.maximum.accumulate(np.where(good, np.arange(len(boxes)), 0))]


def pool(scores: Iterable[SequenceScore]) -> SequenceScore:
    """Several runs on one sequence as one, over all their frames, so longer runs weigh more."""
    scores = list(scores)
    weights = np.array([s.frames for s in scores], dtype=np.float64)

    def mean(name: str):
        return np.average([getattr(s, name) for s in scores], axis=0, weights=weights)

    curves = {name: mean(name) for name in ("success", "precision", "normalised_precision")}
    return SequenceScore(**curves, mean_iou=float(mean("mean_iou")), frames=int(weights.sum()))


def _share_up_to(
    values: np.ndarray, thresholds: np.ndarray, owner: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Fraction of each pass's values that are at most each threshold: shape (S, K).

    `metrics.precision_curve` for many passes at once: a sorted search puts each value into its cell
    between two thresholds, and the cells are added up, which takes a K-th of the comparisons.

    Args:
        values: (n,) of all passes, none of them NaN.
        thresholds: (K,), rising.
        owner: (n,) the pass 0 … S − 1 that each value belongs to.
        counts: (S,) values of each pass.
    """
    S, K = len(counts), len(thresholds)
    cell = np.searchsorted(thresholds, values)  # (n,) how many thresholds lie below each value
    cells = np.bincount(owner * (K + 1) + cell, minlength=S * (K + 1)).reshape(S, K + 1)
    return np.cumsum(cells[:, :K], axis=1) / counts[:, None]
