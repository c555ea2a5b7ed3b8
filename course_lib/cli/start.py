"""`python -m course_lib start 02`: copy a lesson into my_work/, where updates never touch it.

`--update` brings such a copy to the lesson's newest version, answers included.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
from pathlib import Path

import nbformat

from course_lib.errors import CourseError, DataError, MissingDataError
from course_lib.files import whole_file, write_whole
from course_lib.grading.carry import Carried, carry_over
from course_lib.grading.reading import read_notebook
from course_lib.places import NOTEBOOKS, PROJECT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("lesson", help='number or part of the name: "02" or "mosse"')
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--update",
        action="store_true",
        help="bring your copy to the newest version, with your answers",
    )
    choice.add_argument(
        "--again", action="store_true", help="make another fresh copy beside the existing one"
    )


def run(arguments: argparse.Namespace) -> int:
    """Copy the lesson, and say how to open the copy."""
    source = find_lesson(arguments.lesson, NOTEBOOKS)
    mine = PROJECT / "my_work" / source.name
    if mine.parent.exists() and not mine.parent.is_dir():
        raise CourseError(
            f"{mine.parent} is a file; your copies go into a folder of that name: move it"
        )
    if arguments.update:
        return update(source, mine)
    target = free_name(mine, arguments.again)
    _copy(source, target)
    print(f"copied to {target.relative_to(PROJECT)}: it is yours, and no update changes it")
    print(f"open it with: tracking-course lab {target.relative_to(PROJECT).as_posix()}")
    return 0


def update(source: Path, mine: Path) -> int:
    """Update a student's copy to the newest version; the old copy stays beside it."""
    number = source.stem.split("_")[0]
    if not os.path.lexists(mine):
        raise MissingDataError(
            f"{mine} does not exist, so there is nothing to update; `python -m course_lib start "
            f"{number}` makes it"
        )
    try:
        written = read_notebook(mine)
    except MissingDataError:
        raise MissingDataError(f"{mine} is a broken link; remove it") from None
    except DataError as problem:
        raise DataError(
            f"{mine} was not updated and is unchanged: {problem}. `python -m course_lib start "
            f"{number} --again` makes a fresh "
            "copy beside it"
        ) from None
    notebook, report = carry_over(written, read_notebook(source))
    text = nbformat.writes(notebook)
    before = free_name(mine.with_stem(f"{mine.stem}_before"), again=True)
    _copy(mine, before)
    try:
        write_whole(mine.resolve(), text)
    except OSError:
        before.unlink(missing_ok=True)  # nothing was changed, so no backup is needed
        raise
    print(f"{mine.name} is now the newest version; the old one: {before.name}")
    for line in told(report):
        print(f"  {line}")
    return 0


def told(report: Carried) -> list[str]:
    """What happened to the student's work, in sentences."""
    kept = ", ".join(report.kept) or "none"
    return [
        f"answers carried over: {kept}; cells of your own: {report.own}",
        *(
            f"{name} has changed: your old answer is below its cell, as comments"
            for name in report.changed
        ),
        *(
            f"{name} is no longer part of the lesson: your answer is still in it, as "
            "comments (search for "
            f"{name})"
            for name in report.gone
        ),
        *report.notes,
    ]


def _copy(source: Path, target: Path) -> None:
    """Copy the whole file or nothing; a partial copy leaves no trace."""
    with whole_file(target) as part:
        shutil.copyfile(source, part)


def find_lesson(name: str, folder: Path) -> Path:
    """The one notebook that `name` means; raises MissingDataError or CourseError naming those
    that exist."""
    lessons = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    listing = ", ".join(path.stem for path in lessons)
    wanted = name.zfill(2) if name.isdecimal() else name.lower()
    found = [
        p
        for p in lessons
        if (p.stem[:2] == wanted if wanted.isdecimal() else wanted in p.stem.lower())
    ]
    if not found:
        raise MissingDataError(
            f"there is no lesson {name!r}; there are {listing or 'none: run `make notebooks`'}"
        )
    if len(found) > 1:
        raise CourseError(
            f"{name!r} matches several lessons: {', '.join(p.stem for p in found)}; give the number"
        )
    return found[0]


def free_name(target: Path, again: bool) -> Path:
    """`target`, or with `again` the first free `name_2.ipynb`, …; raises CourseError rather than
    overwrite."""
    if not os.path.lexists(target):  # a broken link is somebody's, too
        return target
    if not again:
        raise CourseError(
            f"{target.name} is in {target.parent.name}/ already, with your work in it; --again "
            "makes a fresh copy beside it"
        )
    numbers = (target.with_stem(f"{target.stem}_{n}") for n in itertools.count(2))
    return next(path for path in numbers if not os.path.lexists(path))
