"""Checks of lesson 08: the penalty for change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson08 import padded_size
from course_lib.trackers import siamrpn


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


def _factors(boxes, size, k) -> np.ndarray:
    """The penalty (N,) without a lower limit of sizes."""
    with np.errstate(invalid="ignore"):
        return np.exp(-(np.prod(_changes(boxes, size), axis=0) - 1) * k)


def _penalty(exponent: Callable) -> Callable:
    """A mistake in the exponent: (r, s) → what stands for r · s − 1."""
    return lambda right, b, size, k: np.exp(-exponent(*_changes(b, size)) * k)


def _penalty_with(exponent: Callable) -> Callable:
    """A mistake in the whole exponent: (r · s, k) → it."""
    return lambda right, b, size, k: np.exp(exponent(np.prod(_changes(b, size), axis=0), k))


def _by(padded: Callable) -> Callable:
    """A mistake in s: (w, h) → size."""
    return lambda right, b, size, k: np.exp(-(np.prod(_changes(b, size, padded), axis=0) - 1) * k)


def _at_least(limit: float) -> Callable:
    """A mistake: smaller factors count as this."""
    return lambda right, b, size, k: np.maximum(right(b, size, k), limit)


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
        "{same:.2f}, expected 1. The lecture's slide has lost a minus and a − 1: "
        "exp(−(r·s − 1)·k)": _penalty(lambda r, s: -r * s),
        "the more a box changed the higher you rate it: the minus in exp(−(r·s − 1)·k) is "
        "missing": (_penalty(lambda r, s: 1 - r * s)),
        "a box that did not change gets {same:.2f}; no change, no penalty: r·s − 1 in the "
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
        "the size in s is a length; the root of (w + p)(h + p) is missing": _by(
            lambda w, h: padded_size(w, h) ** 2
        ),
        "you compare widths with widths and heights with heights; r compares w / h, s the padded "
        "size": lambda right, b, size, k: np.exp(
            -(np.prod(siamrpn.change(b[:, 2:] / size), axis=1) - 1) * k
        ),
        "width and height are swapped, in `size` or in the boxes: (w, h) is the order in both": (
            lambda right, b, size, k: right(b, size[::-1], k)
        ),
        "boxes are x, y, w, h: a width is boxes[:, 2] as it is, not boxes[:, 2] − boxes[:, 0]": (
            lambda right, b, size, k: _factors(np.c_[b[:, :2], b[:, 2:] - b[:, :2]], size, k)
        ),
        "the last size is `size`; you compare with the first box": (
            lambda right, b, size, k: right(b, b[0, 2:], k)
        ),
        "r is compared with the last ratio, size[0] / size[1]; yours with 1, as if the target were "
        "square": lambda right, b, size, k: np.exp(
            -(siamrpn.change(b[:, 2] / b[:, 3]) * _changes(b, size)[1] - 1) * k
        ),
        "boxes[:, 0] and boxes[:, 1] are positions; the sizes are boxes[:, 2] and boxes[:, 3]": (
            lambda right, b, size, k: right(b[:, [2, 3, 0, 1]], size, k)
        ),
        "k is missing in your exponent": lambda right, b, size, k: right(b, size, 1.0),
        "k belongs in the exponent: exp(−(r·s − 1)·k); yours multiplies the exponential": (
            lambda right, b, size, k: right(b, size, 1.0) * k
        ),
        "the bracket around r·s − 1 is missing, or in the wrong place: −(r·s − 1)·k": [
            _penalty_with(lambda change, k: -change - k),
            _penalty_with(lambda change, k: -change * k - 1),
            _penalty_with(lambda change, k: -(change - k)),
        ],
        "k is an argument: use it as it is given, even where it is 0 or large": [
            lambda right, b, size, k: right(b, size, min(k, 1)),
            lambda right, b, size, k: right(b, size, k) * (k > 0),
            lambda right, b, size, k: right(b, size, 0.16),
        ],
        "a factor may be very close to 0; yours has a lower limit": [
            _at_least(limit) for limit in (0.1, 0.01, 0.001)
        ],
        "your factors are divided by the largest; a factor depends on its own box alone": (
            lambda right, b, size, k: right(b, size, k) / right(b, size, k).max()
        ),
        "your factors are divided by their sum; a factor depends on its own box alone": (
            lambda right, b, size, k: right(b, size, k) / right(b, size, k).sum()
        ),
        "boxes are compared at the size they have; yours are rounded or enlarged first": [
            lambda right, b, size, k: right(np.maximum(b, 10), size, k),
            lambda right, b, size, k: right(np.round(b), size, k),
            lambda right, b, size, k: right(np.floor(b), size, k),
        ],
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
    """Penalty for a change of size and shape, of boxes that are larger, smaller, wider, taller:
    with one that did not change, without, of tiny boxes, for a large k and for none."""
    cases = [
        _case(rng, 0.16, rng.uniform(30, 45, 2) + [30, 0]),  # wider than high
        _case(rng, 0.45, rng.uniform(30, 45, 2) + [0, 30], unchanged=False),
        _case(rng, 2.5, rng.uniform(5, 7, 2) + [2, 0], unchanged=False),
        _case(rng, 0.0, rng.uniform(30, 45, 2)),
    ]

    def words(given, right, boxes, size, k):
        i = int(np.nan_to_num(np.abs(given - right), nan=np.inf).argmax())
        mine, wanted = apart(given[i], right[i])
        wide, high = boxes[i, 2:] / size
        return (
            f"the penalty of box {i}, {wide:.2f} times as wide and {high:.2f} times as high as the "
            f"last one, is {mine}, expected {wanted} for k = {k}"
        )

    compare_arrays(
        answer,
        cases,
        "your result",
        np.asarray,
        words,
        ask=lambda f, boxes, *rest: as_array(
            f(boxes, *rest), (len(boxes),), "your result", allow_nan=True
        ),
        same=lambda given, right, *case: given[right.argmax()],
    )


def _case(rng: np.random.Generator, k: float, size: np.ndarray, unchanged: bool = True) -> tuple:
    """Boxes (N, 4) in random order, a last size (2,) and k.

    Args:
        rng: of the boxes.
        k: strength of the penalty.
        size: of the target, (2,).
        unchanged: whether one of the boxes has that size.
    """
    factors = rng.uniform(1.2, 2.0, (4, 2)) ** [[1, 1], [-1, -1], [1, -1], [-1, 1]]
    factors = np.concatenate(
        [np.ones((int(unchanged), 2)), factors, [[2.4, 0.4]], rng.uniform(0.4, 2.5, (4, 2))]
    )
    boxes = np.concatenate([rng.uniform(5, 200, factors.shape), size * factors], 1)
    return rng.permutation(boxes), size, np.float64(k)  # 1 / k is infinite at 0, no error
