"""Draws of two frames that are nearly right, and a patient generator, for their check."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.mistakes import Codes
from course_lib.exercises.words import Wrong


def _within(valid: np.ndarray, first: int, gap: int) -> np.ndarray:
    """The other frames within reach."""
    return valid[(np.abs(valid - first) <= gap) & (valid != first)]


def _neighbouring(right, rng, valid, gap):
    """The frame before or after."""
    i = int(rng.integers(len(valid)))
    reach = _within(np.arange(len(valid)), i, 1)
    near = [j for j in reach if abs(valid[j] - valid[i]) <= gap]
    return valid[i], valid[rng.choice(near)] if near else valid[i]


def _later(right, rng, valid, gap):
    """Only frames that follow; the last frame has none and is not drawn."""
    firsts = [f for f in valid if ((valid > f) & (valid <= f + gap)).any()] or [valid[0]]
    first = rng.choice(firsts)
    near = valid[(valid > first) & (valid <= first + gap)]
    return first, rng.choice(near) if len(near) else first


def _second_first(right, rng, valid, gap):
    """Drawn in the other order."""
    return right(rng, valid, gap)[::-1]


def _counted_in_list(right, rng, valid, gap):
    """`gap` places of the list in place of frames."""
    i, j = right(rng, np.arange(len(valid)), gap)
    return valid[i], valid[j]


def _nearest_to_an_offset(right, rng, valid, gap):
    """A random distance, and the frame that is nearest to it."""
    first = rng.choice(valid)
    near = _within(valid, first, gap)
    if not len(near):
        return first, first
    return first, near[np.abs(near - first - rng.integers(-gap, gap + 1)).argmin()]


def _chosen(choose):
    """A mistake: the second is choose(rng, near, first) of the frames within reach."""

    def code(right, rng, valid, gap):
        first = rng.choice(valid)
        near = _within(valid, first, gap)
        return first, choose(rng, near, first) if len(near) else first

    return code


def _side_first(right, rng, valid, gap):
    """Before or after is decided first, then the frame."""
    first = rng.choice(valid)
    near = _within(valid, first, gap)
    sides = [side for side in (near[near < first], near[near > first]) if len(side)]
    return first, rng.choice(sides[rng.integers(len(sides))]) if sides else first


def _pairs_alike(right, rng, valid, gap):
    """All ordered pairs equally likely, so that a frame with many neighbours comes up often."""
    pairs = [(a, b) for a in valid for b in _within(valid, a, gap)]
    return pairs[rng.integers(len(pairs))] if pairs else (rng.choice(valid),) * 2


def _lonely(instead):
    """A mistake: instead(rng, valid, first) where no other frame is within reach."""

    def code(right, rng, valid, gap):
        first, second = right(rng, valid, gap)
        return (first, second) if first != second else instead(rng, valid, first)

    return code


def _central_first(right, rng, valid, gap):
    """Frames in the middle of the video come first more often."""
    weights = np.where(np.abs(np.arange(len(valid)) - (len(valid) - 1) / 2) < 3, 8.0, 1.0)
    first = rng.choice(valid, p=weights / weights.sum())
    near = _within(valid, first, gap)
    return first, rng.choice(near) if len(near) else first


class Patient(np.random.Generator):
    """A generator for answers that draw until they like what they get: it ends an endless loop."""

    DRAWS = 2000

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))
        self.left = self.DRAWS

    def __getattribute__(self, name: str):
        if name in ("choice", "integers", "random", "uniform", "permutation", "permuted"):
            self.left -= 1
            if self.left < 0:
                raise Wrong(f"it still draws after {self.DRAWS:,} tries")
        return super().__getattribute__(name)


MISTAKES: dict[str, Codes] = {
    "you always take a neighbouring frame; draw among all that are at most `gap` away": [
        _neighbouring,
        _chosen(lambda rng, near, first: near[np.abs(near - first).argmin()]),
    ],
    "you always take the frame that is furthest away; draw among all within reach": _chosen(
        lambda rng, near, first: near[np.abs(near - first).argmax()]
    ),
    "your second frame depends on how far it is from the first; all within reach are equally "
    "likely": [
        _chosen(
            lambda rng, near, first: rng.choice(
                near, p=np.abs(near - first) / np.abs(near - first).sum()
            )
        ),
        _nearest_to_an_offset,
    ],
}

OTHERS: dict[str, Codes] = {
    "both frames are": [
        lambda right, *given: (right(*given)[0],) * 2,
        _chosen(lambda rng, near, first: rng.choice([*near, first])),
    ],
    "always lies on the same side": [
        lambda right, *given: tuple(sorted(right(*given))),
        _later,
        _chosen(
            lambda rng, near, first: (
                rng.choice(near[near > first], 1)[0] if (near > first).any() else first
            )
        ),
    ],
    "`gap` counts frames, not places in `valid`": _counted_in_list,
    "at most the gap of": [
        lambda right, rng, valid, gap: rng.choice(valid, 2, replace=False),
        lambda right, rng, valid, gap: right(rng, valid, gap + 1),
    ],
    "not among the valid": lambda right, rng, valid, gap: (
        first := rng.choice(valid),
        first + rng.integers(1, gap + 1),
    ),
    "places in `valid`": [
        lambda right, rng, valid, gap: rng.integers(0, len(valid), 2),
        lambda right, rng, valid, gap: tuple(
            np.searchsorted(valid, right(rng, valid, gap)).tolist()
        ),
    ],
    "all equally likely, then the second": [_second_first, _pairs_alike],
    "never comes first": [
        lambda right, rng, valid, gap: (
            first := valid[rng.integers(len(valid) - 1)],
            rng.choice(near) if len(near := _within(valid, first, gap)) else first,
        ),
        lambda right, rng, valid, gap: next(
            (pair for pair in (right(rng, valid, gap) for _ in range(50)) if pair[0] != pair[1]),
            (valid[0], valid[0]),
        ),
    ],
    "comes first in": _central_first,
    "which side of the first": _side_first,
    "in each of 100 draws": lambda right, rng, valid, gap: (
        valid[0],
        rng.choice(near) if len(near := _within(valid, valid[0], gap)) else valid[0],
    ),
    "exactly the gap apart": lambda right, rng, valid, gap: right(rng, valid, gap - 1),
    "return the first twice": [
        lambda right, rng, valid, gap: right(rng, valid, gap if len(valid) > 2 else 999),
        _lonely(lambda rng, valid, first: (first, rng.choice(valid))),
        _lonely(lambda rng, valid, first: (first, None)),
        lambda right, rng, valid, gap: (
            first := rng.choice(valid),
            rng.choice(_within(valid, first, gap)),
        ),
    ],
    "draw from the generator that you are given": lambda right, rng, valid, gap: right(
        np.random.default_rng(), valid, gap
    ),
}
