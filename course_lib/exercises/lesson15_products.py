"""Check of lesson 15's products of a block in which tokens are removed."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check

# products per token and C²: queries, keys, values; mixing the heads. Per pair of tokens and C: the
# fit of query and key; the share of the value
PARTS = {"into": 3.0, "fits": 1.0, "shares": 1.0, "out": 1.0, "layers": 2.0}


def block_products(before: int, after: int, channels: int, ratio: float) -> float:
    """Products of numbers in one block in which tokens are removed after the attention.

    Args:
        before: tokens of both images that enter it.
        after: tokens that are left for its second half.
        channels: of a token.
        ratio: channels inside the second half, in multiples of `channels`.
    """
    return _products(before, after, channels, ratio)


def _products(before: int, after: int, channels: int, ratio: float, **parts: float) -> float:
    """The same, with some of PARTS changed."""
    p = PARTS | parts
    matrices = (p["into"] + p["out"]) * before * channels**2
    attention = (p["fits"] + p["shares"]) * before**2 * channels
    return matrices + attention + p["layers"] * ratio * after * channels**2


def _with(**parts: float):
    """A mistake: a part counted otherwise."""
    return lambda right, *given: _products(*given, **parts)


@check(
    "deploy.products",
    reference=block_products,
    learns=False,
    mistakes={
        "{about}: tokens are removed *before* the second half, so only those that are left go "
        "through its two layers": lambda right, before, after, c, r: right(before, before, c, r),
        "{about}: this block's attention decides which tokens go, so it is computed for all that "
        "enter; only in the second half is there less to compute": (
            lambda right, before, after, c, r: right(after, after, c, r)
        ),
        "{about}: queries, keys and values are three matrices": _with(into=1.0),
        "{about}: a matrix is missing: W, which mixes what the heads have found": _with(out=0.0),
        "{about}: attention multiplies twice for each pair of tokens and channel: query by key, and "
        "share by value": [_with(fits=0.0), _with(shares=0.0)],
        "{about}: your attention costs nothing; every token that enters meets every other": (
            _with(fits=0.0, shares=0.0)
        ),
        "{about}: every token that enters meets every *other that enters*, not only those that are "
        "left": lambda right, before, after, c, r: (
            right(before, after, c, r) - 2 * before * c * (before - after)
        ),
        "{about}: W is a part of the attention, so every token that enters passes through it, even "
        "those removed afterwards": lambda right, before, after, c, r: (
            right(before, after, c, r) - (before - after) * c**2
        ),
        "{about}: attention grows with the number of tokens squared": (
            lambda right, before, after, c, r: (
                right(before, after, c, r) - 2 * c * before * (before - 1)
            )
        ),
        "{about}: in attention each pair costs C products, not C²: two tokens' channels are "
        "multiplied one by one": lambda right, before, after, c, r: (
            right(before, after, c, r) + 2 * before**2 * (c**2 - c)
        ),
        "{about}: the second half has two layers, C → ratio · C and back": _with(layers=1.0),
        "{about}: ratio counts once: a layer has ratio · C · C weights": (
            lambda right, before, after, c, r: (
                right(before, after, c, r) + 2 * r * (r - 1) * after * c**2
            )
        ),
        "{about}: count products alone; you count the sums as well": (
            lambda right, *given: 2 * right(*given)
        ),
        "{about}: the second half is missing": _with(layers=0.0),
    },
    others={
        "expected": lambda right, *given: right(*given) + 1,
        "should be one number": lambda right, *given: [right(*given)] * 2,
    },
)
def examine_products(answer, rng: np.random.Generator) -> None:
    """Blocks that remove many tokens, few and none."""
    cases = []
    for before, keep in ((320, 0.7), (90, 0.85), (41, 0.5), (17, 1.0)):
        before += int(rng.integers(5))
        after = int(np.ceil(keep * before))
        cases.append((before, after, 4 * int(rng.integers(5, 30)), int(rng.integers(3, 6))))
    compare_cases(answer, cases, ("the number of products",), reads("the products"), _about)


def _about(before, after, channels, ratio) -> str:
    """What a message calls a case."""
    return f"{before} tokens, {after} of them left, {channels} channels, ratio {ratio}"
