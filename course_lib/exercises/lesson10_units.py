"""Checks of lesson 10: CIR units."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.compare import as_tensor, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.gradients import require_same, slopes
from course_lib.exercises.words import Wrong


def cir_unit(x: Tensor, branch: nn.Module, shortcut: nn.Module) -> Tensor:
    """Cropping-inside residual unit.

    Args:
        x: (B, C, n, n).
        branch, shortcut: (B, C, n, n) → (B, C', n, n).

    Returns:
        (B, C', n − 2, n − 2).
    """
    return F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1]


def _units(rng: np.random.Generator, *sides: int):
    """A map, a branch and a shortcut for each size of the map: with a convolution that keeps the
    channels, with the identity, which cannot show whether it is used, and with a convolution that
    changes their number."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    for side, before, after, kind in zip(sides, (4, 4, 3), (4, 4, 6), ("1", "", "1"), strict=True):
        branch = nn.Conv2d(before, after, 3, padding=1)
        shortcut = nn.Conv2d(before, after, 1) if kind else nn.Identity()
        x = 4 * torch.from_numpy(rng.normal(size=(2, before, side, side))).float()  # also above 6
        yield x, branch, shortcut


def _examine_unit(answer, rng: np.random.Generator, *sides: int) -> None:
    """A unit's output for maps of these sizes, and its gradient."""
    what = "the unit's output"
    for x, branch, shortcut in _units(rng, *sides):
        with torch.no_grad():
            given = x, branch, shortcut
            branch.train()
            read = lambda r: as_tensor(r, shape_of(r) or (), what)  # noqa: E731
            answer.compare(given, what, read, tolerance=1e-5)
        if not branch.training:
            raise Wrong(
                "your function switches the branch to evaluation, for all that follows: leave its "
                "mode alone"
            )
        leaves = {"branch": branch.weight, "x": x.requires_grad_()}
        if isinstance(shortcut, nn.Conv2d):
            leaves["shortcut"] = shortcut.weight
        unit, right = (f(x, branch, shortcut) for f in (answer, answer.right))
        require_same(slopes(unit, leaves, what), slopes(right, leaves, what))


def _summed(x, branch, shortcut):
    """ReLU of the sum, not cropped."""
    return F.relu(branch(x) + shortcut(x))


def _inner(x, cells=1):
    """A map without its outermost cells."""
    return x[:, :, cells:-cells, cells:-cells]


def _sums(finish):
    """Mistakes in the sum of a unit: message → codes; `finish` crops it, and halves it for
    CIR-D."""
    made = {
        "the ReLU after the sum is missing": [lambda x, b, s: b(x) + s(x)],
        "branch and shortcut both get x, and are added; yours come one after the other": [
            lambda x, b, s: F.relu(s(b(x))),
            lambda x, b, s: F.relu(b(s(x))),
        ],
        "the shortcut is missing: the unit learns what to *add* to its input": [
            lambda x, b, s: F.relu(b(x))
        ],
        "the branch is missing: the unit adds it to the shortcut": [lambda x, b, s: F.relu(s(x))],
        "you add x itself: send it through the shortcut, which may be a convolution": [
            lambda x, b, s: F.relu(b(x) + x)
        ],
        "add first, then ReLU; yours has a ReLU on the branch before the sum": [
            lambda x, b, s: F.relu(b(x)) + s(x),
            lambda x, b, s: F.relu(F.relu(b(x)) + s(x)),
        ],
        "add first, then ReLU; yours has a ReLU on both before the sum": [
            lambda x, b, s: F.relu(b(x)) + F.relu(s(x))
        ],
        "add first, then ReLU; yours has a ReLU on the shortcut before the sum": [
            lambda x, b, s: b(x) + F.relu(s(x)),
            lambda x, b, s: F.relu(b(x) + F.relu(s(x))),
        ],
        "no ReLU comes before the branch; x goes in as it is": [
            lambda x, b, s: F.relu(b(F.relu(x)) + s(x)),
            lambda x, b, s: F.relu(b(F.relu(x)) + s(F.relu(x))),
            lambda x, b, s: b(F.relu(x)) + s(x),
        ],
        "a ReLU sets what is below 0 to 0, and leaves what is above": [
            lambda x, b, s: (b(x) + s(x)).abs(),
            lambda x, b, s: F.leaky_relu(b(x) + s(x)),
            lambda x, b, s: F.relu6(b(x) + s(x)),
            lambda x, b, s: F.gelu(b(x) + s(x)),
            lambda x, b, s: torch.sigmoid(b(x) + s(x)),
        ],
        "branch and shortcut are added": [
            lambda x, b, s: F.relu(b(x) - s(x)),
            lambda x, b, s: F.relu(b(x) * s(x)),
            lambda x, b, s: F.relu(torch.maximum(b(x), s(x))),
            lambda x, b, s: F.relu(torch.cat([b(x), s(x)], 1)),
        ],
        "branch and shortcut are added; yours are averaged": [
            lambda x, b, s: F.relu((b(x) + s(x)) / 2)
        ],
        "the branch gets x, not the shortcut's output": [lambda x, b, s: F.relu(b(s(x)) + s(x))],
        "the shortcut gets x, not the branch's output": [lambda x, b, s: F.relu(b(x) + s(b(x)))],
    }
    return {words: [_finished(code, finish) for code in codes] for words, codes in made.items()}


def _finished(code, finish):
    """A mistake: finish(code(x, branch, shortcut))."""
    return lambda right, x, branch, shortcut: finish(code(x, branch, shortcut))


def _halved(x):
    """A map cropped, then halved."""
    return F.max_pool2d(_inner(x), 2)


@check(
    "siamdw.cir",
    reference=cir_unit,
    mistakes={
        "your map keeps its {shape[2]} × {shape[3]} cells: the outermost ones have seen padding "
        "and must be cut off": lambda right, *given: _summed(*given),
        "your map has {shape[2]} × {shape[3]} cells: padding is on all four sides, so cut one cell "
        "off each": [
            lambda right, *given: _summed(*given)[:, :, 1:, 1:],
            lambda right, *given: _summed(*given)[:, :, :-1, :-1],
            lambda right, *given: _summed(*given)[:, :, 1:-1],
            lambda right, *given: _summed(*given)[..., 1:-1],
        ],
        "a 3 × 3 kernel leaves one cell on each side that has seen padding; you cut off two": [
            lambda right, *given: _inner(_summed(*given), 2),
        ],
        "padding is on all four sides: one cell is cut off each, not two on one side": [
            lambda right, *given: _summed(*given)[:, :, 2:, 2:],
            lambda right, *given: _summed(*given)[:, :, :-2, :-2],
        ],
        "you crop the input: the branch pads it again, and the outermost cells see zeros once "
        "more": [
            lambda right, x, branch, shortcut: _summed(_inner(x), branch, shortcut),
            lambda right, x, branch, shortcut: F.relu(branch(_inner(x)) + _inner(shortcut(x))),
        ],
        **_sums(_inner),
    },
    others={
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "switches the branch": lambda right, x, branch, shortcut: right(x, branch.eval(), shortcut),
        "does not reach `shortcut`": lambda right, x, branch, shortcut: right(
            x, branch, lambda x: shortcut(x).detach()
        ),
        "its gradient with respect to `x`": lambda right, x, branch, shortcut: right(
            x, branch, lambda x: shortcut(x.detach())
        ),
    },
)
def examine_cir(answer, rng) -> None:
    """The CIR unit."""
    _examine_unit(answer, rng, 10, 7, 9)


def cir_d_unit(x: Tensor, branch: nn.Module, shortcut: nn.Module) -> Tensor:
    """CIR-D unit.

    Args:
        x: (B, C, n, n).
        branch, shortcut: (B, C, n, n) → (B, C', n, n).

    Returns:
        (B, C', n/2 − 1, n/2 − 1).
    """
    return F.max_pool2d(F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1], 2)


@check(
    "siamdw.cird",
    reference=cir_d_unit,
    mistakes={
        "your map has {shape[2]} × {shape[3]} cells: crop, then halve it with a 2 × 2 max "
        "pooling": [
            lambda right, *given: _inner(_summed(*given)),
            lambda right, *given: _summed(*given),
        ],
        "you pool without cropping: the outermost cells include some that have seen padding": (
            lambda right, *given: F.max_pool2d(_summed(*given), 2)
        ),
        "your result lacks two cells of the unit's map on each side, not one: crop one cell, and "
        "crop before you pool; after that, each cell that is cut off also covers some that saw no "
        "padding": [
            lambda right, *given: _inner(F.max_pool2d(_summed(*given), 2)),
            lambda right, *given: F.max_pool2d(_inner(_summed(*given), 2), 2),
        ],
        "the paper halves the map with a maximum, not with a mean": (
            lambda right, *given: F.avg_pool2d(_inner(_summed(*given)), 2)
        ),
        "you keep every other cell; the paper takes the largest of 2 × 2": [
            lambda right, *given: _inner(_summed(*given))[:, :, ::2, ::2],
            lambda right, *given: _summed(*given)[:, :, 1:-1:2, 1:-1:2],
        ],
        "the pooling takes 2 × 2 cells at a time, with stride 2": [
            lambda right, *given: F.max_pool2d(_inner(_summed(*given)), 2, 1),
            lambda right, *given: F.max_pool2d(_inner(_summed(*given)), 3, 2),
            lambda right, *given: F.max_pool2d(_inner(_summed(*given)), 3, 2, 1),
        ],
        "add first, then halve: the largest of a sum is not the sum of the largest": (
            lambda right, x, branch, shortcut: F.relu(
                F.max_pool2d(_inner(branch(x)), 2) + F.max_pool2d(_inner(shortcut(x)), 2)
            )
        ),
        "you crop the input: the branch pads it again, and the outermost cells see zeros once "
        "more": lambda right, x, branch, shortcut: F.max_pool2d(
            _summed(_inner(x), branch, shortcut), 2
        ),
        "padding is on all four sides: one cell is cut off each, not two on one side": [
            lambda right, *given: F.max_pool2d(_summed(*given)[:, :, 2:, 2:], 2),
            lambda right, *given: F.max_pool2d(_summed(*given)[:, :, :-2, :-2], 2),
        ],
        "the largest of 2 × 2 cells stays; yours is the smallest, or their sum": [
            lambda right, *given: -F.max_pool2d(-_inner(_summed(*given)), 2),
            lambda right, *given: 4 * F.avg_pool2d(_inner(_summed(*given)), 2),
        ],
        **_sums(_halved),
        "you halve the input; the convolutions of the unit still work on the whole map": [
            lambda right, x, branch, shortcut: _inner(
                _summed(F.max_pool2d(x, 2), branch, shortcut)
            ),
            lambda right, x, branch, shortcut: _summed(F.max_pool2d(x, 2), branch, shortcut),
        ],
    },
    others={
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "does not reach `shortcut`": lambda right, x, branch, shortcut: right(
            x, branch, lambda x: shortcut(x).detach()
        ),
        "its gradient with respect to `x`": lambda right, x, branch, shortcut: right(
            x, branch, lambda x: shortcut(x.detach())
        ),
    },
)
def examine_cird(answer, rng) -> None:
    """The CIR-D unit."""
    _examine_unit(answer, rng, 10, 12, 8)
