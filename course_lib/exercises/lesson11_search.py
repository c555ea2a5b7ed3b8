"""Checks of lesson 11, last part: a wider search."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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
        "round *up* to whole cells, or the response falls short": [
            lambda right, speed, reach, base, largest: min(
                base + 16 * int(max(reach * speed - 64, 0) / 8), largest
            ),
            lambda right, speed, reach, base, largest: min(
                base + 16 * round(max(reach * speed - 64, 0) / 8), largest
            ),
        ],
        "the response of a search image of 255 pixels already "
        "reaches 64 pixels from the centre; subtract them": (
            lambda right, speed, reach, *given: right(speed + 64 / reach, reach, *given)
        ),
        "`reach` times the speed has to be covered": [
            lambda right, speed, reach, *given: right(speed, 1.0, *given),
            lambda right, speed, reach, *given: right(speed, 2.0, *given),
        ],
        "speeds are fractions of pixels; do not round them": [
            lambda right, speed, *given: right(int(speed), *given),
            lambda right, speed, *given: right(float(-(-speed // 1)), *given),
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
        "costs 16 pixels, not 8": lambda right, speed, reach, base, largest: min(
            base + (right(speed, reach, base, 10**4) - base) // 2, largest
        ),
        "the size at": lambda right, speed, reach, base, largest: base,
    },
)
def examine_region(answer, rng) -> None:
    """How far to look, at several speeds at once, so that a mistake shows at all of them."""
    speeds = (0.0, 20.0, 32.0, 33.0, 36.3, 40.0, 47.0, 53.2, 60.0, 500.0)

    def every(f, *given):
        return [f(v, *given) for v in speeds]

    for reach, largest in ((2.0, 2047), (1.5, 383)):

        def words(given, right, reach=reach, largest=largest):
            for speed, mine, theirs in zip(speeds, given, right, strict=True):
                if said := _out_of_bounds(mine, theirs, largest):
                    return f"at {speed:g} pixels a frame, with a reach of {reach:g}, {said}"
            return ""

        answer.compare(
            (reach, 255, largest),
            "the sizes",
            (len(speeds),),
            call=every,
            otherwise=words,
            named=f"at the speeds {speeds}, with a reach of {reach:g}, the size",
            hint="255 pixels reach 64 pixels from the centre",
        )
    answer.compare((40.0, 2.0, 255, 383), "the size")


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
        (0.8, 0.95, "a first look that is sure"),
        (0.5, 0.9, "a first look whose peak is exactly `unsure`"),
        (0.4, 0.7, "a target further away"),
        (0.48, 0.5, "a second look that finds hardly more"),
        (0.3, 0.42, "a second look that finds more, and is still unsure"),
        (0.4, 0.2, "a second look that finds less"),
    ):
        _check_again(answer, rng, Look(255, 383, 0.5, 0.05), *case)
    for look, case in (
        (Look(383, 383, 0.5, 0.05), (0.4, 0.9, "a first look that is as wide as possible")),
        (Look(271, 319, 0.6, 0.15), (0.55, 0.69, "a second look that finds hardly more")),
        (Look(271, 319, 0.6, 0.15), (0.55, 0.72, "a target further away")),
    ):
        _check_again(answer, rng, look, *case)


class Look(NamedTuple):
    """Sizes of the first and the second look, and the two thresholds."""

    size: int
    largest: int
    unsure: float
    gain: float


def _map_of(rng: np.random.Generator, cells: int, peak: float) -> Tensor:
    """A response (cells, cells) that is low but for one cell."""
    response = torch.from_numpy(rng.uniform(-0.6, 0.2, (cells, cells))).float()
    response[tuple(rng.integers(0, cells, 2))] = peak
    return response


def _check_again(
    answer, rng: np.random.Generator, how: Look, near: float, far: float, about: str
) -> None:
    """One case.

    Args:
        answer: on trial.
        rng: of the maps.
        how: the sizes and thresholds.
        near, far: peaks of the first and the second look.
        about: the case in words.
    """
    maps = {how.size: _map_of(rng, (how.size - 119) // 8, near)}
    maps.setdefault(how.largest, _map_of(rng, (how.largest - 119) // 8, far))
    seen = []

    def look(size: int) -> Tensor:
        if seen and how.size == how.largest:
            raise Wrong(f"{about}: there is nothing more to see, do not look twice")
        seen.append(int(size))
        if len(seen) > 2:
            raise Wrong(f"{about}: you call `look` a third time; keep what it gave")
        if seen[-1] not in maps:
            raise Wrong(f"{about}: you look at {size:g} pixels; look a second time at `largest`")
        return maps[seen[-1]].clone()

    given = as_parts(answer(look, *how), "the size", "the response seen at it")
    if near >= how.unsure and len(seen) > 1:
        raise Wrong(
            f"{about}: its highest cell, {near}, reaches `unsure`: a second look only costs time"
        )
    if near < how.unsure and how.largest not in seen:
        raise Wrong(
            f"{about}: the peak {near} is below `unsure`, {how.unsure}, but you keep the first "
            "without looking again"
        )
    wanted, response = answer.right(lambda s: maps[s], *how)
    used = as_number(given[0], f"{about}: the size")
    if used != wanted and wanted == how.size and used == how.largest:
        raise Wrong(
            f"{about}: {far} against {near}. A wider search always finds some higher cell; it must "
            f"be higher by `gain`, {how.gain}"
        )
    if used != wanted and used == how.size:
        raise Wrong(f"{about}: the wide look found {far} against {near}, but you keep the first")
    require_close(used, wanted, f"{about}: the size")
    shape = tuple(response.shape)
    what = f"{about}: the response that belongs to the size"
    if not same(as_array(given[1], shape, what), response):
        raise Wrong(f"{about}: return the response that belongs to the size, as `look` gave it")
