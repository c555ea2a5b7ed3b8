"""Files handed over by a learning platform, opened: a zip file, a folder or one notebook, possibly
with students' zip files in it.

Nothing is unpacked to disk, so no name in an archive can do harm. Files that cannot be read are
named and skipped.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from course_lib.errors import CourseError, MissingDataError, os_error_in_words
from course_lib.grading.reading import LARGEST, Problem, too_large

LARGEST_ZIP = 200 * 2**20  # bytes of a student's own zip file
MOST = 10_000  # files examined
LARGEST_SUM = 2 * 2**30  # bytes of all notebooks together
MEMBER = "zip it again without a password, as an ordinary .zip, or hand in the .ipynb itself"
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OverflowError,
)
PASSED_OVER = ("__MACOSX", ".ipynb_checkpoints", ".git")


@dataclass(frozen=True)
class Arrival:
    """One file that arrived.

    Attributes:
        name: its path inside what arrived, with "/", continued inside a student's zip file.
        content: the bytes of a notebook; None if it is not one or could not be read.
        problem: why it could not be read; None for a notebook, or a file of another kind.
        when: when it was last changed according to its file or archive; local time.
    """

    name: str
    content: bytes | None
    problem: Problem | None
    when: datetime | None


def arrivals(arrived: Path) -> Iterator[Arrival]:
    """Every file that arrived, in the order of their names, one in memory at a time.

    Raises MissingDataError if there is nothing at `arrived`, CourseError if it is a zip file that
    cannot be opened at all.
    """
    budget = _Budget()
    if arrived.is_dir():
        yield from _in_folder(arrived, budget)
    elif not arrived.exists():
        raise MissingDataError(f"{arrived} does not exist; give a zip file, a folder or a notebook")
    elif arrived.suffix.lower() != ".ipynb" and zipfile.is_zipfile(arrived):
        with arrived.open("rb") as file:
            yield from _in_zip(file, "", budget)
    elif arrived.suffix.lower() == ".zip":
        raise CourseError(
            f"{arrived} is damaged or not a zip file: fetch it from the platform again"
        )
    else:
        yield _file(arrived, arrived.name, arrived.parent, budget)


def shown(name: str) -> str:
    """A name that any terminal can print: control characters and lone surrogates escaped."""
    whole = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in whole)


class _Budget:
    """How much may still be read."""

    def __init__(self) -> None:
        self.files, self.bytes = 0, 0

    def spend(self, name: str, size: int, largest: int) -> Problem | None:
        """Count one file; returns the problem if it exceeds a limit."""
        self.files += 1
        if size > largest:
            return Problem(too_large(name, size), "hand in a smaller one", False)
        if self.files > MOST or self.bytes + size > LARGEST_SUM:
            limit = f"{MOST:,} files and {LARGEST_SUM / 2**30:.0f} GB at a time"
            return Problem(f"{name} exceeds the limit of {limit}", "collect it alone", False)
        self.bytes += size
        return None


def _in_folder(folder: Path, budget: _Budget) -> Iterator[Arrival]:
    unread: list[OSError] = []
    for place, folders, files in os.walk(folder, onerror=unread.append):
        folders[:] = sorted(f for f in folders if f not in PASSED_OVER)
        for name in sorted([*files, *(f for f in folders if (Path(place) / f).is_symlink())]):
            path = Path(place) / name
            yield from _opened(path, path.relative_to(folder).as_posix(), folder, budget)
    for problem in unread:
        name = Path(problem.filename).relative_to(folder).as_posix() + "/"
        yield _unread(name, os_error_in_words(problem), "make it readable and collect again")


def _opened(path: Path, name: str, folder: Path, budget: _Budget) -> Iterator[Arrival]:
    one = _file(path, name, folder, budget)
    if one.content is None or not name.lower().endswith(".zip"):
        yield one
    else:
        yield from _in_zip(io.BytesIO(one.content), f"{name}/", budget)


def _file(path: Path, name: str, folder: Path, budget: _Budget) -> Arrival:
    """One file on disk. A link may lead to another file of the folder, but nowhere else."""
    try:
        real = path.resolve(strict=True)
        if path.is_symlink() and not real.is_relative_to(folder.resolve()):
            return _unread(name, f"{name} is a link that leads out of the folder", "hand in a copy")
        about = real.stat()
        if not stat.S_ISREG(about.st_mode):
            what = f"{name} is not a file (but a link to a folder, or a pipe)"
            return _unread(name, what, "hand in a copy")
        when = datetime.fromtimestamp(int(about.st_mtime))
        if not _is_read(name):
            return Arrival(name, None, None, when)
        problem = budget.spend(name, about.st_size, _largest(name))
        content = None if problem else real.read_bytes()
    except (OSError, RuntimeError) as problem:  # RuntimeError: a link to itself, before Python 3.13
        words = os_error_in_words(problem) if isinstance(problem, OSError) else str(problem)
        return _unread(name, words, "hand it in again")
    return Arrival(name, content, problem, when)


def _in_zip(file: io.BufferedIOBase, above: str, budget: _Budget) -> Iterator[Arrival]:
    """The members of a zip file; those of a zip file in it too, but no deeper."""
    try:
        archive = zipfile.ZipFile(file)
        members = sorted(archive.infolist(), key=lambda member: member.filename)
    except (*DAMAGED, OSError) as problem:
        if not above:
            raise CourseError(f"the zip file is damaged ({problem}): fetch it again") from None
        what = f"{above.rstrip('/')} is damaged ({problem})"
        yield _unread(above.rstrip("/"), what, "hand it in again")
        return
    with archive:
        for member in members:
            name = above + member.filename.replace("\\", "/")
            if member.is_dir() or set(PASSED_OVER) & set(name.split("/")):
                continue
            one = _member(archive, member, name, budget)
            if one.content is None or not name.lower().endswith(".zip"):
                yield one
            elif above:
                what = f"{name} is a zip file inside a student's own, which is not opened"
                yield _unread(name, what, "unpack it, and collect the folder")
            else:
                yield from _in_zip(io.BytesIO(one.content), f"{name}/", budget)


def _member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, budget: _Budget
) -> Arrival:
    when = _member_time(member)
    if PurePosixPath(name).is_absolute() or ".." in name.split("/") or name[1:2] == ":":
        remedy = "zip the notebook without its folders, and hand it in again"
        return _unread(name, f"{name} leads out of the archive and names no student", remedy)
    if not _is_read(name):
        return Arrival(name, None, None, when)
    problem = budget.spend(name, member.file_size, _largest(name))
    if problem:
        return Arrival(name, None, problem, when)
    try:
        with archive.open(member) as file:
            content = file.read(member.file_size + 1)  # no more than its header announces
    except (*DAMAGED, OSError) as problem:
        locked = "has a password" if member.flag_bits & 1 else f"cannot be unpacked ({problem})"
        return _unread(name, f"{name} {locked}", MEMBER)
    return Arrival(name, content, None, when)


def _member_time(member: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*member.date_time)
    except ValueError:  # archives may hold month 0 or 31 February
        return None


def _is_read(name: str) -> bool:
    return name.lower().endswith((".ipynb", ".zip"))


def _largest(name: str) -> int:
    return LARGEST_ZIP if name.lower().endswith(".zip") else LARGEST


def _unread(name: str, what: str, remedy: str) -> Arrival:
    return Arrival(name, None, Problem(what, remedy, False), None)
