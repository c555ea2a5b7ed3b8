"""Four ways to compare exemplar and search image. All of them output proposals.

| head      | how exemplar z and search image x are compared           | source                  |
|-----------|----------------------------------------------------------|-------------------------|
| upchannel | z becomes the kernels of a detection layer: 2k and 4k    | SiamRPN (2018)          |
| depthwise | channel c of z slides over channel c of x                | SiamRPN++ (2019)        |
| concat    | z and x concatenated, then convolutions almost map-sized | SiamConcatRPN (EPFL)    |
| broadcast | z pooled to one vector, joined to x at every cell        | SiamBroadcastRPN (EPFL) |
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from course_lib.lookup import load, row
from course_lib.models.correlation import cross_correlate_channels, cross_correlate_depthwise
from course_lib.models.proposals import Proposals
from course_lib.models.templates import zoomed

LEARNED = "course_lib.models.heads_learned"
HEADS = {
    "upchannel": "course_lib.models.heads:UpChannelHead",
    "depthwise": "course_lib.models.heads:DepthwiseHead",
    "concat": f"{LEARNED}:ConcatHead",
    "broadcast": f"{LEARNED}:BroadcastHead",
}
SHARP = 4.0  # factor on a mean of products of about 1, so that the first probabilities differ


def head_class(name: str) -> type[Head]:
    """The class of a head; its module is imported now.

    Raises:
        SettingsError: if there is no head of that name.
    """
    return load(row(HEADS, name, "head"))


class Head(nn.Module, ABC):
    """Proposals for the anchors of a map, from the features of exemplar and search image.

    Attributes:
        trim: by how many cells its map is smaller than the search features; None for a
            correlation, where it is one less than the exemplar's cells.
        guided: whether it needs features of images with a mask as fourth channel.
        whole: whether it takes exemplar features as they are; otherwise, of a padded backbone's
            larger map, their central cells.
        has_map: whether it compares by one correlation, whose map can be given a separate loss.
    """

    trim: int | None = None
    guided: bool = False
    whole: bool = False
    has_map: bool = False

    def init_at_random(self) -> None:
        """Draw all weights anew, by PyTorch's own rule for each layer."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
                module.reset_parameters()

    def shown(self, exemplar: Tensor, search: int) -> Tensor:
        """Exemplars (B, 3, 127, 127) as passed to the backbone, for search images of `search`
        pixels."""
        return exemplar

    @abstractmethod
    def template_features(self, z: Tensor) -> tuple[Tensor, ...]:
        """Template features from exemplar features φ(z) (B, C, 6, 6), computed once per
        sequence."""

    @abstractmethod
    def forward(self, template: tuple[Tensor, ...], x: Tensor) -> Proposals:
        """Proposals for search features φ(x) (B, C, 22, 22), computed in every frame."""


class UpChannelHead(Head):
    """SiamRPN's head (Li et al., 2018): 18.88 M parameters with 256 channels and 5 anchors. Search
    features (B, C, 22, 22) lead to maps of 17 × 17.

    Args:
        features: channels of φ.
        channels: of the correlation.
        anchors: k per cell.
    """

    def __init__(self, features: int = 256, channels: int = 256, anchors: int = 5) -> None:
        super().__init__()
        self.z_class = nn.Conv2d(features, channels * 2 * anchors, 3)
        self.z_box = nn.Conv2d(features, channels * 4 * anchors, 3)
        self.x_class = nn.Conv2d(features, channels, 3)
        self.x_box = nn.Conv2d(features, channels, 3)
        self.adjust = nn.Conv2d(4 * anchors, 4 * anchors, 1)
        self.channels = channels
        self._init_as_siamfc()

    @torch.no_grad()
    def _init_as_siamfc(self) -> None:
        """Initialise as SiamFC: the target's logit is the similarity of the two maps, the other
        logit its negative.

        The convolutions on both sides begin as the same projection of φ, so that a map is
        Σ φ(z) · φ(x). With random weights the head would first have to discover the comparison.
        """
        # (C, features)
        project = nn.init.orthogonal_(torch.empty(self.channels, self.x_class.in_channels))
        for layer in (self.z_class, self.x_class):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.x_class.weight[:, :, 1, 1] = project
        # (2k, C, features, 3, 3)
        kernels = self.z_class.weight.view(-1, self.channels, *self.z_class.weight.shape[1:])
        kernels[0::2, :, :, 1, 1], kernels[1::2, :, :, 1, 1] = -SHARP * project, SHARP * project

    def template_features(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels (B, 2k, C, 4, 4) and (B, 4k, C, 4, 4) of exemplar features (B, C, 6, 6)."""
        kernels = self.z_class(z), self.z_box(z)  # (B, C·2k, 4, 4) and (B, C·4k, 4, 4)
        # the mean of 16 · C products, not their sum, which would make the first maps and their
        # gradients far too large
        products = kernels[0][0, 0].numel() * self.channels
        return tuple(k.reshape(len(z), -1, self.channels, *k.shape[2:]) / products for k in kernels)

    def forward(self, template: tuple[Tensor, Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, 22, 22)."""
        classes = cross_correlate_channels(template[0], self.x_class(x))  # (B, 2k, 17, 17)
        offsets = self.adjust(
            cross_correlate_channels(template[1], self.x_box(x))
        )  # (B, 4k, 17, 17)
        return as_proposals(classes, offsets)


class DepthwiseBranch(nn.Module):
    """One branch of the depth-wise head: correlation, then convolutions to a map (B, out, n, n).

    Args:
        features: channels of φ.
        channels: of the correlation.
        out: channels of the output.
        kernels: how many kernels slide over the search features, see `DepthwiseHead`.
    """

    def __init__(self, features: int, channels: int, out: int, kernels: int = 1) -> None:
        super().__init__()
        self.z = conv_norm(features, channels, 3)
        self.x = conv_norm(features, channels, 3)
        self.answer = nn.Sequential(
            conv_norm(kernels * channels, channels, 1), nn.Conv2d(channels, out, 1)
        )

    def forward(self, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map (B, out, 17, 17) from the exemplar's kernels (B, kernels · C, 4, 4) and search
        features (B, C, 22, 22), and the features that they slid over, (B, channels, 20, 20)."""
        x = self.x(x).contiguous()  # (B, channels, 20, 20)
        each = [cross_correlate_depthwise(k, x) for k in z.split(x.shape[1], 1)]
        return self.answer(torch.cat(each, 1)), x  # of (B, kernels · channels, 17, 17)


class DepthwiseHead(Head):
    """SiamRPN++'s head (Li et al., 2019): 2.50 M parameters with 256 channels and 5 anchors; the
    two branches share no convolutions.

    With several `scales` the exemplar's kernel, enlarged and reduced, also slides over the search
    features; this compares several scales, as SiamFC does, but in one pass: how much better a
    larger kernel fits tells a larger target from a smaller one. (The course's own; with one scale
    the head is the paper's.)

    Args:
        features: channels of φ.
        channels: of the correlations.
        anchors: k per cell.
        scales: sizes of the exemplar at which it is compared, 1 first.
    """

    has_map = True

    def __init__(
        self,
        features: int = 256,
        channels: int = 256,
        anchors: int = 5,
        scales: tuple[float, ...] = (1.0,),
    ) -> None:
        super().__init__()
        self.classes = DepthwiseBranch(features, channels, 2 * anchors, len(scales))
        self.boxes = DepthwiseBranch(features, channels, 4 * anchors, len(scales))
        self.scales = scales

    def template_features(self, z: Tensor, cells: int | None = None) -> tuple[Tensor, Tensor]:
        """Kernels (B, C, 4, 4), one per branch, of exemplar features (B, C, 6, 6).

        Args:
            z: exemplar features; for scales other than 1 of a larger region, since a reduced kernel
                shows more of it.
            cells: side of the region of z that is the template; by default all of it.
        """
        cells = (z.shape[-1] if cells is None else cells) - 2  # the convolution takes two
        return tuple(
            torch.cat([zoomed(branch.z(z), cells, s) for s in self.scales], 1)
            for branch in (self.classes, self.boxes)
        )

    def forward(self, template: tuple[Tensor, Tensor], x: Tensor) -> Proposals:
        """Proposals for search features (B, C, 22, 22), with the two maps whose depth-wise
        correlation the scores come from: summed over channels, it is their plain correlation."""
        classes, seen = self.classes(template[0], x)  # (B, 2k, 17, 17) and (B, C, 20, 20)
        proposals = as_proposals(classes, self.boxes(template[1], x)[0])
        first = template[0][:, : seen.shape[1]]  # (B, C, 4, 4) at scale 1
        return proposals._replace(compared=((first, seen),))


def conv_norm(before: int, after: int, k: int, **how: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU.

    Args:
        before: channels of the input.
        after: channels of the output.
        k: side of the kernel.
        **how: the convolution's stride and padding.
    """
    return nn.Sequential(
        nn.Conv2d(before, after, k, bias=False, **how), nn.BatchNorm2d(after), nn.ReLU()
    )


def as_proposals(classes: Tensor, offsets: Tensor) -> Proposals:
    """Maps (B, k·2, n, n) and (B, k·4, n, n) as one proposal per anchor, in the order of
    `place_anchors`: shape, row, column."""
    B, _, rows, columns = classes.shape
    classes = classes.reshape(B, -1, 2, rows, columns).permute(0, 1, 3, 4, 2)  # (B, k, n, n, 2)
    offsets = offsets.reshape(B, -1, 4, rows, columns).permute(0, 1, 3, 4, 2)  # (B, k, n, n, 4)
    return Proposals(classes.reshape(B, -1, 2), offsets.reshape(B, -1, 4))
