"""Check of lesson 13's labels with a fault in them: the even kernel's half cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check


def mended_labels(
    boxes: Tensor, start: float, stride: float, size: tuple[int, int], kernel: int, sigma: float
) -> Tensor:
    """The wanted scores (N, h, w): a Gaussian around each target, 1 at its centre.

    Args:
        boxes: (N, 4) of the targets, pixels of the crops.
        start: pixel at the centre of the features' first cell.
        stride: pixels per cell.
        size: h and w of the score map.
        kernel: side of the filter, cells; the centre of an even one lies between cells.
        sigma: standard deviation, cells.
    """
    return _labels(boxes, start, stride, size, kernel, sigma)


def _even(cells: Tensor, kernel: int) -> Tensor:
    """Half a cell further for an even kernel."""
    return cells + (0.5 if kernel % 2 == 0 else 0.0)


def _places(boxes: Tensor, start: float, stride: float) -> Tensor:
    """Centres (N, 2), x and y, in cells."""
    return (boxes[:, :2] + boxes[:, 2:] / 2 - start) / stride


def _bump(away: Tensor, sigma: float) -> Tensor:
    return torch.exp(-away / (2 * sigma**2))


def _labels(
    boxes: Tensor,
    start: float,
    stride: float,
    size: tuple[int, int],
    kernel: int,
    sigma: float,
    shift: Callable[[Tensor, int], Tensor] = _even,
    places: Callable[..., Tensor] = _places,
    bump: Callable[[Tensor, float], Tensor] = _bump,
) -> Tensor:
    """The labels, with a part changed.

    Args:
        boxes, start, stride, size, kernel, sigma: as of `mended_labels`.
        shift: (cells, kernel) → cells.
        places: (boxes, start, stride) → cells.
        bump: (squared distances in cells, sigma) → labels.
    """
    at = shift(places(boxes, start, stride), kernel)  # (N, 2)
    down, across = (torch.arange(n) for n in size)
    x, y = at[:, 0, None, None], at[:, 1, None, None]  # (N, 1, 1)
    return bump((across - x) ** 2 + (down[:, None] - y) ** 2, sigma)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _labels(*given, **changed)


def _given(change):
    """A mistake: the right labels for other inputs."""
    return lambda right, *given: right(*change(*given))


@check(
    "online.fault",
    reference=mended_labels,
    mistakes={
        "the fault is still there: with a kernel of side {4} the target's label lies half a cell "
        "off": _with(shift=lambda cells, kernel: cells),
        "the labels now lie a whole cell off: right and down is where the even kernel moves the "
        "scores, so the half cell is added": [
            _with(shift=lambda cells, kernel: cells - (0.5 if kernel % 2 == 0 else 0)),
        ],
        "the shift is half a cell; yours is another distance": [
            _with(shift=lambda cells, kernel: cells + (1 if kernel % 2 == 0 else 0)),
            _with(shift=lambda cells, kernel: cells + (kernel / 2 if kernel % 2 == 0 else 0)),
            _with(shift=lambda cells, kernel: cells + (kernel - 1) / 2),
        ],
        "the shift is half a *cell*; yours is half a pixel": _given(
            lambda boxes, start, stride, size, kernel, sigma: (
                (
                    boxes,
                    *(start - 0.5, stride, size, 3 if kernel % 2 == 0 else kernel, sigma),
                )
                if kernel % 2 == 0
                else (boxes, start, stride, size, kernel, sigma)
            )
        ),
        "an odd kernel has its centre on a cell: nothing is to be shifted there": [
            _with(shift=lambda cells, kernel: cells + 0.5),
        ],
        "both x and y are half a cell off; you correct one of them": [
            _with(shift=lambda c, k: c + torch.tensor([0.5, 0.0]) * (k % 2 == 0)),
            _with(shift=lambda c, k: c + torch.tensor([0.0, 0.5]) * (k % 2 == 0)),
        ],
        "rounded to a whole cell, the label is up to half a cell off again, now for every target": [
            _with(shift=lambda cells, kernel: _even(cells, kernel).round()),
            _with(shift=lambda cells, kernel: cells.round()),
            _with(shift=lambda cells, kernel: cells.ceil()),
        ],
        "the fault is not in the box: its centre is x + w / 2": [
            _with(places=lambda boxes, start, stride: (boxes[:, :2] - start) / stride),
            _with(places=lambda b, start, stride: (b[:, :2] + b[:, 2:] - start) / stride),
        ],
        "another width does not mend the fault: leave sigma as it is": [
            _given(lambda *given: (*given[:5], given[5] + 0.5)),
            _given(lambda *given: (*given[:5], 2 * given[5])),
            _with(bump=lambda away, sigma: torch.exp(-away / sigma**2)),
        ],
        "the fault is not in `start`, the pixel of the first cell: subtract it as before": [
            _with(places=lambda b, start, stride: (b[:, :2] + b[:, 2:] / 2) / stride),
            _with(places=lambda b, start, stride: (b[:, :2] + b[:, 2:] / 2 + start) / stride),
        ],
        "x counts columns, y counts rows": _with(places=lambda *given: _places(*given).flip(1)),
    },
    others={
        "the labels at": lambda right, *given: right(*given) * 0.9,
        "has shape": [
            lambda right, boxes, start, stride, size, *given: right(
                boxes, start, stride, (size[0] + 1, size[1]), *given
            ),
            lambda right, boxes, start, stride, size, *given: right(
                boxes, start, stride, size[::-1], *given
            ),
        ],
    },
    learns=False,
)
def examine_fault(answer, rng: np.random.Generator) -> None:
    """Even kernels, then odd ones, with targets that lie anywhere."""
    size = (11, 8)
    cases = ((4, 16.0, 5.5), (2, 8.0, 0.5), (3, 16.0, 2.5), (5, 8.0, 4.5))
    for kernel, stride, start in cases:
        x, y = (start + stride * rng.uniform(2, n - 3, 3) for n in size[::-1])  # (3,) each
        w, h = rng.uniform(1, 3, (2, 3)) * stride
        boxes = torch.from_numpy(np.stack([x - w / 2, y - h / 2, w, h], 1)).float()
        answer.compare(
            (boxes, start, stride, size, kernel, 0.9),
            "the labels",
            lambda given: as_array(given, (3, *size), "the labels"),
            tolerance=1e-4,
            near=1e-4,
        )
