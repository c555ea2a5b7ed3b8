"""SiamRPN++ (Li et al., 2019): depth-wise heads on three layers, their answers added with learned
weights.

The paper's size stands on a ResNet-50 without much padding, 53.95 M parameters. Its small sibling
stands on the last three layers of an AlexNet.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.geometry.anchors import STRIDE, place_anchors, siamrpn_anchor_sizes
from course_lib.models.alexnet import WIDTHS, AlexNet
from course_lib.models.heads import DepthwiseHead
from course_lib.models.proposals import Proposals
from course_lib.models.resnet import AtrousTrunk


class SiamRPNpp(nn.Module):
    """Proposals of exemplars (B, 3, 127, 127) and search images (B, 3, S, S).

    Args:
        trunk: "resnet50", maps of 15 × 15 and 31 × 31, the exemplar's middle 7 × 7 kept; or
            "alexnet".
        widths, groups: of the AlexNet.
        channels: of the heads.
    """

    guided = False
    stride = STRIDE
    supervised = False  # whether `forward` gives the correlation map too, for a loss of its own

    def __init__(
        self,
        trunk: str = "resnet50",
        widths: tuple[int, ...] = WIDTHS,
        channels: int = 256,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if trunk not in ("resnet50", "alexnet"):
            raise SettingsError(f"trunk is {trunk!r}; expected resnet50 or alexnet")
        if trunk == "resnet50":
            self.backbone, before = AtrousTrunk(), (512, 1024, 2048)
        else:
            self.backbone, before = (
                AlexNet(widths=widths, groups=groups, last_norm=True),
                tuple(widths[2:]),
            )
        self.kept_cells = 7 if trunk == "resnet50" else 6
        self.neck = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(n, channels, 1, bias=False), nn.BatchNorm2d(channels))
                for n in before
            ]
        )
        self.sizes = siamrpn_anchor_sizes()  # (k, 2)
        self.heads = nn.ModuleList(
            [DepthwiseHead(channels, channels, len(self.sizes)) for _ in before]
        )
        # separate weights for scores and boxes, equal at first
        self.class_weights = nn.Parameter(torch.ones(len(before)))
        self.box_weights = nn.Parameter(torch.ones(len(before)))
        self.about = {
            "network": "siamrpn++",
            "trunk": trunk,
            "widths": list(widths),
            "channels": channels,
            "groups": groups,
        }

    def levels(self, image: Tensor) -> list[Tensor]:
        """Three maps (B, channels, n, n) of equal size, from shallow to deep."""
        maps = (
            self.backbone.levels(image)
            if isinstance(self.backbone, AlexNet)
            else self.backbone(image)
        )
        least = maps[-1].shape[-1]
        return [neck(middle(m, least)) for neck, m in zip(self.neck, maps, strict=True)]

    def cells(self, search: int = 255) -> int:
        """Cells a side of the map: 25 for 255 pixels (ResNet-50), 17 (AlexNet)."""
        return (search - 127) // STRIDE + (9 if self.kept_cells == 7 else 1)

    def anchors(self, search: int = 255) -> np.ndarray:
        """Anchors (A, 4) in search pixels, in the order of the proposals."""
        return place_anchors(self.sizes, self.cells(search), STRIDE, search / 2).reshape(-1, 4)

    def keep(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor, ...]:
        """Kernels of the three heads, two each, of exemplars (B, 3, 127, 127)."""
        maps = [middle(m, self.kept_cells) for m in self.levels(exemplar)]  # (B, channels, 7, 7)
        return tuple(
            kernel for head, m in zip(self.heads, maps, strict=True) for kernel in head.keep(m)
        )

    def propose(
        self, kept: tuple[Tensor, ...], search: Tensor, with_map: bool = False
    ) -> Proposals:
        """Proposals of search images (B, 3, S, S); `with_map`, with the mean of the cosines of the
        three correlation maps."""
        kernels = zip(kept[::2], kept[1::2], strict=True)  # two for each head
        answers = [
            head(k, m, with_map)
            for head, k, m in zip(self.heads, kernels, self.levels(search), strict=True)
        ]
        logits = aggregate([a.logits for a in answers], self.class_weights)  # (B, A, 2)
        # (B, n, n)
        similarity = torch.stack([a.similarity for a in answers]).mean(0) if with_map else None
        return Proposals(
            logits, aggregate([a.offsets for a in answers], self.box_weights), similarity
        )

    def forward(self, exemplar: Tensor, search: Tensor) -> Proposals:
        """Proposals of pairs."""
        return self.propose(self.keep(exemplar), search, self.supervised)


def aggregate(answers: list[Tensor], weights: Tensor) -> Tensor:
    """Σ_l softmax(weights)_l · answer_l, for as many answers of one shape as there are weights
    (L,)."""
    shares = weights.softmax(0).to(answers[0].dtype)  # (L,)
    return sum(share * answer for share, answer in zip(shares, answers, strict=True))


def middle(x: Tensor, cells: int) -> Tensor:
    """The middle cells × cells of a map (B, C, n, n); n and `cells` both odd or both even, or an
    even cut is not exact."""
    first = (x.shape[-1] - cells) // 2
    return x[:, :, first : first + cells, first : first + cells]
