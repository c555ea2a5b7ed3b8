"""Check of lesson 08: the loop of size and search image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart
from course_lib.exercises.core import check


def follow_size(answer: Callable, rate: float, start: float, frames: int) -> np.ndarray:
    """Believed sizes (frames + 1,) as multiples of the true one.

    Args:
        answer: log q to log(found / true).
        rate: how far the size moves to the one found.
        start: the first size.
        frames: how many.
    """
    sizes = [start]
    for _ in range(frames):
        found = np.exp(answer(np.log(sizes[-1])))
        sizes.append((1 - rate) * sizes[-1] + rate * found)
    return np.array(sizes)


def _loop(step: Callable) -> Callable:
    """A mistake in one step: (size, answer, rate, start) → the next size."""

    def followed(right: Callable, answer: Callable, rate: float, start: float, frames: int):
        sizes = [start]
        with np.errstate(all="ignore"):  # a wrong loop may run away
            for _ in range(frames):
                sizes.append(step(sizes[-1], answer, rate, start))
        return np.array(sizes)

    return followed


@check(
    "size.loop",
    reference=follow_size,
    mistakes={
        "`answer` takes log q; you give it q": _loop(
            lambda q, answer, rate, start: (1 - rate) * q + rate * np.exp(answer(q))
        ),
        "`answer` returns a logarithm; the size found is its exponential": _loop(
            lambda q, answer, rate, start: (1 - rate) * q + rate * answer(np.log(q))
        ),
        "the size found is exp(answer(log q)) times the true one, not times the believed one": _loop(
            lambda q, answer, rate, start: (1 - rate) * q + rate * q * np.exp(answer(np.log(q)))
        ),
        "your size jumps to the one found; it should go only the fraction `rate` of the way": _loop(
            lambda q, answer, rate, start: np.exp(answer(np.log(q)))
        ),
        "the rate belongs to the size found, the rest to the last one; yours are swapped": _loop(
            lambda q, answer, rate, start: rate * q + (1 - rate) * np.exp(answer(np.log(q)))
        ),
        "`answer` is asked about the last size; you always ask about the first": _loop(
            lambda q, answer, rate, start: (1 - rate) * q + rate * np.exp(answer(np.log(start)))
        ),
        "each step starts from the last size; yours always starts from the first": _loop(
            lambda q, answer, rate, start: (1 - rate) * start + rate * np.exp(answer(np.log(q)))
        ),
        "you blend the logarithms; the tracker blends the sizes themselves": _loop(
            lambda q, answer, rate, start: q ** (1 - rate) * np.exp(rate * answer(np.log(q)))
        ),
        "the last size keeps its full weight in your sum; it gets 1 − rate": _loop(
            lambda q, answer, rate, start: q + rate * np.exp(answer(np.log(q)))
        ),
        "the first size belongs to the result: frames + 1 numbers": [
            lambda right, *given: right(*given)[1:],
            lambda right, answer, rate, start, frames: right(answer, rate, start, frames - 1),
        ],
        "one step for each frame; you take one too many": (
            lambda right, answer, rate, start, frames: right(answer, rate, start, frames + 1)
        ),
        "the first number is `start`; yours begins at the true size": (
            lambda right, answer, rate, start, frames: right(answer, rate, 1.0, frames)
        ),
        "you return logarithms; expected sizes": lambda right, *given: np.log(right(*given)),
        "a size may become smaller as well as larger": lambda right, *given: np.maximum.accumulate(
            right(*given)
        ),
        "the size is not kept within limits here": [
            lambda right, *given: np.clip(right(*given), 0.5, 2),
            lambda right, *given: np.maximum(right(*given), 1),
        ],
        "your numbers are rounded": lambda right, *given: np.round(right(*given), 2),
    },
)
def examine_loop(answer, rng) -> None:
    """The loop for lines and bent responses, from too small and too large."""
    cases = []
    for start, frames in ((1.0, 12), (2.3, 9), (0.4, 1), (1.3, 30), (0.8, 0)):
        steep, high = (0.6, 0.1) if start > 2 else (0.95, 0.2)  # from there the size always falls
        gain, bias = rng.uniform(0.2, steep), rng.uniform(0.03, high)
        bend = rng.uniform(-0.2, 0.2)

        def respond(x, gain=gain, bias=bias, bend=bend):
            with np.errstate(all="ignore"):  # of infinite sizes, which the message is about
                return gain * x + bias + bend * np.sin(3 * x)

        cases.append((respond, rng.uniform(0.15, 0.9), start, frames))

    def words(given, right, respond, rate, start, frames):
        if given.shape != right.shape:
            return f"your sizes have shape {given.shape}, expected {right.shape}: frames + 1"
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return (
            f"started at {start:g} with a rate of {rate:.2f}, size number {i} is {mine}, "
            f"expected {wanted}"
        )

    compare_arrays(
        answer,
        cases,
        "your sizes",
        lambda given: np.asarray(given, dtype=float),
        words,
    )
