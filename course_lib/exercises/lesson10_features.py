"""Checks of lesson 10: agreement of features, unfreezing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.analysis import consistency
from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.compare import as_array, as_number, as_parts, plain
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.training.step import frozen_stages


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
        (20, 2, (0.25, 0.5)),
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
    """Gradual unfreezing, at all steps of several runs."""
    what = "the number of frozen stages"
    compare_cases(
        answer,
        CASES,
        (what,),
        reads(what),
        "in step {} of {}, with {} stages frozen at first and unfreeze = {}".format,
        step=lambda step, *run: step,
        steps=lambda step, steps, *run: steps,
        freeze=lambda step, steps, freeze, unfreeze: freeze,
    )
