"""SiamRPN and its relatives on an AlexNet: one backbone, any of four heads, k anchors at every
cell.

With the paper's widths, one group and the up-channel head this is SiamRPN (Li et al., 2018): 22.63
M parameters, maps of 17 × 17 for search images of 255 pixels, 19 × 19 for 271.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.geometry.anchors import place_anchors, siamrpn_anchor_sizes
from course_lib.geometry.windows import EXEMPLAR
from course_lib.models.alexnet import WIDTHS, AlexNet
from course_lib.models.backbones import cells_of, make_backbone
from course_lib.models.heads import HEADS
from course_lib.models.proposals import Proposals


class SiamRPN(nn.Module):
    """Proposals of exemplars (B, 3, 127, 127) and search images (B, 3, S, S), values 0…255.

    Args:
        head: "upchannel", "depthwise", "concat" or "broadcast". "concat" is guided: both pictures
            need a fourth channel, a mask of the target's box (search image: its last known box).
        widths: channels of the five convolutions.
        channels: of the head; None for as many as φ has.
        groups: of conv2, conv4 and conv5.
        backbone: another one than AlexNet, by name (see `models.backbones`), with `share` of its
            channels; with CIResNet-22 it is SiamDW's SiamRPN+.
    """

    def __init__(
        self,
        head: str = "upchannel",
        widths: tuple[int, ...] = WIDTHS,
        channels: int | None = None,
        groups: int = 1,
        backbone: str = "alexnet",
        share: float = 1.0,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise SettingsError(f"head is {head!r}; expected one of {', '.join(HEADS)}")
        self.guided = head == "concat"
        other = backbone != "alexnet"
        self.backbone = (
            make_backbone(backbone, share)
            if other
            else AlexNet(widths=widths, groups=groups, last_norm=True, guided=self.guided)
        )
        if other and self.guided:
            raise SettingsError(
                f"backbone is {backbone}, head concat; concat is guided by a mask, which AlexNet "
                "alone takes"
            )
        # whether `forward` gives the correlation map too, for a loss of its own
        self.supervised = False
        self.stride = self.backbone.stride
        self.name = backbone
        self.sizes = siamrpn_anchor_sizes()  # (k, 2)
        self.head = HEADS[head](
            self.backbone.channels, channels or self.backbone.channels, len(self.sizes)
        )
        self.about = {
            "network": "siamrpn",
            "head": head,
            "channels": channels,
        }
        self.about |= (
            {"backbone": backbone, "share": share}
            if other
            else {"widths": list(widths), "groups": groups}
        )

    def cells(self, search: int = 255) -> int:
        """Cells a side of the map for search images of `search` pixels."""
        trim = cells_of(self.name, EXEMPLAR) - 1 if self.head.trim is None else self.head.trim
        return cells_of(self.name, search) - trim

    def anchors(self, search: int = 255) -> np.ndarray:
        """Anchors (A, 4) in search pixels, in the order of the proposals."""
        return place_anchors(self.sizes, self.cells(search), self.stride, search / 2).reshape(-1, 4)

    def keep(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor, ...]:
        """What has to be kept of exemplars (B, 3, 127, 127): computed once a sequence."""
        if getattr(self.head, "pictures_alike", False):
            exemplar = F.interpolate(
                exemplar, size=(search, search), mode="bilinear", align_corners=False
            )  # (B, 4, S, S)
        return self.head.keep(self.backbone(exemplar))

    def propose(
        self, kept: tuple[Tensor, ...], search: Tensor, with_map: bool = False
    ) -> Proposals:
        """Proposals of search images (B, 3, S, S); `with_map` (depth-wise head), with the cosines
        of its correlation map."""
        x = self.backbone(search)  # (B, C, 22, 22) for 255 pixels
        return self.head(kept, x, with_map=True) if with_map else self.head(kept, x)

    def forward(self, exemplar: Tensor, search: Tensor) -> Proposals:
        """Proposals of pairs."""
        return self.propose(self.keep(exemplar, search.shape[-1]), search, self.supervised)


def box_masks(boxes: Tensor, size: int) -> Tensor:
    """Masks (B, 1, size, size) that are 1 on the pixels whose centre lies in each box (B, 4), else
    0."""
    at = torch.arange(size, device=boxes.device) + 0.5  # (size,)
    low, high = boxes[:, :2, None], (boxes[:, :2] + boxes[:, 2:])[:, :, None]  # (B, 2, 1)
    inside = (at >= low) & (at < high)  # (B, 2, size): along x, along y
    return (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None].float()
