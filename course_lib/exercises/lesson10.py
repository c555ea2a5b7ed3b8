"""Checks of lesson 10, first half: receptive arithmetic and what padding touches."""

from __future__ import annotations

import numpy as np

from course_lib.errors import DataError
from course_lib.exercises.compare import as_array, as_number, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive
from course_lib.geometry.receptive import Layer, Reception


def _row(given: object, what: str) -> Reception:
    if not isinstance(given, Reception):
        raise Wrong(
            f"{what} should be a Reception(layer, size, field, stride, start); yours is "
            f"{type(given).__name__}"
        )
    for name in ("size", "field", "stride", "start"):
        as_number(getattr(given, name), f"{what}: {name}")
    return given


@check("siamdw.layer", reference=receptive.behind)
def examine_layer(answer, reference, rng) -> None:
    """One more layer."""
    row = Reception("before", 60, 11, 2, 5.5)
    for layer, about in (
        (Layer("conv", 3), "a plain 3 × 3 convolution"),
        (Layer("pool", 3, 2), "a pooling with stride 2"),
        (Layer("padded", 5, 1, 2), "a convolution with padding 2"),
        (Layer("dilated", 3, dilation=4), "a convolution with dilation 4"),
        (Layer("cropped", 7, 2, 3, crop=2), "a convolution with padding 3 and a crop of 2"),
    ):
        given, right = _row(answer(row, layer), about), reference(row, layer)
        if (
            given.field == row.field + layer.kernel - 1
            and layer.dilation == 1
            and given.field != right.field
        ):
            raise Wrong(
                f"{about}: a step of one cell is {row.stride} pixels of the picture, so each "
                "further tap of the kernel adds "
                f"{row.stride} pixels to the field, not 1"
            )
        if (
            given.field == row.field + (layer.reach - 1) * right.stride
            and given.field != right.field
        ):
            raise Wrong(
                f"{about}: its taps stand on the cells *before* it, {row.stride} pixels apart; its "
                "own stride counts later"
            )
        if layer.dilation > 1 and given.field == row.field + (layer.kernel - 1) * row.stride:
            raise Wrong(
                f"{about}: with dilation d, taps are d cells apart: the kernel reaches over d · (k "
                "− 1) + 1 cells"
            )
        if layer.crop and given.size == right.size + 2 * layer.crop:
            raise Wrong(
                f"{about}: the crop takes {layer.crop} cells off *each* side of the output; your "
                "map keeps them"
            )
        if layer.crop and given.size == right.size + layer.crop:
            raise Wrong(
                f"{about}: the crop takes {layer.crop} cells off each of two sides; yours takes "
                "them off one"
            )
        if layer.crop and given.field != right.field:
            raise Wrong(
                f"{about}: a crop throws cells away; what a remaining cell sees stays the same"
            )
        for name in ("size", "field", "stride"):
            require_close(getattr(given, name), getattr(right, name), f"{about}: {name}")
        if layer.crop and same(given.start, right.start - layer.crop * right.stride):
            raise Wrong(
                f"{about}: after the crop another cell is the first one; its centre lies crop · "
                "stride further in"
            )
        require_close(
            given.start,
            right.start,
            f"{about}: start",
            hint="the first centre moves by ((reach − 1) / 2 − padding) strides",
        )


@check("siamdw.branches", reference=receptive.joined)
def examine_branches(answer, reference, rng) -> None:
    """Where branches meet."""
    long, short = Reception("long", 28, 17, 4, 10.5), Reception("short", 28, 9, 4, 10.5)
    aside = Reception("aside", 28, 13, 4, 16.5)
    given = _row(answer("sum", [long, short]), "the sum of a long branch and a shortcut")
    if given.field == long.field + short.field:
        raise Wrong(
            "the branches stand side by side, not one behind the other: their fields are not added"
        )
    if given.field == short.field:
        raise Wrong("the cell sees what *any* branch sees; yours sees only what the shortcut does")
    require_close(given.field, 17, "the field of the sum")
    given = _row(
        answer("sum", [long, aside]), "the sum of two branches that look in different places"
    )
    right = reference("sum", [long, aside])
    if given.field == 17:
        raise Wrong(
            "one branch sees pixels 2 … 19, the other 10 … 23; together 2 … 23: the larger field "
            "alone is not enough"
        )
    require_close(
        (given.field, given.start), (right.field, right.start), "field and start of the union"
    )
    for wrong in (Reception("small", 26, 9, 4, 10.5), Reception("coarse", 28, 9, 8, 10.5)):
        try:
            answer("sum", [long, wrong])
        except DataError:
            continue
        raise Wrong(
            f"maps of {long.size} and {wrong.size} cells, strides {long.stride} and "
            f"{wrong.stride}, cannot be added; raise DataError"
        )


def overlap(field: int, stride: int) -> float:
    """Share of its receptive field that a cell has in common with its neighbour."""
    return 1 - stride / field


@check("siamdw.overlap", reference=overlap)
def examine_overlap(answer, reference, rng) -> None:
    """Overlap of neighbours."""
    for field, stride in ((87, 8), (63, 4), (103, 16)):
        given = as_number(answer(field, stride), "the overlap")
        if same(given, stride / field):
            raise Wrong("that is the share that is *new*; the overlap is the rest")
        if same(given, field - stride):
            raise Wrong("those are pixels; divide by the field, so that networks can be compared")
        require_close(
            given,
            reference(field, stride),
            f"for a field of {field} and stride {stride} the overlap",
        )


def last_kernel(field: int, stride: int, wanted: int) -> tuple[int, int]:
    """The kernel of one more layer that brings a field to `wanted` pixels, and the cells that 127
    pixels then give."""
    return (wanted - field) // stride + 1, (127 - wanted) // stride + 1


@check("siamdw.kernel", reference=last_kernel)
def examine_kernel(answer, reference, rng) -> None:
    """The kernel that sets the field."""
    for field, stride, wanted in ((71, 8, 87), (71, 8, 127), (75, 8, 99), (71, 8, 71)):
        given = as_array(answer(field, stride, wanted), (2,), "kernel and cells")
        kernel, cells = reference(field, stride, wanted)
        if given[0] == kernel - 1:
            raise Wrong(
                f"from {field} to {wanted} pixels: a kernel of 1 adds nothing, so k adds (k − 1) · "
                "stride pixels"
            )
        if given[1] == cells - 1 and given[0] == kernel:
            raise Wrong(
                "the first cell needs the whole field; each further one needs a stride more: that "
                "is one cell more"
            )
        require_close(
            given,
            (kernel, cells),
            f"from {field} to {wanted} pixels at stride {stride}: kernel and cells",
        )


def touched_by_padding(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """How many of a layer's output cells have seen padding: at the beginning and at the end of a
    row."""
    # first pixel each cell reads
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return int((first < 0).sum()), int((first + kernel > size).sum())


@check("siamdw.touched", reference=touched_by_padding)
def examine_touched(answer, reference, rng) -> None:
    """Cells that have seen padding."""
    for size, kernel, stride, padding in (
        (127, 7, 2, 3),
        (28, 3, 1, 1),
        (30, 5, 1, 2),
        (28, 3, 2, 1),
        (20, 3, 1, 0),
    ):
        case = f"{size} pixels, kernel {kernel}, stride {stride}, padding {padding}"
        given = as_array(answer(size, kernel, stride, padding), (2,), "the two counts")
        right = reference(size, kernel, stride, padding)
        if given[0] == padding != right[0]:
            raise Wrong(
                f"{case}: cells are {stride} pixels apart, so fewer of them reach over the edge "
                "than it has pixels"
            )
        if right[0] != right[1] and same(given, (right[0], right[0])):
            raise Wrong(
                f"{case}: the two sides differ; the last cell may end before the last pixel"
            )
        require_close(given, right, f"{case}: cells with padding at the beginning and at the end")
