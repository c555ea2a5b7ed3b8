"""Check of lesson 12: integrals of hats, and the weights that they give to cells."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import finite
from course_lib.exercises.core import check
from course_lib.models.prpool import hat_integral, hat_weights

NOT_FINITE = (
    "your weights hold NaN or infinity, in the rows of bins beyond the map: divide by the bin's "
    "length, not by the sum of its weights, which is 0 there"
)


def _pieces(left=lambda t: (t + 1) ** 2 / 2, right_half=lambda t: 0.5 + t - t * t / 2):
    """A mistake: another formula in −1…0 or in 0…1."""

    def code(right, t):
        inside = torch.where(t < 0, left(t), right_half(t))
        return torch.where(t.abs() < 1, inside, (t > 0).to(t))

    return code


def _clamped(right_half):
    """A mistake: another formula in 0…1, of a t that was clamped first."""
    return lambda right, t: torch.where(t < 0, right(t), right_half(t.clamp(-1, 1)))


@check(
    "overlap.hat",
    reference=hat_integral,
    mistakes={
        "that is the hat itself, max(0, 1 − |t|); its integral grows from 0 to 1": (
            lambda right, t: (1 - t.abs()).clamp_min(0)
        ),
        "your integral begins at 0; it begins at −∞, so at 0 half of the hat lies behind it": (
            lambda right, t: right(t) - 0.5
        ),
        "beyond 1 the whole hat lies behind you: the integral stays at 1": [
            lambda right, t: torch.where(t > 1, 0.0, right(t)),
            lambda right, t: torch.where(t > 1, 0.5 + t - t * t / 2, right(t)),
            lambda right, t: torch.where(t > 1, 0.5, right(t)),
        ],
        "before −1 there is no hat yet: the integral is 0": [
            lambda right, t: torch.where(t < -1, (t + 1) ** 2 / 2, right(t)),
            lambda right, t: torch.where(t < -1, 0.5 + t + t * t / 2, right(t)),
            lambda right, t: torch.where(t < -1, -1.0, right(t)),
        ],
        "your integral falls: it is that of what is still to come": lambda right, t: right(-t),
        "a half is missing: the integral of t + 1 is (t + 1)² / 2": [
            _pieces(left=lambda t: (t + 1) ** 2),
            _pieces((lambda t: (t + 1) ** 2), lambda t: 1 - (1 - t) ** 2),
            _pieces(right_half=lambda t: 1 - (1 - t) ** 2),
            lambda right, t: 2 * right(t),
        ],
        "your two pieces are right inside of −1…1 and go on beyond it: before −1 the integral is "
        "0, beyond 1 it is 1": lambda right, t: torch.where(
            t < 0, (t + 1) ** 2 / 2, 0.5 + t - t * t / 2
        ),
        "in 0…1 your curve is not the integral of 1 − t, which adds t − t²/2 to the ½ at 0": [
            _clamped(lambda t: t - t * t / 2),
            _clamped(lambda t: 0.5 - t - t * t / 2),
            _clamped(lambda t: 0.5 + t + t * t / 2),
            _pieces(right_half=lambda t: (t + 1) ** 2 / 2),
            _pieces(right_half=lambda t: 0.5 + t + t * t / 2),
            _pieces(right_half=lambda t: t - t * t / 2),
            _pieces(right_half=lambda t: (1 - t) ** 2 / 2),
            _pieces(right_half=lambda t: 0.5 + t - t * t),
        ],
        "in −1…0 your curve is not the integral of 1 + t from −1 on, t + t²/2 + ½": [
            _pieces(left=lambda t: 0.5 + t - t * t / 2),
            _pieces(left=lambda t: t * t / 2),
            _pieces(left=lambda t: (1 - t) ** 2 / 2),
            _pieces(left=lambda t: t + t * t / 2),
        ],
        "a straight line is the integral of a box; the hat's is curved: its slope is the hat": [
            lambda right, t: ((t + 1) / 2).clamp(0, 1),
            lambda right, t: (t + 0.5).clamp(0, 1),
        ],
        "a smooth curve from 0 to 1, but not this one: its slope has to be the hat": [
            lambda right, t: torch.sigmoid(4 * t),
            lambda right, t: (t.clamp(-1, 1) * torch.pi / 2).sin() / 2 + 0.5,
        ],
    },
    others={
        "lost its gradient": lambda right, t: right(t.detach()),
        "the integral at": lambda right, t: right(t) + 0.1 * (t > 0.7),
        "shape": lambda right, t: right(t).flatten(),
    },
)
def examine_hat(answer, rng) -> None:
    """The integral of the hat, in every piece and at the joints."""
    inside = torch.from_numpy(rng.uniform(-1, 1, 14)).float()
    outside = torch.from_numpy(rng.uniform(1.1, 3, 7) * np.array([1, -1, 1, -1, 1, -1, 1])).float()
    t = torch.cat([inside, outside, torch.tensor([-1.0, 0.0, 1.0])]).reshape(4, 6)
    answer.compare((t.requires_grad_(),), "the integral", (4, 6), tolerance=1e-5)


def _weighted(edges=None, places=None, divide=None):
    """A mistake: other edges (start, length, bins) → (bins + 1,), other places of the cells
    (cells) → (cells,), or another divisor (length, bins)."""

    def code(right, start, length, bins, cells):
        e = start + length * torch.linspace(0, 1, bins + 1)
        e = e if edges is None else edges(start, length, bins)
        at = torch.arange(cells) if places is None else places(cells)
        by = length / bins if divide is None else divide(length, bins)
        return hat_integral(e[:, None] - at).diff(dim=0) / by

    return code


def _sampled(right, start, length, bins, cells):
    """A mistake: the hats at the bins' centres."""
    at = start + length * (torch.arange(bins) + 0.5) / bins
    return (1 - (at[:, None] - torch.arange(cells)).abs()).clamp_min(0)


def _covered(right, start, length, bins, cells):
    """A mistake: how much of each cell a bin covers, as if the map were constant in a cell."""
    edges = start + length * torch.linspace(0, 1, bins + 1)
    behind = (edges[:, None] - torch.arange(cells) + 0.5).clamp(0, 1)
    return behind.diff(dim=0) / (length / bins)


def _normalised(weights: Tensor) -> Tensor:
    """Rows that sum to 1, or to 0."""
    total = weights.sum(1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)


@check(
    "overlap.weights",
    reference=hat_weights,
    mistakes={
        "that is the integral over each bin; divide it by the bin's length to get the mean": (
            _weighted(divide=lambda length, bins: 1.0)
        ),
        "divide by the length of the bin, length / bins, not by that of the whole interval": (
            _weighted(divide=lambda length, bins: length)
        ),
        "divide by the length of the bin, which is length / bins": [
            _weighted(divide=lambda length, bins: bins),
            _weighted(divide=lambda length, bins: length * bins),
            _weighted(divide=lambda length, bins: bins / length),
        ],
        "your weights are negative: take the integral up to the bin's end, minus that up to its "
        "beginning, of the hat at cell i: T(e − i)": [
            lambda right, *given: -right(*given),
            lambda right, start, length, bins, cells: (
                hat_integral(
                    torch.arange(cells) - start - length * torch.linspace(0, 1, bins + 1)[:, None]
                ).diff(dim=0)
                / (length / bins)
            ),
        ],
        "the centre of cell i is at i here, not at i + 0.5": [
            _weighted(places=lambda cells: torch.arange(cells) + 0.5),
            _weighted(places=lambda cells: torch.arange(cells) - 0.5),
        ],
        "cells are counted from 0": _weighted(places=lambda cells: torch.arange(1, cells + 1)),
        "you read the map at the bins' centres, as RoI-Align does; here all of a bin counts": (
            _sampled
        ),
        "you count how much of each cell a bin covers: that is the mean of a map of flat steps, "
        "and this one is a surface of hats": _covered,
        "your rows always sum to 1; what lies beyond the map counts as 0, so a bin that reaches "
        "beyond it has less": [
            lambda right, *given: _normalised(right(*given)),
            lambda right, start, length, bins, cells: right(
                start.clamp(0, cells - 1),
                (start + length).clamp(0, cells - 1) - start.clamp(0, cells - 1),
                bins,
                cells,
            ),
        ],
        "`length` is a length, not the end: the interval reaches to start + length": (
            lambda right, start, length, *given: right(start, length - start, *given)
        ),
        "the interval begins at `start`; your edges begin at 0": _weighted(
            lambda start, length, bins: length * torch.linspace(0, 1, bins + 1)
        ),
        "the interval begins at `start`; yours has it as its centre": (
            lambda right, start, length, *given: right(start - length / 2, length, *given)
        ),
        "your edges are on whole cells; the start and the length are fractions, and their gradient "
        "is what all this is for": [
            lambda right, start, length, *given: right(start.round(), length.round(), *given),
            lambda right, start, length, *given: right(start.floor(), length.ceil(), *given),
        ],
        "your bins are not equally long, or do not fill the interval: edge k is at start + length "
        "· k / bins": [
            _weighted(
                lambda start, length, bins: start + length * torch.arange(bins + 1) / (bins + 1),
            ),
            _weighted(
                lambda start, length, bins: (
                    start + length * torch.arange(bins + 1) / max(bins - 1, 1)
                ),
            ),
            _weighted(lambda start, length, bins: start + torch.arange(bins + 1)),
        ],
        "your weights have shape {shape}: one row for each bin, one column for each cell": [
            lambda right, *given: right(*given).T,
            _weighted(
                lambda start, length, bins: start + length * torch.linspace(0, 1, bins),
            ),
        ],
    },
    others={
        "its gradient with respect to `length` is not": _weighted(
            divide=lambda length, bins: length.detach() / bins
        ),
        "does not reach `start`": lambda right, start, *given: right(start.detach(), *given),
        "lost its gradient": lambda right, start, length, *given: right(
            start.detach(), length.detach(), *given
        ),
        "the weight at": lambda right, *given: right(*given).square(),
    },
)
def examine_weights(answer, rng) -> None:
    """Weights of intervals inside the map, across its edges and beyond it, short and long."""
    cases = (
        (rng.uniform(1.1, 1.4), rng.uniform(4.2, 4.8), 3, 9),
        (rng.uniform(-2.4, -1.6), rng.uniform(5.1, 5.9), 5, 7),
        (rng.uniform(2.2, 2.8), rng.uniform(0.6, 0.9), 1, 6),
        (rng.uniform(5.1, 5.8), rng.uniform(6.1, 6.8), 4, 8),
    )
    for start, length, bins, cells in cases:
        inputs = (torch.tensor(start).requires_grad_(), torch.tensor(length).requires_grad_())
        answer.compare(
            (*inputs, bins, cells),
            "the weights",
            finite("the weights", (bins, cells), NOT_FINITE),
            tolerance=1e-4,
            named="the weight",
        )
