"""Checks of lesson 01: boxes and how well they agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.compare import apart, as_number, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.words import Wrong
from course_lib.geometry import boxes


@check(
    "boxes.corners",
    reference=boxes.to_corners,
    mistakes={
        "your right and bottom edges lie one pixel too far in: x2 is x + w here, not the last "
        "pixel x + w − 1": lambda right, b: right(b) - [0, 0, 1, 1],
        "your columns are x1, x2, y1, y2: expected x1, y1, x2, y2, the two corners one after the "
        "other": lambda right, b: right(b)[:, [0, 2, 1, 3]],
        "your right edge is x + h and your bottom edge y + w: the width goes with x, the height "
        "with y": [
            lambda right, b: right(b[:, [0, 1, 3, 2]]),
            lambda right, b: np.column_stack([b[:, :2], right(b)[:, [3, 2]]]),
        ],
        "your last two columns are the centre: add the whole width and height, not half of "
        "them": lambda right, b: right(b) - np.pad(b[:, 2:] / 2, ((0, 0), (2, 0))),
        "your corners are in the wrong order: top-left first, then bottom-right": (
            lambda right, b: right(b)[:, [2, 3, 0, 1]]
        ),
        "your last two columns subtract the corner: boxes have a width and a height, so add them to "
        "the corner": lambda right, b: np.column_stack([b[:, :2], b[:, 2:] - b[:, :2]]),
        "your edges are rounded to whole pixels: boxes are continuous, so keep the fractions": [
            lambda right, b: right(b).astype(int),
            lambda right, b: np.round(right(b)),
        ],
        "you return the corners of one box; expected a row for each of the {0.shape[0]} boxes": [
            lambda right, b: right(b)[0],
            lambda right, b: right(b)[-1],
            lambda right, b: right(b)[:1],
        ],
        "your result has a row for each edge and a column for each box: it is transposed": (
            lambda right, b: right(b).T
        ),
    },
    others={
        "columns are": [lambda right, b: b, lambda right, b: right(b) - right(b)[:, [0, 1, 0, 1]]],
    },
)
def examine_corners(answer, rng) -> None:
    """(T, 4) boxes as (x1, y1, x2, y2)."""
    for count in (6, 1, 4):
        answer.compare(
            (random_boxes(rng, count),),
            f"for {count} box{'es' if count > 1 else ''} the result",
            (count, 4),
            named="the corner array",
            hint="its columns are x, y, x + w, y + h",
        )


def _of_each_pair(answer: Callable[..., Any], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A number (N,) for each pair of boxes: with many pairs at once, a mistake is recognised by all
    of them and not by a coincidence."""
    return np.array([_one_number(answer(p, q)) for p, q in zip(a, b, strict=True)])


def _one_number(value: Any) -> float:
    """The result for two boxes; Wrong if it is an array of one number, which the next cells cannot
    put beside others."""
    if shape_of(value) not in (None, ()):
        raise Wrong(
            f"the result for two boxes should be one number; yours is an array of shape "
            f"{shape_of(value)}"
        )
    return as_number(value, "the result for two boxes")


def _compare_pairs(answer, a: np.ndarray, b: np.ndarray, what: str, otherwise: str = "") -> None:
    """Compare a number of two boxes on many pairs.

    Args:
        answer: on trial.
        a, b: (N, 4) the boxes.
        what: name of the number.
        otherwise: said after the first pair on which it differs.
    """

    def first_pair(given: np.ndarray, right: np.ndarray) -> str:
        n = int(np.argmax(np.abs(given - right) > 1e-6))
        mine, theirs = apart(given[n], right[n])
        pair = " and ".join(str(np.round(box, 2).tolist()) for box in (a[n], b[n]))
        return f"{what} of {pair} is {mine}, expected {theirs}{otherwise}"

    answer.compare((a, b), what, (len(a),), call=_of_each_pair, otherwise=first_pair)


def _area(box: np.ndarray) -> float:
    return box[2] * box[3]


def _sides(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Width and height of the shared part; negative where the boxes lie apart."""
    return np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    """Area of the intersection of two boxes."""
    return float(np.prod(np.maximum(_sides(a, b), 0)))


def _over_union(shared: float, a: np.ndarray, b: np.ndarray) -> float:
    return shared / (_area(a) + _area(b) - shared)


def _around(a: np.ndarray, b: np.ndarray) -> float:
    """Area of the smallest box around both."""
    return float(np.prod(np.maximum(a[:2] + a[2:], b[:2] + b[2:]) - np.minimum(a[:2], b[:2])))


def _as_corners(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of boxes whose last two numbers are taken for the right and bottom edges."""
    w, h = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return w * h / (areas - w * h)


def _with_last_pixels(a: np.ndarray, b: np.ndarray) -> float:
    """IoU in whole pixels, each side one longer, as in VOC's code."""
    shared = float(np.prod(np.maximum(_sides(a, b) + 1, 0)))
    areas = [(box[2] + 1) * (box[3] + 1) for box in (a, b)]
    return shared / (sum(areas) - shared)


@check(
    "boxes.iou",
    reference=boxes.iou,
    mistakes={
        "your denominator is the area of one box: divide by the union, the area that both cover "
        "together": [
            lambda right, a, b: _shared(a, b) / _area(a),
            lambda right, a, b: _shared(a, b) / _area(b),
            lambda right, a, b: _shared(a, b) / min(_area(a), _area(b)),
            lambda right, a, b: _shared(a, b) / max(_area(a), _area(b)),
        ],
        "your union counts the shared part twice: |A| + |B| has it in both areas, so subtract it "
        "once": lambda right, a, b: _shared(a, b) / (_area(a) + _area(b)),
        "your value is Dice's coefficient, twice the shared area over |A| + |B|; the IoU divides "
        "the shared area by the union": (
            lambda right, a, b: 2 * _shared(a, b) / (_area(a) + _area(b))
        ),
        "your denominator is the box around both; the union is only what the two boxes cover, "
        "|A| + |B| − |A ∩ B|": lambda right, a, b: _shared(a, b) / _around(a, b),
        "you subtract the shared part twice: |A| + |B| has it twice, and the union once": (
            lambda right, a, b: _shared(a, b) / (_area(a) + _area(b) - 2 * _shared(a, b))
        ),
        "your union adds the shared part once more: |A| + |B| already has it twice, so subtract "
        "it": lambda right, a, b: _shared(a, b) / (_area(a) + _area(b) + _shared(a, b)),
        "your IoU is in percent; it should lie between 0 and 1": (
            lambda right, a, b: 100 * right(a, b)
        ),
        "your value is the shared area in square pixels: divide it by the union": (
            lambda right, a, b: _shared(a, b)
        ),
        "your value is 1 − IoU: it should be 1 where the boxes are equal": (
            lambda right, a, b: 1 - right(a, b)
        ),
        "your version takes w and h for the right and bottom edges: boxes are (x, y, w, h), so "
        "the right edge is x + w": lambda right, a, b: _as_corners(a, b),
        "your sides are a pixel too long: boxes are continuous, so the shared width is the right "
        "edge minus the left edge, without + 1": lambda right, a, b: _with_last_pixels(a, b),
        "two boxes that lie apart in x and in y have IoU 0, yours have more: a negative width "
        "times a negative height is positive, so clamp each side to 0 or more": (
            lambda right, a, b: _over_union(max(0.0, float(np.prod(_sides(a, b)))), a, b)
        ),
        "where two boxes lie apart in one direction alone, your shared area is negative: clamp both "
        "sides of the shared part to 0 or more": [
            lambda right, a, b: _over_union(float(np.prod(_sides(a, b))), a, b),
            lambda right, a, b: (
                _over_union(float(np.prod(_sides(a, b))), a, b) if max(_sides(a, b)) > 0 else 0.0
            ),
            lambda right, a, b: _over_union(_sides(a, b)[0] * max(_sides(a, b)[1], 0), a, b),
            lambda right, a, b: _over_union(_sides(a, b)[1] * max(_sides(a, b)[0], 0), a, b),
        ],
        "your sides are absolute values: where the shared part ends before it starts, there is "
        "none, so take 0": (
            lambda right, a, b: _over_union(float(np.prod(np.abs(_sides(a, b)))), a, b)
        ),
        "your IoU is rounded: keep all digits": [
            lambda right, a, b: np.round(right(a, b), 2),
            lambda right, a, b: np.round(right(a, b), 3),
        ],
    },
)
def examine_iou(answer, rng) -> None:
    """IoU of one pair of boxes."""
    a, b = random_boxes(rng, 12), random_boxes(rng, 12)
    b[:, :2] = a[:, :2] + rng.uniform(-0.5, 0.8, (12, 2)) * np.minimum(a[:, 2:], b[:, 2:])
    _compare_pairs(answer, a, b, "the IoU")  # all overlap in part
    for axis in (0, 1):
        beside = a.copy()
        beside[:, axis] += 1.5 * a[:, 2 + axis]
        beside[:, 1 - axis] += 0.3 * a[:, 3 - axis]
        tail = "; boxes that lie apart in x or in y alone have IoU 0 too: clamp each side"
        _compare_pairs(answer, beside[::2], a[::2], "the IoU", tail)
        _compare_pairs(answer, a[::2], beside[::2], "the IoU", tail)
    apart_both = a + np.column_stack([a[:, 2:] * rng.uniform(1.1, 1.6, (12, 2)), np.zeros((12, 2))])
    _compare_pairs(answer, a, apart_both, "the IoU", "; boxes that lie apart have IoU 0")
    inside = a * [1, 1, 0.5, 0.7] + np.column_stack([a[:, 2:] * [0.2, 0.1], np.zeros((12, 2))])
    _compare_pairs(answer, inside, a, "the IoU", "; one box is inside the other")
    _compare_pairs(answer, a, inside, "the IoU", "; one box is inside the other")
    _compare_pairs(answer, a, a, "the IoU", "; the boxes are equal")


def _offset(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """From the centre of b to the centre of a, (2,)."""
    return (a[:2] + a[2:] / 2) - (b[:2] + b[2:] / 2)


@check(
    "boxes.centre_error",
    reference=boxes.centre_error,
    mistakes={
        "a shift of (3, 4) gives 25 in your version: take the square root": (
            lambda right, a, b: right(a, b) ** 2
        ),
        "a shift of (3, 4) gives 7 in your version: that is the city-block distance; the error is "
        "the straight line, 5": lambda right, a, b: np.abs(_offset(a, b)).sum(),
        "a shift of (3, 4) gives 4 in your version: that is the larger of the two steps; the error "
        "is the straight line, 5": lambda right, a, b: np.abs(_offset(a, b)).max(),
        "two boxes with the same corner but other widths have distance 0 in your version: compare "
        "centres, not corners": lambda right, a, b: np.hypot(*(a[:2] - b[:2])),
        "your points are the bottom-right corners: the centre is half a width and half a height "
        "from the corner": lambda right, a, b: np.hypot(*(a[:2] + a[2:] - b[:2] - b[2:])),
        "your centre is (x + w)/2: w is a length, not the right edge, so add half of it to x": (
            lambda right, a, b: np.hypot(*(a[:2] + a[2:] - b[:2] - b[2:])) / 2
        ),
        "your distance counts differences of width and height as well: only the centres matter": [
            lambda right, a, b: np.linalg.norm(a - b),
            lambda right, a, b: np.linalg.norm([*_offset(a, b), *(a[2:] - b[2:])]),
        ],
        "your centre lies up and to the left of the corner: add half the size to it": (
            lambda right, a, b: np.hypot(*(a[:2] - a[2:] / 2 - b[:2] + b[2:] / 2))
        ),
        "your centre uses the width in both directions: it is y + h/2": (
            lambda right, a, b: np.hypot(*(_offset(a[[0, 1, 2, 2]], b[[0, 1, 2, 2]])))
        ),
        "your centre is x + h/2, y + w/2: the width goes with x, the height with y": (
            lambda right, a, b: np.hypot(*(_offset(a[[0, 1, 3, 2]], b[[0, 1, 3, 2]])))
        ),
        "your distance takes one direction only: use both, x and y": [
            lambda right, a, b: abs(_offset(a, b)[0]),
            lambda right, a, b: abs(_offset(a, b)[1]),
        ],
        "your distance is divided by the size of the box: the centre error is in pixels": [
            lambda right, a, b: np.hypot(*(_offset(a, b) / b[2:])),
            lambda right, a, b: np.hypot(*(_offset(a, b) / a[2:])),
            lambda right, a, b: right(a, b) / np.sqrt(_area(b)),
        ],
        "a shift of (3, 4) gives 3.54 in your version: you take the mean of the squares; take "
        "their sum": lambda right, a, b: right(a, b) / np.sqrt(2),
        "your centres are rounded to whole pixels: keep the fractions": [
            lambda right, a, b: np.hypot(*(np.trunc(_centre(a)) - np.trunc(_centre(b)))),
            lambda right, a, b: np.hypot(*(np.floor(_centre(a)) - np.floor(_centre(b)))),
            lambda right, a, b: np.hypot(*(np.round(_centre(a)) - np.round(_centre(b)))),
            lambda right, a, b: np.hypot(*(a[:2] + a[2:] // 2 - b[:2] - b[2:] // 2)),
        ],
    },
)
def examine_centre_error(answer, rng) -> None:
    """Centre distance of one pair of boxes."""
    a, b = random_boxes(rng, 12), random_boxes(rng, 12)
    _compare_pairs(answer, a, b, "the centre error")
    _compare_pairs(answer, a, a, "the centre error", "; the boxes are equal")


def _centre(box: np.ndarray) -> np.ndarray:
    return box[:2] + box[2:] / 2
