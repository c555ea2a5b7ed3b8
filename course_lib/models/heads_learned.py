"""Two heads without correlation: convolutions learn to compare exemplar and search image.

Both are small versions of the EPFL project's networks (A. Carlier, 2019); for the full size see
`models.concat_broadcast`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.heads import Head, as_proposals, conv_norm
from course_lib.models.proposals import Proposals


class BroadcastHead(Head):
    """A small version of SiamBroadcastRPN's head: one map, four cells smaller than the search
    features (18 × 18 with AlexNet, 28 × 28 with Lite0), instead of the original's 32 × 32 and
    16 × 16.

    Args:
        features: channels of φ.
        channels: of the comparison.
        anchors: k per cell.
    """

    trim = 4

    def __init__(self, features: int = 256, channels: int = 256, anchors: int = 5) -> None:
        super().__init__()
        self.compare = nn.Sequential(
            conv_norm(2 * features, channels, 3),
            conv_norm(channels, channels, 1),
            conv_norm(channels, channels, 3),
        )
        self.classes = nn.Conv2d(channels, 2 * anchors, 3, padding=1)
        self.boxes = nn.Conv2d(channels, 4 * anchors, 3, padding=1)

    def template_features(self, z: Tensor) -> tuple[Tensor]:
        """The exemplar as one vector (B, C, 1, 1): the maximum of each channel over all cells of z
        (B, C, n, n) but the outermost; n is 6 with AlexNet, 8 with Lite0."""
        return (z[:, :, 1:-1, 1:-1].amax((2, 3), keepdim=True),)

    def forward(self, template: tuple[Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, m, m)."""
        both = torch.cat([x, broadcast_over(template[0], x)], 1)  # (B, 2C, m, m)
        both = self.compare(both)  # (B, channels, m − 4, m − 4)
        return as_proposals(self.classes(both), self.boxes(both))


class GlobalConvolution(nn.Module):
    """A k × k convolution as two separable branches: (k × 1, then 1 × k) + (1 × k, then k × 1); the
    map keeps its size.

    It has 2 · k · mid · (in + out) weights instead of k² · in · out (Peng et al., "Large Kernel
    Matters", 2017).

    Args:
        k: side of the square it sees, odd.
        before: channels of the input.
        mid: channels between the two convolutions of a branch.
        after: channels of the output.
    """

    def __init__(self, k: int, before: int, mid: int, after: int) -> None:
        super().__init__()
        if k % 2 == 0:
            raise SettingsError(f"k is {k}; expected an odd number, so that the map keeps its size")
        tall, wide = (
            {"kernel_size": (k, 1), "padding": (k // 2, 0)},
            {"kernel_size": (1, k), "padding": (0, k // 2)},
        )
        self.left = nn.Sequential(nn.Conv2d(before, mid, **tall), nn.Conv2d(mid, after, **wide))
        self.right = nn.Sequential(nn.Conv2d(before, mid, **wide), nn.Conv2d(mid, after, **tall))

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, H, W) from (B, before, H, W)."""
        return self.left(x) + self.right(x)


class GlobalStage(nn.Module):
    """One stage of SiamConcatRPN: a global convolution, then ReLU and a 3 × 3 convolution as a
    residual.

    Args:
        k: side of the square it sees, odd.
        before: channels of the input.
        mid: channels inside the global convolution.
        after: channels of the output.
    """

    def __init__(self, k: int, before: int, mid: int, after: int) -> None:
        super().__init__()
        self.large = GlobalConvolution(k, before, mid, after)
        self.small = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, H, W) from (B, before, H, W)."""
        x = self.large(x)  # (B, after, H, W)
        return x + self.small(F.relu(x))


class ConcatHead(Head):
    """A small version of SiamConcatRPN's head: exemplar and search features of equal size are
    concatenated. One map, four cells smaller than these: 18 × 18 with AlexNet, 28 × 28 with Lite0.

    The batch norm before every stage makes up for the missing pre-training: the features of the
    original's pre-trained backbone have a known scale.

    Args:
        features: channels of φ.
        channels: of the stages.
        anchors: k per cell.
    """

    trim = 4
    guided = True
    whole = True

    def __init__(self, features: int = 256, channels: int = 256, anchors: int = 5) -> None:
        super().__init__()
        stages, before = [], 2 * features
        for k in (11, 9, 7):
            stages += [
                nn.BatchNorm2d(before),
                nn.ReLU(),
                GlobalStage(k, before, channels // 2, channels),
            ]
            before = channels
        self.stages = nn.Sequential(*stages, nn.BatchNorm2d(channels), nn.ReLU())
        self.classes = nn.Conv2d(channels, 2 * anchors, 3, padding=1)
        self.boxes = nn.Conv2d(channels, 4 * anchors, 3, padding=1)

    def shown(self, exemplar: Tensor, search: int) -> Tensor:
        """Exemplars at the search image's size, (B, 4, S, S)."""
        return F.interpolate(exemplar, size=(search, search), mode="bilinear", align_corners=False)

    def template_features(self, z: Tensor) -> tuple[Tensor]:
        """The exemplar features (B, C, m, m) as they are."""
        return (z,)

    def forward(self, template: tuple[Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, m, m)."""
        both = torch.cat([x, template[0].expand(len(x), -1, -1, -1)], 1)  # (B, 2C, m, m)
        both = self.stages(both)[:, :, 2:-2, 2:-2]  # (B, channels, m − 4, m − 4)
        return as_proposals(self.classes(both), self.boxes(both))


def broadcast_over(vector: Tensor, x: Tensor) -> Tensor:
    """A vector (B or 1, C, 1, 1) repeated at every cell of a map (B, C', H, W): (B, C, H, W),
    without copies."""
    return vector.expand(len(x), -1, *x.shape[2:])
