"""Cropping-inside residual units and the networks made of them (Zhang and Peng, "Deeper and Wider
Siamese Networks", 2019).

A 3 × 3 convolution with padding keeps a map's size, but its outermost cells have seen zeros that
are not in the picture. A CIR unit cuts exactly those cells off, so that a deep network has no trace
of padding.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.backbone import Backbone, affine, folded_convolution

GROUPS = 32  # of the 3 × 3 convolution in a CIR-NeXt unit


def crop(x: Tensor, cells: int = 1) -> Tensor:
    """A map (B, C, H, W) without its outermost cells on each side: (B, C, H − 2·cells, W −
    2·cells)."""
    return x[:, :, cells:-cells, cells:-cells]


class Crop(nn.Module):
    """`crop` as a layer."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, n − 2·cells, n − 2·cells) from (B, C, n, n)."""
        return crop(x, self.cells)


class CIR(nn.Module):
    """A bottleneck (1 × 1, 3 × 3, 1 × 1), its shortcut added, then one cell cropped on each side.

    Args:
        before, mid, after: channels of the input, inside and of the output.
        kind: "residual"; "wide", with twice as many channels behind the 3 × 3 convolution; "next",
            whose 3 × 3 convolution has 32 groups and whose sum is followed by one more batch norm.
        last: whether the ReLU at the end is left out, as at the end of a network.
        padded: whether the crop is left out: an ordinary residual unit.
        dilation: of the 3 × 3 convolution; as many cells are padded and cropped.
    """

    def __init__(
        self,
        before: int,
        mid: int,
        after: int,
        kind: str = "residual",
        last: bool = False,
        padded: bool = False,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        inner = 2 * mid if kind == "wide" else mid
        groups = min(GROUPS, mid) if kind == "next" else 1
        self.conv1, self.bn1 = nn.Conv2d(before, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv2 = nn.Conv2d(
            mid, inner, 3, padding=dilation, dilation=dilation, groups=groups, bias=False
        )
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after)
        self.relu = nn.ReLU()
        self.sum_bn = nn.BatchNorm2d(after) if kind == "next" else nn.Identity()
        self.last, self.crop = last, 0 if padded else dilation
        self.shortcut = None
        if before != after:
            norm = nn.Identity() if kind == "next" else nn.BatchNorm2d(after)
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), norm)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, n − 2, n − 2) from (B, before, n, n)."""
        y = self.relu(self.bn1(self.conv1(x)))  # (B, mid, n, n)
        y = self.relu(self.bn2(self.conv2(y)))  # (B, inner, n, n): its border has seen padding
        y = self.bn3(self.conv3(y))  # (B, after, n, n)
        short = x if self.shortcut is None else self.shortcut(x)  # (B, after, n, n)
        y = self.sum_bn(y + short)  # (B, after, n, n)
        if not self.last:
            y = self.relu(y)
        return crop(y, self.crop) if self.crop else y  # (B, after, n − 2, n − 2)

    def folded(self) -> nn.Module:
        """The same unit without batch norms and without the cells that its crop throws away."""
        return FoldedUnit(self)


class CIRInception(nn.Module):
    """A bottleneck beside one 1 × 1 convolution, put side by side (4 · mid + mid channels), then
    one cell cropped."""

    def __init__(self, before: int, mid: int, last: bool = False) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv2, self.bn2 = nn.Conv2d(mid, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = nn.Conv2d(mid, 4 * mid, 1, bias=False), nn.BatchNorm2d(4 * mid)
        self.side, self.side_bn = (
            nn.Conv2d(before, mid, 1, bias=False),
            nn.BatchNorm2d(mid, eps=1e-3),
        )
        self.relu = nn.ReLU()
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, 5·mid, n − 2, n − 2) from (B, before, n, n)."""
        y = self.relu(self.bn1(self.conv1(x)))  # (B, mid, n, n)
        y = self.relu(self.bn2(self.conv2(y)))  # (B, mid, n, n)
        y = torch.cat([self.bn3(self.conv3(y)), self.side_bn(self.side(x))], 1)  # (B, 5·mid, n, n)
        return crop(y if self.last else self.relu(y))  # (B, 5·mid, n − 2, n − 2)

    def folded(self) -> nn.Module:
        """The same unit without batch norms and without the cells that its crop throws away."""
        return FoldedUnit(self)


class FoldedUnit(nn.Module):
    """A trained CIR unit for tracking: plain convolutions, and no work on cells that are cropped.

    Without padding the 3 × 3 convolution computes just the cells that stay; everything behind it,
    and the shortcut, is computed for those cells alone.
    """

    def __init__(self, unit: CIR | CIRInception) -> None:
        super().__init__()
        self.inception = isinstance(unit, CIRInception)
        self.last = unit.last
        self.crop = 1 if self.inception else unit.crop
        self.conv1 = folded_convolution(unit.conv1, unit.bn1)
        self.conv2 = folded_convolution(unit.conv2, unit.bn2, 0 if self.crop else None)
        self.conv3 = folded_convolution(unit.conv3, unit.bn3)
        self.side: nn.Module | None = None
        if self.inception:
            self.side = folded_convolution(unit.side, unit.side_bn)
        elif unit.shortcut is not None:
            self.side = folded_convolution(*unit.shortcut)
        self.gain: Tensor | None = None
        if not self.inception and isinstance(unit.sum_bn, nn.BatchNorm2d):
            self._scale(*affine(unit.sum_bn, unit.conv3.out_channels))

    @torch.no_grad()
    def _scale(self, gain: Tensor, shift: Tensor) -> None:
        """Take in the batch norm behind a sum: it scales both terms, and its shift is added
        once."""
        for conv in (self.conv3, self.side):
            if conv is not None:
                conv.weight.mul_(gain[:, None, None, None])
                conv.bias.mul_(gain)
        self.conv3.bias.add_(shift)
        if self.side is None:
            self.gain = nn.Parameter(gain.clone()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C', n − 2, n − 2) from (B, C, n, n)."""
        y = F.relu(self.conv1(x), inplace=True)  # (B, mid, n, n)
        y = F.relu(self.conv2(y), inplace=True)  # (B, mid, n − 2, n − 2)
        y = self.conv3(y)  # (B, C', n − 2, n − 2)
        short = crop(x, self.crop) if self.crop else x  # (B, C, n − 2, n − 2)
        if self.side is not None:
            short = self.side(short)  # (B, C', n − 2, n − 2)
        if self.inception:
            y = torch.cat([y, short], 1)  # (B, 5·mid, n − 2, n − 2)
        else:
            y = y.add_(short if self.gain is None else short * self.gain)  # (B, C', n − 2, n − 2)
        return y if self.last else F.relu(y, inplace=True)


# name: kind of unit, units before and behind the (second) halving of the map
PLANS = {
    "ciresnet16": ("residual", 1, 4),
    "ciresnet19": ("residual", 2, 4),
    "ciresnet22": ("residual", 3, 4),
    "ciresnet22w": ("wide", 3, 4),
    "ciresinception22": ("inception", 3, 4),
    "ciresnext22": ("next", 3, 4),
    "ciresnet43": ("residual", 4, 10),
}


class CIRNetwork(Backbone):
    """A stem and a row of CIR units, by the name of PLANS; stride 8, CIResNet-43: 4.

    The last unit before a halving is a CIR-D unit in the paper's words: its convolutions keep
    stride 1, it is cropped, and a 2 × 2 pooling behind it halves the map, so that no cell without
    padding is lost.

    Args:
        name: of the network.
        share: of the channels that are kept, for small siblings; 1 for the paper's.
    """

    def __init__(self, name: str, share: float = 1.0) -> None:
        super().__init__()
        if name not in PLANS:
            raise SettingsError(f"the network is {name!r}; expected one of {', '.join(PLANS)}")
        kind, first, second = PLANS[name]
        width = round(64 * share)
        # the public code's stem for these two: no padding, 3 × 3 pooling (receptive field 95
        # instead of 93)
        self.bare = kind in ("inception", "next")
        # the public CIResNeXt alone has a bias there, before a batch norm that takes it away again
        biased = kind == "next"
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=0 if self.bare else 3, bias=biased)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        deep = name == "ciresnet43"
        self.stride = 4 if deep else 8
        self.early = (
            nn.MaxPool2d(3, 2) if self.bare else nn.Identity() if deep else nn.MaxPool2d(2, 2)
        )
        self.middle = nn.MaxPool2d(2, 2)  # behind the CIR-D unit
        total = first + second
        self.halving = first - 1 if deep else first  # the unit that is followed by the pooling
        units, before = [], width
        for k in range(total):
            mid = width if deep or k < first else 2 * width
            last = k == total - 1
            if kind == "inception":
                units.append(CIRInception(before, mid, last))
                before = 5 * mid
            elif kind == "next":
                units.append(CIR(before, 2 * mid, 4 * mid, kind, last))
                before = 4 * mid
            else:
                units.append(CIR(before, mid, 4 * mid, kind, last))
                before = 4 * mid
        self.units = nn.ModuleList(units)
        self.channels = before
        self.start()

    def parts(self) -> list[list[nn.Module]]:
        """The stem, then every unit."""
        return [[self.conv1, self.bn1], *([unit] for unit in self.units)]

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, C, s, s) of pictures; sizes for CIResNet-22, 127 and 255 pixels."""
        x = self.relu(self.bn1(self.conv1(image)))  # (B, 64, 64, 64) and (B, 64, 128, 128)
        if not self.bare:
            # (B, 64, 60, 60) and (B, 64, 124, 124): two cells on each side have seen padding
            x = crop(x, 2)
        x = self.early(x)  # (B, 64, 30, 30) and (B, 64, 62, 62)
        for k, unit in enumerate(self.units):
            x = unit(
                x
            )  # (B, 256, 28, 28), (…, 26, 26), (…, 24, 24), then (B, 512, 22, 22); search images 32 more
            if k == self.halving:
                x = self.middle(x)  # (B, 512, 11, 11) and (B, 512, 27, 27)
        return x  # (B, 512, 5, 5) and (B, 512, 21, 21)

    def folded(self) -> FoldedCIRNetwork:
        """The same network for tracking."""
        return FoldedCIRNetwork(self)


class FoldedCIRNetwork(Backbone):
    """A CIRNetwork with folded units. The stem's crop is spared too: with padding 3, every cell
    that stays starts at an odd pixel, so the picture is cut by one pixel instead of padded by
    three."""

    def __init__(self, network: CIRNetwork) -> None:
        super().__init__()
        self.stride, self.channels = network.stride, network.channels
        self.conv1 = folded_convolution(network.conv1, network.bn1, 0)
        self.skip = 0 if network.bare else 1
        self.early, self.middle, self.halving = network.early, network.middle, network.halving
        self.units = nn.ModuleList([unit.folded() for unit in network.units])

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, C, s, s) of pictures (B, 3, S, S); S is odd unless the stem has no crop."""
        x = image[:, :, self.skip :, self.skip :]  # (B, 3, S − 1, S − 1)
        x = self.early(F.relu(self.conv1(x), inplace=True))  # (B, 64, 30, 30) and (B, 64, 62, 62)
        for k, unit in enumerate(self.units):
            x = unit(x)
            if k == self.halving:
                x = self.middle(x)
        return x
