"""Check of lesson 00: the warm-up."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.geometry import boxes


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes (count, 4) whose four numbers all differ, with sides from 1 to 80 px."""
    return np.column_stack([rng.uniform(-20, 200, (count, 2)), rng.uniform(1, 80, (count, 2))])


KEPT = np.zeros(4)


def _into(kept: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The same array each time, with other values."""
    kept[:] = values
    return kept


@check(
    "welcome.centre",
    reference=boxes.to_centre,
    mistakes={
        "your point is the bottom-right corner: the centre lies half a width and half a height "
        "away": lambda right, b: [b[0] + b[2], b[1] + b[3], b[2], b[3]],
        "your centre is half a pixel up and to the left. Boxes here are continuous: (0, 0, 2, 2) "
        "covers two whole pixels each way, and its centre is (1, 1), not (0.5, 0.5)": (
            lambda right, b: right(b) - [0.5, 0.5, 0, 0]
        ),
        "your width and height are swapped: x goes with w, y goes with h": [
            lambda right, b: [b[0] + b[3] / 2, b[1] + b[2] / 2, b[2], b[3]],
            lambda right, b: right(b)[[0, 1, 3, 2]],
            lambda right, b: [b[0] + b[3] / 2, b[1] + b[2] / 2, b[3], b[2]],
        ],
        "your point lies up and to the left of the corner: the centre is inside the box, so add "
        "half the size": lambda right, b: [b[0] - b[2] / 2, b[1] - b[3] / 2, b[2], b[3]],
        "your width and height are halved: from the corner to the centre is half of them, but the "
        "box keeps its whole size": lambda right, b: right(b) / [1, 1, 2, 2],
        "your centre is on a whole pixel: coordinates are continuous, so keep the fraction (`/`, "
        "not `//` or `int`)": [
            lambda right, b: [*np.floor(right(b)[:2]), b[2], b[3]],
            lambda right, b: [*np.round(right(b)[:2]), b[2], b[3]],
            lambda right, b: [*np.trunc(right(b)[:2]), b[2], b[3]],
        ],
        "your half sizes are rounded down: use `/`; `//` drops the fraction": (
            lambda right, b: [b[0] + b[2] // 2, b[1] + b[3] // 2, b[2], b[3]]
        ),
        "all four of your numbers are rounded to whole pixels: coordinates are continuous, so "
        "keep the fractions": [
            lambda right, b: np.trunc(right(b)),
            lambda right, b: np.floor(right(b)),
            lambda right, b: np.round(right(b)),
        ],
        "where the box holds whole numbers your centre has lost its fraction: an array of integers "
        "cuts off what is written into it": lambda right, b: right(b).astype(b.dtype),
        "your result is the box itself: its first two numbers are still the corner": (
            lambda right, b: b
        ),
        "one of your first two numbers is still the corner's: both directions count": [
            lambda right, b: [right(b)[0], *b[1:]],
            lambda right, b: [b[0], *right(b)[1:]],
        ],
        "your centre is halfway between the corner and the size, (x + w)/2: w is a length, not the "
        "right edge, so add half of it to x": [
            lambda right, b: [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2], b[3]],
            lambda right, b: [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]],
        ],
        "your centre uses the width in both directions: it is y + h/2": (
            lambda right, b: [b[0] + b[2] / 2, b[1] + b[2] / 2, b[2], b[3]]
        ),
        "your last two numbers are the right and bottom edges: width and height do not change": (
            lambda right, b: [*right(b)[:2], b[0] + b[2], b[1] + b[3]]
        ),
        "your centre is (cy, cx): x comes first": lambda right, b: right(b)[[1, 0, 2, 3]],
        "your numbers are never below 0, but the centre of a box beyond the edge of the image may "
        "be": [
            lambda right, b: np.maximum(right(b), 0),
            lambda right, b: np.abs(right(b)),
        ],
        "your function returns the same array each time and writes the next box into it: make a "
        "new one": lambda right, b: _into(KEPT, right(b)),
    },
    others={"shape (2,)": lambda right, b: right(b)[:2]},
)
def examine_centre(answer, rng) -> None:
    """(x, y, w, h) → (cx, cy, w, h), of several boxes at once: with fractions, of whole numbers,
    and beyond the edge of the image."""
    every = [*random_boxes(rng, 5), np.array([-60.5, 20.25, 31.5, 9.5])]
    every += [np.array([30.5, -44.75, 20.5, 33.0]), np.array([10, 21, 5, 8])]

    def asked(f, *boxes):
        return [f(box) for box in boxes]

    def read(given) -> tuple[np.ndarray, ...]:
        return tuple(as_array(row, (4,), "the result") for row in given)

    names = tuple(f"for the box {np.round(box, 2).tolist()} your (cx, cy, w, h)" for box in every)
    answer.compare(tuple(every), names, read, call=asked)
