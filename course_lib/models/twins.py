"""Twins: small networks that differ from a base network in receptive field, stride or padding, and
in as little else as possible.

There is one for every column of SiamDW's analysis (Zhang and Peng, 2019), in two families. The
kernel of the last layer sets the receptive field: at stride 8, each cell of the kernel adds eight
pixels. (The authors' slides do not say how they set it; receptive field, stride and map size of
every column agree with theirs.)

| family  | layers before the last                                | last layer of the base        |
|---------|-------------------------------------------------------|-------------------------------|
| alexnet | SiamFC's conv1 … conv4, one group                     | 3 × 3: receptive field 87     |
| resnet  | 7 × 7 with stride 2, pooling, three CIR units,        | 3 × 3: receptive field 91     |
|         | pooling, two CIR units; poolings 3 × 3 with stride 2  |                               |
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.alexnet import WIDTHS
from course_lib.models.backbone import Backbone, fold_norms
from course_lib.models.cir import CIR


@dataclass(frozen=True)
class Twin:
    """What distinguishes a twin from its base.

    Attributes:
        last: side of the last layer's kernel.
        stride: pixels per cell: 4, 8 or 16.
        padded: whether every layer is padded, so that only strides make a map smaller.
    """

    last: int = 3
    stride: int = 8
    padded: bool = False


# Stride 4 is the twin with a last kernel of 5, minus the stride of the last pooling: the layers
# after it are dilated by 2, so that weights and receptive field stay the same. Stride 16 halves the
# map once more: AlexNet's in conv4, which leaves the base's weights as they are; ResNet's by a
# 3 × 3 pooling before the last layer, whose kernel is then 2.
TWINS = {
    "alexnet": {
        1: Twin(8),
        2: Twin(6),
        3: Twin(5),
        4: Twin(4),
        5: Twin(3),
        6: Twin(3, padded=True),
        7: Twin(2),
        8: Twin(1),
        9: Twin(3, stride=16),
        10: Twin(5, stride=4),
    },
    "resnet": {
        1: Twin(7),
        2: Twin(5),
        3: Twin(4),
        4: Twin(3),
        5: Twin(3, padded=True),
        6: Twin(2),
        7: Twin(1),
        8: Twin(2, stride=16),
        9: Twin(5, stride=4),
    },
}
BASES = {"alexnet": 5, "resnet": 4}  # the unpadded, unchanged columns


class TwinNetwork(Backbone):
    """One twin, at the widths of SiamFC or a fraction of them.

    Args:
        family: "alexnet" or "resnet".
        column: of TWINS.
        width_multiplier: factor on the channels; 1 for SiamFC's widths.
    """

    def __init__(self, family: str, column: int, width_multiplier: float = 1.0) -> None:
        super().__init__()
        if column not in TWINS.get(family, {}):
            raise SettingsError(
                f"there is no twin {column} of {family!r}; expected alexnet, 1 … 10, or resnet, 1 "
                "… 9, as in SiamDW's table"
            )
        twin = TWINS[family][column]
        self.stride = twin.stride
        make = _alexnet if family == "alexnet" else _resnet
        self.layers = nn.Sequential(*make(twin, width_multiplier))
        self.channels = self.layers[-1].out_channels
        self.init_weights()

    def stages(self) -> list[list[nn.Module]]:
        """Each convolution with its batch norm, or each unit."""
        stages: list[list[nn.Module]] = []
        for module in self.layers:
            if isinstance(module, nn.BatchNorm2d):
                stages[-1].append(module)
            elif isinstance(module, (nn.Conv2d, CIR)):
                stages.append([module])
        return stages

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, C, s, s) of images (B, 3, S, S): for the AlexNet base, s is 6 for 127 pixels
        and 22 for 255."""
        return self.layers(image)  # (B, C, s, s)

    def folded(self) -> Backbone:
        """The same network without batch norms and without the cells that its crops throw away."""
        plain = copy.deepcopy(self).eval()
        for k, module in enumerate(plain.layers):
            if isinstance(module, CIR):
                plain.layers[k] = module.folded()
        return fold_norms(plain)


def _alexnet(twin: Twin, width_multiplier: float) -> list[nn.Module]:
    """SiamFC's layers, with its channels times `width_multiplier`; shapes are the base's, for 127
    pixels."""
    a, b, c, d, e = (round(width_multiplier * width) for width in WIDTHS)
    apart = 2 if twin.stride == 4 else 1
    return [
        *_conv(3, a, 11, 2, twin.padded),  # (B, a, 59, 59)
        _pool(2, twin.padded),  # (B, a, 29, 29)
        *_conv(a, b, 5, 1, twin.padded),  # (B, b, 25, 25)
        _pool(1 if twin.stride == 4 else 2, twin.padded),  # (B, b, 12, 12)
        *_conv(b, c, 3, 1, twin.padded, apart),  # (B, c, 10, 10)
        *_conv(c, d, 3, 2 if twin.stride == 16 else 1, twin.padded, apart),  # (B, d, 8, 8)
        *_conv(d, e, twin.last, 1, twin.padded, apart)[:1],  # (B, e, 6, 6)
    ]


def _resnet(twin: Twin, width_multiplier: float) -> list[nn.Module]:
    """Bottlenecks with 64 and 128 channels inside, 256 and 512 outside, and 256 at the end, times
    `width_multiplier`; shapes are the base's, for 127 pixels."""
    small, large = round(width_multiplier * 64), round(width_multiplier * 128)
    apart = 2 if twin.stride == 4 else 1
    return [
        *_conv(3, small, 7, 2, twin.padded),  # (B, small, 61, 61)
        _pool(2, twin.padded),  # (B, small, 30, 30)
        *_units(3, small, small, twin.padded),  # (B, 4 · small, 24, 24)
        _pool(1 if twin.stride == 4 else 2, twin.padded),  # (B, 4 · small, 11, 11)
        *_units(2, 4 * small, large, twin.padded, apart),  # (B, 4 · large, 7, 7)
        *([_pool(2, False)] if twin.stride == 16 else []),
        # (B, 256, 5, 5)
        *_conv(4 * large, round(width_multiplier * 256), twin.last, 1, twin.padded, apart)[:1],
    ]


def _units(count: int, before: int, mid: int, padded: bool, dilation: int = 1) -> list[nn.Module]:
    """A sequence of CIR units with 4 · mid channels between them."""
    channels = [before] + [4 * mid] * (count - 1)
    return [CIR(n, mid, 4 * mid, padded=padded, dilation=dilation) for n in channels]


def _conv(
    before: int, after: int, kernel: int, stride: int, padded: bool, dilation: int = 1
) -> list[nn.Module]:
    padding = dilation * (kernel // 2) if padded else 0
    conv = nn.Conv2d(before, after, kernel, stride, padding, dilation)
    return [conv, nn.BatchNorm2d(after), nn.ReLU()]


def _pool(stride: int, padded: bool) -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride, padding=int(padded))
