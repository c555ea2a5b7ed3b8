"""Check of lesson 17's places where a lost target is looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable
from course_lib.trackers import redetection


def places(box: ArrayLike, spacing: float, height: int, width: int) -> np.ndarray:
    """Boxes (N, 4) as large as a box (4,) over a whole frame, the nearest to it first.

    Args:
        box: the last one that was sure.
        spacing: the largest distance of neighbouring centres, in sides of the box.
        height, width: of the frame, pixels.
    """
    box = np.asarray(box, dtype=np.float64)
    return redetection.grid(box, spacing, (height, width))


def _grid(
    box: np.ndarray,
    spacing: float,
    height: int,
    width: int,
    count: Callable[[float], float] = np.ceil,
    line: Callable[[int, float], np.ndarray] = lambda n, limit: (np.arange(n) + 0.5) * limit / n,
    away: Callable[..., np.ndarray] = lambda d: np.hypot(*d.T),
    centred: bool = True,
    sides: Callable[[np.ndarray], np.ndarray] = lambda box: box[2:],
) -> np.ndarray:
    """The places with a part changed.

    Args:
        box, spacing, height, width: as of `places`.
        count: length in steps → number of centres.
        line: (number, length) → centres along an axis.
        away: displacements (N, 2) from the box → what they are sorted by.
        centred: whether displacements are from the box's centre, not its corner.
        sides: box → the two sides by which the spacing is multiplied.
    """
    along = zip((width, height), sides(box), strict=True)
    counts = [max(1, int(count(v / (spacing * s)))) for v, s in along]
    x, y = line(counts[0], width), line(counts[1], height)
    centres = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)  # (N, 2)
    start = box[:2] + box[2:] / 2 if centred else box[:2]
    order = np.argsort(away(centres - start), kind="stable")
    return np.column_stack([centres[order] - box[2:] / 2, np.tile(box[2:], (len(order), 1))])


def _with(**changed: Any) -> Callable[..., np.ndarray]:
    """A mistake: another part."""
    return lambda right, *case: _grid(*case, **changed)


def _centres(right, box, *rest):
    """Centres in place of corners."""
    found = right(box, *rest)
    return np.column_stack([found[:, :2] + box[2:] / 2, found[:, 2:]])


def _inside(right, box, spacing, height, width):
    """Only boxes that lie in the frame as a whole."""
    found = right(box, spacing, height, width)
    ends = found[:, :2] + found[:, 2:]
    return found[((found[:, :2] >= 0) & (ends <= [width, height])).all(1)]


def _long(right, box, spacing, height, width):
    """Steps as long as they may be."""
    counts = np.ceil([width / (spacing * box[2]), height / (spacing * box[3])])
    return _grid(box, spacing, *(counts * spacing * box[2:])[::-1], count=np.round)


def _otherwise(given: np.ndarray, right: np.ndarray, *case: Any) -> str:
    """In words: what is different in the first case that is wrong."""
    if given.ndim != 2 or given.shape[-1:] != (4,):
        return f"your places have shape {given.shape}, expected (N, 4)"
    if len(given) != len(right):
        box, spacing, height, width = case
        return (
            f"{len(given)} places, expected {len(right)}: for a box of {box[2]:.1f} × {box[3]:.1f} "
            f"in a frame of {width} × {height} and a spacing of {spacing:.2g}"
        )
    k = int(np.argmax(np.abs(given - right).max(1) > 1e-6))
    return f"place {k} is {np.round(given[k], 2)}, expected {np.round(right[k], 2)}"


@check(
    "challenge.grid",
    reference=places,
    learns=False,
    mistakes={
        "your centres lie farther apart than the spacing allows: the number of steps is rounded "
        "*up*": [_with(count=np.floor), _with(count=np.round)],
        "there is one centre too many along each axis: n steps have n centres": (
            _with(count=lambda v: np.ceil(v) + 1)
        ),
        "your first and last centres lie on the frame's edge, where half of each box sees nothing; "
        "each belongs at the centre of its step, (k + ½) · length / n": (
            _with(line=lambda n, limit: np.linspace(0, limit, n))
        ),
        "your centres begin at the frame's edge; each belongs at the centre of its step, "
        "(k + ½) · length / n": _with(line=lambda n, limit: np.arange(n) * limit / n),
        "these are the boxes' centres; a box begins at its corner, half a side before": _centres,
        "the steps divide the frame into *equal* parts; yours are `spacing` sides of the box long, and "
        "the last one reaches beyond the frame": _long,
        "height and width have changed places: x goes along the width": (
            lambda right, box, spacing, height, width: right(box, spacing, width, height)
        ),
        "the places are not sorted: the nearest come first, since not all are asked at once": [
            _with(away=lambda d: np.zeros(len(d))),
            lambda right, *case: np.array(sorted(right(*case).tolist())),
        ],
        "the farthest places come first": lambda right, *case: right(*case)[::-1],
        "distances are from the *centre* of the last box, not from its corner": (
            _with(centred=False)
        ),
        "sort by the distance in pixels, the root of dx² + dy²": [
            _with(away=lambda d: np.abs(d).sum(1)),
            _with(away=lambda d: np.abs(d).max(1)),
        ],
        "you leave out places at the frame's edge; a target comes back where it left, at an edge": (
            _inside
        ),
        "the spacing is a fraction of the box's sides: of its width along x, its height along y": [
            _with(sides=lambda box: box[[2, 2]]),
            _with(sides=lambda box: box[[3, 3]]),
            _with(sides=lambda box: np.full(2, (box[2] * box[3]) ** 0.5)),
        ],
    },
)
def examine_grid(answer, rng: np.random.Generator) -> None:
    """Boxes of several sizes in frames that are wide or high."""
    # 8.4 and 3.3 steps: rounded down, or to the nearest number, they are too few
    cases = [(np.array([41.3, 22.7, 30.0, 40.0]), 0.75, 100, 190)]
    for height, width in ((120, 190), (170, 110), (90, 240)):
        size = rng.uniform([24, 30], [36, 52])
        corner = rng.uniform(0.15, 0.75, 2) * [width, height]
        cases.append((np.array([*corner, *size]), float(rng.uniform(0.6, 1.1)), height, width))
    compare_arrays(
        answer,
        cases,
        "the places",
        lambda given: as_array(given, np.shape(given), "the places"),
        _otherwise,
    )
    require_repeatable(answer, *cases[:2])
