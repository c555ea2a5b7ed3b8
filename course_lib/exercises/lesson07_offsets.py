"""Check of lesson 07: offsets of boxes from anchors."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from course_lib.exercises.compare import apart, same
from course_lib.exercises.core import check
from course_lib.geometry import anchors

SHIFT, GROWTH = np.s_[:, :2], np.s_[:, 2:]  # the half of the four by which a mistake is known


def _random_pairs(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n boxes and n anchors (n, 4)."""
    pair = [
        np.concatenate([rng.uniform(0, 150, (n, 2)), rng.uniform(20, 120, (n, 2))], 1)
        for _ in range(2)
    ]
    return pair[0], pair[1]


def all_pairs(rng) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of boxes and anchors (n, 4): ordinary ones, a single one, and some that are tiny, huge,
    far outside the image, or equal."""
    boxes, at = _random_pairs(rng, 6)
    boxes[:, 2:] = 10 ** rng.uniform(-0.5, 2.9, (6, 2))
    boxes[0, 2:], boxes[1, 2:] = (0.4, 0.3), (900, 700)
    boxes[:4, :2] = rng.uniform(-900, 900, (4, 2))
    boxes[2, :2], boxes[3, :2] = (-400, -300), (700, 600)
    boxes[4] = at[4]
    return [_random_pairs(rng, 7), _random_pairs(rng, 1), (boxes, at)]


def furthest(given, right, names: tuple[str, ...]) -> str:
    """Names the number that is furthest from the right one, in arrays (N, 4)."""
    row, column = np.unravel_index(np.abs(given - right).argmax(), right.shape)
    mine, wanted = apart(given[row, column], right[row, column])
    return f"{names[column]} of row {row} is {mine}, expected {wanted}"


CENTRE, CORNER = 0.5, 0  # where a point lies in a box, in sizes from its corner


def _shift(of_box: float, of_anchor: float) -> tuple:
    """A mistake in dx, dy: they lead to and from other points than the centres.

    Args:
        of_box, of_anchor: where the points lie, in sizes of the box from its corner.
    """

    def code(right, b, a):
        to, start = b[:, :2] + of_box * b[:, 2:], a[:, :2] + of_anchor * a[:, 2:]
        return np.c_[(to - start) / a[:, 2:], right(b, a)[:, 2:]]

    return SHIFT, code


def _floored(right, b, a) -> np.ndarray:
    """Offsets between centres whose halves are rounded down."""
    to, start = (v[:, :2] + v[:, 2:] // 2 for v in (b, a))
    return np.c_[(to - start) / a[:, 2:], right(b, a)[:, 2:]]


def _wrong_offsets(given, right) -> str:
    """The message for offsets (N, 4) that no known mistake makes."""
    for order in permutations(range(4)):
        if same(given, right[:, order]):
            order = ", ".join(("dx", "dy", "dw", "dh")[i] for i in order)
            return (
                f"your four numbers are right, their order is not: {order}, expected dx, dy, dw, dh"
            )
    said = furthest(given, right, ("dx", "dy", "dw", "dh"))
    if same(given[SHIFT], right[SHIFT]):
        return f"your dx, dy are right, your dw, dh are not: {said}"
    if same(given[GROWTH], right[GROWTH]):
        return f"your dw, dh are right, your dx, dy are not: {said}"
    return said


@check(
    "anchors.encode",
    reference=anchors.encode,
    mistakes={
        "your result has shape {shape}; one row for each box: join along axis 1": [
            lambda right, b, a: right(b, a).T,
            lambda right, b, a: np.concatenate([right(b, a)[:, :2], right(b, a)[:, 2:]]),
        ],
        "your offsets lead from the box to the anchor; reverse them": (
            lambda right, b, a: -right(b, a)
        ),
        "box and anchor are swapped: offsets are measured in sizes of the anchor": (
            lambda right, b, a: right(a, b)
        ),
        "SSD divides its offsets by variances, 0.1 and 0.2; here they stay as they are": (
            lambda right, b, a: right(b, a, anchors.SSD_VARIANCES)
        ),
        "your dx, dy lead from corner to corner; they lead from centre to centre": _shift(
            CORNER, CORNER
        ),
        "your dx, dy lead to the box's corner; they lead to its centre": _shift(CORNER, CENTRE),
        "your dx, dy lead from the anchor's corner; they lead from its centre": _shift(
            CENTRE, CORNER
        ),
        "x + w is the right edge, not the centre; that is x + w / 2": [
            _shift(1, 1),
            _shift(1, CENTRE),
            _shift(CENTRE, 1),
        ],
        "x − w / 2 leads away from the centre; that is x + w / 2": [
            _shift(-0.5, -0.5),
            _shift(-0.5, CENTRE),
            _shift(CENTRE, -0.5),
        ],
        "you halve w and h to whole pixels: // 2; the centre is x + w / 2": (SHIFT, _floored),
        "your dx, dy are in pixels; divide by the anchor's width and height": (
            SHIFT,
            lambda right, b, a: right(b, a) * np.c_[a[:, 2:], np.ones((len(a), 2))],
        ),
        "your dx, dy are divided by the box's width and height; divide by the anchor's": (
            SHIFT,
            lambda right, b, a: right(b, a) * np.c_[a[:, 2:] / b[:, 2:], np.ones((len(a), 2))],
        ),
        "your dy is divided by the anchor's width; divide by its height": (
            SHIFT,
            lambda right, b, a: (
                right(b, a) * np.c_[np.ones(len(a)), a[:, 3:] / a[:, 2:3], a[:, :2]]
            ),
        ),
        "dx belongs to the anchor's width and dy to its height; yours are the other way round": (
            SHIFT,
            lambda right, b, a: np.c_[
                right(b, a)[:, :2] * a[:, 2:] / a[:, :1:-1], right(b, a)[:, 2:]
            ],
        ),
        "your dx, dy are divided by one number for both; dx by the anchor's width, dy by its "
        "height": [
            (
                SHIFT,
                lambda right, b, a: np.c_[
                    right(b, a)[:, :2] * a[:, 2:] / np.sqrt(a[:, 2:].prod(1, keepdims=True)),
                    right(b, a)[:, 2:],
                ],
            ),
            (
                SHIFT,
                lambda right, b, a: np.c_[right(b, a)[:, :2] * a[:, 2:] / 64, right(b, a)[:, 2:]],
            ),
        ],
        "your offsets are those from the first anchor for all; each box has its own": [
            (SHIFT, lambda right, b, a: right(b, np.repeat(a[:1], len(a), 0))),
            (GROWTH, lambda right, b, a: right(b, np.repeat(a[:1], len(a), 0))),
        ],
        "(x + w) / 2 is no centre: w is a width, not the right edge; the centre is x + w / 2": (
            SHIFT,
            lambda right, b, a: right(b, a) - np.c_[(b - a)[:, :2] / 2 / a[:, 2:], 0 * a[:, 2:]],
        ),
        "a box of w pixels from x ends at x + w, so its centre is x + w / 2, not half a pixel "
        "less": [
            (SHIFT, lambda right, b, a: right(b - [0.5, 0.5, 0, 0], a)),
            (SHIFT, lambda right, b, a: right(b, a - [0.5, 0.5, 0, 0])),
        ],
        "your offsets have limits; a box may be far from its anchor, or of quite another size": [
            (SHIFT, lambda right, b, a: right(b, a).clip(-1, 1)),
            (GROWTH, lambda right, b, a: right(b, a).clip(-1, 1)),
            (GROWTH, lambda right, b, a: right(b, a).clip(-4, 4)),
            (GROWTH, lambda right, b, a: right(np.c_[b[:, :2], b[:, 2:].clip(1)], a)),
        ],
        "log w / log w_a is not the logarithm of the ratio: that is log(w / w_a)": (
            GROWTH,
            lambda right, b, a: np.c_[b[:, :2], np.log(b[:, 2:]) / np.log(a[:, 2:])],
        ),
        "your dx, dy lead from the box to the anchor; reverse them": (
            SHIFT,
            lambda right, b, a: right(b, a) * [-1, -1, 1, 1],
        ),
        "the logarithm of the two size ratios is missing: without it a network could answer with a "
        "negative width": [
            (GROWTH, lambda right, b, a: b / a),
            (GROWTH, lambda right, b, a: b / a - 1),
        ],
        "your dw, dh are the logarithm of the size; it is that of the size over the anchor's": (
            GROWTH,
            lambda right, b, a: np.log(b + 1e-9),
        ),
        "your dw, dh are log(w_a / w), log(h_a / h); the box's size comes first": (
            GROWTH,
            lambda right, b, a: right(b, a) * [1, 1, -1, -1],
        ),
        "your logarithm is not the natural one: np.log": [
            (GROWTH, lambda right, b, a: right(b, a) / np.log(2)),
            (GROWTH, lambda right, b, a: right(b, a) / np.log(10)),
        ],
        "log1p is log(1 + q): a box as large as its anchor then has an offset of log 2, not 0": (
            GROWTH,
            lambda right, b, a: np.log1p(b / a),
        ),
    },
    others={
        "their order is not": [
            lambda right, b, a: right(b, a)[:, [0, 2, 1, 3]],
            lambda right, b, a: right(b, a)[:, [2, 3, 0, 1]],
            lambda right, b, a: right(b, a)[:, [1, 0, 3, 2]],
        ],
        "your dx, dy are not": lambda right, b, a: right(b, a) * [2, 1, 1, 1],
        "your dw, dh are not": lambda right, b, a: right(b, a) * [1, 1, 1, 2],
    },
)
def examine_encode(answer, rng) -> None:
    """Offsets of boxes from anchors."""
    for boxes, at in all_pairs(rng):
        answer.compare((boxes, at), "your result", boxes.shape, otherwise=_wrong_offsets)
