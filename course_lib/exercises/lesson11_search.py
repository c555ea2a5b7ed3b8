"""Checks of lesson 11, last part: a wider search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, as_number, as_parts, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.siammargin import region_size


def _out_of_bounds(given, right, largest: int) -> str:
    """The message for a size that no search image may have.

    Args:
        given: the answer's size.
        right: the reference's.
        largest: the limit.
    """
    size = f"your image has {given:g} pixels; "
    if given > largest:
        return size + f"it may not be larger than {largest}"
    if given < 255:
        return size + "it is never smaller than 255"
    if 255 < right < largest and given == 255 + (right - 255) / 2:
        return "one cell more on *each* side costs 16 pixels, not 8"
    if (given - 255) % 16:
        return size + "whole cells on both sides need 255 plus a multiple of 16"
    return ""


@check(
    "margin.region",
    reference=region_size,
    mistakes={
        "{case} the size is {given:g}: round *up* to whole cells, or the response falls short": [
            lambda right, *given: right(*given) - 16 * _is_broken(right, *given),
            lambda right, speed, reach, base, largest: min(
                base + 16 * round(max(reach * speed - 64, 0) / 8), largest
            ),
        ],
        "{case} the size is {given:g}: the response of a search image of 255 pixels already "
        "reaches 64 pixels from the centre; subtract them": (
            lambda right, speed, reach, *given: right(speed + 64 / reach, reach, *given)
        ),
        "{case} the size is {given:g}: `reach` times the speed has to be covered": [
            lambda right, speed, reach, *given: right(speed, 1.0, *given),
            lambda right, speed, reach, *given: right(speed, 2.0, *given),
        ],
    },
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
    for reach, largest in ((2.0, 383), (1.5, 319)):
        for speed in (60.0, 0.0, 20.0, 32.0, 33.0, 40.0, 47.0, 500.0):
            _check_region(answer, speed, reach, largest)


def _is_broken(right, speed: float, reach: float, base: int, largest: int) -> bool:
    """Whether the response falls short by a broken number of cells."""
    missing = (reach * speed - 64) / 8
    return missing > 0 and missing != int(missing) and right(speed, reach, base, 10**4) <= largest


def _check_region(answer, speed: float, reach: float, largest: int) -> None:
    """One speed.

    Args:
        answer: on trial.
        speed: search pixels per frame.
        reach: how many times the speed has to be covered.
        largest: the limit.
    """
    case = f"at {speed:g} pixels a frame, with a reach of {reach:g},"

    def words(given, right):
        said = _out_of_bounds(given, right, largest)
        return said and f"{case} {said}"

    hint = "255 pixels reach 64 pixels from the centre"
    named = f"{case} the size"
    inputs = speed, reach, 255, largest
    answer.compare(inputs, "the size", otherwise=words, named=named, hint=hint, case=case)


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


def _first_seen(right, look, size, *given):
    """A mistake: the response of the first look, whichever size was chosen."""
    seen = {}

    def once(size):
        return seen.setdefault(size, look(size))

    chosen, _ = right(once, size, *given)
    return chosen, seen[size]


@check(
    "margin.again",
    reference=search_again,
    others={
        "a second look only costs time": [
            lambda right, look, size, largest, unsure, gain: right(look, size, largest, 2.0, gain),
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure + 1e-6, gain
            ),
        ],
        "do not look twice": lambda right, look, size, largest, *given: right(
            look, size, largest + 16 * (size == largest), *given
        ),
        "higher by `gain`": [
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure, 0.0
            ),
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure, gain / 2
            ),
        ],
        "you keep the first": [
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure, 2.0
            ),
            lambda right, look, size, *given: (size, look(size)),
        ],
        "its highest cell": lambda right, look, *given: right(
            lambda size: look(size).mean()[None], *given
        ),
        "the answer has two parts": lambda right, *given: right(*given)[0],
        "belongs to the size": [
            lambda right, *given: (right(*given)[0], np.zeros((17, 16))),
            lambda right, look, size, *given: _first_seen(right, look, size, *given),
        ],
        "look a second time at `largest`": lambda right, look, size, largest, *given: right(
            look, size, largest - 64, *given
        ),
    },
)
def examine_again(answer, rng) -> None:
    """One more search, in maps whose peak is one cell of many."""
    for case in (
        (0.8, 0.95, 255, "a first look that is sure"),
        (0.5, 0.9, 255, "a first look whose peak is exactly `unsure`"),
        (0.4, 0.7, 255, "a target further away"),
        (0.4, 0.43, 255, "a second look that finds hardly more"),
        (0.4, 0.9, 383, "a first look that was already as wide as possible"),
    ):
        _check_again(answer, rng, *case)


def _map_of(rng: np.random.Generator, cells: int, peak: float) -> Tensor:
    """A response (cells, cells) that is low but for one cell."""
    response = torch.from_numpy(rng.uniform(-0.6, 0.2, (cells, cells))).float()
    response[tuple(rng.integers(0, cells, 2))] = peak
    return response


def _check_again(
    answer, rng: np.random.Generator, near: float, far: float, size: int, about: str
) -> None:
    """One case.

    Args:
        answer: on trial.
        rng: of the maps.
        near, far: peaks of the first and the second look.
        size: of the first look.
        about: the case in words.
    """
    maps = {255: _map_of(rng, 17, near), 383: _map_of(rng, 33, far if size == 255 else near)}
    seen = []

    def look(size: int) -> Tensor:
        if seen and seen[-1] == 383:
            raise Wrong(f"{about}: there is nothing more to see, do not look twice")
        seen.append(int(size))
        if seen[-1] not in maps:
            raise Wrong(f"{about}: you look at {size:g} pixels; look a second time at `largest`")
        return maps[seen[-1]].clone()

    given = as_parts(answer(look, size, 383, 0.5, 0.05), "the size", "the response seen at it")
    if near >= 0.5 and len(seen) > 1:
        raise Wrong(
            f"{about}: its highest cell, {near}, reaches `unsure`: a second look only costs time"
        )
    wanted, response = answer.right(lambda s: maps[s], size, 383, 0.5, 0.05)
    used = as_number(given[0], f"{about}: the size")
    if near < 0.5 and size == 255 and 383 not in seen:
        raise Wrong(
            f"{about}: the peak {near} is below `unsure` 0.5, but you keep the first without "
            "looking again"
        )
    if used != wanted and far == 0.43:
        raise Wrong(
            f"{about}: a wider search always finds some higher cell; it must be higher by `gain`"
        )
    if used != wanted and far == 0.7:
        raise Wrong(f"{about}: the wide look found {far} against {near}, but you keep the first")
    require_close(used, wanted, f"{about}: the size")
    shape = tuple(response.shape)
    if not same(
        as_array(given[1], shape, f"{about}: the response that belongs to the size"), response
    ):
        raise Wrong(f"{about}: return the response that belongs to the size, as `look` gave it")
