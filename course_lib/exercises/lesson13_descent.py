"""Check of lesson 13's last step: steepest descent on DiMP's residuals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check


def descended(
    w: Tensor, x: Tensor, y: Tensor, mask: Tensor, v: Tensor, regulariser: float, length: float
) -> Tensor:
    """The filter (n,) after one step of steepest descent on ‖r‖² + λ ‖w‖², with the residuals
    r = v · (m · s + (1 − m) · max(0, s) − y) of the scores s = x w.

    Args:
        w: (n,).
        x: (M, n), a window of features in each row.
        y, mask, v: (M,), wanted scores, m in 0…1 and weights.
        regulariser: λ.
        length: factor on the exact step.
    """
    return _descended(w, x, y, mask, v, regulariser, length)


def _hinge(s: Tensor, mask: Tensor, y: Tensor) -> Tensor:
    return mask * s + (1 - mask) * F.relu(s) - y


def _slope(s: Tensor, mask: Tensor) -> Tensor:
    return mask + (1 - mask) * (s > 0)


def _exact(g: Tensor, Jg: Tensor, lam: float) -> Tensor:
    return (g @ g) / (Jg @ Jg + lam * (g @ g))


def _descended(
    w: Tensor,
    x: Tensor,
    y: Tensor,
    mask: Tensor,
    v: Tensor,
    lam: float,
    length: float,
    off: Callable[..., Tensor] = _hinge,
    slope: Callable[..., Tensor] = _slope,
    seen: Callable[..., Tensor] | None = None,
    weight: Callable[[Tensor], Tensor] = lambda v: v,
    reach: Callable[[Tensor], Tensor] | None = None,
    grown: Callable[..., Tensor] = lambda w, lam: lam * w,
    alpha: Callable[..., Tensor] = _exact,
    go: Callable[..., Tensor] = lambda w, g, a, length: w - length * a * g,
) -> Tensor:
    """The step, with a part changed.

    Args:
        w, x, y, mask, v, lam, length: as of `descended`.
        off: (s, mask, y) → r / v.
        slope: (s, mask) → derivative of that in s.
        seen: the same in the length of the step; None for `slope`.
        weight: v → its place in J.
        reach: the same in the length of the step; None for `weight`.
        grown: (w, λ) → what the regulariser adds to the gradient.
        alpha: (g, J g, λ) → length.
        go: (w, g, α, length) → the new filter.
    """
    s = x @ w  # (M,)
    r, t = v * off(s, mask, y), weight(v) * slope(s, mask)  # (M,) each
    g = x.T @ (t * r) + grown(w, lam)  # (n,)
    along = (reach or weight)(v) * (seen or slope)(s, mask)
    return go(w, g, alpha(g, along * (x @ g), lam), length)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _descended(*given, **changed)


def _given(change):
    """A mistake: the right step for other inputs, change(w, x, y, m, v, λ, length)."""
    return lambda right, *given: right(*change(*given))


def _ones(s, mask):
    return torch.ones_like(s)


@check(
    "online.descent",
    reference=descended,
    mistakes={
        "you penalise the background for scores below 0; where m is 0, these cost nothing": [
            _with(off=lambda s, m, y: s - y, slope=_ones),
            _given(lambda w, x, y, m, *given: (w, x, y, torch.ones_like(m), *given)),
        ],
        "at the target, where m is 1, the score is to be y, whatever its sign: no max there, "
        "neither in r nor in its slope": [
            _given(lambda w, x, y, m, *given: (w, x, y, torch.zeros_like(m), *given)),
            _with(slope=lambda s, m: (s > 0).to(s)),
        ],
        "the mask is the wrong way round: 1 is the target": (
            _given(lambda w, x, y, m, *given: (w, x, y, 1 - m, *given))
        ),
        "y is subtracted after the max: max(0, s) − y, not max(0, s − y)": _with(
            off=lambda s, m, y: m * (s - y) + (1 - m) * F.relu(s - y),
            slope=lambda s, m: m + (1 - m) * (s > 0),
        ),
        "J has the slope of r, not of s: m + (1 − m) where s > 0, and m where it is not": [
            _with(slope=_ones),
            _with(slope=_ones, weight=torch.ones_like),
            _with(slope=lambda s, m: m),
        ],
        "the length of the step has the slope in it too: J g, not x g": [
            _with(seen=_ones),
            _with(seen=_ones, reach=torch.ones_like),
        ],
        "v is a part of J as well: it stands before everything in r": [
            _with(weight=lambda v: torch.ones_like(v)),
            _given(lambda w, x, y, m, v, *given: (w, x, y, m, torch.ones_like(v), *given)),
        ],
        "the regulariser is missing in the gradient: it adds λ w": (
            _with(grown=lambda w, lam: 0 * w)
        ),
        "the regulariser is missing in the length: ‖J g‖² + λ ‖g‖²": (
            _with(alpha=lambda g, Jg, lam: (g @ g) / (Jg @ Jg))
        ),
        "λ is missing from both the gradient and the length": (
            _given(lambda w, x, y, m, v, lam, length: (w, x, y, m, v, 0.0, length))
        ),
        "`regulariser` is λ itself: take neither its root nor its square": [
            _given(lambda w, x, y, m, v, lam, length: (w, x, y, m, v, lam**2, length)),
            _given(lambda w, x, y, m, v, lam, length: (w, x, y, m, v, lam**0.5, length)),
        ],
        "the step goes uphill: subtract it": (_with(go=lambda w, g, a, length: w + length * a * g)),
        "your step is twice as long as the exact one: gradient and α have to belong to the same "
        "loss; with 2 Jᵀr as the gradient, α is half as large": (
            _with(go=lambda w, g, a, length: w - 2 * length * a * g)
        ),
        "α is ‖g‖² over ‖J g‖² + λ ‖g‖², squares above and below": [
            _with(alpha=lambda g, Jg, lam: g.norm() / (Jg @ Jg + lam * (g @ g)).sqrt()),
            _with(alpha=lambda g, Jg, lam: 1 / _exact(g, Jg, lam)),
            _with(alpha=lambda g, Jg, lam: 1 / (Jg @ Jg + lam * (g @ g))),
        ],
        "multiply the exact step by `length`: the step has both factors, `length` and α": [
            _with(go=lambda w, g, a, length: w - a * g),
            _with(go=lambda w, g, a, length: w - length * g),
        ],
        "the step starts at w; yours is the step alone": _with(
            go=lambda w, g, a, length: -length * a * g
        ),
    },
    others={
        "the gradient of the filter does not reach `x`": lambda right, w, x, *given: right(
            w, x.detach(), *given
        ),
        "its gradient with respect to": _with(alpha=lambda g, Jg, lam: _exact(g, Jg, lam).detach()),
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "the filter at": lambda right, *given: right(*given) + 0.01,
    },
)
def examine_descent(answer, rng: np.random.Generator) -> None:
    """One step for soft masks and for hard ones; it is learned through."""
    for M, n, lam, length in ((14, 5, 0.3, 0.9), (23, 7, 0.05, 0.7)):
        x, w = (torch.from_numpy(rng.normal(size=s)).float() for s in ((M, n), n))
        mask = torch.from_numpy(rng.choice([0.0, 1.0, 0.35], M)).float()
        mask[:2] = torch.tensor([0.0, 1.0])
        y = 0.2 + mask * torch.from_numpy(rng.uniform(0.4, 1, M)).float()
        v = torch.from_numpy(rng.uniform(0.4, 1.6, M)).float()
        inputs = (w.requires_grad_(), x.requires_grad_(), y, mask, v, lam, length)
        answer.compare(
            inputs,
            "the filter",
            lambda given, n=n: as_array(given, (n,), "the filter"),
            tolerance=1e-4,
            near=1e-4,
        )
