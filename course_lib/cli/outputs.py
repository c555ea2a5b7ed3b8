"""Files that a command writes: it replaces nothing that it did not make itself.

Beside its files a command leaves a record, a JSON file with the command's name and the SHA-256
checksum of each file and of the record itself. An existing file that differs from the record is
somebody's work and stays.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from course_lib.errors import SettingsError
from course_lib.files import digest

MAKER = "made_by"


def check_outputs(
    maker: str, record: Path, files: list[Path], inputs: list[Path], option: str = "--out"
) -> None:
    """Check, before anything is done, that `record` and `files` may be written.

    Args:
        maker: the command's name, as in the record.
        record: where the record will be.
        files: those it will list.
        inputs: files that the command reads, which must not be overwritten under any name.
        option: the one that named the files.

    Raises:
        SettingsError: if one exists and is not this command's own.
        OSError: if the folder cannot be written.
    """
    for path in (*files, record):
        if any(_same(path, given) for given in inputs):
            raise SettingsError(
                f"{option} would write {path}, which is the input itself; give another name"
            )
    left = _left(maker, record)
    for path in (*files, record):
        if os.path.lexists(path) and not _is_own(path, record, left):
            raise SettingsError(
                f"{path} exists already, and `python -m course_lib {maker}` did not make it, or "
                f"it was changed since; move it, delete it, or give another {option}"
            )
    _check_writable(record.parent)


def record_of(maker: str, files: dict[Path, Path], facts: dict[str, Any]) -> str:
    """The record's text: its maker, facts about the run, and the checksum of each file.

    Args:
        maker: the command's name.
        files: the name each will have → its path now.
        facts: about the run, ready for JSON.
    """
    sums = {name.name: digest(place) for name, place in files.items()}
    content = {**facts, MAKER: maker, "files": sums}
    return json.dumps({**content, "sum": _sum(content)}, indent=1) + "\n"


def _sum(content: dict[str, Any]) -> str:
    return digest(json.dumps(content, sort_keys=True))


def _left(maker: str, record: Path) -> dict[str, str]:
    """The checksums in the record; empty if it is not this command's."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        whole = content.pop("sum") == _sum(content) and content[MAKER] == maker
        return dict(content["files"]) if whole else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _is_own(path: Path, record: Path, left: dict[str, str]) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return bool(left) if path == record else digest(path) == left.get(path.name)


def _same(path: Path, other: Path) -> bool:
    """Whether two paths are the same file, even through links."""
    return path.exists() and other.exists() and path.samefile(other)


def _check_writable(folder: Path) -> None:
    """Raise the system's error, naming the folder, if no file can be made there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent  # missing folders are made in the nearest existing one
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(folder)) from None
