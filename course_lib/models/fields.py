"""What cells of a live network see: by arithmetic, walking through its layers, and by its
gradient."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn

from course_lib.errors import DataError
from course_lib.geometry.receptive import Layer, Reception, behind, joined, picture

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
# cell by cell: what a cell sees stays as it is
LOCAL = nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout


def live_reception(network: nn.Module, size: int) -> list[Reception]:
    """Output size, receptive field and stride after every layer of a network, for pictures of
    `size` pixels a side.

    The network is traced (torch.fx), so any order of convolutions, poolings, crops, sums and joins
    is understood. It reads kernels, paddings and crops along the rows: layers that treat columns
    otherwise are not meant. Raises DataError naming an operation of which it is not known what it
    sees.
    """
    rows: dict[fx.Node, Any] = {}
    modules = dict(network.named_modules())
    order = []
    for node in fx.symbolic_trace(network).graph.nodes:
        if node.op == "output":
            break
        rows[node] = _row(node, rows, modules, size)
        if isinstance(rows[node], Reception) and node.op != "get_attr":
            order.append(rows[node])
    return order


def _row(node: fx.Node, rows: dict[fx.Node, Any], modules: dict[str, nn.Module], size: int) -> Any:
    if node.op == "placeholder":
        return picture(size)
    if node.op == "get_attr":
        return None  # a number for each channel
    given = [rows[n] for n in node.all_input_nodes]
    maps = [row for row in given if isinstance(row, Reception)]
    if node.op == "call_module":
        module = modules[node.target]
        if isinstance(module, LOCAL):
            return maps[0]
        if isinstance(module, (nn.Conv2d, *POOLS)):
            return behind(maps[0], _layer(node.target, module))
    elif node.target is operator.getitem:
        return _cropped(node, maps[0])
    elif node.target in (operator.add, torch.add, torch.cat, "add", "add_"):
        return joined(node.name, maps)
    elif node.target in (
        torch.relu,
        nn.functional.relu,
        operator.mul,
        operator.sub,
        operator.truediv,
    ):
        return maps[0]
    raise DataError(
        f"{node.format_node()}: what this sees is not known; build it from nn.Conv2d, poolings, "
        "crops, sums and torch.cat"
    )


def _layer(name: str, module: nn.Module) -> Layer:
    first = {
        key: value[0] if isinstance(value, tuple) else value for key, value in vars(module).items()
    }
    return Layer(
        name,
        first["kernel_size"],
        first["stride"],
        first["padding"],
        first.get("out_channels", 0),
        first.get("dilation", 1),
    )


def _cropped(node: fx.Node, row: Reception) -> Reception:
    """A slice [:, :, a:b, c:d] of a map; one that only takes channels leaves it as it is."""
    index = node.args[1]
    if not isinstance(index, tuple) or len(index) < 3:
        return row
    low, high, _ = index[2].indices(row.size)
    return Reception(node.name, high - low, row.field, row.stride, row.start + low * row.stride)


def touched(network: nn.Module, size: int, row: int, column: int) -> tuple[slice, slice]:
    """The rows and columns of a picture (1, 3, size, size) that can change a cell of the network's
    output at all.

    The extent of the gradient, in a copy whose weights are positive and whose maxima are means:
    there no two paths cancel and no path is switched off.
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
    where = torch.nonzero(seen)[:, 0]
    return slice(int(where[0]), int(where[-1]) + 1)


def effective_field(network: nn.Module, pictures: Tensor) -> Tensor:
    """How strongly each pixel moves the middle cell: mean size of the gradient, (S, S), of pictures
    (B, 3, S, S); sums to 1.

    The effective receptive field (Luo et al., 2016): of the output's middle cell, a random
    direction of its channels.
    """
    network.eval()
    image = pictures.detach().clone().requires_grad_()
    out = network(image)  # (B, C, s, s)
    n = out.shape[-1] // 2
    weights = torch.randn(out.shape[1], generator=torch.Generator().manual_seed(0))  # (C,)
    (out[:, :, n, n] @ weights.to(out)).sum().backward()
    size = image.grad.abs().sum((0, 1))  # (S, S)
    return size / size.sum()
