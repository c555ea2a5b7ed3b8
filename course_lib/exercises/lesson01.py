"""Checks of lesson 01: corners of boxes, and the distance of their centres."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from course_lib.exercises.compare import apart, as_number, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.words import Wrong
from course_lib.geometry import boxes


def _by_columns(answer: Callable[..., Any], boxes: np.ndarray) -> Any:
    """The corners; Wrong if four names are to take a value of each box."""
    n = len(boxes)
    unpacked = (  # Python's words about four names, up to 3.13 and since, and about `f(*boxes)`
        rf"unpack \(expected 4(?!, got)|expected 4, got {n}\)|"
        rf"\(\) takes 4 positional arguments but {n} were given"
    )
    try:
        return answer(boxes)
    except (ValueError, TypeError) as problem:
        if not re.search(unpacked, str(problem)):
            raise
        raise Wrong(
            f"your code unpacks {n} values into x, y, w, h ({problem}). The array has a row of "
            f"four numbers for each of the {n} boxes: `for x, y, w, h in boxes` goes box by box; "
            "the columns are `boxes.T`, as in `x, y, w, h = boxes.T`"
        ) from None


@check(
    "boxes.corners",
    reference=boxes.to_corners,
    mistakes={
        "your right and bottom edges lie one pixel too far in: x2 is x + w here, not the last "
        "pixel x + w − 1": lambda right, b: right(b) - [0, 0, 1, 1],
        "your right and bottom edges lie one pixel too far out: x2 is x + w": (
            lambda right, b: right(b) + [0, 0, 1, 1]
        ),
        "your result is the boxes as they are: the last two columns are still width and height": [
            lambda right, b: b,
            lambda right, b: np.column_stack([right(b)[:, :3], b[:, 3]]),
            lambda right, b: np.column_stack([b[:, :3], right(b)[:, 3]]),
        ],
        "your columns are y1, x1, y2, x2: x comes first": lambda right, b: right(b)[
            :, [1, 0, 3, 2]
        ],
        "your bottom edge is computed from x or from w: y2 is y + h": [
            lambda right, b: np.column_stack([right(b)[:, :3], b[:, 0] + b[:, 3]]),
            lambda right, b: np.column_stack([right(b)[:, :3], b[:, 1] + b[:, 2]]),
        ],
        "x and y are the top-left corner, not the centre: keep them, and add the whole size": (
            lambda right, b: np.column_stack([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2])
        ),
        "the size is added to the corner: the right edge lies to the right of it": (
            lambda right, b: np.column_stack([b[:, :2], b[:, :2] - b[:, 2:]])
        ),
        "each box has its own size; you take that of the first one": (
            lambda right, b: np.column_stack([b[:, :2], b[:, :2] + b[0, 2:]])
        ),
        "your edges are never below 0; a box may reach beyond the image": (
            lambda right, b: np.maximum(right(b), 0)
        ),
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
        "your last two columns subtract the corner: boxes have a width and a height, so add them "
        "to the corner": lambda right, b: np.column_stack([b[:, :2], b[:, 2:] - b[:, :2]]),
        "your edges are rounded to whole pixels: boxes are continuous, so keep the fractions": [
            lambda right, b: right(b).astype(int),
            lambda right, b: np.round(right(b)),
        ],
        "you return the corners of one box; expected a row for each box, here ({0.shape[0]}, 4), "
        "even if there is only one": [
            lambda right, b: np.squeeze(right(b)),
            lambda right, b: right(b)[0],
            lambda right, b: right(b)[-1],
            lambda right, b: right(b)[:1],
        ],
        "your result has a row for each edge and a column for each box: it is transposed": (
            lambda right, b: right(b).T
        ),
    },
    others={
        "columns are": lambda right, b: right(b) - right(b)[:, [0, 1, 0, 1]],
        "the columns are `boxes.T`": [
            lambda right, b: (lambda x, y, w, h: [x, y, x + w, y + h])(*b),
            lambda right, b: [[x, y, x + w, y + h] for x, y, w, h in b.T],
        ],
    },
)
def examine_corners(answer, rng) -> None:
    """(T, 4) boxes as (x1, y1, x2, y2)."""
    for count in (6, 1, 4):
        boxes = random_boxes(rng, count)
        boxes[-1, :2] = -8.5, -3.25  # reaches beyond the image
        answer.compare(
            (boxes,),
            f"for {count} box{'es' if count > 1 else ''} the result",
            (count, 4),
            call=_by_columns,
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


def compare_pairs(
    answer: Any, a: np.ndarray, b: np.ndarray, what: str, after: Sequence[str] = ()
) -> None:
    """Compare a number of two boxes on many pairs.

    Args:
        answer: on trial.
        a, b: (N, 4) the boxes.
        what: name of the number.
        after: N endings for the message, which names the first pair that differs.
    """

    def first_pair(given: np.ndarray, right: np.ndarray) -> str:
        n = int(np.argmax(np.abs(given - right) > 1e-6))
        mine, theirs = apart(given[n], right[n])
        pair = " and ".join(str(np.round(box, 2).tolist()) for box in (a[n], b[n]))
        return f"{what} of {pair} is {mine}, expected {theirs}{after[n] if after else ''}"

    answer.compare((a, b), what, (len(a),), call=_of_each_pair, otherwise=first_pair)


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
        "brackets are missing: a − b − … subtracts b's corner alone, and adds its half size; "
        "subtract all of b's centre": lambda right, a, b: np.hypot(
            *(a[:2] + a[2:] / 2 - b[:2] + b[2:] / 2)
        ),
        "you add the centres: subtract one from the other": [
            lambda right, a, b: np.hypot(*(_centre(a) + _centre(b))),
            lambda right, a, b: np.hypot(*(_centre(a) + _centre(b) * [1, -1])),
            lambda right, a, b: np.hypot(*(_centre(a) + _centre(b) * [-1, 1])),
        ],
        "you add the two steps: the length of the vector (dx, dy) is √(dx² + dy²), np.hypot(dx, "
        "dy)": [
            lambda right, a, b: _offset(a, b).sum(),
            lambda right, a, b: abs(_offset(a, b).sum()),
        ],
        "in one direction you take the corner; both need the centre": [
            lambda right, a, b: np.hypot(_offset(a, b)[0], a[1] - b[1]),
            lambda right, a, b: np.hypot(a[0] - b[0], _offset(a, b)[1]),
        ],
        "your distance is negative or has a sign: it is a length": [
            lambda right, a, b: np.sign(_offset(a, b)[0]) * right(a, b),
            lambda right, a, b: -right(a, b),
        ],
        "your error is rounded to whole pixels: keep the fraction": [
            lambda right, a, b: np.round(right(a, b)),
            lambda right, a, b: np.floor(right(a, b)),
        ],
        "your error is capped: return the whole distance, however large": (
            lambda right, a, b: min(right(a, b), 50.0)
        ),
        "one of the two directions is counted twice, the other not at all": [
            lambda right, a, b: right(a[[0, 0, 2, 3]], b[[0, 0, 2, 3]]),
            lambda right, a, b: right(a[[1, 1, 2, 3]], b[[1, 1, 2, 3]]),
        ],
        "your distance takes one direction only: use both, x and y": [
            lambda right, a, b: abs(_offset(a, b)[0]),
            lambda right, a, b: abs(_offset(a, b)[1]),
        ],
        "your distance is divided by the size of the box: the centre error is in pixels": [
            lambda right, a, b: np.hypot(*(_offset(a, b) / b[2:])),
            lambda right, a, b: np.hypot(*(_offset(a, b) / a[2:])),
            lambda right, a, b: right(a, b) / np.sqrt(b[2] * b[3]),
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
    compare_pairs(answer, a, b, "the centre error")
    compare_pairs(answer, a, a, "the centre error", ["; the boxes are equal"] * len(a))


def _centre(box: np.ndarray) -> np.ndarray:
    return box[:2] + box[2:] / 2
