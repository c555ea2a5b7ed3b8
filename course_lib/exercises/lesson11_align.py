"""Check of lesson 11, second part: templates by ROI-Align."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.lesson11 import random_features
from course_lib.exercises.words import Wrong
from course_lib.models.templates import template_from


def _middles(low: Tensor, high: Tensor, cells: int) -> Tensor:
    """The right sample points (cells,) between two edges, as indices."""
    return low + (torch.arange(cells) + 0.5) * (high - low) / cells - 0.5


def _parts(offset: float, half: float = 0.5):
    """Sample points elsewhere in their parts, (low, high, cells) → indices (cells,)."""
    return lambda low, high, cells: (
        low + (torch.arange(cells) + offset) * (high - low) / cells - half
    )


def _sampled(points=_middles, weigh=lambda rest: rest, square_of=lambda square: square):
    """A mistake: other sample points, another weight of the next cell, or another square.

    Args:
        points: (low, high, cells) → indices (cells,).
        weigh: fraction of the way to the next cell → that cell's weight.
        square_of: square → the one that is sampled.
    """

    def code(right, features, square, cells):
        square = square_of(square)
        for axis, k in ((3, 0), (2, 1)):
            at = points(square[k], square[k + 2], cells)
            below = at.floor().long().clamp(0, features.shape[axis] - 2)
            shape = [1, 1, 1, 1]
            shape[axis] = cells
            rest = weigh(at - below).view(shape)
            near, far = (features.index_select(axis, i) for i in (below, below + 1))
            features = (1 - rest) * near + rest * far
        return features

    return code


def _on(square_of):
    """A mistake: another square, square_of(square, cells)."""
    return lambda right, features, square, cells: right(features, square_of(square, cells), cells)


def _grid(align: bool, over_edges: bool, mode: str = "bilinear"):
    """A mistake: `F.grid_sample` with a grid that runs otherwise than it is told.

    Args:
        align: the argument align_corners.
        over_edges: whether −1 and 1 are the map's edges in the grid; else its outermost centres.
        mode: of the interpolation.
    """

    def code(right, features, square, cells):
        axes = []
        for size, k in ((features.shape[3], 0), (features.shape[2], 1)):
            at = _middles(square[k], square[k + 2], cells)
            axes.append(2 * (at + 0.5) / size - 1 if over_edges else 2 * at / (size - 1) - 1)
        x, y = axes
        grid = torch.stack([x.expand(cells, -1), y[:, None].expand(-1, cells)], -1)[None]
        return F.grid_sample(features, grid, mode, "border", align_corners=align)

    return code


def _pooled(pool):
    """A mistake: the cells that a part touches are pooled."""

    def code(right, features, square, cells):
        x0, y0, x1, y1 = square.round().int().tolist()
        return pool(features[:, :, y0:y1, x0:x1], cells)

    return code


def _whole(features, square):
    """The cells (1, C, h, w) that a square touches."""
    low, high = square[:2].floor().int().tolist(), square[2:].ceil().int().tolist()
    return features[:, :, low[1] : high[1], low[0] : high[0]]


@check(
    "margin.align",
    reference=template_from,
    mistakes={
        "the map's rows are y and its columns x; the square is x0, y0, x1, y1": [
            _sampled(square_of=lambda square: square[[1, 0, 3, 2]]),
            lambda right, features, square, cells: right(features, square, cells).transpose(2, 3),
        ],
        "the square is two corners, x0, y0, x1, y1: not a corner and a size, nor x0, x1, y0, y1": [
            _sampled(square_of=lambda square: torch.cat([square[:2], square[:2] + square[2:]])),
            _sampled(square_of=lambda square: square[[0, 2, 1, 3]]),
        ],
        "x and y have edges of their own; you take those of one for both": [
            _sampled(square_of=lambda square: square[[0, 0, 2, 2]]),
            _sampled(square_of=lambda square: square[[1, 1, 3, 3]]),
        ],
        "half a cell off: the centre of cell k is at k + 0.5, so sample point p lies at index "
        "p − 0.5": [
            _on(lambda square, cells: square - 0.5),
            _on(lambda square, cells: square + 0.5),
            _sampled(_parts(0.5, 0.0)),
            _sampled(_parts(0.5, -0.5)),
        ],
        "each sample lies at the centre of its part, (k + 0.5) / cells of the way; yours lie at "
        "the beginning or the end of the parts": [
            _sampled(_parts(0.0)),
            _sampled(_parts(1.0)),
            _sampled(_parts(0.0, 0.0)),
        ],
        "your samples are spread from edge to edge of the square; there is one at the centre of "
        "each part, (k + 0.5) / cells of the way": [
            _sampled(
                lambda low, high, cells: torch.linspace(0, 1, cells) * (high - low) + low - 0.5
            ),
            _sampled(lambda low, high, cells: torch.linspace(0, 1, cells) * (high - low) + low),
        ],
        "you take the nearest cell; between cells interpolate bilinearly, or small motions are "
        "lost": [_sampled(weigh=torch.round), _grid(True, False, "nearest")],
        "you take the cell below every sample; between cells interpolate bilinearly": (
            _sampled(weigh=torch.zeros_like)
        ),
        "your two neighbours have the wrong weights: f is the next cell's, 1 − f that of the cell "
        "below": [
            _sampled(weigh=lambda rest: 1 - rest),
            _sampled(weigh=lambda rest: torch.full_like(rest, 0.5)),
        ],
        "you round the square to whole cells; that is what ROI-Align avoids": [
            _on(
                lambda square, cells: (
                    square[:2].round().repeat(2) + torch.tensor([0, 0, cells, cells])
                )
            ),
            _on(lambda square, cells: square.round()),
            _on(lambda square, cells: square.floor()),
            _on(lambda square, cells: torch.cat([square[:2].floor(), square[2:].ceil()])),
            lambda right, features, square, cells: F.interpolate(
                _whole(features, square), (cells, cells), mode="bilinear"
            ),
        ],
        "your samples lie a whole cell apart; the square is divided into `cells` parts, whatever "
        "its side": _on(lambda square, cells: torch.cat([square[:2], square[:2] + cells])),
        "you pool the cells of each part; take one bilinear sample at its centre": [
            _pooled(F.adaptive_max_pool2d),
            _pooled(F.adaptive_avg_pool2d),
        ],
        "in your grid −1 and 1 are the centres of the outermost cells, and `grid_sample` takes "
        "them as the map's edges, or the other way round: they are centres with "
        "align_corners=True, edges without": [_grid(False, False), _grid(True, True)],
        "one sample for each part, at its centre; yours takes the mean of several, as `roi_align` "
        "does without sampling_ratio=1": [
            lambda right, features, square, cells: roi_align(features, [square[None]], cells),
            lambda right, features, square, cells: roi_align(
                features, [square[None]], cells, aligned=True
            ),
        ],
        "your interpolation is bicubic; it should be bilinear": _grid(True, False, "bicubic"),
    },
    others={
        "lies on the map's own cells copies them": lambda right, *given: 2 * right(*given),
        "should be a tensor": lambda right, *given: right(*given).numpy(),
        "has shape": lambda right, features, square, cells: right(features, square, 5),
        "asks for a cell beyond": lambda right, features, square, cells: (
            right(features, square, cells)
            + 0 * features.index_select(3, _middles(square[0], square[2], cells).long() + 1).mean()
        ),
    },
)
def examine_align(answer, rng) -> None:
    """ROI-Align of several squares at once, so that a mistake shows in all of them."""
    features = random_features(rng, 1, 3, 12, 14)
    within = [
        ([2.1, 1.4, 8.3, 9.7], 5),
        ([2.3, 3.6, 7.3, 8.6], 5),
        ([6.6, 5.5, 11.4, 11.3], 4),
    ]
    cases = {f"for the square {square} the template": (square, n) for square, n in within}
    own = "a square that lies on the map's own cells copies them: the template"
    _compare_templates(answer, features, {own: ([3.0, 4.0, 8.0, 9.0], 5)} | cases)
    edges = ([9.0, 7.0, 14.0, 12.0], 5), ([0.0, 0.0, 6.1, 7.3], 5)
    cases = {
        f"for the square {square}, at the edge, the template": (square, n) for square, n in edges
    }
    _compare_templates(answer, features, cases)


def _compare_templates(answer, features: Tensor, cases: dict[str, tuple[list, int]]) -> None:
    """Compare the templates of several squares at once.

    Args:
        answer: on trial.
        features: the map.
        cases: name of the template in messages → square, cells.
    """

    def every(f, features):
        return [_template(f, features, *case) for case in cases.values()]

    def read(given) -> tuple[np.ndarray, ...]:
        parts = zip(given, cases.values(), strict=True)
        return tuple(as_tensor(t, (1, 3, n, n), "the template") for t, (_, n) in parts)

    answer.compare((features,), tuple(cases), read, call=every, tolerance=1e-4)


def _template(function, features: Tensor, square: list[float], cells: int) -> Tensor:
    """The template of a square; raises Wrong if a cell beyond the map is asked for.

    Args:
        function: the answer.
        features, square, cells: its inputs.
    """
    try:
        return function(features.clone(), torch.tensor(square), cells)
    except (IndexError, RuntimeError) as problem:
        if not {0.0, 14.0} & set(square):
            raise
        raise Wrong(
            f"for the square {square}, which reaches to the edge of a map of 12 × 14 cells, your "
            f"code asks for a cell beyond it ({problem}): keep the index of the lower "
            "neighbour between 0 and the last but one"
        ) from None
