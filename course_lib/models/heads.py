"""Four ways to ask whether and where the exemplar is in the search image, all with the same answer:
proposals.

Every head has `keep(z)`, computed once from the exemplar's features, and `forward(kept, x)`,
computed in every frame. `trim` is how many cells of the search features a head's map is smaller;
None for one less than the exemplar's.

| head      | how exemplar and search image meet                                            | source                    |
|-----------|-------------------------------------------------------------------------------|---------------------------|
| upchannel | the exemplar becomes the kernels of a detection layer: 2k and 4k of them        | SiamRPN (2018)            |
| depthwise | channel c of the exemplar slides over channel c of the search image             | SiamRPN++ (2019)          |
| concat    | both maps stacked, then convolutions almost as large as the map                | SiamConcatRPN (EPFL)      |
| broadcast | the exemplar pooled to one vector, put beside every cell, then convolutions     | SiamBroadcastRPN (EPFL)   |
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.correlation import (
    cosine_correlate,
    cross_correlate_channels,
    cross_correlate_depthwise,
)
from course_lib.models.proposals import Proposals

SHARP = 4.0  # factor on a mean of products of about one, so that the first probabilities differ


class UpChannelHead(nn.Module):
    """SiamRPN: 18.88 M parameters with 256 channels and 5 anchors. Search features (B, C, 22, 22)
    give maps of 17 × 17.

    Args:
        features: channels of φ; channels: of the correlation; anchors: k per cell.
    """

    trim = None

    def __init__(self, features: int = 256, channels: int = 256, anchors: int = 5) -> None:
        super().__init__()
        self.z_class = nn.Conv2d(features, channels * 2 * anchors, 3)
        self.z_box = nn.Conv2d(features, channels * 4 * anchors, 3)
        self.x_class = nn.Conv2d(features, channels, 3)
        self.x_box = nn.Conv2d(features, channels, 3)
        self.adjust = nn.Conv2d(4 * anchors, 4 * anchors, 1)
        self.channels = channels
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Begin as SiamFC: target's logits are the similarity of the two maps, the others its
        opposite.

        The convolutions on both sides begin as one and the same projection of φ, so that a map is Σ
        φ(z) · φ(x). From random numbers a head has to find the comparison itself first.
        """
        # (C, features)
        project = nn.init.orthogonal_(torch.empty(self.channels, self.x_class.in_channels))
        for layer in (self.z_class, self.x_class):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.x_class.weight[:, :, 1, 1] = project
        # (2k, C, features, 3, 3)
        kernels = self.z_class.weight.view(-1, self.channels, *self.z_class.weight.shape[1:])
        kernels[0::2, :, :, 1, 1], kernels[1::2, :, :, 1, 1] = -SHARP * project, SHARP * project

    def keep(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels (B, 2k, C, 4, 4) and (B, 4k, C, 4, 4) of exemplar features (B, C, 6, 6)."""
        kernels = self.z_class(z), self.z_box(z)  # (B, C·2k, 4, 4) and (B, C·4k, 4, 4)
        # the mean of 16 · C products instead of their sum: the first maps, and their gradients,
        # would be far too large
        products = kernels[0][0, 0].numel() * self.channels
        return tuple(k.reshape(len(z), -1, self.channels, *k.shape[2:]) / products for k in kernels)

    def forward(self, kept: tuple[Tensor, Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, 22, 22)."""
        classes = cross_correlate_channels(kept[0], self.x_class(x))  # (B, 2k, 17, 17)
        offsets = self.adjust(cross_correlate_channels(kept[1], self.x_box(x)))  # (B, 4k, 17, 17)
        return as_proposals(classes, offsets)


class DepthwiseBranch(nn.Module):
    """One question to the pair, by depth-wise correlation: answers (B, out, n, n)."""

    def __init__(self, features: int, channels: int, out: int) -> None:
        super().__init__()
        self.z = conv_norm(features, channels, 3)
        self.x = conv_norm(features, channels, 3)
        self.answer = nn.Sequential(conv_norm(channels, channels, 1), nn.Conv2d(channels, out, 1))

    def forward(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Answers (B, out, 17, 17) from the exemplar's kernel (B, C, 4, 4) and search features (B,
        C, 22, 22), and what the kernel slid over, (B, channels, 20, 20)."""
        x = self.x(x)  # (B, channels, 20, 20)
        each = cross_correlate_depthwise(z, x)  # (B, channels, 17, 17)
        return self.answer(each), x


class DepthwiseHead(nn.Module):
    """SiamRPN++: 2.50 M parameters with 256 channels and 5 anchors; the convolutions of the two
    branches differ."""

    trim = None

    def __init__(self, features: int = 256, channels: int = 256, anchors: int = 5) -> None:
        super().__init__()
        self.classes = DepthwiseBranch(features, channels, 2 * anchors)
        self.boxes = DepthwiseBranch(features, channels, 4 * anchors)

    def keep(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels (B, C, 4, 4), one for each branch, of exemplar features (B, C, 6, 6)."""
        return self.classes.z(z), self.boxes.z(z)

    def forward(self, kept: tuple[Tensor, Tensor], x: Tensor, with_map: bool = False) -> Proposals:
        """Proposals for search features (B, C, 22, 22); `with_map`, also the cosines of the
        correlation that the scores are read from. Its channels, summed, are the plain correlation
        of the same two maps."""
        classes, seen = self.classes(kept[0], x)
        proposals = as_proposals(classes, self.boxes(kept[1], x)[0])
        return (
            proposals._replace(similarity=cosine_correlate(kept[0], seen))
            if with_map
            else proposals
        )


class BroadcastHead(nn.Module):
    """SiamBroadcastRPN's match in small: no correlation, convolutions learn to compare.

    One map of 18 × 18 instead of the original's 32 × 32 and 16 × 16 (see `models.broadcast`).
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

    def keep(self, z: Tensor) -> tuple[Tensor]:
        """The exemplar as one vector (B, C, 1, 1): the maximum of each channel over its middle 4 ×
        4 cells."""
        return (z[:, :, 1:-1, 1:-1].amax((2, 3), keepdim=True),)

    def forward(self, kept: tuple[Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, 22, 22)."""
        both = torch.cat([x, broadcast_over(kept[0], x)], 1)  # (B, 2C, 22, 22)
        both = self.compare(both)  # (B, channels, 18, 18)
        return as_proposals(self.classes(both), self.boxes(both))


class GlobalConvolution(nn.Module):
    """A k × k convolution as two separable branches: (k × 1, then 1 × k) + (1 × k, then k × 1); the
    map keeps its size.

    2 · k · mid · (in + out) weights instead of k² · in · out.
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
    """A global convolution and a residual 3 × 3 convolution of its positive part: a stage of
    SiamConcatRPN."""

    def __init__(self, k: int, before: int, mid: int, after: int) -> None:
        super().__init__()
        self.large = GlobalConvolution(k, before, mid, after)
        self.small = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, H, W) from (B, before, H, W)."""
        x = self.large(x)  # (B, after, H, W)
        return x + self.small(F.relu(x))


class ConcatHead(nn.Module):
    """SiamConcatRPN's match in small: exemplar and search features of equal size are stacked. One
    map of 18 × 18.

    Batch norm before every stage stands in for the original's pre-trained trunk, whose features
    have a known size.
    """

    trim = 4
    pictures_alike = True  # the exemplar is shown at the search image's size

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

    def keep(self, z: Tensor) -> tuple[Tensor]:
        """The exemplar features (B, C, 22, 22) as they are."""
        return (z,)

    def forward(self, kept: tuple[Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, 22, 22)."""
        both = torch.cat([x, kept[0].expand(len(x), -1, -1, -1)], 1)  # (B, 2C, 22, 22)
        both = self.stages(both)[:, :, 2:-2, 2:-2]  # (B, channels, 18, 18)
        return as_proposals(self.classes(both), self.boxes(both))


HEADS = {
    "upchannel": UpChannelHead,
    "depthwise": DepthwiseHead,
    "concat": ConcatHead,
    "broadcast": BroadcastHead,
}


def broadcast_over(vector: Tensor, x: Tensor) -> Tensor:
    """A vector (B or 1, C, 1, 1) at every cell of a map (B, C', H, W): (B, C, H, W), without
    copying it."""
    return vector.expand(len(x), -1, *x.shape[2:])


def conv_norm(before: int, after: int, k: int, **how: int) -> nn.Sequential:
    """Convolution (without padding unless `how` says so), batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, k, bias=False, **how), nn.BatchNorm2d(after), nn.ReLU()
    )


def as_proposals(classes: Tensor, offsets: Tensor) -> Proposals:
    """Maps (B, k·2, n, n) and (B, k·4, n, n) as one proposal per anchor, in the order of
    `place_anchors`: k, row, column."""
    B, _, rows, columns = classes.shape
    classes = classes.reshape(B, -1, 2, rows, columns).permute(0, 1, 3, 4, 2)  # (B, k, n, n, 2)
    offsets = offsets.reshape(B, -1, 4, rows, columns).permute(0, 1, 3, 4, 2)  # (B, k, n, n, 4)
    return Proposals(classes.reshape(B, -1, 2), offsets.reshape(B, -1, 4))
