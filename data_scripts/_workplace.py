"""A working folder beside the result: removed afterwards, and recognised after a crash."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_lib.errors import CourseError

MARK = "made_by_data_scripts.txt"


@contextmanager
def workplace(folder: Path, name: str) -> Iterator[Path]:
    """A new hidden folder in `folder`, removed at the end; one left by a killed run is removed
    first.

    Raises CourseError if something not made by a data script is in its place.
    """
    place = folder / f".{name}.unpacking"
    if os.path.lexists(place) and not _is_ours(place):
        raise CourseError(
            f"{place} is where this script needs to work, but was not made by it. Move it away and "
            "run again."
        )
    _remove(place)
    place.mkdir(parents=True)
    (place / MARK).write_text("work in progress of a data script; may be deleted when none runs\n")
    try:
        yield place
    finally:
        _remove(place)


def _is_ours(place: Path) -> bool:
    if place.is_symlink() or not place.is_dir():
        return False
    return (place / MARK).is_file() or not os.listdir(place)


def _remove(place: Path) -> None:
    """Remove a working folder, its mark last, so that a partly removed one is still recognised."""
    for path in place.iterdir() if place.is_dir() else []:
        if path.name != MARK:
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
