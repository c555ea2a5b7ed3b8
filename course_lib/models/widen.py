"""A narrow SiamFC as a wide one: the same responses from a network with the paper's channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.models.alexnet import WIDTHS
from course_lib.models.siamfc import SiamFC


@torch.no_grad()
def widened(narrow: SiamFC, widths: tuple[int, ...] = WIDTHS) -> SiamFC:
    """A SiamFC of the given widths, in evaluation mode, whose responses are those of `narrow`.

    The additional channels are 0 at every layer, so they add nothing to the response.

    Args:
        narrow: on AlexNet, with batch norms; at most `widths` wide.
        widths: channels of the five convolutions.
    """
    wide = SiamFC(stride=narrow.stride, widths=widths)
    wide.bias.copy_(narrow.bias)
    for name, layer in narrow.backbone.named_modules():
        if isinstance(layer, nn.Conv2d):
            _fill_convolution(layer, wide.backbone.get_submodule(name))
        elif isinstance(layer, nn.BatchNorm2d):
            _fill_norm(layer, wide.backbone.get_submodule(name))
    return wide.eval()


def _among(few: int, many: int) -> Tensor:
    """Numbers (few,) of `few` channels among `many`, half of them in each half: the two groups of
    the next convolution see the same ones as before."""
    half = torch.arange(few // 2)
    return torch.cat([half, many // 2 + half])


def _fill_convolution(narrow: nn.Conv2d, wide: nn.Conv2d) -> None:
    outputs = _among(narrow.out_channels, wide.out_channels)
    few, many = narrow.weight.shape[1], wide.weight.shape[1]  # input channels of a group
    split = narrow.groups == 1 and few < many
    inputs = _among(few, many) if split else torch.arange(few)
    wide.weight.zero_()
    wide.bias.zero_()
    wide.weight[outputs[:, None], inputs] = narrow.weight  # (out, in, k, k)
    wide.bias[outputs] = narrow.bias


def _fill_norm(narrow: nn.BatchNorm2d, wide: nn.BatchNorm2d) -> None:
    channels = _among(narrow.num_features, wide.num_features)
    wide.eps = narrow.eps
    for name in ("weight", "bias", "running_mean", "running_var"):
        values = getattr(wide, name)  # (C,)
        values.fill_(1 if name == "running_var" else 0)
        values[channels] = getattr(narrow, name)
