"""Datasets whose archives are downloaded by hand: find the new ones, and install their contents.

Installed archives are recorded in `installed.json` beside them, with size and modification time, so
that archives added later are noticed, and changed ones, or those whose sequences are gone, are
processed again.
"""

from __future__ import annotations

import filecmp
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from _errors import DownloadError
from _unpack import unpack
from _workplace import workplace

from course_lib.data.readers.folders import is_visible
from course_lib.errors import CourseError
from course_lib.files import read_json, write_whole

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
OWN = ("installed.json", "checksums.json")

Pieces = list[tuple[Path, Path]]  # a folder or file of an unpacked archive, and where it goes


def archives_by_hand(what: str, folder: Path, needed: bool = True) -> list[Path]:
    """The archives of a dataset that were put into `folder`; other files there are reported.

    Raises CourseError, with what to do, if there is none and one is `needed`.
    """
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    archives = [p for p in entries if p.is_file() and p.name.lower().endswith(ARCHIVES)]
    archives = [path for path in archives if is_visible(path.name)]
    others = [
        p.name for p in entries if p not in archives and is_visible(p.name) and p.name not in OWN
    ]
    if others:
        print(f"ignored, since not a zip or tar file: {', '.join(others)}", file=sys.stderr)
    if archives or not needed:
        return archives
    raise CourseError(
        f"{what} cannot be fetched by a program: it is distributed on shared drives, or after you "
        "agree to its terms. Get the archives from its own site and put them, unchanged, into "
        f"{folder}. Then run the same command again: it checks and unpacks them."
    )


def install(
    archives: list[Path],
    target: Path,
    pieces: Callable[[Path, Path], Pieces],
    then: Callable[[list[Path]], None] = lambda places: None,
) -> None:
    """Unpack the new archives and move their pieces into place.

    Args:
        archives: the archives, all in one folder.
        target: the folder of the dataset, which contains all places.
        pieces: takes an unpacked archive and its file, and returns what to move where; raises
            CourseError if the content is wrong.
        then: called with the places of each new archive, before it counts as installed.

    Raises:
        CourseError: after all archives, if different pieces exist already; existing ones are kept.
    """
    differing = []
    for archive in archives:
        if _is_installed(archive, target):
            continue
        print(f"unpacking {archive}")
        with workplace(target, archive.name) as work:
            found = pieces(unpack(archive, work / "opened"), archive)
            other = _move(found)
        places = [final for _, final in found]
        then(places)
        differing += [f"{final} (from {archive.name})" for final in other]
        if not other:
            _note(archive, target, places)
    if differing:
        raise CourseError(_differ(differing))


def _differ(differing: list[str]) -> str:
    few = ", ".join(differing[:5]) + (", …" if len(differing) > 5 else "")
    return (
        f"{len(differing)} of the archives' pieces exist already and differ: {few}. The existing "
        "ones were kept, and the rest added. To use the archive's, move these away and run the "
        "same command again; to keep them, remove the archive."
    )


def no_archive_of(archive: Path, opened: Path, what: str, marker: str) -> DownloadError:
    """The error for an archive without the expected content."""
    inner = [p.name for p in sorted(opened.rglob("*")) if p.name.lower().endswith(ARCHIVES)]
    if inner:
        return DownloadError(
            f"{archive} contains further archives ({', '.join(inner[:5])}): unpack it yourself, "
            f"put those into {archive.parent} instead, and run the same command again."
        )
    return DownloadError(
        f"{archive} contains no {marker}; it is not an archive of {what}. Remove it and run again."
    )


def _move(pieces: Pieces) -> list[Path]:
    """Move the pieces that do not exist yet; returns the places that hold something different."""
    differing = []
    for source, final in pieces:
        if not os.path.lexists(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            source.rename(final)
        elif not _same(source, final):
            differing.append(final)
    return differing


def _same(one: Path, other: Path) -> bool:
    """Whether two files, or the visible files of two folders, are the same byte for byte."""
    if one.is_file() or other.is_file():
        return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
    names = [_files_below(folder) for folder in (one, other)]
    return names[0] == names[1] and all(
        filecmp.cmp(one / name, other / name, shallow=False) for name in names[0]
    )


def _files_below(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("*") if not path.is_dir() and is_visible(path.name)]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _is_installed(archive: Path, target: Path) -> bool:
    """Whether an archive was installed, has not changed, and all its pieces still exist."""
    entry = _record(archive).get(archive.name)
    places = entry.get("places") if isinstance(entry, dict) else None
    if not isinstance(places, list) or entry != _identity(archive) | {"places": places}:
        return False
    return all((target / str(place)).exists() for place in places)


def _note(archive: Path, target: Path, places: list[Path]) -> None:
    """Record that an archive is installed: last of all, so that an interrupted one is repeated."""
    names = [place.relative_to(target).as_posix() for place in places]
    known = _record(archive) | {archive.name: _identity(archive) | {"places": names}}
    write_whole(archive.parent / OWN[0], json.dumps(known, indent=1, sort_keys=True) + "\n")


def _record(archive: Path) -> dict:
    path = archive.parent / OWN[0]
    remedy = "delete it and run the same command again to compare everything with the archives"
    return read_json(path, remedy) if path.exists() else {}


def _identity(archive: Path) -> dict[str, int]:
    about = archive.stat()
    return {"size": about.st_size, "changed": about.st_mtime_ns}
