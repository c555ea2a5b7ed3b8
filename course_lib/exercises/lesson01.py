"""Checks of lesson 01: boxes, overlap, curves."""

from __future__ import annotations

import numpy as np

from course_lib.evaluation import metrics
from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.words import Wrong
from course_lib.geometry import boxes


@check(
    "boxes.corners",
    reference=boxes.to_corners,
    mistakes={
        "your right and bottom edges lie one pixel too far in: x2 is x + w here, not the last "
        "pixel x + w − 1": lambda right, b: right(b) - [0, 0, 1, 1]
    },
    others={
        "columns are": [lambda right, b: b, lambda right, b: right(b) - right(b)[:, [0, 1, 0, 1]]],
        "shape (4, 6)": lambda right, b: right(b).T,
    },
)
def examine_corners(answer, rng) -> None:
    """(T, 4) boxes as (x1, y1, x2, y2)."""
    answer.compare(
        (random_boxes(rng, 6),),
        "for six boxes the result",
        (6, 4),
        named="the corner array",
        hint="its columns are x, y, x + w, y + h",
    )


def _shared(right, a, b):
    """The intersection of two boxes, from their IoU."""
    return right(a, b) * (a[2:].prod() + b[2:].prod()) / (1 + right(a, b))


def _signed_iou(right, a, b):
    """IoU with sides that may be negative."""
    w, h = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    return w * h / (a[2:].prod() + b[2:].prod() - w * h)


@check(
    "boxes.iou",
    reference=boxes.iou,
    mistakes={
        "two squares shifted by half a width give 1/2 in your version: divide by the union, not by "
        "one area": lambda right, a, b: _shared(right, a, b) / a[2:].prod(),
        "two squares shifted by half a width give 1/4 in your version: the union counts the shared "
        "part once, so subtract it": lambda right, a, b: (
            _shared(right, a, b) / (a[2:].prod() + b[2:].prod())
        ),
    },
    others={
        "two boxes that lie apart in x and in y have IoU 0; yours is {}. A negative width times a "
        "negative height is positive": _signed_iou,
        "50/150 = 0.333; yours is {}": lambda right, a, b: _shared(right, a, b),
    },
)
def examine_iou(answer, rng) -> None:
    """IoU of one pair of boxes."""
    ten, half = np.array([0.0, 0, 10, 10]), np.array([5.0, 0, 10, 10])
    answer.compare(
        (ten, half),
        "the IoU of two squares, one shifted by half its width,",
        otherwise="two 10×10 squares shifted by 5 px have IoU 50/150 = 0.333; yours is {given:.4g}",
    )
    answer.compare(
        (ten, ten + [20, 20, 0, 0]),
        "the IoU of two boxes far apart",
        otherwise="two boxes that lie apart in x and in y have IoU 0; yours is {given:.4g}. A "
        "negative width times a negative height is positive: clamp each side to 0 or more",
    )
    answer.compare(
        (ten, ten + [20, 0, 0, 0]),
        "the IoU of two boxes apart in x only",
        otherwise="two boxes that lie apart in x only should have IoU 0: clamp each side of the "
        "intersection to 0 or more",
    )
    for a, b in zip(random_boxes(rng, 20), random_boxes(rng, 20), strict=True):
        b[:2] = a[:2] + rng.uniform(-10, 10, 2)
        named = f"the IoU of {np.round(a, 1)} and {np.round(b, 1)}"
        answer.compare((a, b), "the IoU", named=named)


@check(
    "boxes.centre_error",
    reference=boxes.centre_error,
    mistakes={
        "a shift of (3, 4) gives 25 in your version: take the square root": (
            lambda right, a, b: right(a, b) ** 2
        ),
        "a shift of (3, 4) gives 7 in your version: that is the city-block distance; the error is "
        "the straight line, 5": lambda right, a, b: np.abs(
            (a[:2] + a[2:] / 2) - (b[:2] + b[2:] / 2)
        ).sum(),
        "two boxes with the same corner but other widths have distance 0 in your version: compare "
        "centres, not corners": lambda right, a, b: np.hypot(*(a[:2] - b[:2])),
    },
)
def examine_centre_error(answer, rng) -> None:
    """Centre distance of one pair of boxes."""
    here = np.array([0.0, 0, 10, 20])
    pairs = [(here, here + [3, 4, 0, 0]), (here, here + [0, 0, 20, 0])]
    for p, q in (*pairs, *zip(random_boxes(rng, 10), random_boxes(rng, 10), strict=True)):
        named = f"the centre error of {np.round(p, 1)} and {np.round(q, 1)}"
        answer.compare((p, q), "the centre error", named=named)


@check(
    "metrics.success",
    reference=metrics.success_curve,
    mistakes={
        "your curve counts frames: divide by their number to get fractions": (
            lambda right, v: right(v) * len(v)
        )
    },
    others={
        "the rule is `>`, not `>=`": lambda right, v: right(np.asarray(v) + 1e-9),
        "reaches your curve's last threshold": lambda right, v: right(v)[::-1],
        "your curve rises": lambda right, v: np.where(v.mean() < 0.9, right(v)[::-1], 0),
        "shape (20,)": lambda right, v: right(v)[1:],
    },
)
def examine_success(answer, rng) -> None:
    """21 fractions of frames with IoU above each threshold."""
    perfect = as_array(answer(np.ones(8)), (21,), "the curve of eight perfect frames")
    if perfect[-1] != 0:
        raise Wrong(
            "a perfect tracker reaches your curve's last threshold: no IoU is above 1, and the "
            "rule is `>`, not `>=`"
        )
    exact = as_array(answer(np.array([0.5, 0.2])), (21,), "the curve")
    if exact[10] != 0:
        raise Wrong(
            "a frame with IoU exactly 0.5 counts at threshold 0.5 in your version; the rule is "
            "strictly above"
        )
    answer.compare(
        (rng.uniform(0, 1, 40),),
        "the success curve",
        (21,),
        otherwise=lambda given, right: (
            "your curve rises: it should fall, since fewer frames lie above a higher threshold"
            if given[0] < given[-1]
            else ""
        ),
        hint="thresholds are 0, 0.05, …, 1",
    )


@check(
    "metrics.auc",
    reference=metrics.auc,
    mistakes={
        "your AUC is the sum of the 21 values; it is their mean, so that it stays between 0 and "
        "1": lambda right, c: c.sum(),
        "your value is the success rate at IoU 0.5; the AUC looks at all thresholds": (
            lambda right, c: c[10]
        ),
        "your value is the trapezoid area, as TrackingNet takes it; OTB takes the mean of the 21 "
        "values": lambda right, c: (c.sum() - (c[0] + c[-1]) / 2) * 0.05,
    },
)
def examine_auc(answer, rng) -> None:
    """Mean of the 21 values."""
    answer.compare((np.sort(rng.uniform(0, 1, 21))[::-1].copy(),), "the AUC", near=1e-5)


@check(
    "metrics.precision",
    reference=metrics.precision_curve,
    mistakes={
        "your curve falls: it counts the frames that are too far away instead of those near "
        "enough": lambda right, e: 1 - right(e),
        "your curve counts frames: divide by their number to get fractions": (
            lambda right, e: right(e) * len(e)
        ),
    },
    others={
        "exactly 20 px does not count at 20 px": lambda right, e: right(np.asarray(e) + 1e-9),
        "shape (50,)": lambda right, e: right(e)[:50],
    },
)
def examine_precision(answer, rng) -> None:
    """51 fractions of frames with centre error up to each threshold."""
    exact = as_array(answer(np.array([20.0, 60.0])), (51,), "the precision curve")
    if np.isclose(exact[20], 0) and np.isclose(exact[21], 0.5):
        raise Wrong(
            "a frame with an error of exactly 20 px does not count at 20 px in your version; the "
            "rule is `<=`"
        )
    hint = "thresholds are 0, 1, …, 50 px"
    answer.compare((rng.uniform(0, 70, 60),), "the precision curve", (51,), hint=hint)
