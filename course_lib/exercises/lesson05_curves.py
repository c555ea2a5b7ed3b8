"""Checks of lesson 05: the learning rate, and a curve that can be read."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart, as_array, as_number
from course_lib.exercises.core import check
from course_lib.training import monitor, step


def _amiss(given, right, steps, start, end) -> str:
    """The message for rates (as logarithms) that are not those of a known mistake."""
    rates = [0.0 if value < -299 else 10**value for value in given]
    about = f"for {steps} steps from {start:g} to {end:g} "
    for place, name in ((0, "first"), (-1, "last")):
        if not np.isclose(given[place], right[place], atol=1e-4):
            is_now, should_be = apart(rates[place], 10 ** right[place])
            return f"{about}the {name} step's rate is {is_now}; expected {should_be}"
    at = int(np.argmax(np.abs(given - right)))
    is_now, should_be = apart(rates[at], 10 ** right[at])
    return (
        f"{about}first and last rate are right, but at step {at} yours is {is_now}, expected "
        f"{should_be}: from each step to the next it should change by the same factor"
    )


def _clipped_between(low, high):
    """Mistakes: rates are kept above, or below, one of the ends."""
    return [
        lambda right, k, n, a, b: max(right(k, n, a, b), low(a, b)),
        lambda right, k, n, a, b: min(right(k, n, a, b), high(a, b)),
        lambda right, k, n, a, b: min(max(right(k, n, a, b), low(a, b)), high(a, b)),
    ]


@check(
    "training.rate",
    reference=step.learning_rate,
    mistakes={
        "your rate changes along a straight line: nearly all steps are large ones. It should "
        "change by the same factor each step": lambda right, k, n, a, b: a + (b - a) * k / (n - 1),
        "your rate changes along a cosine, as in many recipes; here it changes by the same factor "
        "each step": lambda right, k, n, a, b: b + (a - b) * (1 + np.cos(np.pi * k / (n - 1))) / 2,
        "the last step's rate is {last:.3g}, not {case[2]:g}: between {case[0]} steps lie "
        "{between} factors": [
            lambda right, k, n, a, b: right(k, n + 1, a, b),
            lambda right, k, n, a, b: right(k, n + 2, a, b),
        ],
        "you count steps from 1; the first is step 0": [
            lambda right, k, n, a, b: right(k + 1, n + 1, a, b),
            lambda right, k, n, a, b: right(k - 1, n, a, b),
        ],
        "your rate runs from the end to the start: the two are swapped": (
            lambda right, k, n, a, b: right(k, n, b, a)
        ),
        "the factor is (end / start), and yours its inverse: the rate moves away from the end": (
            lambda right, k, n, a, b: a * (a / b) ** (k / (n - 1))
        ),
        "each step multiplies by the whole factor end / start; only all {between} together do": (
            lambda right, k, n, a, b: a * (b / a) ** k
        ),
        "all steps have the same rate, that of one factor: how many have been applied at `step`?": (
            lambda right, k, n, a, b: right(1, n, a, b)
        ),
        "the factor of all steps so far multiplies `start`; yours stands alone, or multiplies the "
        "end": [
            lambda right, k, n, a, b: right(k, n, a, b) / a,
            lambda right, k, n, a, b: right(k, n, a, b) / a * b,
        ],
        "the rate stays at {case[1]:g}: is the fraction of the run rounded to a whole number?": [
            lambda right, k, n, a, b: a * (b / a) ** (k // n),
            lambda right, k, n, a, b: a * (b / a) ** (k // (n - 1)),
        ],
        "a power binds more strongly than a division: put the exponent into brackets": (
            lambda right, k, n, a, b: a * (b / a) ** k / (n - 1)
        ),
        "you multiply where a power is needed: k factors together are the factor to the power k": [
            lambda right, k, n, a, b: a * (b / a) ** (1 / (n - 1)) * k,
            lambda right, k, n, a, b: a * (b / a) * k / (n - 1),
        ],
        "you return the logarithm of the rate": lambda right, k, n, a, b: np.log(right(k, n, a, b)),
        "end may also lie above start, as in a warm-up: do not limit the rate": _clipped_between(
            lambda a, b: b, lambda a, b: a
        ),
    },
    others={
        "the last step's rate": [
            lambda right, k, n, a, b: a * 0.1 ** (k // 20),
            lambda right, k, n, a, b: a * np.exp(-k / (n - 1)),
        ],
        "by the same factor": lambda right, k, n, a, b: a * (b / a) ** ((k / (n - 1)) ** 2),
    },
)
def examine_rate(answer, rng) -> None:
    """Geometric schedule."""
    cases = ((50, 1e-2, 1e-5), (7, 0.3, 0.02), (2, 1e-3, 1e-4), (9, 2e-4, 3e-3))
    compare_arrays(
        answer,
        cases,
        "the logarithm of the rate",
        lambda rates: np.log10(np.maximum(rates, 1e-300)),
        _amiss,
        ask=_backwards,
        tolerance=1e-5,
        last=lambda given, *_: 10 ** given[-1],
        between=lambda given, right, n, *_: n - 1,
    )


def _backwards(function, steps: int, start: float, end: float) -> list[float]:
    """The rates of all steps, asked for from the last to the first: a rate depends on its step
    alone."""
    asked = [as_number(function(k, steps, start, end), "the rate") for k in reversed(range(steps))]
    return asked[::-1]


def _divided_along_the_way(right, losses, factor):
    """The divided value goes on into the next step."""
    average, smoothed = 0.0, []
    for k, loss in enumerate(losses, start=1):
        average = (factor * average + (1 - factor) * loss) / (1 - factor**k)
        smoothed.append(average)
    return smoothed


def _counts(losses) -> np.ndarray:
    """How many losses have come in, 1 … n."""
    return np.arange(1.0, len(losses) + 1)


def _undivided(right, losses, factor):
    return right(losses, factor) * (1 - factor ** _counts(losses))


@check(
    "training.smooth",
    reference=monitor.smooth,
    mistakes={
        "your curve starts at {start:.2f}, the losses at {case[0][0]:.2f}: it is pulled towards "
        "its initial 0. Divide by 1 − factor^k": lambda *given: _undivided(*given),
        "factor and 1 − factor are swapped: a larger factor smooths more": [
            lambda right, losses, factor: right(losses, 1 - factor),
            lambda right, losses, factor: _undivided(right, losses, 1 - factor),
            lambda right, losses, factor: (
                _undivided(right, losses, 1 - factor) / (1 - factor ** _counts(losses))
            ),
        ],
        "you multiply by 1 − factor^k, the total weight of the losses; divide by it": (
            lambda right, losses, factor: (
                right(losses, factor) * (1 - factor ** _counts(losses)) ** 2
            )
        ),
        "a loss may have any value: do not limit it": [
            lambda right, losses, factor: right(np.abs(losses), factor),
            lambda right, losses, factor: right(np.minimum(losses, 2), factor),
            lambda right, losses, factor: right(np.maximum(losses, 0), factor),
        ],
        "the newest loss is missing in your average: it comes in before the curve is recorded": (
            lambda right, losses, factor: (
                _undivided(right, [0, *losses], factor)[:-1] / (1 - factor ** _counts(losses))
            )
        ),
        "you start from the first loss, which then weighs more than any other; start from 0 and "
        "divide by 1 − factor^k": lambda right, losses, factor: list(
            accumulate(losses, lambda value, loss: factor * value + (1 - factor) * loss)
        ),
        "you go on with the divided value: keep the undivided s for the next step": (
            _divided_along_the_way
        ),
        "k is one too small: after the first loss it is 1, and 1 − factor^1 is that loss's "
        "weight": [
            lambda right, losses, factor, first=first: np.array(
                [
                    first * _undivided(right, losses, factor)[0],
                    *_undivided(right, losses, factor)[1:] / (1 - factor ** _counts(losses)[:-1]),
                ]
            )
            for first in (0, 1)
        ],
        "k is one too large: after the first loss it is 1, and 1 − factor^1 is that loss's "
        "weight": (
            lambda right, losses, factor: (
                _undivided(right, losses, factor) / (1 - factor ** np.arange(2, len(losses) + 2))
            )
        ),
        "you divide by 1 − factor every time; after k losses the total weight is 1 − factor^k": (
            lambda right, losses, factor: _undivided(right, losses, factor) / (1 - factor)
        ),
        "a new loss comes in with weight 1 − factor, not 1": lambda right, losses, factor: (
            right(losses, factor) / (1 - factor)
        ),
        "you divide the whole curve by one number; after k losses the total weight is "
        "1 − factor^k": lambda right, losses, factor: (
            _undivided(right, losses, factor) / (1 - factor ** len(losses))
        ),
        "you start from the first loss and divide as well; start from 0": (
            lambda right, losses, factor: (
                right(losses, factor) + losses[0] / (factor ** -np.arange(1.0, len(losses) + 1) - 1)
            )
        ),
        "the total weight of k losses is 1 − factor^k, not 1 − (1 − factor)^k": (
            lambda right, losses, factor: (
                _undivided(right, losses, factor)
                / (1 - (1 - factor) ** np.arange(1, len(losses) + 1))
            )
        ),
        "you average all losses so far alike; the weight of a loss should shrink by `factor` with "
        "each later one": lambda right, losses, factor: (
            np.cumsum(losses) / np.arange(1, len(losses) + 1)
        ),
        "your factor is always 0.9; take `factor`": lambda right, losses, factor: right(
            losses, 0.9
        ),
        "your curve runs backwards: the first loss comes first": lambda right, losses, factor: (
            right(list(losses)[::-1], factor)
        ),
    },
    others={
        "has shape": lambda right, losses, factor: right(losses, factor)[-1:],
        "the smoothed curve at": lambda right, losses, factor: np.convolve(
            losses, np.ones(3) / 3, "same"
        ),
    },
)
def examine_smooth(answer, rng) -> None:
    """Exponential moving average with bias correction."""
    cases = []
    for count, factor in ((30, 0.9), (7, 0.6), (12, 0.97), (1, 0.5), (4, 0.0)):
        losses = rng.uniform(1, 2, count) + rng.choice([0, 0, 0, 3, -4], count)
        cases += [(losses.tolist(), factor), (losses, factor)]
    for some in (cases[:-2], cases[-2:]):  # with a factor of 0 many mistakes divide by 0
        compare_arrays(
            answer,
            some,
            "the smoothed curve",
            lambda given: as_array(given, np.shape(given), "the smoothed curve"),
            _otherwise,
            tolerance=1e-5,
            start=lambda given, *_: float(np.ravel(given)[0]),
        )


def _otherwise(given, right, losses, factor) -> str:
    """The message for a curve of another length; for any other "", so that the place is named."""
    if given.shape == right.shape:
        k = int(np.argmax(np.abs(given - right)))
        is_now, should_be = apart(given[k], right[k])
        return f"the smoothed curve at ({k},) is {is_now}, expected {should_be} (factor {factor:g})"
    return f"the smoothed curve has shape {given.shape}; expected {right.shape}"
