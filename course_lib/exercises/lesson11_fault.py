"""Check of lesson 11's loss with a fault in it: the target's neighbours are its rivals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_loss
from course_lib.exercises.core import check

NEAR, RING = 8.0, 32.0  # pixels


def mended_loss(
    cosines: Tensor, place: Tensor, stride: float, b: float, scale: float, margin: float
) -> Tensor:
    """The softmax loss () of a map; cells in the ring around the target do not count.

    Args:
        cosines: (n, n).
        place: (2,) x and y of the target, cells.
        stride: pixels per cell.
        b: cosine of "nowhere".
        scale: of the cosines.
        margin: subtracted on the target.
    """
    return _loss(cosines, place, stride, b, scale, margin)


def _distances(cosines: Tensor, place: Tensor, stride: float) -> Tensor:
    """Pixels (n, n) from each cell to the target."""
    at = torch.arange(cosines.shape[-1])
    return torch.hypot(at[None] - place[0], at[:, None] - place[1]) * stride


def _mean(target: Tensor, rivals: Tensor) -> Tensor:
    return F.softplus(rivals - target).mean()


def _loss(
    cosines: Tensor,
    place: Tensor,
    stride: float,
    b: float,
    scale: float,
    margin: float,
    on: Callable[[Tensor], Tensor] = lambda away: away <= NEAR,
    off: Callable[[Tensor], Tensor] = lambda away: away > RING,
    away: Callable[..., Tensor] = _distances,
    nowhere: bool = True,
    cost: Callable[[Tensor, Tensor], Tensor] = _mean,
) -> Tensor:
    """The loss, with one of its parts changed.

    Args:
        cosines, place, stride, b, scale, margin: as of the mended loss.
        on: distances → which cells are the target.
        off: distances → which are its rivals.
        away: (cosines, place, stride) → distances.
        nowhere: whether "nowhere" is a rival.
        cost: (logits of the target, logit of all rivals together) → loss.
    """
    far = away(cosines, place, stride)  # (n, n)
    rivals = torch.logsumexp(scale * cosines[off(far)], 0)
    if nowhere:
        rivals = torch.logaddexp(rivals, torch.tensor(scale * b))
    return cost(scale * (cosines[on(far)] - margin), rivals)


def _with(**changed):
    """A mistake: other parts of the loss."""
    return lambda right, *given: _loss(*given, **changed)


def _given(change):
    """A mistake: the right loss of other inputs, change(c, place, stride, b, s, m)."""
    return lambda right, *given: right(*change(*given))


def _without_scale(c, place, stride):
    return _distances(c, place, 1.0)


def _by_sides(c, place, stride):
    """Distances along the longer side: the ring is a square."""
    at = torch.arange(c.shape[-1])
    x, y = (at[None] - place[0]).abs(), (at[:, None] - place[1]).abs()
    return torch.maximum(x.expand_as(c), y.expand_as(c)) * stride


def _from_centre(c, place, stride):
    """Distances from the centre of the map."""
    return _distances(c, torch.full((2,), (c.shape[-1] - 1) / 2), stride)


def _lowered(right, c, place, stride, b, s, m):
    """The neighbours are rivals, but lowered by the margin."""
    far = _distances(c, place, stride)
    return _loss(
        torch.where((far > NEAR) & (far <= RING), c - m, c),
        *(place, stride, b, s, m),
        off=lambda far: far > NEAR,
    )


@check(
    "margin.fault",
    reference=mended_loss,
    mistakes={
        "the fault is still there: windows that share most of the target's pixels are among its "
        "rivals": [
            _with(off=lambda away: away > NEAR),
            _with(off=lambda away: away >= NEAR),
        ],
        "now the target's own cells are among its rivals too": [
            _with(off=lambda away: away >= 0),
            _with(off=lambda away: (away > RING) | (away <= NEAR)),
        ],
        "now the ring's cells count as the target: they need not be as high as it is, and should "
        "not count at all": [
            _with(on=lambda away: away <= RING),
            _with(on=lambda away: away <= RING, off=lambda away: away > NEAR),
        ],
        "you left out the wrong side of the ring: now the neighbours are the only rivals": (
            _with(off=lambda away: (away > NEAR) & (away <= RING))
        ),
        "your ring has the wrong width: rivals are the cells *beyond* 32 pixels": [
            _with(off=lambda away: away > 16),
            _with(off=lambda away: away > RING - 8),
            _with(off=lambda away: away > RING + 8),
            _with(off=lambda away: away >= RING),
        ],
        "neighbours lowered by the margin are rivals still; leave them out": _lowered,
        "stride turns cells into pixels; 8 and 32 are pixels": [
            _with(away=_without_scale, off=lambda away: away > NEAR),
            _with(away=_without_scale, on=lambda away: away <= 1, off=lambda away: away > 4),
        ],
        "the ring is round: distances are those of `hypot`": _with(away=_by_sides),
        "the target is at `place`, not at the centre of the map": _with(away=_from_centre),
        "place is x, then y: x counts columns": _given(
            lambda c, place, *given: (c, place.flip(0), *given)
        ),
        "the fault is not in the target: its cells are those within 8 pixels": [
            _with(on=lambda away: away == away.min()),
            _with(on=lambda away: away <= 16),
            _with(on=lambda away: away < NEAR),
        ],
        'the fault is not in "nowhere": it stays a rival, with logit scale · b': [
            _with(nowhere=False),
            _given(lambda c, place, stride, b, s, m: (c, place, stride, b / s, s, m)),
        ],
        "the fault is not in the margin: it makes the target's cosine smaller": [
            _given(lambda c, place, stride, b, s, m: (c, place, stride, b, s, 0.0)),
            _given(lambda c, place, stride, b, s, m: (c, place, stride, b, s, -m)),
        ],
        "the fault is not in the scale: it multiplies every cosine": _given(
            lambda c, place, stride, b, s, m: (c, place, stride, b, 1.0, m)
        ),
        "the loss is the mean over the target's cells": [
            _with(cost=lambda target, rivals: F.softplus(rivals - target).sum()),
            _with(cost=lambda target, rivals: F.softplus(rivals - target.max())),
            _with(cost=lambda target, rivals: F.softplus(rivals - target.mean())),
        ],
    },
    others={
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "its gradient with respect to": lambda right, c, *given: right(
            torch.where(_distances(c, *given[:2]) <= NEAR, c, c.detach()), *given
        ),
        "the loss is": lambda right, *given: right(*given) + 0.01,
    },
)
def examine_fault(answer, rng: np.random.Generator) -> None:
    """The mended loss on maps of several sizes, strides and places; one target is on a cell."""
    maps = {}
    for what, n, stride, place, scale in (
        ("the loss", 17, 8.0, (7.3, 9.6), 6.0),
        ("the loss with the target on a cell", 15, 8.0, (5.0, 8.0), 4.0),
        ("the loss at stride 4", 27, 4.0, (14.4, 11.7), 5.0),
    ):
        cosines = torch.from_numpy(rng.uniform(-0.4, 0.9, (n, n))).float()
        maps[what] = (cosines, torch.tensor(place), stride, 0.45, scale, 0.2)

    def every(f, *cases):
        return tuple(f(case[0].clone().requires_grad_(), *case[1:]) for case in cases)

    def read(given):
        return tuple(as_loss(loss, what) for loss, what in zip(given, maps, strict=True))

    answer.compare(tuple(maps.values()), tuple(maps), read, call=every, tolerance=1e-5, near=1e-5)
    for what, (cosines, *others) in maps.items():
        inputs = (cosines.clone().requires_grad_(), *others)
        answer.compare(inputs, what, as_loss, tolerance=1e-4)
