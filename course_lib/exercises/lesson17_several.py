"""Check of lesson 17's several targets that claim one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.geometry.boxes import iou


def believed(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """Which of K targets (K,) are believed: the surest first, each unless its box overlaps that of
    one already believed.

    Args:
        boxes: (K, 4) one for each target; NaN where it is absent.
        scores: (K,) of one kind of tracker.
        most: IoU up to which two boxes may overlap.
    """
    return _chosen(boxes, scores, lambda overlap: overlap > most)


def _chosen(
    boxes: np.ndarray,
    scores: np.ndarray,
    claims: Callable[[np.ndarray], np.ndarray],
    order: Callable[[np.ndarray], np.ndarray] = lambda scores: np.argsort(-scores, kind="stable"),
) -> np.ndarray:
    """Believed targets (K,), in the given order."""
    kept = np.zeros(len(boxes), dtype=bool)
    for k in order(scores):
        if np.isfinite(boxes[k]).all():
            kept[k] = not claims(iou(boxes[kept], boxes[k])).any() if kept.any() else True
    return kept


def _pairs(boxes, scores, most, loses):
    """A mistake: every pair by itself; loses(score, other) says who is not believed."""
    overlaps = np.nan_to_num(iou(boxes[:, None], boxes[None]))  # (K, K)
    close = (overlaps > most) & ~np.eye(len(boxes), dtype=bool)
    lost = (close & loses(scores[:, None], scores[None])).any(1)
    return np.isfinite(boxes).all(1) & ~lost


def _best(right, boxes, scores, most):
    """Only those that overlap with the surest of all are dropped."""
    there = np.isfinite(boxes).all(1)
    top = np.where(there, scores, -np.inf).argmax()
    kept = there & ~(np.nan_to_num(iou(boxes, boxes[top])) > most)
    kept[top] = True
    return kept


def _share(a, b):
    """Overlap as a fraction of the smaller box."""
    width = np.minimum(a[:, 0] + a[:, 2], b[0] + b[2]) - np.maximum(a[:, 0], b[0])
    height = np.minimum(a[:, 1] + a[:, 3], b[1] + b[3]) - np.maximum(a[:, 1], b[1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    return shared / np.minimum(a[:, 2] * a[:, 3], b[2] * b[3])


def _by_share(right, boxes, scores, most):
    """The same with another overlap."""
    kept = np.zeros(len(boxes), dtype=bool)
    for k in np.argsort(-scores):
        if np.isfinite(boxes[k]).all():
            kept[k] = not (kept.any() and (_share(boxes[kept], boxes[k]) > most).any())
    return kept


def _otherwise(given: np.ndarray, right: np.ndarray, *case: Any) -> str:
    """In words: the first target that is judged otherwise."""
    boxes, scores, most = case
    if given.shape != right.shape:
        return f"your result has shape {given.shape}, expected {right.shape}: one for each target"
    k = int(np.flatnonzero(given != right)[0])
    word = "believed" if right[k] else "not believed"
    return (
        f"{len(boxes)} targets, most = {most:.2g}: target {k} with score {scores[k]:.3g} should be "
        f"{word}"
    )


@check(
    "challenge.several",
    reference=believed,
    learns=False,
    mistakes={
        "of two boxes that overlap the one with the *higher* score is believed": [
            lambda right, b, s, most: _chosen(b, s, lambda o: o > most, np.argsort),
            lambda right, b, s, most: _pairs(b, s, most, np.greater),
        ],
        "you take the targets in the order given; begin with the surest": (
            lambda right, b, s, most: _chosen(b, s, lambda o: o > most, lambda s: np.arange(len(s)))
        ),
        "a target that is not believed itself takes no place from others: compare each only with "
        "those that are believed already": (lambda right, b, s, most: _pairs(b, s, most, np.less)),
        "you drop both of two boxes that overlap; the surer one stays": (
            lambda right, b, s, most: _pairs(b, s, most, lambda a, c: np.isfinite(a + c))
        ),
        "not only the surest of all takes its place from others; every believed target does": _best,
        "an absent target, a box of NaN, is not believed": (
            lambda right, b, s, most: right(b, s, most) | ~np.isfinite(b).all(1)
        ),
        "up to `most` two boxes may overlap, that IoU included": (
            lambda right, b, s, most: _chosen(b, s, lambda o: o >= most)
        ),
        "you allow no overlap; two boxes may overlap up to an IoU of `most`": (
            lambda right, b, s, most: right(b, s, 0.0)
        ),
        "you believe every target, whatever it overlaps": (
            lambda right, b, s, most: np.isfinite(b).all(1)
        ),
        "the overlap is the IoU, intersection over *union*, not over the smaller box": _by_share,
    },
)
def examine_several(answer, rng: np.random.Generator) -> None:
    """Rows of boxes in which each overlaps with its neighbours, an absent one, and a pair."""
    cases = []
    for scores in ([8.0, 14.0, 11.0, 9.5, 7.0, 13.0], [12.0, 9.0, 7.5, 10.0, 14.0, 8.5],
                   [7.0, 9.0, 11.0, 13.0, 15.0, 6.0]):  # fmt: skip
        w, h = rng.uniform(30, 50, 2)
        x, y = rng.uniform(20, 60, 2)
        row = [(x + 0.32 * w * k, y, w, h) for k in range(4)]  # neighbours have an IoU of .52
        part = (x + 0.32 * w * 6, y, w, h)
        boxes = np.array([*row, part, (x + 0.32 * w * 6 + 0.2 * w, y + 0.2 * h, 0.6 * w, 0.6 * h)])
        scores = np.array(scores) + rng.uniform(-0.2, 0.2, 6)
        cases.append((boxes, scores, 0.45))
        gone = boxes.copy()
        gone[int(rng.integers(6))] = np.nan
        cases.append((gone, scores, 0.4))
    half = np.array([[20.0, 30, 40, 20], [20, 30, 20, 20], [44, 30, 16, 20]])
    cases.append((half, np.array([9.0, 8.0, 7.0]), 0.5))  # the first two have an IoU of exactly 1/2
    compare_arrays(
        answer,
        cases,
        "what is believed",
        lambda given: as_array(given, np.shape(given), "what is believed").astype(float),
        _otherwise,
    )
    require_repeatable(answer, *cases[:2])
