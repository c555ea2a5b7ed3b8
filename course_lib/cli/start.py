"""`python -m course_lib start 02`: copy a lesson into my_work/, where updates never touch it."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from course_lib.errors import CourseError, MissingDataError
from course_lib.places import PROJECT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("lesson", help='number or part of the name: "02" or "mosse"')
    parser.add_argument("--again", action="store_true", help="make one more fresh copy beside the one that is there")


def run(arguments: argparse.Namespace) -> int:
    """Copy, and say how to open the copy."""
    source = find_lesson(arguments.lesson, PROJECT / "notebooks")
    target = free_name(PROJECT / "my_work" / source.name, arguments.again)
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    print(f"copied to {target.relative_to(PROJECT)}: it is yours, and no update changes it")
    print(f"open it with: make lab LESSON={target.relative_to(PROJECT).as_posix()}")
    return 0


def find_lesson(name: str, folder: Path) -> Path:
    """The one notebook that `name` means; raises MissingDataError or CourseError naming those there are."""
    lessons = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    listing = ", ".join(path.stem for path in lessons)
    wanted = name.zfill(2) if name.isdecimal() else name.lower()
    found = [p for p in lessons if (p.stem[:2] == wanted if wanted.isdecimal() else wanted in p.stem.lower())]
    if not found:
        raise MissingDataError(f"there is no lesson {name!r}; there are {listing or 'none: run `make notebooks`'}")
    if len(found) > 1:
        raise CourseError(f"{name!r} fits several lessons: {', '.join(p.stem for p in found)}; give the number")
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
