"""SiamFC (Bertinetto et al., 2016): one backbone for exemplar and search image, then one
cross-correlation.

f(z, x) = gain · (φ(z) ⋆ φ(x)) + b, with the same b at every cell.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.models.backbone import central_cells
from course_lib.models.backbones import make_backbone
from course_lib.models.correlation import cross_correlate

GAIN = 1e-3  # fixed: a sum over 6 · 6 · 256 products is far too large for a logistic loss


class SiamFC(nn.Module):
    """The whole network: responses (B, n, n) of exemplars (B, 3, 127, 127) and search images
    (B, 3, 255, 255).

    n is 17, or 15 for the 239 pixels used in training; at stride 4 it is 33, at stride 16 it is 9.
    The stride-4 baseline normalises its response (one batch norm on the map, as in CFNet, Valmadre
    et al., 2017) where the original has a gain and a bias; so does SiamFC on every backbone other
    than AlexNet, because their responses are sums of quite different numbers of products. With
    the padded EfficientNet-Lite0, whose templates are the centre of the exemplar's map, n is 25.

    Args:
        backbone: by name, see `models.backbones`.
        **arguments: the backbone's own, for example `widths` of AlexNet.

    Attributes:
        name: of its row in `models.networks.NETWORKS`.
        output: the kind of its output, which determines how it is trained: "responses" or
            "cosines".
        only_search: the one size of search image it takes, pixels per side; None for any.
    """

    name = "siamfc"
    output: str = "responses"
    only_search: int | None = None

    def __init__(self, backbone: str = "alexnet", **arguments: Any) -> None:
        super().__init__()
        self.backbone = make_backbone(backbone, **arguments)
        self.bias = nn.Parameter(torch.zeros(()))
        self.adjust = None if self.backbone.fixed_gain else nn.BatchNorm2d(1)
        # a card must hold this for the network to be rebuilt, see `models.networks.build`
        self.about = {"network": self.name, **self.backbone.about}

    @property
    def stride(self) -> int:
        """Pixels of the search image from one response cell to the next."""
        return self.backbone.stride

    def features(self, image: Tensor) -> Tensor:
        """φ of images (B, 3, S, S), values 0…255: (B, C, s, s)."""
        return self.backbone(image)

    def template(self, exemplar: Tensor) -> Tensor:
        """Exemplar features (B, C, a, a) of exemplars (B, 3, 127, 127): φ, of a padded backbone its
        central cells."""
        return central_cells(self.features(exemplar), self.backbone.kept)

    def response(self, z: Tensor, x: Tensor) -> Tensor:
        """Responses (B, n, n), in single precision, of exemplar features (B or 1, C, h, w) and
        search features (B, C, H, W)."""
        raw = cross_correlate(z, x).float()  # (B, n, n)
        if self.adjust is not None:
            return self.adjust(raw[:, None])[:, 0]  # (B, n, n)
        return GAIN * raw + self.bias

    def forward(self, exemplar: Tensor, search: Tensor) -> Tensor:
        """Responses (B, n, n) of exemplars (B, 3, 127, 127) and search images (B, 3, S, S)."""
        return self.response(self.template(exemplar), self.features(search))
