"""Receptive fields of an actual network: the arithmetic of `geometry.receptive`, applied to its
traced layers."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

from course_lib.errors import DataError
from course_lib.geometry.receptive import Layer, ReceptiveField, behind, image, joined

POOLS = (nn.MaxPool2d, nn.AvgPool2d)
# these work cell by cell and leave the receptive field unchanged
LOCAL = nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout
CELL_BY_CELL = (
    *(torch.relu, torch.relu_, nn.functional.relu, "relu", "relu_", "clamp_min"),
    *(operator.mul, operator.sub, operator.truediv),
)
POOLING = nn.functional.max_pool2d, torch.max_pool2d, nn.functional.avg_pool2d
JOINING = operator.add, torch.add, torch.cat, "add", "add_"


def traced_receptive_fields(network: nn.Module, size: int) -> list[ReceptiveField]:
    """Output size, receptive field and stride after every layer of a network, for images of
    `size` pixels per side.

    The network is traced (torch.fx), so convolutions, poolings, crops, sums and concatenations may
    come in any order. Kernels, paddings and crops are read along the rows; layers that treat
    columns differently are not supported. Raises DataError naming an operation whose receptive
    field is unknown.
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
    return order


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
    return Layer(
        name,
        first["kernel_size"],
        first["stride"],
        first["padding"],
        first.get("out_channels", 0),
        first.get("dilation", 1),
    )


def _pooling(name: str, kernel_size, stride=None, padding=0, **others: Any) -> Layer:
    """A pooling that is called as a function, its numbers as there."""
    numbers = kernel_size, kernel_size if stride is None else stride, padding
    return Layer(name, *(n if isinstance(n, int) else n[0] for n in numbers))


def _padding(name: str, sides: tuple[int, ...]) -> Layer:
    """Padding by F.pad, alike on all sides; a crop if below 0."""
    return Layer(name, 1, padding=max(sides[0], 0), crop=max(-sides[0], 0))


def _cropped(node: fx.Node, row: ReceptiveField) -> ReceptiveField:
    """The receptive field after a slice [:, :, a:b, c:d]; slices of channels leave it unchanged."""
    index = node.args[1]
    if not isinstance(index, tuple) or len(index) < 3:
        return row
    low, high, _ = index[2].indices(row.size)
    return ReceptiveField(
        node.name, high - low, row.field, row.stride, row.start + low * row.stride
    )
