"""What single cells of a live network see, measured by its gradient.

The same by arithmetic alone: `geometry.traced.traced_receptive_fields`.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def touched(network: nn.Module, size: int, row: int, column: int) -> tuple[slice, slice]:
    """The rows and columns of an image that can change a cell of the network's output at all.

    The extent of the gradient, in a copy whose weights are positive and whose maxima are means:
    there no two paths cancel and no path is switched off.

    Args:
        network: images (B, 3, S, S) to maps (B, C, s, s).
        size: S, pixels a side.
        row, column: of the cell.
    """
    bare = copy.deepcopy(network).eval()
    _open(bare)
    image = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    bare.double()(image)[0, :, row, column].sum().backward()
    seen = image.grad[0].sum(0) > 0  # (size, size)
    return _extent(seen.any(1)), _extent(seen.any(0))


def _open(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
        elif isinstance(child, (nn.BatchNorm2d, nn.ReLU)):
            setattr(module, name, nn.Identity())
        else:
            _open(child)
    if isinstance(module, nn.Conv2d):
        nn.init.constant_(module.weight, 1 / module.weight[0].numel())


def _extent(seen: Tensor) -> slice:
    where = torch.nonzero(seen)[:, 0]  # (k,) of the (size,) that are true
    return slice(int(where[0]), int(where[-1]) + 1)


def effective_field(network: nn.Module, images: Tensor) -> Tensor:
    """How strongly each pixel moves the central cell: mean size of the gradient, (S, S), of images
    (B, 3, S, S); sums to 1.

    The effective receptive field (Luo et al., 2016): of the output's central cell, a random
    direction of its channels.
    """
    network.eval()
    image = images.detach().clone().requires_grad_()
    out = network(image)  # (B, C, s, s)
    n = out.shape[-1] // 2
    weights = torch.randn(out.shape[1], generator=torch.Generator().manual_seed(0))  # (C,)
    (out[:, :, n, n] @ weights.to(out)).sum().backward()
    size = image.grad.abs().sum((0, 1))  # (S, S)
    return size / size.sum()
