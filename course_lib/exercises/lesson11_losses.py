"""Checks of lesson 11, second part: margins."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

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
            right(c, y, *given) if (y > 0).any() else torch.tensor(0.0)
        ),
        "at scale 64": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m) + 0 * torch.exp(s * s * (m - y * (c - b)) / 12).sum()
        ),
    },
)
def examine_logistic(answer, rng) -> None:
    """Pixel by pixel."""
    c, y = random_map(rng)
    answer.compare((c, y, 0.45, 12.0, 0.2), "the loss", tolerance=1e-5)
    nowhere = c, -torch.ones(7, 7), 0.45, 12.0, 0.2
    answer.compare(nowhere, "the loss of a map without target", tolerance=1e-5)
    far = torch.full((7, 7), -1.0), y, 0.9, 64.0, 0.5
    answer.compare(far, "the loss at scale 64", tolerance=1e-5)


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
    },
    others={
        "the gradient is not a number": lambda right, c, m: right(c, m) + 1e-9 * (1 - c * c).sqrt()
    },
)
def examine_arc(answer, rng) -> None:
    """A margin on the angle."""
    c, m = torch.linspace(-0.995, 0.995, 41), 0.4
    named = "cos(θ + m)"
    answer.compare((c, m), "the hardened cosines", (41,), tolerance=1e-4, named=named)
    ends = torch.tensor([-1.0, 1.0], requires_grad=True)
    out = answer(ends, m)
    if isinstance(out, Tensor) and out.requires_grad:
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
    },
    others={
        "the margin is subtracted from b": lambda right, c, y, b, s, m: right(
            c, y, b if (y > 0).any() else b + m, s, m
        )
    },
)
def examine_softmax(answer, rng) -> None:
    """Places as classes."""
    c, y = random_map(rng)
    answer.compare((c, y, 0.45, 8.0, 0.2), "the loss", tolerance=1e-4)
    answer.compare(
        (c, -torch.ones(7, 7), 0.45, 8.0, 0.2),
        "the loss of a map without target",
        tolerance=1e-4,
        hint='there "nowhere" is the right answer, and the margin is subtracted from b',
    )


@check(
    "margin.scale",
    reference=margins.least_scale,
    mistakes={
        "the others are not at 0 but at −1/(N − 1): the two cosines lie N/(N − 1) apart": (
            lambda right, n, p: right(n, p) * n / (n - 1)
        ),
        "there are N − 1 others, and all of them are in the denominator": (
            lambda right, n, p: (n - 1) / n * math.log(p / (1 - p))
        ),
    },
    others={"the scale is": lambda right, n, p: 10.0},
)
def examine_scale(answer, rng) -> None:
    """How large a scale must be."""
    for n, p in ((289, 0.9), (289, 0.99), (10, 0.9)):
        named = f"for {n} classes and probability {p} the scale"
        answer.compare((n, p), "the scale", tolerance=1e-4, named=named)


@check(
    "margin.ramp",
    reference=margins.margin_at,
    mistakes={
        "the margin must reach its full value in the first 30 % of the steps; yours still grows at "
        "the end": lambda right, done, margin, ramp: right(done, margin, ramp and 1.0),
        "after the ramp the margin stays at 0.3; yours keeps growing": (
            lambda right, done, margin, ramp: margin * done / ramp if ramp else margin
        ),
    },
    others={
        "after 0% of the steps the margin is": lambda right, done, margin, ramp: margin,
        "without a ramp": lambda right, done, margin, ramp: (
            right(done, margin, ramp) if ramp else 0.0
        ),
    },
)
def examine_ramp(answer, rng) -> None:
    """A margin that grows."""
    for done in (0.0, 0.1, 0.25, 0.3, 0.6, 1.0):
        what = f"the margin after {done:.0%} of the steps"
        named = f"after {done:.0%} of the steps the margin"
        answer.compare((done, 0.3, 0.3), what, named=named)
    named = "without a ramp the margin in the first step"
    answer.compare((0.0, 0.3, 0.0), "the margin without a ramp", named=named)
