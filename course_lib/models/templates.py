"""Updating templates: a new one for the location found, by ROI-Align on the search features that
are already computed, and averages of templates.

ROI-Align comes from Mask R-CNN (He et al., 2017). How SiamMargin's authors update their template is
not published; the averages are the course's own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align


def roi_of(centre: Tensor, ratio: float, first: float, stride: float, cells: int) -> Tensor:
    """The square (4,), x0, y0, x1, y1 on a feature map, that holds the features of an exemplar cut
    around `centre`.

    Cell k of the map covers [k, k + 1]; its centre, k + 0.5, corresponds to pixel
    first + k · stride.

    Args:
        centre: (2,) x and y in pixels of the search image.
        ratio: the exemplar's scale relative to the search image's: 1.04 if the target has grown by
            4 %.
        first: pixel at the centre of the first cell's receptive field.
        stride: pixels from cell to cell.
        cells: per side of the exemplar's map.
    """
    place = (centre - first) / stride + 0.5  # (2,) cells
    half = ratio * cells / 2
    return torch.cat([place - half, place + half])


def template_from(features: Tensor, roi: Tensor, cells: int) -> Tensor:
    """Template (1, C, cells, cells) from a square of search features, by ROI-Align (He et al.,
    "Mask R-CNN", 2017).

    It takes one bilinear sample at the centre of each cell. If the square lies exactly on cells of
    the map, these are copied; for a network without padding that equals the features of an exemplar
    cut there.

    Args:
        features: (1, C, H, W) of the search image.
        roi: (4,) the square, x0, y0, x1, y1 in cells, see `roi_of`.
        cells: per side of the template.
    """
    # (1, 5): number of the image, square
    return _aligned(features, torch.cat([roi.new_zeros(1), roi])[None], cells)


def zoomed(z: Tensor, cells: int, scale: float = 1.0) -> Tensor:
    """The central cells of exemplar features (B, C, n, n), as they would be if the exemplar were
    `scale` times as large: (B, C, cells, cells), interpolated bilinearly.

    Args:
        z: exemplar features.
        cells: per side of the result; at scale 1 they are copied.
        scale: above 1 the result shows less of the exemplar, larger.
    """
    n = z.shape[-1]
    if scale == 1:
        first = (n - cells) // 2
        return z[:, :, first : first + cells, first : first + cells]
    half = cells / scale / 2
    square = torch.tensor([n / 2 - half, n / 2 - half, n / 2 + half, n / 2 + half])  # (4,)
    numbers = torch.arange(len(z))[:, None]  # (B, 1)
    return _aligned(z, torch.cat([numbers, square.expand(len(z), 4)], 1), cells)


def _aligned(features: Tensor, squares: Tensor, cells: int) -> Tensor:
    """ROI-Align with one sample per cell: (N, C, cells, cells), in the features' precision.

    Args:
        features: (B, C, H, W).
        squares: (N, 5), number of the image, x0, y0, x1, y1 in cells.
        cells: per side of the result.
    """
    # in single precision: on a CPU there is no ROI-Align in bfloat16, which would round places too
    maps = features.float()  # (B, C, H, W)
    found = roi_align(maps, squares.to(maps), (cells, cells), sampling_ratio=1, aligned=True)
    return found.to(features.dtype)


def unit(template: Tensor) -> Tensor:
    """A template (1, C, h, w), scaled to length 1."""
    return template / template.norm().clamp_min(1e-12)


def running_average(average: Tensor, fresh: Tensor, rate: float) -> Tensor:
    """(1 − rate) · average + rate · fresh, scaled to length 1.

    Args:
        average: (1, C, h, w) template of length 1.
        fresh: (1, C, h, w) template of length 1, from this frame.
        rate: weight of the fresh template.
    """
    return unit(average.lerp(fresh, rate))


def mixed(first: Tensor, average: Tensor, weight: float) -> Tensor:
    """weight · first + (1 − weight) · average: the first frame's template is the only one known to
    be right, so it always counts.

    Args:
        first: (1, C, h, w) template of the first frame.
        average: (1, C, h, w) running average of later templates.
        weight: of the first template.
    """
    return average.lerp(first, weight)
