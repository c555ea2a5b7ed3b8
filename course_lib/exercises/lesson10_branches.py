"""Checks of lesson 10: branches that meet."""

from __future__ import annotations

from dataclasses import replace

from course_lib.errors import DataError
from course_lib.exercises.cases import compare_cases
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


def _ends_only(right, name, rows):
    """A mistake: only the first and the last branch are compared before all are joined."""
    if (rows[0].size, rows[0].stride) != (rows[-1].size, rows[-1].stride):
        raise DataError("they do not fit")
    return right(name, [replace(row, size=rows[0].size, stride=rows[0].stride) for row in rows])


def _strict(right, name, rows, what):
    """A mistake: branches that differ in what(row) are not joined."""
    if len({what(row) for row in rows}) != 1:
        raise DataError("they do not fit")
    return right(name, rows)


def _two(one, other):
    """Two branches, no more."""
    return one, other


def _sorted(rows):
    """The caller's list, in another order."""
    rows.sort(key=lambda row: row.start)
    return rows


def _value_error(right, name, rows):
    """A mistake: another error than DataError."""
    try:
        return right(name, rows)
    except DataError:
        raise ValueError("they do not fit") from None


def _starts(rows) -> list[float]:
    return [row.start - row.field / 2 for row in rows]


def _ends(rows) -> list[float]:
    return [row.start + row.field / 2 for row in rows]


def _wide(rows, half: float, less: int) -> int:
    """The union's field, if a field reached `half` of its size, less some, to either side."""
    reach = [half * (row.field - less) for row in rows]
    ends = [(r.start - d, r.start + d) for r, d in zip(rows, reach, strict=True)]
    return round(max(high for _, high in ends) - min(low for low, _ in ends))


def _from_edges(rows) -> int:
    """The union's field, if each began at its `start`."""
    return round(max(row.start + row.field for row in rows) - min(row.start for row in rows))


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
        "the cell sees what *any* branch sees; yours sees only what all of them see": (
            1,
            lambda right, name, rows: replace(
                right(name, rows), field=max(0, round(min(_ends(rows)) - max(_starts(rows))))
            ),
        ),
        "{about}: your field is that of the last branch": _of_fields(lambda fields: [*fields][-1]),
        "{about}: a field reaches half its size to either side of its centre": [
            (1, lambda right, name, rows: replace(right(name, rows), field=_wide(rows, 1.0, 0))),
            (1, lambda right, name, rows: replace(right(name, rows), field=_wide(rows, 0.0, 0))),
            (1, lambda right, name, rows: replace(right(name, rows), field=_wide(rows, 0.5, 1))),
        ],
        "{about}: the centre of the union may end in ½: nothing is rounded there": [
            (3, lambda right, *case: replace(right(*case), start=round(right(*case).start))),
            (3, lambda right, *case: replace(right(*case), start=right(*case).start // 1)),
        ],
        "{about}: your start is that of the widest branch; it is the centre of the union": (
            3,
            lambda right, name, rows: replace(
                right(name, rows), start=max(rows, key=lambda row: row.field).start
            ),
        ),
        "{about}: together they see more than the largest field alone": (_of_fields(max)),
        "{about}: your field is that of the first branch": (
            _of_fields(lambda fields: next(iter(fields)))
        ),
        "{about}: `start` is the centre of the first cell's field, not its edge": (
            1,
            lambda right, name, rows: replace(right(name, rows), field=_from_edges(rows)),
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
        "so the branches can be joined": [
            lambda right, name, rows: _strict(right, name, rows, lambda row: row.field),
            lambda right, name, rows: _strict(right, name, rows, lambda row: row.start),
        ],
        "two branches or more": lambda right, name, rows: right(name, [*_two(*rows)]),
        "your function changes": lambda right, name, rows: right(name, _sorted(rows)),
        "raise DataError": [
            _alike_only(lambda row: row.size * row.stride),
            _alike_only(lambda row: row.size + row.stride),
            _ends_only,
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
    try:
        answer("sum", list(every[0]))
    except DataError:
        raise Wrong(
            f"branches that see pixels {_spans(every[0])}: their maps have 28 cells with stride 4, "
            "so the branches can be joined; that fields and starts differ does not matter"
        ) from None
    except (TypeError, ValueError) as problem:
        answer("sum", list(every[1]))  # where this stops as well, their number is not the cause
        raise Wrong(
            f"there may be two branches or more; for three your function stops with "
            f"{type(problem).__name__}: {problem}"
        ) from None
    names = ("sum", "concat", "sum", "fork", "sum", "merge")
    compare_cases(
        answer,
        list(zip(names, every, strict=True)),
        NUMBERS,
        lambda given, case: read_field(given, case[0]),
        lambda name, rows: f"branches that see pixels {_spans(rows)}",
    )
    _require_error(answer, [long, short, replace(long, size=26)])
    _require_error(answer, [long, short, replace(long, stride=8)])
    _require_error(answer, [long, replace(short, size=26), short])
    _require_error(answer, [long, replace(short, size=14, stride=8)])
    _require_error(answer, [long, replace(short, size=24, stride=8)])


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
