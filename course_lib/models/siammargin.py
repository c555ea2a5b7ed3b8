"""A small version of SiamMargin: SiamFC with cosine similarity as its correlation, trained with a
margin, so that its template may be updated.

The winner of VOT2019's real-time challenge (Kristan et al., 2019) supervised the correlation map
that underlies a SiamRPN++ head (for that see `training.settings.MarginSettings`); here the map
itself is the output.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.models.correlation import cosine_correlate
from course_lib.models.margin import CosineMap
from course_lib.models.siamfc import SiamFC


class SiamMargin(SiamFC):
    """SiamFC whose responses are cosines (B, n, n) in [−1, 1]. Arguments as SiamFC's.

    Attributes:
        threshold: () the cosine that separates the target from everything else, learned.
    """

    name = "siammargin"
    output = "cosines"

    def __init__(self, backbone: str = "alexnet", **arguments: Any) -> None:
        super().__init__(backbone, **arguments)
        del self.bias
        self.adjust = None  # a cosine needs no gain and no norm
        self.threshold = nn.Parameter(torch.tensor(0.5))

    def response(self, z: Tensor, x: Tensor) -> Tensor:
        """Cosines (B, n, n) of exemplar features (B or 1, C, h, w) and search features (B, C, H,
        W), in single precision."""
        # with norms rounded to 8 bits, cosines could exceed 1
        with torch.autocast(x.device.type, enabled=False):
            return cosine_correlate(z.float(), x.float())

    def forward(self, exemplar: Tensor, search: Tensor) -> CosineMap:
        """Cosines (B, n, n) of images, and the threshold ()."""
        return CosineMap(super().forward(exemplar, search), self.threshold)
