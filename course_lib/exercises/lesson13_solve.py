"""Check of lesson 13's solver: conjugate gradients, with J known by its products alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check

Product = Callable[[Tensor], Tensor]


def conjugate_gradients(
    r: Tensor, transposed: Product, times: Product, steps: int, precondition: Product
) -> Tensor:
    """The d (n,) that makes ‖r + J d‖² small, after some steps from d = 0.

    Args:
        r: (m,).
        transposed: v (m,) to Jᵀv (n,).
        times: d (n,) to J d (m,).
        steps: how many.
        precondition: gradient (n,) to direction (n,).
    """
    return _solve(r, transposed, times, steps, precondition)


def polak_ribiere(z: Tensor, g: Tensor, z_before: Tensor, g_before: Tensor) -> Tensor:
    """β (), at least 0.

    Args:
        z, g: the preconditioned gradient and the gradient, (n,).
        z_before, g_before: those of the step before, (n,).
    """
    return ((z @ (g - g_before)) / (z_before @ g_before)).clamp_min(0)


def _solve(
    r: Tensor,
    transposed: Product,
    times: Product,
    steps: int,
    precondition: Product,
    beta: Callable[..., Tensor | float] = polak_ribiere,
    alpha: Callable[..., Tensor] = lambda p, g, Jp: (p @ g) / (Jp @ Jp),
    first: Callable[..., Tensor] = lambda g: -g,
    renew: Callable[..., Tensor] = lambda g, a, change: g - a * change,
    after: Callable[..., Tensor] = lambda p: p,
) -> Tensor:
    """Conjugate gradients, with a part changed.

    Args:
        r, transposed, times, steps, precondition: as of `conjugate_gradients`.
        beta: (z, g, z before, g before) → β.
        alpha: (p, g, J p) → length of the step.
        first: Jᵀr → g.
        renew: (g, α, JᵀJ p) → the next g.
        after: direction → direction.
    """
    g = first(transposed(r))  # (n,)
    d, p, before = torch.zeros_like(g), torch.zeros_like(g), None
    for _ in range(steps):
        z = precondition(g)
        p = after(z + (beta(z, g, *before) * p if before else 0 * p))
        Jp = times(p)  # (m,)
        a = alpha(p, g, Jp)
        d, before = d + a * p, (z, g)
        g = renew(g, a, transposed(Jp))
    return d


def _with(**changed):
    """A mistake: another part of the solver."""
    return lambda right, *given: _solve(*given, **changed)


def _given(change):
    """A mistake: the right solver of other inputs, change(r, transposed, times, steps, P)."""
    return lambda right, *given: right(*change(*given))


def _plain(r, transposed, times, steps, precondition):
    return r, transposed, times, steps, lambda g: g


def _at_first(r, transposed, times, steps, precondition):
    """The preconditioner is used in the first step alone."""
    calls = []

    def once(g):
        calls.append(1)
        return precondition(g) if len(calls) == 1 else g

    return r, transposed, times, steps, once


@check(
    "online.solve",
    reference=conjugate_gradients,
    learns=False,
    mistakes={
        "you go uphill: g is −Jᵀr, the direction in which the loss falls": [
            _with(first=lambda g: g, renew=lambda g, a, change: g + a * change),
            _given(lambda r, *given: (-r, *given)),
            lambda right, *given: -right(*given),
        ],
        "your β is 0 in (nearly) every step: it is never used, or g − g before has the wrong sign, or "
        "`g before` is the new g already, kept too late or changed in place. Each step goes along the "
        "preconditioned gradient alone, which is steepest descent, and undoes a part of what the "
        "step before has gained": [
            _with(beta=lambda *given: 0.0),
            _with(beta=lambda z, g, zb, gb: ((z @ (gb - g)) / (zb @ gb)).clamp_min(0)),
        ],
        "β is that of Fletcher and Reeves; Polak and Ribière's has the *change* of g, g − g before": (
            _with(beta=lambda z, g, zb, gb: (z @ g) / (zb @ gb))
        ),
        "β may not be negative: clamp it at 0, and the solver starts anew there": (
            _with(beta=lambda z, g, zb, gb: (z @ (g - gb)) / (zb @ gb))
        ),
        "β has z, the preconditioned gradient, in it: ⟨z, g − g before⟩ / ⟨z before, g before⟩": [
            _with(beta=lambda z, g, zb, gb: ((g @ (g - gb)) / (gb @ gb)).clamp_min(0)),
            _with(beta=lambda z, g, zb, gb: ((z @ (z - zb)) / (zb @ zb)).clamp_min(0)),
            _with(beta=lambda z, g, zb, gb: ((z @ (g - gb)) / (gb @ gb)).clamp_min(0)),
        ],
        "β is divided by what belongs to the step *before*, ⟨z before, g before⟩": (
            _with(beta=lambda z, g, zb, gb: ((z @ (g - gb)) / (z @ g)).clamp_min(0))
        ),
        "α is ⟨p, g⟩ / ‖J p‖²; yours has another numerator, which is the same only without a "
        "preconditioner": [
            _with(alpha=lambda p, g, Jp: (g @ g) / (Jp @ Jp)),
        ],
        "α is ⟨p, g⟩ / ‖J p‖²; yours has ⟨p, p⟩ in the numerator, which is the same only in the "
        "first step, and only without a preconditioner": (
            _with(alpha=lambda p, g, Jp: (p @ p) / (Jp @ Jp))
        ),
        "α is divided by ‖J p‖², with J: how much the residuals change along p": (
            _with(alpha=lambda p, g, Jp: (p @ g) / (p @ p))
        ),
        "your steps have a fixed length; α says how far each one goes": (
            _with(alpha=lambda p, g, Jp: torch.tensor(0.01, dtype=p.dtype))
        ),
        "half of each step is missing: ‖J p‖² has no factor 2": (
            _with(alpha=lambda p, g, Jp: 0.5 * (p @ g) / (Jp @ Jp))
        ),
        "your g stays what it was at d = 0: after each step subtract α JᵀJ p from it": (
            _with(renew=lambda g, a, change: g)
        ),
        "after a step α JᵀJ p is subtracted from g, not added": (
            _with(renew=lambda g, a, change: g + a * change)
        ),
        "after a step g changes by *α* times JᵀJ p": _with(renew=lambda g, a, change: g - change),
        "the preconditioner is never used": _given(_plain),
        "the preconditioner is used in every step, not in the first alone": _given(_at_first),
        "the preconditioner is meant for the gradient; a direction that has been preconditioned "
        "stays as it is": [
            lambda right, r, t, m, steps, P: _solve(r, t, m, steps, lambda g: g, after=P),
            lambda right, r, t, m, steps, P: _solve(r, t, m, steps, P, after=P),
            _given(lambda r, t, m, steps, P: (r, t, m, steps, lambda g: P(P(g)))),
        ],
        "you take one step too many or too few": [
            _given(lambda r, t, m, steps, P: (r, t, m, steps - 1, P)),
            _given(lambda r, t, m, steps, P: (r, t, m, steps + 1, P)),
        ],
    },
    others={
        "d after": lambda right, *given: right(*given) + 0.01,
    },
)
def examine_solve(answer, rng: np.random.Generator) -> None:
    """A few steps and as many as there are weights, with several preconditioners; one is no matrix,
    and makes β negative."""
    J, r = _problem(rng)
    while not _turns(J, r):
        J, r = _problem(rng)
    scale = torch.tensor([3.0, 0.4, 1.7, 0.6, 1.2], dtype=J.dtype)
    cases = {
        "d after 3 steps with a preconditioner": (3, lambda g: scale * g),
        "d after 4 steps with a preconditioner that is no matrix": (4, _bent),
        "d after 2 steps": (2, lambda g: g.clone()),
        "d after 1 step": (1, lambda g: g / scale),
    }

    def every(f, r):
        return tuple(
            f(r.clone(), lambda v: J.T @ v, lambda d: J @ d, steps, P)
            for steps, P in cases.values()
        )

    def read(given):
        return tuple(
            as_array(d, (5,), what, allow_nan=True) for d, what in zip(given, cases, strict=True)
        )

    answer.compare((r,), tuple(cases), read, call=every, near=1e-7, named=tuple(cases))
    single = J.float()  # as in the next cells; a result of another precision is converted there
    answer(r.float(), lambda v: single.T @ v, lambda d: single @ d, 1, lambda g: g)


def _problem(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A random J (9, 5), whose columns have different lengths, and r (9,)."""
    J, r = (torch.from_numpy(rng.normal(size=s)) for s in ((9, 5), 9))
    return J * torch.tensor([0.4, 0.7, 1.0, 1.6, 2.5], dtype=J.dtype), r


def _bent(g: Tensor) -> Tensor:
    """A direction in which what is positive counts twenty times."""
    return torch.where(g > 0, 20 * g, g)


def _turns(J: Tensor, r: Tensor) -> bool:
    """Whether β would become negative within four steps with `_bent`."""
    seen = []

    def beta(z, g, z_before, g_before):
        seen.append(float((z @ (g - g_before)) / (z_before @ g_before)))
        return max(seen[-1], 0.0)

    _solve(r, lambda v: J.T @ v, lambda d: J @ d, 4, _bent, beta=beta)
    return min(seen) < -0.03
