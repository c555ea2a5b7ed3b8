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
        "width and height are swapped: x goes with w, y goes with h": (
            lambda right, b: [b[0] + b[3] / 2, b[1] + b[2] / 2, b[2], b[3]]
        ),
    },
    others={"shape (2,)": lambda right, b: right(b)[:2]},
)
def examine_centre(answer, rng) -> None:
    """(x, y, w, h) → (cx, cy, w, h)."""
    for box in random_boxes(rng, 5):
        named = f"for the box {np.round(box, 1).tolist()} your (cx, cy, w, h)"
        answer.compare((box,), "the result", (4,), named=named)
