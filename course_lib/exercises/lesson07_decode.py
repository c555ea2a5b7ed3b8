"""Check of lesson 07: boxes from offsets."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import same
from course_lib.exercises.core import check
from course_lib.exercises.lesson07_offsets import GROWTH, SHIFT, all_pairs, furthest
from course_lib.geometry import anchors


def _decoded(right, o, a, centre) -> np.ndarray:
    """Boxes of the right sizes at other places.

    Args:
        right: the reference.
        o, a: offsets and anchors (N, 4).
        centre: (o, a, size) → (N, 2).
    """
    size = right(o, a)[:, 2:]
    return np.c_[centre(o, a, size) - size / 2, size]


def _limited(right, o, a, most: float) -> np.ndarray:
    """Boxes that grow by no more than exp(most).

    Args:
        right: the reference.
        o, a: offsets and anchors (N, 4).
        most: the limit of dw and dh.
    """
    return _decoded(
        lambda o, a: right(np.c_[o[:, :2], o[:, 2:].clip(-most, most)], a),
        *(o, a, lambda o, a, s: a[:, :2] + a[:, 2:] / 2 + o[:, :2] * a[:, 2:]),
    )


def _moved_in(unit, start=lambda a: a[:, :2] + a[:, 2:] / 2):
    """A mistake: dx, dy are measured in other sizes, (anchors) → unit, or from other centres."""
    return lambda right, o, a: _decoded(right, o, a, lambda o, a, s: start(a) + o[:, :2] * unit(a))


def _wrong_boxes(given, right) -> str:
    """The message for decoded boxes (N, 4) that no known mistake makes."""
    said = furthest(given, right, ("x", "y", "w", "h"))
    if same(given[GROWTH], right[GROWTH]):
        return (
            f"your sizes are right, the positions are not: {said}. Centre first, in sizes of the "
            "anchor, then the corner with the new size"
        )
    return f"{said}; decode(encode(box)) must be the box"


@check(
    "anchors.decode",
    reference=anchors.decode,
    mistakes={
        "your result has shape {shape}; one row for each box: join along axis 1": [
            lambda right, o, a: right(o, a).T,
            lambda right, o, a: np.concatenate([right(o, a)[:, :2], right(o, a)[:, 2:]]),
        ],
        "you return the size first; a box is x, y, w, h": (
            lambda right, o, a: right(o, a)[:, [2, 3, 0, 1]]
        ),
        "you return two corners; a box is one corner and its size, x, y, w, h": (
            lambda right, o, a: np.c_[right(o, a)[:, :2], right(o, a)[:, :2] + right(o, a)[:, 2:]]
        ),
        "you return the centre where the corner belongs: x = cx − w / 2": lambda right, o, a: (
            right(o, a) + np.c_[right(o, a)[:, 2:] / 2, np.zeros((len(o), 2))]
        ),
        "dw and dh are logarithms: the sizes are the anchor's times exp of them": [
            (GROWTH, lambda right, o, a: a * (1 + o)),
            (GROWTH, lambda right, o, a: a * o),
            (GROWTH, lambda right, o, a: a + o),
        ],
        "exp of dw and dh is a factor; multiply the anchor's size by it": [
            (GROWTH, lambda right, o, a: np.exp(o)),
            (GROWTH, lambda right, o, a: a + np.exp(o)),
        ],
        "your sizes shrink where they should grow: exp(dw), not exp(−dw)": (
            GROWTH,
            lambda right, o, a: a * np.exp(-o),
        ),
        "the logarithm was the natural one; its inverse is np.exp": [
            (GROWTH, lambda right, o, a: a * 2**o),
            (GROWTH, lambda right, o, a: a * 10**o),
        ],
        "your width grows by dh and your height by dw; dw belongs to the width": (
            GROWTH,
            lambda right, o, a: a * np.exp(o[:, [0, 1, 3, 2]]),
        ),
        "your corner moves by dx and dy alone, as if the box kept the anchor's size: it lies half "
        "the new size before the centre": (
            lambda right, o, a: _decoded(
                right, o, a, lambda o, a, s: a[:, :2] + o[:, :2] * a[:, 2:] + s / 2
            )
        ),
        "dx and dy are in sizes of the anchor; you multiply them by the new size": (
            lambda right, o, a: _decoded(
                right, o, a, lambda o, a, s: a[:, :2] + a[:, 2:] / 2 + o[:, :2] * s
            )
        ),
        "dx and dy are in sizes of the anchor, not in pixels: multiply by its width and height": (
            lambda right, o, a: _decoded(
                right, o, a, lambda o, a, s: a[:, :2] + a[:, 2:] / 2 + o[:, :2]
            )
        ),
        "your centre starts from the anchor's corner; it starts from the anchor's centre": (
            lambda right, o, a: _decoded(
                right, o, a, lambda o, a, s: a[:, :2] + o[:, :2] * a[:, 2:]
            )
        ),
        "x + w is the anchor's right edge; its centre is x + w / 2": lambda right, o, a: _decoded(
            right, o, a, lambda o, a, s: a[:, :2] + a[:, 2:] + o[:, :2] * a[:, 2:]
        ),
        "your boxes move the wrong way: dx and dy lead from the anchor to the box": (
            lambda right, o, a: _decoded(
                right, o, a, lambda o, a, s: a[:, :2] + a[:, 2:] / 2 - o[:, :2] * a[:, 2:]
            )
        ),
        "you add half the size to the centre; the corner is half the size before it": (
            lambda right, o, a: right(o, a) + np.c_[right(o, a)[:, 2:], 0 * o[:, 2:]]
        ),
        "dx is in widths of the anchor and dy in heights; yours are not": [
            _moved_in(lambda a: a[:, 2:3]),
            _moved_in(lambda a: a[:, :1:-1]),
            _moved_in(lambda a: 64.0),
        ],
        "you place all boxes by the first anchor; each has its own anchor": [
            (SHIFT, lambda right, o, a: right(o, np.repeat(a[:1], len(a), 0))),
            (GROWTH, lambda right, o, a: right(o, np.repeat(a[:1], len(a), 0))),
            _moved_in(lambda a: a[:1, 2:], lambda a: a[:1, :2] + a[:1, 2:] / 2),
        ],
        "the width and the height of your boxes are swapped": lambda right, o, a: np.c_[
            right(o, a)[:, :2], right(o, a)[:, :1:-1]
        ],
        "you halve the size to whole pixels: // 2; the corner is the centre − size / 2": (
            lambda right, o, a: right(o, a) + np.c_[right(o, a)[:, 2:] / 2 % 1, 0 * o[:, 2:]]
        ),
        "a box of w pixels around cx starts at cx − w / 2, not half a pixel later": (
            lambda right, o, a: right(o, a) + [0.5, 0.5, 0, 0]
        ),
        "your boxes are rounded; a box may lie between pixels": (
            lambda right, o, a: np.round(right(o, a))
        ),
        "expm1 is exp − 1: an offset of 0 would be a box without area": (
            GROWTH,
            lambda right, o, a: a * np.expm1(o),
        ),
        "SSD multiplies by variances, 0.1 and 0.2; here offsets are as they are": (
            lambda right, o, a: right(o * [0.1, 0.1, 0.2, 0.2], a)
        ),
        "your boxes grow by dx and dy; dw and dh are the columns 2 and 3": (
            GROWTH,
            lambda right, o, a: np.c_[a[:, :2], a[:, 2:] * np.exp(o[:, :2])],
        ),
        "your boxes are limited: a box may be small or large, and lie outside the image": [
            lambda right, o, a: np.c_[right(o, a)[:, :2].clip(0), right(o, a)[:, 2:]],
            lambda right, o, a: np.c_[right(o, a)[:, :2].clip(None, 255), right(o, a)[:, 2:]],
            (GROWTH, lambda right, o, a: right(o, a).clip(1)),
            lambda right, o, a: _limited(right, o, a, 1),
            lambda right, o, a: _limited(right, o, a, 4),
        ],
        "x = cx − w is too far; the corner is half the width from the centre": (
            lambda right, o, a: right(o, a) - np.c_[right(o, a)[:, 2:] / 2, np.zeros((len(o), 2))]
        ),
    },
    others={
        "the positions are not": lambda right, o, a: right(o, a) + [3.0, 0, 0, 0],
        "must be the box": lambda right, o, a: right(o, a) * [1, 1, 1, 1.1],
    },
)
def examine_decode(answer, rng) -> None:
    """Boxes from offsets."""
    for boxes, at in all_pairs(rng):
        inputs = anchors.encode(boxes, at), at
        answer.compare(inputs, "your result", boxes.shape, otherwise=_wrong_boxes)
