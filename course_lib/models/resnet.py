"""ResNets (He et al., 2016) as trackers use them: truncated, or with stride 8 to the end. The
layers are torchvision's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

from course_lib.errors import DataError
from course_lib.models.backbone import Backbone
from course_lib.models.pyramid import MapPlace
from course_lib.models.tensors import read_torch, resnet_name

# mean and standard deviation of RGB in 0…1, as torchvision's weights expect them
MEAN, STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class ResNet(Backbone):
    """A ResNet up to some layer: images (B, 3, S, S), values 0…255, to the maps of chosen layers.

    Attributes:
        whole: torchvision's function that builds all of it.
        title: as it is called.
        first: channels of layer 1.

    Args:
        upto: the last layer kept: 2, 3 or 4.
        outputs: which of the layers 1 … upto are returned; φ is the last of them.
        guided: whether images have a fourth channel, a mask, which a 7 × 7 convolution adds to
            conv1's output.
    """

    whole: ClassVar[Callable[..., nn.Module]]
    title: str
    first: int

    def __init__(self, upto: int, outputs: tuple[int, ...], guided: bool = False) -> None:
        super().__init__()
        self._take(type(self).whole(weights=None), upto)
        self.outputs, self.guided = outputs, guided
        self.channels = self.level_channels[-1]
        self.stride = 2 ** (outputs[-1] + 1)
        self.guide = nn.Conv2d(1, 64, 7, 2, padding=3, bias=False) if guided else None
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None] * 255, persistent=False)

    def _take(self, whole: nn.Module, upto: int) -> None:
        self.conv1, self.bn1, self.relu = whole.conv1, whole.bn1, whole.relu
        self.maxpool = whole.maxpool
        self.layers = nn.ModuleList([getattr(whole, f"layer{k}") for k in range(1, upto + 1)])

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Twice as many channels for each layer as for the one before it."""
        return tuple(self.first * 2 ** (k - 1) for k in self.outputs)

    def stages(self) -> list[list[nn.Module]]:
        """The stem, then every layer."""
        stem = [self.conv1, self.bn1] + ([self.guide] if self.guided else [])
        return [stem, *([layer] for layer in self.layers)]

    def forward(self, image: Tensor) -> Tensor:
        """The last map of `levels`, (B, C, s, s)."""
        return self.levels(image)[-1]

    def levels(self, image: Tensor) -> list[Tensor]:
        """The maps (B, C, s, s) of the layers in `outputs`: layer 1 has stride 4, layer 2 has 8,
        layer 3 has 16. 255 pixels lead to 64, 32 and 16 cells."""
        maps = self._maps(image)
        return [maps[k - 1] for k in self.outputs]

    def _maps(self, image: Tensor) -> list[Tensor]:
        """The maps of all layers: of ResNet-50 (B, 256, S/4, S/4), (B, 512, S/8, S/8), …"""
        x = self.conv1((image[:, :3] - self.mean) / self.std)  # (B, 64, S/2, S/2)
        if self.guide is not None:
            x = x + self.guide(image[:, 3:])  # (B, 64, S/2, S/2)
        x = self.maxpool(self.relu(self.bn1(x)))  # (B, 64, S/4, S/4)
        maps = []
        for layer in self.layers:
            x = layer(x)  # (B, C, S/4, S/4), (B, 2·C, S/8, S/8), …
            maps.append(x)
        return maps

    def load_classifier(self, path: Path) -> bool:
        """Load torchvision's weights, trained on ImageNet, from a file with their `state_dict`.

        A 1 × 1 shortcut goes into the centre of a 3 × 3 one whose other weights become 0, so that
        both begin as the same map.

        Raises:
            DataError: if the file holds something else.
        """
        own, found = self.state_dict(), set()
        for name, value in read_torch(path).items():
            mine = resnet_name(name)
            if mine in own and own[mine].shape == value.shape:
                own[mine].copy_(value)
                found.add(mine)
            elif mine in own and own[mine].shape[:2] == value.shape[:2]:  # 3 × 3 and 1 × 1
                own[mine].zero_()[:, :, 1:2, 1:2] = value
                found.add(mine)
        missing = [n for n in own if n not in found and not n.startswith("guide")]
        if missing:
            raise DataError(
                f"{path} is not torchvision's {self.title}: it lacks {', '.join(missing[:3])}"
            )
        return True


class ResNet18(ResNet):
    """ResNet-18 to its third layer, as in ATOM (Danelljan et al., 2019): images (B, 3, S, S),
    values 0…255, to features (B, 256, S/16, S/16); 2,782,784 parameters.

    Its pyramid has layers 2 and 3.
    """

    whole, title, first = staticmethod(lambda **given: resnet18(**given)), "ResNet-18", 64

    def __init__(self) -> None:
        super().__init__(3, (3,))
        # every padding is half its kernel, so the first cells lie on the first pixel
        self.pyramid_places = MapPlace(128, 8, 0.5), MapPlace(256, 16, 0.5)

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """The maps of layers 2 and 3, (B, 128, S/8, S/8) and (B, 256, S/16, S/16)."""
        return self._maps(image)[1:]


class ResNet50(ResNet):
    """ResNet-50 up to some layer; layer 1 has 256 channels. Arguments as ResNet's."""

    whole, title, first = staticmethod(lambda **given: resnet50(**given)), "ResNet-50", 256


class DilatedResNet50(ResNet50):
    """SiamRPN++'s ResNet-50 (Li et al., 2019): layers 2, 3 and 4 all have stride 8, the last two
    are dilated by 2 and 4; 45.53 M parameters.

    As in its public code (pysot, `resnet_atrous.py`), conv1 and the first block of layer 2 have no
    padding, and the three shortcuts are 3 × 3: maps are 15 × 15 cells for 127 pixels and 31 × 31
    for 255, in all three layers.
    """

    def __init__(self) -> None:
        super().__init__(4, (2, 3, 4))
        self.stride = 8
        whole = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        whole.conv1.padding = (0, 0)
        whole.layer2[0].conv2.padding = (0, 0)
        for layer, before, after, stride, dilation in (
            (whole.layer2, 256, 512, 2, 0),
            (whole.layer3, 512, 1024, 1, 1),
            (whole.layer4, 1024, 2048, 1, 2),
        ):
            pad, apart = dilation, max(dilation, 1)
            layer[0].downsample[0] = nn.Conv2d(
                before, after, 3, stride, padding=pad, dilation=apart, bias=False
            )
        self._take(whole, 4)
