"""Two ways from an image to tokens, one token for every 16 × 16 pixels: a few convolutions, or one
matrix.

A transformer's patch embedding (Dosovitskiy et al., 2021) knows nothing of images: that
neighbouring pixels belong together has to be learned, from many of them. Four convolutions know it
from the start (the stem of LeViT, Graham et al., 2021; VitTrack has it).
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from course_lib.models.backbone import Backbone

# of ImageNet's RGB images with values 0…1, the usual input of transformers
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def normalised(image: Tensor) -> Tensor:
    """Images (B, 3, S, S) with values 0…255 as public transformers expect them: each colour shifted
    and scaled so that over ImageNet it has mean 0 and standard deviation 1."""
    mean, deviation = _of_colours(image)
    return (image - mean) / deviation


def denormalised(image: Tensor) -> Tensor:
    """The inverse of `normalised`: images (B, 3, S, S) with values 0…255."""
    mean, deviation = _of_colours(image)
    return image * deviation + mean


def _of_colours(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1) of the colours of images with values 0…255."""
    mean, deviation = (image.new_tensor(v)[:, None, None] * 255 for v in (MEAN, DEVIATION))
    return mean, deviation


class ConvStem(Backbone):
    """Backbone φ: images (B, 3, S, S), values 0…255, to features (B, dim, S/16, S/16): four 3 × 3
    convolutions of stride 2 with batch norm, hardswish between them.

    Args:
        dim: channels of the last convolution, a multiple of 8; each before has half as many.
    """

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        self.stride, self.channels = 16, dim
        widths = (3, dim // 8, dim // 4, dim // 2, dim)
        self.layers = nn.Sequential()
        for k, (before, after) in enumerate(pairwise(widths)):
            self.layers.append(nn.Conv2d(before, after, 3, 2, padding=1, bias=False))
            self.layers.append(nn.BatchNorm2d(after))
            if k < 3:
                self.layers.append(nn.Hardswish())
        self.init_weights()

    def stages(self) -> list[list[nn.Module]]:
        """The convolutions, each with its batch norm."""
        return [list(self.layers[k : k + 2]) for k in (0, 3, 6, 9)]

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, dim, S/16, S/16)."""
        return self.layers(normalised(image))


class PatchEmbedding(Backbone):
    """Backbone φ: images (B, 3, S, S), values 0…255, to features (B, dim, S/16, S/16): every square
    of 16 × 16 pixels times the same matrix, which is a convolution of stride 16.

    Args:
        dim: channels.
    """

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        self.stride, self.channels = 16, dim
        self.proj = nn.Conv2d(3, dim, 16, 16)
        self.init_weights()

    def stages(self) -> list[list[nn.Module]]:
        """Its only layer."""
        return [[self.proj]]

    def init_weights(self) -> None:
        """Normal weights with the variance 1 / fan-in, biases 0."""
        nn.init.normal_(self.proj.weight, std=self.proj.weight[0].numel() ** -0.5)
        nn.init.zeros_(self.proj.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, dim, S/16, S/16)."""
        return self.proj(normalised(image))


def tokens_of(features: Tensor) -> Tensor:
    """Features (B, C, n, n) as tokens (B, n², C), row by row."""
    return features.flatten(2).transpose(1, 2)


def map_of(tokens: Tensor) -> Tensor:
    """Tokens (B, n², C) as the map (B, C, n, n) that they are."""
    n = math.isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).unflatten(2, (n, n))
