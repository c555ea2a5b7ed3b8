"""Check of lesson 17's table of labels, mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check

NONE = -1000.0  # in place of NaN


def mended_boxes(rows: np.ndarray, length: int) -> np.ndarray:
    """Boxes (T, 4) x, y, w, h of every frame, counted from 0; NaN where a frame has no row.

    Args:
        rows: (N, 5) frame, x1, y1, x2, y2: the number of the frame, and those of the first and last
            column and row of pixels, all counted from 1.
        length: T, the number of frames.
    """
    return _boxes(rows, length)


def _boxes(
    rows: np.ndarray,
    length: int,
    frame: Callable[[np.ndarray], np.ndarray] = lambda rows: rows[:, 0].astype(int) - 1,
    corner: float = 1.0,
    size: Callable[[np.ndarray], np.ndarray] = lambda rows: rows[:, 3:] - rows[:, 1:3] + 1,
    empty: float = np.nan,
) -> np.ndarray:
    """Boxes with a part changed.

    Args:
        rows, length: as of `mended_boxes`.
        frame: rows → the frame of each.
        corner: number of the first pixel.
        size: rows → (N, 2).
        empty: what stands where there is no row.
    """
    boxes = np.full((length, 4), empty)
    boxes[frame(rows)] = np.column_stack([rows[:, 1:3] - corner, size(rows)])
    return boxes


def _with(**changed: Any) -> Callable[..., np.ndarray]:
    """A mistake: another part."""
    return lambda right, rows, length: _boxes(rows, length, **changed)


def _repeated(right, rows, length):
    """The last box stands where there is none."""
    boxes = right(rows, length)
    for t in range(1, length):
        if np.isnan(boxes[t, 0]):
            boxes[t] = boxes[t - 1]
    return boxes


def _filled(right, rows, length):
    """Boxes in between are guessed."""
    boxes = right(rows, length)
    known = np.flatnonzero(np.isfinite(boxes[:, 0]))
    return np.stack([np.interp(np.arange(length), known, boxes[known, i]) for i in range(4)], 1)


def _otherwise(given: np.ndarray, right: np.ndarray, rows: np.ndarray, length: int) -> str:
    """In words: the first frame that is wrong."""
    if given.shape != right.shape:
        return f"your boxes have shape {given.shape}, expected {right.shape}: one for each frame"
    t = int(np.argmin(np.isclose(given, right).all(1)))
    mine, theirs = (_words(boxes[t]) for boxes in (given, right))
    return f"in frame {t} you have {mine}, expected {theirs}"


def _words(box: np.ndarray) -> str:
    return "no box" if (box == NONE).all() else f"the box {np.round(box, 2).tolist()}"


@check(
    "challenge.fault",
    reference=mended_boxes,
    learns=False,
    mistakes={
        "the fault is still there: row k is not frame k. Where the target is away there is no row, "
        "and all later boxes come too early; the number of the frame stands in the first column": [
            _with(frame=lambda rows: np.arange(len(rows))),
            _with(frame=lambda rows: rows[:, 0].argsort().argsort()),  # sorted first
        ],
        "frames are counted from 1, arrays from 0: every box comes one frame late": (
            _with(frame=lambda rows: rows[:, 0].astype(int))
        ),
        "the last column and row of pixels belong to the box: it is x2 − x1 + 1 wide": (
            _with(size=lambda rows: rows[:, 3:] - rows[:, 1:3])
        ),
        "the table counts pixels from 1; here the first begins at 0": _with(corner=0.0),
        "x2 and y2 are corners; a box has width and height": _with(size=lambda rows: rows[:, 3:]),
        "the table has corners; these boxes begin at their centres": (
            lambda right, rows, length: (
                right(rows, length)
                + np.column_stack([right(rows, length)[:, 2:] / 2, np.zeros((length, 2))])
            )
        ),
        "a frame without a row has no box: NaN, not zeros": _with(empty=0.0),
        "where there is no row the target is absent, and its place unknown: NaN, not a guess": [
            _repeated,
            _filled,
        ],
    },
)
def examine_fault(answer, rng: np.random.Generator) -> None:
    """Tables with gaps, one of them not in order."""
    cases = []
    for length in (9, 12):
        gap = int(rng.integers(3, length - 4))
        frames = np.array([t for t in range(1, length) if not gap <= t < gap + 2])
        first = rng.integers(1, 60, (len(frames), 2))
        table = np.column_stack([frames, first, first + rng.integers(8, 40, first.shape)])
        cases.append((table.astype(float), length))
    rows, length = cases[-1]
    cases.append((rows[rng.permutation(len(rows))], length))
    compare_arrays(answer, cases, "the boxes", _read, _otherwise)
    compare_arrays(answer, cases[:1], "the boxes", _read, _otherwise)  # asked again


def _read(given: Any) -> np.ndarray:
    """Boxes with their NaN as a number that no box has."""
    found = as_array(given, np.shape(given), "the boxes", allow_nan=True)
    return np.where(np.isnan(found), NONE, found)
