"""Checks of lesson 11, second part: how large a scale, how fast a margin."""

from __future__ import annotations

import math

from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.compare import as_number, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import margin as margins


@check(
    "margin.scale",
    reference=margins.least_scale,
    mistakes={
        "the others are not at 0 but at −1/(N − 1): the two cosines lie N/(N − 1) apart": (
            lambda right, n, p: right(n, p) * n / (n - 1)
        ),
        "there are N − 1 others, and all of them are in the denominator": (
            lambda right, n, p: (n - 1) / n * math.log(p / (1 - p))
        ),
        "N − 1 others stand in the denominator, not N: the right class is no rival of its own": (
            lambda right, n, p: (n - 1) / n * math.log(n * p / (1 - p))
        ),
        "the factor is the wrong way up: s · N/(N − 1) is the logarithm, so s is (N − 1)/N of it": (
            lambda right, n, p: right(n, p) * (n / (n - 1)) ** 2
        ),
        "that is the logarithm to base 10; e^s asks for the natural one": (
            lambda right, n, p: right(n, p) / math.log(10)
        ),
        "probabilities are swapped: P / (1 − P), not (1 − P) / P": (
            lambda right, n, p: (n - 1) / n * math.log((n - 1) * (1 - p) / p)
        ),
    },
    others={"the scale is": lambda right, n, p: 10.0},
)
def examine_scale(answer, rng) -> None:
    """How large a scale must be."""
    for n, p in ((289, 0.9), (289, 0.99), (10, 0.9), (3, 0.6)):
        named = f"for {n} classes and probability {p} the scale"
        answer.compare((n, p), "the scale", tolerance=1e-4, named=named)


@check(
    "margin.ramp",
    reference=margins.margin_at,
    mistakes={
        "the margin must reach its full value after {ramp:.0%} of the steps; yours still grows "
        "afterwards": lambda right, done, margin, ramp: margin * (done if ramp else 1),
        "during the ramp yours is margin · done, and jumps at its end: divide by the ramp, margin "
        "· done / ramp": lambda right, done, margin, ramp: (
            margin if done >= ramp else margin * done
        ),
        "after the ramp the margin stays at {margin:g}; yours keeps growing": (
            lambda right, done, margin, ramp: margin * done / ramp if ramp else margin
        ),
        "after {done:.0%} of the steps the margin has only begun to grow; yours has its full "
        "value": [
            lambda right, done, margin, ramp: margin,
            lambda right, done, margin, ramp: margin * max(1, done / ramp) if ramp else margin,
        ],
        "that is the fraction of the way, not the margin: multiply by {margin:g}": (
            lambda right, done, margin, ramp: right(done, 1.0, ramp)
        ),
        "yours waits until the ramp is over and then jumps; it should grow along a straight line": (
            lambda right, done, margin, ramp: margin if done >= ramp else 0.0
        ),
        "yours begins to grow when the ramp is over, and ends with training; the ramp is the part "
        "in which it grows": lambda right, done, margin, ramp: (
            margin * max(0.0, done - ramp) / (1 - ramp) if ramp < 1 else 0.0
        ),
        "your margin grows along a curve; it should grow along a straight line": [
            lambda right, done, margin, ramp: right(done, margin, ramp) ** 2 / margin,
            lambda right, done, margin, ramp: (right(done, margin, ramp) * margin) ** 0.5,
            lambda right, done, margin, ramp: (
                (1 - math.cos(math.pi * right(done, 1.0, ramp))) / 2 * margin
            ),
        ],
        "your margin falls; it rises from 0 to its full value": [
            lambda right, done, margin, ramp: margin - right(done, margin, ramp),
            lambda right, done, margin, ramp: (
                margin if done >= ramp else margin - right(done, margin, ramp)
            ),
        ],
        "in the first step the margin is 0; yours begins "
        "higher": lambda right, done, margin, ramp: (right(done, margin, ramp) + margin) / 2,
        "yours rises as fast as the fraction of the way and is cut off at {margin:g}: the line "
        "should reach {margin:g} at the end of the ramp": lambda right, done, margin, ramp: min(
            margin, right(done, 1.0, ramp)
        ),
        "margin and ramp are arguments; one of yours always has the same value": [
            lambda right, done, margin, ramp: right(done, margin, 0.3),
            lambda right, done, margin, ramp: right(done, 0.2, ramp),
        ],
        "your margin is rounded: keep all digits": [
            lambda right, *given: round(right(*given), 2),
            lambda right, *given: round(right(*given), 3),
        ],
    },
    others={
        "without a ramp": lambda right, done, margin, ramp: (
            right(done, margin, ramp) if ramp else 0.0
        ),
        "a ramp of 0 your code divides by zero": lambda right, done, margin, ramp: (
            margin * min(1, done / ramp)
        ),
        "the margin is": lambda right, done, margin, ramp: (
            right(done, margin, ramp) if done >= ramp or ramp == 1 else margin * done / (1 - ramp)
        ),
    },
)
def examine_ramp(answer, rng) -> None:
    """A margin that grows, at all steps at once. No two of the numbers are equal."""
    for margins_and_ramps in (((0.2, 0.3), (0.35, 0.55)), ((0.15, 1.0),)):
        compare_cases(
            answer,
            [
                (done, margin, ramp)
                for margin, ramp in margins_and_ramps
                for done in (0.1, 0.25, 0.3, 0.6, 1.0, 0.0)
            ],
            ("the margin",),
            reads("the margin"),
            lambda done, margin, ramp: f"ramp of {ramp:.0%}, after {done:.0%} of the steps",
            done=lambda done, *_: done,
            margin=lambda done, margin, ramp: margin,
            ramp=lambda done, margin, ramp: ramp,
        )
    try:
        first = as_number(answer(0.0, 0.2, 0.0), "the margin without a ramp")
    except ZeroDivisionError:
        raise Wrong(
            "with a ramp of 0 your code divides by zero: the full margin then applies from the "
            "first step"
        ) from None
    if not same(first, 0.2):
        raise Wrong(
            f"without a ramp the margin in the first step is {first:.4g}, expected 0.2: a ramp of "
            "0 is over at once"
        )
