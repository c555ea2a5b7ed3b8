"""A term's folder as nbgrader expects it, and submissions brought into it, however they arrive.

term/
  nbgrader_config.py    time limits, strict grading, the instructor's own seed
  source/02_mosse/      from solutions/; `nbgrader generate_assignment` makes release/ from it
  submitted/ada/02_mosse/02_mosse.ipynb      beside it collected.json: its origin
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

from course_lib.errors import CourseError, MissingDataError, SettingsError
from course_lib.files import read_text, write_whole
from course_lib.grading.arrived import Arrival, arrivals, shown
from course_lib.grading.reading import Problem, read_notebook, read_submission
from course_lib.grading.students import (
    DEFAULT,
    Collected,
    compiled,
    find_student,
    safe_name,
    standing,
    tell_apart,
)
from course_lib.grading.submission import find_release, fix
from course_lib.grading.submitted import Submitted, without_notebook
from course_lib.places import SHIPPED, SOLUTIONS

TIMEOUT = 120  # seconds a cell may take by default
CONFIG = '''\
"""A term of the course in visual object tracking. Made by `python -m course_lib grading new`; change it as you like."""

import os
import sys

from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, IgnorePattern, LimitOutput, SaveAutoGrades
from nbconvert.preprocessors import ClearMetadataPreprocessor

from course_lib.grading.execute import SurvivingExecute

# a wrong answer stops its points cell; the course's own stands in for later exercises that use it;
# experiments run in their smallest size
os.environ.update(COURSE_GRADING="1", COURSE_PROFILE="smoke", OMP_NUM_THREADS="1")
os.environ["COURSE_GRADING_SEED"] = "{seed}"  # of the hidden tests, known only to you

# nbgrader calls a program beside this Python, which is found only if its folder is on the path
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])

c = get_config()  # noqa: F821: nbgrader provides it
c.CourseDirectory.course_id = "tracking"
c.ClearSolutions.code_stub = {{"python": "# Write your answer here, in place of the next line.\\nraise NotImplementedError"}}
c.ClearSolutions.enforce_metadata = False  # helper cells may show a solved example
c.Execute.timeout = {timeout}  # seconds per cell
c.Execute.iopub_timeout = 30  # seconds that a cell's output may be late
c.Autograde.autograde_preprocessors = [
    SurvivingExecute, IgnorePattern, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, AssignLatePenalties,
    CheckCellMetadata,
]
'''


def new_term(
    folder: Path, lessons: list[str], timeout: int | None = None, update: bool = False
) -> list[Path]:
    """Make a term's folder with its configuration and the named lessons (stems) as sources; returns
    what was written.

    No existing file is replaced: a configuration's seed is in use, and a source may have been
    edited (`differing` names those that differ from the course's).

    Args:
        folder: the term's, outside the course's.
        lessons: stems.
        timeout: seconds a cell may take, TIMEOUT if None; for a new configuration only.
        update: write the course's sources beside those that differ, in source_new/, where nbgrader
            does not look.
    """
    _require_place(folder)
    if timeout is not None and timeout < 1:
        raise SettingsError(f"--timeout is {timeout}; expected a number of seconds, 1 or more")
    config, written = folder / "nbgrader_config.py", []
    if not config.exists():
        write_whole(
            config, CONFIG.format(seed=secrets.randbelow(10**9), timeout=timeout or TIMEOUT)
        )
        written.append(config)
    beside = differing(folder, lessons) if update else []
    for stem in dict.fromkeys(lessons):
        target = _source(folder, stem)
        if target in beside:
            target = folder / "source_new" / stem / target.name
        if target.exists() and target.parent.parent.name == "source":
            continue
        write_whole(target, _of_the_course(stem))
        written.append(target)
    return written


def differing(folder: Path, lessons: list[str]) -> list[Path]:
    """A term's sources of the named lessons that differ from the course's: edited, or of an older
    version."""
    return [
        _source(folder, stem)
        for stem in dict.fromkeys(lessons)
        if _source(folder, stem).exists()
        and _source(folder, stem).read_bytes() != _of_the_course(stem).encode("utf-8")
    ]


def _source(folder: Path, stem: str) -> Path:
    return folder / "source" / stem / f"{stem}.ipynb"


def _of_the_course(stem: str) -> str:
    return (SOLUTIONS / f"{stem}.ipynb").read_text(encoding="utf-8")


def _require_place(folder: Path) -> None:
    """Raise CourseError, before anything is written, if a term must not be made there."""
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"{folder} is a file; name a folder for the term")
    if folder.resolve().is_relative_to(SHIPPED.resolve()):
        raise CourseError(
            f"{folder} is in the course's own folder ({SHIPPED}), which updates change; name one "
            "outside, such as ~/term"
        )
    config = folder / "nbgrader_config.py"
    if config.exists() and "SurvivingExecute" not in read_text(config):
        raise CourseError(
            f"{config} was not made by this command, or is damaged (SurvivingExecute, which "
            "decides on points, is not in "
            "it); move it away, or name another folder"
        )


def releases(folder: Path) -> dict[str, NotebookNode]:
    """The released notebooks of a term by stem; raises MissingDataError if there is none."""
    found = {path.stem: read_notebook(path) for path in sorted(folder.glob("release/*/*.ipynb"))}
    if not found:
        raise MissingDataError(
            f"nothing is released in {folder} (looked for release/*/*.ipynb): go there and run "
            "`nbgrader generate_assignment 02_mosse`"
        )
    return found


def collect(folder: Path, arrived: Path, student: str = DEFAULT) -> list[Collected]:
    """Fix submissions and bring them into a term's folder; those that cannot be brought
    in are named, and do not stop the others.

    What arrived may be the term's own submitted/, as nbgrader's `collect` leaves it: then each is
    fixed in place.

    Args:
        folder: the term.
        arrived: a zip file, a folder, or one notebook.
        student: pattern that finds the student's name (group "student") in a notebook's path inside
            `arrived`: by default the text before the first "_" of its folder's name, or of its own.
            Two sources for the same student and lesson are both left out; with the instructor's
            own pattern, a later one replaces an earlier one.

    Raises:
        CourseError: nothing can be collected at all.
    """
    known, pattern = releases(folder), compiled(student)
    own = arrived.resolve() == (folder / "submitted").resolve()
    pattern = compiled(r"^(?P<student>[^/]+)") if own and student == DEFAULT else pattern
    collected, others = [], []
    for one in arrivals(arrived):
        if one.content is None and one.problem is None:
            others.append(one.name)
        else:
            collected.append(_checked(one, pattern, known, as_it_is=own))
    if not collected:
        raise MissingDataError(f"no notebook (*.ipynb) is in {arrived}")
    if not any(c.who for c in collected):
        raise CourseError(
            f"the pattern {student!r} finds no student in {shown(collected[0].source)!r}; give one "
            "with a group "
            "(?P<student>…)"
        )
    tell_apart(collected, [] if own else standing(folder))
    into = Submitted(folder, in_place=own, trusted=student != DEFAULT)
    for one in collected:
        if one.lesson:
            into.bring(one)
    return collected + without_notebook(others, pattern, collected)


def _checked(
    one: Arrival, pattern: re.Pattern, known: dict[str, NotebookNode], as_it_is: bool
) -> Collected:
    """A submission ready to be brought in, or the reason why it cannot be."""
    found = find_student(pattern, one.name)
    name, who = found or ("", "")
    result = Collected(name, None, one.name, [], who=who, when=one.when)
    if one.problem:
        result.problems = [one.problem]
        return result
    try:
        result.student = name if as_it_is else safe_name(name)
        notebook, faults = read_submission(one.content, shown(one.name))
        stem = find_release(notebook, known)
        whole, problems = fix(notebook, known[stem], stem, PurePosixPath(one.name).name)
        result.text = nbformat.writes(_without_outputs(whole))
    except CourseError as problem:
        file = "" if shown(one.name) in str(problem) else f"{shown(one.name)} "
        remedy = "hand in the right file" if name else "give another pattern with --student"
        result.problems = [Problem(f"{file}{problem}", remedy, False)]
        return result
    except Exception as problem:  # whatever is wrong with this one, the others are collected
        what = f"{shown(one.name)} cannot be understood ({type(problem).__name__}: {problem})"
        result.problems = [Problem(what, "save it in JupyterLab and hand it in again", False)]
        return result
    if result.student != name:
        what = f"nbgrader cannot use the name {shown(name)!r}: it is filed as {result.student}"
        problems.insert(0, Problem(what, "nothing to do", True))
    result.lesson, result.problems = stem, faults + problems
    return result


def _without_outputs(notebook: NotebookNode) -> NotebookNode:
    """The notebook without outputs, which are large and which grading makes again."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook
