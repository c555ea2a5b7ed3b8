"""Checks of lesson 06: scales, upsampling, the window, the choice of scale, displacement,
damping."""

from __future__ import annotations

import cv2
import numpy as np

from course_lib.exercises.compare import as_array, as_number
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers import siamfc


def _bump(rng, n: int = 17) -> np.ndarray:
    """A smooth random response (n, n) float32 with one clear peak."""
    row, column = rng.uniform(3, n - 4, 2)
    i = np.arange(n)
    hill = np.exp(-((i[:, None] - row) ** 2 + (i[None, :] - column) ** 2) / 8)
    return (4 * hill + rng.normal(0, 0.1, (n, n)) - 2).astype(np.float32)


def _misordered(given, right) -> str:
    """The message for factors that are not centred on 1, or that fall."""
    centre = given[len(given) // 2]
    if not np.isclose(centre, 1):
        return (
            f"for {len(given)} scales the centre factor is {centre:.4g}; it should be 1: exponents "
            "run from −(count − 1)/2 to (count − 1)/2"
        )
    fall = "your factors fall; let them rise, so that index 0 is the smallest"
    return fall if given[0] > given[-1] else ""


@check(
    "search.scales",
    reference=siamfc.scale_factors,
    mistakes={
        "your factors are added up; each should be `step` times the one before": (
            lambda right, count, step: 1 + (step - 1) * (np.arange(count) - count // 2)
        )
    },
    others={
        "the centre factor is": lambda right, count, step: step ** np.arange(count),
        "let them rise": lambda right, count, step: right(count, step)[::-1],
        "the factors at": lambda right, count, step: step ** np.linspace(-1, 1, count),
    },
)
def examine_scales(answer, rng) -> None:
    """Factors on the search side."""
    for count, step in ((3, 1.0375), (5, 1.0255), (1, 1.04)):
        answer.compare(
            (count, step),
            f"for {count} scales the factors",
            (count,),
            tolerance=1e-7,
            near=1e-9,
            named="the factors",
            otherwise=_misordered,
        )


@check(
    "search.enlarge",
    reference=siamfc.enlarge,
    mistakes={
        "your enlargement is bilinear: its peak can only lie on one of the 17 cells. Use "
        "cv2.INTER_CUBIC": lambda right, r, n: cv2.resize(r, None, fx=n, fy=n),
        "your enlargement repeats each cell: no finer than before. Use cv2.INTER_CUBIC": (
            lambda right, r, n: np.kron(r, np.ones((n, n)))
        ),
    },
    others={"shape (208, 272)": lambda right, r, n: right(r.T, n)},
)
def examine_enlarge(answer, rng) -> None:
    """Bicubic enlargement."""
    response = _bump(rng)[:, :13].copy()
    answer.compare((response, 16), "the enlarged response", (272, 208), tolerance=1e-4)


@check(
    "search.choose",
    reference=siamfc.choose_scale,
    others={
        "multiply every peak but the middle one by it": [
            lambda right, r, p: right(r, 1.0),
            lambda right, r, p: (p * r.max(axis=(1, 2))).argmax(),
        ],
        "5 % higher at another scale outweighs": lambda right, r, p: len(r) // 2,
        "you choose scale": lambda right, r, p: right(r.mean(axis=(1, 2), keepdims=True), p),
        "by their highest cell": lambda right, r, p: (
            right(r, p) if np.ptp(r[0]) else right(r.mean(axis=(1, 2), keepdims=True), p)
        ),
    },
)
def examine_choose(answer, rng) -> None:
    """Choice of scale with a penalty."""
    base = np.stack([_bump(rng) for _ in range(3)])
    peaks = base.max(axis=(1, 2), keepdims=True)
    for wanted, words in (
        (
            [1.0, 1.0, 1.02],
            "a peak 2 % higher at another scale does not outweigh a penalty of 0.9745: multiply "
            "every peak but the middle one by it",
        ),
        ([1.0, 1.0, 1.05], "a peak 5 % higher at another scale outweighs a penalty of 0.9745"),
        ([1.05, 1.0, 1.04], "of two higher peaks the highest wins"),
        ([1.02, 1.0, 1.02], "the middle scale is not penalised"),
    ):
        responses = (base / peaks * np.array(wanted)[:, None, None]).astype(np.float32)
        answer.compare(
            (responses, 0.9745),
            "the index",
            otherwise="with peaks {wanted} you choose scale {given:g}, expected {right:g}: "
            + words,
            wanted=wanted,
        )
    flat = np.stack([np.full((17, 17), 0.9), _bump(rng) * 0 + 0.1, np.full((17, 17), 0.2)])
    flat[1, 5, 5] = 1.0
    if as_number(answer(flat, 0.9745), "the index") != 1:
        raise Wrong("scales are compared by their highest cell, not by their mean")


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
        "and its sum may be about 0": lambda right, r, w, i: (1 - i) * r / r.sum() + i * w,
        "you multiply by the window: then nothing far from the centre can ever win. Add it with "
        "its influence": lambda right, r, w, i: right(r, w, 0.0) * w,
    },
)
def examine_blend(answer, rng) -> None:
    """Normalise, then blend."""
    response, window = siamfc.enlarge(_bump(rng), 4), siamfc.unit_window(68)
    answer.compare(
        (response, window, 0.176),
        "10,000 times the result",
        lambda given: 1e4 * as_array(given, (68, 68), "the result"),
        tolerance=1e-4,
        near=1e-3,
    )


@check(
    "search.displacement",
    reference=siamfc.peak_displacement,
    mistakes={
        "your displacement is in cells of the enlarged response: one of them is 8 / 16 pixel": (
            lambda right, r, stride, upsample: right(r, 1, 1)
        ),
        "your displacement is a quarter of a pixel off: the centre of 272 cells lies between two "
        "of them, at (272 − 1) / 2": lambda right, *given: right(*given) - 0.25,
        "the sign is reversed: peak minus centre": lambda right, *given: -right(*given),
        "one enlarged cell is stride / upsample pixels: divide by 16": (
            lambda right, r, stride, upsample: right(r, stride, 1)
        ),
        "x and y are swapped: the column is x": lambda right, *given: right(*given)[::-1],
    },
)
def examine_displacement(answer, rng) -> None:
    """From the peak to pixels of the search image."""
    for row, column in ((140, 100), (135, 136), (200, 60), (20, 250)):
        response = np.zeros((272, 272), dtype=np.float32)
        response[row, column] = 1
        answer.compare((response, 8, 16), "the displacement", (2,), tolerance=1e-5)


@check(
    "search.damp",
    reference=siamfc.damp,
    mistakes={
        "the size jumps to the new scale at once; it should move there by the fraction `rate`": (
            lambda right, side, factor, rate, first: side * factor
        ),
        "the rate is on the wrong term: `rate` belongs to the new size, 1 − rate to the old": (
            lambda right, side, factor, rate, first: right(side, factor, 1 - rate, first)
        ),
    },
    others={
        "it must stay within 0.2 … 5 times": lambda right, side, factor, rate, first: right(
            side, factor, rate, side
        )
    },
)
def examine_damp(answer, rng) -> None:
    """Damped size with limits."""
    for case in (
        (200.0, 1.0375, 0.59, 180.0),
        (150.0, 0.9639, 0.34, 180.0),
        (200.0, 1.0, 0.59, 200.0),
    ):
        answer.compare(case, "the side")
    for side, factor in ((990.0, 1.2), (41.0, 0.8)):
        answer.compare(
            (side, factor, 0.59, 200.0),
            "the side",
            otherwise="from {0:g} the side goes to {given:.4g}; it must stay within 0.2 … 5 times "
            "the first one, 200: {right:g}",
        )
