"""Checks of lesson 10: branches that meet, overlap."""

from __future__ import annotations

from dataclasses import replace

from course_lib.errors import DataError
from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check
from course_lib.exercises.lesson10 import NUMBERS, read_field
from course_lib.exercises.words import Wrong
from course_lib.geometry import receptive
from course_lib.geometry.receptive import ReceptiveField


def _alike_only(what):
    """A mistake: only what(row) of the branches is compared before they are joined."""

    def join(right, name, rows):
        if len({what(row) for row in rows}) != 1:
            raise DataError("they do not fit")
        return right(name, [replace(row, size=rows[0].size, stride=rows[0].stride) for row in rows])

    return join


def _value_error(right, name, rows):
    """A mistake: another error than DataError."""
    try:
        return right(name, rows)
    except DataError:
        raise ValueError("they do not fit") from None


def _of_fields(choose):
    """A mistake: the field is chosen from those of the branches."""
    return NUMBERS.index("field"), lambda right, name, rows: replace(
        right(name, rows), field=choose(row.field for row in rows)
    )


def _of_starts(choose):
    """A mistake: the start is chosen from those of the branches."""
    return NUMBERS.index("start"), lambda right, name, rows: replace(
        right(name, rows), start=choose(row.start for row in rows)
    )


@check(
    "siamdw.branches",
    reference=receptive.joined,
    mistakes={
        "{about}: yours leaves one out": [
            lambda right, name, rows: right(name, rows[:2]),
            lambda right, name, rows: right(name, [rows[0], rows[-1]]),
        ],
        "the branches run in parallel, not one after the other: their fields are not added": (
            _of_fields(sum)
        ),
        "the cell sees what *any* branch sees; yours sees only what the smallest field holds": (
            _of_fields(min)
        ),
        "{about}: together they see more than the largest field alone": (_of_fields(max)),
        "{about}: your field is that of the first branch": (
            _of_fields(lambda fields: next(iter(fields)))
        ),
        "{about}: pixels are continuous here, so a field is highest minus "
        "lowest, without one more": (
            1,
            lambda right, name, rows: replace(right(name, rows), field=right(name, rows).field + 1),
        ),
        "{about}: your start is that of one branch; it is the centre of the union": [
            _of_starts(lambda starts: next(iter(starts))),
            _of_starts(min),
            _of_starts(max),
        ],
        "{about}: the centre of the union lies halfway between its ends; "
        "the mean of the centres does not": _of_starts(
            lambda starts: (lambda all_: sum(all_) / len(all_))(list(starts))
        ),
        "{about}: your start is the union's first pixel; expected its centre": (
            3,
            lambda right, name, rows: replace(
                right(name, rows), start=min(row.start - row.field / 2 for row in rows)
            ),
        ),
    },
    others={
        "raise DataError": [
            _alike_only(lambda row: 0),
            _alike_only(lambda row: row.size),
            _alike_only(lambda row: row.stride),
        ],
        "raise DataError, not ValueError": _value_error,
        "a field's `layer` is the name": lambda right, name, rows: replace(
            right(name, rows), layer=rows[0].layer
        ),
    },
)
def examine_branches(answer, rng) -> None:
    """Where branches meet."""
    long, short = ReceptiveField("long", 28, 17, 4, 10.5), ReceptiveField("short", 28, 9, 4, 10.5)
    within, aside = replace(short, start=12.5), ReceptiveField("aside", 28, 13, 4, 16.5)
    left, right = ReceptiveField("left", 28, 7, 4, 1.5), ReceptiveField("right", 28, 15, 4, 24.5)
    every = (
        [aside, long, short],
        [long, short],
        [short, long],
        [long, within],
        [aside, long],
        [long, right, left],
    )
    compare_cases(
        answer,
        [("sum", rows) for rows in every],
        NUMBERS,
        lambda given, case: read_field(given, "sum"),
        lambda name, rows: f"branches that see pixels {_spans(rows)}",
    )
    _require_error(answer, [long, short, replace(long, size=26)])
    _require_error(answer, [long, short, replace(long, stride=8)])


def _spans(rows: list[ReceptiveField]) -> str:
    """The pixels that the first cell of each branch sees."""
    return " and ".join(f"{r.start - r.field / 2:g} … {r.start + r.field / 2:g}" for r in rows)


def _require_error(answer, rows: list[ReceptiveField]) -> None:
    """Raise Wrong unless branches whose maps do not fit raise DataError."""
    maps = " and ".join(f"{row.size} cells with stride {row.stride}" for row in rows)
    try:
        answer("sum", rows)
    except DataError:
        return
    except Exception as problem:
        kind = type(problem).__name__
        raise Wrong(f"maps of {maps} cannot be added: raise DataError, not {kind}") from None
    raise Wrong(f"maps of {maps} cannot be added; raise DataError")


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
        "along one axis, not over the area": (
            lambda right, field, stride: (1 - stride / field) ** 2
        ),
        "the stride is compared with the field: stride / field, not field / stride": [
            lambda right, field, stride: 1 - field / stride,
            lambda right, field, stride: field / stride,
        ],
        "the field, not the stride, is what is shared in part: divide by the field": (
            lambda right, field, stride: (field - stride) / stride
        ),
        "as a fraction of 1, not in per cent": (
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
    cases = (87, 8), (63, 4), (103, 16), (7, 2)
    read, about = reads("the overlap"), lambda field, stride: f"a field of {field}, stride {stride}"
    compare_cases(answer, cases, ("the overlap",), read, about)
