"""Check of lesson 13's localisation: the two highest peaks of a score map."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check

# x and y in halves of the region, and scores: inside of it, and beyond its sides
SHOULDERS = np.array(
    [
        (0.3, 0.3, 0.96),
        (-0.3, -0.3, 0.94),
        (1, 0, 0.92),
        (0, -1, 0.9),
        (-1, 1, 0.88),
        (-0.9, -0.9, 0.86),
    ]
)
SIDES = np.array([(1, 0, 0.6), (0, 1, 0.7), (1.5, 1.5, 0.5)])


def two_peaks(fine: np.ndarray, size: np.ndarray, neighbourhood: float) -> np.ndarray:
    """The highest pixel of a score map, and the highest one outside of a region around it: (2, 3),
    x, y and score of each.

    Args:
        fine: (S, S) scores at the pixels of the search image.
        size: (2,) w and h of the target, pixels.
        neighbourhood: sides of the region, in sides of the target.
    """
    return _peaks(fine, size, neighbourhood)


def _erased(fine: np.ndarray, at: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """A copy of a map (S, S) that is 0 where both coordinates are within `reach` (2,) of `at`."""
    rows, columns = np.indices(fine.shape) + 0.5
    within = (abs(columns - at[0]) <= reach[0]) & (abs(rows - at[1]) <= reach[1])
    return np.where(within, 0, fine)


def _peaks(
    fine: np.ndarray,
    size: np.ndarray,
    neighbourhood: float,
    half: float = 0.5,
    erased: Callable[..., np.ndarray] = _erased,
) -> np.ndarray:
    """Both peaks, with a part changed.

    Args:
        fine, size, neighbourhood: as of `two_peaks`.
        half: how far the region reaches, in its sides.
        erased: (map, point, reach) → map without the region.
    """
    found = []
    for _ in range(2):
        row, column = np.unravel_index(fine.argmax(), fine.shape)
        found.append((column + half, row + half, fine[row, column]))
        fine = erased(fine, np.array(found[0][:2]), neighbourhood * np.asarray(size) / 2)
    return np.array(found)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _peaks(*given, **changed)


def _round(fine, at, reach):
    """The region is an ellipse."""
    rows, columns = np.indices(fine.shape) + 0.5
    within = ((columns - at[0]) / reach[0]) ** 2 + ((rows - at[1]) / reach[1]) ** 2 <= 1
    return np.where(within, 0, fine)


def _top_two(right, fine, size, neighbourhood):
    """The two highest pixels."""
    rows, columns = np.unravel_index(np.argsort(fine, axis=None)[-2:][::-1], fine.shape)
    return np.stack([columns + 0.5, rows + 0.5, fine[rows, columns]], 1)


def _cross(fine, at, reach):
    """The region is a cross: near along x, or near along y."""
    rows, columns = np.indices(fine.shape) + 0.5
    return np.where((abs(columns - at[0]) <= reach[0]) | (abs(rows - at[1]) <= reach[1]), 0, fine)


def _quadrant(fine, at, reach):
    """The region extends to the right and downwards alone."""
    rows, columns = np.indices(fine.shape) + 0.5
    x, y = columns - at[0], rows - at[1]
    return np.where((x >= 0) & (x <= 2 * reach[0]) & (y >= 0) & (y <= 2 * reach[1]), 0, fine)


def _slice(fine, at, reach):
    """The region is a slice whose end is left out."""
    (left, top), (right, bottom) = (at - 0.5 - reach).astype(int), (at - 0.5 + reach).astype(int)
    fine = fine.copy()
    fine[max(top, 0) : bottom, max(left, 0) : right] = 0
    return fine


@check(
    "online.peaks",
    reference=two_peaks,
    learns=False,
    mistakes={
        "your second peak is a neighbour of the first; leave out the region around it": [
            _top_two,
            _with(erased=lambda fine, at, reach: _erased(fine, at, 0 * reach + 0.6)),
        ],
        "x counts columns, y counts rows; yours are swapped": (
            lambda right, *given: right(*given)[:, [1, 0, 2]]
        ),
        "the centre of pixel k lies at k + ½": [
            lambda right, *given: right(*given) - [0.5, 0.5, 0],
            lambda right, *given: right(*given) + [0.5, 0.5, 0],
        ],
        "size is w, h: the region has the target's width along x and its height along y": [
            lambda right, fine, size, *given: right(fine, size[::-1], *given),
            lambda right, fine, size, n: right(fine, 0 * size + size.mean(), n),
            lambda right, fine, size, n: right(fine, 0 * size + size.prod() ** 0.5, n),
        ],
        "the region is too large: its *sides* are the target's times the neighbourhood, so it "
        "reaches half of that to each side": (
            lambda right, fine, size, n: right(fine, size, 2 * n)
        ),
        "the region is too small: it reaches half of neighbourhood · size to each side of the "
        "peak": [
            lambda right, fine, size, n: right(fine, size, n / 2),
            lambda right, fine, size, n: right(fine, size, 1.0),
        ],
        "the region is a rectangle; its corners belong to it": _with(erased=_round),
        "the region is a rectangle: near along x *and* near along y": _with(erased=_cross),
        "the region has the peak at its centre": _with(erased=_quadrant),
        "the region is a pixel short on one side: a slice ends *before* its second number": _with(
            erased=_slice
        ),
        "the first peak comes first": lambda right, *given: right(*given)[::-1],
        "a row is x, y, score": lambda right, *given: right(*given)[:, [2, 0, 1]],
    },
    others={
        "of the second peak is": lambda right, *given: right(*given) * [[1, 1, 1], [1, 1, 0.9]],
        "has shape": lambda right, *given: right(*given)[:, :2],
    },
)
def examine_peaks(answer, rng: np.random.Generator) -> None:
    """Maps with shoulders beside the peak, all of them inside of the region, and peaks beyond."""
    cases = []
    for S, size, n in ((81, (9.0, 17.0), 2.2), (90, (19.0, 10.0), 1.6), (84, (10.0, 13.0), 2.0)):
        half = n * np.array(size) / 2  # (2,)
        at = rng.integers(34, S - 34, 2)  # x, y
        fine = rng.uniform(0, 0.1, (S, S))
        away = SHOULDERS[:, :2] * (np.ceil(half) - 1)  # (6, 2), the last pixels inside
        beyond = SIDES[:, :2] * (np.floor(half) + 1)  # (3, 2), the first ones beyond
        beyond *= rng.choice([-1, 1], (3, 1))
        heights = np.concatenate([[1.0], SHOULDERS[:, 2], SIDES[:, 2]])
        for (x, y), height in zip(
            at + np.rint(np.concatenate([np.zeros((1, 2)), away, beyond])).astype(int),
            heights,
            strict=True,
        ):
            fine[y, x] = height + rng.uniform(0, 0.005)
        cases.append((fine, np.array(size), n))

    def otherwise(given, right, *case):
        k, part = np.unravel_index(np.abs(given - right).argmax(), right.shape)
        what = f"{('x', 'y', 'the score')[part]} of the {('first', 'second')[k]} peak"
        return f"{what} is {given[k, part]:.4g}, expected {right[k, part]:.4g}"

    compare_arrays(
        answer, cases, "the peaks", lambda g: as_array(g, (2, 3), "the result"), otherwise
    )
