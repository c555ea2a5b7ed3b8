"""What single cells of an actual network see, measured by its gradient.

`geometry.traced.traced_receptive_fields` computes the same by arithmetic alone.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from course_lib.errors import DataError
from course_lib.geometry.traced import ACTIVATIONS


def touched(network: nn.Module, size: int, row: int, column: int) -> tuple[slice, slice]:
    """The rows and columns of an image that can influence a cell of the network's output at all.

    This is the extent of the gradient in a copy with positive weights, and with means in place of
    maxima, where no two paths cancel and no path is switched off.

    Args:
        network: images (B, 3, S, S) to maps (B, C, s, s).
        size: S, pixels per side.
        row, column: of the cell.

    Raises:
        DataError: a maximum is taken over cells that are not neighbours.
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
            if child.dilation not in (1, (1, 1)):
                raise DataError(
                    f"{name}: a maximum with a dilation of {child.dilation}; expected 1"
                )
            sizes = child.kernel_size, child.stride, child.padding, child.ceil_mode
            setattr(module, name, nn.AvgPool2d(*sizes))
        elif isinstance(child, (nn.BatchNorm2d, *ACTIVATIONS)):
            setattr(module, name, nn.Identity())
        else:
            _open(child)
    if isinstance(module, nn.Conv2d):
        nn.init.constant_(module.weight, 1 / module.weight[0].numel())


def _extent(seen: Tensor) -> slice:
    where = torch.nonzero(seen)[:, 0]  # (k,) indices of the true ones among (size,)
    return slice(int(where[0]), int(where[-1]) + 1)


def effective_field(network: nn.Module, images: Tensor) -> Tensor:
    """Effective receptive field (S, S) of the central cell (Luo et al., 2016): how strongly each
    pixel influences it; sums to 1.

    This is the mean absolute gradient over images (B, 3, S, S) of a random projection of the cell's
    channels.
    """
    network.eval()
    image = images.detach().clone().requires_grad_()
    out = network(image)  # (B, C, s, s)
    n = out.shape[-1] // 2
    weights = torch.randn(out.shape[1], generator=torch.Generator().manual_seed(0))  # (C,)
    (out[:, :, n, n] @ weights.to(out)).sum().backward()
    size = image.grad.abs().sum((0, 1))  # (S, S)
    return size / size.sum()
