"""Checks of lesson 10: overlap, the kernel that sets the field, cells touched by padding."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.core import check


def overlap(field: int, stride: int) -> float:
    """Fraction of its receptive field that a cell has in common with its neighbour."""
    return 1 - stride / field


@check(
    "siamdw.overlap",
    reference=overlap,
    mistakes={
        "that is the fraction that is *new*; the overlap is the rest": (
            lambda right, field, stride: stride / field
        ),
        "those are pixels; divide by the field, so that networks can be compared": (
            lambda right, field, stride: field - stride
        ),
    },
    others={"expected": lambda right, field, stride: right(field, 2 * stride)},
)
def examine_overlap(answer, rng) -> None:
    """Overlap of neighbours."""
    for case in ((87, 8), (63, 4), (103, 16)):
        named = f"for a field of {case[0]} and stride {case[1]} the overlap"
        answer.compare(case, "the overlap", named=named)


def last_kernel(field: int, stride: int, wanted: int) -> tuple[int, int]:
    """The kernel of one more layer that sets the field, and the cells that 127 pixels then make.

    Args:
        field: before that layer, pixels.
        stride: before that layer, pixels.
        wanted: field after it, pixels.
    """
    return (wanted - field) // stride + 1, (127 - wanted) // stride + 1


@check(
    "siamdw.kernel",
    reference=last_kernel,
    mistakes={
        "from {0} to {2} pixels: a kernel of 1 adds nothing, so k adds (k − 1) · stride pixels": (
            0,
            lambda right, *case: np.array(right(*case)) - [1, 0],
        ),
        "the first cell needs the whole field; each further one needs a stride more: that is one "
        "cell more": lambda right, *case: np.array(right(*case)) - [0, 1],
    },
    others={
        "kernel and cells": lambda right, field, stride, wanted: (
            right(field, stride, wanted)[0],
            127 // stride,
        )
    },
)
def examine_kernel(answer, rng) -> None:
    """The kernel that sets the field."""
    for case in ((71, 8, 87), (71, 8, 127), (75, 8, 99), (71, 8, 71)):
        named = f"from {case[0]} to {case[2]} pixels at stride {case[1]}: kernel and cells"
        answer.compare(case, "kernel and cells", (2,), named=named)


def touched_by_padding(size: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
    """How many of a layer's output cells have seen padding: at the beginning and at the end of a
    row.

    Args:
        size: of the row that the layer reads.
        kernel, stride, padding: of the layer.
    """
    # first pixel each cell reads
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return int((first < 0).sum()), int((first + kernel > size).sum())


LAYER = "{0} pixels, kernel {1}, stride {2}, padding {3}"


@check(
    "siamdw.touched",
    reference=touched_by_padding,
    mistakes={
        LAYER + ": cells are {2} pixels apart, so fewer of them reach over the edge than it has "
        "pixels": (0, lambda right, size, kernel, stride, padding: (padding, padding)),
        LAYER + ": the two sides differ; the last cell may end before the last pixel": (
            lambda right, *layer: (right(*layer)[0],) * 2
        ),
    },
    others={
        "cells with padding at the beginning and at the end": lambda right, *layer: (
            right(*layer)[0],
            layer[1] // 2,
        )
    },
)
def examine_touched(answer, rng) -> None:
    """Cells that have seen padding."""
    for layer in ((127, 7, 2, 3), (28, 3, 1, 1), (30, 5, 1, 2), (28, 3, 2, 1), (20, 3, 1, 0)):
        named = f"{LAYER.format(*layer)}: cells with padding at the beginning and at the end"
        answer.compare(layer, "the two counts", (2,), named=named)
