"""Check of lesson 01: intersection over union."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.lesson01 import compare_pairs
from course_lib.geometry import boxes


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


def _between(a: np.ndarray, b: np.ndarray, first: Any, last: Any) -> float:
    """Area between edges that are chosen otherwise, first of the left ones and last of the
    right."""
    sides = last(a[:2] + a[2:], b[:2] + b[2:]) - first(a[:2], b[:2])
    return float(np.prod(np.maximum(sides, 0)))


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
        "you subtract the shared part twice: |A| + |B| has it twice and the union once, so "
        "subtract it once": (
            lambda right, a, b: _shared(a, b) / (_area(a) + _area(b) - 2 * _shared(a, b))
        ),
        "your union adds the shared part once more: |A| + |B| already has it twice, so subtract "
        "it": lambda right, a, b: _shared(a, b) / (_area(a) + _area(b) + _shared(a, b)),
        "brackets are missing: `/` is applied before `+` and `−`, so put the whole union in "
        "brackets": [
            lambda right, a, b: _shared(a, b) / _area(a) + _area(b) - _shared(a, b),
            lambda right, a, b: _shared(a, b) / a[2] * a[3] + _area(b) - _shared(a, b),
        ],
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
        "the right edge is x + w": [
            lambda right, a, b: _as_corners(a, b),
            lambda right, a, b: _over_union(
                float(np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))),
                a,
                b,
            ),
        ],
        "your sides are a pixel too long: boxes are continuous, so the shared width is the right "
        "edge minus the left edge, without + 1": [
            lambda right, a, b: _with_last_pixels(a, b),
            lambda right, a, b: _over_union(float(np.prod(np.maximum(_sides(a, b) + 1, 0))), a, b),
        ],
        "your sides are a pixel too short: the right edge is x + w, not the last pixel, x + w − "
        "1": (
            lambda right, a, b: _over_union(float(np.prod(np.maximum(_sides(a, b) - 1, 0))), a, b)
        ),
        "the shared part starts at the *larger* of the two left edges and ends at the *smaller* of "
        "the two right edges; one of yours, or both, are the other way round": [
            lambda right, a, b: _over_union(_between(a, b, np.minimum, np.minimum), a, b),
            lambda right, a, b: _over_union(_between(a, b, np.maximum, np.maximum), a, b),
            lambda right, a, b: _over_union(_between(a, b, np.minimum, np.maximum), a, b),
        ],
        "your shared part reaches from the left edge of one box to the right edge of the other; "
        "which is which depends on the boxes": [
            lambda right, a, b: _over_union(
                float(np.prod(np.maximum(a[:2] + a[2:] - b[:2], 0))), a, b
            ),
            lambda right, a, b: _over_union(
                float(
                    np.prod(np.maximum(np.minimum(a[:2] + a[2:] - b[:2], b[:2] + b[2:] - a[:2]), 0))
                ),
                a,
                b,
            ),
        ],
        "an area is width times height of one box; yours mixes sides": [
            lambda right, a, b: _shared(a, b) / (a[2] * b[3] + b[2] * a[3] - _shared(a, b)),
            lambda right, a, b: _shared(a, b) / (a[2] ** 2 + b[2] ** 2 - _shared(a, b)),
            lambda right, a, b: _over_union(_shared(a[[0, 0, 2, 2]], b[[0, 0, 2, 2]]), a, b),
        ],
        "a box that lies inside another has an IoU of 1 in your version; it should be the smaller "
        "area over the larger": lambda right, a, b: (
            1.0 if np.isclose(_shared(a, b), min(_area(a), _area(b))) else right(a, b)
        ),
        "your value is the generalised IoU, below 0 for boxes that lie far apart; the IoU itself "
        "is asked for": (
            lambda right, a, b: (
                right(a, b) + (_area(a) + _area(b) - _shared(a, b)) / _around(a, b) - 1
            )
        ),
        "your value is the square root of the IoU": lambda right, a, b: right(a, b) ** 0.5,
        "your value is 1 wherever the boxes touch: divide the shared area by the union": (
            lambda right, a, b: float(_shared(a, b) > 0)
        ),
        "where a box reaches beyond the image (x or y below 0), the part outside counts as well": (
            lambda right, a, b: _over_union(
                float(
                    np.prod(
                        np.maximum(
                            np.minimum(a[:2] + a[2:], b[:2] + b[2:])
                            - np.maximum(np.maximum(a[:2], b[:2]), 0),
                            0,
                        )
                    )
                ),
                a,
                b,
            )
        ),
        "two boxes that lie apart in both x and y have IoU 0; yours is larger: a negative width "
        "times a negative height is positive, so clamp each side to 0 or more": (
            lambda right, a, b: _over_union(max(0.0, float(np.prod(_sides(a, b)))), a, b)
        ),
        "where two boxes lie apart in one direction alone, your shared area is negative: clamp "
        "both sides of the shared part to 0 or more": [
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
    """IoU of pairs of boxes that lie in every way to each other, all at once."""
    a, b = (np.round(4 * random_boxes(rng, 8)) / 4 for _ in "ab")  # exact sums and products
    a[0, :2] = -9.25, -4.5
    b[:, :2] = a[:, :2] + rng.uniform(-0.5, 0.8, (8, 2)) * np.minimum(a[:, 2:], b[:, 2:])
    pairs = [(a, b, "")]  # all overlap in part
    for axis in (0, 1):
        beside = a.copy()
        beside[:, axis] += 1.5 * a[:, 2 + axis]
        beside[:, 1 - axis] += 0.3 * a[:, 3 - axis]
        tail = "; boxes that lie apart in x or in y alone have IoU 0 too: clamp each side"
        pairs += [(beside[::2], a[::2], tail), (a[1::2], beside[1::2], tail)]
    away = a + np.column_stack([a[:, 2:] * rng.uniform(1.1, 1.6, (8, 2)), np.zeros((8, 2))])
    pairs.append((a, away, "; boxes that lie apart have IoU 0"))
    inside = a * [1, 1, 0.5, 0.75] + np.column_stack([a[:, 2:] * [0.25, 0.125], np.zeros((8, 2))])
    tail = "; one box is inside the other"
    pairs += [(inside[::2], a[::2], tail), (a[1::2], inside[1::2], tail)]
    first, second = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
    compare_pairs(answer, first, second, "the IoU", [t for p, _, t in pairs for _ in p])
    compare_pairs(answer, a, a, "the IoU", ["; the boxes are equal"] * len(a))
