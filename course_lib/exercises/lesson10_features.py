"""Checks of lesson 10: agreement of features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.analysis import consistency
from course_lib.exercises.compare import apart, as_array, as_number, as_parts, copied, plain
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


def _windows(z: Tensor, x: Tensor) -> Tensor:
    """All windows (r, r, C, n, n) of x (C, m, m) that are as large as z (C, n, n)."""
    n = z.shape[-1]
    return x.unfold(1, n, 1).unfold(2, n, 1).permute(1, 2, 0, 3, 4)


def _chosen(score, measure=None):
    """A mistake: the window with the lowest score(z, windows), whose distance is `measure` of
    it."""

    def best(right, z, x):
        windows = _windows(z, x)
        scores = score(z, windows)  # (r, r)
        row, column = _place(int(scores.argmin()), scores.shape[1])
        window = windows[row, column]
        value = (measure or _relative)(z, window)
        return float(value), (row, column)

    return best


def _place(number: int, row: int) -> tuple[int, int]:
    """Row and column of a window, counted through rows of this length."""
    return divmod(number, row)


def _among(rows: slice, columns: slice):
    """A mistake: only windows in these rows and columns are looked at."""

    def best(right, z, x):
        scores = torch.full((x.shape[-1] - z.shape[-1] + 1,) * 2, torch.inf)
        scores[rows, columns] = _right_place(z, _windows(z, x))[rows, columns]
        return float(scores.min()), _place(int(scores.argmin()), scores.shape[1])

    return best


def _on_diagonal(right, z, x):
    """A mistake: only windows whose row is their column are looked at."""
    scores = _right_place(z, _windows(z, x)).diagonal()
    return float(scores.min()), (int(scores.argmin()),) * 2


def _divided(by):
    """A mistake: a window's number is divided by by(z, x)."""

    def best(right, z, x):
        scores = _right_place(z, _windows(z, x))
        return float(scores.min()), _place(int(scores.argmin()), by(z, x))

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
        "the best window begins at row {right[0][0][0]:g}, column {right[0][0][1]:g}; yours are "
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
        # before the next one, which may find the same windows
        "the window's length, too, is the root of its sum of squares": (
            1,
            _chosen(
                lambda z, w: _apart(z, w) / w.square().sum((2, 3, 4)),
                lambda z, w: (z - w).norm() / w.square().sum(),
            ),
        ),
        "you take the window with the largest product z · window, or the largest cosine, as a "
        "correlation does; here the distance counts": [
            (0, _chosen(lambda z, w: -(w * z).sum((2, 3, 4)))),
            (0, _chosen(lambda z, w: -(w * z).sum((2, 3, 4)) / w.square().sum((2, 3, 4)).sqrt())),
        ],
        "you look at some of the windows only; any may be the best, at the border too": [
            (0, _among(slice(0, -1), slice(0, -1))),
            (0, _among(slice(1, None), slice(1, None))),
            (0, _among(slice(1, -1), slice(1, -1))),
            (0, _among(slice(0, None, 2), slice(0, None, 2))),
        ],
        "you look at the windows on the diagonal only; any may be the best": (0, _on_diagonal),
        "‖a − b‖² is ‖a‖² + ‖b‖² − 2 a·b; the 2 is missing in yours": (
            0,
            _chosen(
                lambda z, w: (
                    (w.square().sum((2, 3, 4)) + z.square().sum() - (w * z).sum((2, 3, 4)))
                    / w.square().sum((2, 3, 4))
                )
            ),
        ),
        "divide the index of the best window by the number of windows in a row, not by another "
        "number": [
            (0, _divided(lambda z, x: z.shape[-1])),
            (0, _divided(lambda z, x: x.shape[-1])),
        ],
        "your exemplar's rows and columns have changed places": (
            0,
            lambda right, z, x: right(z.transpose(1, 2), x),
        ),
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
        ],
        "the length of the difference, too, is the root of its sum of squares": [
            (1, _chosen(score, lambda z, w: (z - w).square().sum() / w.norm()))
            for score in (
                _right_place,
                lambda z, w: _apart(z, w) ** 2 / w.square().sum((2, 3, 4)).sqrt(),
            )
        ],
        "divide by the length of the window in the search image, not of the exemplar": (
            1,
            _chosen(_right_place, lambda z, w: (z - w).norm() / z.norm()),
        ),
        "all channels count; yours is the distance in one of them": (
            1,
            lambda right, z, x: right(z[:1], x[:1]),
        ),
        "the features are compared as they are; yours have lost their mean": (
            1,
            lambda right, z, x: right(z - z.mean(), x - x.mean()),
        ),
        "divide by the length of the window alone; nothing is added to it": [
            (1, _chosen(_right_place, lambda z, w: (z - w).norm() / (w.norm() + z.norm()))),
            (
                1,
                _chosen(
                    _right_place,
                    lambda z, w: ((z - w).square().sum() / (w.square().sum() + 1)).sqrt(),
                ),
            ),
        ],
        "the distance of the best window is asked for, not the mean of all": (
            1,
            lambda right, z, x: (
                float(_right_place(z, _windows(z, x)).mean()),
                right(z, x)[1],
            ),
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
    others={"the answer should have two parts": lambda right, z, x: right(z, x)[0]},
)
def examine_agreement(answer, rng) -> None:
    """How well the exemplar's features are found again: anywhere, at the borders, and as a
    whole."""
    cases = [
        _case(rng, 4, 13, (2, 7), (8, 1), (8, 8)),
        _case(rng, 5, 12, (6, 1), (0, 7), (6, 7)),
        _case(rng, 3, 10, (7, 7), (0, 4), (3, 0)),
        _case(rng, 4, 11, (0, 0), (5, 5), (0, 7)),
        _case(rng, 1, 4, (3, 1), (0, 0), (1, 3)),
    ]
    answer.compare(
        (cases,),
        ("the place of the best window", "the distance"),
        lambda found: tuple(
            np.array(part) for part in zip(*map(_place_and_distance, found), strict=True)
        ),
        call=lambda f, cases: [f(*copied(case)) for case in cases],
        tolerance=1e-4,
        otherwise=_difference,
    )
    whole = _case(rng, 3, 3, (0, 0))  # a single window
    answer.compare(whole, ("the only place", "its distance"), _place_and_distance, tolerance=1e-4)
    # one that is found again exactly: a root of 0
    x = cases[1][1]
    same = x[:, 3:8, 5:10].clone()
    named = ("for a map cut out of x the place", "for a map cut out of x the distance")
    answer.compare((same, x), named, _place_and_distance, tolerance=2e-3)


def _case(rng: np.random.Generator, n: int, m: int, *corners: tuple[int, int]):
    """Maps z (3, n, n) and x (3, m, m). One window of x is z but for its length, another is nearer
    to z, but not for *its* length; and one has a larger product with z.

    Args:
        rng: of the maps.
        n: cells per side of z.
        m: cells per side of x.
        corners: first cells of these windows, row and column.
    """
    z, x, noise = (torch.from_numpy(rng.normal(size=(3, k, k))).float() + 0.5 for k in (n, m, n))
    for (row, column), factor in zip(corners, (1.5, 0.6, 3.0), strict=False):
        x[:, row : row + n, column : column + n] = factor * z + 0.03 * (noise - 0.5)
    return z, x


def _difference(given: tuple, right: tuple) -> str:
    """The first case whose place or distance is wrong, in words."""
    for place, distance, best, wanted in zip(*given, *right, strict=True):
        if tuple(place) != tuple(best):
            return (
                f"the best window begins at row {best[0]:g}, column {best[1]:g}; yours at row "
                f"{place[0]:g}, column {place[1]:g}"
            )
        if abs(distance - wanted) > 1e-4 * max(1, wanted):
            mine, should_be = apart(distance, wanted)
            return f"your best window is right, but its distance is {mine}, expected {should_be}"
    return ""


def _place_and_distance(given) -> tuple[np.ndarray, float]:
    """Read the two parts of an answer."""
    distance, place = as_parts(given, "the distance", "the (row, column) of the best window")
    if np.isnan(np.asarray(plain(distance), dtype=float)).any():
        raise Wrong(
            "your distance is NaN: the root of a number below 0? By rounding a² − 2ab + b² can "
            "fall below 0, (a − b)² cannot"
        )
    return as_array(place, (2,), "the place"), as_number(distance, "the distance")
