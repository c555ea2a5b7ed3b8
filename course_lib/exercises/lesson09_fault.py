"""Check of lesson 09's label with a fault in it: the target is sought on the wrong side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson06 import each
from course_lib.geometry.windows import SEARCH


def mended_label(box: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
    """The target's box in the search image cut around `centre`.

    Args:
        box: (4,) the target, frame pixels.
        centre: (2,) of the square that is cut out, frame pixels.
        side: of the square, frame pixels; it is shown at 255.

    Returns:
        (4,), pixels of the search image.
    """
    scale = SEARCH / side
    size = box[2:] * scale
    away = box[:2] + box[2:] / 2 - centre
    return np.concatenate([SEARCH / 2 + away * scale - size / 2, size])


def _placed(place: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A change to the target's centre (2,) in the image: (away (2,) in frame pixels, scale)."""

    def code(right, box, centre, side):
        size = box[2:] * SEARCH / side
        away = box[:2] + box[2:] / 2 - centre
        return np.concatenate([place(away, SEARCH / side) - size / 2, size])

    return code


def _sized(size: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A change to the size (2,), the corner with it: (w and h in frame pixels, scale)."""

    def code(right, box, centre, side):
        old, new = right(box, centre, side), size(box[2:], SEARCH / side)
        return np.concatenate([old[:2] + old[2:] / 2 - new / 2, new])

    return code


HALF = SEARCH / 2


@check(
    "match.fault",
    reference=mended_label,
    mistakes={
        "the fault is still there: where the crop goes right, the target goes left in it": _placed(
            lambda away, scale: HALF - away * scale
        ),
        "now the label stays at the centre, wherever the crop lies: the network would learn the "
        "centre again": _placed(lambda away, scale: np.full(2, HALF)),
        "now the label is on one side of the centre, whichever way the crop moved": [
            _placed(lambda away, scale: HALF + np.abs(away) * scale),
            _placed(lambda away, scale: HALF - np.abs(away) * scale),
        ],
        "x is fixed, y is still on the wrong side": _placed(
            lambda away, scale: HALF + away * [scale, -scale]
        ),
        "y is fixed, x is still on the wrong side": _placed(
            lambda away, scale: HALF + away * [-scale, scale]
        ),
        "your distance is in frame pixels; the scale was right, so keep it": _placed(
            lambda away, scale: HALF + away
        ),
        "the scale was right: 255 search pixels show `side` frame pixels": [
            _placed(lambda away, scale: HALF + away / scale),
            _sized(lambda size, scale: size / scale),
            lambda right, box, centre, side: right(box, centre, side * SEARCH / 127),
        ],
        "the size was right: it is in pixels of the search image": [
            _sized(lambda size, scale: size),
            _sized(lambda size, scale: size * scale / 2),
        ],
        "the distance goes from centre to centre; box[:2] is the target's corner": (
            lambda right, box, centre, side: (
                right(box, centre, side) - np.append(box[2:] / 2 * SEARCH / side, [0, 0])
            )
        ),
        "a box begins at its upper left corner; yours begins at its centre": (
            lambda right, *given: right(*given) + np.append(right(*given)[2:] / 2, [0, 0])
        ),
        "x and y have changed places": lambda right, *given: right(*given)[[1, 0, 2, 3]],
        "width and height have changed places": _sized(lambda size, scale: size[::-1] * scale),
        "the distance was right, it only had the wrong sign; yours is twice as far": _placed(
            lambda away, scale: HALF + 2 * away * scale
        ),
        "the centre of 255 pixels is at 127.5": [
            _placed(lambda away, scale, at=at: at + away * scale) for at in (127, 128)
        ],
        "a target may reach over the edge of the search image: nothing is clipped": [
            lambda right, *given: np.clip(right(*given), 0, SEARCH),
            lambda right, *given: np.append(np.maximum(right(*given)[:2], 0), right(*given)[2:]),
        ],
        "these are the corners x0, y0, x1, y1; a box is x, y, w, h": lambda right, *given: (
            np.append(right(*given)[:2], right(*given)[:2] + right(*given)[2:])
        ),
        "pixels are not whole numbers here: nothing is rounded": (
            lambda right, *given: np.round(right(*given))
        ),
    },
)
def examine_fault(answer, rng) -> None:
    """The label, for crops moved in all four directions and a target at the edge."""
    cases = []
    for right_of, below in ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 1)):
        side = float(rng.uniform(140, 230))
        # in search pixels; the last target is so large that it reaches over the edge
        size = rng.uniform((230, 200), (250, 225)) if len(cases) == 4 else rng.uniform(31, 80, 2)
        moved = rng.uniform((14, 31), (28, 55)) * [right_of, below]
        corner, scale = rng.uniform(20, 90, 2), SEARCH / side
        box = np.concatenate([corner, size / scale])
        cases.append((box, corner + (size / 2 + moved) / scale, side))
    answer.compare((cases,), "the label", _read, call=each, otherwise=_in_words)


def _read(rows: list) -> np.ndarray:
    """Labels (cases, 4)."""
    return np.stack([as_array(row, (4,), "the label") for row in rows])


def _in_words(given: np.ndarray, right: np.ndarray) -> str:
    """The number that differs most, with both values."""
    case, worst = np.unravel_index(np.abs(given - right).argmax(), right.shape)
    is_now, should_be = apart(given[case, worst], right[case, worst])
    return f"{'xywh'[worst]} of the label is {is_now} where it should be {should_be}"
