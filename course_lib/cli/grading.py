"""`python -m course_lib grading …`: what a class needs beyond nbgrader's own commands."""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat

from course_lib.cli.start import find_lesson
from course_lib.grading.submission import Problem, find_release, mend, read_notebook
from course_lib.grading.term import collect, new_term
from course_lib.places import NOTEBOOKS, SOLUTIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    steps = parser.add_subparsers(dest="step", required=True)
    new = steps.add_parser("new", help="make a term's folder for nbgrader")
    new.add_argument("folder", type=Path)
    new.add_argument("lessons", nargs="+", help='numbers or parts of names: "02", "mosse"')
    new.add_argument(
        "--timeout",
        type=int,
        default=120,
        help="seconds a cell may take when it is graded (default 120)",
    )
    check = steps.add_parser(
        "check", help="look a submission over before it is handed in or graded"
    )
    check.add_argument("notebook", type=Path)
    check.add_argument("--mended", type=Path, help="write it here as it can be graded")
    bring = steps.add_parser("collect", help="bring submissions into a term's folder, mended")
    bring.add_argument("folder", type=Path)
    bring.add_argument("arrived", type=Path, help="a zip file, a folder, or one notebook")
    bring.add_argument(
        "--student",
        default=r"(?P<student>[^/_]+)",
        help="pattern that finds the student's name in a notebook's path",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do the step; 1 if something is left that only the student can mend."""
    return {"new": _new, "check": _check, "collect": _collect}[arguments.step](arguments)


def _new(arguments: argparse.Namespace) -> int:
    stems = [find_lesson(name, SOLUTIONS).stem for name in arguments.lessons]
    for path in new_term(arguments.folder, stems, arguments.timeout):
        print(f"wrote {path}")
    print(f"next: cd {arguments.folder} && nbgrader generate_assignment {stems[0]}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    notebook = read_notebook(arguments.notebook)
    released = {p.stem: read_notebook(p) for p in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    stem = find_release(notebook, released)
    whole, problems = mend(notebook, released[stem], stem, arguments.notebook.name)
    print(f"{arguments.notebook.name}: lesson {stem}")
    if arguments.mended:
        arguments.mended.write_text(nbformat.writes(whole), encoding="utf-8")
        print(f"  mended copy: {arguments.mended}")
    return _say(problems)


def _collect(arguments: argparse.Namespace) -> int:
    worst = 0
    for one in collect(arguments.folder, arguments.arrived, arguments.student):
        print(f"{one.student}: {one.source}" + (f" → {one.lesson}" if one.lesson else ""))
        worst = max(worst, _say(one.problems))
    return worst


def _say(problems: list[Problem]) -> int:
    for problem in problems:
        print(f"  {'mended' if problem.mended else 'LEFT  '}  {problem.what}: {problem.remedy}")
    if not problems:
        print("  nothing is wrong with it")
    return int(any(not problem.mended for problem in problems))
