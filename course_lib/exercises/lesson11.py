"""Checks of lesson 11, first part: cosine correlation, labels with a ring, the lead of the
target's peak."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array, as_number, same
from course_lib.exercises.core import check
from course_lib.models.correlation import cosine_correlate, cross_correlate
from course_lib.models.losses import pair_labels


def random_features(rng: np.random.Generator, *shape: int) -> Tensor:
    """Features drawn from a normal distribution."""
    return torch.from_numpy(rng.normal(0.4, 1, shape)).float()


def _lengths(features: Tensor) -> Tensor:
    """Length (B, 1, 1) of each pair's features (B, C, h, w)."""
    return features.flatten(1).norm(dim=1)[:, None, None]


def _window_lengths(z: Tensor, x: Tensor) -> Tensor:
    """Length (B, H', W') of every window of x that is as large as z."""
    return F.conv2d(x.square().sum(1, keepdim=True), torch.ones(1, 1, *z.shape[2:]))[:, 0].sqrt()


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
        "NaN": lambda right, z, x: cross_correlate(z, x) / (_lengths(z) * _window_lengths(z, x)),
        "lost its gradient": lambda right, z, x: right(z.detach(), x.detach()),
        "does not reach `z`": lambda right, z, x: right(z.detach(), x),
        "its gradient with respect to `z` and `x` is not": lambda right, z, x: (
            cross_correlate(z, x) / (_lengths(z) * _window_lengths(z, x)).clamp_min(1e-6).detach()
        ),
        "its gradient with respect to `z` is not": lambda right, z, x: (
            cross_correlate(z, x) / (_lengths(z.detach()) * _window_lengths(z, x)).clamp_min(1e-6)
        ),
        "the cosine": [
            lambda right, z, x: cross_correlate(z, x) / z.norm() / _window_lengths(z, x),
            lambda right, z, x: right(z - z.mean(), x),
        ],
    },
)
def examine_cosine(answer, rng) -> None:
    """Cosine correlation, of exemplars that are not square."""
    x = random_features(rng, 2, 5, 9, 8) * torch.linspace(0.5, 3, 8)
    z = torch.stack([2 * x[0, :, 2:6, 3:6], random_features(rng, 5, 4, 3)])
    answer.compare(
        (z.clone().requires_grad_(), x.clone().requires_grad_()),
        "the map",
        (2, 6, 6),
        tolerance=1e-4,
        named="the cosine",
        otherwise=_too_large,
        hint="where x holds a copy of z it is 1",
    )
    dark = x.clone()
    dark[0, :, :5, :4] = 0
    for inputs, what in (
        ((z[:1] * 0, x[:1]), "an exemplar of zeros"),
        ((z, dark), "windows of zeros"),
        ((0.02 * z, 0.02 * x), "features that are small"),
    ):
        shape = (len(inputs[0]), 6, 6)
        named = f"the cosine with {what}"
        answer.compare(inputs, f"the map with {what}", shape, tolerance=1e-4, named=named)


def ring_labels(size: int, stride: float, radius: float, ring: float) -> Tensor:
    """Labels of a target at the centre: 1, 0 in the ring around it, −1.

    Args:
        size: the map has size × size cells.
        stride: pixels from cell to cell.
        radius: of the target, pixels.
        ring: outer radius of the cells that do not count, pixels.
    """
    return pair_labels(torch.ones(1, dtype=torch.bool), size, stride, radius, ring=ring)[0]


def _labels_by(distance, size: int, stride: float, radius: float, ring: float) -> Tensor:
    """Labels by another distance, (|dx|, |dy|) → pixels."""
    at = (torch.arange(size) - (size - 1) / 2).abs() * stride  # (size,)
    far = distance(*torch.broadcast_tensors(at[:, None], at[None]))  # (size, size)
    return torch.where(far <= radius, 1.0, torch.where(far <= ring, 0.0, -1.0))


CASES = ((17, 8, 16, 32), (9, 16, 16, 40), (17, 8, 16, 16), (16, 8, 12, 30))


@check(
    "margin.labels",
    reference=ring_labels,
    mistakes={
        "the ring is missing: cells beyond `radius` and within `ring` pixels do not count, label "
        "0": lambda right, size, stride, radius, ring: right(size, stride, radius, radius),
        "distances are in pixels of the search image: a cell is `stride` of them": (
            lambda right, size, stride, radius, ring: right(size, 1, radius, ring)
        ),
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
            lambda right, *given: _labels_by(torch.maximum, *given),
            lambda right, *given: _labels_by(torch.add, *given),
        ],
        "the centre of a map lies at (size − 1) / 2, for an even one between its cells": (
            lambda right, size, *given: right(size // 2 * 2 + 1, *given)[:size, :size]
        ),
        "your radius is always 16 pixels, or your ring 32; they are arguments": [
            lambda right, size, stride, radius, ring: right(size, stride, 16, ring),
            lambda right, size, stride, radius, ring: right(size, stride, radius, 32),
            lambda right, size, stride, radius, ring: right(size, stride, radius, 2 * radius),
        ],
    },
    others={
        "labels are 1, 0 and": lambda right, *given: right(*given) + (right(*given) > 0),
        "{} target cells and {} in the ring": lambda right, size, stride, radius, ring: right(
            size, stride, radius, ring + 8
        ),
        "has shape": lambda right, size, *given: right(17, *given),
    },
)
def examine_labels(answer, rng) -> None:
    """Labels with a ring, of four maps at once, so that a mistake shows in all of them."""

    def every(f, *cases):
        return [f(*case) for case in cases]

    def read(maps):
        parts = zip(maps, CASES, strict=True)
        return tuple(as_array(m, (c[0],) * 2, f"{_case(*c)}: the labels") for m, c in parts)

    names = tuple(f"{_case(*case)}: the label" for case in CASES)
    answer.compare(CASES, names, read, call=every, otherwise=_miscounted)
    answer.compare(CASES[0], "the labels", (17, 17))


def _case(size: int, stride: int, radius: int, ring: int) -> str:
    """A case in words.

    Args:
        size, stride, radius, ring: as in `ring_labels`.
    """
    return f"{size} cells, stride {stride}, radius {radius}, ring {ring}"


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
        "the ring belongs to neither side: leave out its cells": [
            lambda right, c, y: right(c, torch.where(y == 0, -1, y)),
            lambda right, c, y: (c[y > 0].max() - c[y <= 0].max()) / _deviation(c, y),
            lambda right, c, y: (c[y >= 0].max() - c[y < 0].max()) / _deviation(c, y),
        ],
        "a product with a mask puts 0 in place of the cells that are left out, and 0 may be the "
        "highest; select the cells": lambda right, c, y: (
            ((c * (y > 0)).max() - (c * (y < 0)).max()) / _deviation(c, y)
        ),
    },
    others={
        "the lead is": [
            lambda right, c, y: 2 * right(c, y),
            lambda right, c, y: (c[y > 0].max() - c[y < 0].max()) / c.std(correction=0),
        ]
    },
)
def examine_lead(answer, rng) -> None:
    """Is the peak on the target? The deviation may be the sample's, with n or n − 1."""
    for size, level in ((7, 0.0), (8, -1.5), (9, 0.0)):
        response, labels = random_map(rng, size)
        response = response + level
        response[labels == 0] = response.max() + 0.1  # the ring is no rival, however high
        response[0, 0] = -3.0  # nor is what is far below 0
        others = int((labels < 0).sum())
        given = as_number(answer(response.clone(), labels.clone()), "the lead")
        right = answer.right(response, labels)
        if not same(given, right * ((others - 1) / others) ** 0.5, 1e-4):
            answer.compare((response, labels), "the lead", tolerance=1e-3, near=1e-4)


def random_map(rng: np.random.Generator, size: int = 7, radius: float = 8) -> tuple[Tensor, Tensor]:
    """Cosines (size, size) and labels with a ring.

    Args:
        rng: of the cosines.
        size: cells per side.
        radius: of the target, pixels; 4 makes one cell of it.
    """
    cosines = torch.from_numpy(rng.uniform(-0.4, 0.9, (size, size))).float()
    return cosines, ring_labels(size, 8, radius, 16)
