"""Checks of lesson 11, first part: cosine correlation, labels with a ring, the lead of the
target's peak."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.core import check
from course_lib.models.correlation import cosine_correlate, cross_correlate
from course_lib.models.losses import pair_labels


def random_features(rng: np.random.Generator, *shape: int) -> Tensor:
    """Features drawn from a normal distribution."""
    return torch.from_numpy(rng.normal(0.4, 1, shape)).float()


def _lengths(features: Tensor) -> Tensor:
    """Length (B, 1, 1) of each pair's features (B, C, h, w)."""
    return features.flatten(1).norm(dim=1)[:, None, None]


def _too_large(given, right) -> str:
    """The message for cosines beyond 1."""
    most = np.abs(given).max()
    return f"a cosine lies between −1 and 1; yours reaches {most:.2f}" if most > 1 + 1e-4 else ""


@check(
    "margin.cosine",
    reference=cosine_correlate,
    mistakes={
        "these are the plain sums of products; divide by both lengths": (
            lambda right, z, x: cross_correlate(z, x)
        ),
        "divided by the exemplar's length only: a bright window still wins; divide by the window's "
        "too": lambda right, z, x: cross_correlate(z, x) / _lengths(z),
        "divided by the length of the whole search map; each place needs the length of its own "
        "window": lambda right, z, x: cross_correlate(z, x) / _lengths(z) / _lengths(x),
        "you normalise every cell on its own; the lengths needed are those of whole windows, all "
        "cells together": lambda right, z, x: (
            cross_correlate(F.normalize(z, dim=1), F.normalize(x, dim=1)) / z[0, 0].numel()
        ),
        "divided by the squares; a length is the root of the sum of squares": (
            lambda right, z, x: right(z, x) ** 2 / cross_correlate(z, x)
        ),
        "the box filter has to sum the squares of a window, not to average them": [
            lambda right, z, x: right(z, x) / z.shape[-1],
            lambda right, z, x: right(z, x) * z.shape[-1],
        ],
    },
    others={
        "yours reaches": lambda right, z, x: 1.5 * right(z, x),
        "where x holds a copy of z it is 1": lambda right, z, x: 0.5 * right(z, x),
        "shape": lambda right, z, x: right(z, x)[:, 1:],
        "an exemplar of zeros": lambda right, z, x: right(z, x) if z.any() else 1 + right(z, x),
    },
)
def examine_cosine(answer, rng) -> None:
    """Cosine correlation."""
    x = random_features(rng, 2, 5, 9, 9) * torch.linspace(0.5, 3, 9)
    z = torch.stack([2 * x[0, :, 2:6, 3:7], random_features(rng, 5, 4, 4)])
    answer.compare(
        (z, x),
        "the map",
        (2, 6, 6),
        tolerance=1e-4,
        named="the cosine",
        otherwise=_too_large,
        hint="where x holds a copy of z it is 1",
    )
    answer.compare(
        (z[:1] * 0, x[:1]),
        "the map of an empty exemplar",
        (1, 6, 6),
        named="the cosine with an exemplar of zeros",
    )


def ring_labels(size: int, stride: float, radius: float, ring: float) -> Tensor:
    """Labels of a target at the centre: 1, 0 in the ring around it, −1.

    Args:
        size: the map has size × size cells.
        stride: pixels from cell to cell.
        radius: of the target, pixels.
        ring: outer radius of the cells that do not count, pixels.
    """
    return pair_labels(torch.ones(1, dtype=torch.bool), size, stride, radius, ring=ring)[0]


CASE = "{0} cells, stride {1}, radius {2}, ring {3}"


@check(
    "margin.labels",
    reference=ring_labels,
    mistakes={
        CASE + ": the ring is missing: cells beyond {2} and within {3} pixels do not count, label "
        "0": lambda right, size, stride, radius, ring: right(size, stride, radius, radius),
        CASE + ": distances are in pixels of the search image: a cell is {1} of them": (
            lambda right, size, stride, radius, ring: right(size, 1, radius, ring)
        ),
    },
    others={
        "between its cells": lambda right, size, *given: right(size // 2 * 2 + 1, *given)[
            :size, :size
        ],
        "labels are 1, 0 and": lambda right, *given: right(*given) + (right(*given) > 0),
        "{} target cells and {} in the ring": lambda right, size, stride, radius, ring: right(
            size, stride, radius, ring + 8
        ),
    },
)
def examine_labels(answer, rng) -> None:
    """Labels with a ring."""
    for given in ((17, 8, 16, 32), (9, 16, 16, 32), (17, 8, 16, 16), (16, 8, 12, 30)):
        case = CASE.format(*given)
        answer.compare(
            given,
            "the labels",
            (given[0],) * 2,
            named=f"{case}: the label",
            otherwise=partial(_miscounted, case=case),
        )


def _miscounted(given, right, case: str) -> str:
    """The message for labels that hold other numbers, or the wrong count of each.

    Args:
        given: labels.
        right: labels.
        case: the inputs in words.
    """
    if not set(np.unique(given)) <= {-1.0, 0.0, 1.0}:
        return f"labels are 1, 0 and −1; yours hold {np.unique(given)[:5]}"
    counts, wanted = ([int((labels == v).sum()) for v in (1, 0)] for labels in (given, right))
    if len(right) % 2 == 0 and counts[0] != wanted[0]:
        return f"{case}: the centre of an even map lies between its cells, at (size − 1) / 2"
    if counts != wanted:
        return (
            f"{case}: {counts[0]} target cells and {counts[1]} in the ring; expected {wanted[0]} "
            "and "
            f"{wanted[1]}"
        )
    return ""


def lead(response: Tensor, labels: Tensor) -> float:
    """How far the target's highest cell lies above the highest other one, in standard deviations of
    the others."""
    rest = response[labels < 0]
    return float((response[labels > 0].max() - rest.max()) / rest.std(correction=0))


def _deviation(c: Tensor, y: Tensor) -> Tensor:
    """Standard deviation () of the cells that are not the target."""
    return c[y < 0].std(correction=0)


@check(
    "margin.lead",
    reference=lead,
    mistakes={
        "the sign: above 0 where the target wins": lambda right, c, y: -right(c, y),
        "divide by the standard deviation of the other cells, so that maps of any scale can be "
        "compared": lambda right, c, y: c[y > 0].max() - c[y < 0].max(),
        "that is the peak-to-sidelobe ratio, against the mean; here the rival is the highest other "
        "cell": lambda right, c, y: (c[y > 0].max() - c[y < 0].mean()) / _deviation(c, y),
        "one cell is enough for the target: take its highest": lambda right, c, y: (
            (c[y > 0].mean() - c[y < 0].max()) / _deviation(c, y)
        ),
        "the ring belongs to neither side: leave out its cells": lambda right, c, y: right(
            c, torch.where(y == 0, -1, y)
        ),
    },
    others={"the lead is": lambda right, c, y: 2 * right(c, y)},
)
def examine_lead(answer, rng) -> None:
    """Is the peak on the target?"""
    for _ in range(3):
        answer.compare(random_map(rng), "the lead", tolerance=1e-3, near=1e-4)


def random_map(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Cosines (7, 7) and labels with a ring."""
    return torch.from_numpy(rng.uniform(-0.4, 0.9, (7, 7))).float(), ring_labels(7, 8, 8, 16)
