"""Check of lesson 06: from the peak to a displacement."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import bump, each
from course_lib.trackers import siamfc


def _measured_from(centre: Callable[[int], float]) -> Callable[..., np.ndarray]:
    """A mistake: the displacement is measured from another cell, (cells per side) → number."""
    return lambda right, r, stride, upsample: (
        right(r, stride, upsample) + ((len(r) - 1) / 2 - centre(len(r))) * stride / upsample
    )


def _measured_from_cell(centre: Callable[[float], float]) -> Callable[..., np.ndarray]:
    """A mistake: enlarged cells are divided by the factor and measured from a cell of the small
    response, (its cells per side) → number."""
    return lambda right, r, stride, upsample: (
        (_column_and_row(r) / upsample - centre(len(r) / upsample)) * stride
    )


@check(
    "search.displacement",
    reference=siamfc.peak_displacement,
    mistakes={
        "your displacement is in cells of the enlarged response: one of them is stride / upsample "
        "pixels wide": lambda right, r, stride, upsample: right(r, 1, 1),
        "your displacement is in cells before enlarging: one of them is `stride` pixels wide": (
            lambda right, r, stride, upsample: right(r, 1, upsample)
        ),
        "your displacement is half a cell off: the centre of n cells lies at (n − 1) / 2, that of "
        "272 between two of them": [
            _measured_from(lambda n: n / 2),
            _measured_from(lambda n: n / 2 - 1),
        ],
        "your displacement is rounded: n // 2 is not the centre if n is even, which is at "
        "(n − 1) / 2": _measured_from(lambda n: n // 2),
        "your displacement is rounded: (n − 1) // 2 is not the centre if n is even, which is at "
        "(n − 1) / 2": _measured_from(lambda n: (n - 1) // 2),
        "your displacement is a whole cell off: the centre of n cells lies at (n − 1) / 2": [
            _measured_from(lambda n: (n + 1) / 2),
            _measured_from(lambda n: (n - 3) / 2),
        ],
        "your centre lies between two cells, also where n is odd: it is at (n − 1) / 2": (
            _measured_from(lambda n: n // 2 - 0.5)
        ),
        "cell 0 of the enlarged response lies at the edge of the small one's cell 0, not at its "
        "centre: count enlarged cells, from (n − 1) / 2": [
            _measured_from_cell(lambda cells: (cells - 1) / 2),
            _measured_from_cell(lambda cells: 8),
        ],
        "you measure from cell 135.5, whatever the size: the centre of n cells is at "
        "(n − 1) / 2": _measured_from(lambda n: 135.5),
        "you measure from cell 136, whatever the size, which is not even the centre of 272: that "
        "of n cells is at (n − 1) / 2": _measured_from(lambda n: 136),
        "you take cell 0 for the crop's edge and subtract 127.5 pixels; the cells cover only a part "
        "of the crop. Measure from the centre of the n cells, (n − 1) / 2": [
            lambda right, r, stride, upsample: _column_and_row(r) * stride / upsample - 127.5,
            lambda right, r, stride, upsample: (
                (_column_and_row(r) + 0.5) * stride / upsample - 127.5
            ),
        ],
        "(n − 1) / 2 is a cell's number: subtract it before you turn cells into pixels": (
            lambda right, r, stride, upsample: (
                _column_and_row(r) * stride / upsample - (len(r) - 1) / 2
            )
        ),
        "you return the place in the crop; the displacement counts from its centre": (
            lambda right, r, stride, upsample: right(r, stride, upsample) + 127.5
        ),
        "a row has as many cells as the response is wide; yours has 272": (
            lambda right, r, stride, upsample: (
                right(r, stride, upsample)
                + (np.array(divmod(int(r.argmax()), 272)[::-1]) - _column_and_row(r))
                * stride
                / upsample
            )
        ),
        "you take the centre of mass; the displacement is that of the highest cell": (
            lambda right, r, stride, upsample: (
                (_mass_centre(r) - (len(r) - 1) / 2) * stride / upsample
            )
        ),
        "you measure from the corner; the target has moved by its distance from the centre": (
            _measured_from(lambda n: 0.0)
        ),
        "the sign is reversed: peak minus centre": lambda right, *given: -right(*given),
        "one enlarged cell is stride / upsample pixels: divide by the factor of the enlargement": (
            lambda right, r, stride, upsample: right(r, stride, 1)
        ),
        "one enlarged cell is stride / upsample pixels, not upsample / stride": (
            lambda right, r, stride, upsample: right(r, upsample, stride)
        ),
        "one enlarged cell is stride / upsample pixels, not stride · upsample": (
            lambda right, r, stride, upsample: right(r, stride * upsample, 1)
        ),
        "you take a cell to be 8 / 16 pixels, whatever `stride` and `upsample` are": (
            lambda right, r, stride, upsample: right(r, 8, 16)
        ),
        "your stride is always 8; take `stride`": (
            lambda right, r, stride, upsample: right(r, 8, upsample)
        ),
        "you divide by 16, whatever `upsample` is": (
            lambda right, r, stride, upsample: right(r, stride, 16)
        ),
        "you round stride / upsample: // leaves only the whole pixels": (
            lambda right, r, stride, upsample: right(r, stride // upsample, 1)
        ),
        "cells at the border do not count in your answer: the peak may lie there": (
            lambda right, r, stride, upsample: right(
                np.pad(r[1:-1, 1:-1], 1, constant_values=-np.inf), stride, upsample
            )
        ),
        "your displacement ends at ±64 pixels; the outermost cells are further away": (
            lambda right, *given: np.clip(right(*given), -64, 64)
        ),
        "x and y are swapped: the column is x": lambda right, *given: right(*given)[::-1],
        "you look for the lowest cell: the peak is the highest": (
            lambda right, r, stride, upsample: right(-r, stride, upsample)
        ),
        "you look for the largest magnitude; a cell far below 0 is no peak": (
            lambda right, r, stride, upsample: right(np.abs(r), stride, upsample)
        ),
        "you spread the response over all 255 pixels: its n cells cover n · stride / upsample": (
            lambda right, r, stride, upsample: right(r, 255, len(r))
        ),
        "your displacement is in whole pixels; half a pixel of the search image counts": [
            lambda right, *given: np.round(right(*given)),
            lambda right, *given: np.trunc(right(*given)),
            lambda right, *given: np.floor(right(*given)),
        ],
        "your displacement has no sign: left and up are negative": (
            lambda right, *given: np.abs(right(*given))
        ),
    },
)
def examine_displacement(answer, rng) -> None:
    """From the peak to pixels of the search image, for several sizes."""
    cases = []
    for n, stride, upsample, low in (
        *((272, 8, 16, -5), (85, 6, 5, -3), (60, 4, 3, -5)),
        *((272, 8, 16, -5), (60, 4, 3, -5)),  # a peak in a corner
    ):
        response = siamfc.enlarge(bump(rng), 16)[:n, :n].copy()
        peak, dip = rng.integers(0, n, 2), rng.integers(0, n, 2)
        if len(cases) >= 3:
            peak = rng.permutation([0, n - 1 - rng.integers(5)])
        response[tuple(dip)], response[tuple(peak)] = low, 4.0
        # in one response no cell is above 0
        cases.append((response - 7 * (len(cases) == 2), stride, upsample))

    def read(raw) -> np.ndarray:
        return np.stack([as_array(one, (2,), "the displacement") for one in raw])

    def words(given, right) -> str:
        case, axis = (int(i) for i in np.argwhere(~np.isclose(given, right, atol=1e-4))[0])
        n = len(cases[case][0])
        is_now, should_be = apart(given[case, axis], right[case, axis])
        return (
            f"in a response of {n} × {n} cells, stride {cases[case][1]} and enlarged "
            f"{cases[case][2]} times, the displacement in {'xy'[axis]} is {is_now}, expected "
            f"{should_be}"
        )

    answer.compare((cases,), "the displacement", read, call=each, tolerance=1e-6, otherwise=words)


def _column_and_row(response: np.ndarray) -> np.ndarray:
    """(2,) of the highest cell."""
    return np.array(np.unravel_index(response.argmax(), response.shape)[::-1])


def _mass_centre(response: np.ndarray) -> np.ndarray:
    """Column and row (2,) of the centre of mass, with the lowest cell at 0."""
    weight = (response - response.min()) / (response - response.min()).sum()
    return np.array([weight.sum(axis) @ np.arange(len(response)) for axis in (0, 1)])
