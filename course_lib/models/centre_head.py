"""A head that says where the target's centre is, cell by cell, and how large the target is there.

The maps are CenterNet's (Zhou et al., "Objects as points", 2019); the three branches are OSTrack's
(Ye et al., 2022). Coordinates are fractions of the search image: 0 is its left or upper edge, 1 the
other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

LEAST = 1e-4  # scores and sizes lie between this and 1 − this: the logarithm stays finite


class CentreMaps(NamedTuple):
    """What the head says of each cell of a map of n × n cells.

    Attributes:
        score: (B, 1, n, n) how sure it is, 0…1, that of all cells' corners this cell's is the
            nearest to the target's centre.
        size: (B, 2, n, n) width and height of the target, as fractions of the search image.
        offset: (B, 2, n, n) from the cell's number to the centre, in cells along x and y.
    """

    score: Tensor
    size: Tensor
    offset: Tensor

    def float(self) -> CentreMaps:
        """The same in single precision."""
        return CentreMaps(*(part.float() for part in self))

    def boxes(self) -> Tensor:
        """The box (B, n, n, 4) that each cell stands for, x, y, w, h as fractions of the search
        image: its centre is (cell + offset) / n."""
        n = self.score.shape[-1]
        cells = torch.arange(n, dtype=self.offset.dtype, device=self.offset.device)  # (n,)
        x = (cells[None, None, :] + self.offset[:, 0]) / n  # (B, n, n)
        y = (cells[None, :, None] + self.offset[:, 1]) / n
        w, h = self.size.unbind(1)
        return torch.stack([x - w / 2, y - h / 2, w, h], -1)

    def best(self) -> Tensor:
        """The box (B, 4) of the cell with the highest score."""
        at = self.score.flatten(1).argmax(1)  # (B,)
        return self.boxes().flatten(1, 2)[torch.arange(len(at), device=at.device), at]


class CentreHead(nn.Module):
    """Three branches of 3 × 3 convolutions, each with half the channels of the one before, and a
    last one of 1 × 1.

    Args:
        before: channels of the map it reads.
        width: channels of each branch's first convolution, a multiple of 8.
    """

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.score, self.offset, self.size = (_branch(before, width, n) for n in (1, 2, 2))

    def forward(self, x: Tensor) -> CentreMaps:
        """Maps of (B, before, n, n); score and size through a sigmoid."""
        score, size = (
            branch(x).sigmoid().clamp(LEAST, 1 - LEAST) for branch in (self.score, self.size)
        )
        return CentreMaps(score, size, self.offset(x))


def _branch(before: int, width: int, after: int) -> nn.Sequential:
    """Four 3 × 3 convolutions with batch norm and ReLU, and one of 1 × 1 to `after` channels."""
    layers: list[nn.Module] = []
    for k in range(4):
        channels = width // 2**k
        layers += [
            nn.Conv2d(before, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        before = channels
    return nn.Sequential(*layers, nn.Conv2d(before, after, 1))
