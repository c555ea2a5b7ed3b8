"""Check of lesson 14: heat maps and offsets for boxes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, as_parts, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import centre_losses

WHAT = ("the heat", "the offset")
HEAT, OFFSET = 0, 1  # the part of the result by which a mistake is known


def centre_targets(boxes: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Heat maps (B, n, n), and offsets (B, 2) along x and y, in cells.

    Args:
        boxes: (B, 4) x, y, w, h as fractions of the search image.
        n: cells per side.
    """
    return _targets(boxes, n)


def _nearest(exact: Tensor, n: int) -> Tensor:
    return exact.round().clamp(0, n - 1)


def _radius(boxes: Tensor, n: int) -> Tensor:
    """The whole part of the radius (B,), in cells."""
    return centre_losses.radius_of(boxes[:, 2:] * n).floor().clamp_min(0)


def _cut(gauss: Tensor, dx: Tensor, dy: Tensor, r: Tensor) -> Tensor:
    return gauss * ((dx.abs() <= r) & (dy.abs() <= r))


def _targets(
    boxes: Tensor,
    n: int,
    centre: Callable[..., Tensor] = lambda boxes: boxes[:, :2] + boxes[:, 2:] / 2,
    cell: Callable[..., Tensor] = _nearest,
    radius: Callable[..., Tensor] = _radius,
    sigma: Callable[..., Tensor] = lambda r: (2 * r + 1) / 6,
    cut: Callable[..., Tensor] = _cut,
    about: Callable[..., Tensor] = lambda cells, exact: cells,
    offset: Callable[..., Tensor] = lambda exact, cells: exact - cells,
    two: float = 2.0,
) -> tuple[Tensor, Tensor]:
    """Both, with a part changed.

    Args:
        boxes: (B, 4).
        n: cells per side.
        centre: boxes → centres (B, 2) as fractions.
        cell: (centres in cells, n) → cells.
        radius: (boxes, n) → radius in cells.
        sigma: radius → σ.
        cut: (Gaussian, dx, dy, r) → the heat.
        about: (cells, centres in cells) → where the Gaussian's centre is.
        offset: (centres in cells, cells) → offset.
        two: the factor of σ² in the exponent.
    """
    exact = centre(boxes) * n  # (B, 2) in cells
    cells = cell(exact, n)  # (B, 2)
    top = about(cells, exact)
    line = torch.arange(n).to(boxes)  # (n,)
    dx = (line - top[:, :1])[:, None, :]  # (B, 1, n)
    dy = (line - top[:, 1:])[:, :, None]  # (B, n, 1)
    r = radius(boxes, n)[:, None, None]  # (B, 1, 1)
    gauss = torch.exp(-(dx**2 + dy**2) / (two * sigma(r) ** 2))  # (B, n, n)
    return cut(gauss, dx, dy, r), offset(exact, cells)


def _with(part: int | None = None, **changed):
    """A mistake: another part, known by one of the results or by both."""
    code = lambda right, boxes, n: _targets(boxes, n, **changed)  # noqa: E731
    return code if part is None else (part, code)


def _disc(gauss: Tensor, dx: Tensor, dy: Tensor, r: Tensor) -> Tensor:
    """A mistake: a disc in place of a square."""
    return gauss * (dx**2 + dy**2 <= r**2)


@check(
    "stream.heat",
    reference=centre_targets,
    learns=False,
    mistakes={
        "you cut off the fraction; the centre is *rounded* to the nearest cell's number, so that an "
        "offset lies within ± 0.5": _with(cell=lambda exact, n: exact.floor().clamp(0, n - 1)),
        "cell i stands for the place i / n here, not for (i + ½) / n: round n · c itself": [
            _with(
                cell=lambda exact, n: exact.floor().clamp(0, n - 1),
                offset=lambda exact, cells: exact - 0.5 - cells,
            ),
        ],
        "x, y is the box's corner; the heat is highest at its centre": _with(
            centre=lambda boxes: boxes[:, :2]
        ),
        "rows are y and columns are x; yours have changed places": (
            HEAT,
            lambda right, boxes, n: (right(boxes, n)[0].transpose(1, 2), right(boxes, n)[1]),
        ),
        "the Gaussian stands on the *rounded* centre, where it is exactly 1; yours stands between "
        "the cells, and the loss looks for cells that are exactly 1": [
            _with(HEAT, about=lambda cells, exact: exact),
            _with(HEAT, about=lambda cells, exact: exact, cut=lambda gauss, dx, dy, r: gauss),
        ],
        "farther than r cells away along x or y the heat is 0; yours goes on": _with(
            HEAT, cut=lambda gauss, dx, dy, r: gauss
        ),
        "the heat ends at a square: r cells along x and along y; you cut a disc": _with(
            HEAT, cut=_disc
        ),
        "the square goes *to* r cells away, r included": [
            _with(
                HEAT,
                cut=lambda gauss, dx, dy, r: (
                    gauss * ((dx.abs() < r) & (dy.abs() < r) | (gauss == 1))
                ),
            ),
            _with(HEAT, cut=lambda gauss, dx, dy, r: gauss * ((dx.abs() < r) & (dy.abs() < r))),
        ],
        "σ is a sixth of the square's side, (2r + 1) / 6": [
            _with(HEAT, sigma=lambda r: (2 * r + 1) / 3),
            _with(HEAT, sigma=lambda r: (2 * r + 1) / 2),
            _with(HEAT, sigma=lambda r: r.clamp_min(1e-3) / 3),
            _with(HEAT, sigma=lambda r: (r + 1) / 6),
            _with(HEAT, sigma=lambda r: r / 3 + 1),
            _with(HEAT, sigma=lambda r: 2 * r / 6 + 1e-3),
        ],
        "the exponent is −d² / (2 σ²)": [
            _with(HEAT, two=1.0),
            _with(HEAT, sigma=lambda r: ((2 * r + 1) / 6).sqrt()),
            _with(HEAT, two=4.0),
        ],
        "the radius is a number of cells: `radius_of` needs the sizes in cells": [
            _with(HEAT, radius=lambda boxes, n: centre_losses.radius_of(boxes[:, 2:]).floor()),
            _with(
                HEAT, radius=lambda boxes, n: centre_losses.radius_of(16 * n * boxes[:, 2:]).floor()
            ),
        ],
        "r is the whole part of the radius": [
            _with(HEAT, radius=lambda boxes, n: centre_losses.radius_of(boxes[:, 2:] * n)),
            _with(HEAT, radius=lambda boxes, n: centre_losses.radius_of(boxes[:, 2:] * n).round()),
            _with(HEAT, radius=lambda boxes, n: centre_losses.radius_of(boxes[:, 2:] * n).ceil()),
        ],
        "each box has a radius of its own; yours all have that of one": [
            _with(HEAT, radius=lambda boxes, n: _radius(boxes, n)[:1].expand(len(boxes))),
            _with(HEAT, radius=lambda boxes, n: _radius(boxes, n).amax().expand(len(boxes))),
        ],
        "the offset leads from the cell to the centre, not back": _with(
            OFFSET, offset=lambda exact, cells: cells - exact
        ),
        "the offset is in cells; yours is in fractions of the image, or in pixels": [
            (OFFSET, lambda right, boxes, n: (right(boxes, n)[0], right(boxes, n)[1] / n)),
            (OFFSET, lambda right, boxes, n: (right(boxes, n)[0], right(boxes, n)[1] * 16)),
        ],
        "the offset is along x first, then along y": (
            OFFSET,
            lambda right, boxes, n: (right(boxes, n)[0], right(boxes, n)[1].flip(1)),
        ),
        "the offset is counted from the cell's number itself, not from that and a half": _with(
            OFFSET, offset=lambda exact, cells: exact - cells - 0.5
        ),
        "a centre at the very edge belongs to the last cell, n − 1; there is no cell n": _with(
            cell=lambda exact, n: exact.round()
        ),
        "the offset leads from the cell whose heat is 1; beyond the last cell's number it is larger "
        "than 0.5": [
            _with(OFFSET, offset=lambda exact, cells: exact - exact.round()),
            _with(OFFSET, offset=lambda exact, cells: (exact - cells).clamp(-0.5, 0.5)),
        ],
        "the heat is 1 at the target's cell; your highest value is another": [
            (
                HEAT,
                lambda right, boxes, n: (
                    right(boxes, n)[0] / right(boxes, n)[0].sum((1, 2), keepdim=True),
                    right(boxes, n)[1],
                ),
            ),
        ],
    },
    others={
        "your two results have changed places: the heat maps come first": (
            lambda right, *given: right(*given)[::-1]
        ),
        "the answer should have two parts": lambda right, *given: right(*given)[0],
        "the heat at": lambda right, *given: (right(*given)[0] * 0.99, right(*given)[1]),
    },
)
def examine_heat(answer, rng: np.random.Generator) -> None:
    """Boxes that are small, long and large, near edges, and one whose centre is beyond the last
    cell."""
    for n in (16, 12):
        sizes = np.array([[0.62, 0.24], [0.25, 0.21], [0.06, 0.09], [0.45, 0.55], [0.3, 0.3]])
        cells = np.array([[4, 9], [n - 1, 3], [6, 6], [7, 5], [2, n - 3]])
        cells = cells + rng.uniform(0.12, 0.4, (5, 2)) * rng.choice([-1, 1], (5, 2))
        cells[1, 0] = n - 1 + rng.uniform(0.6, 0.9)
        boxes = np.c_[cells / n - sizes / 2, sizes * rng.uniform(0.97, 1.03, (5, 1))]
        boxes[:, :2] = cells / n - boxes[:, 2:] / 2
        answer.compare(
            (torch.from_numpy(boxes).float(), n), WHAT, partial(_read, n=n), tolerance=1e-5
        )


def _read(given, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Both parts as arrays."""
    parts = as_parts(given, "the heat maps", "the offsets")
    if shape_of(parts[0]) == (5, 2) and shape_of(parts[1]) == (5, n, n):
        raise Wrong("your two results have changed places: the heat maps come first")
    return as_array(parts[0], (5, n, n), WHAT[0]), as_array(parts[1], (5, 2), WHAT[1])
