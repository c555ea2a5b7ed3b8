"""Checks of lesson 03: where a cyclic response peaks, in whole cells and between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import as_number, as_parts, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson03 import each
from course_lib.exercises.manners import require_repeatable
from course_lib.trackers import kernels

WHERE = "in a response of {h} × {w} with its peak in row {row}, column {column} you say ({said})"


def _peak(response: np.ndarray) -> tuple[int, int]:
    """Row and column of the highest cell."""
    return divmod(int(response.argmax()), response.shape[1])


def _signed(place: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Displacement (dx, dy) of a place (row, column) of a cyclic response."""
    dy, dx = ((int(v) + n // 2) % n - n // 2 for v, n in zip(place, shape, strict=True))
    return dx, dy


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
        WHERE + ": here the cell of no motion is (0, 0), not the centre": lambda right, r: tuple(
            v - n // 2 for v, n in zip(_peak(r)[::-1], r.shape[::-1], strict=True)
        ),
        WHERE + ": the sign is reversed": lambda right, r: tuple(-v for v in right(r)),
        WHERE + ": rows wrap as well as columns": lambda right, r: (right(r)[0], _peak(r)[0]),
        WHERE + ": columns wrap as well as rows": lambda right, r: (_peak(r)[1], right(r)[1]),
        WHERE + ": rows wrap at the height, columns at the width": [
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
            *(
                lambda right, r, k=k: tuple(
                    (v + r.shape[k] // 2) % r.shape[k] - r.shape[k] // 2 for v in _peak(r)[::-1]
                )
                for k in (0, 1)
            ),
        ],
        WHERE + ": the index into the flat array counts row by row, `width` cells to a row: "
        "np.unravel_index(…, response.shape)": [
            lambda right, r: _signed(divmod(int(r.argmax()), r.shape[0])[::-1], r.shape),
            lambda right, r: _signed(divmod(int(r.argmax()), r.shape[0]), r.shape),
        ],
        WHERE + ": the response is shifted to the centre (fftshift), but half its size is not "
        "subtracted": lambda right, r: _peak(np.fft.fftshift(r))[::-1],
        WHERE + ": fftshift puts the cell of no motion at (h // 2, w // 2), for odd sides as "
        "well": [
            lambda right, r: tuple(
                v - (n - 1) // 2
                for v, n in zip(_peak(np.fft.fftshift(r))[::-1], r.shape[::-1], strict=True)
            ),
            lambda right, r: tuple(
                int(v - n / 2)
                for v, n in zip(_peak(np.fft.fftshift(r))[::-1], r.shape[::-1], strict=True)
            ),
            lambda right, r: tuple(
                v - n // 2
                for v, n in zip(_peak(np.fft.ifftshift(r))[::-1], r.shape[::-1], strict=True)
            ),
        ],
        WHERE + ": that is the highest row and the highest column on average; the peak is the "
        "highest cell": lambda right, r: _signed(
            (r.sum(axis=1).argmax(), r.sum(axis=0).argmax()), r.shape
        ),
        WHERE + ": that is the lowest cell": lambda right, r: right(-r),
        WHERE + ": a displacement may be as large as half the patch; yours is cut off": [
            lambda right, r, n=n: tuple(np.clip(right(r), -n, n)) for n in (1, 2, 3, 4)
        ],
        WHERE + ": with an odd number of columns or rows the middle one is not yet beyond half": (
            lambda right, r: _wrapped(r, lambda n: n // 2)
        ),
        WHERE + ": your negative half begins too early": [
            lambda right, r: _wrapped(r, lambda n: n // 2 - 1),
            lambda right, r: _wrapped(r, lambda n: n // 4),
        ],
        WHERE + ": the last column is −1, so subtract the whole width, no more and no less": [
            lambda right, r: _wrapped(r, lambda n: n / 2, less=1),
            lambda right, r: _wrapped(r, lambda n: n / 2, less=-1),
        ],
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
            lambda right, r: _wrapped(r, lambda n: (n + 1) // 2 + 1),
            lambda right, r: _wrapped(r, lambda n: 3 * n // 4),
            lambda right, r: _wrapped(r, lambda n: n - 1),
        ],
        WHERE + ": that is where the magnitude is largest; a peak is the highest value": (
            lambda right, r: right(np.abs(r))
        ),
    },
    others={"two parts": lambda right, r: right(r)[0]},
)
def examine_displacement(answer, rng) -> None:
    """Beyond half the patch a shift is a negative one; both parities, both sides of the half. A
    trough is deeper than the peak is high, or not so deep, or all is below 0; and another row and
    another column are higher on average."""
    cases, true = [], []
    for h, w in ((10, 13), (13, 10), (9, 16), (12, 7), (7, 11)):
        up, left = (h - 1) // 2, (w - 1) // 2  # furthest shifts that are not a tie
        for k, (dx, dy) in enumerate(((left, 2), (-left, -1), (1, up), (-2, -up), (-1, 0))):
            response = kernels.gaussian_labels(h, w, 1.5) + rng.uniform(-0.1, 0.1, (h, w))
            response[h // 2 - 1], response[:, w // 2] = 0.9, 0.9
            response[h // 2, w // 2 - 1] = (-1.4, -0.8)[k % 2]
            cases.append((np.roll(response - 2 * (k == 4), (dy, dx), axis=(0, 1)),))
            true.append((dx, dy))

    compare_shifts(answer, cases, true, WHERE)
    require_repeatable(answer, *cases[::6])


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


def _by_gravity(right, response):
    """The centre of gravity of the peak and its two neighbours."""
    (row, column), (dx, dy) = _peak(response), kernels.displacement(response)
    near = np.roll(response, (1 - row, 1 - column), axis=(0, 1))[:3, :3]
    along, down = near[1], near[:, 1]
    return dx + (along[2] - along[0]) / along.sum(), dy + (down[2] - down[0]) / down.sum()


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
        SAYS + ": the columns are mended, the rows still have the fault": (
            _refined(lambda r, i, j: r[_held(i, len(r)), _round(j, r.shape[1])])
        ),
        SAYS + ": the rows are mended, the columns still have the fault": (
            _refined(lambda r, i, j: r[_round(i, len(r)), _held(j, r.shape[1])])
        ),
        SAYS + ": the first row and column are mended; what lies beyond the last?": (
            _refined(lambda r, i, j: r[min(i, len(r) - 1), min(j, r.shape[1] - 1)])
        ),
        SAYS + ": the last row and column are mended; what lies before the first?": (
            _refined(lambda r, i, j: r[max(i, 0) % len(r), max(j, 0) % r.shape[1]])
        ),
        SAYS + ": you take 0 beyond the border, but the response wraps around to the other side": (
            _refined(lambda r, i, j: np.pad(r, 1)[i + 1, j + 1])
        ),
        SAYS
        + ": nothing is left of the refinement at the border, where a slow target needs it most: "
        "a neighbour beyond it is on the other side": _whole_on_the_border,
        SAYS + ": nothing is left of the refinement, as if it were switched off or rounded": (
            lambda right, r: kernels.displacement(r)
        ),
        SAYS + ": in x the correction points away from the higher neighbour": (
            lambda right, r: (2 * kernels.displacement(r)[0] - right(r)[0], right(r)[1])
        ),
        SAYS + ": in y the correction points away from the higher neighbour": (
            lambda right, r: (right(r)[0], 2 * kernels.displacement(r)[1] - right(r)[1])
        ),
        SAYS + ": the correction in x is added twice": (
            lambda right, r: (2 * right(r)[0] - kernels.displacement(r)[0], right(r)[1])
        ),
        SAYS + ": you fit a parabola to the logarithms; the formula's goes through the values": (
            lambda right, r: right(np.log(np.maximum(r, 1e-9)))
        ),
        SAYS + ": that is the centre of gravity of three cells; the vertex of the parabola through "
        "them is asked for": _by_gravity,
        SAYS + ": the correction reaches from −0.5 to 0.5; yours is cut off": [
            lambda right, r, n=n: tuple(
                whole + np.clip(v - whole, -n, n)
                for v, whole in zip(right(r), kernels.displacement(r), strict=True)
            )
            for n in (0.1, 0.25, 0.3, 0.4)
        ],
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
    """The parabola's neighbours wrap around; peaks on each border, in the corners and inside, none
    near half the patch, where both directions are right."""
    cases = []
    for h, w in ((9, 12), (8, 13)):
        for row, column in ((0, 0), (0, 4), (3, 0), (2, w - 1), (h - 1, 4), (h - 1, w - 1), (2, 3)):
            response = rng.uniform(0.2, 0.6, (h, w))
            response[row, column] = 1.0
            beside = rng.uniform(0.93, 0.97)  # so the peak lies almost halfway to it
            near = ((row, (column + 1) % w), ((row + 1) % h, column), (row, column - 1))
            response[near[len(cases) % 3]] = beside
            cases.append((response,))
    compare_shifts(answer, cases, [answer.right(*case) for case in cases], SAYS)
    require_repeatable(answer, *cases[::3])
