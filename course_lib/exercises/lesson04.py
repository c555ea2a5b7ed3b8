"""Checks of lesson 04: the exemplar's square and the crop."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.core import check
from course_lib.geometry import windows


def side_around(box) -> float:
    """`context_side` of a box (4,)."""
    return float(windows.context_side(np.asarray(box)[2:]))


def _with_context(p):
    """A mistake: another context, p(w, h)."""
    return lambda right, b: np.sqrt((b[2] + p(b[2], b[3])) * (b[3] + p(b[2], b[3])))


def _limited(*limits, low=False):
    """Mistakes: no side below, or above, each of these."""
    limit = max if low else min
    return [lambda right, b, most=most: limit(most, right(b)) for most in limits]


@check(
    "siamfc.side",
    reference=side_around,
    mistakes={
        "you widen the box by (w + h) / 4 in total; that much belongs on each side, so w and h "
        "each grow by (w + h) / 2": _with_context(lambda w, h: (w + h) / 4),
        "in your version w and h grow by w + h; each should grow by p = (w + h) / 2 in all, p / 2 "
        "at either end": _with_context(lambda w, h: w + h),
        "that is the square's area: take its square root": lambda right, b: right(b) ** 2,
        "the square has the area of the widened box: the square root of the product, not "
        "the longer or the shorter side, the mean or the diagonal": [
            lambda right, b: b[2:].max() + b[2:].sum() / 2,
            lambda right, b: b[2:].min() + b[2:].sum() / 2,
            lambda right, b: b[2:].sum(),
            lambda right, b: np.hypot(*(b[2:] + b[2:].sum() / 2)),
        ],
        "the context is missing: add (w + h) / 2 to w and to h": (
            lambda right, b: np.sqrt(b[2:].prod())
        ),
        "only one side of your box gets the context: add p to w and to h": [
            lambda right, b: np.sqrt((b[2] + b[2:].mean()) * b[3]),
            lambda right, b: np.sqrt(b[2] * (b[3] + b[2:].mean())),
        ],
        "p is the mean of width and height, (w + h) / 2": [
            _with_context(max),
            _with_context(min),
            _with_context(lambda w, h: np.sqrt(w * h)),
            _with_context(lambda w, h: abs(w - h) / 2),
        ],
        "you take x and y for width and height: a box is x, y, w, h": (
            lambda right, b: right(np.roll(b, 2))
        ),
        "you take the last two numbers for the right and the bottom edge; they are the width and "
        "the height": lambda right, b: right([*b[:2], *(b[2:] - b[:2])]),
        "a box may be of any size: do not limit its side": [
            *_limited(1, 10, 20, low=True),
            *_limited(127, 255, 1000),
        ],
        "that is the search image's side, 255 / 127 times too long: s_z is asked for": (
            lambda right, b: right(b) * 255 / 127
        ),
        "your box, your p or your side is rounded to whole pixels; all may be fractions": [
            lambda right, b: np.round(right(b)),
            lambda right, b: np.floor(right(b)),
            lambda right, b: np.ceil(right(b)),
            lambda right, b: right(np.floor(b)),
            lambda right, b: right(np.round(b)),
            _with_context(lambda w, h: (w + h) // 2),
        ],
        "you add 1 to width and height; they are w and h pixels as they stand": (
            lambda right, b: right(b + [0, 0, 1, 1])
        ),
        "that is the scale, crop pixels per frame pixel; the square's side is asked for": [
            lambda right, b: 127 / right(b),
            lambda right, b: right(b) / 127,
        ],
        "the crop is 127 pixels wide whatever the box is; its side in the frame is asked for": (
            lambda right, b: 127.0
        ),
    },
)
def examine_side(answer, rng) -> None:
    """Side of the exemplar's square."""
    # corners and sizes that make a difference if one is taken for the other
    boxes = [np.array([3.5, 8.25, 60.5, 31.0]), np.array([12.0, 5.5, 24.6, 77.3])]
    boxes += [np.array([-9.5, 2.5, 0.3, 0.4]), np.array([700.0, 90.0, 2310.5, 1640.0])]
    boxes += [np.concatenate([rng.uniform(0, 200, 2), rng.uniform(10, 200, 2)]) for _ in range(4)]
    for box in boxes:
        answer.compare((box,), "the side", hint="√((w + p)(h + p)) with p = (w + h) / 2")


def _placed(first):
    """A mistake: crop pixel 0 lies at another column and row, first(centre, side, step)."""
    return lambda right, cx, cy, side, size: np.array(
        [
            [side / size, 0, first(cx, side, side / size)],
            [0, side / size, first(cy, side, side / size)],
        ]
    )


def _uneven(shift, crop=False):
    """A mistake: x and y lie `shift` frame pixels off, or crop pixels."""

    def code(right, cx, cy, side, size):
        unit = side / size if crop else 1
        return right(cx + shift[0] * unit, cy + shift[1] * unit, side, size)

    return code


STEPS, LAST = np.s_[:, :2], np.s_[:, 2]  # of a map: its steps, and where it sends pixel 0


@check(
    "siamfc.crop",
    reference=windows.crop_matrix,
    mistakes={
        "your step is size / side, which leads from the frame to the crop; here cv2.warpAffine "
        "needs the way back: side / size frame pixels for each crop pixel": (
            STEPS,
            lambda right, cx, cy, side, size: np.eye(2, 3) * size / side,
        ),
        "your step is side / (size − 1): `size` pixels share the whole side": (
            STEPS,
            lambda right, cx, cy, side, size: np.eye(2, 3) * side / (size - 1),
        ),
        "your step divides by the same size whatever `size` is": [
            (STEPS, lambda right, cx, cy, side, size: np.eye(2, 3) * side / 127),
            (STEPS, lambda right, cx, cy, side, size: np.eye(2, 3) * side / 255),
        ],
        "your step is {given[0][0]:g} here: a crop pixel is side / size frame pixels wide, which "
        "may be less than 1 and need not be whole": [
            (STEPS, lambda right, cx, cy, side, size: np.eye(2, 3)),
            (STEPS, lambda right, cx, cy, side, size: np.eye(2, 3) * (side // size)),
            (STEPS, lambda right, cx, cy, side, size: right(cx, cy, max(side, size), size)),
        ],
        "your step is (side − 1) / (size − 1), from the first pixel's centre to the last one's; "
        "`size` pixels share the whole side: side / size": (
            STEPS,
            lambda right, cx, cy, side, size: np.eye(2, 3) * (side - 1) / (size - 1),
        ),
        "the first row yields the column x and the second the row y; yours are exchanged": (
            lambda right, *given: right(*given)[::-1]
        ),
        "your map exchanges columns and rows: in the first row the step belongs to the column, "
        "and stands first": (
            STEPS,
            lambda right, *given: right(*given)[:, [1, 0, 2]],
        ),
        "your crop column 0 is read at the number `left`; two halves change that number: the "
        "column's centre is 0.5 · step right of the corner, and pixel numbers are 0.5 less than "
        "positions": _placed(lambda c, side, step: c - side / 2),
        "the + 0.5 is missing: the centre of crop column j is at j + 0.5": _placed(
            lambda c, side, step: c - side / 2 - 0.5
        ),
        "the − 0.5 is missing: frame pixel numbers refer to pixel centres too": _placed(
            lambda c, side, step: c - side / 2 + 0.5 * step
        ),
        "subtract the last 0.5: the frame pixel whose centre is at 0.5 has number 0": (
            _placed(lambda c, side, step: c - side / 2 + 0.5 * step + 0.5)
        ),
        "your first half pixel is half a frame pixel; it is half a crop pixel, 0.5 · step frame "
        "pixels": _placed(lambda c, side, step: c - side / 2 + 0.5 - 0.5 * step),
        "your first half pixel is subtracted; crop column 0 has its centre at + 0.5 · step": (
            _placed(lambda c, side, step: c - side / 2 - 0.5 * step - 0.5)
        ),
        "your two rows treat the half pixels differently; the row needs what the column needs": [
            *(_uneven(shift) for shift in ((0.5, 0), (0, 0.5), (1, 0), (0, 1))),
            *(_uneven(shift, crop=True) for shift in ((-0.5, 0), (0, -0.5), (-1, 0), (0, -1))),
        ],
        "your square is kept inside the frame; its corner may lie outside": lambda right, *given: (
            np.maximum(right(*given), 0)
        ),
        "your rows run upwards: in a frame, as in a crop, row numbers grow downwards": (
            lambda right, *given: right(*given) * [[1, 1, 1], [1, -1, 1]]
        ),
        "`left` and its counterpart for the row are missing: your crop begins in the frame's corner": [
            _placed(lambda c, side, step: 0.5 * step - 0.5),
            _placed(lambda c, side, step: 0.0),
        ],
        "your crop begins at the target's centre; its corner is half a side up and left of it": [
            _placed(lambda c, side, step: c + 0.5 * step - 0.5),
            _placed(lambda c, side, step: c),
        ],
        "your crop begins half a side right of and below the centre: subtract side / 2": _placed(
            lambda c, side, step: c + side / 2 + 0.5 * step - 0.5
        ),
        "the corner is half a side from the centre: side / 2 frame pixels, not size / 2": _placed(
            lambda c, side, step: c - side / step / 2 + 0.5 * step - 0.5
        ),
        "the corner is half a side from the centre; yours is a whole side away": _placed(
            lambda c, side, step: c - side + 0.5 * step - 0.5
        ),
        "x and y are swapped: the first row yields the column x": (
            LAST,
            lambda right, cx, cy, side, size: right(cy, cx, side, size),
        ),
        "both rows of your map use cx; the second yields the row, from cy": (
            LAST,
            lambda right, cx, cy, side, size: right(cx, cx, side, size),
        ),
        "something is rounded to whole pixels in your map; centre and corner may lie anywhere": [
            lambda right, cx, cy, *given: right(np.floor(cx), np.floor(cy), *given),
            lambda right, cx, cy, *given: right(np.round(cx), np.round(cy), *given),
            lambda right, *given: np.hstack([right(*given)[:, :2], np.trunc(right(*given)[:, 2:])]),
            lambda right, *given: np.hstack([right(*given)[:, :2], np.round(right(*given)[:, 2:])]),
            lambda right, *given: np.hstack([right(*given)[:, :2], np.floor(right(*given)[:, 2:])]),
            _placed(lambda c, side, step: c - side // 2 + 0.5 * step - 0.5),
            _placed(lambda c, side, step: np.floor(c - side / 2) + 0.5 * step - 0.5),
            _placed(lambda c, side, step: np.round(c - side / 2) + 0.5 * step - 0.5),
        ],
        "your map has shape {shape}; cv2.warpAffine takes the two rows for x and y: (2, 3)": [
            lambda right, *given: np.vstack([right(*given), [0, 0, 1]]),
            lambda right, *given: right(*given).T,
        ],
    },
)
def examine_crop(answer, rng) -> None:
    """Affine map from crop pixels to frame pixels."""
    for size in (63, 127, 255, 100):
        cx, cy, side = (float(v) for v in rng.uniform((30, 80, 70), (70, 200, 190)))
        answer.compare((cx, cy, side, size), "the map", (2, 3))
    answer.compare((-3.25, 6.5, 9.5, 8), "the map", (2, 3))  # small, and outside
