"""Checks of lesson 11, third part: templates by ROI-Align, and their running average."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array, as_parts, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson11 import random_features
from course_lib.exercises.words import Wrong
from course_lib.models.templates import mixed, roi_of, running_average, template_from

SQUARE = "centre {place}, first cell at {2}, stride {3}: "


@check(
    "margin.roi",
    reference=roi_of,
    mistakes={
        SQUARE + "cell k covers [k, k + 1], so its centre is at k + 0.5: your square lies half a "
        "cell too far up and left": lambda right, *given: right(*given) - 0.5,
        SQUARE + "the first cell's centre lies at pixel `first`, not at 0: subtract it": (
            lambda right, centre, ratio, first, *given: right(centre, ratio, 0.0, *given)
        ),
        "ROI-Align wants two corners, x0, y0, x1, y1; you give the size in place of the second": (
            np.s_[2:],
            lambda right, *given: right(*given) - right(*given)[[0, 1, 0, 1]],
        ),
        "the target has grown by `ratio`, so its square covers more cells: ratio · cells": (
            lambda right, centre, ratio, *given: right(centre, 1.0, *given)
        ),
        "x comes first, then y; you have swapped them": (
            lambda right, *given: right(*given)[[1, 0, 3, 2]]
        ),
        SQUARE + "half the side lies on each side of the centre; yours has a side of "
        "2 · ratio · cells": lambda right, centre, ratio, *given: right(centre, 2 * ratio, *given),
        SQUARE + "`first` is in pixels: subtract it before you divide by the stride": (
            lambda right, centre, ratio, first, stride, cells: right(
                centre - (stride - 1) * first, ratio, first, stride, cells
            )
        ),
        SQUARE + "the map has a cell every {3} pixels: divide by the stride": (
            lambda right, centre, ratio, first, stride, cells: right(centre, ratio, first, 1, cells)
        ),
    },
    others={
        "should be a tensor": lambda right, *given: right(*given).tolist(),
        "the square": lambda right, centre, ratio, first, stride, cells: right(
            centre, ratio, first, 8, cells
        ),
    },
)
def examine_roi(answer, rng) -> None:
    """From pixels to the map."""
    for place, ratio, first, stride, cells in (
        ((127.5, 127.5), 1.0, 43.5, 8, 6),
        ((147.5, 111.5), 1.0, 43.5, 8, 6),
        ((130.0, 120.0), 1.1, 47.5, 8, 5),
        ((140.0, 101.0), 0.9, 31.5, 4, 7),
        ((52.0, 39.0), 1.2, 43.5, 8, 6),
    ):
        named = f"centre {place}, first cell at {first}, stride {stride}: the square"
        answer.compare(
            (torch.tensor(place), ratio, first, stride, cells),
            "the square",
            (4,),
            tolerance=1e-5,
            near=1e-4,
            named=named,
            place=place,
        )


def _columns(right, features, square, cells):
    """A mistake: x and y are swapped on the map."""
    return right(features, square[[1, 0, 3, 2]], cells)


def _whole(features, square):
    """The cells (1, C, h, w) that a square touches."""
    low, high = square[:2].floor().int().tolist(), square[2:].ceil().int().tolist()
    return features[:, :, low[1] : high[1], low[0] : high[0]]


def _nearest(right, features, square, cells):
    """A mistake: the nearest cell is taken."""
    column, row = (
        torch.round(
            square[k] + (torch.arange(cells) + 0.5) * (square[k + 2] - square[k]) / cells - 0.5
        ).long()
        for k in (0, 1)
    )
    return features[:, :, row][..., column]


@check(
    "margin.align",
    reference=template_from,
    mistakes={
        "the map's rows are y and its columns x; the square is x0, y0, x1, y1": _columns,
        "half a cell off: the centre of cell k is at k + 0.5, so sample point p lies at "
        "index p − 0.5": [
            lambda right, features, square, cells: right(features, square - 0.5, cells),
            lambda right, features, square, cells: right(features, square + 0.5, cells),
        ],
        "you take the nearest cell; between cells interpolate bilinearly, or small motions are "
        "lost": _nearest,
        "you round the square to whole cells; that is what ROI-Align avoids": (
            lambda right, features, square, cells: right(
                features, square[:2].round().repeat(2) + torch.tensor([0, 0, cells, cells]), cells
            )
        ),
    },
    others={
        "lies on the map's own cells copies them": lambda right, *given: 2 * right(*given),
        "for the square": [
            lambda right, features, square, cells: right(
                features, torch.cat([square[:2], square[:2] + cells]), cells
            ),
            lambda right, features, square, cells: F.interpolate(
                _whole(features, square), (cells, cells), mode="bilinear", align_corners=True
            ),
        ],
        "should be a tensor": lambda right, *given: right(*given).numpy(),
        "has shape": lambda right, features, square, cells: right(features, square, 5),
    },
)
def examine_align(answer, rng) -> None:
    """ROI-Align."""
    features = random_features(rng, 1, 3, 12, 14)
    for square, cells in (
        ([3.0, 4.0, 8.0, 9.0], 5),
        ([2.0, 1.5, 8.0, 9.5], 5),
        ([2.3, 3.6, 7.3, 8.6], 5),
        ([8.6, 5.5, 13.4, 11.3], 4),
        ([9.0, 7.0, 14.0, 12.0], 5),
    ):
        named = f"for the square {torch.tensor(square).tolist()} the template"
        if square[0] == 3.0:
            named = "a square that lies on the map's own cells copies them: the template"
        inputs, shape = (features, torch.tensor(square), cells), (1, 3, cells, cells)
        answer.compare(inputs, "the template", shape, tolerance=1e-4, named=named)


def renewed(
    first: Tensor,
    average: Tensor,
    fresh: Tensor,
    score: float,
    rate: float,
    keep: float,
    sure: float,
) -> tuple[Tensor, Tensor]:
    """The exemplar to search with, and the average of templates.

    Args:
        first, average, fresh: templates (1, C, h, w) of length 1.
        score: of the detection that `fresh` was cut at.
        rate: how far the average moves.
        keep: how much of the first template stays in the exemplar.
        sure: score above which the average moves.
    """
    if score > sure:
        average = running_average(average, fresh, rate)
    return mixed(first, average, keep), average


def _averaged(change):
    """A mistake: another average, (average, fresh, rate) → average."""

    def answer(right, first, average, fresh, score, rate, keep, sure):
        if score > sure:
            average = change(average, fresh, rate)
        return keep * first + (1 - keep) * average, average

    return answer


def _exemplar(mix):
    """A mistake: another exemplar, (first, old average, new average, keep) → exemplar."""

    def answer(right, first, average, fresh, score, rate, keep, sure):
        new = right(first, average, fresh, score, rate, keep, sure)[1]
        return mix(first, average, new, keep), new

    return answer


@check(
    "margin.average",
    reference=renewed,
    mistakes={
        "the score {3:g} is above {6:g}, but the average has not moved": (
            1,
            _averaged(lambda average, fresh, rate: average),
        ),
        "the rates are the wrong way round: the new template gets `rate`, the average the rest": [
            (1, _averaged(lambda average, fresh, rate: running_average(fresh, average, rate))),
            (1, _averaged(lambda average, fresh, rate: rate * average + (1 - rate) * fresh)),
        ],
        "bring the average back to length 1: two directions averaged are shorter, and it would "
        "fade": (1, _averaged(lambda average, fresh, rate: average.lerp(fresh, rate))),
        "the first template is gone; it is the only one known to be right, so keep it in the "
        "exemplar": (0, _exemplar(lambda first, old, new, keep: new)),
        "the first template has the weight `keep`, the average the rest; yours are swapped": (
            0,
            _exemplar(lambda first, old, new, keep: mixed(new, first, keep)),
        ),
        "mix the first template with the *new* average": (
            0,
            _exemplar(lambda first, old, new, keep: mixed(first, old, keep)),
        ),
    },
    others={
        "do not change the average": [
            lambda right, first, average, fresh, score, *given: right(
                first, average, fresh, 1.0, *given
            ),
            lambda right, first, average, fresh, score, rate, keep, sure: right(
                first, average, fresh, score, rate, keep, sure - 1e-6
            ),
        ],
        "below `sure` too": [
            lambda right, first, average, fresh, score, rate, keep, sure: (
                right(first, average, fresh, score, rate, keep, sure)
                if score > sure
                else (first, average)
            ),
            lambda right, first, average, fresh, score, rate, keep, sure: (
                right(first, average, fresh, score, rate, keep, sure)
                if score > sure
                else (average, average)
            ),
        ],
        "the answer has two parts": lambda right, *given: right(*given)[0],
    },
)
def examine_average(answer, rng) -> None:
    """Running average."""
    templates = tuple(
        F.normalize(random_features(rng, 1, 4, 3, 3).flatten(1)).view(1, 4, 3, 3) for _ in range(3)
    )

    def read(given):
        parts = zip(
            as_parts(given, "the exemplar to search with", "the new average"),
            ("exemplar", "average"),
            strict=True,
        )
        return tuple(as_array(part, (1, 4, 3, 3), what) for part, what in parts)

    for numbers in ((0.9, 0.1, 0.3, 0.6), (0.55, 0.35, 0.75, 0.5)):
        inputs = *templates, *numbers
        answer.compare(inputs, ("the exemplar", "the average"), read, tolerance=1e-4, near=1e-5)
    for score in (0.5, 0.6):
        low = read(answer(*(t.clone() for t in templates), score, 0.1, 0.3, 0.6))
        right = read(answer.right(*templates, score, 0.1, 0.3, 0.6))
        if not same(low[1], right[1], 1e-5):
            raise Wrong(
                f"the score {score} is not above 0.6: this detection may be wrong; do not change "
                "the average"
            )
        if not same(low[0], right[0], 1e-5):
            raise Wrong(
                "below `sure` too the exemplar is keep · first + (1 − keep) · average, with the "
                "average as it was"
            )
