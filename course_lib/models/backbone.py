"""What every backbone of this course offers, and folding batch norms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError


class Backbone(nn.Module):
    """Embedding φ: pictures (B, 3, S, S), values 0…255, to features (B, C, s, s).

    Attributes:
        stride: pixels of the picture from one cell to the next.
        channels: C.
        frozen: how many of its parts, from the first on, are trained no further.
    """

    stride: int
    channels: int
    frozen: int = 0

    def parts(self) -> list[list[nn.Module]]:
        """The modules with weights, from the picture on, in those groups in which they can be
        frozen."""
        raise NotImplementedError

    def folded(self) -> nn.Module:
        """A network with the same output in eval mode whose batch norms are folded into its
        convolutions."""
        raise NotImplementedError

    def freeze(self, count: int) -> Backbone:
        """Train the first `count` parts no further, nor their batch norms, and all others; returns
        the network.

        Raises SettingsError if there are not so many.
        """
        if not 0 <= count <= len(self.parts()):
            raise SettingsError(
                f"{count} parts are to be frozen; this backbone has {len(self.parts())}"
            )
        self.frozen = count
        for k, part in enumerate(self.parts()):
            for module in part:
                module.requires_grad_(k >= count)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Training mode, except for frozen batch norms: they keep the statistics they have."""
        super().train(mode)
        for part in self.parts()[: self.frozen]:
            for module in part:
                module.eval()
        return self

    def start(self) -> None:
        """Normal weights with variance 2 / fan-out (He's rule; SiamFC's "improved Xavier"), no
        bias."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


@torch.no_grad()
def folded_convolution(conv: nn.Conv2d, norm: nn.Module, padding: int | None = None) -> nn.Conv2d:
    """One convolution, with bias, that does what `conv` and then `norm` do in eval mode.

    Batch norm with fixed statistics is y ↦ a·y + b for each channel; a goes into the kernel, b into
    the bias. `padding` replaces the convolution's own.
    """
    gain, shift = affine(norm, conv.out_channels)
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
    new.weight.copy_(conv.weight * gain[:, None, None, None])
    new.bias.copy_(shift if conv.bias is None else gain * conv.bias + shift)
    return new


def affine(norm: nn.Module, channels: int) -> tuple[Tensor, Tensor]:
    """a and b (C,) of a batch norm in eval mode, y ↦ a·y + b; 1 and 0 for an identity."""
    if not isinstance(norm, nn.BatchNorm2d):
        return torch.ones(channels), torch.zeros(channels)
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # (C,)
    return gain, norm.bias - gain * norm.running_mean
