"""ATOM's overlap maximisation (Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization",
2019): how well does a box cover this target? The IoU is predicted, and a box can climb it.

What the target is like is known from one reference image. A branch reads the reference box into two
vectors, one number ≥ 0 for each channel; multiplied with the test image's features, they keep what
matters for this target. The features of each proposed box are then pooled and judged. Everything
from the box on is differentiable, so the gradient of the prediction says how the box should move
and stretch.

| branch    | on the fine map (stride 8)                | on the coarse map (stride 16)      |
|-----------|-------------------------------------------|------------------------------------|
| reference | 3 × 3, PrPool to 3 × 3, 3 × 3 without     | 3 × 3, PrPool to 1 × 1             |
|           | padding; both together: 1 × 1 to a vector | and 1 × 1 to another vector        |
| test      | two 3 × 3, times the vector, PrPool to    | two 3 × 3, times the vector,       |
|           | 5 × 5, dense; both together: IoU          | PrPool to 3 × 3, dense             |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.prpool import prpool
from course_lib.models.pyramid import MapPlace


class Modulation(NamedTuple):
    """What the reference branch knows of B targets: two vectors, ≥ 0.

    Attributes:
        fine: (B, C) factors on the channels of the fine map.
        coarse: (B, C) factors on those of the coarse map.
    """

    fine: Tensor
    coarse: Tensor


class OverlapMaps(NamedTuple):
    """Features of B test images, before they are multiplied with a modulation.

    Attributes:
        fine: (B, C, n, n).
        coarse: (B, C, m, m).
    """

    fine: Tensor
    coarse: Tensor


class Dense(nn.Module):
    """A fully connected layer on pooled features, with batch norm and ReLU.

    Args:
        before: numbers in.
        after: numbers out.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(before, after), nn.BatchNorm1d(after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, after), ≥ 0, from pooled features (N, C, k, k) with C · k · k = before."""
        return F.relu(self.norm(self.linear(x.flatten(1))))


class IoUPredictor(nn.Module):
    """The IoU of any box with the target, predicted from two feature maps (Danelljan et al., 2019,
    fig. 3): 5,595,521 parameters on ResNet-18.

    Boxes are (x, y, w, h) in pixels of the crop that the features come from.

    Args:
        places: channels, stride and start of the fine and the coarse map.
        width: channels inside; 256 in the paper, fewer for small siblings. Even.

    Raises:
        SettingsError: if width is odd.
    """

    def __init__(self, places: Sequence[MapPlace], width: int = 256) -> None:
        super().__init__()
        if width % 2:
            raise SettingsError(f"width is {width}; expected an even number of channels")
        self.places = tuple(MapPlace(*place) for place in places)
        fine, coarse = (place.channels for place in self.places)
        self.reference_fine = conv_block(fine, width // 2, 3, 1)
        self.reference_coarse = conv_block(coarse, width, 3, 1)
        self.reference_pooled = conv_block(width // 2, width, 3, 0)
        self.vector_fine = conv_block(2 * width, width, 1, 0)
        self.vector_coarse = conv_block(2 * width, width, 1, 0)
        self.test_fine = nn.Sequential(
            conv_block(fine, width, 3, 1), conv_block(width, width, 3, 1)
        )
        self.test_coarse = nn.Sequential(
            conv_block(coarse, width, 3, 1), conv_block(width, width, 3, 1)
        )
        self.dense_fine = Dense(width * 5 * 5, width)
        self.dense_coarse = Dense(width * 3 * 3, width)
        self.iou = nn.Linear(2 * width, 1)
        self.init_weights()

    def init_weights(self) -> None:
        """Normal weights with variance 2 / fan-in (He et al., 2015), biases 0; the factors of batch
        norms uniform in 0…1."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight, mode="fan_in")
                nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                nn.init.uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def modulation(self, maps: Sequence[Tensor], boxes: Tensor) -> Modulation:
        """The vectors of B targets, computed once per sequence.

        Args:
            maps: (B, C, n, n) and (B, C', m, m) of the backbone, of reference images.
            boxes: (B, 4) of the targets in these.
        """
        at_fine, at_coarse = (place.cells(boxes[:, None]) for place in self.places)  # (B, 1, 4)
        fine = prpool(self.reference_fine(maps[0]), at_fine, 3)[:, 0]  # (B, C / 2, 3, 3)
        coarse = prpool(self.reference_coarse(maps[1]), at_coarse, 1)[:, 0]  # (B, C, 1, 1)
        both = torch.cat([self.reference_pooled(fine), coarse], 1)  # (B, 2·C, 1, 1)
        return Modulation(self.vector_fine(both).flatten(1), self.vector_coarse(both).flatten(1))

    def test_maps(self, maps: Sequence[Tensor]) -> OverlapMaps:
        """Features of B test images, computed once per frame, from maps (B, C, n, n) and
        (B, C', m, m) of the backbone."""
        return OverlapMaps(self.test_fine(maps[0]), self.test_coarse(maps[1]))

    def raw_iou(self, features: OverlapMaps, modulation: Modulation, boxes: Tensor) -> Tensor:
        """2 · IoU − 1 (B, P) as predicted for P boxes in each of B test images; training compares
        it with the true one, and ATOM's steps go along its gradient.

        Args:
            features: of the test images.
            modulation: of the B targets, or of one for all.
            boxes: (B, P, 4) in pixels of the test images.
        """
        pooled = []
        heads = (5, self.dense_fine), (3, self.dense_coarse)
        for x, vector, place, (bins, dense) in zip(
            features, modulation, self.places, heads, strict=True
        ):
            x = x * vector[:, :, None, None]  # (B, C, n, n)
            inside = prpool(x, place.cells(boxes), bins)  # (B, P, C, bins, bins)
            pooled.append(dense(inside.flatten(0, 1)))  # (B·P, C)
        return self.iou(torch.cat(pooled, 1)).reshape(boxes.shape[:2])  # (B, P)

    def predicted_iou(self, features: OverlapMaps, modulation: Modulation, boxes: Tensor) -> Tensor:
        """The predicted IoU (B, P), 1 for a perfect box; the network is free to leave 0…1.

        Args:
            features: of the test images.
            modulation: of the B targets, or of one for all.
            boxes: (B, P, 4) in pixels of the test images.
        """
        return (self.raw_iou(features, modulation, boxes) + 1) / 2


def conv_block(before: int, after: int, kernel: int, padding: int) -> nn.Sequential:
    """Convolution with bias, batch norm, ReLU, as all of ATOM's.

    Args:
        before: channels of the input.
        after: channels of the output.
        kernel: its side.
        padding: on each side.
    """
    conv = nn.Conv2d(before, after, kernel, padding=padding)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())
