"""`python -m course_lib grading …`: commands a class needs beyond nbgrader's own."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import nbformat
from tqdm.auto import tqdm

from course_lib.cli.start import find_lesson
from course_lib.errors import CourseError, DataError, MissingDataError
from course_lib.files import digest, write_whole
from course_lib.grading.arrived import shown
from course_lib.grading.reading import (
    LARGEST,
    Problem,
    read_notebook,
    read_submission,
    too_large,
)
from course_lib.grading.students import DEFAULT, plain_student
from course_lib.grading.submission import find_release, fix
from course_lib.grading.term import TIMEOUT, collect, differing, new_term
from course_lib.places import NOTEBOOKS, SOLUTIONS
from course_lib.training.budget import seconds_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    steps = parser.add_subparsers(dest="step", required=True)
    new = steps.add_parser("new", help="make a term's folder for nbgrader")
    new.add_argument("folder", type=Path)
    new.add_argument("lessons", nargs="+", help='numbers or parts of names: "02", "mosse"')
    new.add_argument(
        "--timeout",
        type=int,
        help=f"seconds a cell may take in grading (default {TIMEOUT})",
    )
    new.add_argument(
        "--update",
        action="store_true",
        help="write the course's newest sources beside those that differ, in source_new/",
    )
    check = steps.add_parser("check", help="check a submission before it is handed in or graded")
    check.add_argument("notebook", type=Path)
    check.add_argument("--fixed", type=Path, help="write a gradable copy here")
    bring = steps.add_parser("collect", help="fix submissions and bring them into a term's folder")
    bring.add_argument("folder", type=Path)
    bring.add_argument("arrived", type=Path, help="a zip file, a folder, or one notebook")
    bring.add_argument(
        "--student",
        default=DEFAULT,
        help="pattern that finds the student's name, group (?P<student>…), in a notebook's path",
    )
    grade = steps.add_parser("autograde", help="grade a lesson's submissions side by side")
    grade.add_argument("folder", type=Path)
    grade.add_argument("lesson", help='number or part of its name: "02", "mosse"')
    grade.add_argument(
        "--jobs", type=int, default=1, help="submissions at a time (default 1), one core for each"
    )
    grade.add_argument(
        "--limit",
        default="30m",
        metavar="TIME",
        help="time that one submission may take: 90s, 30m (default), 2h",
    )
    grade.add_argument(
        "--isolation",
        choices=("bubblewrap", "none"),
        help="sandbox for the students' code (default: as in nbgrader_config.py, or bubblewrap "
        "where it works)",
    )
    grade.add_argument("--force", action="store_true", help="grade again what has been graded")


def run(arguments: argparse.Namespace) -> int:
    """Do the step; returns 1 if something is left for the student or the instructor to fix."""
    steps = {"new": _new, "check": _check, "collect": _collect, "autograde": _autograde}
    return steps[arguments.step](arguments)


def _new(arguments: argparse.Namespace) -> int:
    folder = arguments.folder
    stems = [find_lesson(name, SOLUTIONS).stem for name in arguments.lessons]
    there = (folder / "nbgrader_config.py").exists()
    written = new_term(folder, stems, arguments.timeout, arguments.update)
    for path in written:
        print(f"wrote {path}")
    if there and arguments.timeout is not None:
        print("kept nbgrader_config.py, whose seed is in use: change c.Execute.timeout in it")
    for path in differing(folder, stems):
        print(
            f"kept {path}: it differs from the course's (edited, or another version); "
            + (
                "the course's is in source_new/"
                if arguments.update
                else "--update writes the course's beside it, in source_new/"
            )
        )
    print(f"next: cd {folder} && nbgrader generate_assignment {stems[0]}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    if arguments.fixed:
        _require_free(arguments.fixed, arguments.notebook)
    name = arguments.notebook.name
    if not arguments.notebook.exists():
        raise MissingDataError(f"{arguments.notebook} does not exist; give a notebook (.ipynb)")
    notebook, faults = read_submission(_content(arguments.notebook), name)
    released = {p.stem: read_notebook(p) for p in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    stem = find_release(notebook, released)
    whole, problems = fix(notebook, released[stem], stem, name)
    print(f"{name}: lesson {stem}")
    if arguments.fixed:
        whole.metadata["course_fixed"] = _fingerprint(whole)
        write_whole(arguments.fixed, nbformat.writes(whole))
        print(f"  fixed copy: {arguments.fixed}")
    return _say(faults + problems)


def _content(path: Path) -> bytes:
    """A notebook's bytes; raises DataError without reading a file too large for a notebook."""
    size = path.stat().st_size
    if size > LARGEST:
        raise DataError(too_large(path.name, size))
    return path.read_bytes()


def _require_free(fixed: Path, given: Path) -> None:
    """Raise CourseError if the fixed copy must not be written there."""
    if fixed.suffix.lower() != ".ipynb":
        raise CourseError(f"--fixed {fixed} is not a notebook's name; give one that ends in .ipynb")
    if fixed.exists() and given.exists() and fixed.samefile(given):
        raise CourseError(f"--fixed {fixed} is the submission itself; give another name")
    if not fixed.exists():
        return
    try:
        there = read_notebook(fixed)
        made_here = there.metadata.get("course_fixed") == _fingerprint(there)
    except (CourseError, OSError):
        made_here = False
    if not made_here:
        raise CourseError(
            f"--fixed {fixed} exists already and has changed since this command made it; give "
            "another name, or delete it first"
        )


def _fingerprint(notebook: nbformat.NotebookNode) -> str:
    """A fingerprint that changes if someone edits a fixed copy."""
    return digest(*(f"{cell.cell_type}\n{cell.source}" for cell in notebook.cells))


def _collect(arguments: argparse.Namespace) -> int:
    worst, brought = 0, 0
    collected = collect(arguments.folder, arguments.arrived, arguments.student)
    for one in collected:
        brought += one.lesson is not None
        goes = f" → {one.lesson}" if one.lesson else ""
        print(f"{shown(one.student) or 'nobody'}: {shown(one.source)}{goes}")
        worst = max(worst, _say(one.problems))
    left = sum(any(not p.fixed for p in one.problems) for one in collected)
    print(f"{brought} of {len(collected)} brought in; {left} still need attention")
    return worst


def _autograde(arguments: argparse.Namespace) -> int:
    from course_lib.grading.autograde import Autograding, Graded

    limit = seconds_of(arguments.limit, unit="s", what="--limit")
    work = Autograding(
        arguments.folder, arguments.lesson, limit, arguments.force, arguments.isolation
    )
    left: list[Graded] = []
    began = time.monotonic()
    with tqdm(total=len(work.todo), unit="student", desc=work.lesson) as bar:

        def ended(one: Graded) -> None:
            bar.update()
            name = shown(plain_student(one.student))
            if one.problem:
                left.append(one)
                bar.write(f"{name}: NOT GRADED, {one.problem}")
            else:
                points = f"{one.points:g} of {one.possible:g} points"
                bar.write(f"{name}: {points}, {one.seconds:.0f} s")

        work.run(arguments.jobs, ended)
    done, kept = len(work.todo) - len(left), len(work.students) - len(work.todo)
    seconds = time.monotonic() - began
    print(f"{done} of {len(work.todo)} graded in {seconds / 60:.1f} min; ", end="")
    print(f"{kept} had been graded before (--force grades them again); {len(left)} were not graded")
    return int(bool(left))


def _say(problems: list[Problem]) -> int:
    for problem in problems:
        print(f"  {'fixed' if problem.fixed else 'LEFT '}  {shown(problem.what)}: {problem.remedy}")
    if not problems:
        print("  nothing is wrong with it")
    return int(any(not problem.fixed for problem in problems))
