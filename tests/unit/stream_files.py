"""Helpers for tests of one-stream networks: small ones whose maps are not flat, and one made by hand
that finds what is bright."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.models.device import Placement
from course_lib.models.onestream import OneStream
from course_lib.models.runtime_stream import StreamRuntime

CPU = Placement(torch.device("cpu"), bf16=False)


def images(n: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Templates (n, 3, 128, 128) and search images (n, 3, 256, 256) of noise."""
    draw = torch.Generator().manual_seed(seed)
    return tuple(255 * torch.rand(n, 3, side, side, generator=draw) for side in (128, 256))


def lively(network: nn.Module, seed: int = 1) -> nn.Module:
    """In eval mode, with weights large enough that attention chooses and maps are not flat."""
    draw = torch.Generator().manual_seed(seed)
    for name, p in network.named_parameters():
        if p.ndim > 1 and "place" not in name:
            p.data = torch.randn(p.shape, generator=draw) * (1.5 / p[0].numel()) ** 0.5
        else:
            p.data = p.data + 0.3 * torch.randn(p.shape, generator=draw)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=draw)
            module.running_var.uniform_(0.5, 1.5, generator=draw)
    return network.eval()


def small(backbone: str = "patches", **more) -> OneStream:
    """A lively network of three blocks of 24 channels."""
    torch.manual_seed(0)
    return lively(OneStream(backbone, 24, 3, 3, 2, 16, **more))


@torch.no_grad()
def bright() -> OneStream:
    """A network made by hand: its score is high where the surroundings of a cell are bright, and its
    boxes are squares of a sixteenth of the search image."""
    torch.manual_seed(0)
    network = OneStream("patches", 24, 1, 3, 2, 16).eval()
    for p in network.parameters():
        p.zero_()
    # the first channel is the brightness, the others are large and constant: a layer norm divides
    # all by the same number, near 20
    network.backbone.proj.weight[0] = 1 / 768
    network.backbone.proj.bias[1:] = 20 * torch.tensor([1.0, -1]).repeat(12)[:23]
    for norm in (network.norm, *(m for b in network.blocks for m in (b.norm1, b.norm2))):
        norm.weight.fill_(1)
    for branch in (network.head.score, network.head.size, network.head.offset):
        for layer in branch:
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.fill_(1)
    score = network.head.score
    score[0].weight[0, 0], score[0].bias[0] = 1 / 9, 1.0  # twice the mean of 3 × 3 cells
    score[3].weight[0, 0] = 1 / 9
    score[6].weight[0, 0, 1, 1] = score[9].weight[0, 0, 1, 1] = 1
    score[12].weight[0, 0], score[12].bias[0] = 80, -81
    network.head.size[12].bias.fill_(-1.0986123)  # a quarter
    network.head.offset[12].bias.fill_(0.5)  # from a cell's corner to its middle
    return network


def ready(network: OneStream) -> StreamRuntime:
    """The network ready to track, on the processor."""
    return StreamRuntime(network, CPU)
