"""The EPFL project's two alternatives to correlation, SiamConcatRPN and SiamBroadcastRPN, at full
size (A. Carlier, 2019).

Both put SSD's default boxes on several maps. Parameters and boxes: 64.21 M and 8,732
(SiamConcatRPN), 6.79 M and 7,680 (SiamBroadcastRPN). Their small siblings, of which the course has
weights, are heads on EfficientNet-Lite0, see `models.heads`.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.geometry.anchors import SSD_VARIANCES, default_box_sizes, place_anchors
from course_lib.models.heads import as_proposals, conv_norm
from course_lib.models.heads_learned import GlobalStage, broadcast_over
from course_lib.models.proposal_network import ProposalNetwork
from course_lib.models.proposals import Proposals
from course_lib.models.resnet import ResNet50

# per map: ratios besides 1, smallest and largest square in pixels, as in the project's settings
CONCAT_BOXES = (
    ((2,), 60, 85),
    ((2, 3), 99, 110),
    ((2, 3), 120, 140),
    ((2, 3), 150, 180),
    ((2,), 190, 210),
    ((2,), 220, 250),
)
BROADCAST_BOXES = (((2, 3), 50, 60), ((2, 3), 65, 75))


class SSDNetwork(ProposalNetwork):
    """The common part of both: default boxes on several maps, each map with its own pair of output
    convolutions, as in SSD (Liu et al., 2016).

    Attributes:
        boxes: for each map, the ratios and squares of its default boxes.
        maps: for each map, cells per side and stride in pixels of the network's own search image.
        image: pixels per side of that search image.
    """

    variances = SSD_VARIANCES
    boxes: tuple
    maps: tuple[tuple[int, float], ...]
    image: int

    def _outputs(self, channels: tuple[int, ...]) -> None:
        self.map_sizes = [box_sizes(*spec) for spec in self.boxes]  # (K, 2) each
        self.sizes, self.stride = self.map_sizes[0], self.maps[0][1]
        pairs = list(zip(channels, [len(s) for s in self.map_sizes], strict=True))
        self.loc = nn.ModuleList([nn.Conv2d(c, 4 * k, 3, padding=1) for c, k in pairs])
        self.conf = nn.ModuleList([nn.Conv2d(c, 2 * k, 3, padding=1) for c, k in pairs])

    @property
    def step(self) -> int:
        """1: search images of any size are brought to `image`, and the boxes with them."""
        return 1

    def cells(self, search: int = 255) -> int:
        """Cells per side of the first map."""
        return self.maps[0][0]

    def anchors(self, search: int = 255) -> np.ndarray:
        """Default boxes (A, 4) in search pixels, map by map, in the order of the proposals."""
        placed = [
            place_anchors(sizes, cells, stride, cells * stride / 2).reshape(-1, 4)
            for sizes, (cells, stride) in zip(self.map_sizes, self.maps, strict=True)
        ]
        return np.concatenate(placed) * (search / self.image)

    def answer(self, maps: list[Tensor]) -> Proposals:
        """Proposals from maps (B, C, n, n)."""
        parts = [
            as_proposals(c(m), b(m)) for m, c, b in zip(maps, self.conf, self.loc, strict=True)
        ]
        return Proposals(
            torch.cat([p.logits for p in parts], 1), torch.cat([p.offsets for p in parts], 1)
        )


class SiamConcatRPN(SSDNetwork):
    """One backbone up to layer 3 for both images, 300 × 300, each guided by a mask; their features
    are concatenated and pass three global stages, a refinement with the search image's layer 2, and
    SSD's extra layers: maps of 38, 19, 10, 5, 3 and 1 cells per side."""

    name = "siamconcatrpn"
    guided = True
    boxes, image = CONCAT_BOXES, 300
    maps = ((38, 8.0), (19, 16.0), (10, 32.0), (5, 64.0), (3, 100.0), (1, 300.0))

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ResNet50(3, (2, 3), guided=True)
        self.match = nn.Sequential(
            GlobalStage(11, 2048, 512, 512),
            nn.ReLU(),
            GlobalStage(9, 512, 256, 512),
            nn.ReLU(),
            GlobalStage(7, 512, 256, 512),
        )
        self.refine = Refine(512, 256)
        self.extras = nn.ModuleList(
            [
                extra(512, 256, 512, stride=2, padding=1),
                extra(512, 256, 512, stride=2, padding=1),
                extra(512, 128, 256, stride=2, padding=1),
                extra(256, 128, 256),
                extra(256, 128, 256),
            ]
        )
        self._outputs((512, 512, 512, 256, 256, 256))
        self.about = {"network": self.name}

    def template_features(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor]:
        """Layer 3 (B, 1024, 19, 19) of exemplars (B, 4, 127, 127)."""
        return (self.backbone(resized(exemplar, self.image)),)

    def propose(self, template: tuple[Tensor], search: Tensor) -> Proposals:
        """Proposals of search images (B, 4, S, S)."""
        # (B, 512, 38, 38) and (B, 1024, 19, 19)
        fine, coarse = self.backbone.levels(resized(search, self.image))
        both = torch.cat(
            [coarse, template[0].expand(len(coarse), -1, -1, -1)], 1
        )  # (B, 2048, 19, 19)
        maps = [self.refine(fine, self.match(both))]  # (B, 512, 38, 38)
        for layer in self.extras:
            maps.append(layer(maps[-1]))  # 19, 10, 5, 3, 1 cells
        return self.answer(maps)


class SiamBroadcastRPN(SSDNetwork):
    """Two backbones up to layer 2 that share no weights; the exemplar, 63 × 63, is pooled to one
    vector, which is concatenated to every cell of the search features.

    Args:
        shared: whether one backbone serves both images instead.
    """

    name = "siambroadcastrpn"
    only_search = 255
    boxes, image = BROADCAST_BOXES, 255
    maps = ((32, 8.0), (16, 16.0))

    def __init__(self, shared: bool = False) -> None:
        super().__init__()
        self.backbone_x = ResNet50(2, (2,))
        # none of its own if shared: a file of weights has no two names for one tensor
        self.backbone_z = None if shared else ResNet50(2, (2,))
        self.compare = nn.Sequential(
            nn.Conv2d(1024, 256, 3, padding=1), nn.BatchNorm2d(256), nn.ReLU()
        )
        self.finer = nn.Sequential(
            nn.ConvTranspose2d(256, 256, 4, 2, padding=1, bias=False),
            nn.BatchNorm2d(256),
            nn.ReLU(),
        )
        self.extras = nn.ModuleList([halving(256, 64), halving(256, 64)])
        self._outputs((256, 256))
        self.about = {"network": self.name, "shared": shared}

    def template_features(self, exemplar: Tensor, search: int = 255) -> tuple[Tensor]:
        """Vectors (B, 512, 1, 1) of the central 63 × 63 pixels of exemplars (B, 3, 127, 127)."""
        backbone = self.backbone_x if self.backbone_z is None else self.backbone_z
        features = backbone(exemplar[:, :, 32:95, 32:95])  # (B, 512, 8, 8)
        return (features.amax((2, 3), keepdim=True),)

    def propose(self, template: tuple[Tensor], search: Tensor) -> Proposals:
        """Proposals of search images (B, 3, 255, 255)."""
        x = self.backbone_x(search)  # (B, 512, 32, 32)
        both = self.compare(torch.cat([x, broadcast_over(template[0], x)], 1))  # (B, 256, 32, 32)
        first = self.extras[0](self.finer(both))  # (B, 256, 64, 64), then (B, 256, 32, 32)
        return self.answer([first, self.extras[1](first)])  # and (B, 256, 16, 16)


class Refine(nn.Module):
    """Adds a coarse map, upsampled by 2, to a fine one, with residual convolutions before and
    after."""

    def __init__(self, channels: int, mid: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(channels, channels, 3, padding=1)
        self.before, self.after = residual(channels, mid), residual(channels, mid)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """A map like `fine` (B, C, 2n, 2n) from it and `coarse` (B, C, n, n)."""
        s = self.fine(fine)  # (B, C, 2n, 2n)
        s = s + self.before(s)
        # (B, C, 2n, 2n)
        m = s + F.interpolate(coarse, size=s.shape[2:], mode="bilinear", align_corners=False)
        return m + self.after(m)


def residual(channels: int, mid: int) -> nn.Sequential:
    """ReLU and 3 × 3, twice, through `mid` channels."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, mid, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(mid, channels, 3, padding=1),
    )


def extra(before: int, mid: int, after: int, **how: int) -> nn.Sequential:
    """One of SSD's extra layers: 1 × 1, then 3 × 3, each with ReLU (Liu et al., 2016).

    Args:
        before: channels of the input.
        mid: channels between the two convolutions.
        after: channels of the output.
        **how: the second convolution's stride and padding.
    """
    return nn.Sequential(
        nn.Conv2d(before, mid, 1), nn.ReLU(), nn.Conv2d(mid, after, 3, **how), nn.ReLU()
    )


def halving(channels: int, mid: int) -> nn.Sequential:
    """1 × 1 down to `mid` channels, then 3 × 3 with stride 2 back up, each with batch norm; one
    ReLU, at the end."""
    return nn.Sequential(
        nn.Conv2d(channels, mid, 1, bias=False),
        nn.BatchNorm2d(mid),
        conv_norm(mid, channels, 3, stride=2, padding=1),
    )


def box_sizes(ratios: tuple[float, ...], small: float, large: float) -> np.ndarray:
    """Default box sizes (K, 2) of one map: two squares, and each ratio both ways (Liu et al.,
    2016).

    Args:
        ratios: width to height besides 1, each above 1.
        small: side of the smaller square; boxes of other ratios have the same area.
        large: its geometric mean with `small` is the side of the larger square.
    """
    return default_box_sizes(small, large, (1, *ratios, *(1 / r for r in ratios)))


def resized(image: Tensor, size: int) -> Tensor:
    """Images (B, C, S, S) resized to (B, C, size, size)."""
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)
