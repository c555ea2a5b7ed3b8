"""The rule of lesson 13's memory, with parts that its mistakes change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def remembered(
    weights: np.ndarray, first: int, last: int | None, capacity: int, rate: float, floor: float
) -> tuple[np.ndarray, int]:
    """The weights of the samples after one more was remembered, (n + 1,) or, if the memory is full,
    (n,), and the place of the new one.

    Args:
        weights: (n,), with a sum of 1; the first frame's samples come first.
        first: number of the first frame's samples.
        last: place of the newest sample; None if there are only the first frame's.
        capacity: how many samples there may be.
        rate: how much a new sample counts.
        floor: least sum of the weights of the first frame's samples.
    """
    return remembered_by(weights, first, last, capacity, rate, floor)


def _least(weights: np.ndarray, first: int, last: int | None) -> int:
    """Place of the least weight among those that are not the first frame's."""
    return first + int(weights[first:].argmin())


def _new_weight(weights: np.ndarray, last: int | None, rate: float) -> float:
    """Weight of a new sample, before all are divided by their sum."""
    return rate * (1 - rate) if last is None else weights[last] / (1 - rate)


def _raised_to(weights: np.ndarray, first: int, floor: float) -> np.ndarray:
    """Weights with at least `floor` for the first frame's samples."""
    if weights[:first].sum() < floor:
        weights[first:] *= (1 - floor) / weights[first:].sum()
        weights[:first] = floor / first
    return weights


def remembered_by(
    weights: np.ndarray,
    first: int,
    last: int | None,
    capacity: int,
    rate: float,
    floor: float,
    replaced: Callable[..., int] = _least,
    new: Callable[..., float] = _new_weight,
    raised: Callable[..., np.ndarray] = _raised_to,
    norm: Callable[..., np.ndarray] = lambda weights, place: weights / weights.sum(),
) -> tuple[np.ndarray, int]:
    """The memory's rule, with a part changed.

    Args:
        weights, first, last, capacity, rate, floor: as of `remembered`.
        replaced: (weights, first, last) → place of the new sample in a full memory.
        new: (weights, last, rate) → its weight.
        raised: (weights, first, floor) → weights.
        norm: (weights, place of the new one) → weights.
    """
    weights, own = np.array(weights, dtype=float), new(weights, last, rate)
    if len(weights) < capacity:
        weights, place = np.append(weights, 0.0), len(weights)
    else:
        place = replaced(weights, first, last)
    weights[place] = own
    return raised(norm(weights, place), first, floor), place
