"""Checks of lesson 08: change, penalty, re-ranking, smoothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry.windows import context_side
from course_lib.trackers import siamrpn


def padded_size(w: np.ndarray, h: np.ndarray) -> np.ndarray:
    """`context_side` of widths and heights (N,)."""
    return context_side(np.stack([w, h], axis=-1))


def _each(n: int, what: str) -> Callable[[Any], np.ndarray]:
    """Reads an array (n,); raises Wrong if it is a single number instead."""

    def read(value: Any) -> np.ndarray:
        if isinstance(value, (int, float, np.generic)):
            raise Wrong(f"{what} is one number; expected {n}, one for each of those it was given")
        return as_array(value, (n,), what)

    return read


def _sized(p: Callable) -> Callable:
    """A mistake in the margin: (w, h) → p."""
    return lambda right, w, h: np.sqrt((w + p(w, h)) * (h + p(w, h)))


@check(
    "choose.padded_size",
    reference=padded_size,
    mistakes={
        "your size is √(w·h), without the context: p = (w + h) / 2 goes to each of them": _sized(
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
        "p belongs inside the root, with w and with h: √((w + p)(h + p))": (
            lambda right, w, h: np.sqrt(w * h) + (w + h) / 2
        ),
        "your size is a mean of the two sides; it is the root of their product, which keeps its "
        "value when a thin box turns": [
            lambda right, w, h: w + h,
            lambda right, w, h: (w + h) / 2,
        ],
    },
    others={"where w and h are two numbers": lambda right, w, h: right(w[:], h[:])},
)
def examine_padded_size(answer, rng) -> None:
    """Size with context, of many boxes and of one."""
    w, h = rng.uniform(20, 100, (2, 5))
    answer.compare((w, h), "your result", (5,))
    try:
        answer.compare((w[0], h[0]), "your size of one box")
    except (TypeError, IndexError, AttributeError) as problem:
        raise Wrong(
            f"where w and h are two numbers, your function stops with {type(problem).__name__}: "
            f"{problem}"
        ) from None


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
    },
    others={
        "is one number": [lambda right, r: np.max(right(r)), lambda right, r: np.max(r)],
    },
)
def examine_change(answer, rng) -> None:
    """Change, the same for twice as large and half as large."""
    ratios = np.concatenate([[0.25, 0.5, 1.0, 2.0, 4.0], rng.uniform(0.2, 5, 4)])
    read = _each(9, "your change")
    answer.compare((ratios,), "your result", read, unchanged=lambda given: given[2])


def _changes(boxes, size, padded=padded_size) -> tuple[np.ndarray, np.ndarray]:
    """Change of the ratio and of the size, (N,) each, from `size` (2,) to boxes (N, 4).

    Args:
        boxes: (N, 4).
        size: (2,) w, h.
        padded: (w, h) → size.
    """
    w, h = boxes[:, 2], boxes[:, 3]
    ratio = siamrpn.change((size[0] / size[1]) / (w / h))
    return ratio, siamrpn.change(padded(w, h) / padded(*size))


def _penalty(exponent: Callable) -> Callable:
    """A mistake in the exponent: (r, s) → what stands for r · s − 1."""
    return lambda right, b, size, k: np.exp(-exponent(*_changes(b, size)) * k)


def _by(padded: Callable) -> Callable:
    """A mistake in s: (w, h) → size."""
    return lambda right, b, size, k: np.exp(-(np.prod(_changes(b, size, padded), axis=0) - 1) * k)


def _unchanged(ratio: int, size: int, together: bool = False) -> Callable:
    """A mistake: what should be a change is a ratio as it is.

    Args:
        ratio: power of (w / h) / (last w / last h) that stands for r; 0 for its change.
        size: power of the ratio of the padded sizes that stands for s; 0 for its change.
        together: whether the change of the product is taken.
    """

    def code(right, b, size_before, k):
        changed = _changes(b, size_before)
        with_sign = (
            b[:, 2] / b[:, 3] / (size_before[0] / size_before[1]),
            padded_size(b[:, 2], b[:, 3]) / padded_size(*size_before),
        )
        powers = zip((ratio, size), changed, with_sign, strict=True)
        product = np.prod([q**power if power else c for power, c, q in powers], axis=0)
        return np.exp(-((siamrpn.change(product) if together else product) - 1) * k)

    return code


@check(
    "choose.penalty",
    reference=siamrpn.change_penalty,
    mistakes={
        "the more a box changed the higher you rate it: a box of the last size gets "
        "{given[0]:.2f}, expected 1. The lecture's slide has lost a minus and a − 1: "
        "exp(−(r·s − 1)·k)": _penalty(lambda r, s: -r * s),
        "the more a box changed the higher you rate it: the minus in exp(−(r·s − 1)·k) is missing": (
            _penalty(lambda r, s: 1 - r * s)
        ),
        "a box that did not change gets {given[0]:.2f}; no change, no penalty: r·s − 1 in the "
        "exponent": _penalty(lambda r, s: r * s),
        "only the size counts in your penalty; the ratio w / h does too": _penalty(
            lambda r, s: s - 1
        ),
        "only the ratio counts in your penalty; the size does too": _penalty(lambda r, s: r - 1),
        "the two changes are multiplied, not added": [
            _penalty(lambda r, s: r + s - 2),
            _penalty(lambda r, s: r + s - 1),
        ],
        "the exponent has r·s − 1, not (r − 1)·(s − 1): a box that changes only in one of them "
        "must pay too": _penalty(lambda r, s: (r - 1) * (s - 1)),
        "your s is not a change: it should be the same for a box that grew and one that shrank by "
        "the same factor, and at least 1": [_unchanged(0, 1), _unchanged(0, -1)],
        "your r is not a change: it should be the same for a box that got wider and one that got "
        "narrower by the same factor, and at least 1": [_unchanged(1, 0), _unchanged(-1, 0)],
        "neither of your two ratios is a change: change(…) makes each at least 1": [
            _unchanged(1, 1),
            _unchanged(1, -1),
            _unchanged(-1, 1),
            _unchanged(-1, -1),
        ],
        "change(r · s) of the product lets a narrower box make up for a larger one; it is "
        "change(…) · change(…)": [_unchanged(1, 1, True), _unchanged(1, -1, True)],
        "the size in s is the padded one, and yours has no padding": _by(
            lambda w, h: np.sqrt(w * h)
        ),
        "the size in s is a length, the padded one; yours is an area, w · h": _by(
            lambda w, h: w * h
        ),
        "the size in s is a length; the root over (w + p)(h + p) is missing": _by(
            lambda w, h: padded_size(w, h) ** 2
        ),
        "you compare widths with widths and heights with heights; r compares w / h, s the padded "
        "size": lambda right, b, size, k: np.exp(
            -(np.prod(siamrpn.change(b[:, 2:] / size), axis=1) - 1) * k
        ),
        "width and height of `size` are swapped: it is (w, h), like the last two of a box": (
            lambda right, b, size, k: right(b, size[::-1], k)
        ),
        "boxes[:, 0] and boxes[:, 1] are places; the sizes are boxes[:, 2] and boxes[:, 3]": (
            lambda right, b, size, k: right(b[:, [2, 3, 0, 1]], size, k)
        ),
        "k is missing in your exponent": lambda right, b, size, k: right(b, size, 1.0),
        "k multiplies r·s − 1; you divide by it": lambda right, b, size, k: right(b, size, 1 / k),
        "you return the exponent; the factor is exp of it": lambda right, b, size, k: np.log(
            right(b, size, k)
        ),
    },
    others={
        "the penalty of box": lambda right, b, size, k: right(b, size, k) ** 2,
    },
)
def examine_penalty(answer, rng) -> None:
    """Penalty for a change of size and shape, of boxes that are larger, smaller, wider, taller."""
    for k in (0.16, 0.45):
        size = rng.uniform(30, 45, 2) + [30, 0]  # wider than high
        factors = rng.uniform(1.2, 2.0, (4, 2)) ** [[1, 1], [-1, -1], [1, -1], [-1, 1]]
        sizes = size * np.concatenate([[[1, 1]], factors, rng.uniform(0.4, 2.5, (4, 2))])
        boxes = np.concatenate([rng.uniform(5, 200, (9, 2)), sizes], 1)

        def words(given, right, factors=sizes / size):
            i = int(np.abs(given - right).argmax())
            mine, wanted = apart(given[i], right[i])
            return (
                f"the penalty of box {i}, {factors[i, 0]:.2f} times as wide and "
                f"{factors[i, 1]:.2f} times as high as the last one, is {mine}, expected {wanted}"
            )

        answer.compare((boxes, size, k), "your result", (9,), otherwise=words)


@check(
    "choose.rerank",
    reference=siamrpn.rerank,
    mistakes={
        "the influence is on the wrong term: it weights the window, the rest the penalised score": (
            lambda right, score, p, w, i: right(score, p, w, 1 - i)
        ),
        "the penalties are missing": lambda right, score, p, w, i: right(score, 1, w, i),
        "the scores are missing": lambda right, score, p, w, i: right(1, p, w, i),
        "you multiply by the window: then nothing at the border can ever win. Add it with its "
        "influence": [
            lambda right, score, p, w, i: p * score * w,
            lambda right, score, p, w, i: (1 - i) * p * score * w,
            lambda right, score, p, w, i: (1 - i) * p * score * i * w,
            lambda right, score, p, w, i: p * score * ((1 - i) + i * w),
        ],
        "the penalty is a factor on the score, not on the window": (
            lambda right, score, p, w, i: right(score, 1, p * w, i)
        ),
        "the penalty is a factor on both of your terms; the window has none": (
            lambda right, score, p, w, i: right(score, p, p * w, i)
        ),
        "the score keeps its full weight; it gets 1 − influence": (
            lambda right, score, p, w, i: p * score + i * w
        ),
        "your window keeps its full weight; it gets the influence": (
            lambda right, score, p, w, i: (1 - i) * p * score + w
        ),
        "the influence is missing: it weights the window, 1 − influence the penalised score": (
            lambda right, score, p, w, i: p * score + w
        ),
        "the window is missing": [
            lambda right, score, p, w, i: right(score, p, 0, i),
            lambda right, score, p, w, i: p * score,
        ],
        "your penalties are added to the scores; they are factors": (
            lambda right, score, p, w, i: (1 - i) * (score + p) + i * w
        ),
        "you divide the scores by the penalties; they are factors": (
            lambda right, score, p, w, i: right(score, 1 / p, w, i)
        ),
        "here the window is not normalised; its sum, or its peak, stays as it is": [
            lambda right, score, p, w, i: right(score, p, w / w.sum(), i),
            lambda right, score, p, w, i: right(score, p, w / w.max(), i),
        ],
        "here the scores are not normalised: they are probabilities": [
            lambda right, score, p, w, i: right(score / score.max(), p, w, i),
            lambda right, score, p, w, i: right((p * score) / (p * score).max(), 1, w, i),
            lambda right, score, p, w, i: right((p * score) / (p * score).sum(), 1, w, i),
            lambda right, score, p, w, i: right(score - score.min(), p, w, i),
        ],
    },
    others={
        "is one number": [
            lambda right, *given: np.argmax(right(*given)),
            lambda right, *given: np.max(right(*given)),
        ],
    },
)
def examine_rerank(answer, rng) -> None:
    """Scores, penalties and window together."""
    for influence in (0.4, 0.15):
        inputs = (*rng.uniform(0.05, 0.95, (3, 9)), influence)
        answer.compare(inputs, "your ranking", _each(9, "your ranking"))


@check(
    "choose.smooth",
    reference=siamrpn.smooth_size,
    mistakes={
        "an uncertain proposal moves your size as far as a certain one: the fraction is certainty "
        "· rate": lambda right, last, found, certainty, rate: right(last, found, 1.0, rate),
        "your rate is missing: the fraction is certainty · rate": (
            lambda right, last, found, certainty, rate: right(last, found, certainty, 1.0)
        ),
        "the size jumps to the proposal's; it should move there by the fraction certainty · rate": (
            lambda right, last, found, certainty, rate: found
        ),
        "the size stays; it should move to the proposal's by the fraction certainty · rate": (
            lambda right, last, found, certainty, rate: last
        ),
        "the fraction belongs to the new size, the rest to the old; yours are swapped": (
            lambda right, last, found, *given: right(found, last, *given)
        ),
        "the old size keeps its full weight in your sum; it gets 1 − fraction": (
            lambda right, last, found, certainty, rate: last + certainty * rate * found
        ),
        "the weights of your two sizes do not add up to 1: where the new one gets certainty · "
        "rate, the old one gets 1 − certainty · rate": [
            lambda right, last, found, certainty, rate: (
                (1 - rate) * last + certainty * rate * found
            ),
            lambda right, last, found, certainty, rate: (
                (1 - certainty) * last + certainty * rate * found
            ),
        ],
        "the certainty belongs into the fraction on both sides: certainty · rate for the new size, "
        "1 − certainty · rate for the old": lambda right, last, found, certainty, rate: (
            (1 - certainty * rate) * last + rate * found
        ),
        "your fraction is a sum; it is the product certainty · rate": (
            lambda right, last, found, certainty, rate: right(last, found, certainty + rate, 1.0)
        ),
        "your size moves away from the proposal's": (
            lambda right, last, found, certainty, rate: right(last, found, certainty, -rate)
        ),
        "you blend the logarithms; here the sizes themselves are blended": (
            lambda right, last, found, *given: np.exp(right(np.log(last), np.log(found), *given))
        ),
        "your size is rounded; keep it exact, or small steps never add up": (
            lambda right, *given: np.round(right(*given))
        ),
    },
)
def examine_smooth(answer, rng) -> None:
    """Size smoothing that trusts certain proposals more."""
    for _ in range(3):
        last = rng.uniform(30, 60, 2)
        found = last * rng.uniform(1.1, 1.6, 2) ** [1, -1]
        certainty, rate = rng.uniform(0.1, 0.45), rng.uniform(0.5, 0.9)
        answer.compare((last, found, certainty, rate), "your size", (2,))
