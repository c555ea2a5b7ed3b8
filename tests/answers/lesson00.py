"""Right answers of lesson 00 in other styles."""

from __future__ import annotations

import numpy as np


def as_list(box):
    """Element by element, as a list."""
    x, y, w, h = box
    return [x + w / 2, y + h / 2, w, h]


def by_matrix(box):
    """As one product."""
    return np.array([[1, 0, 0.5, 0], [0, 1, 0, 0.5], [0, 0, 1, 0], [0, 0, 0, 1]]) @ box


def of_a_copy(box):
    """In a copy."""
    centre = np.array(box, dtype=float)
    centre[:2] += centre[2:] / 2
    return centre


RIGHT = {"welcome.centre": [as_list, by_matrix, of_a_copy]}
RANDOM: set[str] = set()
