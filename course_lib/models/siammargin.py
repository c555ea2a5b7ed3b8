"""SiamMargin in small: SiamFC with a correlation that is a cosine, trained with a margin, so that
its exemplar may be updated.

The VOT2019-RT winner supervised the correlation map below a SiamRPN++ head (for that see
`training.settings.MarginSettings`); here the map itself is the answer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from course_lib.models.correlation import cosine_correlate
from course_lib.models.margin import CosineMap
from course_lib.models.siamfc import SiamFC


class SiamMargin(SiamFC):
    """SiamFC whose responses are cosines (B, n, n) in [−1, 1]. Arguments as SiamFC's.

    Attributes:
        threshold: () the cosine between target and something else, learned.
    """

    name = "siammargin"

    def __init__(self, backbone: str = "alexnet", **arguments: Any) -> None:
        super().__init__(backbone, **arguments)
        del self.bias
        self.adjust = None  # a cosine needs no gain and no norm
        self.threshold = nn.Parameter(torch.tensor(0.5))

    def response(self, z: Tensor, x: Tensor) -> Tensor:
        """Cosines (B, n, n) of exemplar features (B or 1, C, h, w) and search features (B, C, H,
        W), in single precision."""
        with torch.autocast(
            x.device.type, enabled=False
        ):  # a length rounded to 8 bits would give cosines above 1
            return cosine_correlate(z.float(), x.float())

    def forward(self, exemplar: Tensor, search: Tensor) -> CosineMap:
        """Cosines of pictures, and the threshold."""
        return CosineMap(super().forward(exemplar, search), self.threshold)


def roi_of(centre: Tensor, ratio: float, first: float, stride: float, cells: int) -> Tensor:
    """The square (4,), x0, y0, x1, y1 on a feature map, that holds what an exemplar cut around
    `centre` would give.

    Args:
        centre: (2,) x and y in pixels of the search image.
        ratio: the exemplar's scale there against the search image's: 1.04 if the target has grown
            by 4 %.
        first, stride: where the first cell's field has its centre, and pixels from cell to cell.
        cells: a side of the exemplar's map.

    Cell k of the map covers [k, k + 1]; its centre, k + 0.5, stands for pixel first + k · stride.
    """
    middle = (centre - first) / stride + 0.5  # (2,) cells
    half = ratio * cells / 2
    return torch.cat([middle - half, middle + half])


def template_from(features: Tensor, roi: Tensor, cells: int) -> Tensor:
    """Template (1, C, cells, cells) by ROI-Align of a square (4,) on search features (1, C, H, W).

    One bilinear sample in the middle of each cell. If the square lies on the map's own cells, they
    are copied exactly; a network without padding then gives just what it would give for the
    exemplar cut there.
    """
    # (1, 5): number of the picture, square
    square = torch.cat([roi.new_zeros(1), roi])[None].to(features)
    return roi_align(features, square, (cells, cells), sampling_ratio=1, aligned=True)


def unit(template: Tensor) -> Tensor:
    """A template (1, C, h, w) of length 1."""
    return template / template.norm().clamp_min(1e-12)


def moved(average: Tensor, fresh: Tensor, rate: float) -> Tensor:
    """(1 − rate) · average + rate · fresh, brought back to length 1, of templates (1, C, h, w) of
    length 1."""
    return unit(average.lerp(fresh, rate))


def mixed(first: Tensor, average: Tensor, share: float) -> Tensor:
    """share · first + (1 − share) · average: the first frame's template is the only one known to be
    right, so it stays in."""
    return average.lerp(first, share)
