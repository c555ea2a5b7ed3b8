"""Check of lesson 11, first part: labels with a ring."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.losses import pair_labels


def ring_labels(size: int, stride: float, radius: float, ring: float) -> Tensor:
    """Labels of a target at the centre: 1, 0 in the ring around it, −1.

    Args:
        size: the map has size × size cells.
        stride: pixels from cell to cell.
        radius: of the target, pixels.
        ring: outer radius of the cells that do not count, pixels.
    """
    return pair_labels(torch.ones(1, dtype=torch.bool), size, stride, radius, ring=ring)[0]


def _labels_by(distance=torch.hypot, centre=lambda size: (size - 1) / 2):
    """A mistake: labels by another distance, (|dx|, |dy|) → pixels, or around another centre."""

    def labels(right, size: int, stride: float, radius: float, ring: float) -> Tensor:
        at = (torch.arange(size).float() - centre(size)).abs() * stride  # (size,)
        far = distance(*torch.broadcast_tensors(at[:, None], at[None]))  # (size, size)
        return torch.where(far <= radius, 1.0, torch.where(far <= ring, 0.0, -1.0))

    return labels


# cells, stride, radius, ring: with no cell of the target, with one, with no ring
CASES = (
    (17, 8, 16, 32),
    (9, 16, 10, 40),
    (17, 8, 16, 16),
    (16, 8, 12, 30),
    (16, 8, 4, 21),
    (12, 7.5, 12, 31),
)


@check(
    "margin.labels",
    reference=ring_labels,
    mistakes={
        "the ring is missing: cells beyond `radius` and within `ring` pixels do not count, label "
        "0": lambda right, size, stride, radius, ring: right(size, stride, radius, radius),
        "distances are in pixels of the search image: a cell is `stride` of them": [
            lambda right, size, stride, radius, ring: right(size, 1, radius, ring),
            lambda right, size, stride, radius, ring: right(size, stride, radius * stride, ring),
        ],
        "a cell at a distance of exactly `radius` pixels is still the target, one at exactly "
        "`ring` is still in the ring": [
            lambda right, size, stride, radius, ring: right(size, stride, radius - 1e-3, ring),
            lambda right, size, stride, radius, ring: right(
                size, stride, radius, max(ring - 1e-3, radius)
            ),
            lambda right, size, stride, radius, ring: right(
                size, stride, radius - 1e-3, ring - 1e-3
            ),
        ],
        "the ring is written over the target: assign its 0 first, then the target's 1": (
            lambda right, *given: right(*given).clamp_max(0)
        ),
        "the distance is Euclidean, √(dx² + dy²); yours is the larger of the two, or their sum": [
            _labels_by(torch.maximum),
            _labels_by(torch.add),
        ],
        "your distance is squared: take its root before you compare it": (
            _labels_by(lambda dx, dy: dx**2 + dy**2)
        ),
        "the centre of a map lies at (size − 1) / 2, for an even one between its cells": [
            _labels_by(centre=lambda size: size // 2),
            _labels_by(centre=lambda size: size / 2),
            _labels_by(centre=lambda size: (size - 1) // 2),
            _labels_by(centre=lambda size: 0),
        ],
        "radius, ring and stride are arguments; one of yours always has the same value": [
            lambda right, size, stride, radius, ring: right(size, stride, 16, ring),
            lambda right, size, stride, radius, ring: right(size, stride, radius, 32),
            lambda right, size, stride, radius, ring: right(size, 8, radius, ring),
        ],
        "`ring` is where the ring ends, in pixels from the centre; yours ends elsewhere": [
            lambda right, size, stride, radius, ring: right(size, stride, radius, 2 * radius),
            lambda right, size, stride, radius, ring: right(size, stride, radius, radius + ring),
        ],
        "cells beyond the ring are wrong places, label −1; 0 is for those that do not count": (
            lambda right, *given: right(*given).clamp_min(0)
        ),
        "your signs are the wrong way round: the target is 1, the others −1": (
            lambda right, *given: -right(*given)
        ),
        "a target smaller than the distance between cells may have no cell: only those within "
        "`radius` are labelled 1": [
            lambda right, size, stride, radius, ring: right(
                size, stride, max(radius, stride), ring
            ),
            lambda right, size, *given: _with_centre(right(size, *given)),
        ],
    },
    others={
        "labels are 1, 0 and": lambda right, *given: right(*given) + (right(*given) > 0),
        "{} target cells and {} in the ring": lambda right, size, stride, radius, ring: right(
            size, stride, radius, ring + 8
        ),
        "has shape": lambda right, size, *given: right(17, *given),
        "does every size come from `size`?": lambda right, size, *given: (
            right(size, *given) + torch.zeros(17, 17)
        ),
    },
)
def examine_labels(answer, rng) -> None:
    """Labels with a ring, of several maps at once, so that a mistake shows in all of them."""

    def every(f, *cases):
        return [_map_of(f, case) for case in cases]

    def read(maps):
        parts = zip(maps, CASES, strict=True)
        return tuple(as_array(m, (c[0],) * 2, f"{_case(*c)}: the label map") for m, c in parts)

    names = tuple(f"{_case(*case)}: the label" for case in CASES)
    answer.compare(CASES, names, read, call=every, otherwise=_miscounted)
    answer.compare(CASES[0], "the labels", (17, 17))


def _with_centre(labels: Tensor) -> Tensor:
    """Labels whose middle cell is the target in any case."""
    labels[len(labels) // 2, len(labels) // 2] = 1
    return labels


def _map_of(function, case: tuple) -> Tensor:
    """The labels of a case; raises Wrong if only those of 17 × 17 cells can be computed."""
    try:
        return function(*case)
    except (IndexError, RuntimeError, ValueError) as problem:
        if case[0] == 17:
            raise
        raise Wrong(
            f"your code stops at a map of {case[0]} × {case[0]} cells, though not at one of "
            f"17 × 17 ({problem}): does every size come from `size`?"
        ) from None


def _case(size: int, stride: float, radius: float, ring: float) -> str:
    """A case in words.

    Args:
        size, stride, radius, ring: as in `ring_labels`.
    """
    return f"{size} cells, stride {stride:g}, radius {radius}, ring {ring}"


def _miscounted(given, right) -> str:
    """The message for the first map whose labels hold other numbers, or the wrong count of each."""
    for mine, theirs, case in zip(given, right, CASES, strict=True):
        if not set(np.unique(mine)) <= {-1.0, 0.0, 1.0}:
            return f"labels are 1, 0 and −1; yours hold {np.unique(mine)[:5]}"
        counts, wanted = ([int((m == v).sum()) for v in (1, 0)] for m in (mine, theirs))
        if counts != wanted:
            return (
                f"{_case(*case)}: {counts[0]} target cells and {counts[1]} in the ring; expected "
                f"{wanted[0]} and {wanted[1]}"
            )
    return ""


def random_map(rng: np.random.Generator, size: int = 7, radius: float = 8) -> tuple[Tensor, Tensor]:
    """Cosines (size, size) and labels with a ring.

    Args:
        rng: of the cosines.
        size: cells per side.
        radius: of the target, pixels; 4 makes one cell of it.
    """
    cosines = torch.from_numpy(rng.uniform(-0.4, 0.9, (size, size))).float()
    return cosines, ring_labels(size, 8, radius, 16)
