"""Check of lesson 00: the warm-up."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.core import check
from course_lib.geometry import boxes


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes (count, 4) whose four numbers all differ, with sides from 1 to 80 px."""
    return np.column_stack([rng.uniform(-20, 200, (count, 2)), rng.uniform(1, 80, (count, 2))])


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
        "your width and height are halved: only the way from the corner to the centre is half of "
        "them, the box stays as large as it is": lambda right, b: right(b) / [1, 1, 2, 2],
        "your centre is on a whole pixel: coordinates are continuous, so keep the fraction (`/`, "
        "not `//` or `int`)": [
            lambda right, b: np.floor(right(b)) * [1, 1, 0, 0] + right(b) * [0, 0, 1, 1],
            lambda right, b: np.round(right(b)) * [1, 1, 0, 0] + right(b) * [0, 0, 1, 1],
            lambda right, b: np.trunc(right(b)) * [1, 1, 0, 0] + right(b) * [0, 0, 1, 1],
        ],
        "half a size is rounded down in your version: use `/`; `//` drops the fraction": (
            lambda right, b: [b[0] + b[2] // 2, b[1] + b[3] // 2, b[2], b[3]]
        ),
        "all four of your numbers are rounded to whole pixels: coordinates are continuous, so "
        "keep the fractions": [
            lambda right, b: np.trunc(right(b)),
            lambda right, b: np.floor(right(b)),
            lambda right, b: np.round(right(b)),
        ],
        "your result is the box itself: its first two numbers are still the corner": (
            lambda right, b: b
        ),
        "your centre is halfway between the corner and the size, (x + w)/2: w is a length, not the "
        "right edge, so add half of it to x": (
            lambda right, b: [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2], b[3]]
        ),
        "your centre uses the width in both directions: it is y + h/2": (
            lambda right, b: [b[0] + b[2] / 2, b[1] + b[2] / 2, b[2], b[3]]
        ),
        "your last two numbers are the right and bottom edges: width and height do not change": (
            lambda right, b: [*right(b)[:2], b[0] + b[2], b[1] + b[3]]
        ),
        "your centre is (cy, cx): x comes first": lambda right, b: right(b)[[1, 0, 2, 3]],
    },
    others={"shape (2,)": lambda right, b: right(b)[:2]},
)
def examine_centre(answer, rng) -> None:
    """(x, y, w, h) → (cx, cy, w, h)."""
    for box in random_boxes(rng, 5):
        named = f"for the box {np.round(box, 1).tolist()} your (cx, cy, w, h)"
        answer.compare((box,), "the result", (4,), named=named)
