"""A term's folder as nbgrader wants it, and submissions brought into it, however they arrive.

term/
  nbgrader_config.py    time limits, strict grading, the instructor's own seed
  source/02_mosse/      from solutions/; `nbgrader generate_assignment 02_mosse` makes release/ from it
  submitted/ada/02_mosse/02_mosse.ipynb
"""

from __future__ import annotations

import re
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

from course_lib.errors import CourseError, DataError, MissingDataError
from course_lib.files import write_whole
from course_lib.grading.submission import Problem, find_release, mend, parse_notebook, read_notebook
from course_lib.places import SOLUTIONS

CONFIG = '''\
"""A term of the course in visual object tracking. Made by `python -m course_lib grading new`; change what you like."""

import os
import sys

from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, IgnorePattern, LimitOutput, SaveAutoGrades
from nbconvert.preprocessors import ClearMetadataPreprocessor

from course_lib.grading.execute import SurvivingExecute

# an answer that is not right stops its points cell, and the course's own stands in for later ones that build on it;
# experiments run in their smallest size
os.environ.update(COURSE_GRADING="1", COURSE_PROFILE="smoke", OMP_NUM_THREADS="1")
os.environ["COURSE_GRADING_SEED"] = "{seed}"  # of the hidden tests: yours alone

# nbgrader calls a program that lies beside this Python, which is found only if its folder is on the path
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])

c = get_config()  # noqa: F821: nbgrader gives it
c.CourseDirectory.course_id = "tracking"
c.ClearSolutions.code_stub = {{"python": "# Write your answer here, in place of the next line.\\nraise NotImplementedError"}}
c.ClearSolutions.enforce_metadata = False  # helper cells may show a solved example
c.Execute.timeout = {timeout}  # seconds a cell
c.Execute.iopub_timeout = 30  # seconds that what a cell prints may arrive late
c.Autograde.autograde_preprocessors = [
    SurvivingExecute, IgnorePattern, ClearMetadataPreprocessor, LimitOutput, SaveAutoGrades, AssignLatePenalties,
    CheckCellMetadata,
]
'''


@dataclass(frozen=True)
class Collected:
    """One submission brought in.

    Attributes:
        student: the name it stands under; lesson: the stem of its lesson's file, None if it is none of them.
        source: what it was called when it arrived.
        problems: what was wrong with it.
    """

    student: str
    lesson: str | None
    source: str
    problems: list[Problem]


def new_term(folder: Path, lessons: list[str], timeout: int = 120) -> list[Path]:
    """Make a term's folder with its configuration and the named lessons (stems) as sources; returns what was written.

    A configuration that is there stays: its seed is in use.
    """
    config, written = folder / "nbgrader_config.py", []
    if not config.exists():
        write_whole(config, CONFIG.format(seed=secrets.randbelow(10**9), timeout=timeout))
        written.append(config)
    for stem in lessons:
        target = folder / "source" / stem / f"{stem}.ipynb"
        write_whole(target, (SOLUTIONS / f"{stem}.ipynb").read_text(encoding="utf-8"))
        written.append(target)
    return written


def releases(folder: Path) -> dict[str, NotebookNode]:
    """The released notebooks of a term by stem; raises MissingDataError if there is none."""
    found = {path.stem: read_notebook(path) for path in sorted(folder.glob("release/*/*.ipynb"))}
    if not found:
        raise MissingDataError(
            f"nothing is released in {folder} (looked for release/*/*.ipynb): go there and run "
            "`nbgrader generate_assignment 02_mosse`"
        )
    return found


def collect(folder: Path, arrived: Path, student: str = r"(?P<student>[^/_]+)") -> list[Collected]:
    """Bring submissions into a term's folder, mended.

    Args:
        folder: the term.
        arrived: a zip file, a folder, or one notebook. Of several by one student for one lesson the last one, in the order
            of their names, counts.
        student: pattern that finds the student's name (group "student") in a notebook's path inside `arrived`: the
            folder it lies in, or what stands before the first "_".
    """
    known, collected = releases(folder), []
    for name, notebook in _notebooks(arrived):
        found = re.search(student, name)
        if not found or "student" not in found.groupdict():
            raise CourseError(
                f"the pattern {student!r} finds no student in {name!r}; give one with a group (?P<student>…)"
            )
        who = found.group("student").removesuffix(".ipynb")
        if who in ("", ".", "..") or set(who) & set("/\\"):  # it becomes a folder's name
            problem = Problem(
                f"{name} names no student: {who!r}", "give another pattern with --student", False
            )
            collected.append(Collected(who, None, name, [problem]))
            continue
        if isinstance(notebook, DataError):
            collected.append(
                Collected(who, None, name, [Problem(str(notebook), "hand it in again", False)])
            )
            continue
        try:
            stem = find_release(notebook, known)
        except DataError as problem:
            collected.append(
                Collected(who, None, name, [Problem(str(problem), "hand in the right file", False)])
            )
            continue
        whole, problems = mend(notebook, known[stem], stem, PurePosixPath(name).name)
        write_whole(folder / "submitted" / who / stem / f"{stem}.ipynb", nbformat.writes(whole))
        collected.append(Collected(who, stem, name, problems))
    return collected


def _notebooks(arrived: Path) -> Iterator[tuple[str, NotebookNode | DataError]]:
    """Every notebook with its path inside what arrived; instead of one that cannot be read the error that says so."""
    if arrived.is_dir():
        paths = sorted(p for p in arrived.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
        pairs = [(path.relative_to(arrived).as_posix(), path.read_bytes()) for path in paths]
    elif zipfile.is_zipfile(arrived):
        with zipfile.ZipFile(
            arrived
        ) as archive:  # read in memory: no name in it can lead out of a folder
            names = sorted(
                n for n in archive.namelist() if n.endswith(".ipynb") and "__MACOSX" not in n
            )
            pairs = [(name, archive.read(name)) for name in names]
    elif arrived.is_file():
        pairs = [(arrived.name, arrived.read_bytes())]
    else:
        raise MissingDataError(f"{arrived} does not exist; give a zip file, a folder or a notebook")
    if not pairs:
        raise MissingDataError(f"no notebook (*.ipynb) is in {arrived}")
    for name, content in pairs:
        try:
            yield name, parse_notebook(content, name)
        except DataError as problem:
            yield name, problem
