"""List files: which of the sequences on disk a list names.

A list decides what is tested and what is trained on, so each name in it must match exactly one
sequence; anything else is an error.
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
    """The sequence folders that `list.txt` names if it exists, else every match of `pattern`.

    Args:
        folder: where the sequences and the list are.
        pattern: a file that each sequence must contain, such as "*/groundtruth.txt".
        remedy: what to do if there are no sequences, or listed ones are missing.

    Raises:
        MissingDataError: with `remedy`, in these cases.
        DataError: as in `chosen`.
    """
    found = folders_with(folder, pattern)
    if not found:
        raise nothing_found(folder, pattern, remedy)
    path = folder / "list.txt"
    return chosen(found, path, remedy) if os.path.lexists(path) else found


def chosen(found: Items[Path], path: Path, remedy: str) -> list[Path]:
    """The folders that a list names, in its order.

    Case is ignored in names, which may be preceded by the folder they are in ("dog/dog-1").

    Args:
        found: the existing sequence folders, below the list's own folder.
        path: path of the list, one name per line.
        remedy: what to do if listed sequences are missing.

    Raises:
        DataError: the list is empty, or a name leads out of the folder, matches several sequences,
            or one that was named before; the message names list and line.
        MissingDataError: a name matches no sequence.
    """
    by_key: dict[str, list[Path]] = {}
    for video in found:
        by_key.setdefault(_key(video.name), []).append(video)
    fitting = {name: _fitting(name, by_key, path) for name in read_names(path)}
    missing = [name for name, video in fitting.items() if video is None]
    if missing:
        raise MissingDataError(
            f"{missing_names(missing, path)} in {path.parent} (the first in line "
            f"{line_of(path, missing[0])}; expected names of existing sequences): {remedy}"
        )
    _refuse_twice(fitting, path)
    return list(fitting.values())


def line_of(path: Path, name: str) -> int:
    """The line of a list that contains a name, counted from 1; 0 if there is none."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    return next((number for number, line in lines if line.strip() == name), 0)


def _fitting(name: str, by_key: dict[str, list[Path]], path: Path) -> Path | None:
    """The folder that a listed name matches, if there is one."""
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
            f"{path}, line {line_of(path, name)}: {name!r} matches {fitting[0]} and {fitting[1]}; "
            "expected a name that matches one sequence"
        )
    return fitting[0] if fitting else None


def _leads_to(parts: list[str], video: Path, top: Path) -> bool:
    """Whether the folder before the name is the video's; without class folders, any is accepted."""
    return len(parts) == 1 or video.parent == top or _key(parts[-2]) == _key(video.parent.name)


def _refuse_twice(fitting: dict[str, Path], path: Path) -> None:
    named: dict[Path, str] = {}
    for name, video in fitting.items():
        if video in named:
            raise DataError(
                f"{path}, line {line_of(path, name)}: {name!r} is {video} again, like "
                f"{named[video]!r} in line {line_of(path, named[video])}; expected each only once"
            )
        named[video] = name


def _key(name: str) -> str:
    """A case-folded name with composed letters: macOS writes "ä" as two characters."""
    return unicodedata.normalize("NFC", name).casefold()
