"""Checks of lesson 08: sizes with context, change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry.windows import context_side
from course_lib.trackers import siamrpn


def padded_size(w: np.ndarray, h: np.ndarray) -> np.ndarray:
    """`context_side` of widths and heights (N,)."""
    return context_side(np.stack([w, h], axis=-1))


def each(n: int, what: str) -> Callable[[Any], np.ndarray]:
    """Reads an array (n,); raises Wrong if it is a single number instead."""

    def read(value: Any) -> np.ndarray:
        if isinstance(value, (int, float, np.generic)):
            raise Wrong(f"{what} is one number; expected {n}, one for each entry of the input")
        return as_array(value, (n,), what)

    return read


def _sized(p: Callable) -> Callable:
    """A mistake in the margin: (w, h) → p."""
    return lambda right, w, h: np.sqrt((w + p(w, h)) * (h + p(w, h)))


@check(
    "choose.padded_size",
    reference=padded_size,
    mistakes={
        "your size is √(w·h), without the context: add p = (w + h) / 2 to each of w and h": _sized(
            lambda w, h: 0
        ),
        "your size is an area; take the square root": lambda right, w, h: right(w, h) ** 2,
        "your p is (w + h) / 4; it is (w + h) / 2": _sized(lambda w, h: (w + h) / 4),
        "your p is w + h; it is half of that": _sized(lambda w, h: w + h),
        "your p is rounded down, // 2; it is (w + h) / 2": _sized(lambda w, h: (w + h) // 2),
        "your p is √(w·h); it is (w + h) / 2": _sized(lambda w, h: np.sqrt(w * h)),
        "p goes to the width and to the height: (w + p)(h + p)": [
            lambda right, w, h: np.sqrt((w + (w + h) / 2) * h),
            lambda right, w, h: np.sqrt(w * (h + (w + h) / 2)),
            lambda right, w, h: np.sqrt(w * h + (w + h) / 2),
        ],
        "p is (w + h) / 2 of the width and height that were given; yours uses a width that "
        "has grown already": lambda right, w, h: np.sqrt(
            (w + (w + h) / 2) * (h + (w + (w + h) / 2 + h) / 2)
        ),
        "p is the mean of width and height, not the larger or the smaller of them": [
            _sized(np.maximum),
            _sized(np.minimum),
        ],
        "both width and height count: (w + p)(h + p); yours uses one of them twice": [
            lambda right, w, h: w + (w + h) / 2,
            lambda right, w, h: h + (w + h) / 2,
        ],
        "each box has its own p; yours is a mean over all boxes": _sized(
            lambda w, h: (np.mean(w) + np.mean(h)) / 2
        ),
        "the size of a small box may be small; yours has a lower limit": (
            lambda right, w, h: np.maximum(right(w, h), 10)
        ),
        "p belongs inside the root, with w and with h: √((w + p)(h + p))": (
            lambda right, w, h: np.sqrt(w * h) + (w + h) / 2
        ),
        "your size is a mean of the two sides; it is the root of the product of both, with p added "
        "to each": [
            lambda right, w, h: w + h,
            lambda right, w, h: (w + h) / 2,
        ],
    },
    others={"where w and h are two numbers": lambda right, w, h: right(w[:], h[:])},
)
def examine_padded_size(answer, rng) -> None:
    """Size with context, of many boxes, some of them tiny, and of one."""
    w, h = rng.uniform(20, 100, (2, 5))
    w[3:], h[3:] = rng.uniform(0.5, 3, (2, 2))
    for inputs, shape, what, those in (
        ((w, h), (5,), "your result", "arrays"),
        ((w[0], h[0]), None, "your size of one box", "two numbers"),
    ):
        try:
            answer.compare(inputs, what, shape)
        except (TypeError, IndexError, AttributeError) as problem:
            raise Wrong(
                f"where w and h are {those}, your function stops with {type(problem).__name__}: "
                f"{problem}"
            ) from None


def _ask_for_changes(f: Callable, ratios: np.ndarray) -> np.ndarray:
    """The changes (N,) that f finds."""
    try:
        return each(len(ratios), "your change")(f(ratios))
    except ValueError as problem:
        if "truth value" not in str(problem):
            raise
        raise Wrong(
            "an array as a whole is neither larger nor smaller than another, so `max`, `if` and "
            f"`and` cannot decide ({problem}); np.maximum and np.where decide number by number"
        ) from None


def _up_to(limit: float) -> Callable:
    """A mistake: changes larger than this count as this."""
    return lambda right, r: np.minimum(right(r), limit)


@check(
    "choose.change",
    reference=siamrpn.change,
    mistakes={
        "a target that halves changed as much as one that doubles: take the larger of r and 1 / "
        "r": lambda right, r: r,
        "your change is upside down: 2 means twice as large": lambda right, r: 1 / r,
        "you take the smaller of r and 1 / r; a change is at least 1": lambda right, r: (
            1 / right(r)
        ),
        "a target that halves gets 1, as if it had not changed; it gets 2, like one that doubles": (
            lambda right, r: np.maximum(r, 1)
        ),
        "a target that doubles gets 1, as if it had not changed; it gets 2, like one that halves": (
            lambda right, r: np.maximum(1 / r, 1)
        ),
        "a box that did not change should get 1; yours gets {unchanged:g}": [
            lambda right, r: np.abs(np.log(r)),
            lambda right, r: np.abs(r - 1),
            lambda right, r: right(r) - 1,
            lambda right, r: r + 1 / r,
            lambda right, r: np.abs(r - 1 / r),
        ],
        "halved gets 1.5, doubled gets 2; the larger of r and 1 / r is 2 for both": (
            lambda right, r: 1 + np.abs(r - 1)
        ),
        "your change is squared": lambda right, r: right(r) ** 2,
        "your change is a root; it is the larger of r and 1 / r itself": (
            lambda right, r: np.sqrt(right(r))
        ),
        "your change grows with the logarithm; it is the larger of r and 1 / r itself": (
            lambda right, r: 1 + np.abs(np.log(r))
        ),
        "your change is a mean of r and 1 / r; it is the larger of the two": (
            lambda right, r: (r + 1 / r) / 2
        ),
        "you invert the ratios of all boxes, or none; each is inverted only if it is below 1": [
            lambda right, r: r if (r >= 1).all() else 1 / r,
            lambda right, r: 1 / r if (r <= 1).all() else r,
            lambda right, r: r if r[0] >= 1 else 1 / r,
            lambda right, r: r if r.mean() >= 1 else 1 / r,
        ],
        "your change has an upper limit; a box may change by any factor": [
            _up_to(limit) for limit in (4, 5, 10, 100)
        ],
        "your changes are not in the order of the ratios you were given": (
            lambda right, r: np.sort(right(r))
        ),
        "your change is rounded": [
            lambda right, r: np.round(right(r), 2),
            lambda right, r: np.maximum(r, 1 // r),
        ],
    },
    others={
        "is one number": [lambda right, r: np.max(right(r)), lambda right, r: np.max(r)],
        "decide number by number": lambda right, r: max(r, 1 / r),
    },
)
def examine_change(answer, rng) -> None:
    """Change, the same for twice as large and half as large; small changes and large ones."""
    mixed = np.concatenate([[0.25, 0.5, 0.8, 1.0, 2.0, 4.0], rng.uniform(0.2, 5, 4)])
    shrunk, grown = rng.uniform(0.5, 0.99, 3), rng.uniform(1.01, 2, 2)
    cases = [
        (rng.permutation(mixed),),
        (shrunk,),
        (grown,),
        (np.concatenate([grown, shrunk]),),
        (np.array([3000.0, 0.002]),),
    ]

    def words(given, right, ratios):
        i = int(np.abs(given - right).argmax())
        mine, wanted = apart(given[i], right[i])
        return f"the change of a ratio of {ratios[i]:.4g} is {mine}, expected {wanted}"

    compare_arrays(
        answer,
        cases,
        "your change",
        np.asarray,
        words,
        ask=_ask_for_changes,
        unchanged=lambda given, right, ratios: given[right.argmin()],
    )
