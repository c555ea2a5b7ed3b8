"""Check of lesson 16: where the runs of the multi-start protocol begin, and where they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import plain
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong


def runs_of(usable: np.ndarray, spacing: int, reach: int) -> list[tuple[int, int]]:
    """First and last frame of every run, in the order of their first frames.

    Args:
        usable: (T,) bool, frames on which a run may start.
        spacing: frames from one wanted anchor to the next; the last frame is wanted too.
        reach: how far an anchor may be moved to a usable frame.
    """
    return _runs(usable, spacing, reach)


def _nearest(at: np.ndarray, wanted: int) -> int:
    """The nearest of the usable frames, the earlier one of two."""
    return int(at[np.abs(at - wanted).argmin()])


def _way(t: int, T: int) -> bool:
    """Whether a run goes forward."""
    return T - 1 - t >= t


def _runs(
    usable: np.ndarray,
    spacing: int,
    reach: int,
    wanted: Callable[[int, int], list[int]] = lambda T, s: [*range(0, T - 1, s), T - 1],
    nearest: Callable[[np.ndarray, int], int] = _nearest,
    forward: Callable[[int, int], bool] = _way,
    inside: Callable[[int, int], bool] = lambda away, reach: away <= reach,
    ends: tuple[int, int] = (0, 1),
    once: bool = True,
) -> list[tuple[int, int]]:
    """The runs, with a part changed.

    Args:
        usable, spacing, reach: as of `runs_of`.
        wanted: (T, spacing) → frames wanted.
        nearest: (usable frames, wanted) → frame.
        forward: (frame, T) → direction.
        inside: (distance, reach) → whether it is near enough.
        ends: added to the last frame of a run backward; taken from T for one forward.
        once: whether a frame starts one run only.
    """
    T, at = len(usable), np.flatnonzero(usable)
    found = []
    for frame in wanted(T, spacing):
        t = nearest(at, frame)
        if inside(abs(t - frame), reach):
            found.append((t, T - ends[1] if forward(t, T) else ends[0]))
    return sorted(set(found)) if once else sorted(found)


def _with(**changed: Any) -> Callable[..., Any]:
    """A mistake: another part."""
    return lambda right, *given: _runs(*given, **changed)


def _by_wanted(right, usable, spacing, reach):
    """The direction is chosen before the anchor is moved."""
    T, at, found = len(usable), np.flatnonzero(usable), {}
    for frame in [*range(0, T - 1, spacing), T - 1]:
        t = _nearest(at, frame)
        if abs(t - frame) <= reach:
            found[t] = T - 1 if _way(frame, T) else 0
    return sorted(found.items())


@check(
    "today.runs",
    reference=runs_of,
    learns=False,
    mistakes={
        "the last frame is an anchor too, even if it is no multiple of the spacing": (
            _with(wanted=lambda T, s: list(range(0, T, s)))
        ),
        "the first frame is an anchor too": _with(wanted=lambda T, s: [*range(s, T - 1, s), T - 1]),
        "anchors are wanted every `spacing` frames, not every `spacing` + 1": (
            _with(wanted=lambda T, s: [*range(0, T - 1, s + 1), T - 1])
        ),
        "an anchor on a frame that is not usable is moved to the *nearest* usable one within "
        "reach; you leave it out": _with(inside=lambda away, reach: away == 0),
        "an anchor may be moved by `reach` frames, that number included": (
            _with(inside=lambda away, reach: away < reach)
        ),
        "an anchor is moved by `reach` frames at most; without a usable frame there it is left "
        "out": _with(inside=lambda away, reach: True),
        "an anchor is moved to the nearest usable frame, which may lie before it": (
            _with(nearest=lambda at, f: int(at[at >= f][0]) if (at >= f).any() else _nearest(at, f))
        ),
        "an anchor is moved to the nearest usable frame, which may lie after it": (
            _with(
                nearest=lambda at, f: int(at[at <= f][-1]) if (at <= f).any() else _nearest(at, f)
            )
        ),
        "of two usable frames that are equally near, the earlier one is taken": _with(
            nearest=lambda at, f: int(at[::-1][np.abs(at[::-1] - f).argmin()])
        ),
        "your runs start on the frames wanted, usable or not; move each to a usable one": (
            _with(nearest=lambda at, f: f)
        ),
        "all your runs go forward; each goes in the direction that has more frames": (
            _with(forward=lambda t, T: True)
        ),
        "all your runs go backward; each goes in the direction that has more frames": (
            _with(forward=lambda t, T: False)
        ),
        "your runs go in the direction that has *fewer* frames": _with(
            forward=lambda t, T: not _way(t, T)
        ),
        "from the frame in the centre both sides are equally long; that run goes forward": (
            _with(forward=lambda t, T: T - 1 - t > t)
        ),
        "the longer side is that of the frame on which the run starts, not of the one that was "
        "wanted": _by_wanted,
        "a frame starts only one run, even if two anchors were moved to it": _with(once=False),
        "a run backward ends on frame 0": _with(ends=(1, 1)),
        "a run forward ends on frame T − 1": [_with(ends=(0, 0)), _with(ends=(0, 2))],
    },
    others={
        "expected a pair": lambda right, *given: [t for t, _ in right(*given)],
        "in the order of their first frames": lambda right, *given: right(*given)[::-1],
        "first and last frame changed places": lambda right, *given: [
            run[::-1] for run in right(*given)
        ],
        "expected the runs": lambda right, *given: right(*given)[:-1],
    },
)
def examine_runs(answer: Any, rng: np.random.Generator) -> None:
    """Every frame usable; stretches that are not; anchors that fall together or nowhere."""
    cases = []
    for T, spacing, reach in ((41, 10, 2), (36, 10, 3), (47, 9, 2), (30, 7, 3), (21, 5, 4)):
        usable = np.ones(T, dtype=bool)
        cases.append((usable, spacing, reach))
        for first, length in (
            (0, 2),
            (2 * spacing - 1, 2),
            (3 * spacing, 2),
            (spacing - 1, 3),
            (T - 3, 3),
        ):
            usable = usable.copy()
            usable[first : first + length] = False
        cases.append((usable, spacing, reach))
        blind = np.ones(T, dtype=bool)
        blind[2 * spacing - reach : 2 * spacing + reach + 1] = False  # nothing within reach
        edge = np.ones(T, dtype=bool)
        edge[2 * spacing - reach + 1 : 2 * spacing + reach] = False  # only at the ends of it
        cases += [(blind, spacing, reach), (edge, spacing, reach)]
        cases.append((rng.random(T) < 0.4, spacing, reach))
    few = np.zeros(24, dtype=bool)
    few[[0, 8, 13]] = True
    cases.append((few, 5, 4))
    compare_arrays(answer, cases, "the runs", _read, _words)


def _read(given: Any) -> np.ndarray:
    """Runs as an array (n, 2)."""
    try:
        array = np.asarray(plain(given), dtype=float)
    except (TypeError, ValueError):
        raise Wrong("expected a pair of numbers, first and last frame, for every run") from None
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        raise Wrong(
            f"the runs have shape {array.shape}; expected a pair of numbers, first and last frame, "
            "for every run"
        )
    return array


def _words(given: np.ndarray, right: np.ndarray, usable: np.ndarray, *settings: int) -> str:
    """Both lists in words."""
    mine, theirs = ([tuple(map(int, run)) for run in runs] for runs in (given, right))
    if sorted(mine) == theirs:
        return "the runs come in the order of their first frames; yours come in another one"
    if mine == [run[::-1] for run in theirs]:
        return "first and last frame changed places: the anchor comes first"
    blind = np.flatnonzero(~usable).tolist()
    return (
        f"{len(usable)} frames, spacing {settings[0]}, reach {settings[1]}, not usable {blind}: "
        f"your runs are {mine}; expected the runs {theirs}"
    )
