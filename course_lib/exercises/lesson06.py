"""Checks of lesson 06: scales, upsampling, the choice of scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.trackers import siamfc


def bump(rng: np.random.Generator, n: int = 17) -> np.ndarray:
    """A smooth random response (n, n) float32 with one clear peak, much of it below 0."""
    row, column = rng.uniform(3, n - 4, 2)
    i = np.arange(n)
    hill = np.exp(-((i[:, None] - row) ** 2 + (i[None, :] - column) ** 2) / rng.uniform(4, 12))
    return (4 * hill + rng.normal(0, 0.1, (n, n)) - 2).astype(np.float32)


def each(answer: Callable[..., Any], cases: list[tuple]) -> list[Any]:
    """The answer's results for all cases, so that a mistake is recognised by all of them."""
    return [answer(*case) for case in cases]


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
        ),
        "your factors run from 1 / step to step, however many there are: each should be `step` "
        "times the one before": lambda right, count, step: step ** np.linspace(-1, 1, count),
        "your exponents are twice too large: neighbouring scales differ by one factor `step`": (
            lambda right, count, step: right(count, step) ** 2
        ),
        "your exponents are half too small: neighbouring scales differ by one factor `step`": (
            lambda right, count, step: right(count, step) ** 0.5
        ),
        "a scale below the middle is 1 / step times its neighbour, not 2 − step: the way down is "
        "a division": lambda right, count, step: np.where(
            right(count, step) < 1, 2 - right(count, step)[::-1], right(count, step)
        ),
        "your smaller scales are as large as the larger ones: below the middle the exponents are "
        "negative": lambda right, count, step: np.maximum(
            right(count, step), 1 / right(count, step)
        ),
        "you step by 1.0375, whatever `step` is": lambda right, count, step: right(count, 1.0375),
        "your factors are rounded; a step of 1.0255 needs all its digits": [
            lambda right, count, step: np.round(right(count, step), 2),
            lambda right, count, step: np.round(right(count, step), 3),
        ],
        "you always return three factors; there are `count` of them": (
            lambda right, count, step: right(3, step)
        ),
    },
    others={
        "the centre factor is": [
            lambda right, count, step: step ** np.arange(count),
            lambda right, count, step: step ** (np.arange(count) - count / 2),
            lambda right, count, step: step ** np.arange(1, count + 1),
        ],
        "let them rise": lambda right, count, step: right(count, step)[::-1],
    },
)
def examine_scales(answer, rng) -> None:
    """Factors on the search side."""
    for count, step in ((7, 1.1), (5, 1.0255), (3, 1.0375), (1, 1.04)):
        answer.compare(
            (count, step),
            f"for {count} scales the factors",
            (count,),
            tolerance=1e-6,
            named="the factor",
            otherwise=_misordered,
        )


def _corners_aligned(right, response, factor):
    """A mistake: the corner cells' centres stay at the corners."""
    (h, w), large = response.shape, response.shape[0] * factor
    rows = np.linspace(0, h - 1, large, dtype=np.float32)
    columns = np.linspace(0, w - 1, w * factor, dtype=np.float32)
    x, y = np.meshgrid(columns, rows)
    return cv2.remap(response, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@check(
    "search.enlarge",
    reference=siamfc.enlarge,
    mistakes={
        "your enlargement is bilinear: its peak can only lie on one of the 17 cells. Use "
        "cv2.INTER_CUBIC": lambda right, r, n: cv2.resize(r, None, fx=n, fy=n),
        "your enlargement repeats each cell: no finer than before. Use cv2.INTER_CUBIC": (
            lambda right, r, n: np.kron(r, np.ones((n, n)))
        ),
        "your interpolation is not the bicubic one but a longer filter: use cv2.INTER_CUBIC": (
            lambda right, r, n: cv2.resize(r, None, fx=n, fy=n, interpolation=cv2.INTER_LANCZOS4)
        ),
        "height and width are swapped: cv2.resize wants (width, height), a shape is (height, "
        "width)": [
            lambda right, r, n: cv2.resize(
                r, (len(r) * n, r.shape[1] * n), interpolation=cv2.INTER_CUBIC
            ),
            lambda right, r, n: right(r.T.copy(), n),
        ],
        "you enlarge to 272 cells, whatever comes in: each side becomes `factor` times as long": (
            lambda right, r, n: cv2.resize(r, (272, 272), interpolation=cv2.INTER_CUBIC)
        ),
        "you enlarge 16 times, whatever `factor` is": lambda right, r, n: right(r, 16),
        "your corner cells stay on the corners, so everything is stretched: cv2.resize leaves "
        "half a cell at each border": _corners_aligned,
        "your values are divided by the factor; enlarging does not change them": (
            lambda right, r, n: right(r, n) / n
        ),
        "your values are cut off at 0; a response may be negative": (
            lambda right, r, n: right(r, n).clip(0)
        ),
    },
)
def examine_enlarge(answer, rng) -> None:
    """Bicubic enlargement."""
    response = bump(rng)
    for part, factor in ((response[:, :13], 7), (response, 16), (response[:10], 4)):
        shape = (part.shape[0] * factor, part.shape[1] * factor)
        answer.compare((part.copy(), factor), "the enlarged response", shape, tolerance=1e-4)


def _with_factors(choose: Callable[[int, float], np.ndarray]) -> Callable[..., int]:
    """A mistake in the factors on the peaks: (scales, penalty) → factors."""
    return lambda right, r, p: int(np.argmax(r.max(axis=(1, 2)) * choose(len(r), p)))


def _near(count: int, penalty: float, reach: int) -> np.ndarray:
    """The penalty only for scales up to `reach` from the middle, or, if negative, beyond."""
    distance = np.abs(np.arange(count) - count // 2)
    reached = (distance <= reach) if reach > 0 else (distance >= count // 2)
    return np.where((distance > 0) & reached, penalty, 1.0)


def _middle_is_one(count: int, penalty: float) -> np.ndarray:
    factors = np.full(count, penalty)
    factors[1] = 1.0
    return factors


@check(
    "search.choose",
    reference=siamfc.choose_scale,
    mistakes={
        "the penalty changes nothing in your answer: it multiplies every peak but the middle one": [
            lambda right, r, p: right(r, 1.0),
            lambda right, r, p: (p * r.max(axis=(1, 2))).argmax(),
        ],
        "you always choose the middle scale": lambda right, r, p: len(r) // 2,
        "scales are compared by their highest cell, not by their mean": (
            lambda right, r, p: right(r.mean(axis=(1, 2), keepdims=True), p)
        ),
        "index 1 is the middle of three scales only: of S it is S // 2": (
            _with_factors(_middle_is_one)
        ),
        "your factor falls with the distance from the middle; every other scale has the same": (
            _with_factors(lambda n, p: p ** np.abs(np.arange(n) - n // 2))
        ),
        "your penalty favours the other scales: it multiplies their peaks, and leaves the middle "
        "one's alone": [
            _with_factors(lambda n, p: np.where(np.arange(n) == n // 2, p, 1.0)),
            lambda right, r, p: right(r, 1 / p),
        ],
        "only the two neighbours of the middle scale are penalised": (
            _with_factors(lambda n, p: _near(n, p, 1))
        ),
        "only the smallest and the largest scale are penalised": (
            _with_factors(lambda n, p: _near(n, p, -1))
        ),
        "only larger scales are penalised: shrinking must be as hard as growing": (
            _with_factors(lambda n, p: np.where(np.arange(n) > n // 2, p, 1.0))
        ),
        "only smaller scales are penalised: growing must be as hard as shrinking": (
            _with_factors(lambda n, p: np.where(np.arange(n) < n // 2, p, 1.0))
        ),
        "you subtract the penalty; multiply by it": lambda right, r, p: int(
            np.argmax(r.max(axis=(1, 2)) - np.where(np.arange(len(r)) == len(r) // 2, 0, 1 - p))
        ),
        "you penalise by 0.9745, whatever `penalty` is": lambda right, r, p: right(r, 0.9745),
        "you compare normalised responses: after that a peak says how narrow it is, not how high": (
            lambda right, r, p: right(
                np.stack([siamfc.blend_with_window(one, one, 0.0) for one in r]), p
            )
        ),
        "you compare magnitudes; a cell far below 0 is no match at all": (
            lambda right, r, p: right(np.abs(r), p)
        ),
        "you compare the central cells; a target that moved is elsewhere: take each peak": (
            lambda right, r, p: right(r[:, r.shape[1] // 2, r.shape[2] // 2, None, None], p)
        ),
        "you choose the lowest peak": lambda right, r, p: right(
            -r.max(axis=(1, 2), keepdims=True), p
        ),
        "your answer is an index into the whole stack: take the maximum of each response first": (
            lambda right, r, p: r.argmax()
        ),
        "you count scales from the middle one; an index counts from 0": (
            lambda right, r, p: right(r, p) - len(r) // 2
        ),
    },
)
def examine_choose(answer, rng) -> None:
    """Choice of scale with a penalty, for many responses at once."""
    cases = [_responses(rng, count) for count in (5, 3, 7) for _ in range(15)]

    def first_that_differs(given, right) -> str:
        case = int(np.flatnonzero(given != right)[0])
        responses, penalty = cases[case]
        peaks = ", ".join(f"{p:.3f}" for p in responses.max(axis=(1, 2)))
        return (
            f"with peaks {peaks} and penalty {penalty:.3f} you choose scale {given[case]:g}, "
            f"expected {right[case]:g}: every peak but the middle one is multiplied by the penalty"
        )

    def indices(raw) -> np.ndarray:
        return np.array([as_number(index, "the index") for index in raw])

    answer.compare((cases,), "the index", indices, call=each, otherwise=first_that_differs)
    answer.compare(_responses(rng, 1), "with a single scale the index")


def _responses(rng: np.random.Generator, count: int) -> tuple[np.ndarray, float]:
    """Responses whose peaks are nearly equal, and a penalty that may decide between them."""
    while True:
        penalty = float(rng.uniform(0.88, 0.98))
        wanted = rng.uniform(0.9, 1.1, count)
        weighed = np.sort(wanted * np.where(np.arange(count) == count // 2, 1, penalty))
        if count == 1 or weighed[-1] - weighed[-2] > 0.004:
            break
    unit = rng.uniform(0.3, 5)
    stack = []
    for peak in wanted:
        response = bump(rng, 17) - rng.uniform(0, 3)
        below = response.max() - response  # (17, 17), 0 at the peak
        stack.append(unit * (peak - rng.uniform(0.2, 0.6) * below))
    return np.array(stack, dtype=np.float32), penalty
