"""The AlexNet of SiamFC: five convolutions without padding (layer table of Bertinetto et al.,
2016; see lesson 04)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.geometry.receptive import Layer
from course_lib.models.backbone import Backbone

WIDTHS = (96, 256, 384, 384, 256)  # channels of the five convolutions


def alexnet_layers(stride: int = 8, widths: tuple[int, ...] = WIDTHS) -> list[Layer]:
    """The layers in order, for receptive-field arithmetic. Stride 4 is the later baseline (CFNet,
    Valmadre et al., 2017): the second pooling has stride 1 and conv5 has 32 channels."""
    if len(widths) != len(WIDTHS):
        raise SettingsError(f"widths are {widths}; expected {len(WIDTHS)} numbers")
    if stride not in (4, 8):
        raise SettingsError(f"stride is {stride}; expected 8 (SiamFC) or 4 (its later baseline)")
    last = widths[4] if stride == 8 else min(widths[4], 32)
    return [
        Layer("conv1", 11, 2, channels=widths[0]),
        Layer("pool1", 3, 2, channels=widths[0]),
        Layer("conv2", 5, channels=widths[1]),
        Layer("pool2", 3, stride // 4, channels=widths[1]),
        Layer("conv3", 3, channels=widths[2]),
        Layer("conv4", 3, channels=widths[3]),
        Layer("conv5", 3, channels=last),
    ]


class AlexNet(Backbone):
    """Backbone φ: images (B, 3, S, S), values 0…255, to features (B, C, s, s).

    Every convolution but the last is followed by batch norm and ReLU. conv2, conv4 and conv5 work
    in two groups, as in AlexNet, which was split to fit on two GPUs (Krizhevsky et al., 2012):
    2,336,320 parameters at the paper's widths.

    Args:
        stride: 8, or 4 for the later baseline.
        widths: channels of the five convolutions.
        batch_norm: False for a network whose batch norms are folded into its convolutions.
        groups: 2 for AlexNet and SiamFC; 1 for SiamRPN, whose convolutions see all channels
            (3,749,952 parameters with the batch norm after conv5).
        last_norm: whether conv5 too is followed by batch norm, as in SiamRPN.
        guided: whether there is a fourth input channel, a mask, which a separate convolution adds
            to conv1's output.
    """

    rpn_arguments: ClassVar[dict[str, Any]] = {"groups": 1, "last_norm": True}

    def __init__(
        self,
        stride: int = 8,
        widths: tuple[int, ...] = WIDTHS,
        batch_norm: bool = True,
        groups: int = 2,
        last_norm: bool = False,
        guided: bool = False,
    ) -> None:
        super().__init__()
        if any(width % groups for width in widths):
            raise SettingsError(
                f"widths are {widths}; expected multiples of {groups}, the groups of the "
                "convolutions"
            )
        layers = {layer.name: layer for layer in alexnet_layers(stride, widths)}
        self.stride, self.guided = stride, guided
        # at stride 4 the correlation sums differ in size: CFNet's baseline normalises the response
        self.fixed_gain = stride == 8
        channels = [3, *(layers[f"conv{k}"].channels for k in range(1, 6))]
        self.channels, self._level_channels = channels[5], tuple(channels[3:])
        for k in range(1, 6):
            layer, split = layers[f"conv{k}"], groups if k in (2, 4, 5) else 1
            conv = nn.Conv2d(channels[k - 1], channels[k], layer.kernel, layer.stride, groups=split)
            setattr(self, f"conv{k}", conv)
            has_norm = batch_norm and (k < 5 or last_norm)
            setattr(self, f"bn{k}", nn.BatchNorm2d(channels[k]) if has_norm else nn.Identity())
        # the sum of the two convolutions is the same as one convolution over four channels
        self.guide = nn.Conv2d(1, widths[0], 11, 2, bias=False) if guided else None
        self.pool1 = nn.MaxPool2d(3, 2)
        self.pool2 = nn.MaxPool2d(3, layers["pool2"].stride)
        self.relu = nn.ReLU()
        self.init_weights()

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of conv3, conv4 and conv5."""
        return self._level_channels

    def stages(self) -> list[list[nn.Module]]:
        """The five convolutions, each with its batch norm, the guide beside the first; SiamRPN
        freezes the first three."""
        stages = [[getattr(self, f"conv{k}"), getattr(self, f"bn{k}")] for k in range(1, 6)]
        stages[0] += [self.guide] if self.guided else []
        return stages

    def init_weights(self) -> None:
        """Initialise the weights; at first the mask changes nothing."""
        super().init_weights()
        if self.guide is not None:
            nn.init.zeros_(self.guide.weight)

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, C, s, s) of images (B, 3, S, S); guided, of (B, 4, S, S) with a mask of 0
        and 1 as the fourth channel."""
        return self.levels(image)[-1]

    def levels(self, image: Tensor) -> list[Tensor]:
        """The maps of conv3, conv4 and conv5; the comments give their shapes for 127 (exemplar)
        and 255 (search) pixels at stride 8."""
        x = self.conv1(image[:, :3])  # (B, 96, 59, 59) and (B, 96, 123, 123)
        if self.guide is not None:
            x = x + self.guide(image[:, 3:])  # (B, 96, 59, 59) and (B, 96, 123, 123)
        x = self.relu(self.bn1(x))
        x = self.pool1(x)  # (B, 96, 29, 29) and (B, 96, 61, 61)
        x = self.relu(self.bn2(self.conv2(x)))  # (B, 256, 25, 25) and (B, 256, 57, 57)
        x = self.pool2(x)  # (B, 256, 12, 12) and (B, 256, 28, 28)
        third = self.relu(self.bn3(self.conv3(x)))  # (B, 384, 10, 10) and (B, 384, 26, 26)
        fourth = self.relu(self.bn4(self.conv4(third)))  # (B, 384, 8, 8) and (B, 384, 24, 24)
        fifth = self.bn5(self.conv5(fourth))  # (B, 256, 6, 6) and (B, 256, 22, 22)
        return [third, fourth, fifth]


def build_alexnet() -> AlexNet:
    """SiamFC's backbone at the paper's widths: the reference solution of lesson 04's exercise."""
    return AlexNet()
