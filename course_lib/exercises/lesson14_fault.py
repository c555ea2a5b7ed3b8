"""Check of lesson 14's boxes of all cells, with a fault: what an offset is counted from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.models.centre_head import CentreMaps

Pair = tuple[Tensor, Tensor]


def mended_boxes(maps: Tensor) -> Tensor:
    """The box (B, n, n, 4) of each cell, x, y, w, h as fractions of the search image.

    Args:
        maps: (B, 5, n, n) score, width and height, offset along x and y.
    """
    return CentreMaps(maps[:, :1], maps[:, 1:3], maps[:, 3:]).boxes()


def _centre(column: Tensor, row: Tensor, dx: Tensor, dy: Tensor, n: int) -> Pair:
    """Centres (B, n, n), as fractions of the search image."""
    return (column + dx) / n, (row + dy) / n


def _boxes(
    maps: Tensor,
    centre: Callable[..., Pair] = _centre,
    size: Callable[[Tensor, Tensor, int], Pair] = lambda w, h, n: (w, h),
    corner: float = 0.5,
) -> Tensor:
    """The boxes, with a part changed.

    Args:
        maps: as of `mended_boxes`.
        centre: (column, row, offsets, n) → centres.
        size: (width, height, n) → sizes.
        corner: how far the corner is from the centre, in sizes.
    """
    _, w, h, dx, dy = maps.unbind(1)  # (B, n, n) each
    n = maps.shape[-1]
    row, column = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    x, y = centre(column, row, dx, dy, n)
    w, h = size(w, h, n)
    return torch.stack([x - corner * w, y - corner * h, w, h], -1)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, maps: _boxes(maps, **changed)


def _at(centre: Callable[..., Pair]):
    """A mistake: other centres."""
    return _with(centre=centre)


@check(
    "stream.fault",
    reference=mended_boxes,
    mistakes={
        "the fault is still there: the training targets count the offset from the cell's number, "
        "so your decoding has to as well; half a cell is 8 pixels": _at(
            lambda c, r, dx, dy, n: ((c + 0.5 + dx) / n, (r + 0.5 + dy) / n)
        ),
        "half a cell too far the other way: nothing is subtracted from the cell's number": _at(
            lambda c, r, dx, dy, n: ((c - 0.5 + dx) / n, (r - 0.5 + dy) / n)
        ),
        "only one of the two axes is mended": [
            _at(lambda c, r, dx, dy, n: ((c + dx) / n, (r + 0.5 + dy) / n)),
            _at(lambda c, r, dx, dy, n: ((c + 0.5 + dx) / n, (r + dy) / n)),
        ],
        "you still add 0.5, now after the division: that is half of the search image": _at(
            lambda c, r, dx, dy, n: ((c + dx) / n + 0.5, (r + dy) / n + 0.5)
        ),
        "columns and rows have changed places: the column says where the cell is along x": _at(
            lambda c, r, dx, dy, n: ((r + dx) / n, (c + dy) / n)
        ),
        "the offsets have changed places: the fourth map is along x, the fifth along y": _at(
            lambda c, r, dx, dy, n: ((c + dy) / n, (r + dx) / n)
        ),
        "the offset is missing; without it the centres stand on the grid": _at(
            lambda c, r, dx, dy, n: (c / n + 0 * dx, r / n + 0 * dy)
        ),
        "you subtract the offset; it leads from the cell to the centre, so add it": _at(
            lambda c, r, dx, dy, n: ((c - dx) / n, (r - dy) / n)
        ),
        "the offset is in cells, so it is divided by n too": _at(
            lambda c, r, dx, dy, n: (c / n + dx, r / n + dy)
        ),
        "your cells reach from 0 to 1 inclusive; cell i stands for the place i / n": _at(
            lambda c, r, dx, dy, n: ((c + dx) / (n - 1), (r + dy) / (n - 1))
        ),
        "x and y are those of the centre; a box begins at its corner, half its size before": _with(
            corner=0.0
        ),
        "the corner is a whole size away from the centre; half of it is right": _with(corner=1.0),
        "width and height have changed places": _with(size=lambda w, h, n: (h, w)),
        "the sizes are fractions of the search image already; they are not divided by n": _with(
            size=lambda w, h, n: (w / n, h / n)
        ),
    },
    others={
        "has shape": lambda right, maps: right(maps).permute(0, 3, 1, 2),
        "the boxes at": lambda right, maps: right(maps) + 0.1,
        "lost its gradient": lambda right, maps: right(maps).detach(),
    },
)
def examine_boxes(answer, rng: np.random.Generator) -> None:
    """Maps of two sizes, two images each."""
    for n in (5, 8):
        score = rng.uniform(0.01, 0.99, (2, 1, n, n))
        size = rng.uniform(0.1, 0.4, (2, 2, n, n))
        offset = rng.uniform(-0.7, 0.7, (2, 2, n, n))
        maps = torch.from_numpy(np.concatenate([score, size, offset], 1)).float()
        answer.compare(
            (maps.requires_grad_(),),
            "the boxes",
            lambda given, n=n: as_array(given, (2, n, n, 4), "the boxes"),
        )
