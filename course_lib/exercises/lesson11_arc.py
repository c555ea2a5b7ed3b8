"""Check of lesson 11, first part: a margin on the angle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import margin as margins


def arc(cosines: Tensor, margin: float) -> Tensor:
    """cos(θ + m), falling all the way."""
    return margins.harden(cosines, margin, arc=True)


def _switched(
    early=lambda c, m: torch.cos(torch.acos(c) + m),
    late=lambda c, m: c - m * math.sin(m),
    limit=lambda m: -math.cos(m),
    swapped=False,
):
    """A mistake in the hardened cosines: another curve before the switch or after it, or a switch
    elsewhere.

    Args:
        early, late: (c, m) → the curve.
        limit: m → the cosine at which one passes into the other.
        swapped: whether they have changed places.
    """
    return lambda right, c, m: torch.where((c > limit(m)) ^ swapped, early(c, m), late(c, m))


@check(
    "margin.arc",
    reference=arc,
    mistakes={
        "that is the additive margin; here m is added to the angle: cos(θ + m)": (
            lambda right, c, m: c - m
        ),
        "the angle has to grow: θ + m. Yours shrinks it, which makes it easier": [
            lambda right, c, m: torch.cos(torch.acos(c) - m),
            _switched(lambda c, m: torch.cos(torch.acos(c) - m)),
        ],
        "near c = −1 your curve rises again: θ + m has passed π. From there on keep it falling: "
        "c − m · sin m ({0[0]:.2f} gives {right[0]:.2f})": (
            lambda right, c, m: torch.cos(torch.acos(c) + m)
        ),
        "cos(θ + m) = cos θ · cos m − sin θ · sin m, and sin θ = √(1 − c²)": [
            lambda right, c, m: c * math.cos(m) - math.sin(m),
            lambda right, c, m: c * math.cos(m),
            _switched(lambda c, m: c * math.cos(m)),
            _switched(lambda c, m: c * math.cos(m) - math.sin(m)),
            _switched(lambda c, m: c * math.sin(m) - (1 - c * c).sqrt() * math.cos(m)),
            _switched(lambda c, m: c * math.cos(m) - (1 - c * c) * math.sin(m)),
            _switched(lambda c, m: c * math.cos(m) - (1 - c).sqrt() * math.sin(m)),
            _switched(lambda c, m: c * math.cos(m) - (1 + c * c).sqrt() * math.sin(m)),
        ],
        "beyond θ + m = π your curve is flat, so the worst answers get no gradient; keep it "
        "falling: c − m · sin m": lambda right, c, m: torch.cos(
            (torch.acos(c) + m).clamp_max(math.pi)
        ),
        "the rule for θ + m beyond π applies where c is below −cos m; yours applies elsewhere": [
            lambda right, c, m: c - m * math.sin(m),
            *(
                _switched(limit=limit)
                for limit in (math.cos, lambda m: 0, lambda m: -math.sin(m), lambda m: m - 1)
            ),
            _switched(swapped=True),
        ],
        "beyond θ + m = π your curve is wrong; it should be c − m · sin m": [
            _switched(late=late)
            for late in (
                lambda c, m: c - math.sin(m),
                lambda c, m: c - m,
                lambda c, m: c - m * math.cos(m),
                lambda c, m: c + m * math.sin(m),
                lambda c, m: c - 2 * m * math.sin(m),
                lambda c, m: c,
                lambda c, m: -2 - torch.cos(torch.acos(c) + m),
            )
        ],
        "the margin is in radians already": lambda right, c, m: right(c, math.radians(m)),
    },
    others={
        "the gradient is not a number": [
            lambda right, c, m: right(c, m) + 1e-9 * (1 - c * c).sqrt(),
            _switched(),
        ],
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
        c = torch.linspace(-0.995, 0.995, 41)
        answer.compare((c, m), "the curve", (41,), tolerance=1e-4, named=named)
    near = torch.tensor([-1.0, -0.9995, 0.9995, 1.0])
    what = "cos(θ + m) near c = ±1"
    answer.compare((near, 0.9), what, (4,), tolerance=3e-3, hint="clamp less")
    learned = torch.linspace(-0.98, 0.98, 41).requires_grad_()
    answer.compare((learned, 0.7), "the curve", (41,), tolerance=1e-4, named=named)
    ends = torch.tensor([-1.0, 1.0], requires_grad=True)
    out = answer(ends, 0.4)
    out.sum().backward()
    if not torch.isfinite(ends.grad).all():
        raise Wrong(
            "at c = ±1 the gradient is not a number: the slope of a root is infinite at 0, that of "
            "acos at ±1; clamp 1 − c² from below, or c before acos"
        )
