"""Receptive-field arithmetic: the size of the map behind a stack of layers, the receptive field of
each cell, and the stride between cells. Araujo, Norris, Sim: Computing Receptive Fields of
Convolutional Neural Networks, Distill 2019.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, replace

from course_lib.errors import DataError


@dataclass(frozen=True)
class Layer:
    """A convolution or pooling window.

    Attributes:
        name: for tables.
        kernel, stride, padding: in pixels of the layer's input.
        channels: of its output.
        dilation: distance between neighbouring taps of the kernel, which spans
            dilation · (kernel − 1) + 1 pixels.
        crop: cells cropped on each side of its output.
    """

    name: str
    kernel: int
    stride: int = 1
    padding: int = 0
    channels: int = 0
    dilation: int = 1
    crop: int = 0

    @property
    def reach(self) -> int:
        """Pixels of the layer's input that the kernel spans, from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1


@dataclass(frozen=True)
class Branches:
    """Several stacks of layers over the same input whose outputs are added or concatenated; an
    empty one is a shortcut."""

    name: str
    paths: tuple[tuple[Layer, ...], ...]


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of the cells of a layer's output.

    Attributes:
        layer: its name.
        size: cells per side of the output: SiamDW's "output feature size" (OFS).
        field: receptive field (RF), pixels per side of the input image.
        stride: pixels of the input image from one cell to the next (the jump).
        start: centre of the first cell's receptive field in the input image, continuous pixels.
    """

    layer: str
    size: int
    field: int
    stride: int
    start: float

    @property
    def overlap(self) -> float:
        """Fraction of its receptive field that a cell shares with its neighbour:
        1 − stride / field."""
        return 1 - self.stride / self.field


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Cells per side of a layer's output: floor((size + 2·padding − kernel) / stride) + 1.

    Args:
        size: cells per side of its input.
        kernel: cells per side of its window.
        stride: cells from one window to the next.
        padding: cells added on each side.

    Raises:
        DataError: if the kernel does not fit.
    """
    room = size + 2 * padding - kernel
    if room < 0:
        raise DataError(
            f"a kernel of {kernel} does not fit into {size} cells with padding {padding}; use a "
            "larger input"
        )
    return room // stride + 1


def image(size: int) -> ReceptiveField:
    """The input itself, `size` pixels per side: every pixel sees itself."""
    return ReceptiveField("input", size, 1, 1, 0.5)


def behind(row: ReceptiveField, layer: Layer) -> ReceptiveField:
    """The receptive field after one more layer. Raises DataError if the kernel or the crop does not
    fit.

    field ← field + (reach − 1) · stride; stride ← stride · the layer's stride;
    start ← start + ((reach − 1) / 2 − padding) · stride, and a crop moves it by whole cells.
    """
    size = output_size(row.size, layer.reach, layer.stride, layer.padding) - 2 * layer.crop
    if size < 1:
        raise DataError(
            f"{layer.name}: a crop of {layer.crop} leaves nothing of {size + 2 * layer.crop} "
            "cells; use a larger input"
        )
    stride = row.stride * layer.stride
    start = row.start + ((layer.reach - 1) / 2 - layer.padding) * row.stride + layer.crop * stride
    return ReceptiveField(
        layer.name, size, row.field + (layer.reach - 1) * row.stride, stride, start
    )


def joined(name: str, rows: Items[ReceptiveField]) -> ReceptiveField:
    """The receptive field where branches meet: the union of theirs.

    Raises DataError if their maps differ in size or stride.
    """
    if len({(row.size, row.stride) for row in rows}) != 1:
        found = ", ".join(f"{row.size} cells of stride {row.stride}" for row in rows)
        raise DataError(f"{name}: branches of {found} cannot be joined; pad or crop them alike")
    low = min(row.start - row.field / 2 for row in rows)
    high = max(row.start + row.field / 2 for row in rows)
    return replace(rows[0], layer=name, field=round(high - low), start=(low + high) / 2)


def receptive_fields(layers: Items[Layer | Branches], size: int) -> list[ReceptiveField]:
    """Output size, receptive field and stride after each layer, for an input of `size` pixels; the
    input comes first."""
    rows = [image(size)]
    for layer in layers:
        if isinstance(layer, Branches):
            ends = [_end(path, rows[-1]) for path in layer.paths]
            rows.append(joined(layer.name, ends))
        else:
            rows.append(behind(rows[-1], layer))
    return rows


def _end(path: Items[Layer], row: ReceptiveField) -> ReceptiveField:
    for layer in path:
        row = behind(row, layer)
    return row


def field_and_stride(layers: Items[tuple[int, int]]) -> tuple[int, int]:
    """Receptive field and stride, in pixels of the input, after layers of (kernel, stride)."""
    last = receptive_fields([Layer("", kernel, stride) for kernel, stride in layers], 10**6)[-1]
    return last.field, last.stride
