"""Who handed in what: a name for each student that nbgrader and every file system accept, and no
two students under one name."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from course_lib.errors import CourseError
from course_lib.files import LONGEST_NAME
from course_lib.grading.arrived import shown
from course_lib.grading.reading import Problem

DEFAULT = r"(?P<student>[^/_]+)"  # up to the first "_" of the first folder or file
# nbgrader looks students up with file patterns (* ? [ ]), lists them with commas, splits names at
# "+", strips blanks at the ends and ignores names that begin with a dot; some file system rejects
# the rest
UNSAFE = frozenset('*?[],+=/\\:"<>|{}%')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # on Windows


@dataclass
class Collected:
    """One submission, brought in or not.

    Attributes:
        student: the name it is filed under.
        lesson: the stem of its lesson's file; None if it was not brought in.
        source: its name on arrival.
        problems: what was wrong with it.
        who: the folder or file taken as the student's.
        text: the notebook to be written.
        when: when the submission was last changed.
    """

    student: str
    lesson: str | None
    source: str
    problems: list[Problem]
    who: str = ""
    text: str = field(default="", repr=False)
    when: datetime | None = None

    def leave(self, what: str, remedy: str) -> None:
        """Do not bring it in, and record why."""
        self.lesson = None
        self.problems = [Problem(what, remedy, False)]


def compiled(pattern: str) -> re.Pattern:
    """The instructor's pattern; raises CourseError if it is invalid or has no group "student"."""
    try:
        found = re.compile(pattern)
    except re.error as problem:
        raise CourseError(
            f"--student {pattern!r} is not a pattern ({problem}); expected one like {DEFAULT!r}"
        ) from None
    if "student" not in found.groupindex:
        raise CourseError(
            f"--student {pattern!r} has no group (?P<student>…); expected one like {DEFAULT!r}"
        )
    return found


def find_student(pattern: re.Pattern, name: str) -> tuple[str, str] | None:
    """The student's name in a path, and the folder or file (from the top) it comes from; None if
    there is none."""
    found = pattern.search(name)
    if not found or found.group("student") is None:
        return None
    parts = PurePosixPath(name).parts
    depth = name[: found.start("student")].count("/")
    who = re.sub(r"\.(ipynb|zip)$", "", found.group("student"), flags=re.IGNORECASE)
    return unicodedata.normalize("NFC", who), "/".join(parts[: depth + 1])


def safe_name(name: str) -> str:
    """A student's name as a folder's: characters that nbgrader or a file system rejects become =XX,
    their bytes in hexadecimal.

    Raises CourseError if it is empty or too long. `plain_student` restores the name.
    """
    if name in ("", ".", ".."):
        raise CourseError(f"names no student: {name!r}")
    safe = "".join(_hex(c) if c in UNSAFE or not c.isprintable() else c for c in name)
    if safe[0] in " .~-" or RESERVED.match(safe):
        safe = _hex(safe[0]) + safe[1:]
    if safe[-1] in " .":
        safe = safe[:-1] + _hex(safe[-1])
    if len(safe.encode()) > LONGEST_NAME:
        raise CourseError(
            f"names a student in {len(safe.encode())} bytes ({safe[:30]}…); at most {LONGEST_NAME}"
        )
    return safe


def plain_student(safe: str) -> str:
    """The student's name from a folder's name made by `safe_name`."""
    whole = re.sub(rb"=([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), safe.encode())
    return whole.decode("utf-8", "surrogateescape")


def _hex(letter: str) -> str:
    return "".join(f"={byte:02X}" for byte in letter.encode("utf-8", "surrogateescape"))


def tell_apart(collected: list[Collected], there: list[str]) -> None:
    """Leave out every submission that could be mistaken for another student's.

    Args:
        collected: all that arrived; modified in place.
        there: students already in the term's folder.
    """
    spellings = defaultdict(set)
    for name in [*there, *(c.student for c in collected if c.lesson)]:
        spellings[name.casefold()].add(name)
    same, sources = defaultdict(list), defaultdict(set)
    for one in collected:
        if not one.lesson:
            continue
        if len(spellings[one.student.casefold()]) > 1:
            names = " and ".join(sorted(spellings[one.student.casefold()]))
            one.leave(f"{names} are one folder on some disks", WIDER)
        else:
            same[one.student, one.lesson].append(one)
            sources[one.student].add(one.who)
    for one in collected:
        if one.lesson and len(sources[one.student]) > 1:
            what = (
                f"{one.student} stands for {' and '.join(map(shown, sorted(sources[one.student])))}"
            )
            one.problems.append(Problem(what, WIDER, True))
    for (student, lesson), several in same.items():
        if len({(one.text, one.who) for one in several}) > 1:
            _leave_all(student, lesson, several)
            continue
        for again in several[1:]:
            again.lesson = None
            what = f"it is the same as {shown(several[0].source)}"
            again.problems = [Problem(what, "nothing to do: one is enough", True)]


WIDER = (
    "if they are two, give a pattern that takes more of the path, such as --student "
    "'(?P<student>[^/]+)' for the whole "
    "folder's name or '(?P<student>[^/_]+_[^/_]+)' for name and number; if it is one, collect one "
    "of them alone"
)


def _leave_all(student: str, lesson: str, several: list[Collected]) -> None:
    names = " and ".join(shown(one.source) for one in several)
    for one in several:
        one.leave(f"{names} would both be {student}'s {lesson}", WIDER)


def standing(folder: Path) -> list[str]:
    """The students who have a folder in a term's submitted/."""
    place = folder / "submitted"
    return [p.name for p in sorted(place.iterdir()) if p.is_dir()] if place.is_dir() else []
