"""Folders in object storage, read as if they were on disk: `s3://bucket/folder`, `gs://…`, and
whatever else fsspec knows.

fsspec does the reading, and asks again when a connection fails; this file says in words what is
wrong where that does not help.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_lib.data.faults import Unreadable
from course_lib.errors import CourseError, MissingDataError

INSTALL = "`pip install -e '.[remote]' -c constraints.txt` in the course's folder"


def is_address(text: str) -> bool:
    """Whether a text is the address of a folder in a store, and no path on a disk."""
    return "://" in text


def folder_at(address: str) -> Path:
    """The folder at an address, with the methods of a `Path` that reading needs.

    Raises MissingDataError if the packages for it are not installed.
    """
    try:
        from upath import UPath

        return UPath(address)
    except (ImportError, ValueError) as problem:
        raise MissingDataError(
            f"{address} cannot be read ({problem}); s3:// needs {INSTALL}, other stores fsspec's "
            "package for them, such as gcsfs for gs://"
        ) from None


def size_of(path: Path) -> int | None:
    """Bytes of a file; None if there is no such file.

    `Path.is_file` would also say no if the store does not answer.
    """
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def holds_something(folder: Path) -> bool:
    """Whether there is a folder and something in it that is not hidden.

    Raises Unreadable for a store that does not answer.
    """
    with faults_in_words(folder):
        try:
            return any(not path.name.startswith(".") for path in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return False


@contextmanager
def faults_in_words(folder: Path) -> Iterator[None]:
    """Inside the block, whatever goes wrong with a store is an error that names the folder.

    The packages for stores raise errors of their own for a wrong password or a network that is
    down. On a disk nothing is changed.

    Raises Unreadable, which ends training: it resumes when the store answers again.
    """
    try:
        yield
    except CourseError:
        raise
    except Exception as problem:
        if not is_address(str(folder)):
            raise
        raise Unreadable(
            f"{folder} cannot be read ({type(problem).__name__}: {problem}); check the address, the "
            "network, and what the store needs to let you in (for s3:// AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL), then run the same command again"
        ) from None
