"""A folder to work in, beside the result: gone afterwards, and known again after a crash."""

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
    """A new hidden folder in `folder`, removed at the end, and first if a killed run left it.

    Raises CourseError if something stands in its place that no data script made.
    """
    place = folder / f".{name}.unpacking"
    if os.path.lexists(place) and not _is_ours(place):
        raise CourseError(
            f"{place} stands where this script wants to work, and it did not make it. Move it "
            "away and run again."
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
    """Remove a workplace, its mark last, so that one half removed is still known."""
    for path in place.iterdir() if place.is_dir() else []:
        if path.name != MARK:
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
