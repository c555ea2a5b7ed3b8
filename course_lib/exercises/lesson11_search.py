"""Checks of lesson 11, last part: a wider search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, require_close
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.siammargin import region_size


def _out_of_bounds(given, right) -> str:
    """The message for a size that no search image may have."""
    size = f"your image has {given:g} pixels; "
    if given > 383:
        return size + "it may not be larger than 383"
    if given < 255:
        return size + "it is never smaller than 255"
    if (given - 255) % 16:
        return size + "whole cells on both sides need 255 plus a multiple of 16"
    if 255 < right < 383 and given == 255 + (right - 255) / 2:
        return "one cell more on *each* side costs 16 pixels, not 8"
    return ""


@check(
    "margin.region",
    reference=region_size,
    others={
        "it may not be larger": lambda right, speed, reach, base, largest: right(
            speed, reach, base, 10**4
        ),
        "it is never smaller": lambda right, speed, reach, base, largest: (
            right(speed, reach, base, largest) - 16 * (speed < 32)
        ),
        "whole cells on both sides": lambda right, speed, reach, base, largest: min(
            max(2 * (reach * speed - 64) + base, base), largest
        ),
        "costs 16 pixels, not 8": lambda right, speed, reach, base, largest: (
            base + (right(speed, reach, base, 10**4) - base) // 2
            if speed != 33
            else right(speed, reach, base, largest)
        ),
        "the size is": lambda right, speed, reach, base, largest: base,
    },
)
def examine_region(answer, rng) -> None:
    """How far to look."""
    for speed in (0.0, 20.0, 32.0, 33.0, 40.0, 60.0, 500.0):
        _check_region(answer, speed)


def _check_region(answer, speed: float) -> None:
    case = f"at {speed:g} pixels a frame"

    def words(given, right):
        said = _out_of_bounds(given, right)
        return said and f"{case}{':' if said.startswith('one') else ''} {said}"

    hint = "255 pixels reach 64 pixels from the centre"
    named = f"{case} the size"
    answer.compare((speed, 2.0, 255, 383), "the size", otherwise=words, named=named, hint=hint)


def search_again(
    look: Callable[[int], Tensor], size: int, largest: int, unsure: float, gain: float
) -> tuple[int, Tensor]:
    """The size of the last look, and its response.

    Args:
        look: size of the search image → response.
        size: to look at first.
        largest: size to look at next, if at all.
        unsure: peak below which a second look is worth it.
        gain: how much more it must find.
    """
    near = look(size)
    if near.max() >= unsure or size >= largest:
        return size, near
    far = look(largest)
    return (largest, far) if far.max() > near.max() + gain else (size, near)


@check(
    "margin.again",
    reference=search_again,
    others={
        "a second look only costs time": lambda right, look, size, largest, unsure, gain: right(
            look, size, largest, 2.0, gain
        ),
        "do not look twice": lambda right, look, size, largest, *given: right(
            look, size, largest + 16 * (size == largest), *given
        ),
        "higher by `gain`": lambda right, look, size, largest, unsure, gain: right(
            look, size, largest, unsure, 0.0
        ),
        "you keep the first": lambda right, look, size, largest, unsure, gain: right(
            look, size, largest, unsure, 2.0
        ),
        "expected two things": lambda right, *given: right(*given)[0],
        "belongs to the size": lambda right, *given: (right(*given)[0], np.zeros((17, 16))),
    },
)
def examine_again(answer, rng) -> None:
    """One more search."""
    for case in (
        (0.8, 0.95, 255, "a first look that is sure"),
        (0.4, 0.7, 255, "a target further away"),
        (0.4, 0.43, 255, "a second look that finds hardly more"),
        (0.4, 0.9, 383, "a first look that was already as wide as possible"),
    ):
        _check_again(answer, *case)


def _check_again(answer, near: float, far: float, size: int, about: str) -> None:
    """Peaks of the near and the far look, the size of the first look, and the case in words."""
    seen, wide = [], far if size == 255 else near

    def quiet(size: int) -> Tensor:
        return torch.full((17, 17), near) if size == 255 else torch.full((33, 33), wide)

    def look(size: int) -> Tensor:
        seen.append(size)
        return quiet(size)

    given = answer(look, size, 383, 0.5, 0.05)
    if not isinstance(given, tuple) or len(given) != 2:
        raise Wrong("expected two things: the size, and the response seen at it")
    if near >= 0.5 and len(seen) > 1:
        raise Wrong(f"{about}: its peak {near} is above 0.5, a second look only costs time")
    if size == 383 and len(seen) > 1:
        raise Wrong(f"{about}: there is nothing more to see, do not look twice")
    wanted, response = answer.right(quiet, size, 383, 0.5, 0.05)
    if given[0] != wanted and far == 0.43:
        raise Wrong(
            f"{about}: a wider search always finds some higher cell; it must be higher by `gain`"
        )
    if given[0] != wanted and far == 0.7:
        raise Wrong(f"{about}: the wide look found {far} against {near}, but you keep the first")
    require_close(given[0], wanted, f"{about}: the size")
    as_array(given[1], tuple(response.shape), f"{about}: the response that belongs to the size")
