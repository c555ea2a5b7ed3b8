"""Check of lesson 06: the choice of scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import bump, each
from course_lib.trackers import siamfc


def _with_factors(choose: Callable[[int, float], np.ndarray]) -> Callable[..., int]:
    """A mistake in the factors on the peaks: (scales, penalty) → factors."""
    return lambda right, r, p: int(np.argmax(r.max(axis=(1, 2)) * choose(len(r), p)))


def _without(part: Callable[[float], float]) -> Callable[..., int]:
    """A mistake: something is subtracted from every peak but the middle one's, (penalty) → it."""
    return lambda right, r, p: int(
        np.argmax(r.max(axis=(1, 2)) - np.where(np.arange(len(r)) == len(r) // 2, 0, part(p)))
    )


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
        "scales are compared by their highest cell, not by an average of all": [
            lambda right, r, p: right(r.mean(axis=(1, 2), keepdims=True), p),
            lambda right, r, p: right(np.median(r, axis=(1, 2), keepdims=True), p),
        ],
        "you compare how far peaks rise above the rest of their response; compare the peaks": [
            lambda right, r, p: right(r - r.min(axis=(1, 2), keepdims=True), p),
            lambda right, r, p: right(r - r.mean(axis=(1, 2), keepdims=True), p),
        ],
        "index 1 is the middle only for three scales: for S scales it is S // 2": (
            _with_factors(_middle_is_one)
        ),
        "your factor falls with the distance from the middle; all scales but the middle one have "
        "the same": (_with_factors(lambda n, p: p ** np.abs(np.arange(n) - n // 2))),
        "your penalty favours the other scales: it multiplies their peaks, and leaves the middle "
        "one's alone": [
            _with_factors(lambda n, p: np.where(np.arange(n) == n // 2, p, 1.0)),
            lambda right, r, p: right(r, 1 / p),
        ],
        "you penalise only the two neighbours of the middle scale": (
            _with_factors(lambda n, p: _near(n, p, 1))
        ),
        "you penalise only the smallest and the largest scale": (
            _with_factors(lambda n, p: _near(n, p, -1))
        ),
        "you penalise only larger scales: shrinking must be as hard as growing": (
            _with_factors(lambda n, p: np.where(np.arange(n) > n // 2, p, 1.0))
        ),
        "you penalise only smaller scales: growing must be as hard as shrinking": (
            _with_factors(lambda n, p: np.where(np.arange(n) < n // 2, p, 1.0))
        ),
        "you subtract the penalty; multiply by it": [
            _without(lambda p: 1 - p),
            _without(lambda p: p),
        ],
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
        "your answer is an index into the whole stack: take the maximum of each response first": [
            lambda right, r, p: r.argmax(),
            lambda right, r, p: (
                r * np.where(np.arange(len(r)) == len(r) // 2, 1, p)[:, None, None]
            ).argmax(),
        ],
        "you return a peak; its index is asked for": [
            lambda right, r, p: r[right(r, p)].max(),
            lambda right, r, p: r[right(r, p)].max() * (p if right(r, p) != len(r) // 2 else 1),
            lambda right, r, p: r.max(),
        ],
        "your search for the highest starts from 0; peaks may be negative": lambda right, r, p: (
            right(r, p) if r.max() > 0 else 0
        ),
        "your peaks are rounded before they are compared": lambda right, r, p: right(
            np.round(r, 2), p
        ),
        "you count scales from the middle one; an index counts from 0": (
            lambda right, r, p: right(r, p) - len(r) // 2
        ),
    },
)
def examine_choose(answer, rng) -> None:
    """Choice of scale with a penalty, for many responses at once."""
    cases = [_responses(rng, count) for count in (5, 3, 7) for _ in range(15)]
    stack, penalty = _responses(rng, 5)
    stack -= (stack.max(axis=(1, 2)) + [3, 3, 3, 1, 3])[:, None, None]  # not one cell above 0
    cases.append((stack, penalty))

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
    unit = 10 ** rng.uniform(-1.5, 1.5)
    stack = []
    for peak in wanted:
        response = bump(rng, 17) - rng.uniform(0, 3)
        below = response.max() - response  # (17, 17), 0 at the peak
        stack.append(unit * (peak - rng.uniform(0.2, 0.6) * below))
    return np.array(stack, dtype=np.float32), penalty
