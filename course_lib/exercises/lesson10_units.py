"""Checks of lesson 10: CIR units, agreement, unfreezing."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.analysis import consistency
from course_lib.exercises.compare import as_array, as_number, as_parts, as_tensor, plain, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.gradients import reached
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


def _units(rng: np.random.Generator, *sides: int):
    """A map, a branch and a shortcut for each size of the map: with the identity, with a
    convolution that keeps the channels, and with one that does not."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    for side, before, after, kind in zip(sides, (4, 4, 3), (4, 4, 6), ("", "1", "1"), strict=True):
        branch = nn.Conv2d(before, after, 3, padding=1)
        shortcut = nn.Conv2d(before, after, 1) if kind else nn.Identity()
        x = torch.from_numpy(rng.normal(size=(2, before, side, side))).float()
        yield x, branch, shortcut


def _examine_unit(answer, rng: np.random.Generator, *sides: int) -> None:
    """A unit's output for maps of these sizes, and its gradient."""
    what = "the unit's output"
    for x, branch, shortcut in _units(rng, *sides):
        with torch.no_grad():
            given = x, branch, shortcut
            read = lambda r: as_tensor(r, shape_of(r) or (), what)  # noqa: E731
            answer.compare(given, what, read, tolerance=1e-5)
    leaves = {"branch": branch.weight, "shortcut": shortcut.weight, "x": x.requires_grad_()}
    reached(answer(x, branch, shortcut), leaves, what)


def _summed(x, branch, shortcut):
    """ReLU of the sum, not cropped."""
    return F.relu(branch(x) + shortcut(x))


def _inner(x, cells=1):
    """A map without its outermost cells."""
    return x[:, :, cells:-cells, cells:-cells]


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
        "one layer of 3 × 3 cells leaves one touched cell on each side; you cut off two": [
            lambda right, *given: _inner(_summed(*given), 2),
            lambda right, *given: _summed(*given)[:, :, 2:, 2:],
            lambda right, *given: _summed(*given)[:, :, :-2, :-2],
        ],
        "the ReLU after the sum is missing": lambda right, x, branch, shortcut: _inner(
            branch(x) + shortcut(x)
        ),
        "the shortcut is missing: the unit learns what to *add* to its input": (
            lambda right, x, branch, shortcut: _inner(F.relu(branch(x)))
        ),
        "the branch is missing: the unit adds it to the shortcut": (
            lambda right, x, branch, shortcut: _inner(F.relu(shortcut(x)))
        ),
        "you add x itself: send it through the shortcut, which may be a convolution": (
            lambda right, x, branch, shortcut: _inner(F.relu(branch(x) + x))
        ),
        "add first, then ReLU; yours cuts the branch before the sum": [
            lambda right, x, branch, shortcut: _inner(F.relu(branch(x)) + shortcut(x)),
            lambda right, x, branch, shortcut: _inner(F.relu(F.relu(branch(x)) + shortcut(x))),
        ],
        "add first, then ReLU; yours cuts branch and shortcut before the sum": (
            lambda right, x, branch, shortcut: _inner(F.relu(branch(x)) + F.relu(shortcut(x)))
        ),
        "you crop the input: the branch pads it again, and the outermost cells see zeros once "
        "more": lambda right, x, branch, shortcut: _summed(_inner(x), branch, shortcut),
        "branch and shortcut are added": [
            lambda right, x, branch, shortcut: _inner(F.relu(branch(x) - shortcut(x))),
            lambda right, x, branch, shortcut: _inner(F.relu(branch(x) * shortcut(x))),
            lambda right, x, branch, shortcut: _inner(F.relu((branch(x) + shortcut(x)) / 2)),
        ],
        "the branch gets x, not the shortcut's output": lambda right, x, branch, shortcut: _inner(
            F.relu(branch(shortcut(x)) + shortcut(x))
        ),
    },
    others={"lost its gradient": lambda right, *given: right(*given).detach()},
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
        "your map has {shape[2]} × {shape[3]} cells: crop, then halve it with a 2 × 2 max pooling": [
            lambda right, *given: _inner(_summed(*given)),
            lambda right, *given: _summed(*given),
        ],
        "you pool and do not crop: the outermost cells hold some that have seen padding": (
            lambda right, *given: F.max_pool2d(_summed(*given), 2)
        ),
        "your result lacks two cells of the unit's map on each side, not one: crop one cell, and "
        "crop before you pool; after it, each cell that is cut off also holds some that saw no "
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
        "the pooling looks at 2 × 2 cells, two apart": [
            lambda right, *given: F.max_pool2d(_inner(_summed(*given)), 2, 1),
            lambda right, *given: F.max_pool2d(_inner(_summed(*given)), 3, 2),
            lambda right, *given: F.max_pool2d(_inner(_summed(*given)), 3, 2, 1),
        ],
        "the ReLU after the sum is missing": lambda right, x, branch, shortcut: F.max_pool2d(
            _inner(branch(x) + shortcut(x)), 2
        ),
        "the shortcut is missing: the unit learns what to *add* to its input": (
            lambda right, x, branch, shortcut: F.max_pool2d(_inner(F.relu(branch(x))), 2)
        ),
        "add first, then halve: the largest of a sum is not the sum of the largest": (
            lambda right, x, branch, shortcut: F.relu(
                F.max_pool2d(_inner(branch(x)), 2) + F.max_pool2d(_inner(shortcut(x)), 2)
            )
        ),
        "add first, then ReLU; yours cuts the branch before the sum": (
            lambda right, x, branch, shortcut: F.max_pool2d(
                _inner(F.relu(branch(x)) + shortcut(x)), 2
            )
        ),
        "you halve the input; the convolutions of the unit still work on the whole map": (
            lambda right, x, branch, shortcut: right(
                F.pad(F.max_pool2d(x, 2), (1, 1, 1, 1)), branch, shortcut
            )
        ),
    },
    others={"lost its gradient": lambda right, *given: right(*given).detach()},
)
def examine_cird(answer, rng) -> None:
    """The CIR-D unit."""
    _examine_unit(answer, rng, 10, 12, 8)


def _windows(z: Tensor, x: Tensor) -> Tensor:
    """All windows (r, r, C, n, n) of x (C, m, m) that are as large as z (C, n, n)."""
    n = z.shape[-1]
    return x.unfold(1, n, 1).unfold(2, n, 1).permute(1, 2, 0, 3, 4)


def _chosen(score, measure=None):
    """A mistake: the window with the lowest score(z, windows), whose distance is `measure` of it."""

    def best(right, z, x):
        windows = _windows(z, x)
        scores = score(z, windows)  # (r, r)
        row, column = divmod(int(scores.argmin()), scores.shape[1])
        window = windows[row, column]
        value = (measure or _relative)(z, window)
        return float(value), (row, column)

    return best


def _relative(z: Tensor, window: Tensor) -> Tensor:
    return (z - window).norm() / window.norm()


def _apart(z: Tensor, windows: Tensor) -> Tensor:
    """Distances (r, r), not divided."""
    return (windows - z).square().sum((2, 3, 4)).sqrt()


def _right_place(z: Tensor, windows: Tensor) -> Tensor:
    """Relative distances (r, r)."""
    return _apart(z, windows) / windows.square().sum((2, 3, 4)).sqrt()


@check(
    "siamdw.agreement",
    reference=consistency.best_window,
    mistakes={
        "the best window begins at row {right[0][0]:g}, column {right[0][1]:g}; yours are "
        "swapped": (0, lambda right, z, x: (right(z, x)[0], right(z, x)[1][::-1])),
        "you take the window with the smallest ‖z − window‖; the best one has the smallest "
        "‖z − window‖ / ‖window‖": [
            (0, _chosen(_apart)),
            (0, _chosen(_apart, lambda z, w: (z - w).norm())),
            (0, _chosen(_apart, lambda z, w: (z - w).norm() / z.norm())),
        ],
        "you take the window with the largest distance": (
            0,
            _chosen(lambda z, w: -_right_place(z, w)),
        ),
        "you take the window with the largest product z · window, or the largest cosine, as a "
        "correlation does; here the distance counts": [
            (0, _chosen(lambda z, w: -(w * z).sum((2, 3, 4)))),
            (0, _chosen(lambda z, w: -(w * z).sum((2, 3, 4)) / w.square().sum((2, 3, 4)).sqrt())),
        ],
        "that is the centre of the best window; expected its first cell": (
            0,
            lambda right, z, x: (
                right(z, x)[0],
                tuple(k + z.shape[-1] // 2 for k in right(z, x)[1]),
            ),
        ),
        "rows and columns of the best window count from 0": (
            0,
            lambda right, z, x: (right(z, x)[0], tuple(k + 1 for k in right(z, x)[1])),
        ),
        "divide by the length of the window, so that networks with larger features do not look "
        "worse": (1, _chosen(_right_place, lambda z, w: (z - w).norm())),
        "that is the square; take the square root at the end": [
            (1, _chosen(_right_place, lambda z, w: _relative(z, w) ** 2)),
            (1, _chosen(_right_place, lambda z, w: (z - w).square().sum() / w.norm())),
        ],
        "the window's length is the root of its sum of squares as well": (
            1,
            _chosen(_right_place, lambda z, w: (z - w).norm() / w.square().sum()),
        ),
        "divide by the length of the window in the search image, not of the exemplar": (
            1,
            _chosen(_right_place, lambda z, w: (z - w).norm() / z.norm()),
        ),
        "‖ ‖ is the root of a sum of squares; yours adds absolute values": (
            1,
            _chosen(_right_place, lambda z, w: (z - w).abs().sum() / w.abs().sum()),
        ),
        "‖ ‖ sums over all channels and cells; yours is a mean over the cells or channels": [
            (1, _chosen(_right_place, lambda z, w: ((z - w).norm(dim=0) / w.norm(dim=0)).mean())),
            (
                1,
                _chosen(
                    _right_place,
                    lambda z, w: ((z - w).flatten(1).norm(dim=1) / w.flatten(1).norm(dim=1)).mean(),
                ),
            ),
        ],
    },
    others={"the answer has two parts": lambda right, z, x: right(z, x)[0]},
)
def examine_agreement(answer, rng) -> None:
    """How well the exemplar's features are found again."""
    for n, m, *corners in (
        (4, 13, (2, 7), (8, 1), (8, 8)),
        (5, 12, (6, 1), (0, 7), (6, 7)),
    ):
        z = torch.from_numpy(rng.normal(size=(3, n, n))).float() + 0.5
        x = torch.from_numpy(rng.normal(size=(3, m, m))).float() + 0.5
        # one window is z but for its length, another is nearer to z, but not for *its* length; and
        # one has a larger product with z
        noise = torch.from_numpy(rng.normal(size=(3, n, n))).float()
        for (row, column), factor in zip(corners, (1.5, 0.6, 3.0), strict=True):
            x[:, row : row + n, column : column + n] = factor * z + 0.03 * noise
        named = ("the place of the best window", "the distance")
        answer.compare((z, x), named, _place_and_distance, tolerance=1e-4)
    # one that is found again exactly: a root of 0
    same = x[:, 3 : 3 + n, 5 : 5 + n].clone()
    named = ("for a map cut out of x the place", "for a map cut out of x the distance")
    answer.compare((same, x), named, _place_and_distance, tolerance=2e-3)


def _place_and_distance(given) -> tuple[np.ndarray, float]:
    """Read the two parts of an answer."""
    distance, place = as_parts(given, "the distance", "the (row, column) of the best window")
    if np.isnan(np.asarray(plain(distance), dtype=float)).any():
        raise Wrong(
            "your distance is NaN: a root of a number below 0? a² − 2ab + b² can be that by "
            "rounding, (a − b)² cannot"
        )
    return as_array(place, (2,), "the place"), as_number(distance, "the distance")


PUBLISHED = (0.1, 0.2, 0.3, 0.5, 0.6, 0.7)
# step, steps, stages frozen at first, unfreeze
CASES = [
    (step, steps, freeze, unfreeze)
    for steps, freeze, unfreeze in (
        (100, 7, PUBLISHED),
        (37, 9, PUBLISHED),
        (50, 4, (0.24, 0.31, 0.9)),
    )
    for step in range(steps)
]


def _reached(given, step, steps, unfreeze):
    """How many fractions a step has reached, compared otherwise."""
    return sum(bool(given(step, fraction, steps)) for fraction in unfreeze)


def _thawed(given):
    """A mistake: a fraction counts if given(step, fraction, steps)."""
    return lambda right, step, steps, freeze, unfreeze: (
        freeze - _reached(given, step, steps, unfreeze)
    )


@check(
    "siamdw.unfreeze",
    reference=frozen_stages,
    mistakes={
        "at the beginning {freeze} stages are frozen; yours begins with all of them trained": (
            lambda right, step, *given: right(step, *given) if step else 0
        ),
        "in step {step} of {steps} you count the stages already *unfrozen*; count those that are still "
        "frozen": [
            lambda right, step, steps, freeze, unfreeze: (
                freeze - right(step, steps, freeze, unfreeze) if step else freeze
            ),
            lambda right, step, steps, freeze, unfreeze: (
                freeze - right(step, steps, freeze, unfreeze)
            ),
        ],
        "step {step} is the first of a new phase: a threshold that is just reached counts": [
            _thawed(lambda step, fraction, steps: step > fraction * steps),
            _thawed(lambda step, fraction, steps: step >= fraction * steps + 1),
        ],
        "step {step} of {steps} has not reached the next fraction yet: do not round the threshold down": (
            _thawed(lambda step, fraction, steps: step >= int(fraction * steps))
        ),
        "step {step} of {steps}: do not round the threshold up or down": (
            _thawed(lambda step, fraction, steps: step >= round(fraction * steps))
        ),
        "the fractions are those of all {steps} steps, not of {steps} − 1": (
            _thawed(lambda step, fraction, steps: step >= fraction * (steps - 1))
        ),
        "steps count from 0: this is step {step}, not the next": (
            _thawed(lambda step, fraction, steps: step + 1 >= fraction * steps)
        ),
        "the number of steps is an argument, here {steps}": [
            _thawed(lambda step, fraction, steps: step >= fraction * 100),
            _thawed(lambda step, fraction, steps: step >= fraction),
        ],
        "how many stages are frozen at first is an argument, here {freeze}": [
            lambda right, step, steps, freeze, unfreeze: right(step, steps, 7, unfreeze),
            lambda right, step, steps, freeze, unfreeze: right(
                step, steps, len(unfreeze), unfreeze
            ),
            lambda right, step, steps, freeze, unfreeze: right(
                step, steps, len(unfreeze) + 1, unfreeze
            ),
        ],
        "the fractions need not be equally far apart, and are not in `unfreeze`": [
            lambda right, step, steps, freeze, unfreeze: (
                freeze - round(step / steps * len(unfreeze))
            ),
            lambda right, step, steps, freeze, unfreeze: freeze - int(step / steps * len(unfreeze)),
            lambda right, step, steps, freeze, unfreeze: freeze - int(step / steps * freeze),
        ],
        "each fraction that is reached unfreezes one stage; count them all": (
            lambda right, step, steps, freeze, unfreeze: freeze - int(step >= unfreeze[0] * steps)
        ),
    },
)
def examine_unfreeze(answer, rng) -> None:
    """Gradual unfreezing, at all steps of three runs at once: single counts agree by chance."""
    what = "the number of frozen stages"
    right = np.array([answer.right(*case) for case in CASES])

    def first(given) -> tuple:
        return CASES[int(np.argmax(given != right))]

    def otherwise(given, _) -> str:
        step, steps, freeze, unfreeze = first(given)
        k = CASES.index(first(given))
        return (
            f"in step {step} of {steps}, with {freeze} stages frozen at first and unfreeze = "
            f"{unfreeze}, {what} is {given[k]:g}, expected {right[k]}"
        )

    answer.compare(
        (CASES,),
        what,
        lambda given: np.array(given),
        call=lambda f, cases: [as_number(f(*case), what) for case in cases],
        otherwise=otherwise,
        tolerance=1e-9,
        step=lambda given: first(given)[0],
        steps=lambda given: first(given)[1],
        freeze=lambda given: first(given)[2],
    )
