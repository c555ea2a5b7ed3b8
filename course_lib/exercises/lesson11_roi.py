"""Check of lesson 11, second part: where a template lies on the map."""

from __future__ import annotations

import numpy as np
import torch

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.models.templates import roi_of


def _moved(change):
    """A mistake: another place of the centre in cells, change(cells from the first cell's)."""

    def code(right, centre, ratio, first, stride, cells):
        return right(
            first + stride * change((centre - first) / stride), ratio, first, stride, cells
        )

    return code


def _sized(cells_of):
    """A mistake: another side of the square, cells_of(ratio, cells)."""
    return lambda right, centre, ratio, first, stride, cells: right(
        centre, cells_of(ratio, cells) / cells, first, stride, cells
    )


@check(
    "margin.roi",
    reference=roi_of,
    mistakes={
        "{about}: cell k covers [k, k + 1], so its centre is at k + 0.5: your square lies half a "
        "cell, or a whole one, too far up and left": [
            lambda right, *given: right(*given) - 0.5,
            lambda right, *given: right(*given) - 1,
        ],
        "{about}: the half cell is added in cells, after the division by the stride": (
            lambda right, centre, ratio, first, stride, cells: (
                right(centre, ratio, first, stride, cells) - 0.5 + 0.5 / stride
            )
        ),
        "{about}: the first cell's centre lies at pixel `first`, not at 0: subtract it": [
            lambda right, centre, ratio, first, *given: right(centre, ratio, 0.0, *given),
            lambda right, centre, ratio, first, *given: right(centre, ratio, -first, *given),
        ],
        "ROI-Align wants two corners, x0, y0, x1, y1; you give the size in place of the second": (
            np.s_[2:],
            lambda right, *given: right(*given) - right(*given)[[0, 1, 0, 1]],
        ),
        "the target has grown by `ratio`, so its square covers more cells: ratio · cells": [
            _sized(lambda ratio, cells: cells),
            _sized(lambda ratio, cells: cells / ratio),
            _sized(lambda ratio, cells: cells * ratio**2),
            _sized(lambda ratio, cells: cells * ratio**0.5),
        ],
        "a target that has shrunk covers fewer cells: `ratio` may be below 1": (
            _sized(lambda ratio, cells: max(ratio, 1.0) * cells)
        ),
        "x comes first, then y; you have swapped them": (
            lambda right, *given: right(*given)[[1, 0, 3, 2]]
        ),
        "your four numbers are x0, x1, y0, y1; expected the two corners one after the other, "
        "x0, y0, x1, y1": lambda right, *given: right(*given)[[0, 2, 1, 3]],
        "your corners are in the wrong order: the upper left one first": (
            lambda right, *given: right(*given)[[2, 3, 0, 1]]
        ),
        "the square is in cells of the map; the side of yours is in pixels": (
            lambda right, centre, ratio, first, stride, cells: right(
                centre, ratio * stride, first, stride, cells
            )
        ),
        "{about}: half the side lies on each side of the centre; yours has a side of "
        "2 · ratio · cells": _sized(lambda ratio, cells: 2 * ratio * cells),
        "{about}: half the side lies on each side of the centre; yours has the centre as a "
        "corner": (
            lambda right, centre, ratio, first, stride, cells: (
                right(centre, ratio, first, stride, cells) + ratio * cells / 2
            )
        ),
        "{about}: `first` is in pixels: subtract it before you divide by the stride": (
            lambda right, centre, ratio, first, stride, cells: right(
                centre - (stride - 1) * first, ratio, first, stride, cells
            )
        ),
        "{about}: the map has a cell every {stride} pixels: divide by the stride": [
            lambda right, centre, ratio, first, stride, cells: right(
                centre, ratio, first, 1, cells
            ),
            lambda right, centre, ratio, first, stride, cells: right(
                centre, ratio, first, 1 / stride, cells
            ),
        ],
        "stride and cells are arguments; one of yours always has the same value": [
            lambda right, centre, ratio, first, stride, cells: right(
                centre, ratio, first, 8, cells
            ),
            _sized(lambda ratio, cells: 6 * ratio),
        ],
        "your square is rounded: ROI-Align is there to take it as it lies, between the cells": [
            _moved(torch.floor),
            _moved(torch.round),
            lambda right, *given: right(*given).floor(),
            lambda right, *given: right(*given).round(),
            _sized(lambda ratio, cells: ratio * cells // 2 * 2),
            _sized(lambda ratio, cells: round(ratio * cells)),
        ],
        "your side is a cell too short: `cells` counts the cells, not the steps between them": [
            _sized(lambda ratio, cells: ratio * (cells - 1)),
            _sized(lambda ratio, cells: ratio * cells - 1),
        ],
        "your square is cut off where it reaches beyond the map; return it as it is": (
            lambda right, *given: right(*given).clamp_min(0)
        ),
        "your square is in pixels; it is wanted in cells of the map": (
            lambda right, centre, ratio, first, stride, cells: (
                right(centre, ratio, first, stride, cells) * stride + first
            )
        ),
    },
    others={
        "should be a tensor": lambda right, *given: right(*given).tolist(),
        "the square's x0 is": lambda right, *given: right(*given) + 0.25,
    },
)
def examine_roi(answer, rng) -> None:
    """From pixels to the map, in several places at once."""
    cases = [
        (torch.tensor(place), ratio, first, stride, cells)
        for place, ratio, first, stride, cells in (
            ((127.5, 127.5), 1.0, 43.5, 8, 6),
            ((147.5, 111.5), 1.0, 43.5, 8, 6),
            ((130.0, 120.0), 1.1, 47.5, 8, 5),
            ((140.0, 101.0), 0.9, 31.5, 4, 7),
            ((52.0, 39.0), 1.2, 43.5, 8, 6),
        )
    ]
    compare_cases(
        answer,
        cases,
        tuple(f"the square's {name}" for name in ("x0", "y0", "x1", "y1")),
        lambda given, case: as_tensor(given, (4,), "the square"),
        _about,
        close=1e-5,
        stride=lambda centre, ratio, first, stride, cells: stride,
    )


def _about(centre, ratio: float, first: float, stride: int, cells: int) -> str:
    """A case in words.

    Args:
        centre, ratio, first, stride, cells: as in `roi_of`.
    """
    place = tuple(centre.tolist())
    return f"centre {place}, first cell at {first}, stride {stride}, ratio {ratio}, {cells} cells"
