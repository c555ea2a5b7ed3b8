"""Checks of lesson 10: overlap of neighbouring fields."""

from __future__ import annotations

from course_lib.exercises.cases import compare_cases, reads
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
        "the neighbour is one stride away, not two": (
            lambda right, field, stride: 1 - 2 * stride / field
        ),
        "// rounds down: field and stride are whole numbers, the overlap is not": [
            lambda right, field, stride: 1 - stride // field,
            lambda right, field, stride: (field - stride) // field,
        ],
        "you divide by what both cells see together; divide by the field of one": (
            lambda right, field, stride: (field - stride) / (field + stride)
        ),
        "divide by the field of one cell": [
            lambda right, field, stride: field / (field + stride),
            lambda right, field, stride: (field - stride) / (2 * field),
        ],
        "measure along one axis, not over the area": (
            lambda right, field, stride: (1 - stride / field) ** 2
        ),
        "the stride is compared with the field: stride / field, not field / stride": [
            lambda right, field, stride: 1 - field / stride,
            lambda right, field, stride: field / stride,
        ],
        "the field, not the stride, is what is shared in part: divide by the field": (
            lambda right, field, stride: (field - stride) / stride
        ),
        "an overlap may be small; yours has a lower limit": [
            lambda right, field, stride: max(0.5, 1 - stride / field),
            lambda right, field, stride: max(0.1, 1 - stride / field),
        ],
        "field and stride are arguments; one of yours is fixed": [
            lambda right, field, stride: 1 - 8 / field,
            lambda right, field, stride: 1 - stride / 87,
            lambda right, field, stride: (field - stride) / 127,
        ],
        "your overlap is rounded": lambda right, field, stride: round(1 - stride / field, 2),
        "give it as a fraction of 1, not in per cent": (
            lambda right, field, stride: 100 * (1 - stride / field)
        ),
        "pixels are continuous here: two fields share field − stride, no pixel more or less": [
            lambda right, field, stride: (field - stride + 1) / field,
            lambda right, field, stride: (field - stride - 1) / field,
            lambda right, field, stride: (field - stride) / (field - 1),
        ],
    },
)
def examine_overlap(answer, rng) -> None:
    """Overlap of neighbours."""
    cases = (87, 8), (63, 4), (103, 16), (7, 2), (10, 9), (16, 16), (5, 3)
    read, about = reads("the overlap"), lambda field, stride: f"a field of {field}, stride {stride}"
    compare_cases(answer, cases, ("the overlap",), read, about)
