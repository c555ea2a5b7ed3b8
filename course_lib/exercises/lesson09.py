"""Checks of lesson 09: separable global convolution, broadcast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def in_words(known: dict[str, str]) -> Iterator[None]:
    """Raise Wrong with the known words, part of PyTorch's message → ours, where an answer stops."""
    try:
        yield
    except NotImplementedError:  # a kind of RuntimeError: not written yet
        raise
    except RuntimeError as problem:
        said = str(problem).splitlines()[0]
        for part, words in known.items():
            if part in said:
                raise Wrong(f"{words} ({said})") from None
        raise


def as_map(what: str):
    """Read a tensor of whatever shape, so that mistakes are known by their numbers."""
    return lambda given: as_tensor(given, shape_of(given) or (), what)


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


def _across(x, a, b, c, d):
    """A mistake: tall kernels are padded at the sides, wide ones above and below."""

    def conv(y, kernel):
        rows, columns = (side // 2 for side in kernel.shape[2:])
        return F.conv2d(y, kernel, padding=(columns, rows))

    return conv(conv(x, a), b) + conv(conv(x, c), d)


def _bordered(mode: str, *wrong: int):
    """A mistake: some of the four convolutions pad otherwise than with zeros."""

    def padded(right, x, a, b, c, d):
        def conv(y, kernel, k):
            rows, columns = (side // 2 for side in kernel.shape[2:])
            how = mode if k in wrong else "constant"
            return F.conv2d(F.pad(y, (columns, columns, rows, rows), mode=how), kernel)

        return conv(conv(x, a, 0), b, 1) + conv(conv(x, c, 2), d, 3)

    return padded


def _one_branch(right, x, a, b, c, d, between=lambda y: y):
    """The left branch alone, with something between its steps."""
    return F.conv2d(between(F.conv2d(x, a, padding="same")), b, padding="same")


@check(
    "match.separable",
    reference=separable,
    mistakes={
        "your map shrank to ({shape[2]}, {shape[3]}) from ({0.shape[2]}, {0.shape[3]}): pad by "
        "half the kernel, so that it keeps its size": (
            lambda right, *given: _branches(*given, padding=0)
        ),
        "your padding stands across the kernels: a k × 1 kernel needs rows, padding=(k // 2, 0), and "
        "a 1 × k kernel columns": lambda right, x, *kernels: _across(x, *kernels),
        "your map has grown to ({shape[2]}, {shape[3]}) from ({0.shape[2]}, {0.shape[3]}): a k × 1 "
        "kernel is long along one axis, so pad along that one only": (
            lambda right, x, a, *kernels: _branches(x, a, *kernels, padding=a.shape[2] // 2)
        ),
        "one of the two branches is missing: the map is the sum of both": [
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
        "the two branches are added, cell by cell; yours are concatenated along the "
        "channels": lambda right, *given: _branches(
            *given, join=lambda left, right: torch.cat([left, right], 1)
        ),
        "one of your branches is tall twice and the other wide twice: each needs both kinds, "
        "or it sees a line and no square": lambda right, x, a, b, c, d: right(x, a, d, c, b),
        "nothing stands between the two steps of a branch; yours has a ReLU there": (
            lambda right, *given: _branches(*given, between=F.relu)
        ),
        "no ReLU belongs on the sum either": (lambda right, *given: F.relu(right(*given))),
        "your kernels are flipped: F.conv2d takes them as they are": (
            lambda right, x, *kernels: right(x, *(kernel.flip(2, 3) for kernel in kernels))
        ),
        "outside the map are zeros; yours repeats or mirrors what is inside": [
            _bordered(mode, *which)
            for mode in ("replicate", "reflect", "circular")
            for which in ((0, 1, 2, 3), (0,), (1,), (2,), (3,), (0, 2), (1, 3))
        ],
        "one of your branches has a ReLU between its steps; nothing stands there": [
            lambda right, x, a, b, c, d: (
                _one_branch(right, x, a, b, c, d, F.relu) + right(x, 0 * a, b, c, d)
            ),
            lambda right, x, a, b, c, d: (
                _one_branch(right, x, c, d, a, b, F.relu) + right(x, a, b, 0 * c, d)
            ),
        ],
        "the two branches are added; yours are compared, and the larger is taken": (
            lambda right, *given: _branches(*given, join=torch.maximum)
        ),
        "both branches begin at x; your second begins where the first ends": (
            lambda right, x, a, b, c, d: (
                _one_branch(right, x, a, b, c, d)
                + _one_branch(right, _one_branch(right, x, a, b, c, d), c, d, a, b)
            )
        ),
        "only the two branches are added; x itself is not": lambda right, x, *kernels: (
            right(x, *kernels) + x
        ),
        "your map's rows and columns have changed places": (
            lambda right, *given: right(*given).transpose(2, 3)
        ),
        "your kernels are turned: tall ones are (…, k, 1) as they come, wide ones (…, 1, k)": (
            lambda right, x, a, b, c, d: right(x, *(k.transpose(2, 3) for k in (a, b, c, d)))
        ),
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
    sizes = (2, 3, 3, 3, 3, 6, 6), (2, 3, 4, 6, 5, 9, 8), (1, 4, 3, 2, 7, 10, 13)
    for B, C, M, D, k, H, W in sizes:
        kernels = (M, C, k, 1), (D, M, 1, k), (M, C, 1, k), (D, M, k, 1)
        inputs = normal(rng, B, C, H, W), *(normal(rng, *shape) for shape in kernels)
        answer.compare(inputs, "the map", as_map("the map"), tolerance=1e-4)


PAIRS = (
    "there are {} vectors and {} search images: your map needs a vector for each image, its own or "
    "the only one"
)
CHANNELS = (
    "x need not have as many channels as the vector (here 5 and 3): take the number of pairs, rows "
    "and columns from x, and no more"
)


@check(
    "match.broadcast",
    reference=heads_learned.broadcast_over,
    mistakes={
        "your result has shape {shape}, that of the vector alone; repeat it at each of the "
        "{1.shape[2]} × {1.shape[3]} cells": lambda right, vector, x: vector,
        "return the repeated vector alone; concatenating it with x is the next step": [
            lambda right, vector, x: torch.cat([right(vector, x), x], 1),
            lambda right, vector, x: torch.cat([x, right(vector, x)], 1),
        ],
        "every cell holds the pair's own vector; all of your pairs have the same one": [
            lambda right, vector, x: right(vector[:1], x),
            lambda right, vector, x: right(vector[-1:], x),
            lambda right, vector, x: right(vector.mean(0, keepdim=True), x),
        ],
        "every cell holds the pair's own vector; your pairs have changed places": [
            lambda right, vector, x: right(vector.flip(0), x),
            lambda right, vector, x: right(vector.roll(1, 0), x),
        ],
        "the vector stays as it is; yours is normalised, or divided by the number of cells": [
            lambda right, vector, x: right(F.normalize(vector, dim=1), x),
            lambda right, vector, x: right(vector, x) / (x.shape[2] * x.shape[3]),
        ],
        "no ReLU belongs here: the vector stays as it is": (
            lambda right, vector, x: right(F.relu(vector), x)
        ),
        "each channel has its own number; yours all have the first one's, or another order": [
            lambda right, vector, x: right(vector[:, :1].expand_as(vector), x),
            lambda right, vector, x: right(vector.flip(1), x),
        ],
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
        "vectors and": lambda right, vector, x: vector.expand(1, -1, *x.shape[2:]),
        "lost its gradient": lambda right, vector, x: right(vector.detach(), x),
    },
)
def examine_broadcast(answer, rng) -> None:
    """One vector at every cell."""
    for pairs, vectors, C, H, W in ((3, 3, 5, 4, 6), (2, 1, 5, 7, 3), (1, 1, 4, 5, 5)):
        inputs = normal(rng, vectors, C, 1, 1), normal(rng, pairs, C, H, W)
        with in_words({"expanded size of the tensor": PAIRS.format(vectors, pairs)}):
            answer.compare(inputs, "the map", as_map("the map"))
    inputs = normal(rng, 2, 3, 1, 1), normal(rng, 2, 5, 4, 6)
    with in_words({"": CHANNELS}):
        answer.compare(inputs, "the map", as_map("the map"))
