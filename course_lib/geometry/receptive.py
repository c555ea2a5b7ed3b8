"""Receptive arithmetic: how large a map a stack of layers gives, what each of its cells sees, how far cells stand apart."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from course_lib.errors import DataError


@dataclass(frozen=True)
class Layer:
    """A convolution or pooling window.

    Attributes:
        name: for tables.
        kernel, stride, padding: pixels of the layer's input.
        channels: of its output.
    """

    name: str
    kernel: int
    stride: int = 1
    padding: int = 0
    channels: int = 0


@dataclass(frozen=True)
class Reception:
    """What stands behind one cell of a layer's output.

    Attributes:
        layer: its name.
        size: cells a side of the output.
        field: receptive field, pixels a side of the input picture.
        stride: pixels of the input picture from one cell to the next (the jump).
        start: centre of the first cell's receptive field in the input picture, continuous pixels.
    """

    layer: str
    size: int
    field: int
    stride: int
    start: float


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Cells a side that a layer gives for `size` cells: floor((size + 2·padding − kernel) / stride) + 1.

    Raises DataError if the kernel does not fit.
    """
    room = size + 2 * padding - kernel
    if room < 0:
        raise DataError(
            f"a kernel of {kernel} does not fit into {size} cells with padding {padding}; use a larger input"
        )
    return room // stride + 1


def reception(layers: Items[Layer], size: int) -> list[Reception]:
    """Output size, receptive field and stride after each layer, for an input of `size` pixels.

    field ← field + (kernel − 1) · stride so far; stride ← stride · layer's stride. The input itself comes first.
    """
    field, stride, start = 1, 1, 0.5
    rows = [Reception("input", size, field, stride, start)]
    for layer in layers:
        size = output_size(size, layer.kernel, layer.stride, layer.padding)
        start += ((layer.kernel - 1) / 2 - layer.padding) * stride
        field += (layer.kernel - 1) * stride
        stride *= layer.stride
        rows.append(Reception(layer.name, size, field, stride, start))
    return rows


def field_and_stride(layers: Items[tuple[int, int]]) -> tuple[int, int]:
    """Receptive field and stride, pixels of the input, of one cell behind layers of (kernel, stride)."""
    last = reception([Layer("", kernel, stride) for kernel, stride in layers], 10**6)[-1]
    return last.field, last.stride
