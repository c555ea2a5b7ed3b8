"""Check of lesson 14's focal loss of a heat map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_loss
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import centre_losses


def focal_loss(score: Tensor, heat: Tensor) -> Tensor:
    """CornerNet's focal loss () of a score map.

    Args:
        score: (B, n, n) between 0 and 1.
        heat: (B, n, n) the heat map, 1 at a target's centre.
    """
    return centre_losses.focal_loss(score, heat)


Part = Callable[[Tensor, Tensor], Tensor]


def _hit(p: Tensor, heat: Tensor) -> Tensor:
    """What a cell with a centre costs, (B, n, n)."""
    return -((1 - p) ** 2) * p.log()


def _miss(p: Tensor, heat: Tensor) -> Tensor:
    """What any other cell costs, (B, n, n)."""
    return -((1 - heat) ** 4) * p**2 * (1 - p).log()


def _is_centre(heat: Tensor) -> Tensor:
    return heat == 1


def _count(right: Tensor) -> Tensor:
    """What the sum is divided by, ()."""
    return right.sum().clamp_min(1)


def _loss(
    score: Tensor,
    heat: Tensor,
    hit: Part = _hit,
    miss: Part = _miss,
    centre: Callable[[Tensor], Tensor] = _is_centre,
    count: Callable[[Tensor], Tensor | float] = _count,
) -> Tensor:
    """The loss (), with a part changed.

    Args:
        score, heat: as of `focal_loss`.
        hit, miss: (scores, heat) → costs of a cell with a centre, and of any other.
        centre: heat → which cells have a centre.
        count: which cells have a centre → what the sum is divided by.
    """
    right = centre(heat)
    costs = torch.where(right, hit(score, heat), miss(score, heat))
    return costs.sum() / count(right)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, score, heat: _loss(score, heat, **changed)


def _soft(right, p, heat):
    """The heat is a soft label in every cell."""
    costs = heat * _hit(p, heat) - (1 - heat) * p**2 * (1 - p).log()
    return costs.sum() / _count(heat == 1)


@check(
    "stream.focal",
    reference=focal_loss,
    mistakes={
        "a cross-entropy without focus: −log p is weighted by (1 − p)², and −log(1 − p) by p², so "
        "that cells that are right already count for next to nothing": [
            _with(hit=lambda p, h: -p.log(), miss=lambda p, h: -((1 - h) ** 4) * (1 - p).log()),
            _with(hit=lambda p, h: -p.log()),
            _with(miss=lambda p, h: -((1 - h) ** 4) * (1 - p).log()),
            _with(hit=lambda p, h: -p.log(), miss=lambda p, h: -(1 - p).log()),
        ],
        "the focus is the wrong way round: at a centre (1 − p)² is large where the score is too "
        "low, elsewhere p² is large where it is too high": [
            _with(hit=lambda p, h: -(p**2) * p.log()),
            _with(miss=lambda p, h: -((1 - h) ** 4) * (1 - p) ** 2 * (1 - p).log()),
            _with(
                hit=lambda p, h: -(p**2) * p.log(),
                miss=lambda p, h: -((1 - h) ** 4) * (1 - p) ** 2 * (1 - p).log(),
            ),
        ],
        "square 1 − p and p: the focus is their second power": [
            _with(
                hit=lambda p, h: -(1 - p) * p.log(),
                miss=lambda p, h: -((1 - h) ** 4) * p * (1 - p).log(),
            ),
            _with(hit=lambda p, h: -(1 - p) * p.log()),
            _with(miss=lambda p, h: -((1 - h) ** 4) * p * (1 - p).log()),
        ],
        "the exponents have changed places: 2 belongs to the score, 4 to 1 − heat": [
            _with(
                hit=lambda p, h: -((1 - p) ** 4) * p.log(),
                miss=lambda p, h: -((1 - h) ** 2) * p**4 * (1 - p).log(),
            ),
            _with(miss=lambda p, h: -((1 - h) ** 2) * p**4 * (1 - p).log()),
        ],
        "cells beside a centre are nearly right: their cost is weighted by (1 − heat)⁴": [
            _with(miss=lambda p, h: -(p**2) * (1 - p).log()),
            _with(miss=lambda p, h: -(1 - h) * p**2 * (1 - p).log()),
            _with(miss=lambda p, h: -((1 - h) ** 2) * p**2 * (1 - p).log()),
            _with(miss=lambda p, h: -(1 - h**4) * p**2 * (1 - p).log()),
            _with(miss=lambda p, h: -(h**4) * p**2 * (1 - p).log()),
        ],
        "−log p belongs to cells where the heat is exactly 1, and to no others": [
            _with(centre=lambda h: h > 0),
            _with(centre=lambda h: h > 0.5),
            _with(centre=lambda h: h >= 0.5),
        ],
        "the heat is no soft label: a cell has a centre or it has none, and in a cell without one "
        "the heat only says how much its score may cost": _soft,
        "both of your logarithms are log p: in a cell without a centre the score should be low, so "
        "take log(1 − p)": _with(miss=lambda p, h: -((1 - h) ** 4) * p**2 * p.log()),
        "the sum is divided by the number of centres, not by the number of cells": [
            _with(count=lambda right: right.numel()),
            _with(count=lambda right: right[0].numel()),
        ],
        "the sum is divided by the number of centres, which is neither that of images nor the sum "
        "of the heat": [
            _with(count=lambda right: len(right)),
            lambda right, p, h: _loss(p, h, count=lambda _: h.sum().clamp_min(1)),
            lambda right, p, h: (
                sum(right(p[k : k + 1], h[k : k + 1]) for k in range(len(p))) / len(p)
            ),
            lambda right, p, h: sum(right(p[k : k + 1], h[k : k + 1]) for k in range(len(p))),
            _with(count=lambda right: right.sum() + 1),
            _with(count=lambda right: right.flatten(1).any(1).sum().clamp_min(1)),
        ],
        "your sum is not divided by the number of centres": _with(count=lambda right: 1.0),
        "each of the two sums is divided by its own number of cells; both are divided by the number "
        "of centres": lambda right, p, h: _hit(p, h)[h == 1].mean() + _miss(p, h)[h != 1].mean(),
        "your loss falls as scores get worse: the logarithm of a number below 1 is negative, so "
        "change its sign": lambda right, p, h: -right(p, h),
        "a part is missing: cells without a centre cost something too, where their score is high": (
            _with(miss=lambda p, h: 0 * p)
        ),
        "a part is missing: a centre with a low score costs most of all": (
            _with(hit=lambda p, h: 0 * p)
        ),
        "you put the scores through a sigmoid; they have been through one already": (
            lambda right, p, h: right(p.sigmoid(), h)
        ),
    },
    others={
        "no image shows its target": _with(count=lambda right: right.sum()),
        "a batch of negative pairs costs something": lambda right, p, h: (
            right(p, h) if bool((h == 1).any()) else torch.zeros(())
        ),
        "lost its gradient": lambda right, p, h: right(p, h).detach(),
        "should be one number": lambda right, p, h: torch.where(h == 1, _hit(p, h), _miss(p, h)),
    },
)
def examine_focal(answer, rng: np.random.Generator) -> None:
    """Targets in some images, two of them in one; then in none."""
    for n, centres in ((5, (2, 1, 0, 1)), (8, (1, 0, 2))):
        heat = rng.uniform(0.05, 0.95, (len(centres), n, n))
        heat[rng.random(heat.shape) < 0.4] = 0
        for own, count in zip(heat, centres, strict=True):
            own.flat[rng.permutation(n * n)[:count]] = 1
        heat = torch.from_numpy(heat).float()
        score = torch.from_numpy(rng.uniform(0.04, 0.96, heat.shape)).float().requires_grad_()
        answer.compare((score, heat), "the loss", as_loss, tolerance=1e-5, near=1e-5)
    score = torch.from_numpy(rng.uniform(0.1, 0.9, (2, 4, 4))).float().requires_grad_()
    value = answer(score, torch.zeros(2, 4, 4))
    if not bool(torch.isfinite(torch.as_tensor(value)).all()):
        raise Wrong(
            "in a batch of negative pairs no image shows its target, and your loss is divided by 0: "
            "divide by at least 1"
        )
    if not bool(torch.as_tensor(value).detach().any()):
        raise Wrong(
            "a batch of negative pairs costs something too: every cell's heat is 0, and its score "
            "should be low; yours is 0 there"
        )
    answer.compare((score, torch.zeros(2, 4, 4)), "the loss of a batch without targets", as_loss)
