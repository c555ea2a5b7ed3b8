"""Checks of lesson 11, second part: margins."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_loss
from course_lib.exercises.core import check
from course_lib.exercises.lesson11 import random_map
from course_lib.exercises.words import Wrong
from course_lib.models import margin as margins
from course_lib.models.margin import CosineMap, margin_logistic_loss, margin_softmax_loss


def logistic(cosines: Tensor, labels: Tensor, b: float, scale: float, margin: float) -> Tensor:
    """The pixel-wise margin loss () of one map.

    Args:
        cosines: (n, n).
        labels: (n, n), 1, 0 or −1.
        b: the threshold.
        scale: of the cosines.
        margin: on them.
    """
    return margin_logistic_loss(
        CosineMap(cosines[None], torch.tensor(b)), labels[None], scale, margin
    )


@check(
    "margin.logistic",
    reference=logistic,
    mistakes={
        "the margin has no effect: the target has to reach b + m, the others b − m": (
            lambda right, c, y, b, s, m: right(c, y, b, s, 0.0)
        ),
        "your margin makes it easier: subtract it on the target, so that it has to do better": (
            lambda right, c, y, b, s, m: right(c + 2 * m * y, y, b, s, m)
        ),
        "the margin applies to cosines: keep it inside the bracket that the scale multiplies": (
            lambda right, c, y, b, s, m: right(c, y, b, s, m / s)
        ),
        "on the others too the margin has to make it harder: c − b + m there": (
            lambda right, c, y, b, s, m: right(c, y, b + m, s, 0.0)
        ),
        "target cells are few: average them and the others separately, and give each half": (
            lambda right, c, y, b, s, m: F.softplus(s * (m - y * (c - b)))[y != 0].mean()
        ),
        "take means, not sums": lambda right, c, y, b, s, m: (
            0.5 * F.softplus(s * (m - y * (c - b)))[y != 0].sum()
        ),
        "each of the two means counts one half": lambda right, *given: 2 * right(*given),
        "the scale is missing": lambda right, c, y, b, s, m: right(c, y, b, 1.0, m),
        "cells of the ring, label 0, do not count": lambda right, c, y, b, s, m: right(
            c, torch.where(y == 0, -1, y), b, s, m
        ),
    },
    others={
        "the loss is": lambda right, c, y, b, s, m: torch.log(1 + torch.exp(s * c)).mean(),
        "without target": lambda right, c, y, *given: (
            right(c, y, *given) if (y > 0).any() else 0 * c.sum()
        ),
        "at scale 64": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m) + 0 * torch.exp(s * s * (m - y * (c - b)) / 12).sum()
        ),
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "its gradient with respect to": [
            lambda right, c, *given: right(torch.where(given[0] > 0, c.detach(), c), *given),
            lambda right, c, y, *given: right(
                torch.where((y < 0) & (y > 0).any(), c.detach(), c), y, *given
            ),
        ],
    },
)
def examine_logistic(answer, rng) -> None:
    """Pixel by pixel."""
    _compare_losses(answer, rng, 12.0)


def _compare_losses(answer, rng, scale: float) -> None:
    """Compare a loss on four maps at once, so that a mistake shows in all of them.

    Args:
        answer: on trial.
        rng: of the maps.
        scale: of the first map.
    """
    c, y = random_map(rng)
    one = random_map(rng, 8, radius=6)[0], random_map(rng, 8, radius=6)[1]
    few = random_map(rng, 7, radius=4)
    far = torch.where(y > 0, -0.9, 0.9)
    maps = {
        "the loss": (c, y, 0.45, scale, 0.2),
        "the loss of another map": (*one, 0.3, scale / 2, 0.35),
        "the loss of a map with one target cell": (*few, 0.45, scale, 0.2),
        "the loss of a map without target": (c, -torch.ones(7, 7), 0.45, scale, 0.25),
        "the loss at scale 64": (far, y, 0.6, 64.0, 0.5),
    }

    def every(f, *cases):
        return tuple(f(case[0].clone().requires_grad_(), *case[1:]) for case in cases)

    def read(given):
        return tuple(as_loss(loss, what) for loss, what in zip(given, maps, strict=True))

    answer.compare(tuple(maps.values()), tuple(maps), read, call=every, tolerance=1e-5, near=1e-5)
    for what, (cosines, *others) in maps.items():
        inputs = (cosines.clone().requires_grad_(), *others)
        answer.compare(inputs, what, as_loss, tolerance=1e-4)


def arc(cosines: Tensor, margin: float) -> Tensor:
    """cos(θ + m), falling all the way."""
    return margins.harden(cosines, margin, arc=True)


@check(
    "margin.arc",
    reference=arc,
    mistakes={
        "that is the additive margin; here m is added to the angle: cos(θ + m)": (
            lambda right, c, m: c - m
        ),
        "the angle has to grow: θ + m. Yours makes it easier": (
            lambda right, c, m: torch.cos(torch.acos(c) - m)
        ),
        "near c = −1 your curve rises again: θ + m has passed π. From there on keep it falling: "
        "c − m · sin m ({0[0]:.2f} gives {right[0]:.2f})": (
            lambda right, c, m: torch.cos(torch.acos(c) + m)
        ),
        "cos(θ + m) = cos θ · cos m − sin θ · sin m, and sin θ = √(1 − c²)": [
            lambda right, c, m: c * math.cos(m) - math.sin(m),
            lambda right, c, m: c * math.cos(m),
        ],
        "beyond θ + m = π your curve is flat, so the worst answers get no gradient; keep it "
        "falling: c − m · sin m": lambda right, c, m: torch.cos(
            (torch.acos(c) + m).clamp_max(math.pi)
        ),
        "the rule for θ + m beyond π applies where c is below −cos m; yours applies elsewhere": [
            lambda right, c, m: c - m * math.sin(m),
            lambda right, c, m: torch.where(c > math.cos(m), right(c, m), c - m * math.sin(m)),
        ],
    },
    others={
        "the gradient is not a number": lambda right, c, m: right(c, m) + 1e-9 * (1 - c * c).sqrt(),
        "lost its gradient": lambda right, c, m: right(c, m).detach(),
        "its gradient with respect to": [
            lambda right, c, m: (
                right(c, m).detach() + math.cos(m) * (c - c.detach())  # sin θ cut off
            ),
            lambda right, c, m: torch.where(c > -math.cos(m), right(c.detach(), m), right(c, m)),
            lambda right, c, m: torch.where(c > -math.cos(m), right(c, m), right(c.detach(), m)),
        ],
        "cos(θ + m) at": lambda right, c, m: right(c, 0.4),
    },
)
def examine_arc(answer, rng) -> None:
    """A margin on the angle."""
    named = "cos(θ + m)"
    for m in (0.4, 0.9):
        c = torch.linspace(-0.995, 0.995, 41).requires_grad_()
        answer.compare((c, m), "the curve", (41,), tolerance=1e-4, named=named)
    near = torch.tensor([-1.0, -0.9995, 0.9995, 1.0])
    what = "cos(θ + m) near c = ±1"
    answer.compare((near, 0.9), what, (4,), tolerance=3e-3, hint="clamp less")
    ends = torch.tensor([-1.0, 1.0], requires_grad=True)
    out = answer(ends, 0.4)
    out.sum().backward()
    if not torch.isfinite(ends.grad).all():
        raise Wrong(
            "at c = ±1 the gradient is not a number: the root's slope is infinite at 0; clamp "
            "1 − c² from below"
        )


def softmax(cosines: Tensor, labels: Tensor, b: float, scale: float, margin: float) -> Tensor:
    """The margin softmax loss () of one map.

    Args:
        cosines: (n, n).
        labels: (n, n), 1, 0 or −1.
        b: the threshold.
        scale: of the cosines.
        margin: on them.
    """
    return margin_softmax_loss(
        CosineMap(cosines[None], torch.tensor(b)), labels[None], scale, margin
    )


def _with_rivals(label: float):
    """A mistake: cells of that label are rivals as well."""

    def loss(right, c, y, *given):
        if not (y > 0).any():
            return right(c, y, *given)
        others = torch.where(y == label, -1.0, y.clamp_max(0)).flatten()  # (n²,)
        labels = torch.cat([others, torch.ones(1)])[None]  # one target cell behind all the others
        lost = [right(torch.cat([c.flatten(), p[None]])[None], labels, *given) for p in c[y > 0]]
        return torch.stack(lost).mean()

    return loss


@check(
    "margin.softmax",
    reference=softmax,
    mistakes={
        "the margin is missing: subtract it from the target's cosine": (
            lambda right, c, y, b, s, m: right(c, y, b, s, 0.0 if (y > 0).any() else m)
        ),
        'the class "nowhere", e^(s·b), is missing in the denominator': (
            lambda right, c, y, b, s, m: right(c, y, -1e3, s, m)
        ),
        "subtract the margin from the cosine, before the scale is applied": (
            lambda right, c, y, b, s, m: right(c, y, b, s, m / s)
        ),
        "the hardened cosine belongs in the numerator *and* the denominator": (
            lambda right, c, y, b, s, m: right(c, y, b, s, 0.0) + s * m
        ),
        "the other target cells are no rivals: leave them out of the sum": _with_rivals(1),
        "the ring's cells are no rivals: leave them out of the sum": _with_rivals(0),
        "average over the target cells": (
            lambda right, c, y, *given: right(c, y, *given) * (y > 0).sum()
        ),
        'in a map without target "nowhere" is the right answer, and the margin is subtracted from '
        "b": [
            lambda right, c, y, b, s, m: right(c, y, b if (y > 0).any() else b + m, s, m),
            lambda right, c, y, b, s, m: right(c, y, b if (y > 0).any() else b + 2 * m, s, m),
        ],
        '"nowhere" has the logit s · b: its cosine is multiplied by the scale as well': (
            lambda right, c, y, b, s, m: right(c, y, b / s, s, m)
        ),
        "the target cells do not compete with each other: each has its own term, and the terms "
        "are averaged": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m)
            if not (y > 0).any()
            else F.softplus(
                torch.logaddexp(torch.logsumexp(s * c[y < 0], 0), torch.tensor(s * b))
                - torch.logsumexp(s * (c[y > 0] - m), 0)
            )
        ),
    },
    others={
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "its gradient with respect to": [
            lambda right, c, *given: right(torch.where(given[0] > 0, c.detach(), c), *given),
            lambda right, c, y, *given: right(
                torch.where((y < 0) & (y > 0).any(), c.detach(), c), y, *given
            ),
        ],
        "the loss at scale 64": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m) + 0 * torch.exp(s * s * (c + 1) / 30).sum()
        ),
    },
)
def examine_softmax(answer, rng) -> None:
    """Places as classes."""
    _compare_losses(answer, rng, 4.0)
