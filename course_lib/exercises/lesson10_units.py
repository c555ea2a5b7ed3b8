"""Checks of lesson 10: CIR units, agreement, unfreezing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.analysis import consistency
from course_lib.exercises.compare import as_array, as_number
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.training.step import frozen_stages


def cir_unit(x: Tensor, branch: nn.Module, shortcut: nn.Module) -> Tensor:
    """Cropping-inside residual unit.

    Args:
        x: (B, C, n, n).
        branch, shortcut: (B, C, n, n) → (B, C', n, n).

    Returns:
        (B, C', n − 2, n − 2).
    """
    return F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1]


def _unit(rng: np.random.Generator, before: int, after: int) -> tuple[Tensor, nn.Module, nn.Module]:
    """A map, a branch and a shortcut."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    branch = nn.Conv2d(before, after, 3, padding=1)
    shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
    return torch.from_numpy(rng.normal(size=(2, before, 10, 10))).float(), branch, shortcut


@check(
    "siamdw.cir",
    reference=cir_unit,
    mistakes={
        "your map keeps its 10 × 10 cells: the outermost ones have seen padding and must be cut "
        "off": lambda right, *given: F.pad(right(*given), (1, 1, 1, 1)),
        "your map has 9 × 9 cells: padding is on all four sides, so cut one cell off each": (
            lambda right, *given: F.pad(right(*given), (0, 1, 0, 1))
        ),
        "the ReLU after the sum is missing": lambda right, x, branch, shortcut: (
            right(x, branch, shortcut) - right(x, lambda x: -branch(x), lambda x: -shortcut(x))
        ),
        "the shortcut is missing: the unit learns what to *add* to its input": (
            lambda right, x, branch, shortcut: right(x, branch, torch.zeros_like)
        ),
        "add first, then ReLU; yours cuts the branch before the sum": (
            lambda right, x, branch, shortcut: (
                right(x, branch, torch.zeros_like) + shortcut(x)[:, :, 1:-1, 1:-1]
            )
        ),
    },
)
def examine_cir(answer, rng) -> None:
    """The CIR unit."""
    with torch.no_grad():
        answer.compare(_unit(rng, 4, 4), "the unit's output", (2, 4, 8, 8), tolerance=1e-5)


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
        "your map has 8 × 8 cells: crop, then halve it with a 2 × 2 max pooling": (
            lambda right, *given: F.interpolate(right(*given), 8)
        ),
        "you pool first and crop after: then each cell that is cut off also holds cells that saw "
        "no padding, and these are lost": lambda right, *given: right(*given)[:, :, 1:, 1:],
        "the paper halves the map with a maximum, not with a mean": (
            lambda right, x, branch, shortcut: F.avg_pool2d(
                F.relu(branch(x) + shortcut(x))[:, :, 1:-1, 1:-1], 2
            )
        ),
    },
)
def examine_cird(answer, rng) -> None:
    """The CIR-D unit."""
    with torch.no_grad():
        answer.compare(_unit(rng, 3, 6), "the unit's output", (2, 6, 4, 4), tolerance=1e-5)


def _lengths(z: Tensor, x: Tensor, place: tuple[int, int]) -> tuple[float, float]:
    """Lengths of the exemplar's features and of the window at `place`.

    Args:
        z: (C, n, n).
        x: (C, m, m).
        place: row and column of the window's first cell.
    """
    row, column = place
    window = x[:, row : row + z.shape[1], column : column + z.shape[2]]
    return float(z.norm()), float(window.norm())


@check(
    "siamdw.agreement",
    reference=consistency.best_window,
    mistakes={
        "the best window begins at row {right[0][0]:g}, column {right[0][1]:g}; yours are "
        "swapped": (0, lambda right, z, x: (right(z, x)[0], right(z, x)[1][::-1])),
        "divide by the length of the window, so that networks with larger features do not look "
        "worse": (
            1,
            lambda right, z, x: (
                right(z, x)[0] * _lengths(z, x, right(z, x)[1])[1],
                right(z, x)[1],
            ),
        ),
        "that is the square; take the square root at the end": (
            1,
            lambda right, z, x: (right(z, x)[0] ** 2, right(z, x)[1]),
        ),
        "divide by the length of the window in the search image, not of the exemplar": (
            1,
            lambda right, z, x: (
                right(z, x)[0] * np.divide(*_lengths(z, x, right(z, x)[1])[::-1]),
                right(z, x)[1],
            ),
        ),
    },
    others={"expected two things": lambda right, z, x: right(z, x)[0]},
)
def examine_agreement(answer, rng) -> None:
    """How well the exemplar's features are found again."""
    x = torch.from_numpy(rng.normal(size=(3, 12, 12))).float()
    z = x[:, 4:9, 2:7].clone() * 1.2
    z[:, 0] += torch.from_numpy(rng.normal(size=(3, 5))).float()

    def read(given):
        if not isinstance(given, tuple) or len(given) != 2:
            raise Wrong(
                "expected two things: the distance, and the (row, column) of the best window"
            )
        return as_array(given[1], (2,), "the place"), as_number(given[0], "the distance")

    named = ("the place of the best window", "the distance")
    answer.compare((z, x), named, read, tolerance=1e-4)


@check(
    "siamdw.unfreeze",
    reference=frozen_stages,
    mistakes={
        "at the beginning 7 stages are frozen; yours begins with all of them trained": (
            lambda right, step, *given: right(step, *given) if step else 0
        ),
        "in step {0} of 100 you count the stages already *unfrozen*; count those that are still "
        "frozen": lambda right, step, steps, freeze, shares: (
            freeze - right(step, steps, freeze, shares) if step else freeze
        ),
        "step {0} is the first of a new phase: a threshold that is just reached counts": (
            lambda right, step, *given: right(max(step - 1, 0), *given)
        ),
    },
    others={
        "the number of frozen stages is": lambda right, step, steps, freeze, shares: (
            freeze - round(step / steps * len(shares))
        )
    },
)
def examine_unfreeze(answer, rng) -> None:
    """Gradual unfreezing."""
    for step in (0, 9, 10, 29, 30, 55, 70, 99):
        answer.compare(
            (step, 100, 7, (0.1, 0.2, 0.3, 0.5, 0.6, 0.7)),
            "the number of frozen stages",
            named=f"in step {step} of 100 the number of frozen stages",
        )
