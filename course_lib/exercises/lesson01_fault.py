"""Check of lesson 01: the score with a fault in it."""

from __future__ import annotations

import numpy as np

from course_lib.evaluation import metrics
from course_lib.exercises.compare import as_number, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou


def sequence_auc(boxes: np.ndarray, truth: np.ndarray) -> float:
    """AUC of boxes (T, 4) of one sequence; frames in which the true box (T, 4) is NaN do not
    count."""
    there = np.isfinite(truth).all(axis=1)  # (T,)
    return metrics.auc(metrics.success_curve(iou(boxes[there], truth[there])))


def _scored(ious: np.ndarray) -> float:
    return metrics.auc(metrics.success_curve(ious))


def _until_it_leaves(truth: np.ndarray) -> int:
    return int(np.argmax(np.isnan([*truth[:, 0], np.nan])))


def _last_known(truth: np.ndarray) -> np.ndarray:
    """The true boxes with each absent one replaced by the last one before it."""
    rows = np.where(np.isnan(truth[:, 0]), 0, np.arange(len(truth)))
    return truth[np.maximum.accumulate(rows)]


def _since_it_is_back(truth: np.ndarray) -> int:
    """The first frame after the last one in which the target is away."""
    away = np.flatnonzero(np.isnan(truth[:, 0]))
    return int(away[-1]) + 1 if len(away) and away[-1] + 1 < len(truth) else 0


def _settled(truth: np.ndarray) -> np.ndarray:
    """Whether the target is in view (T,), and was in the frame before."""
    there = np.isfinite(truth[:, 0])
    return there & np.r_[True, there[:-1]]


def _between(truth: np.ndarray) -> np.ndarray:
    """The true boxes with each absent one replaced by one between its neighbours in time."""
    there, frames = np.isfinite(truth[:, 0]), np.arange(len(truth))
    return np.stack([np.interp(frames, frames[there], v[there]) for v in truth.T], axis=1)


@check(
    "metrics.fault",
    reference=sequence_auc,
    mistakes={
        "the fault is still there: a frame without a true box counts as a failure in your version. "
        "Leave it out, before the curve is computed": [
            lambda right, b, t: _scored(iou(b, t)),
            lambda right, b, t: _scored(np.nan_to_num(iou(b, t))),
        ],
        "a frame without a true box counts as perfect in your version, which no tracker has "
        "earned. Leave the frame out": [
            lambda right, b, t: _scored(np.nan_to_num(iou(b, t), nan=1.0)),
            lambda right, b, t: _scored(np.nan_to_num(iou(b, t), nan=1.01)),
        ],
        "your version leaves out frames with IoU 0 too: there the tracker has lost a target that "
        "was in view, and that counts": (lambda right, b, t: _scored(iou(b, t)[iou(b, t) > 0])),
        "your version stops where the target first leaves: the frames after it has come back "
        "count as well": lambda right, b, t: right(
            b[: _until_it_leaves(t)], t[: _until_it_leaves(t)]
        ),
        "only the frames after the target's last return count in your version: those before count "
        "as well": lambda right, b, t: right(b[_since_it_is_back(t) :], t[_since_it_is_back(t) :]),
        "the first frame after each return is missing in your version: it counts like any other": (
            lambda right, b, t: right(b[_settled(t)], t[_settled(t)])
        ),
        "your version compares with the last known box while the target is away, or with one "
        "between the last and the next: there is no true box to be near to, so leave these frames "
        "out": [
            lambda right, b, t: right(b, _last_known(t)),
            lambda right, b, t: right(b, _between(t)),
        ],
        "your value is the mean IoU; the AUC is the mean of the success curve": [
            lambda right, b, t: np.nanmean(iou(b, t)),
            lambda right, b, t: np.nan_to_num(iou(b, t)).mean(),
        ],
        "your version leaves out frames in which the target reaches beyond the edge of the frame, "
        "where x or y is negative: only NaN means that it is away": [
            lambda right, b, t: right(b[t[:, 0] >= 0], t[t[:, 0] >= 0]),
            lambda right, b, t: right(b[t[:, 1] >= 0], t[t[:, 1] >= 0]),
            lambda right, b, t: right(b[(t[:, :2] >= 0).all(1)], t[(t[:, :2] >= 0).all(1)]),
        ],
        "your version leaves out frame 0 as well: only frames without a true box go": (
            lambda right, b, t: right(b[1:], t[1:])
        ),
        "your version pairs boxes with the true boxes of other frames: leave the same rows out of "
        "both": [
            lambda right, b, t: right(b[: np.isfinite(t[:, 0]).sum()], t[np.isfinite(t[:, 0])]),
            lambda right, b, t: right(
                b[len(t) - np.isfinite(t[:, 0]).sum() :], t[np.isfinite(t[:, 0])]
            ),
        ],
        "your frames without a true box get the mean IoU of the others: that still counts them. "
        "Leave them out": lambda right, b, t: _scored(
            np.where(np.isnan(t[:, 0]), np.nanmean(iou(b, t)), iou(b, t))
        ),
    },
    others={
        "in which the *tracker* returned NaN": [
            lambda right, b, t: _scored(iou(b, t)[np.isfinite(iou(b, t))]),
            lambda right, b, t: right(b[np.isfinite(b + t).all(1)], t[np.isfinite(b + t).all(1)]),
        ],
    },
)
def examine_fault(answer, rng) -> None:
    """AUC of sequences in which the target is away for some frames, of all at once; then of a
    tracker that returns NaN where the target is in view."""
    cases = []
    for count, away in ((43, [4, 5, 6, 15, 30]), (26, [7, 8, 20]), (19, [])):
        truth = random_boxes(rng, count)
        truth[:, :2] = np.abs(truth[:, :2])
        truth[1, 0], truth[3, 1] = -7.5, -3.25  # in view in part
        truth[away] = np.nan
        known = _last_known(truth)  # (T, 4): where a tracker waits while the target is away
        found = known + rng.uniform(-0.25, 0.25, (count, 4)) * np.tile(known[:, 2:], 2)
        found[2, 0] += 3 * truth[2, 2]  # lost
        cases.append((found, truth))

    def every(f, cases):
        return [f(found, truth) for found, truth in cases]

    def read(given) -> tuple[float, ...]:
        return tuple(as_number(value, "the AUC") for value in given)

    names = tuple("the AUC" for _ in cases)
    hint = "frames without a true box do not count"
    answer.compare((cases,), names, read, call=every, hint=hint)
    _require_lost(answer, *cases[0])


def _require_lost(answer, found: np.ndarray, truth: np.ndarray) -> None:
    """Raise Wrong if frames in which the tracker returned NaN are left out. (Where the student's
    curve takes NaN for a success, that is not this exercise's fault.)

    Args:
        answer: on trial.
        found: (T, 4) the tracker's boxes.
        truth: (T, 4) the true ones.
    """
    found = found.copy()
    found[9:14] = np.nan
    told = np.isfinite(found).all(axis=1)
    without, right = (answer.right(found[k], truth[k]) for k in (told, slice(None)))
    given = as_number(answer(found, truth), "the AUC")
    if same(given, without) and not same(given, right):
        raise Wrong(
            "your version leaves out frames in which the *tracker* returned NaN: the target was in "
            "view there, and it was lost. The true boxes alone decide which frames count"
        )
