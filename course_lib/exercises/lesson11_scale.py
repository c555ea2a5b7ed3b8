"""Checks of lesson 11, second part: how large a scale, how fast a margin."""

from __future__ import annotations

import math

from course_lib.exercises.core import check
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
        "the margin must reach its full value after {2:.0%} of the steps; yours still grows "
        "afterwards": lambda right, done, margin, ramp: margin * (done if ramp else 1),
        "after the ramp the margin stays at {1:g}; yours keeps growing": (
            lambda right, done, margin, ramp: margin * done / ramp if ramp else margin
        ),
        "after {0:.0%} of the steps the margin has only begun to grow; yours has its full value": (
            lambda right, done, margin, ramp: margin
        ),
        "that is the fraction of the way, not the margin: multiply by {1:g}": (
            lambda right, done, margin, ramp: right(done, 1.0, ramp)
        ),
        "yours waits until the ramp is over and then jumps; it should grow along a straight line": (
            lambda right, done, margin, ramp: margin if done >= ramp else 0.0
        ),
        "your margin grows along a curve; it should grow along a straight line": [
            lambda right, done, margin, ramp: right(done, margin, ramp) ** 2 / margin,
            lambda right, done, margin, ramp: (right(done, margin, ramp) * margin) ** 0.5,
        ],
    },
    others={
        "without a ramp": lambda right, done, margin, ramp: (
            right(done, margin, ramp) if ramp else 0.0
        ),
    },
)
def examine_ramp(answer, rng) -> None:
    """A margin that grows. No two of the numbers are equal."""
    for margin, ramp in ((0.2, 0.3), (0.35, 0.5), (0.15, 1.0)):
        for done in (0.1, 0.25, 0.3, 0.6, 1.0, 0.0):
            what = f"the margin after {done:.0%} of the steps"
            named = f"with a ramp of {ramp:.0%}, after {done:.0%} of the steps the margin"
            answer.compare((done, margin, ramp), what, named=named)
    named = "without a ramp the margin in the first step"
    answer.compare((0.0, 0.2, 0.0), "the margin without a ramp", named=named)
