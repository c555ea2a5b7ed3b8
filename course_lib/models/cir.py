"""Cropping-inside residual units and the networks made of them (Zhang and Peng, "Deeper and Wider
Siamese Networks for Real-Time Visual Tracking", 2019).

A 3 × 3 convolution with padding keeps a map's size, but its outermost cells have seen zeros that
are not in the image. A CIR unit crops exactly those cells, so that even a deep network shows no
trace of padding.

For tracking, `folded` saves the work on cells that are cropped anyway: without padding the 3 × 3
convolution computes only the cells that stay, and so do all later layers and the shortcut. In
training the units must stay as they are: the cropped cells count in the batch-norm statistics.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.backbone import Backbone, affine, fold_norms, folded_convolution

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
    """A bottleneck (1 × 1, 3 × 3, 1 × 1) with its shortcut, then one cell cropped on each side
    (Zhang and Peng, 2019).

    Args:
        before: channels of the input.
        mid: channels inside the bottleneck.
        after: channels of the output.
        kind: "residual"; "wide", with twice as many channels after the 3 × 3 convolution; "next",
            whose 3 × 3 convolution has 32 groups and whose sum is followed by one more batch norm.
        last: whether the final ReLU is left out, as at the end of a network.
        padded: whether the crop is left out, which makes it an ordinary residual unit.
        dilation: of the 3 × 3 convolution; as many cells are padded and cropped.
    """

    def __init__(
        self,
        before: int,
        mid: int,
        after: int,
        *,
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
        self.last, self.crop, self.spared = last, 0 if padded else dilation, 0
        self.shortcut = None
        if before != after:
            norm = nn.Identity() if kind == "next" else nn.BatchNorm2d(after)
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), norm)

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, after, n − 2, n − 2) from (B, before, n, n)."""
        y = self.relu(self.bn1(self.conv1(x)))  # (B, mid, n, n)
        y = self.relu(self.bn2(self.conv2(y)))  # (B, inner, n, n): its border has seen padding
        y = self.bn3(self.conv3(y))  # (B, after, n, n)
        short = crop(x, self.spared) if self.spared else x  # (B, before, n, n)
        if self.shortcut is not None:
            short = self.shortcut(short)  # (B, after, n, n)
        y = self.sum_bn(y + short)  # (B, after, n, n)
        if not self.last:
            y = self.relu(y)
        return crop(y, self.crop) if self.crop else y  # (B, after, n − 2, n − 2)

    def folded(self) -> CIR:
        """The same unit without batch norms and without the cells that its crop throws away."""
        plain = _spare(self)
        if isinstance(self.sum_bn, nn.BatchNorm2d):
            plain._scale(*affine(self.sum_bn, self.conv3.out_channels))
        return plain

    @torch.no_grad()
    def _scale(self, gain: Tensor, shift: Tensor) -> None:
        """Fold the batch norm after a sum: its gain (C,) scales both terms, its shift (C,) is added
        once."""
        self.sum_bn = nn.Identity()
        self.conv3.weight.mul_(gain[:, None, None, None])
        self.conv3.bias.mul_(gain).add_(shift)
        if self.shortcut is None:
            self.shortcut = Gain(gain)
        else:
            self.shortcut[0].weight.mul_(gain[:, None, None, None])


class Gain(nn.Module):
    """A factor (C,) on each channel of a map."""

    def __init__(self, gain: Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(gain.clone()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, C, n, n) from one."""
        return x * self.gain


class CIRInception(nn.Module):
    """A bottleneck and a 1 × 1 convolution, concatenated (4 · mid + mid channels), then one cell
    cropped on each side (Zhang and Peng, 2019).

    Args:
        before: channels of the input.
        mid: channels inside the bottleneck.
        last: whether the final ReLU is left out.
    """

    def __init__(self, before: int, mid: int, last: bool = False) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv2, self.bn2 = nn.Conv2d(mid, mid, 3, padding=1, bias=False), nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = nn.Conv2d(mid, 4 * mid, 1, bias=False), nn.BatchNorm2d(4 * mid)
        self.side = nn.Conv2d(before, mid, 1, bias=False)
        self.side_bn = nn.BatchNorm2d(mid, eps=1e-3)  # as in SiamDW's public code
        self.relu = nn.ReLU()
        self.last, self.crop, self.spared = last, 1, 0

    def forward(self, x: Tensor) -> Tensor:
        """A map (B, 5·mid, n − 2, n − 2) from (B, before, n, n)."""
        y = self.relu(self.bn1(self.conv1(x)))  # (B, mid, n, n)
        y = self.relu(self.bn2(self.conv2(y)))  # (B, mid, n, n)
        side = crop(x, self.spared) if self.spared else x  # (B, before, n, n)
        # (B, 5·mid, n, n)
        y = torch.cat([self.bn3(self.conv3(y)), self.side_bn(self.side(side))], 1)
        if not self.last:
            y = self.relu(y)
        return crop(y, self.crop) if self.crop else y  # (B, 5·mid, n − 2, n − 2)

    def folded(self) -> CIRInception:
        """The same unit without batch norms and without the cells that its crop throws away."""
        return _spare(self)


def _spare(unit: CIR | CIRInception) -> CIR | CIRInception:
    """A copy of a unit, its batch norms folded, that computes only the cells that are not
    cropped."""
    plain = fold_norms(copy.deepcopy(unit).eval())
    if unit.crop:
        plain.conv2.padding = (0, 0)
    plain.spared, plain.crop = unit.crop, 0
    plain.relu = nn.ReLU(inplace=True)
    return plain


# name: kind of unit, units before and after the (second) halving of the map (Zhang and Peng, 2019,
# and their public code)
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
    """A stem and a sequence of CIR units, by the name of PLANS; stride 8, for CIResNet-43 4.

    The last unit before a halving is the paper's CIR-D unit: its convolutions keep stride 1, it is
    cropped, and a 2 × 2 pooling after it halves the map, so that no unpadded cell is lost.

    Args:
        name: of the network.
        width_multiplier: factor on the channels, below 1 for small siblings; 1 in the paper.
    """

    def __init__(self, name: str, width_multiplier: float = 1.0) -> None:
        super().__init__()
        if name not in PLANS:
            raise SettingsError(f"the network is {name!r}; expected one of {', '.join(PLANS)}")
        kind, first, second = PLANS[name]
        width, deep = round(64 * width_multiplier), name == "ciresnet43"
        self.stride = 4 if deep else 8
        # the public code's stem for these two: no padding, 3 × 3 pooling (receptive field 95
        # instead of 93)
        bare = kind in ("inception", "next")
        # only the public CIResNeXt has a bias there, which the batch norm after it cancels
        biased = kind == "next"
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=0 if bare else 3, bias=biased)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        # two cells on each side of the stem's map have seen padding
        self.crop, self.spared = 0 if bare else 2, 0
        self.early = nn.MaxPool2d(3, 2) if bare else nn.Identity() if deep else nn.MaxPool2d(2, 2)
        self.second_pool = nn.MaxPool2d(2, 2)  # after the CIR-D unit
        self.halving = first - 1 if deep else first  # index of the unit before that pooling
        self.units, self.channels = nn.ModuleList(), width
        for k in range(first + second):
            mid, last = width if deep or k < first else 2 * width, k == first + second - 1
            if kind == "inception":
                self.units.append(CIRInception(self.channels, mid, last))
            else:
                inside = 2 * mid if kind == "next" else mid
                self.units.append(CIR(self.channels, inside, 4 * mid, kind=kind, last=last))
            self.channels = (5 if kind == "inception" else 4) * mid
        self.init_weights()

    def stages(self) -> list[list[nn.Module]]:
        """The stem, then every unit."""
        return [[self.conv1, self.bn1], *([unit] for unit in self.units)]

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, C, s, s) of images (B, 3, S, S); the comments give shapes for CIResNet-22,
        127 and 255 pixels."""
        if self.spared:
            image = image[:, :, self.spared :, self.spared :]  # (B, 3, S − 1, S − 1)
        x = self.relu(self.bn1(self.conv1(image)))  # (B, 64, 64, 64) and (B, 64, 128, 128)
        if self.crop:
            x = crop(x, self.crop)  # (B, 64, 60, 60) and (B, 64, 124, 124)
        x = self.early(x)  # (B, 64, 30, 30) and (B, 64, 62, 62)
        for k, unit in enumerate(self.units):
            # (B, 256, 28, 28), (…, 26, 26), (…, 24, 24), then (B, 512, 22, 22); for search images
            # 32 cells more per side before the pooling
            x = unit(x)
            if k == self.halving:
                x = self.second_pool(x)  # (B, 512, 11, 11) and (B, 512, 27, 27)
        return x  # (B, 512, 5, 5) and (B, 512, 21, 21)

    def folded(self) -> CIRNetwork:
        """The same network for tracking, for images with an odd number of pixels per side.

        The stem's crop is saved too: with padding 3, every cell that stays starts at an odd pixel,
        so the image is cropped by one pixel instead of padded by three.
        """
        plain = copy.deepcopy(self).eval()
        plain.conv1 = folded_convolution(self.conv1, self.bn1, 0)
        plain.bn1, plain.relu = nn.Identity(), nn.ReLU(inplace=True)
        plain.crop, plain.spared = 0, 1 if self.crop else 0
        plain.units = nn.ModuleList([unit.folded() for unit in self.units])
        return plain
