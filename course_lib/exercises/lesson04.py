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


@check(
    "siamfc.side",
    reference=side_around,
    mistakes={
        "you widen the box by (w + h) / 4 in total; that much belongs on each side, so w and h "
        "each grow by (w + h) / 2": _with_context(lambda w, h: (w + h) / 4),
        "w and h grow by w + h in yours; each grows by p = (w + h) / 2 in all, p / 2 at either "
        "end": _with_context(lambda w, h: w + h),
        "that is the square's area: take its square root": lambda right, b: right(b) ** 2,
        "the square has the area of the widened box: the square root of the product, not the "
        "longer side, the mean or the diagonal": [
            lambda right, b: b[2:].max() + b[2:].sum() / 2,
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
        "your p or your side is rounded to whole pixels; both may be fractions": [
            lambda right, b: np.round(right(b)),
            lambda right, b: np.floor(right(b)),
            _with_context(lambda w, h: (w + h) // 2),
        ],
        "that is the search image's side, 255 / 127 times too long: s_z is asked for": (
            lambda right, b: right(b) * 255 / 127
        ),
    },
)
def examine_side(answer, rng) -> None:
    """Side of the exemplar's square."""
    # corners and sizes that cannot be taken for each other without a difference
    boxes = [np.array([3.5, 8.25, 60.5, 31.0]), np.array([12.0, 5.5, 24.6, 77.3])]
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


STEPS, LAST = np.s_[:, :2], np.s_[:, 2]  # of a map: its steps, and where it sends pixel 0


@check(
    "siamfc.crop",
    reference=windows.crop_matrix,
    mistakes={
        "your step is size / side, that of the way from the frame to the crop; cv2.warpAffine "
        "needs the way back here: side / size frame pixels for each crop pixel": (
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
        "your step is 1: a crop pixel is side / size frame pixels wide": (
            STEPS,
            lambda right, cx, cy, side, size: np.eye(2, 3),
        ),
        "the first row yields the column x and the second the row y; yours are exchanged": (
            lambda right, *given: right(*given)[::-1]
        ),
        "your map exchanges columns and rows: in the first row the step belongs to the column, "
        "and stands first": (
            STEPS,
            lambda right, *given: right(*given)[:, [1, 0, 2]],
        ),
        "the half pixels are missing: crop column j has its centre at j + 0.5, and the frame's "
        "pixel numbers are 0.5 less than positions": _placed(lambda c, side, step: c - side / 2),
        "the + 0.5 is missing: the centre of crop column j is at j + 0.5": _placed(
            lambda c, side, step: c - side / 2 - 0.5
        ),
        "the − 0.5 is missing: frame pixel numbers refer to pixel centres too": _placed(
            lambda c, side, step: c - side / 2 + 0.5 * step
        ),
        "the last 0.5 is to be subtracted: the frame pixel whose centre is at 0.5 has number 0": (
            _placed(lambda c, side, step: c - side / 2 + 0.5 * step + 0.5)
        ),
        "your first half pixel is half a frame pixel; it is half a crop pixel, 0.5 · step frame "
        "pixels": _placed(lambda c, side, step: c - side / 2 + 0.5 - 0.5 * step),
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
        "the corner is rounded to whole pixels in your map; it may lie anywhere": [
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
        cx, cy, side = (float(v) for v in rng.uniform((30, 80, 40), (70, 200, 190)))
        answer.compare((cx, cy, side, size), "the map", (2, 3))
