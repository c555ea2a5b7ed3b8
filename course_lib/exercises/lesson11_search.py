"""Check of lesson 11, last part: one more search."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, as_number, as_parts, plain, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


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


def _by_distance(right, look, size, largest, unsure, gain):
    """A mistake: the peaks may differ in either direction."""
    near = look(size)
    if near.max() >= unsure or size >= largest:
        return size, near
    far = look(largest)
    return (largest, far) if abs(far.max() - near.max()) > gain else (size, near)


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
        "higher by *more than* `gain`": [
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure, 0.0
            ),
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure, gain / 2
            ),
            lambda right, look, size, largest, unsure, gain: right(
                look, size, largest, unsure, gain - 1e-6
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
        "the answer should have two parts": lambda right, *given: right(*given)[0],
        "belongs to the size": lambda right, *given: (right(*given)[0], np.zeros((17, 16))),
        "the size of one look, and the response of the other": [
            lambda right, look, size, *given: _first_seen(right, look, size, *given),
            lambda right, look, size, *given: (size, right(look, size, *given)[1]),
        ],
        "you take the lower one": _by_distance,
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
        (Look(383, 447, 0.5, 0.05), (0.4, 0.9, "a target further away")),
        (Look(143, 335, 0.5, 0.05), (0.4, 0.9, "a target further away")),
        (Look(271, 319, 0.6, 0.15), (0.55, 0.69, "a second look that finds hardly more")),
        (Look(271, 319, 0.6, 0.15), (0.55, 0.72, "a target further away")),
        (Look(271, 319, 0.5, 0.25), (0.25, 0.5, "a second look that finds more by just `gain`")),
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
    other = maps.get(how.size + how.largest - used)
    if how.size != how.largest and other is not None and same(plain(given[1]), plain(other)):
        raise Wrong(f"{about}: you return the size of one look, and the response of the other")
    if used != wanted:
        raise Wrong(_unlike(used, wanted, how, near, far, about))
    shape = tuple(response.shape)
    what = f"{about}: the response that belongs to the size"
    if not same(as_array(given[1], shape, what), response):
        raise Wrong(f"{about}: return the response that belongs to the size, as `look` gave it")


def _unlike(used: float, wanted: int, how: Look, near: float, far: float, about: str) -> str:
    """The message for another size than the right one.

    Args:
        used: the answer's.
        wanted: the right one.
        how: the sizes and thresholds.
        near, far: peaks of the first and the second look.
        about: the case in words.
    """
    if used == how.largest and far <= near:
        return f"{about}: {far} against {near}, and you take the lower one"
    if used == how.largest:
        return (
            f"{about}: {far} against {near}. A wider search often finds a cell that is a little "
            f"higher; it must be higher by *more than* `gain`, {how.gain}"
        )
    if used == how.size:
        return f"{about}: the wide look found {far} against {near}, but you keep the first"
    return f"{about}: the size is {used:g}, expected {wanted}"
