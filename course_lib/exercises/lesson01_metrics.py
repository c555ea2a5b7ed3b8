"""Checks of lesson 01: curves and their areas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.evaluation import metrics
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong

LEVELS = metrics.SUCCESS_THRESHOLDS  # (21,)
COUNTS = "your curve counts frames: divide by their number to get fractions"
OTHER_COUNT = (
    "your curve is divided by the number of thresholds, or by another number: divide by the number "
    "of frames"
)
PERCENT = "your curve is in percent: fractions lie between 0 and 1"
WHOLE = (
    "your fractions are cut to whole numbers: the array that you fill has an integer type, or a "
    "`//` stands where `/` belongs"
)
OVER_THRESHOLDS = (
    "your curve has a value for each of the {0.shape[0]} frames: take the mean over the frames, "
    "so that one value for each threshold is left"
)


def _above(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Fraction of values above each threshold."""
    return np.mean(values[:, None] > thresholds, axis=0)


def _counted_by(*numbers: int) -> list[Callable[..., Any]]:
    """Mistakes: frames are counted and divided by one of these, or by one less than their
    number."""
    by = [lambda right, v, n=n: right(v) * len(v) / n for n in numbers]
    return [*by, lambda right, v: right(v) * len(v) / (len(v) - 1 or 2)]


def _curve(answer: Callable[..., Any], values: np.ndarray) -> Any:
    """The answer's curve; Wrong if it compares T frames with K thresholds one by one."""
    try:
        return answer(values)
    except ValueError as problem:
        if f"({len(values)},)" in str(problem) and "broadcast" in str(problem):
            raise Wrong(
                f"your code combines the {len(values)} frames, shape ({len(values)},), with the "
                "thresholds one by one, but there are not as many thresholds: make the frames a "
                "column, `[:, None]`, and each is compared with every threshold"
            ) from None
        raise


@check(
    "metrics.success",
    reference=metrics.success_curve,
    mistakes={
        "a frame whose IoU is NaN is left out in your version, and a tracker that returns no box "
        "there gains by it: NaN is above no threshold, and all frames count": (
            lambda right, v: right(v[~np.isnan(v)])
        ),
        "a frame whose IoU is NaN counts as above every threshold in your version: NaN is neither "
        "above one nor below, so count with `>`": lambda right, v: (
            1 - np.mean(v[:, None] <= LEVELS, axis=0)
        ),
        COUNTS: lambda right, v: right(v) * len(v),
        OTHER_COUNT: _counted_by(21, 20, 100),
        PERCENT: lambda right, v: right(v) * 100,
        "in your curve an IoU of 1 is above the last threshold: none is above 1, and the rule is "
        "`>`, not `>=`": lambda right, v: np.mean(v[:, None] >= LEVELS, axis=0),
        "your curve counts the frames below each threshold (`<`); count those above it, `>`": [
            lambda right, v: np.mean(v[:, None] < LEVELS, axis=0),
            lambda right, v: np.mean(v[:, None] <= LEVELS, axis=0),
        ],
        "the first frame is missing in your curve: all of them count": lambda right, v: right(
            v[1:]
        ),
        "your curve is 0 or 1 everywhere: compare each frame with the thresholds, then take the "
        "mean": [
            lambda right, v: (v.mean() > LEVELS) * 1.0,
            lambda right, v: np.round(np.median(v[:, None] > LEVELS, axis=0)),
        ],
        WHOLE: lambda right, v: right(v).astype(int),
        "your IoUs are rounded, or your thresholds shifted a little: compare the IoUs as they are "
        "with 0, 0.05, …, 1": [
            lambda right, v: right(np.round(v, 1)),
            lambda right, v: right(np.round(v, 2)),
        ],
        "frames with IoU 0 do not count in your version: the tracker has lost its target there, "
        "so divide by the number of all frames": [
            lambda right, v: right(v[v > 0]),
            lambda right, v: right(v) / right(v)[0],
        ],
        "your curve is in reverse: its first value belongs to threshold 0, its last to 1": (
            lambda right, v: right(v)[::-1]
        ),
        "your thresholds are not 0, 0.05, …, 1": [
            lambda right, v: _above(v, np.arange(21) / 21),
            lambda right, v: _above(v, np.arange(1, 22) / 21),
            lambda right, v: _above(v, LEVELS + 0.05),
            lambda right, v: _above(v, LEVELS + 0.025),
            lambda right, v: _above(v, np.linspace(0, 0.95, 21)),
            lambda right, v: _above(v, np.linspace(0.05, 1, 21)),
        ],
        "your curve has 20 values: there are 21 thresholds, 0 and 1 included; `np.arange(0, 1, "
        "0.05)` leaves out the 1": [
            lambda right, v: right(v)[:-1],
            lambda right, v: right(v)[1:],
            lambda right, v: _above(v, np.linspace(0, 1, 20)),
        ],
        OVER_THRESHOLDS: lambda right, v: np.mean(v[:, None] > LEVELS, axis=1),
    },
    others={
        "make the frames a column": lambda right, v: np.mean(v > LEVELS, axis=0),
        "your curve rises": lambda right, v: np.cumsum(right(v)) / 21,
    },
)
def examine_success(answer, rng) -> None:
    """21 fractions of frames with IoU above each threshold."""
    for ends in ([0.0] * 5 + [1.0] * 3, [0.0]):
        answer.compare(
            (np.concatenate([rng.uniform(0, 1, 30), ends]),),
            "the success curve",
            (21,),
            call=_curve,
            otherwise=lambda given, right: (
                "your curve rises: it should fall, since fewer frames lie above a higher threshold"
                if given[0] < given[-1]
                else ""
            ),
            hint="thresholds are 0, 0.05, …, 1",
        )
    answer.compare((rng.uniform(0, 1, 1),), "the success curve of one frame", (21,), call=_curve)
    absent = np.append(rng.uniform(0, 1, 9), 2 * [np.nan])
    answer.compare((absent,), "the success curve of frames with a NaN", (21,), call=_curve)


def _trapezoid(c: np.ndarray) -> float:
    return float(c.sum() - (c[0] + c[-1]) / 2)


@check(
    "metrics.auc",
    reference=metrics.auc,
    mistakes={
        "your AUC is the sum of the 21 values; it is their mean, so that it stays between 0 and "
        "1": lambda right, c: c.sum(),
        "your AUC is the sum times 0.05, as for 20 intervals: with 21 values, a curve of ones "
        "would get 1.05. OTB takes the mean": [
            lambda right, c: c.sum() * 0.05,
            lambda right, c: c.sum() / 20,
        ],
        "your value is the success rate at IoU 0.5, the middle value of the curve; the AUC is the "
        "mean of all values": [lambda right, c: c[10], lambda right, c: np.median(c)],
        "your value is the trapezoid area, as TrackingNet takes it; OTB takes the mean of the 21 "
        "values": lambda right, c: _trapezoid(c) * 0.05,
        "your value is the trapezoid area with a step of 1 between thresholds; OTB takes the mean "
        "of the 21 values": lambda right, c: _trapezoid(c),
        "one of the 21 values is missing in your mean: all of them count, at 0 and at 1 too": [
            lambda right, c: c[:-1].mean(),
            lambda right, c: c[1:].mean(),
        ],
        "you leave out values of 0; they are part of the curve and count in the mean": (
            lambda right, c: c[c > 0].mean()
        ),
        "your AUC is in percent; it should lie between 0 and 1": lambda right, c: 100 * c.mean(),
        "your value is one end of the curve: the AUC is the mean of all its values": [
            lambda right, c: c[0],
            lambda right, c: c[-1],
        ],
        "your AUC is rounded: keep all digits": [
            lambda right, c: np.round(right(c), 2),
            lambda right, c: np.round(right(c), 3),
            lambda right, c: np.round(right(c), 4),
        ],
        "you leave out values of 1; they are part of the curve and count in the mean": (
            lambda right, c: c[c < 1].mean()
        ),
    },
)
def examine_auc(answer, rng) -> None:
    """Mean of the 21 values."""
    for last in (None, 4):  # a curve that is above 0 at 1, as no tracker's is, and one with zeros
        curve = np.sort(rng.uniform(0.1, 1, 21))[::-1].copy()
        curve[-4:] = 0 if last else curve[-4:]
        curve[:3] = 1 if last else curve[:3]
        answer.compare((curve,), "the AUC")


PIXELS = metrics.PRECISION_THRESHOLDS  # (51,)


def _within(errors: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Fraction of errors up to each threshold."""
    return np.mean(errors[:, None] <= thresholds, axis=0)


@check(
    "metrics.precision",
    reference=metrics.precision_curve,
    mistakes={
        "a frame whose error is NaN is left out in your version, and a tracker that returns no box "
        "there gains by it: NaN is within no threshold, and all frames count": (
            lambda right, e: right(e[~np.isnan(e)])
        ),
        "a frame whose error is NaN counts as near enough in your version: NaN is within no "
        "threshold, so do not replace it by 0, and count with `<=`": [
            lambda right, e: 1 - np.mean(e[:, None] > PIXELS, axis=0),
            lambda right, e: right(np.nan_to_num(e)),
        ],
        COUNTS: lambda right, e: right(e) * len(e),
        OTHER_COUNT: _counted_by(51, 50, 100),
        WHOLE: lambda right, e: right(e).astype(int),
        PERCENT: lambda right, e: right(e) * 100,
        "your curve falls: it counts the frames that are too far away instead of those near "
        "enough": [
            lambda right, e: np.mean(e[:, None] > PIXELS, axis=0),
            lambda right, e: np.mean(e[:, None] >= PIXELS, axis=0),
        ],
        "a frame with an error of exactly 20 px does not count at 20 px in your version; the rule "
        "is `<=`": lambda right, e: np.mean(e[:, None] < PIXELS, axis=0),
        "frames with an error above 50 px do not count in your version: divide by the number of "
        "all frames": [
            lambda right, e: right(e[e <= 50]),
            lambda right, e: right(e) / right(e)[-1],
        ],
        "the first frame is missing in your curve: all of them count": lambda right, e: right(
            e[1:]
        ),
        "frames with an error of 0 do not count in your version: they are as near as can be": (
            lambda right, e: right(e[e > 0])
        ),
        "your thresholds begin at 1; they are 0, 1, …, 50": (
            lambda right, e: _within(e, np.arange(1, 52))
        ),
        "your errors are rounded down to whole pixels: compare them as they are": (
            lambda right, e: right(np.floor(e))
        ),
        "errors up to half a pixel above a threshold count there in your version: compare the "
        "errors as they are with 0, 1, …, 50": lambda right, e: right(np.round(e)),
        "your curve has 50 values: there are 51 thresholds, 0 and 50 included; `np.arange(50)` "
        "stops at 49": [
            lambda right, e: right(e)[:-1],
            lambda right, e: right(e)[1:],
            lambda right, e: _within(e, np.linspace(0, 50, 50)),
        ],
        "your curve has 21 values: these thresholds are in pixels, 0, 1, …, 50": [
            lambda right, e: _within(e, LEVELS),
            lambda right, e: _within(e, np.arange(21)),
        ],
        "your curve is in reverse: its first value belongs to threshold 0, its last to 50": (
            lambda right, e: right(e)[::-1]
        ),
        OVER_THRESHOLDS: lambda right, e: np.mean(e[:, None] <= PIXELS, axis=1),
    },
    others={"make the frames a column": lambda right, e: np.mean(e <= PIXELS, axis=0)},
)
def examine_precision(answer, rng) -> None:
    """51 fractions of frames with centre error up to each threshold."""
    for exact in ([20.0, 20, 20, 0, 0, 60, 37, 50], [0.0, 20]):
        answer.compare(
            (np.concatenate([[12.5], rng.uniform(0, 70, 36), exact]),),
            "the precision curve",
            (51,),
            call=_curve,
            hint="thresholds are 0, 1, …, 50 px",
        )
    answer.compare((rng.uniform(3, 40, 1),), "the precision curve of one frame", (51,), call=_curve)
    absent = np.append(rng.uniform(3, 40, 9), 2 * [np.nan])
    answer.compare((absent,), "the precision curve of frames with a NaN", (51,), call=_curve)
