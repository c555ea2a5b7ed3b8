"""Checks of lesson 10: receptive field arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from course_lib.errors import DataError
from course_lib.exercises.compare import as_number
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive
from course_lib.geometry.receptive import Layer, ReceptiveField


def _reading(what: str, *names: str):
    """Read the named numbers of a ReceptiveField."""

    def read(given):
        if not isinstance(given, ReceptiveField):
            raise Wrong(
                f"{what} should be a ReceptiveField(layer, size, field, stride, start); yours is "
                f"of type {type(given).__name__}"
            )
        every = ("size", "field", "stride", "start")
        numbers = {name: as_number(getattr(given, name), f"{what}: {name}") for name in every}
        return tuple(numbers[name] for name in names)

    return read


def _with_field(field):
    """A mistake: the right answer but for its field, (row, layer, right answer) → pixels."""

    def behind(right, row, layer):
        given = right(row, layer)
        return replace(given, field=field(row, layer, given))

    return behind


def _with_crop(sides: int):
    """A mistake: the crop is taken off this many sides."""

    def behind(right, row, layer):
        given = right(row, layer)
        return replace(given, size=given.size + (2 - sides) * layer.crop)

    return behind


@check(
    "siamdw.layer",
    reference=receptive.behind,
    mistakes={
        "{about}: a step of one cell is {0.stride} pixels of the image, so each further tap of "
        "the kernel adds {0.stride} pixels to the field, not 1": _with_field(
            lambda row, layer, right: row.field + layer.reach - 1
        ),
        "{about}: its taps are on the cells *before* it, {0.stride} pixels apart; its own stride "
        "counts later": _with_field(
            lambda row, layer, right: row.field + (layer.reach - 1) * right.stride
        ),
        "{about}: with dilation d, taps are d cells apart: the kernel reaches over d · (k − 1) + 1 "
        "cells": _with_field(lambda row, layer, right: row.field + (layer.kernel - 1) * row.stride),
        "{about}: the crop takes {1.crop} cells off *each* side of the output; your map keeps "
        "them": _with_crop(sides=0),
        "{about}: the crop takes {1.crop} cells off each of two sides; yours takes them off one": (
            _with_crop(sides=1)
        ),
        "{about}: after the crop a different cell is the first; its centre lies crop · stride "
        "further in": lambda right, row, layer: replace(
            right(row, layer),
            start=right(row, layer).start - layer.crop * right(row, layer).stride,
        ),
    },
    others={
        "throws cells away": _with_field(lambda row, layer, right: right.field + 2 * layer.crop),
        "the first centre moves by": lambda right, row, layer: replace(
            right(row, layer), start=right(row, layer).start + layer.padding * row.stride
        ),
        "should be a ReceptiveField": lambda right, row, layer: (60, 11, 2),
    },
)
def examine_layer(answer, rng) -> None:
    """One more layer."""
    row = ReceptiveField("before", 60, 11, 2, 5.5)
    for layer, about in (
        (Layer("conv", 3), "a plain 3 × 3 convolution"),
        (Layer("pool", 3, 2), "a pooling with stride 2"),
        (Layer("padded", 5, 1, 2), "a convolution with padding 2"),
        (Layer("dilated", 3, dilation=4), "a convolution with dilation 4"),
        (Layer("cropped", 7, 2, 3, crop=2), "a convolution with padding 3 and a crop of 2"),
    ):
        thrown = f"{about}: a crop throws cells away; what a remaining cell sees stays the same"

        def seen(given, right, words=thrown if layer.crop else ""):
            return words if given[1] != right[1] else ""

        names = ("size", "field", "stride")
        named = tuple(f"{about}: {name}" for name in names)
        read = _reading(about, *names)
        answer.compare((row, layer), named, read, otherwise=seen, about=about)
        answer.compare(
            (row, layer),
            (f"{about}: start",),
            _reading(about, "start"),
            hint="the first centre moves by ((reach − 1) / 2 − padding) strides",
            about=about,
        )


def _first_if_alike(right, name, rows):
    """A mistake: branches that do not fit are no error."""
    fit = (rows[0].size, rows[0].stride) == (rows[1].size, rows[1].stride)
    return right(name, rows) if fit else rows[0]


def _of_fields(choose):
    """A mistake: the field is chosen from those of the branches."""
    return lambda right, name, rows: replace(
        right(name, rows), field=choose(row.field for row in rows)
    )


@check(
    "siamdw.branches",
    reference=receptive.joined,
    mistakes={
        "the branches run in parallel, not one after the other: their fields are not added": (
            _of_fields(sum)
        ),
        "the cell sees what *any* branch sees; yours sees only what the shortcut does": (
            _of_fields(min)
        ),
        "one branch sees pixels 2 … 19, the other 10 … 23; together 2 … 23: the larger field alone "
        "is not enough": (0, _of_fields(max)),
    },
    others={"raise DataError": _first_if_alike},
)
def examine_branches(answer, rng) -> None:
    """Where branches meet."""
    long, short = ReceptiveField("long", 28, 17, 4, 10.5), ReceptiveField("short", 28, 9, 4, 10.5)
    aside = ReceptiveField("aside", 28, 13, 4, 16.5)
    read = _reading("the sum of a long branch and a shortcut", "field")
    answer.compare(("sum", [long, short]), ("the field of the sum",), read)
    read = _reading("the sum of two branches that look in different places", "field", "start")
    named = "field and start of the union"
    answer.compare(("sum", [long, aside]), named, lambda given: np.array(read(given)))
    for wrong in (
        ReceptiveField("small", 26, 9, 4, 10.5),
        ReceptiveField("coarse", 28, 9, 8, 10.5),
    ):
        try:
            answer("sum", [long, wrong])
        except DataError:
            continue
        raise Wrong(
            f"maps of {long.size} and {wrong.size} cells, strides {long.stride} and "
            f"{wrong.stride}, cannot be added; raise DataError"
        )
