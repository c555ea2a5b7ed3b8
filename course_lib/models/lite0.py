"""EfficientNet-Lite0 (Tan and Le, 2019; the Lite variant of 2020) to its fifth stage: 700,768
parameters that have seen the 1.3 million photographs of ImageNet.

Lite means: no squeeze-and-excitation, and ReLU6 instead of swish. `data_scripts/lite0.py` makes the
weights that come with the course from the package that publishes them.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import DataError
from course_lib.models.backbone import Backbone
from course_lib.models.pyramid import MapPlace

STEM = 32  # channels of the first convolution
# expansion, channels, side of the depth-wise kernel, stride, blocks
STAGES = ((1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3))
EPS = 1e-3  # of its batch norms, as it was trained with
LEVELS = (3, 4, 5)  # the stages whose maps a tracker reads


class Block(nn.Module):
    """Inverted residual block (Sandler et al., MobileNetV2, 2018): widen by 1 × 1, convolve each
    channel alone, narrow by 1 × 1; added to its input where the shape stays.

    Args:
        before: channels of the input.
        after: channels of the output.
        expansion: factor on the channels inside; 1 leaves out the first convolution.
        kernel: side of the depth-wise kernel.
        stride: of the depth-wise convolution.
        dilation: of the depth-wise convolution.
    """

    def __init__(
        self,
        before: int,
        after: int,
        expansion: int,
        kernel: int,
        stride: int,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        inside = before * expansion
        self.added = stride == 1 and before == after
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [
                nn.Conv2d(before, inside, 1, bias=False),
                norm(inside),
                nn.ReLU6(inplace=True),
            ]
        pad = kernel // 2 * dilation
        layers += [
            nn.Conv2d(inside, inside, kernel, stride, pad, dilation, groups=inside, bias=False),
            norm(inside),
            nn.ReLU6(inplace=True),
            nn.Conv2d(inside, after, 1, bias=False),
            norm(after),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, n, n) to (B, after, n / stride, n / stride)."""
        y = self.layers(x)
        return x + y if self.added else y


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm as in the published network."""
    return nn.BatchNorm2d(channels, eps=EPS)


class EfficientNetLite0(Backbone):
    """Backbone φ: images (B, 3, S, S), values 0…255, to features (B, 112, s, s) of stride 8.

    It is padded on all sides: 127 pixels lead to 16 × 16 cells and 255 to 32 × 32. Stages four and
    five have stride 16 where the network classifies. A tracker wants cells 8 px apart; there are
    two ways to them.

    Args:
        dilated: True: stage four keeps its resolution, and from there on the depth-wise
            convolutions look at every second cell, so that each still sees what it was trained
            on. False: the maps of stages four and five are upsampled, which takes half the time.
        guided: whether images have a fourth channel, a mask, which a 3 × 3 convolution adds to
            conv1's output.
    """

    # the central half of an exemplar's map: without training, the peak of the cosine with all of
    # it lies on the target in one moment of eight, with the central half in seven of eight
    kept = 8
    # both ways have the same weights
    same_weights: ClassVar[tuple[str, ...]] = ("dilated",)

    def __init__(self, dilated: bool = False, guided: bool = False) -> None:
        super().__init__()
        self.stride, self.channels, self.guided = 8, STAGES[-1][1], guided
        self.conv1 = nn.Conv2d(3, STEM, 3, 2, padding=1, bias=False)
        self.bn1, self.relu = norm(STEM), nn.ReLU6(inplace=True)
        self.layers = nn.ModuleList()
        before, apart = STEM, 1
        for k, (expansion, channels, kernel, stride, count) in enumerate(STAGES, start=1):
            stage = nn.Sequential()
            for step in (stride, *[1] * (count - 1)):
                if dilated and k > LEVELS[0]:
                    # the block that no longer steps convolves as before, those behind it dilated
                    stage.append(Block(before, channels, expansion, kernel, 1, apart))
                    apart *= step
                else:
                    stage.append(Block(before, channels, expansion, kernel, step))
                before = channels
            self.layers.append(stage)
        self.guide = nn.Conv2d(1, STEM, 3, 2, padding=1, bias=False) if guided else None
        # every padding is half its kernel, so the first cells lie on the first pixel
        self.dilated, deep = dilated, MapPlace(self.channels, 8 if dilated else 16, 0.5)
        means = MapPlace(self.channels, 16, 4.5)
        self.pyramid_places = (deep, means) if dilated else (MapPlace(STAGES[2][1], 8, 0.5), deep)
        self.init_weights()

    @property
    def step(self) -> int:
        """8 if dilated. Otherwise 16: for 263 pixels, 17 cells of stride 16 would be stretched to
        33 of stride 8, and would not lie among these as the exemplar's 8 lie among its 16."""
        return 8 if self.dilated else 16

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of stages three, four and five."""
        return tuple(STAGES[k - 1][1] for k in LEVELS)

    def stages(self) -> list[list[nn.Module]]:
        """The first convolution, then the five stages."""
        first = [self.conv1, self.bn1] + ([self.guide] if self.guided else [])
        return [first, *([stage] for stage in self.layers)]

    def init_weights(self) -> None:
        """Initialise the weights; at first the mask changes nothing."""
        super().init_weights()
        if self.guide is not None:
            nn.init.zeros_(self.guide.weight)

    def forward(self, image: Tensor) -> Tensor:
        """The last map of `levels`, (B, 112, s, s)."""
        return self.levels(image)[-1]

    def levels(self, image: Tensor) -> list[Tensor]:
        """The maps of stages three, four and five, (B, 40, s, s), (B, 80, s, s) and
        (B, 112, s, s)."""
        maps = self._maps(image)
        return [maps[0], *(like(m, maps[0]) for m in maps[1:])]

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """The maps of stages three and five at their own strides, (B, 40, S/8, S/8) and
        (B, 112, S/16, S/16); dilated, φ and its means."""
        return super().pyramid(image) if self.dilated else self._maps(image)[::2]

    def _maps(self, image: Tensor) -> list[Tensor]:
        """The maps of stages three, four and five as they are: (B, 40, S/8, S/8),
        (B, 80, S/16, S/16) and (B, 112, S/16, S/16)."""
        x = self.conv1((image[:, :3] - 127) / 128)  # (B, 32, S/2, S/2)
        if self.guide is not None:
            x = x + self.guide(image[:, 3:])  # (B, 32, S/2, S/2)
        x = self.relu(self.bn1(x))
        maps = []
        for k, stage in enumerate(self.layers, start=1):
            x = stage(x)  # (B, 16, S/2, S/2), (B, 24, S/4, S/4), (B, 40, S/8, S/8), …
            if k in LEVELS:
                maps.append(x)
        return maps

    @torch.no_grad()
    def load_published(self, tensors: dict[str, Tensor]) -> None:
        """Fill in the published network's weights, which stand in the same order.

        Args:
            tensors: its `state_dict`; what lies behind stage five is left out.

        Raises:
            DataError: it is another network's.
        """
        own = {name: t for name, t in self.state_dict().items() if not name.startswith("guide")}
        for (name, mine), (theirs, value) in zip(own.items(), tensors.items(), strict=False):
            if mine.shape != value.shape:
                raise DataError(
                    f"the published {theirs} has shape {tuple(value.shape)}, but {name} of "
                    f"EfficientNet-Lite0 has {tuple(mine.shape)}: these are another network's "
                    "weights"
                )
            mine.copy_(value)
        if len(tensors) < len(own):
            raise DataError(f"{len(tensors)} tensors; EfficientNet-Lite0 has at least {len(own)}")


def like(x: Tensor, other: Tensor) -> Tensor:
    """A map (B, C, n, n) brought to the cells of another (B, C', s, s), bilinearly."""
    if x.shape[-2:] == other.shape[-2:]:
        return x
    return F.interpolate(x, other.shape[-2:], mode="bilinear", align_corners=False)
