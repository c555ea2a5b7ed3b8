"""List files: which of the sequences that are there a list names.

A list decides what is tested and what is trained on, so a name in it either fits exactly one
sequence or is an error.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence as Items
from pathlib import Path

from course_lib.data.readers.folders import folders_with, missing_names, nothing_found
from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_names, read_text

LEADS_OUT = re.compile(r"[/\\~]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)")


def listed_folders(folder: Path, pattern: str, remedy: str) -> list[Path]:
    """The sequence folders that `list.txt` names if there is one, else every match of `pattern`.

    Args:
        folder: where the sequences and the list stand.
        pattern: leads to a file that each sequence must hold, such as "*/groundtruth.txt".
        remedy: what to do if there are none, or listed ones are missing.

    Raises:
        MissingDataError: with `remedy`, in these cases.
        DataError: as `chosen` does.
    """
    found = folders_with(folder, pattern)
    if not found:
        raise nothing_found(folder, pattern, remedy)
    path = folder / "list.txt"
    return chosen(found, path, remedy) if os.path.lexists(path) else found


def chosen(found: Items[Path], path: Path, remedy: str) -> list[Path]:
    """The folders that a list names, in its order.

    A name fits a folder in other case too, and led by the folder it stands in ("dog/dog-1").

    Args:
        found: the sequence folders that are there, below the list's own folder.
        path: the list, one name a line.
        remedy: what to do if listed ones are missing.

    Raises:
        DataError: naming list and line, if the list is empty, or a name leads out of the folder,
            fits several sequences, or one that was named before.
        MissingDataError: if names fit none.
    """
    by_key: dict[str, list[Path]] = {}
    for video in found:
        by_key.setdefault(_key(video.name), []).append(video)
    fitting = {name: _fitting(name, by_key, path) for name in read_names(path)}
    missing = [name for name, video in fitting.items() if video is None]
    if missing:
        raise MissingDataError(
            f"{missing_names(missing, path)} in {path.parent} (the first in line "
            f"{line_of(path, missing[0])}; expected names of sequences that are there): {remedy}"
        )
    _refuse_twice(fitting, path)
    return list(fitting.values())


def line_of(path: Path, name: str) -> int:
    """The line of a list in which a name stands, counted from 1; 0 if it does not."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    return next((number for number, line in lines if line.strip() == name), 0)


def _fitting(name: str, by_key: dict[str, list[Path]], path: Path) -> Path | None:
    """The folder that a listed name fits, if there is one."""
    if LEADS_OUT.match(name):
        raise DataError(
            f"{path}, line {line_of(path, name)}: {name!r} leads out of {path.parent}; "
            "expected the name of a sequence in it"
        )
    parts = [part for part in re.split(r"[/\\]", name) if part not in ("", ".")] or [name]
    fitting = [v for v in by_key.get(_key(parts[-1]), []) if _leads_to(parts, v, path.parent)]
    exact = [video for video in fitting if video.name == parts[-1]]
    fitting = exact if len(exact) == 1 else fitting
    if len(fitting) > 1:
        raise DataError(
            f"{path}, line {line_of(path, name)}: {name!r} fits {fitting[0]} and {fitting[1]}; "
            "expected a name that fits one sequence"
        )
    return fitting[0] if fitting else None


def _leads_to(parts: list[str], video: Path, top: Path) -> bool:
    """Whether the folder before the name is the video's; where no classes are, any may lead."""
    return len(parts) == 1 or video.parent == top or _key(parts[-2]) == _key(video.parent.name)


def _refuse_twice(fitting: dict[str, Path], path: Path) -> None:
    named: dict[Path, str] = {}
    for name, video in fitting.items():
        if video in named:
            raise DataError(
                f"{path}, line {line_of(path, name)}: {name!r} is {video} again, as "
                f"{named[video]!r} in line {line_of(path, named[video])}; expected each once"
            )
        named[video] = name


def _key(name: str) -> str:
    """A name without its case, and with letters composed: macOS writes "ä" as two characters."""
    return unicodedata.normalize("NFC", name).casefold()
