"""Templates that change: one for the place found, by ROI-Align on the features the search has
computed, and averages of templates.

ROI-Align is Mask R-CNN's (He et al., 2017, section 3). How SiamMargin's authors update their
template is not published; the averages are the course's own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align


def roi_of(centre: Tensor, ratio: float, first: float, stride: float, cells: int) -> Tensor:
    """The square (4,), x0, y0, x1, y1 on a feature map, that holds what an exemplar cut around
    `centre` would give.

    Cell k of the map covers [k, k + 1]; its centre, k + 0.5, stands for pixel first + k · stride.

    Args:
        centre: (2,) x and y in pixels of the search image.
        ratio: the exemplar's scale there against the search image's: 1.04 if the target has grown
            by 4 %.
        first: pixel on which the first cell's receptive field has its centre.
        stride: pixels from cell to cell.
        cells: a side of the exemplar's map.
    """
    place = (centre - first) / stride + 0.5  # (2,) cells
    half = ratio * cells / 2
    return torch.cat([place - half, place + half])


def template_from(features: Tensor, roi: Tensor, cells: int) -> Tensor:
    """Template (1, C, cells, cells) by ROI-Align (He et al., "Mask R-CNN", 2017, section 3) of a
    square on search features.

    One bilinear sample in the centre of each cell. If the square lies on the map's own cells, they
    are copied exactly; a network without padding then gives just what it would give for the
    exemplar cut there.

    Args:
        features: (1, C, H, W) of the search image.
        roi: (4,) the square, x0, y0, x1, y1 in cells, see `roi_of`.
        cells: a side of the template.
    """
    # (1, 5): number of the image, square
    square = torch.cat([roi.new_zeros(1), roi])[None].to(features)
    return roi_align(features, square, (cells, cells), sampling_ratio=1, aligned=True)


def unit(template: Tensor) -> Tensor:
    """A template (1, C, h, w) of length 1."""
    return template / template.norm().clamp_min(1e-12)


def running_average(average: Tensor, fresh: Tensor, rate: float) -> Tensor:
    """(1 − rate) · average + rate · fresh, brought back to length 1.

    Args:
        average: (1, C, h, w) template of length 1.
        fresh: (1, C, h, w) template of length 1, of this frame.
        rate: the fresh one's weight.
    """
    return unit(average.lerp(fresh, rate))


def mixed(first: Tensor, average: Tensor, share: float) -> Tensor:
    """share · first + (1 − share) · average: the first frame's template is the only one known to be
    right, so it stays in.

    Args:
        first: (1, C, h, w) template of the first frame.
        average: (1, C, h, w) running average of later ones.
        share: the first one's weight.
    """
    return average.lerp(first, share)
