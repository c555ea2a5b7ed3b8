"""Checks of lesson 10: the kernel that sets the field, cells touched by padding."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check


def last_kernel(field: int, stride: int, wanted: int) -> tuple[int, int]:
    """The kernel of one more layer that sets the field, and the cells that 127 pixels then make.

    Args:
        field: before that layer, pixels.
        stride: before that layer, pixels.
        wanted: field after it, pixels.
    """
    return (wanted - field) // stride + 1, (127 - wanted) // stride + 1


def _kernel(value):
    """A mistake: the kernel is value(field, stride, wanted)."""
    return 0, lambda right, *case: (value(*case), right(*case)[1])


def _cells(value):
    """A mistake: the cells are value(field, stride, wanted)."""
    return 1, lambda right, *case: (right(*case)[0], value(*case))


@check(
    "siamdw.kernel",
    reference=last_kernel,
    mistakes={
        "kernel and cells have changed places: the kernel comes first": (
            lambda right, *case: right(*case)[::-1]
        ),
        "{about}: a kernel of 1 adds nothing, so k adds (k − 1) · stride pixels": [
            _kernel(lambda field, stride, wanted: (wanted - field) // stride),
            _kernel(lambda field, stride, wanted: (wanted - field) // stride + 2),
        ],
        "{about}: taps are {stride} pixels apart, not 1": _kernel(
            lambda field, stride, wanted: wanted - field + 1
        ),
        "{about}: the last layer need not supply the whole field, only what is missing": _kernel(
            lambda field, stride, wanted: (wanted - 1) // stride + 1
        ),
        "a stride of 8 is one example; here it is {stride}": [
            _kernel(lambda field, stride, wanted: (wanted - field) // 8 + 1),
            _cells(lambda field, stride, wanted: (127 - wanted) // 8 + 1),
        ],
        "the first cell needs the whole field; each further one needs a stride more: you are one "
        "cell short": _cells(lambda field, stride, wanted: (127 - wanted) // stride),
        "the last layer has changed the field: cells are counted with {goal} pixels, not "
        "{field}": _cells(lambda field, stride, wanted: (127 - field) // stride + 1),
        "{about}: cells are {stride} pixels apart": _cells(
            lambda field, stride, wanted: 127 - wanted + 1
        ),
        "the first cell of 127 pixels needs a whole field of {goal}": [
            _cells(lambda field, stride, wanted: 127 // stride),
            _cells(lambda field, stride, wanted: 127 // stride + 1),
            _cells(lambda field, stride, wanted: 126 // stride + 1),
            _cells(
                lambda field, stride, wanted: (127 - (wanted - field) // stride - 1) // stride + 1
            ),
        ],
        "a cell whose field is not whole does not count: round down": [
            _cells(lambda field, stride, wanted: -(-(127 - wanted) // stride) + 1),
            _cells(lambda field, stride, wanted: round((127 - wanted) / stride) + 1),
            _cells(lambda field, stride, wanted: (127 - wanted) / stride + 1),
        ],
        "that is the number of all cells; count them along one side": _cells(
            lambda field, stride, wanted: ((127 - wanted) // stride + 1) ** 2
        ),
        "an exemplar has 127 pixels, the search image 255": _cells(
            lambda field, stride, wanted: (255 - wanted) // stride + 1
        ),
        "an exemplar has 127 pixels, no more and no fewer": [
            _cells(lambda field, stride, wanted: (128 - wanted) // stride + 1),
            _cells(lambda field, stride, wanted: (126 - wanted) // stride + 1),
        ],
        "subtract before you divide: two divisions round twice": _cells(
            lambda field, stride, wanted: 127 // stride - wanted // stride + 1
        ),
        "a kernel may be even, and as small as 1": [
            _kernel(lambda field, stride, wanted: (wanted - field) // stride // 2 * 2 + 1),
            _kernel(lambda field, stride, wanted: ((wanted - field) // stride + 1) // 2 * 2 + 1),
            _kernel(lambda field, stride, wanted: max(2, (wanted - field) // stride + 1)),
            _kernel(lambda field, stride, wanted: max(3, (wanted - field) // stride + 1)),
        ],
    },
)
def examine_kernel(answer, rng) -> None:
    """The kernel that sets the field."""
    cases = (71, 8, 87), (71, 8, 127), (75, 8, 99), (71, 8, 71), (63, 4, 79), (55, 16, 103)
    cases += (56, 8, 72), (62, 3, 74)
    names = "the kernel", "the number of cells"
    compare_cases(
        answer,
        cases,
        names,
        reads(*names),
        lambda field, stride, wanted: f"from {field} to {wanted} pixels at stride {stride}",
        field=lambda field, stride, wanted: field,
        stride=lambda field, stride, wanted: stride,
        goal=lambda field, stride, wanted: wanted,
    )


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


LAYER = "{} pixels, kernel {}, stride {}, padding {}"


def _counted(begin=0, wide=0):
    """A mistake: padding ends before pixel `begin`, or every cell reads `wide` pixels more."""

    def counts(right, size, kernel, stride, padding):
        first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
        return int((first < begin).sum()), int((first + kernel + wide > size).sum())

    return counts


def _either(size, kernel, stride, padding) -> int:
    """How many cells reach over one end or over both."""
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return int(((first < 0) | (first + kernel > size)).sum())


def _fewer(sides: int, less: int = 0):
    """A mistake: the cells are counted on a row that is padded on fewer sides, or one too few."""

    def counts(right, size, kernel, stride, padding):
        cells = (size + sides * padding - kernel) // stride + 1 - less
        first = np.arange(cells) * stride - padding
        return int((first < 0).sum()), int((first + kernel > size).sum())

    return counts


def _centres(right, size, kernel, stride, padding):
    """A mistake: only the centre of a cell's pixels is looked at."""
    cells = (size + 2 * padding - kernel) // stride + 1
    centre = np.arange(cells) * stride - padding + kernel // 2
    return int((centre < 0).sum()), int((centre >= size).sum())


def _outside(right, size, kernel, stride, padding):
    """A mistake: only cells that see nothing but padding count."""
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return int((first + kernel <= 0).sum()), int((first >= size).sum())


def _any_padding(right, size, kernel, stride, padding):
    """A mistake: padding at either end counts for a cell's first pixel, and for its last."""
    first = np.arange((size + 2 * padding - kernel) // stride + 1) * stride - padding
    return tuple(int(((p < 0) | (p >= size)).sum()) for p in (first, first + kernel - 1))


def _both(count):
    """A mistake: both counts are count(kernel, stride, padding)."""
    return lambda right, size, *layer: (count(*layer),) * 2


# size, kernel, stride, padding
LAYERS = (
    *((127, 7, 2, 3), (28, 3, 1, 1), (30, 5, 1, 2), (28, 3, 2, 1), (20, 3, 1, 0), (31, 4, 3, 2)),
    *((24, 11, 4, 5), (17, 2, 2, 1), (26, 5, 3, 4), (12, 6, 1, 4), (6, 5, 1, 2)),
    # cells that reach over both ends, and cells that see nothing but padding
    *((5, 7, 1, 3), (3, 7, 1, 2), (10, 2, 1, 3), (9, 2, 3, 4)),
)


@check(
    "siamdw.touched",
    reference=touched_by_padding,
    mistakes={
        "{about}: a cell that reaches over both ends counts at both": [
            lambda right, *layer: (right(*layer)[0], _either(*layer) - right(*layer)[0]),
            lambda right, *layer: (_either(*layer) - right(*layer)[1], right(*layer)[1]),
        ],
        "{about}: the cells of the output lie on the padded row, size + 2 · padding long; yours "
        "are too few": [_fewer(0), _fewer(1)],
        "{about}: the last window that fits is a cell as well": _fewer(2, less=1),
        "{about}: beginning and end have changed places": lambda right, *layer: right(*layer)[::-1],
        "{about}: cells are {stride} pixels apart, so fewer of them reach over the edge than it "
        "has pixels": [
            _both(lambda kernel, stride, padding: padding),
            _both(lambda kernel, stride, padding: kernel // 2),
            lambda right, size, kernel, stride, padding: right(size, kernel, 1, padding),
        ],
        "{about}: the two sides differ; the last cell may end before the last pixel": [
            lambda right, *layer: (right(*layer)[0],) * 2,
            lambda right, *layer: (right(*layer)[1],) * 2,
            _both(lambda kernel, stride, padding: -(-padding // stride)),
            _both(lambda kernel, stride, padding: -(-(kernel // 2) // stride)),
        ],
        "{about}: with the first pixel of the image as 0, the padding at the end begins at "
        "{size}": (lambda right, *layer: (right(*layer)[0], 0)),
        "{about}: round up: a cell that reaches over the edge by part of a stride has seen padding "
        "too": [
            _both(lambda kernel, stride, padding: padding // stride),
            (0, _both(lambda kernel, stride, padding: padding // stride)),
            _both(lambda kernel, stride, padding: kernel // 2 // stride),
        ],
        "{about}: a cell that begins at pixel 0 has seen no padding: its first pixel must lie "
        "*below* 0": (0, _counted(begin=1)),
        "{about}: a cell that ends with the last pixel has seen no padding": (1, _counted(wide=1)),
        "{about}: pixels count from 0, so the one with number {size} is padding": (
            1,
            _counted(wide=-1),
        ),
        "{about}: a cell has seen padding if *any* of its pixels is outside, not only if its "
        "centre is": _centres,
        "{about}: a cell has seen padding if *any* of its pixels is outside, not only if all are": [
            (0, _outside),
            (1, _outside),
        ],
        "{about}: a cell that sees nothing but the padding of one end counts at that end only": [
            (0, _any_padding),
            (1, _any_padding),
        ],
        "{about}: those are the pixels of padding on both sides, not cells": _both(
            lambda kernel, stride, padding: 2 * padding
        ),
    },
    others={
        "cells with padding at the end is": [
            lambda right, *layer: (right(*layer)[0], layer[1] // 2),
        ]
    },
)
def examine_touched(answer, rng) -> None:
    """Cells that have seen padding."""
    names = "cells with padding at the beginning", "cells with padding at the end"
    compare_cases(
        answer,
        LAYERS,
        ("the number of " + names[0], "the number of " + names[1]),
        reads(*names),
        LAYER.format,
        size=lambda size, *layer: size,
        stride=lambda size, kernel, stride, padding: stride,
    )
