"""Receptive fields of an actual network: the arithmetic of `geometry.receptive`, applied to its
traced layers."""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import fx, nn

from course_lib.errors import DataError
from course_lib.geometry.receptive import Layer, ReceptiveField, behind, image, joined

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
# these work cell by cell and leave the receptive field unchanged
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU),
    *(nn.GELU, nn.SiLU, nn.Hardswish, nn.Sigmoid, nn.Tanh),
)
LOCAL = nn.BatchNorm2d, nn.Identity, nn.Dropout, *ACTIVATIONS
CELL_BY_CELL = (*(torch.relu, torch.relu_, nn.functional.relu, "relu", "relu_", "clamp_min"),)
POOLING = nn.functional.max_pool2d, torch.max_pool2d, nn.functional.avg_pool2d
JOINING = (
    *(operator.add, torch.add, torch.cat, "add", "add_"),
    *(operator.mul, operator.sub, operator.truediv),
)


def traced_receptive_fields(network: nn.Module, size: int) -> list[ReceptiveField]:
    """Output size, receptive field and stride after every layer of a network, for images of
    `size` pixels per side.

    The network is traced (torch.fx), so convolutions, poolings, crops, sums and concatenations may
    come in any order. Kernels, paddings and crops are read along the rows; layers that treat
    columns differently are not supported. Raises DataError naming an operation whose receptive
    field is unknown, or if the network's own output has another size than was computed.
    """
    rows: dict[fx.Node, Any] = {}
    modules = dict(network.named_modules())
    order = []
    for node in fx.symbolic_trace(network).graph.nodes:
        if node.op == "output":
            break
        rows[node] = _row(node, rows, modules, size)
        if isinstance(rows[node], ReceptiveField) and node.op != "get_attr":
            order.append(rows[node])
    _require_size(network, size, order[-1] if order else image(size))
    return order


def _require_size(network: nn.Module, size: int, last: ReceptiveField) -> None:
    """Check that the size computed from the layers is the size of the network's own output; for
    that it runs on shapes alone, without values."""
    shapes = copy.deepcopy(network).to("meta").eval()
    first = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    channels = 3 if first is None else first.in_channels
    out = shapes(torch.empty(1, channels, size, size, device="meta"))  # (1, C, s, s)
    if isinstance(out, torch.Tensor) and out.shape[-2:] != (last.size, last.size):
        raise DataError(
            f"{last.layer}: {last.size} cells per side were computed, but the network gives "
            f"{tuple(out.shape[-2:])}; a layer does something that is not supported (ceil_mode, "
            "or rows and columns treated differently)"
        )


def _row(node: fx.Node, rows: dict[fx.Node, Any], modules: dict[str, nn.Module], size: int) -> Any:
    """The receptive field after one node of a traced network, from those of the nodes before it."""
    if node.op == "placeholder":
        return image(size)
    if node.op == "get_attr":
        return None  # a parameter, one number for each channel
    maps = [rows[n] for n in node.all_input_nodes if rows[n] is not None]
    if node.op == "call_module":
        row = _behind_module(node.target, modules[node.target], maps[0])
    else:
        row = _behind_function(node, maps)
    if row is None:
        raise DataError(
            f"{node.format_node()}: the receptive field of this operation is unknown; build the "
            "network from nn.Conv2d, poolings, crops, sums and torch.cat"
        )
    return row


def _behind_module(name: str, module: nn.Module, row: ReceptiveField) -> ReceptiveField | None:
    """The receptive field after a layer; None if it is unknown."""
    if isinstance(module, (nn.Conv2d, *POOLS)):
        return behind(row, _layer(name, module))
    return row if isinstance(module, LOCAL) else None


def _behind_function(node: fx.Node, maps: list[ReceptiveField]) -> ReceptiveField | None:
    """The receptive field after a function; None if it is unknown."""
    if node.target is operator.getitem:
        return _cropped(node, maps[0])
    if node.target in POOLING:
        return behind(maps[0], _pooling(node.name, *node.args[1:], **node.kwargs))
    if node.target is nn.functional.pad:
        return behind(maps[0], _padding(node.name, *node.args[1:]))
    if node.target in JOINING:
        return joined(node.name, maps)
    return maps[0] if node.target in CELL_BY_CELL else None


def _layer(name: str, module: nn.Module) -> Layer:
    first = {
        key: value[0] if isinstance(value, tuple) else value for key, value in vars(module).items()
    }
    padding = {"valid": 0, "same": first.get("dilation", 1) * (first["kernel_size"] - 1) / 2}.get(
        first["padding"], first["padding"]
    )
    if padding != int(padding):
        raise DataError(
            f"{name}: a kernel of {first['kernel_size']} with padding 'same' is padded unequally; "
            "use an odd kernel"
        )
    return Layer(
        name,
        first["kernel_size"],
        first["stride"],
        int(padding),
        first.get("out_channels", 0),
        first.get("dilation", 1),
    )


def _pooling(name: str, kernel_size, stride=None, padding=0, dilation=1, **others: Any) -> Layer:
    """A pooling that is called as a function, with the arguments of `F.max_pool2d`; in average
    pooling the fifth is not a dilation, but True or False."""
    dilation = 1 if isinstance(dilation, bool) else dilation
    numbers = kernel_size, stride or kernel_size, padding, dilation
    kernel, stride, padding, dilation = (n if isinstance(n, int) else n[0] for n in numbers)
    return Layer(name, kernel, stride, padding, dilation=dilation)


def _padding(name: str, sides: tuple[int, ...]) -> Layer:
    """Padding by F.pad, alike on all sides; a crop if below 0."""
    if len(set(sides)) > 1:
        raise DataError(f"{name}: padded by {sides}; expected the same number on all sides")
    return Layer(name, 1, padding=max(sides[0], 0), crop=max(-sides[0], 0))


def _cropped(node: fx.Node, row: ReceptiveField) -> ReceptiveField:
    """The receptive field after a slice [:, :, a:b, c:d]; slices of channels leave it unchanged."""
    index = node.args[1]
    if not isinstance(index, tuple) or len(index) < 3:
        return row
    low, high, step = index[2].indices(row.size)
    if step < 1:
        raise DataError(f"{node.format_node()}: cells in reverse order; expected a step above 0")
    return ReceptiveField(
        node.name,
        len(range(low, high, step)),
        row.field,
        row.stride * step,
        row.start + low * row.stride,
    )
