"""Checks of lesson 09: where the target is: mask guide, spatial-aware sampling."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from course_lib.data.pairs_cut import shifted_centre
from course_lib.exercises.compare import apart, as_array
from course_lib.exercises.core import check
from course_lib.exercises.lesson09 import as_map
from course_lib.exercises.words import Wrong
from course_lib.geometry import masks


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


def _wrong_pixel(boxes: Tensor):
    """The message about the first pixel that is wrong, for masks of these boxes."""

    def words(given, right) -> str:
        if given.shape != right.shape:
            return ""
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

    return words


@check(
    "match.mask",
    reference=masks.box_masks,
    mistakes={
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
        "you round width and height by themselves; the box ends at x + w, y + h, and its end "
        "decides": _filled(lambda start, length: (round(start), round(start) + round(length))),
        "you take every pixel that the box so much as touches; a pixel counts if its centre does": (
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
        "your masks have shape {shape}; a channel axis is missing: (B, 1, size, size)": (
            lambda right, *given: right(*given)[:, 0]
        ),
    },
    others={
        "lies outside the box": _moved(0, 0, 1, 1),
        "only 0 and 1": lambda right, *given: 255 * right(*given),
    },
)
def examine_mask(answer, rng) -> None:
    """Mask guide."""
    for size, low in ((16, 1), (23, 2), (17, -3)):
        boxes = _boxes(rng, low, size // 2)
        otherwise = _wrong_pixel(boxes)
        answer.compare((boxes, size), "the mask", as_map("the mask"), otherwise=otherwise)


def _boxes(rng: np.random.Generator, low: int, high: int) -> Tensor:
    """Five boxes (5, 4) that begin at low … high. The fractions of their edges stay clear of ½,
    where a pixel's centre is."""
    fractions = rng.choice([0.0, 0.2, 0.3, 0.7, 0.8], (2, 5, 2))
    begin, length = rng.integers(low, high, (5, 2)), rng.integers(3, 9, (5, 2))
    begin[:2], length[:2] = low, [[3, 7], [8, 4]]
    fractions[:, 0] = [[0.7, 0.2], [0.3, 0.8]]
    start, end = begin + fractions[0], begin + length + fractions[1]
    return torch.from_numpy(np.concatenate([start, end - start], 1)).float()


def crop_centre(rng: np.random.Generator, box: np.ndarray, shift: float, side: float) -> np.ndarray:
    """Centre (2,) in frame pixels of a search square: spatial-aware sampling.

    Args:
        rng: of the shift.
        box: (4,) of the target, frame pixels.
        shift: at most, pixels of the search image.
        side: of the square in frame pixels; it is shown at 255.
    """
    return shifted_centre(rng, np.asarray(box, dtype=float), shift, 255 / side)


def _shifted(draw):
    """A mistake: the target's centre, shifted by draw(rng, shift) pixels of the search image."""

    def centre(right, rng, box, shift, side):
        return box[:2] + box[2:] / 2 + draw(rng, shift) * np.ones(2) * side / 255

    return centre


def _disc(rng, shift):
    """A point that is uniform in a disc."""
    angle = rng.uniform(0, 2 * np.pi)
    return shift * np.sqrt(rng.random()) * np.array([np.cos(angle), np.sin(angle)])


def _ring(rng, shift):
    """A point in a random direction, at a uniform distance."""
    angle = rng.uniform(0, 2 * np.pi)
    return rng.uniform(0, shift) * np.array([np.cos(angle), np.sin(angle)])


@check(
    "match.sampling",
    reference=crop_centre,
    mistakes={
        "the shift is in pixels of the 255-pixel search image, and one of them is side / 255 frame "
        "pixels": [
            lambda right, rng, box, shift, side: right(rng, box, shift * 255 / side, side),
            lambda right, rng, box, shift, side: right(rng, box, shift * (255 / side) ** 2, side),
        ],
        "your crops lie around the box's corner; the target's centre is x + w / 2, y + h / 2": (
            lambda right, rng, box, *given: right(rng, box, *given) - box[2:] / 2
        ),
        "your crops lie around the box's far corner; the target's centre is x + w / 2, y + h / 2": (
            lambda right, rng, box, *given: right(rng, box, *given) + box[2:] / 2
        ),
        "x and y are shifted by the same number; draw one for each": (
            _shifted(lambda rng, shift: rng.uniform(-shift, shift))
        ),
        "your shifts go one way only; draw them from −shift to shift": [
            _shifted(lambda rng, shift: rng.uniform(0, shift, 2)),
            _shifted(lambda rng, shift: -rng.uniform(0, shift, 2)),
        ],
        "every shift from −shift to shift is as likely as any other; yours is −shift or shift": [
            _shifted(lambda rng, shift: rng.choice([-shift, shift], 2)),
            _shifted(lambda rng, shift: rng.choice([-shift, shift])),
        ],
        "your shifts lie in a disc; x and y are drawn each by itself, so the corners of the square "
        "are reached too": [_shifted(_disc), _shifted(_ring)],
        "your shifts are normally distributed; draw them uniformly: all are equally likely": [
            _shifted(lambda rng, shift: rng.normal(0, shift, 2)),
            _shifted(lambda rng, shift: rng.normal(0, shift / 2, 2)),
            _shifted(lambda rng, shift: rng.normal(0, shift / 3, 2)),
        ],
        "your shifts cluster around 0; draw them uniformly: all are equally likely": [
            _shifted(lambda rng, shift: shift * rng.uniform(-1, 1, 2) ** 3),
            _shifted(lambda rng, shift: rng.triangular(-shift, 0, shift, 2)),
        ],
        "the largest shift is an argument, here {2}": (
            lambda right, rng, box, shift, side: right(rng, box, 64, side)
        ),
        "the target may lie up to `shift` from the centre on either side; yours stays within half "
        "of that": _shifted(lambda rng, shift: rng.uniform(-shift / 2, shift / 2, 2)),
        "your shifts reach twice as far as `shift`, which is the largest *in each direction*": (
            _shifted(lambda rng, shift: rng.uniform(-2 * shift, 2 * shift, 2))
        ),
        "only x is shifted; y is drawn as well": (
            _shifted(lambda rng, shift: np.array([rng.uniform(-shift, shift), 0]))
        ),
        "only y is shifted; x is drawn as well": (
            _shifted(lambda rng, shift: np.array([0, rng.uniform(-shift, shift)]))
        ),
    },
    others={
        "nothing is random here": lambda right, rng, box, *given: box[:2] + box[2:] / 2,
        "you draw from np.random": lambda right, rng, box, shift, side: (
            box[:2] + box[2:] / 2 + np.random.uniform(-shift, shift, 2) * side / 255  # noqa: NPY002
        ),
        "two generators with the same seed give different draws": (
            lambda right, rng, *given: right(np.random.default_rng(), *given)
        ),
        "beyond the largest": _shifted(lambda rng, shift: rng.uniform(-1.03, 1.03, 2) * shift),
        "none of your crops": _shifted(lambda rng, shift: rng.uniform(-0.97, 0.97, 2) * shift),
    },
)
def examine_sampling(answer, rng) -> None:
    """Spatial-aware sampling."""
    what = ("the shift of x", "the shift of y", "the distance from the target")
    cases = (
        ([100.3, 60.8, 50.0, 31.0], 64, 150.0, 800),
        ([7.5, 90.0, 24.6, 80.2], 21, 410.0, 250),
    )
    for box, shift, side, draws in cases:
        box = np.array(box)

        def read(given, centre=box[:2] + box[2:] / 2):
            dx, dy = as_array(given, (2,), "the centre") - centre
            return dx, dy, np.hypot(dx, dy)

        inputs = lambda rng, given=(box, shift, side): (rng, *given)  # noqa: E731
        seed = int(rng.integers(2**31))
        away = answer.compare_draws(inputs, what, read, draws=draws, seed=seed)
        furthest, limit = np.abs(away[:, :2]).max(), shift * side / 255
        # of 2 · draws numbers the largest is below this once in ten million
        if furthest < limit * (1 - 8 / draws):
            is_now, should_be = apart(furthest, limit)
            raise Wrong(
                f"none of your crops lies more than {is_now} frame pixels off, in {draws} draws; "
                f"the largest shift, {shift} pixels of a search image that shows {side:g} at 255, "
                f"is {should_be}"
            )
        if furthest > limit * (1 + 1e-9):
            is_now, should_be = apart(furthest, limit)
            raise Wrong(
                f"some of your crops lie {is_now} frame pixels off, beyond the largest shift, which "
                f"is {should_be}: {shift} pixels of a search image that shows {side:g} at 255"
            )
