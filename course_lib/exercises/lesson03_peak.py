"""Checks of lesson 03: where a cyclic response peaks, in whole cells and between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import as_number, as_parts, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson03 import each
from course_lib.trackers import kernels

WHERE = "in a response of {h} × {w} with its peak in row {row}, column {column} you say ({said})"


def _peak(response: np.ndarray) -> tuple[int, int]:
    """Row and column of the highest cell."""
    return divmod(int(response.argmax()), response.shape[1])


def _wrapped(response: np.ndarray, first: Callable[[int], float], less: int = 0) -> tuple:
    """Displacement (dx, dy) if the negative half begins at `first(n)` of n, and n − `less` is
    subtracted there."""
    (row, column), (h, w) = _peak(response), response.shape
    return tuple(v - (n - less) if v >= first(n) else v for v, n in ((column, w), (row, h)))


@check(
    "kcf.displacement",
    reference=kernels.displacement,
    mistakes={
        WHERE + ": beyond half the patch the target has moved the other way": (
            lambda right, r: _peak(r)[::-1]
        ),
        WHERE + ": the column is x, and dx comes first": lambda right, r: right(r)[::-1],
        WHERE + ": here no motion is at (0, 0), not at the centre": lambda right, r: tuple(
            v - n // 2 for v, n in zip(_peak(r)[::-1], r.shape[::-1], strict=True)
        ),
        WHERE + ": the sign is reversed": lambda right, r: tuple(-v for v in right(r)),
        WHERE + ": rows go round as well as columns": lambda right, r: (right(r)[0], _peak(r)[0]),
        WHERE + ": columns go round as well as rows": lambda right, r: (_peak(r)[1], right(r)[1]),
        WHERE + ": rows go round at the height, columns at the width": [
            lambda right, r: tuple(
                v - n if v >= n / 2 else v
                for v, n in zip(_peak(r)[::-1], r.shape[:1] * 2, strict=True)
            ),
            lambda right, r: tuple(
                v - n if v >= n / 2 else v
                for v, n in zip(_peak(r)[::-1], r.shape[1:] * 2, strict=True)
            ),
            lambda right, r: tuple(
                v - n if v >= n / 2 else v for v, n in zip(_peak(r)[::-1], r.shape, strict=True)
            ),
        ],
        WHERE + ": in an odd number of columns or rows the middle one is less than half of them": (
            lambda right, r: _wrapped(r, lambda n: n // 2)
        ),
        WHERE + ": the last column is −1, so subtract the whole width": (
            lambda right, r: _wrapped(r, lambda n: n / 2, less=1)
        ),
        WHERE
        + ": the sign is reversed beyond half the patch: subtract the width from the column": (
            lambda right, r: tuple(abs(v) for v in right(r))
        ),
        WHERE
        + ": beyond half the patch subtract the whole width, not half of it": lambda right, r: (
            tuple(
                v if v >= 0 else v + n - n // 2
                for v, n in zip(right(r), r.shape[::-1], strict=True)
            )
        ),
        WHERE + ": that is in pixels of a HOG patch; count cells": lambda right, r: tuple(
            4 * v for v in right(r)
        ),
        WHERE + ": your negative half begins too late": [
            lambda right, r: _wrapped(r, lambda n: n // 2 + 2),
            lambda right, r: _wrapped(r, lambda n: n - 1),
        ],
        WHERE + ": that is where the magnitude is largest; a peak is the highest value": (
            lambda right, r: right(np.abs(r))
        ),
    },
    others={"two parts": lambda right, r: right(r)[0]},
)
def examine_displacement(answer, rng) -> None:
    """Beyond half the patch a shift is a negative one; both parities, both sides of the half."""
    cases, true = [], []
    for h, w in ((10, 13), (13, 10), (9, 16), (12, 7)):
        up, left = (h - 1) // 2, (w - 1) // 2  # furthest shifts that are not a tie
        for dx, dy in ((left, 2), (-left, -1), (1, up), (-2, -up), (-1, 0)):
            response = kernels.gaussian_labels(h, w, 1.5) + rng.uniform(-0.1, 0.1, (h, w))
            response[h // 2, w // 2 - 1] = -1.4  # a trough deeper than the peak is high
            cases.append((np.roll(response, (dy, dx), axis=(0, 1)),))
            true.append((dx, dy))

    compare_shifts(answer, cases, true, WHERE)


def compare_shifts(answer, cases: list, true, where: str) -> None:
    """Compare an answer's (dx, dy) in all cases at once; the message names the first wrong one.

    Args:
        answer: on trial.
        cases: inputs, a response (h, w) each.
        true: the right (dx, dy) of each.
        where: the beginning of the message.
    """
    true = np.array(true, dtype=float)

    def read(given):
        pairs = [as_parts(pair, "dx", "dy") for pair in given]
        return np.array([[as_number(dx, "dx"), as_number(dy, "dy")] for dx, dy in pairs])

    def first(given):
        k = next(k for k in range(len(true)) if not same(given[k], true[k]))
        return cases[k][0], given[k], true[k]

    facts = {
        "h": lambda given: first(given)[0].shape[0],
        "w": lambda given: first(given)[0].shape[1],
        "row": lambda given: _peak(first(given)[0])[0],
        "column": lambda given: _peak(first(given)[0])[1],
        "said": lambda given: ", ".join(f"{v:.4g}" for v in first(given)[1]),
        "truth": lambda given: ", ".join(f"{v:.4g}" for v in first(given)[2]),
    }
    words = where + "; expected ({truth})"
    answer.compare(tuple(cases), "the displacement", read, call=each, otherwise=words, **facts)


def _refined(beside: Callable[[np.ndarray, int, int], float], sign: int = 1) -> Callable:
    """A refined peak whose neighbours are `beside(response, row, column)`."""

    def answer(right, response):
        (row, column), (dx, dy) = _peak(response), kernels.displacement(response)

        def vertex(before, after):
            return sign * (before - after) / (2 * (before + after - 2 * response[row, column]))

        along = (beside(response, row, column + i) for i in (-1, 1))
        down = (beside(response, row + i, column) for i in (-1, 1))
        return dx + vertex(*along), dy + vertex(*down)

    return answer


def _round(i: int, n: int) -> int:
    return i % n


def _held(i: int, n: int) -> int:
    return min(max(i, 0), n - 1)


def _whole_on_the_border(right, response):
    """The refinement switched off where a neighbour is on the other side."""
    (h, w), (row, column) = response.shape, _peak(response)
    (dx, dy), (x, y) = kernels.displacement(response), right(response)
    return x if 0 < column < w - 1 else dx, y if 0 < row < h - 1 else dy


SAYS = "with its peak in row {row}, column {column} of {h} × {w} your function says ({said})"


@check(
    "kcf.fault",
    reference=kernels.subcell,
    mistakes={
        "the fault is still there: " + SAYS + ". Which cells lie beside the first column?": (
            _refined(lambda r, i, j: r[_held(i, len(r)), _held(j, r.shape[1])])
        ),
        SAYS + ": columns are mended, rows have the same fault": (
            _refined(lambda r, i, j: r[_held(i, len(r)), _round(j, r.shape[1])])
        ),
        SAYS + ": rows are mended, columns have the same fault": (
            _refined(lambda r, i, j: r[_round(i, len(r)), _held(j, r.shape[1])])
        ),
        SAYS + ": the first row and column are mended; what lies beyond the last?": (
            _refined(lambda r, i, j: r[min(i, len(r) - 1), min(j, r.shape[1] - 1)])
        ),
        SAYS + ": the last row and column are mended; what lies before the first?": (
            _refined(lambda r, i, j: r[max(i, 0) % len(r), max(j, 0) % r.shape[1]])
        ),
        SAYS + ": you take 0 beyond the border, but the response goes on on the other side": (
            _refined(lambda r, i, j: np.pad(r, 1)[i + 1, j + 1])
        ),
        SAYS + ": you switched the refinement off there, and a slow target needs it most; its "
        "neighbours are on the other side": _whole_on_the_border,
        SAYS + ": you switched the refinement off everywhere": (
            lambda right, r: kernels.displacement(r)
        ),
        SAYS + ": now the correction points away from the higher neighbour": (
            _refined(lambda r, i, j: r[_round(i, len(r)), _round(j, r.shape[1])], sign=-1)
        ),
        SAYS + ": the correction is twice as large as the formula's": lambda right, r: tuple(
            2 * v - whole for v, whole in zip(right(r), kernels.displacement(r), strict=True)
        ),
        SAYS + ": the correction is half as large as the formula's": lambda right, r: tuple(
            (v + whole) / 2 for v, whole in zip(right(r), kernels.displacement(r), strict=True)
        ),
        SAYS + ": dx is corrected by the neighbours above and below, dy by those at the sides": (
            lambda right, r: tuple(
                np.array(right(r))[::-1]
                - np.array(kernels.displacement(r))[::-1]
                + kernels.displacement(r)
            )
        ),
        SAYS + ": only dx is refined": lambda right, r: (right(r)[0], kernels.displacement(r)[1]),
        SAYS + ": only dy is refined": lambda right, r: (kernels.displacement(r)[0], right(r)[1]),
        SAYS + ": dx comes first": lambda right, r: right(r)[::-1],
        SAYS + ": beyond half the patch the target has moved the other way": lambda right, r: tuple(
            v % n if v <= -1 else v for v, n in zip(right(r), r.shape[::-1], strict=True)
        ),
    },
    others={"two parts": lambda right, r: right(r)[0]},
)
def examine_fault(answer, rng) -> None:
    """The parabola's neighbours go round; peaks on each border, in the corners and inside."""
    cases = []
    for h, w in ((9, 12), (8, 13)):
        for row, column in ((0, 0), (0, 5), (4, 0), (3, w - 1), (h - 1, 4), (h - 1, w - 1), (2, 3)):
            response = rng.uniform(0.2, 0.6, (h, w))
            response[row, column] = 1.0
            cases.append((response,))
    compare_shifts(answer, cases, [answer.right(*case) for case in cases], SAYS)
