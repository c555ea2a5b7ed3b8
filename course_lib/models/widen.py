"""A narrow SiamFC as a wide one: the same responses from a network with the paper's channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.errors import SettingsError
from course_lib.models.alexnet import WIDTHS
from course_lib.models.siamfc import SiamFC


@torch.no_grad()
def widened(narrow: SiamFC, widths: tuple[int, ...] = WIDTHS) -> SiamFC:
    """A SiamFC of the given widths, in evaluation mode, whose responses are those of `narrow`.

    The additional channels are 0 at every layer, so they add nothing to the response.

    Args:
        narrow: on AlexNet, with batch norms; at most `widths` wide.
        widths: channels of the five convolutions.

    Raises:
        SettingsError: it has another backbone.
    """
    about = narrow.backbone.about
    if about["backbone"] != "alexnet":
        raise SettingsError(
            f"the narrow network's backbone is {about['backbone']}; only alexnet can be widened"
        )
    wide, groups = SiamFC(**about | {"widths": widths}), about["groups"]
    wide.bias.copy_(narrow.bias)
    if narrow.adjust is not None:
        wide.adjust.load_state_dict(narrow.adjust.state_dict())
    for name, layer in narrow.backbone.named_modules():
        if isinstance(layer, nn.Conv2d):
            _fill_convolution(layer, wide.backbone.get_submodule(name), groups)
        elif isinstance(layer, nn.BatchNorm2d):
            _fill_norm(layer, wide.backbone.get_submodule(name), groups)
    return wide.eval()


def _among(few: int, many: int, groups: int) -> Tensor:
    """Numbers (few,) of `few` channels among `many`, equally many in each of the groups: those of
    the next convolution see the same ones as before."""
    first = torch.arange(groups)[:, None] * (many // groups)  # (groups, 1)
    return (first + torch.arange(few // groups)).flatten()


def _fill_convolution(narrow: nn.Conv2d, wide: nn.Conv2d, groups: int) -> None:
    outputs = _among(narrow.out_channels, wide.out_channels, groups)
    few, many = narrow.weight.shape[1], wide.weight.shape[1]  # input channels of a group
    split = narrow.groups == 1 and few < many
    inputs = _among(few, many, groups) if split else torch.arange(few)
    wide.weight.zero_()
    wide.bias.zero_()
    wide.weight[outputs[:, None], inputs] = narrow.weight  # (out, in, k, k)
    wide.bias[outputs] = narrow.bias


def _fill_norm(narrow: nn.BatchNorm2d, wide: nn.BatchNorm2d, groups: int) -> None:
    channels = _among(narrow.num_features, wide.num_features, groups)
    wide.eps = narrow.eps
    for name in ("weight", "bias", "running_mean", "running_var"):
        values = getattr(wide, name)  # (C,)
        values.fill_(1 if name == "running_var" else 0)
        values[channels] = getattr(narrow, name)
