"""SiamRPN++ (Li et al., 2019): depth-wise heads on three layers, their outputs added with learned
weights.

At the paper's size its backbone is a ResNet-50 with little padding, 53.95 M parameters in all. The
weights that come with the course are of a small sibling on EfficientNet-Lite0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.geometry.anchors import siamrpn_anchor_sizes
from course_lib.geometry.windows import EXEMPLAR
from course_lib.models.backbone import cells_of, cells_of_template, central_cells
from course_lib.models.backbones import backbone_class, make_backbone
from course_lib.models.heads import DepthwiseHead
from course_lib.models.proposal_network import ProposalNetwork
from course_lib.models.proposals import Proposals


class SiamRPNpp(ProposalNetwork):
    """Proposals for exemplars (B, 3, 127, 127) and search images (B, 3, S, S).

    Args:
        backbone: by name, see `models.backbones`; one head on each of its `levels`. "resnet50" has
            maps of 15 × 15 (exemplar) and 31 × 31 (search image); the exemplar's central 7 × 7
            cells are the template ("lite0": 16 × 16, 32 × 32 and 8 × 8).
        channels: of the heads.
        scales: of the template, see `heads.DepthwiseHead`; (1,) in the paper.
        **arguments: the backbone's own, for example `widths` and `groups` of AlexNet.
    """

    name = "siamrpn++"
    has_map = True

    def __init__(
        self,
        backbone: str = "resnet50",
        channels: int = 256,
        scales: tuple[float, ...] = (1.0,),
        **arguments: Any,
    ) -> None:
        super().__init__()
        arguments = backbone_class(backbone).rpn_arguments | arguments
        self.backbone = make_backbone(backbone, **arguments)
        self.stride = self.backbone.stride
        before = self.backbone.level_channels
        self.template_cells = cells_of_template(cells_of(self.backbone, EXEMPLAR))
        self.neck = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(n, channels, 1, bias=False), nn.BatchNorm2d(channels))
                for n in before
            ]
        )
        self.scales = tuple(scales)
        self.sizes = siamrpn_anchor_sizes()  # (k, 2)
        self.heads = nn.ModuleList(
            [DepthwiseHead(channels, channels, len(self.sizes), self.scales) for _ in before]
        )
        # separate weights for scores and boxes, equal at first (Li et al., 2019)
        self.class_weights = nn.Parameter(torch.ones(len(before)))
        self.box_weights = nn.Parameter(torch.ones(len(before)))
        # a card must hold this for the network to be rebuilt, see `models.networks.build`
        self.about = {"network": self.name, "channels": channels, "scales": list(scales)}
        self.about |= self.backbone.about

    def levels(self, image: Tensor) -> list[Tensor]:
        """Three maps (B, channels, n, n) of equal size, from shallow to deep."""
        maps = self.backbone.levels(image)
        least = maps[-1].shape[-1]
        return [neck(central_cells(m, least)) for neck, m in zip(self.neck, maps, strict=True)]

    def cells(self, search: int = 255) -> int:
        """Cells per side of the map: 25 for 255 pixels (ResNet-50), 17 (AlexNet)."""
        return cells_of(self.backbone, search) - self.template_cells + 1

    def template_features(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor, ...]:
        """Kernels of the three heads, two for each, from exemplars (B, 3, 127, 127)."""
        maps = self.levels(exemplar)  # (B, channels, 15, 15) each
        if self.scales == (1,):  # of a reduced template more is seen
            maps = [central_cells(m, self.template_cells) for m in maps]  # (B, channels, 7, 7)
        return tuple(
            kernel
            for head, m in zip(self.heads, maps, strict=True)
            for kernel in head.template_features(m, self.template_cells)
        )

    def propose(self, template: tuple[Tensor, ...], search: Tensor) -> Proposals:
        """Proposals for search images (B, 3, S, S)."""
        kernels = zip(template[::2], template[1::2], strict=True)  # two for each head
        answers = [
            head(k, m) for head, k, m in zip(self.heads, kernels, self.levels(search), strict=True)
        ]
        return Proposals(
            aggregate([a.logits for a in answers], self.class_weights),  # (B, A, 2)
            aggregate([a.offsets for a in answers], self.box_weights),  # (B, A, 4)
            tuple(pair for a in answers for pair in a.compared),
        )


def aggregate(answers: list[Tensor], weights: Tensor) -> Tensor:
    """Σ_l softmax(weights)_l · answer_l, for L answers of equal shape (...,) and weights (L,); the
    layer-wise aggregation of SiamRPN++ (Li et al., 2019)."""
    factors = weights.softmax(0).to(answers[0].dtype)  # (L,)
    return sum(factor * answer for factor, answer in zip(factors, answers, strict=True))
