"""Checks of lesson 09: the mask guide."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.core import check
from course_lib.exercises.lesson09 import as_map
from course_lib.geometry import guide


def _filled(edges):
    """A mistake: masks filled by slices from and to `edges`, (start, length) → two ints."""

    def fill(right, boxes, size):
        found = torch.zeros(len(boxes), 1, size, size)
        for mask, (x, y, w, h) in zip(found[:, 0], boxes.tolist(), strict=True):
            (left, end), (top, bottom) = edges(x, w), edges(y, h)
            mask[top:bottom, left:end] = 1
        return found

    return fill


def _moved(*by: float):
    """A mistake: every box is changed by (x, y, w, h)."""
    return lambda right, boxes, size: right(boxes + torch.tensor(by), size)


LONG = 512.0  # pixels: longer than any image here, and a power of two, so that no digit is lost


def _edges(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Where boxes (N, 4) begin and end, (N, 2) each."""
    return boxes[:, :2], boxes[:, :2] + boxes[:, 2:]


def _between(begin: Tensor, end: Tensor) -> Tensor:
    """Boxes (N, 4) that begin and end there."""
    return torch.cat([begin, end - begin], 1).float()


def _inside(boxes: Tensor, size: int) -> Tensor:
    """Which boxes (N, 4) lie in the image with all of their area, (N,)."""
    begin, end = _edges(boxes)
    return ((begin >= 0) & (end <= size)).all(1)


def _wrong_pixel(given: np.ndarray, right: np.ndarray, boxes: Tensor, size: int) -> str:
    """The message about the first pixel that is wrong.

    Args:
        given: the answer's masks.
        right: (B, 1, size, size).
        boxes: (B, 4).
        size: pixels per side.
    """
    if given.shape != right.shape:
        return f"the mask has shape {given.shape}; expected {right.shape}"
    if not set(np.unique(given)) <= {0.0, 1.0}:
        return f"a mask holds only 0 and 1; yours has {np.unique(given)[:4].tolist()}"
    k, _, row, column = (int(i) for i in np.argwhere(given != right)[0])
    x, y, w, h = (round(v, 2) for v in boxes[k].tolist())
    where = "inside" if right[k, 0, row, column] else "outside"
    return (
        f"your mask {k} is {given[k, 0, row, column]:g} at row {row}, column {column}; the "
        f"pixel's centre, x = {column + 0.5:g} and y = {row + 0.5:g}, lies {where} the box "
        f"from x = {x:g} to {x + w:g} and y = {y:g} to {y + h:g}"
    )


@check(
    "match.mask",
    reference=guide.box_masks,
    mistakes={
        "a box that reaches over the edge keeps the part inside; yours disappears": (
            lambda right, boxes, size: (
                right(boxes, size) * _inside(boxes, size).float()[:, None, None, None]
            )
        ),
        "x and y are swapped: the last axis is x": (
            lambda right, *given: right(*given).transpose(2, 3)
        ),
        "your mask is 0 inside the box and 1 outside; invert it": (
            lambda right, *given: 1 - right(*given)
        ),
        "int() cuts the fraction off: a pixel counts if its centre, at i + ½, lies in the box": [
            _filled(lambda start, length: (int(start), int(start + length))),
            _filled(lambda start, length: (int(start), int(start) + int(length))),
        ],
        "a box may begin outside the image, at a negative x or y; a negative index counts from the "
        "end": _filled(lambda start, length: (round(start), round(start + length))),
        "you round width and height on their own; what counts is where the box ends, x + w and "
        "y + h": _filled(lambda start, length: (round(start), round(start) + round(length))),
        "you take every pixel that the box so much as touches; a pixel counts if its centre "
        "is inside": (
            _filled(lambda start, length: (math.floor(start), math.ceil(start + length)))
        ),
        "you compare a pixel's corner, i, with the box; its centre is at i + ½": [
            _moved(0.5, 0.5, 0, 0),
            _filled(lambda start, length: (math.ceil(start), math.ceil(start + length))),
        ],
        "the box ends at x + w and y + h; w and h are lengths, not places": (
            lambda right, boxes, size: right(
                torch.cat([boxes[:, :2], (boxes[:, 2:] - boxes[:, :2])], 1), size
            )
        ),
        "x, y is the box's corner, not its centre": lambda right, boxes, size: right(
            torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], 1), size
        ),
        "w goes with x and h with y; yours are swapped": (
            lambda right, boxes, size: right(boxes[:, [0, 1, 3, 2]], size)
        ),
        "each box has a mask of its own; all of yours show the first box": (
            lambda right, boxes, size: right(boxes[:1].expand_as(boxes), size)
        ),
        "each box has a mask of its own; yours are all boxes together": (
            lambda right, *given: (
                right(*given).amax(0, keepdim=True).expand(len(given[0]), 1, -1, -1)
            )
        ),
        "one limit is missing: a pixel lies in the box if its centre is at or after x and before "
        "x + w, and likewise for y": [
            _moved(-LONG, 0, LONG, 0),
            _moved(0, -LONG, 0, LONG),
            _moved(-LONG, -LONG, LONG, LONG),
            _moved(0, 0, LONG, 0),
            _moved(0, 0, 0, LONG),
            _moved(0, 0, LONG, LONG),
        ],
        "a thin box holds no pixel's centre; yours makes every box at least a pixel wide": (
            lambda right, boxes, size: right(
                torch.cat([boxes[:, :2], boxes[:, 2:].clamp(min=1)], 1), size
            )
        ),
        "x and y below 0 stay as they are: a box that begins outside also ends earlier": [
            lambda right, boxes, size: right(boxes.clamp(min=0), size),
            lambda right, boxes, size: right(boxes.clamp(0, size - 1), size),
            lambda right, boxes, size: right(boxes.abs(), size),
        ],
        "your boxes are rounded; a pixel's centre is compared with the box as it is": [
            lambda right, boxes, size: right(boxes.half().float(), size),
            lambda right, boxes, size: right(_between(*_edges(boxes.half())), size),
            lambda right, boxes, size: right((2 * boxes).round() / 2, size),
        ],
        "your box is one pixel too short or too long: it ends at x + w and y + h": [
            _moved(0, 0, -1, -1),
            _moved(0, 0, 1, 1),
        ],
        "your masks have shape {found}; a channel axis is missing: (B, 1, size, size)": (
            lambda right, *given: right(*given)[:, 0]
        ),
    },
    others={
        "lies outside the box": _moved(-1, 0, 1, 0),
        "only 0 and 1": lambda right, *given: 255 * right(*given),
    },
    learns=False,
)
def examine_mask(answer, rng) -> None:
    """Mask guide: of boxes inside and over the edges, thin and empty ones, one that covers the
    image and one far from it, and on an image in which places need their digits."""
    inside = [(_boxes(rng, *span), size) for size, *span in SIZES]
    odd = torch.tensor(ODD)[torch.from_numpy(rng.permutation(len(ODD)))]
    for cases in (inside, [(_boxes(rng, -3, 8), 17), (odd, 13)]):
        compare_arrays(
            answer,
            cases,
            "the mask",
            as_map("the mask"),
            _wrong_pixel,
            found=lambda given, right, *case: given.shape,
        )
    answer.compare(inside[0], "the mask", as_map("the mask"))


# pixels per side of an image; where boxes begin, from and to
SIZES = (16, 1, 8), (23, 2, 11), (160, 130, 150)
ODD = (
    *([2.6, 3.2, 0.8, 5.0], [4.2, 5.3, 6.0, 0.1], [6.2, 6.2, 0.0, 0.0]),
    *([-9.0, -3.0, 40.0, 30.0], [30.0, 2.0, 5.0, 5.0], [-8.3, 2.0, 4.0, 3.0]),
)


def _boxes(rng: np.random.Generator, low: int, high: int) -> Tensor:
    """Five boxes (5, 4) that begin at low … high. The fractions of their edges stay clear of ½,
    where a pixel's centre is."""
    fractions = rng.choice([0.0, 0.2, 0.3, 0.46, 0.54, 0.7, 0.8], (2, 5, 2))
    begin, length = rng.integers(low, high, (5, 2)), rng.integers(3, 9, (5, 2))
    begin[:2], length[:2] = low, [[3, 7], [8, 4]]
    fractions[:, 0] = [[0.7, 0.2], [0.3, 0.8]]
    if low > 100:
        fractions[:, :2] = [[[0.54, 0.46]] * 2, [[0.54, 0.46]] * 2]
    start, end = begin + fractions[0], begin + length + fractions[1]
    return torch.from_numpy(np.concatenate([start, end - start], 1)).float()
