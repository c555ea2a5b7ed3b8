"""The interface of every backbone in this course, and folding of batch norms."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from course_lib.errors import SettingsError

if TYPE_CHECKING:
    from course_lib.models.pyramid import MapPlace


class Backbone(nn.Module, ABC):
    """Backbone φ (the papers' "embedding"): images (B, 3, S, S), values 0…255, to features
    (B, C, s, s).

    It may be padded or not: networks ask a backbone for its stride and its map sizes.

    Attributes:
        stride: pixels of the image from one cell to the next.
        step: pixels from one size of image to the next that keeps the map's centre in the same
            place in the image: the stride, unless a coarser map is stretched to its cells.
        channels: C.
        about: its name and arguments, written by `make_backbone`.
        frozen: how many of its stages, counted from the first, are not trained.
        guided: whether it takes a mask as a fourth channel, through a convolution `guide` whose
            output is added to `conv1`'s.
        fixed_gain: whether SiamFC's fixed gain and bias suit the size of its correlation sums;
            otherwise SiamFC normalises its response.
        kept: cells per side at the centre of the exemplar's map that SiamFC compares; None for
            all. At the border of a padded map stands what the padding made, and not the target.
        rpn_arguments: default arguments in a proposal network, where they differ.
        same_weights: the arguments that change what is computed, but not the weights.
        pyramid_places: where the cells of the two maps of `pyramid` lie; None for φ and its means,
            see `models.pyramid.places_of`.
    """

    stride: int
    channels: int
    about: dict[str, Any]
    frozen: int = 0
    guided: bool = False
    fixed_gain: bool = False
    kept: int | None = None
    rpn_arguments: ClassVar[dict[str, Any]] = {}
    same_weights: ClassVar[tuple[str, ...]] = ()
    pyramid_places: tuple[MapPlace, MapPlace] | None = None

    @abstractmethod
    def stages(self) -> list[list[nn.Module]]:
        """The modules with weights, from the image on, in the groups in which they can be
        frozen."""

    @property
    def step(self) -> int:
        """Pixels between the sizes of image that suit it, counted from the exemplar's."""
        return self.stride

    def levels(self, image: Tensor) -> list[Tensor]:
        """The maps (B, C, n, n) that a network may read, from shallow to deep; the last is φ."""
        return [self(image)]

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """Two maps, (B, C, n, n) and (B, C', m, m), the second with twice the stride of the first:
        φ and its means over 2 × 2 cells, unless the backbone has better ones."""
        x = self(image)  # (B, C, n, n)
        return [x, F.avg_pool2d(x, 2)]  # (B, C, n // 2, n // 2)

    def load_classifier(self, path: Path) -> bool:
        """Load public weights of the classifier it was taken from; returns False, without reading
        anything, if none are known."""
        return False

    @property
    def level_channels(self) -> tuple[int, ...]:
        """Channels of the maps of `levels`."""
        return (self.channels,)

    @torch.no_grad()
    def folded(self) -> Backbone:
        """A copy whose batch norms are folded into its convolutions; the same output in eval
        mode."""
        plain = copy.deepcopy(self).eval()
        if self.guided:
            # the mask's contribution to conv1's output passes the same batch norm: scale it alike
            gain, _ = affine(self.bn1, self.conv1.out_channels)  # (C,)
            plain.guide.weight.mul_(gain.to(plain.guide.weight)[:, None, None, None])
        return fold_norms(plain)

    def freeze(self, count: int) -> Backbone:
        """Freeze the first `count` stages with their batch norms and thaw all others; returns the
        network. A guide is never frozen: it is new, and until it is trained the mask changes
        nothing.

        Raises:
            SettingsError: if it has fewer stages.
        """
        if not 0 <= count <= len(self.stages()):
            raise SettingsError(
                f"{count} stages are to be frozen; this backbone has {len(self.stages())}"
            )
        self.frozen = count
        for k, stage in enumerate(self.stages()):
            for module in stage:
                module.requires_grad_(k >= count)
        if self.guided:
            self.guide.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Training mode, except for frozen batch norms, which keep their statistics."""
        super().train(mode)
        if self.frozen:
            for stage in self.stages()[: self.frozen]:
                for module in stage:
                    module.eval()
        return self

    def init_weights(self) -> None:
        """Normal weights with variance 2 / fan-out, biases 0: He's rule (He et al., 2015), the
        "improved Xavier" of SiamFC."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def central_cells(x: Tensor, cells: int | None) -> Tensor:
    """The central cells × cells of a map (B, C, n, n), all for None; the crop is exactly central
    only if n and `cells` are both odd or both even."""
    first = 0 if cells is None else (x.shape[-1] - cells) // 2
    last = x.shape[-1] - first if cells is None else first + cells
    return x[:, :, first:last, first:last]


TEMPLATE_CELLS = 7  # per side of the template, which is cropped from a larger exemplar map


def cells_of_template(cells: int) -> int:
    """Cells per side of the template that SiamRPN++ keeps of an exemplar map of `cells` per side:
    7 (Li et al., 2019), 8 of an even map, so that its centre does not move; all of a smaller
    one."""
    return min(cells, TEMPLATE_CELLS + (cells - TEMPLATE_CELLS) % 2)


@torch.no_grad()
def cells_of(backbone: Backbone, size: int) -> int:
    """Cells per side of a backbone's map for images of `size` pixels.

    The backbone itself runs on the "meta" device, where tensors have a shape but no values: this
    costs neither memory nor arithmetic, and needs no knowledge of its layers.
    """
    named = chain(backbone.named_parameters(), backbone.named_buffers())
    shapes = {name: tensor.to("meta") for name, tensor in named}
    kind = next(backbone.parameters()).dtype
    # (1, 3 or 4, size, size)
    image = torch.empty(1, 3 + backbone.guided, size, size, dtype=kind, device="meta")
    return functional_call(backbone, shapes, image).shape[-1]


@torch.no_grad()
def fold_norms(
    module: nn.Module, fuse: Callable[[nn.Conv2d, nn.BatchNorm2d], nn.Conv2d] | None = None
) -> nn.Module:
    """Fold each batch norm directly after a convolution into it, in place; returns the module.

    Args:
        module: in eval mode.
        fuse: merges the two into one convolution; `folded_convolution` unless given.
    """
    for stage in list(module.modules()):
        for (a, conv), (b, norm) in pairwise(list(stage.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(stage, a, (fuse or folded_convolution)(conv, norm))
                setattr(stage, b, nn.Identity())
    return module


@torch.no_grad()
def folded_convolution(conv: nn.Conv2d, norm: nn.Module, padding: int | None = None) -> nn.Conv2d:
    """One convolution, with bias, equal to `conv` followed by `norm` in eval mode.

    Batch norm with fixed statistics is y ↦ a·y + b for each channel; a goes into the kernel, b into
    the bias.

    Args:
        conv: the convolution.
        norm: the batch norm after it, or an identity.
        padding: of the new convolution; `conv`'s unless given.
    """
    gain, shift = affine(norm, conv.out_channels)  # (C,) each
    new = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding if padding is None else padding,
        conv.dilation,
        conv.groups,
    )
    gain, shift = gain.to(conv.weight), shift.to(conv.weight)
    new.to(conv.weight)
    new.weight.copy_(conv.weight * gain[:, None, None, None])  # (C, C', k, k)
    new.bias.copy_(shift if conv.bias is None else gain * conv.bias + shift)
    return new


def affine(norm: nn.Module, channels: int) -> tuple[Tensor, Tensor]:
    """a and b (C,) of a batch norm in eval mode, y ↦ a·y + b; 1 and 0 for an identity."""
    if not isinstance(norm, nn.BatchNorm2d):
        return torch.ones(channels), torch.zeros(channels)
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # (C,)
    return gain, norm.bias - gain * norm.running_mean
