"""Checks of lesson 00: the warm-up."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.compare import as_array, require_close, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import boxes


def random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes (count, 4) whose four numbers all differ, with sides from 1 to 80 px."""
    return np.column_stack([rng.uniform(-20, 200, (count, 2)), rng.uniform(1, 80, (count, 2))])


@check("welcome.centre", reference=boxes.to_centre)
def examine_centre(answer, reference, rng) -> None:
    """(x, y, w, h) → (cx, cy, w, h)."""
    for box in random_boxes(rng, 5):
        kept = box.copy()
        given = answer(box)
        require_untouched(kept, box, "the box")
        given = as_array(given, (4,), "the result")
        x, y, w, h = kept
        if same(given, [x + w, y + h, w, h]):
            raise Wrong(
                "your point is the bottom-right corner: the centre lies half a width and half a "
                "height away"
            )
        if same(given, [x + (w - 1) / 2, y + (h - 1) / 2, w, h]):
            raise Wrong(
                "your centre is half a pixel up and to the left. Boxes here are continuous: "
                "(0, 0, 2, 2) covers two whole pixels each way, and its centre is (1, 1), not "
                "(0.5, 0.5)"
            )
        if same(given, [x + h / 2, y + w / 2, w, h]):
            raise Wrong("width and height are exchanged: x goes with w, y goes with h")
        require_close(
            given, reference(kept), f"for the box {np.round(kept, 1).tolist()} your (cx, cy, w, h)"
        )
