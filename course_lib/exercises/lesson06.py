"""Checks of lesson 06: scales and upsampling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.compare import apart
from course_lib.exercises.core import check
from course_lib.trackers import siamfc


def bump(rng: np.random.Generator, n: int = 17) -> np.ndarray:
    """A smooth random response (n, n) float32 with one clear peak, much of it below 0."""
    row, column = rng.uniform(3, n - 4, 2)
    i = np.arange(n)
    hill = np.exp(-((i[:, None] - row) ** 2 + (i[None, :] - column) ** 2) / rng.uniform(4, 12))
    return (4 * hill + rng.normal(0, 0.1, (n, n)) - 2).astype(np.float32)


def each(answer: Callable[..., Any], cases: list[tuple]) -> list[Any]:
    """The answer's results for all cases, so that a mistake is recognised by all of them."""
    return [answer(*case) for case in cases]


def _misordered(given, right) -> str:
    """The message for factors that are not centred on 1, or that fall."""
    centre = given[len(given) // 2]
    if not np.isclose(centre, 1):
        said = (
            f"for {len(given)} scales the centre factor is {apart(centre, 1.0)[0]}; it should be 1"
        )
        shifted = np.allclose(given / given[0], right / right[0]) and centre > 0
        off = np.log(centre) / np.log(right[len(right) // 2 + 1]) if shifted else 0
        whole = shifted and np.isclose(2 * off, round(2 * off))  # by whole or half steps
        why = ": exponents run from −(count − 1)/2 to (count − 1)/2" if whole else ""
        return said + why
    fall = "your factors fall; let them rise, so that index 0 is the smallest"
    return fall if given[0] > given[-1] else ""


@check(
    "search.scales",
    reference=siamfc.scale_factors,
    mistakes={
        "your factors are added up; each should be `step` times the one before": (
            lambda right, count, step: 1 + (step - 1) * (np.arange(count) - count // 2)
        ),
        "your factors run from 1 / step to step, however many there are: each should be `step` "
        "times the one before": lambda right, count, step: step ** np.linspace(-1, 1, count),
        "your exponents are twice as large as they should be: neighbouring scales differ by one "
        "factor `step`": (lambda right, count, step: right(count, step) ** 2),
        "your exponents are half as large as they should be: neighbouring scales differ by one "
        "factor `step`": (lambda right, count, step: right(count, step) ** 0.5),
        "a scale below the middle is 1 / step times its neighbour, not 2 − step: the way down is "
        "a division": lambda right, count, step: np.where(
            right(count, step) < 1, 2 - right(count, step)[::-1], right(count, step)
        ),
        "your smaller scales are as large as the larger ones: below the middle the exponents are "
        "negative": lambda right, count, step: np.maximum(
            right(count, step), 1 / right(count, step)
        ),
        "your factors lie at equal distances between the two ends; each should be `step` times the "
        "one before": lambda right, count, step: np.linspace(
            step ** -(count // 2), step ** (count // 2), count
        ),
        "you raise another number than `step` to the exponents": [
            lambda right, count, step: np.exp((step - 1) * (np.arange(count) - count // 2)),
            lambda right, count, step: np.exp(step * (np.arange(count) - count // 2)),
            lambda right, count, step: 10.0 ** (np.arange(count) - count // 2),
        ],
        "your factors are divided by their sum; they are factors on a side, and the middle one is "
        "1": lambda right, count, step: right(count, step) / right(count, step).sum(),
        "you multiply `step` by the exponents; it is raised to them": (
            lambda right, count, step: step * (np.arange(count) - count // 2)
        ),
        "you step by 1.0375, whatever `step` is": lambda right, count, step: right(count, 1.0375),
        "your factors are rounded; a step of 1.0255 needs all its digits": [
            lambda right, count, step: np.round(right(count, step), 2),
            lambda right, count, step: np.round(right(count, step), 3),
        ],
        "you always return three factors; there are `count` of them": (
            lambda right, count, step: right(3, step)
        ),
    },
    others={
        "the centre factor is": [
            lambda right, count, step: step ** np.arange(count),
            lambda right, count, step: step ** (np.arange(count) - count / 2),
            lambda right, count, step: step ** np.arange(1, count + 1),
        ],
        "let them rise": lambda right, count, step: right(count, step)[::-1],
    },
)
def examine_scales(answer, rng) -> None:
    """Factors on the search side."""
    for count, step in ((7, 1.1), (5, 1.0255), (3, 1.0375), (1, 1.04)):
        answer.compare(
            (count, step),
            f"for {count} scales the factors",
            (count,),
            tolerance=1e-6,
            named="the factor",
            otherwise=_misordered,
        )


def _from_corner(right, response, factor):
    """A mistake: the centre of cell 0 lies on the centre of the large response's first."""
    (h, w), matrix = response.shape, np.array([[1 / factor, 0, 0], [0, 1 / factor, 0]])
    return cv2.warpAffine(
        *(response, matrix, (w * factor, h * factor)),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _corners_aligned(right, response, factor):
    """A mistake: the corner cells' centres stay at the corners."""
    (h, w), large = response.shape, response.shape[0] * factor
    rows = np.linspace(0, h - 1, large, dtype=np.float32)
    columns = np.linspace(0, w - 1, w * factor, dtype=np.float32)
    x, y = np.meshgrid(columns, rows)
    return cv2.remap(response, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@check(
    "search.enlarge",
    reference=siamfc.enlarge,
    mistakes={
        "your enlargement is bilinear: its peak can only lie on one of the 17 cells. Use "
        "cv2.INTER_CUBIC": lambda right, r, n: cv2.resize(r, None, fx=n, fy=n),
        "your enlargement repeats each cell: no finer than before. Use cv2.INTER_CUBIC": (
            lambda right, r, n: np.kron(r, np.ones((n, n)))
        ),
        "your interpolation is not the bicubic one but a longer filter: use cv2.INTER_CUBIC": (
            lambda right, r, n: cv2.resize(r, None, fx=n, fy=n, interpolation=cv2.INTER_LANCZOS4)
        ),
        "height and width are swapped: cv2.resize wants (width, height), a shape is (height, "
        "width)": [
            lambda right, r, n: cv2.resize(
                r, (len(r) * n, r.shape[1] * n), interpolation=cv2.INTER_CUBIC
            ),
            lambda right, r, n: right(r.T.copy(), n),
        ],
        "you enlarge to 272 cells, whatever comes in: each side becomes `factor` times as long": (
            lambda right, r, n: cv2.resize(r, (272, 272), interpolation=cv2.INTER_CUBIC)
        ),
        "you enlarge 16 times, whatever `factor` is": lambda right, r, n: right(r, 16),
        "your corner cells stay on the corners, so everything is stretched: cv2.resize leaves "
        "half a cell at each border": _corners_aligned,
        "your enlargement lies half a cell to the side: cell 0 covers the first `factor` rows and "
        "columns": _from_corner,
        "your values are divided by the factor; enlarging does not change them": [
            lambda right, r, n: right(r, n) / n,
            lambda right, r, n: right(r, n) / n**2,
        ],
        "your values are cut off at the response's lowest and highest; between cells a curve may "
        "lie beyond them": lambda right, r, n: right(r, n).clip(r.min(), r.max()),
        "your values are cut off at 0; a response may be negative": (
            lambda right, r, n: right(r, n).clip(0)
        ),
    },
)
def examine_enlarge(answer, rng) -> None:
    """Bicubic enlargement."""
    response, other = bump(rng), bump(rng)
    for part, factor in (
        *((response[:, :13], 7), (other[:, :13], 7)),  # two of one size: each its own result
        *((response, 16), (response[:10], 4)),
    ):
        shape = (part.shape[0] * factor, part.shape[1] * factor)
        answer.compare((part.copy(), factor), "the enlarged response", shape, tolerance=1e-4)
