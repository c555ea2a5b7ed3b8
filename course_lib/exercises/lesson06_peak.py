"""Checks of lesson 06: the window, from the peak to a displacement, and the damped size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import apart, as_array, as_number
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import bump, each
from course_lib.trackers import siamfc


@check(
    "search.blend",
    reference=siamfc.blend_with_window,
    mistakes={
        "the response is not normalised: next to values of several units, a window that sums to "
        "1 has no effect. Minimum to 0, sum to 1": lambda right, r, w, i: (1 - i) * r + i * w,
        "the influence is on the wrong term: it weights the window, the rest the response": (
            lambda right, r, w, i: right(r, w, 1 - i)
        ),
        "you divide by the sum before subtracting the minimum; a response has negative values, "
        "and its sum may be about 0": [
            lambda right, r, w, i: (1 - i) * (r / r.sum() - (r / r.sum()).min()) + i * w,
            lambda right, r, w, i: (1 - i) * (r - r.min()) / r.sum() + i * w,
        ],
        "the minimum is not subtracted: it must become 0 before you divide by the sum": (
            lambda right, r, w, i: (1 - i) * r / r.sum() + i * w
        ),
        "the response is not divided by its sum: with the minimum at 0 it must sum to 1": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) + i * w
        ),
        "you scale the response from 0 to 1; then its peak is hundreds of times the window's. "
        "Divide by the sum of what is left": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) / np.ptp(r) + i * w
        ),
        "you scale both from 0 to 1: their sums should be 1, and the window's is already": (
            lambda right, r, w, i: (1 - i) * (r - r.min()) / np.ptp(r) + i * w / w.max()
        ),
        "you multiply by the window: then nothing far from the centre can ever win. Add it with "
        "its influence": [
            lambda right, r, w, i: right(r, w, 0.0) * w,
            lambda right, r, w, i: (1 - i) * right(r, w, 0.0) + i * right(r, w, 0.0) * w,
        ],
        "the response keeps its whole weight: it is 1 − influence": (
            lambda right, r, w, i: right(r, w, 0.0) + i * w
        ),
        "the window keeps its whole weight: it is the influence": (
            lambda right, r, w, i: (1 - i) * right(r, w, 0.0) + w
        ),
        "the window has no influence in your answer": lambda right, r, w, i: right(r, w, 0.0),
        "you subtract the mean; then half of the response is negative. Subtract the minimum": (
            lambda right, r, w, i: (1 - i) * (r - r.mean()) / (r - r.min()).sum() + i * w
        ),
        "you cut negative values off; subtract the minimum, or differences are lost": (
            lambda right, r, w, i: (1 - i) * r.clip(0) / r.clip(0).sum() + i * w
        ),
        "you mix with a weight of 0.176, whatever `influence` is": (
            lambda right, r, w, i: right(r, w, 0.176)
        ),
        "you subtract the minimum only where it is negative; always make it 0": (
            lambda right, r, w, i: (
                (1 - i) * (r - min(r.min(), 0)) / (r - min(r.min(), 0)).sum() + i * w
            )
        ),
        "you take magnitudes; what lies far below 0 is the worst match, not a good one": (
            lambda right, r, w, i: (1 - i) * np.abs(r) / np.abs(r).sum() + i * w
        ),
        "your softmax is one way to make a response sum to 1, but not the one asked for: subtract "
        "the minimum, divide by the sum": (
            lambda right, r, w, i: (1 - i) * np.exp(r) / np.exp(r).sum() + i * w
        ),
    },
)
def examine_blend(answer, rng) -> None:
    """Normalise, then blend: responses with and without negative values."""
    cases = [
        (siamfc.enlarge(bump(rng), 4) + above, siamfc.unit_window(68), influence)
        for above, influence in ((0.5, 0.176), (5.0, 0.4), (0.0, 0.75))
    ]

    def read(raw) -> np.ndarray:
        return np.stack([1e4 * as_array(one, (68, 68), "the result") for one in raw])

    answer.compare(
        (cases,), "10,000 times the result", read, call=each, tolerance=1e-4, near=1e-3,
        otherwise=_outweighed,
    )  # fmt: skip


def _outweighed(given: np.ndarray, right: np.ndarray) -> str:
    """The message where sums say what is wrong, else none."""
    sums = given.sum(axis=(1, 2)) / 1e4
    if np.allclose(sums, 1, atol=1e-3):
        return ""
    return (
        f"your result sums to {sums[int(np.abs(sums - 1).argmax())]:.4g}; response and window "
        "both sum to 1, so their mixture does as well"
    )


def _measured_from(centre: Callable[[int], float]) -> Callable[..., np.ndarray]:
    """A mistake: the displacement is measured from another cell, (cells per side) → number."""
    return lambda right, r, stride, upsample: (
        right(r, stride, upsample) + ((len(r) - 1) / 2 - centre(len(r))) * stride / upsample
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
        "you measure from cell 135.5, whatever the size: the centre of n cells is at "
        "(n − 1) / 2": _measured_from(lambda n: 135.5),
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
        "you take a cell to be 8 / 16 pixels, whatever `stride` and `upsample` are": (
            lambda right, r, stride, upsample: right(r, 8, 16)
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
    for n, stride, upsample, low in ((272, 8, 16, -5), (85, 6, 5, -3), (60, 4, 3, -5)):
        response = siamfc.enlarge(bump(rng), 16)[:n, :n].copy()
        peak, dip = rng.integers(0, n, 2), rng.integers(0, n, 2)
        response[tuple(dip)], response[tuple(peak)] = low, 4.0
        cases.append((response, stride, upsample))

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


def _moved(side: float, factor: float, rate: float) -> float:
    return (1 - rate) * side + rate * side * factor


@check(
    "search.damp",
    reference=siamfc.damp,
    mistakes={
        "the size jumps to the new scale at once; it should move there by the fraction `rate`": (
            lambda right, side, factor, rate, first: right(side, factor, 1.0, first)
        ),
        "the rate is on the wrong term: `rate` belongs to the new size, 1 − rate to the old": (
            lambda right, side, factor, rate, first: right(side, factor, 1 - rate, first)
        ),
        "your side jumps, and has no limits: it should move by the fraction `rate`, within 0.2 … "
        "5 times the first one": lambda right, side, factor, rate, first: side * factor,
        "your side has no limits, or limits that never act: it must stay within 0.2 … 5 times the "
        "first one": [
            lambda right, side, factor, rate, first: _moved(side, factor, rate),
            lambda right, side, factor, rate, first: right(side, factor, rate, side),
            lambda right, side, factor, rate, first: _moved(side, np.clip(factor, 0.2, 5), rate),
        ],
        "your side has no upper limit, 5 times the first one": (
            lambda right, side, factor, rate, first: max(_moved(side, factor, rate), 0.2 * first)
        ),
        "your side has no lower limit, 0.2 times the first one": (
            lambda right, side, factor, rate, first: min(_moved(side, factor, rate), 5 * first)
        ),
        "your limits act before the rate: first move the side, then keep it within them": (
            lambda right, side, factor, rate, first: (
                (1 - rate) * side + rate * right(side, factor, 1.0, first)
            )
        ),
        "you move by factor ** rate: the side moves in a straight line, by the fraction `rate` of "
        "the difference": lambda right, side, factor, rate, first: np.clip(
            side * factor**rate, 0.2 * first, 5 * first
        ),
        "you move from the first side; it moves from the last one": (
            lambda right, side, factor, rate, first: right(first, factor, rate, first)
        ),
        "the new side is the last one times the factor; the first one is for the limits only": (
            lambda right, side, factor, rate, first: np.clip(
                (1 - rate) * side + rate * first * factor, 0.2 * first, 5 * first
            )
        ),
        "you move towards the factor itself; the new side is side · factor": (
            lambda right, side, factor, rate, first: np.clip(
                (1 - rate) * side + rate * factor, 0.2 * first, 5 * first
            )
        ),
        "your limits are swapped: np.clip wants the lowest value first": (
            lambda right, side, factor, rate, first: np.clip(
                _moved(side, factor, rate), 5 * first, 0.2 * first
            )
        ),
        "you divide by the factor: the side grows where the factor is above 1": (
            lambda right, side, factor, rate, first: right(side, 1 / factor, rate, first)
        ),
        "the weights of old and new side must sum to 1: 1 − rate and rate": (
            lambda right, side, factor, rate, first: np.clip(
                side + rate * side * factor, 0.2 * first, 5 * first
            )
        ),
        "you return the change, a factor; the side is asked for": (
            lambda right, side, factor, rate, first: right(side, factor, rate, first) / side
        ),
        "you move by 0.59, whatever `rate` is": (
            lambda right, side, factor, rate, first: right(side, factor, 0.59, first)
        ),
        "your side is rounded; fractions of a pixel add up over the frames": (
            lambda right, *given: round(right(*given))
        ),
    },
)
def examine_damp(answer, rng) -> None:
    """Damped size with limits, for many sides at once."""
    cases = [
        (side, factor, rate, first)
        for rate in (0.34, 0.8)
        for side, factor, first in (
            *rng.uniform([120, 0.9, 90], [260, 1.1, 300], (4, 3)),
            (990.0, 1.2, 200.0),
            (41.0, 0.8, 200.0),
            (1100.0, 1.02, 200.0),
            (35.0, 0.98, 200.0),
        )
    ]
    cases = [tuple(map(float, case)) for case in cases]

    def words(given, right) -> str:
        case = int(np.argmax(np.abs(given - right) > 1e-6 * right))
        side, factor, rate, first = cases[case]
        is_now, should_be = apart(given[case], right[case])
        return (
            f"from a side of {side:.4g}, with factor {factor:.4g}, rate {rate:g} and first side "
            f"{first:.4g}, yours is {is_now}, expected {should_be}"
        )

    answer.compare(
        (cases,),
        "the side",
        lambda raw: np.array([as_number(side, "the side") for side in raw]),
        call=each,
        otherwise=words,
    )
