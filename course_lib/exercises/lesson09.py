"""Checks of lesson 09: separable global convolution, broadcast."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_tensor, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import heads_learned


def normal(rng: np.random.Generator, *shape: int) -> Tensor:
    """A tensor of normally distributed numbers that is learned through."""
    return torch.from_numpy(rng.normal(size=shape)).float().requires_grad_()


def as_map(what: str):
    """Read a tensor of whatever shape, so that mistakes are known by their numbers."""
    return lambda given: as_tensor(given, shape_of(given) or (), what)


def weights_of(k: int, before: int, mid: int, after: int) -> tuple[int, int]:
    """Weights of a convolution, and of its two separable branches.

    Args:
        k: the convolution is k × k.
        before: channels of its input.
        mid: channels inside the branches.
        after: channels of its output.
    """
    return k * k * before * after, 2 * k * mid * (before + after)


def _plain(count):
    """A mistake: the convolution's count is count(k, before, mid, after)."""
    return 0, lambda right, *case: (count(*case), right(*case)[1])


def _separable(count):
    """A mistake: the branches' count is count(k, before, mid, after)."""
    return 1, lambda right, *case: (right(*case)[0], count(*case))


@check(
    "match.count",
    reference=weights_of,
    mistakes={
        "your separable count has one branch; there are two: k × 1 then 1 × k, and 1 × k then k × "
        "1": _separable(lambda k, before, mid, after: k * mid * (before + after)),
        "a k × k kernel has k² weights for each pair of channels, not k": _plain(
            lambda k, before, mid, after: k * before * after
        ),
        "a k × 1 kernel has k weights for each pair of channels, not k²": _separable(
            lambda k, before, mid, after: 2 * k * k * mid * (before + after)
        ),
        "the plain convolution comes first, the separable one second": (
            lambda right, *case: right(*case)[::-1]
        ),
        "every pair of an input and an output channel has a kernel of its own: multiply by the "
        "number of pairs": [
            _plain(lambda k, before, mid, after: k * k * after),
            _plain(lambda k, before, mid, after: k * k * (before + after)),
            _separable(lambda k, before, mid, after: 2 * k * (before + mid + after)),
            _separable(lambda k, before, mid, after: 2 * k * (before + mid + mid + after)),
            _separable(lambda k, before, mid, after: 2 * k * (mid + after)),
        ],
        "the first step of a branch leads from {1} to {2} channels, the second from {2} to {3}": [
            _separable(lambda k, before, mid, after: 2 * k * mid * (before + mid)),
            _separable(lambda k, before, mid, after: 2 * k * after * (before + after)),
            _separable(lambda k, before, mid, after: 2 * k * before * (mid + after)),
            _separable(lambda k, before, mid, after: 4 * k * before * mid),
            _separable(lambda k, before, mid, after: 4 * k * mid * after),
            _separable(lambda k, before, mid, after: 4 * k * before * after),
        ],
        "the two steps of a branch are layers of their own: their weights are added, not "
        "multiplied": _separable(lambda k, before, mid, after: 2 * (k * mid) ** 2 * before * after),
        "the plain convolution goes straight from {1} to {3} channels": [
            _plain(lambda k, before, mid, after: k * k * before * mid),
            _plain(lambda k, before, mid, after: k * k * mid * (before + after)),
        ],
        "biases are not counted": [
            _plain(lambda k, before, mid, after: k * k * before * after + after),
            _separable(
                lambda k, before, mid, after: 2 * (k * mid * (before + after) + mid + after)
            ),
        ],
    },
)
def examine_count(answer, rng) -> None:
    """Weights of a large convolution and of its separable counterpart."""
    for case in ((11, 2048, 512, 300), (7, 96, 40, 320), (3, 5, 13, 8)):
        named = f"for k = {case[0]} and {case[1]}, {case[2]} and {case[3]} channels the counts"
        answer.compare(case, "the pair of counts", (2,), named=named, tolerance=1e-12)


def separable(
    x: Tensor, tall_first: Tensor, wide_second: Tensor, wide_first: Tensor, tall_second: Tensor
) -> Tensor:
    """Sum of two separable branches over a map; kernels as F.conv2d takes them, of odd sizes.

    Args:
        x: (B, C, H, W).
        tall_first: (M, C, k, 1).
        wide_second: (D, M, 1, k).
        wide_first: (M, C, 1, k).
        tall_second: (D, M, k, 1).

    Returns:
        (B, D, H, W).
    """
    left = F.conv2d(F.conv2d(x, tall_first, padding="same"), wide_second, padding="same")
    right = F.conv2d(F.conv2d(x, wide_first, padding="same"), tall_second, padding="same")
    return left + right


def _branches(x, a, b, c, d, between=lambda y: y, join=torch.add, **padding):
    """Two branches with something between their steps, joined otherwise or padded otherwise."""
    padding = padding or {"padding": "same"}
    left = F.conv2d(between(F.conv2d(x, a, **padding)), b, **padding)
    right = F.conv2d(between(F.conv2d(x, c, **padding)), d, **padding)
    return join(left, right)


def _repeated_border(right, x, a, b, c, d):
    """A mistake: the map is padded with copies of its border."""

    def conv(y, kernel):
        rows, columns = (side // 2 for side in kernel.shape[2:])
        return F.conv2d(F.pad(y, (columns, columns, rows, rows), mode="replicate"), kernel)

    return conv(conv(x, a), b) + conv(conv(x, c), d)


@check(
    "match.separable",
    reference=separable,
    mistakes={
        "your map shrank to ({shape[2]}, {shape[3]}) from ({0.shape[2]}, {0.shape[3]}): pad by "
        "half the kernel, so that it keeps its size": (
            lambda right, *given: _branches(*given, padding=0)
        ),
        "one of the two branches is missing; one alone covers k × k too, but only with "
        "products of its two lines": [
            lambda right, x, a, b, c, d: right(x, 0 * a, b, c, d),
            lambda right, x, a, b, c, d: right(x, a, b, 0 * c, d),
        ],
        "the two branches are added, not multiplied": (
            lambda right, *given: _branches(*given, join=torch.mul)
        ),
        "the two branches are added; yours are averaged": lambda right, *given: right(*given) / 2,
        "the two branches are added; yours are subtracted": [
            lambda right, *given: _branches(*given, join=torch.sub),
            lambda right, *given: -_branches(*given, join=torch.sub),
        ],
        "the two branches are added, cell by cell; yours stand one behind the other in the "
        "channels": lambda right, *given: _branches(
            *given, join=lambda left, right: torch.cat([left, right], 1)
        ),
        "one of your branches is tall twice and the other wide twice: each goes both ways, or it "
        "sees a line and no square": lambda right, x, a, b, c, d: right(x, a, d, c, b),
        "nothing stands between the two steps of a branch; yours has a ReLU there": (
            lambda right, *given: _branches(*given, between=F.relu)
        ),
        "the sum is not the place for a ReLU either": (lambda right, *given: F.relu(right(*given))),
        "your kernels are flipped: F.conv2d takes them as they are": (
            lambda right, x, *kernels: right(x, *(kernel.flip(2, 3) for kernel in kernels))
        ),
        "outside the map are zeros; yours repeats its border": _repeated_border,
    },
    others={
        "does not reach `x`": lambda right, x, *kernels: right(x.detach(), *kernels),
        "its gradient with respect to `x`": lambda right, x, a, b, c, d: (
            right(x, a, b, 0 * c, d) + right(x.detach(), 0 * a, b, c, d)
        ),
        "lost its gradient": lambda right, *given: right(*given).detach(),
    },
)
def examine_separable(answer, rng) -> None:
    """A global convolution as two separable branches."""
    for B, C, M, D, k, H, W in ((2, 3, 4, 6, 5, 9, 8), (1, 4, 3, 2, 7, 10, 13)):
        kernels = (M, C, k, 1), (D, M, 1, k), (M, C, 1, k), (D, M, k, 1)
        inputs = normal(rng, B, C, H, W), *(normal(rng, *shape) for shape in kernels)
        answer.compare(inputs, "the map", as_map("the map"), tolerance=1e-4)


@check(
    "match.broadcast",
    reference=heads_learned.broadcast_over,
    mistakes={
        "your result has shape {shape}, that of the vector alone; repeat it at each of the {1.shape[2]} × "
        "{1.shape[3]} cells": lambda right, vector, x: vector,
        "return the repeated vector alone; concatenating it with x is the next step": [
            lambda right, vector, x: torch.cat([right(vector, x), x], 1),
            lambda right, vector, x: torch.cat([x, right(vector, x)], 1),
        ],
        "every cell holds the pair's own vector; all of your pairs have the first one": (
            lambda right, vector, x: right(vector[:1], x)
        ),
        "the vector is repeated; yours is combined with x": [
            lambda right, vector, x: right(vector, x) * x,
            lambda right, vector, x: right(vector, x) + x,
        ],
        "a vector stands at every cell; yours stands at one and zeros at the others": (
            lambda right, vector, x: F.pad(vector, (0, x.shape[3] - 1, 0, x.shape[2] - 1))
        ),
        "your result has shape {shape}: rows come before columns, (B, C, H, W)": (
            lambda right, vector, x: right(vector, x).transpose(2, 3)
        ),
        "there is a vector for each pair already; you repeat them once more for every pair": (
            lambda right, vector, x: vector.repeat(len(x), 1, *x.shape[2:])
        ),
        "one exemplar serves all {1.shape[0]} search images; your map is for {shape[0]}": (
            lambda right, vector, x: vector.expand(len(vector), -1, *x.shape[2:])
        ),
    },
    others={
        "need not have as many channels": lambda right, vector, x: vector.expand_as(x),
        "lost its gradient": lambda right, vector, x: right(vector.detach(), x),
    },
)
def examine_broadcast(answer, rng) -> None:
    """One vector at every cell."""
    for pairs, vectors, C, H, W in ((3, 3, 5, 4, 6), (2, 1, 5, 7, 3)):
        inputs = normal(rng, vectors, C, 1, 1), normal(rng, pairs, C, H, W)
        answer.compare(inputs, "the map", as_map("the map"))
    inputs = normal(rng, 2, 3, 1, 1), normal(rng, 2, 5, 4, 6)
    try:
        answer(*inputs)
    except RuntimeError as problem:
        raise Wrong(
            "x need not have as many channels as the vector (here 5 and 3): take the number of "
            f"pairs, rows and columns from x, and no more ({str(problem).splitlines()[0]})"
        ) from None
    answer.compare(inputs, "the map", as_map("the map"))
