"""`python -m course_lib start 02`: copy a lesson into my_work/, where updates never touch it.

`--update` brings such a copy to the lesson's newest version, answers included.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import nbformat

from course_lib.errors import CourseError, MissingDataError
from course_lib.files import write_whole
from course_lib.grading.carry import carry_over
from course_lib.grading.reading import read_notebook
from course_lib.places import PROJECT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("lesson", help='number or part of the name: "02" or "mosse"')
    parser.add_argument(
        "--update",
        action="store_true",
        help="bring your copy to the newest version, with your answers",
    )
    parser.add_argument(
        "--again", action="store_true", help="make one more fresh copy beside the one that is there"
    )


def run(arguments: argparse.Namespace) -> int:
    """Copy, and say how to open the copy."""
    source = find_lesson(arguments.lesson, PROJECT / "notebooks")
    if arguments.update:
        return update(source, PROJECT / "my_work" / source.name)
    target = free_name(PROJECT / "my_work" / source.name, arguments.again)
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    print(f"copied to {target.relative_to(PROJECT)}: it is yours, and no update changes it")
    print(f"open it with: make lab LESSON={target.relative_to(PROJECT).as_posix()}")
    return 0


def update(source: Path, mine: Path) -> int:
    """Bring a student's copy to the newest version; the copy as it was stays beside it."""
    notebook, report = carry_over(read_notebook(mine), read_notebook(source))
    before = free_name(mine.with_stem(f"{mine.stem}_before"), again=True)
    shutil.copyfile(mine, before)
    write_whole(mine, nbformat.writes(notebook))
    print(f"{mine.name} is the newest version now; as it was: {before.name}")
    print(
        f"  answers carried over: {', '.join(report.kept) or 'none'}; cells of your own: {report.own}"
    )
    for name in report.changed:
        print(
            f"  {name} is asked for otherwise now: your old answer stands below its cell, as comments"
        )
    for name in report.gone:
        print(
            f"  {name} is not part of the lesson any more: your answer stands at the end, as comments"
        )
    return 0


def find_lesson(name: str, folder: Path) -> Path:
    """The one notebook that `name` means; raises MissingDataError or CourseError naming those there are."""
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
            f"{name!r} fits several lessons: {', '.join(p.stem for p in found)}; give the number"
        )
    return found[0]


def free_name(target: Path, again: bool) -> Path:
    """`target`, or with `again` the first free `name_2.ipynb`, …; raises CourseError rather than overwrite."""
    if not target.exists():
        return target
    if not again:
        raise CourseError(
            f"{target.name} is in {target.parent.name}/ already, with your work in it; --again makes a fresh copy beside it"
        )
    numbers = (target.with_stem(f"{target.stem}_{n}") for n in range(2, 1000))
    return next(path for path in numbers if not path.exists())
