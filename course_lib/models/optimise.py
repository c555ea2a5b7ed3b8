"""Least squares in few steps: Gauss–Newton with conjugate gradients, and steepest descent with the
exact step, which is the same with one direction a round.

To make L(w) = ‖r(w)‖² small, Gauss–Newton replaces the residuals by their linear part at w,
r(w + d) ≈ r + J d, and looks for the d that minimises ‖r + J d‖². Its normal equations are
JᵀJ d = −Jᵀr, and conjugate gradients solve them with products alone: J times a direction, Jᵀ times
residuals. J itself, as many rows as residuals and as many columns as weights, is never formed.
ATOM (Danelljan et al., 2019) learns its classifier in this way, DiMP (Bhat et al., 2019) its own by
steepest descent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Vector = tuple[Tensor, ...]  # a point or direction among the weights: one tensor for each
Residuals = Callable[..., Tensor]  # weights, one argument for each tensor, to residuals
Precondition = Callable[[Vector], Vector]


def inner(a: Vector, b: Vector, each: bool = False) -> Tensor:
    """Inner product () of two directions, over all their tensors together.

    Args:
        a: tensors of any shapes (...).
        b: tensors of the same shapes.
        each: whether the first axis of every tensor counts separate problems; then the products
            are (B,), one for each.
    """
    own = 1 if each else 0  # axes that stay
    products = ((x * y).reshape(*x.shape[:own], -1) for x, y in zip(a, b, strict=True))
    return sum(product.sum(-1) for product in products)


def ahead(a: Vector, factor: Tensor | float, b: Vector) -> Vector:
    """a + factor · b, tensors of any shapes (...).

    Args:
        a: where to start.
        factor: (), or (B,) if the first axis counts separate problems.
        b: the direction.
    """
    factor = torch.as_tensor(factor)
    return tuple(
        x + factor.reshape(factor.shape + (1,) * (y.ndim - factor.ndim)) * y
        for x, y in zip(a, b, strict=True)
    )


class Linearised:
    """Residuals near one point: r(w + d) ≈ r + J d, where J is known by its products alone.

    Args:
        residuals: takes the tensors of w, gives r (M,); with `each`, (B, M).
        weights: w.
        each: whether the first axis of weights and residuals counts separate problems.
        keep_graph: whether what is computed can be differentiated itself, as in training through
            the steps.

    Attributes:
        r: the residuals at w.
    """

    def __init__(
        self, residuals: Residuals, weights: Vector, each: bool = False, keep_graph: bool = False
    ) -> None:
        self.each, self.keep_graph = each, keep_graph
        with torch.enable_grad():
            # in training, w depends on what came before and must not be cut off from it
            kept = [keep_graph and w.requires_grad for w in weights]
            self.weights = tuple(
                w if k else w.detach().requires_grad_() for w, k in zip(weights, kept, strict=True)
            )
            self.r = residuals(*self.weights)  # (M,) or (B, M)
            self._u = torch.zeros_like(self.r, requires_grad=True)
            # Jᵀu as a function of u: linear, so that its own derivative gives J
            self._transposed = torch.autograd.grad(self.r, self.weights, self._u, create_graph=True)

    def transposed(self, v: Tensor) -> Vector:
        """Jᵀv for v shaped as the residuals, (M,) or (B, M): one backward pass."""
        return torch.autograd.grad(
            self.r, self.weights, v, retain_graph=True, create_graph=self.keep_graph
        )

    def times(self, d: Vector) -> Tensor:
        """J d (M,) or (B, M): the derivative of ⟨Jᵀu, d⟩ in u, a backward pass through the backward
        pass (J. Townsend, "A new trick for calculating Jacobian vector products", 2017)."""
        (product,) = torch.autograd.grad(
            self._transposed, self._u, d, retain_graph=True, create_graph=self.keep_graph
        )
        return product

    def loss(self) -> Tensor:
        """‖r‖² at w: (), with `each` (B,)."""
        r = self.r if self.keep_graph else self.r.detach()  # (M,) or (B, M)
        return inner((r,), (r,), self.each)


@dataclass
class Carried:
    """What conjugate gradients keep from one call for the next.

    Attributes:
        keep: how much of the last direction enters the first one of the next call; 0 for none,
            as in ATOM's settings.
    """

    keep: float = 0.0
    direction: Vector | None = None
    gradient: Vector | None = None
    size: Tensor | None = None

    def next(self, preconditioned: Vector, gradient: Vector, each: bool) -> Vector:
        """The next direction: z + β · (the one before), by Polak and Ribière (1969).

        β = ⟨z, g − g_before⟩ / ⟨z_before, g_before⟩, but at least 0: where the directions no longer
        fit together, it starts anew with z.

        Args:
            preconditioned: z, of any shapes (...).
            gradient: g, the negative gradient.
            each: see `inner`.
        """
        size = inner(preconditioned, gradient, each)  # () or (B,)
        direction = preconditioned
        if self.direction is not None and self.gradient is not None and self.size is not None:
            change = size - inner(preconditioned, self.gradient, each)
            beta = (change / not_zero(self.size)).clamp_min(0)
            direction = ahead(preconditioned, beta, self.direction)
        self.direction, self.gradient, self.size = direction, gradient, size
        return direction

    def begin(self) -> None:
        """A new call: forget the last direction, or all but a part of it."""
        if self.keep == 0 or self.size is None:
            self.direction = self.gradient = self.size = None
        else:
            self.size = self.size / self.keep


def not_zero(x: Tensor) -> Tensor:
    """x (...), at least as large as the smallest normal number, so that 0 / x is 0."""
    return x.clamp_min(torch.finfo(x.dtype).tiny)


def conjugate_gradients(
    local: Linearised,
    steps: int,
    precondition: Precondition | None = None,
    carried: Carried | None = None,
) -> Vector:
    """The d that minimises ‖r + J d‖², after some steps from d = 0.

    Each step goes along one direction as far as the loss falls, α = ⟨p, g⟩ / ‖J p‖², and none
    undoes what another has done: without rounding, n steps solve a problem of n weights.

    Args:
        local: the problem.
        steps: at least 1; with 1, the direction is the negative gradient.
        precondition: makes a direction of a gradient, by dividing it by what is known of the
            curvature; without it they are the same.
        carried: kept from the last call; None to keep nothing.
    """
    carried = carried or Carried()
    carried.begin()
    g = tuple(-x for x in local.transposed(local.r))  # (...) each: −Jᵀr, half the gradient's
    d = tuple(torch.zeros_like(x) for x in g)
    for k in range(steps):
        p = carried.next(precondition(g) if precondition else g, g, local.each)
        Jp = local.times(p)  # (M,) or (B, M)
        curvature = not_zero(inner((Jp,), (Jp,), local.each))  # () or (B,)
        alpha = inner(p, g, local.each) / curvature
        d = ahead(d, alpha, p)
        if k + 1 < steps:
            g = ahead(g, -alpha, local.transposed(Jp))  # −Jᵀ(r + J d)
    return d


def gauss_newton(
    residuals: Residuals,
    weights: Vector,
    rounds: int,
    steps: int,
    precondition: Precondition | None = None,
    length: Tensor | float = 1.0,
    each: bool = False,
    keep_graph: bool = False,
    carried: Carried | None = None,
) -> Iterator[Vector]:
    """The weights after each round of Gauss–Newton: residuals are linearised, then some steps of
    conjugate gradients are taken.

    Args:
        residuals: takes the tensors of w, gives r (M,); with `each`, (B, M).
        weights: w at the start.
        rounds: how often to linearise.
        steps: of conjugate gradients in each round.
        precondition: see `conjugate_gradients`.
        length: factor on each round's step.
        each: whether the first axis of weights and residuals counts separate problems.
        keep_graph: whether the results can be differentiated in what the residuals depend on, in
            the first weights and in `length`.
        carried: see `conjugate_gradients`.
    """
    for _ in range(rounds):
        local = Linearised(residuals, weights, each, keep_graph)
        d = conjugate_gradients(local, steps, precondition, carried)
        with torch.set_grad_enabled(keep_graph):
            weights = ahead(local.weights, length, d)
        yield weights if keep_graph else tuple(w.detach() for w in weights)


def steepest_descent(
    residuals: Residuals,
    weights: Vector,
    steps: int,
    length: Tensor | float = 1.0,
    each: bool = False,
    keep_graph: bool = False,
) -> Iterator[Vector]:
    """The weights after each step along the negative gradient g, with the length that is best for
    the linear part of the residuals: α = ‖g‖² / ‖J g‖² (Bhat et al., 2019, sec. 3.2).

    Args:
        residuals: takes the tensors of w, gives r (M,); with `each`, (B, M).
        weights: w at the start.
        steps: how many.
        length: factor on each step.
        each: see `gauss_newton`.
        keep_graph: see `gauss_newton`.
    """
    return gauss_newton(
        residuals, weights, steps, 1, length=length, each=each, keep_graph=keep_graph
    )


def divide_by(*curvatures: float) -> Precondition:
    """The preconditioner that divides each tensor (...) of a gradient by one number.

    ATOM's: a weight with little regularisation has little curvature, and its gradient says little
    about how far it is to its best value.
    """

    def precondition(gradient: Vector) -> Vector:
        """Each tensor (...) divided by its number."""
        return tuple(g / c for g, c in zip(gradient, curvatures, strict=True))

    return precondition
