"""Prepare LaSOT in <root>/lasot/<class>/<sequence>/: you fetch the archives from its site, the
script does the rest.

python data_scripts/lasot.py

Archives may be added one after the other: only new ones are unpacked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from _install import Pieces, archives_by_hand, install, no_archive_of
from _script import options, parsed, run, say_space

from course_lib.data.readers.folders import folders_with
from course_lib.data.readers.lasot import read_lasot, read_sequence


def main(argv: list[str] | None = None) -> None:
    """Check that there are archives, unpack the new ones, read the result once."""
    arguments = parsed(options(__doc__), argv)
    folder = arguments.root / "lasot"
    if arguments.dry_run:
        print(f"would unpack the archives in {folder / 'archives'} to {folder}")
        say_space(arguments.root)
        return
    there = any(folders_with(folder, f"{below}/groundtruth.txt") for below in ("*", "*/*"))
    install(archives_by_hand("LaSOT", folder / "archives", needed=not there), folder, pieces)
    print(f"{len(read_lasot(folder))} sequences are in {folder}")


def pieces(opened: Path, archive: Path) -> Pieces:
    """Every sequence of an archive, read once with the course's reader, and its place."""
    found = sorted(path.parent for path in opened.rglob("groundtruth.txt"))
    if not found:
        raise no_archive_of(archive, opened, "LaSOT", "groundtruth.txt")
    for sequence in found:
        read_sequence(sequence)
    return [(sequence, _place(sequence.name, archive.parents[1])) for sequence in found]


def _place(name: str, folder: Path) -> Path:
    """Where a sequence goes: where it is already, or to its class's folder, "bicycle/bicycle-3"."""
    beside = folder / name
    return beside if (beside / "img").is_dir() else folder / name.rsplit("-", 1)[0] / name


if __name__ == "__main__":
    sys.exit(run(main))
