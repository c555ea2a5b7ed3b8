"""Checks of lesson 10: receptive field arithmetic."""

from __future__ import annotations

from dataclasses import replace

from course_lib.exercises.cases import compare_cases
from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive
from course_lib.geometry.receptive import Layer, ReceptiveField, output_size

NUMBERS = ("size", "field", "stride", "start")


def read_field(given: object, name: str) -> tuple[float, ...]:
    """The four numbers of a ReceptiveField whose layer has this name."""
    if not isinstance(given, ReceptiveField):
        raise Wrong(
            "expected a ReceptiveField(layer, size, field, stride, start); yours is of type "
            f"{type(given).__name__}"
        )
    if given.layer != name:
        raise Wrong(f"a field's `layer` is the name, here {name!r}; yours is {given.layer!r}")
    return tuple(as_number(getattr(given, n), f"{name}: {n}") for n in NUMBERS)


def _with(part: str, value):
    """A mistake: the right answer but for one number, (row, layer, right answer) → that number."""

    def behind(right, row, layer):
        given = right(row, layer)
        return replace(given, **{part: value(row, layer, given)})

    return NUMBERS.index(part), behind


def _start(half=lambda layer: (layer.reach - 1) / 2, padding=1.0, unit=None, crop=None):
    """A mistake in the first centre: half the kernel, its padding's factor, the pixels that a cell
    counts for, or the pixels that the crop moves it by."""
    unit = unit or (lambda row, right: row.stride)
    crop = crop or (lambda row, layer, right: layer.crop * right.stride)
    return _with(
        "start",
        lambda row, layer, right: (
            row.start
            + (half(layer) - padding * layer.padding) * unit(row, right)
            + crop(row, layer, right)
        ),
    )


def _size(kernel=lambda layer: layer.reach, padding=1.0, crop=2):
    """A mistake in the number of cells: the kernel, the padding's factor, or the crop's."""
    return _with(
        "size",
        lambda row, layer, right: (
            (row.size + int(2 * padding * layer.padding) - kernel(layer)) // layer.stride
            + 1
            - crop * layer.crop
        ),
    )


@check(
    "siamdw.layer",
    reference=receptive.behind,
    mistakes={
        "{about}: a step of one cell is {row.stride} pixels of the image, so each further tap of "
        "the kernel adds {row.stride} pixels to the field, not 1": _with(
            "field", lambda row, layer, right: row.field + layer.reach - 1
        ),
        "{about}: (field − 1) · stride + kernel goes through the layers backwards, from the last "
        "to the first; forwards, the field grows by (k_e − 1) · {row.stride}": _with(
            "field", lambda row, layer, right: (row.field - 1) * layer.stride + layer.reach
        ),
        "{about}: its taps are on the cells *before* it, {row.stride} pixels apart; its own stride "
        "counts later": [
            _with("field", lambda row, layer, right: row.field + (layer.reach - 1) * right.stride),
            _with("field", lambda row, layer, right: row.field + (layer.reach - 1) * layer.stride),
        ],
        "{about}: every tap sees {row.field} pixels already, and the field grows from there": [
            _with("field", lambda row, layer, right: layer.reach * row.stride),
            _with("field", lambda row, layer, right: (layer.reach - 1) * row.stride + 1),
        ],
        "{about}: with dilation d, taps are d cells apart: the kernel reaches over d · (k − 1) + 1 "
        "cells": [
            _with("field", lambda row, layer, right: row.field + (layer.kernel - 1) * row.stride),
            _size(kernel=lambda layer: layer.kernel),
            _start(half=lambda layer: (layer.kernel - 1) / 2),
            _with(
                "field",
                lambda row, layer, right: (
                    row.field + (layer.kernel * layer.dilation - 1) * row.stride
                ),
            ),
            _size(kernel=lambda layer: layer.kernel * layer.dilation),
        ],
        "{about}: a kernel of one cell adds nothing to the field: the steps count, one fewer than "
        "the cells": _with("field", lambda row, layer, right: row.field + layer.reach * row.stride),
        "{about}: a crop throws cells away; what a remaining cell sees stays the same": [
            _with("field", lambda row, layer, right: right.field + 2 * layer.crop),
            _with("field", lambda row, layer, right: right.field - 2 * layer.crop),
            _with("field", lambda row, layer, right: right.field - 2 * layer.crop * right.stride),
            _with("field", lambda row, layer, right: right.field + 2 * layer.crop * right.stride),
        ],
        "{about}: padding does not change how far a cell sees": [
            _with("field", lambda row, layer, right: right.field - 2 * layer.padding * row.stride),
            _with("field", lambda row, layer, right: right.field + 2 * layer.padding * row.stride),
            _with("field", lambda row, layer, right: right.field + 2 * layer.padding),
        ],
        "{about}: field and stride have changed places: ReceptiveField(layer, size, field, stride, "
        "start)": lambda right, row, layer: replace(
            right(row, layer), field=right(row, layer).stride, stride=right(row, layer).field
        ),
        "{about}: dilation moves the taps of a kernel apart, not the cells of the output": _with(
            "stride", lambda row, layer, right: right.stride * layer.dilation
        ),
        "{about}: windows begin {layer.stride} cells apart; yours begin at every cell": _with(
            "size",
            lambda row, layer, right: (
                row.size + 2 * layer.padding - layer.reach + 1 - 2 * layer.crop
            ),
        ),
        "{about}: cells are {row.stride} pixels apart, and one in every {layer.stride} of them is "
        "kept: the strides multiply": [
            _with("stride", lambda row, layer, right: row.stride + layer.stride),
            _with("stride", lambda row, layer, right: layer.stride),
            _with("stride", lambda row, layer, right: row.stride),
        ],
        "{about}: padding, {layer.padding}, is added on *each* side of the map": [
            _size(padding=0.5),
            _size(padding=0.0),
        ],
        "{about}: there is one cell more than steps between them": _with(
            "size", lambda row, layer, right: right.size - 1
        ),
        "{about}: a last window that does not fit whole is left out: round down": _with(
            "size",
            lambda row, layer, right: (
                -((layer.reach - 2 * layer.padding - row.size) // layer.stride) + 1 - 2 * layer.crop
            ),
        ),
        "{about}: the crop, {layer.crop}, is taken off *each* side of the output; your map keeps "
        "its cells": _size(crop=0),
        "{about}: the crop, {layer.crop}, is taken off each of two sides; yours is taken off one": (
            _size(crop=1)
        ),
        "{about}: the crop counts cells of the layer's output, not of its input": [
            _with(
                "size", lambda row, layer, right: right.size - 2 * layer.crop * (layer.stride - 1)
            ),
            _with(
                "size",
                lambda row, layer, right: output_size(
                    row.size - 2 * layer.crop, layer.reach, layer.stride, layer.padding
                ),
            ),
        ],
        "{about}: the crop moves the first centre once: only the cells cut off before it count": (
            _start(crop=lambda row, layer, right: 2 * layer.crop * right.stride)
        ),
        "{about}: after the crop a different cell is the first; its centre lies crop · stride "
        "further in, and that is the stride *after* the layer": [
            _start(crop=lambda row, layer, right: 0),
            _start(crop=lambda row, layer, right: layer.crop),
            _start(crop=lambda row, layer, right: layer.crop * row.stride),
            _start(crop=lambda row, layer, right: layer.crop * layer.stride),
            _start(crop=lambda row, layer, right: -layer.crop * right.stride),
        ],
        "{about}: the first centre is a point, not a cell: (k_e − 1) / 2 may end in ½, so nothing "
        "is rounded there": [
            _start(half=lambda layer: layer.reach // 2),
            _start(half=lambda layer: (layer.reach - 1) // 2),
            _with("start", lambda row, layer, right: round(right.start)),
            _with("start", lambda row, layer, right: int(right.start)),
        ],
        "{about}: the first centre moves by k_e − 1 halves: with a kernel of one cell it stays": (
            _start(half=lambda layer: layer.reach / 2)
        ),
        "{about}: padding, {layer.padding}, moves the first centre outwards by as many cells": [
            _start(padding=0.0),
            _start(padding=-1.0),
            _with(
                "start",
                lambda row, layer, right: right.start + layer.padding * (row.stride - 1),
            ),
        ],
        "{about}: the first centre moves by cells of the map *before* the layer, {row.stride} "
        "pixels each": [
            _start(unit=lambda row, right: right.stride),
            _start(unit=lambda row, right: 1),
            _start(unit=lambda row, right: right.stride // row.stride),
            _start(unit=lambda row, right: 1, crop=lambda row, layer, right: layer.crop),
        ],
        "{about}: half the kernel moves the first centre inwards, padding outwards": _start(
            half=lambda layer: -(layer.reach - 1) / 2, padding=-1.0
        ),
        "{about}: the first centre was at {row.start}, and moves from there": [
            _with("start", lambda row, layer, right: right.start - row.start),
            _with("start", lambda row, layer, right: right.start - row.start + 0.5),
        ],
        "{about}: your first centre stays where it was": _with(
            "start", lambda row, layer, right: row.start
        ),
    },
    others={
        "expected a ReceptiveField": lambda right, row, layer: (60, 11, 2),
        "a field's `layer` is the name": lambda right, row, layer: replace(
            right(row, layer), layer=row.layer
        ),
    },
)
def examine_layer(answer, rng) -> None:
    """One more layer, on maps of two strides."""
    cases = [
        (row, layer)
        for row in (
            ReceptiveField("before", 60, 11, 3, 5.5),
            ReceptiveField("before", 45, 18, 4, -2.0),
        )
        for layer in (
            Layer("pool", 3, 2),
            Layer("conv", 3),
            Layer("pair", 2, 2),
            Layer("padded", 5, 1, 2),
            Layer("even", 4, 3, 1),
            Layer("dilated", 3, dilation=4),
            Layer("cropped", 7, 2, 3, crop=1),
            Layer("mixed", 4, 3, 1, dilation=3, crop=2),
        )
    ]
    compare_cases(
        answer,
        cases,
        NUMBERS,
        lambda given, case: read_field(given, case[1].name),
        _about,
        row=lambda row, layer: row,
        layer=lambda row, layer: layer,
    )


def _about(row: ReceptiveField, layer: Layer) -> str:
    """A layer in words."""
    parts = {"stride": layer.stride, "padding": layer.padding}
    parts |= {"dilation": layer.dilation, "crop": layer.crop}
    others = [f"{name} {value}" for name, value in parts.items() if value > (name in PLAIN)]
    return f"kernel {', '.join([str(layer.kernel), *others])}, behind stride {row.stride}"


PLAIN = "stride", "dilation"  # 1 where they do nothing
