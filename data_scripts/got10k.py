"""Prepare GOT-10k in <root>/got10k/<split>/: you fetch the archives from its site, the script does
the rest.

python data_scripts/got10k.py --split val

Archives may be added one after the other: only new ones are unpacked.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from _errors import DownloadError
from _install import Pieces, archives_by_hand, install, no_archive_of
from _script import add_to_list, options, parsed, run, say_space

from course_lib.data.readers.folders import folders_with
from course_lib.data.readers.got10k import SPLITS, read_got10k, read_sequence

MARKER = "*/groundtruth.txt"


def main(argv: list[str] | None = None) -> None:
    """Check that there are archives, unpack the new ones, read the result once."""
    parser = options(__doc__)
    parser.add_argument("--split", choices=SPLITS, default="val")
    arguments = parsed(parser, argv)
    folder = arguments.root / "got10k"
    target, place = folder / arguments.split, folder / "archives" / arguments.split
    if arguments.dry_run:
        print(f"would unpack the archives in {place} to {target}")
        say_space(arguments.root)
        return
    there = bool(folders_with(target, MARKER))
    archives = archives_by_hand(f"GOT-10k {arguments.split}", place, needed=not there)
    install(archives, target, pieces, list_them)
    if not os.path.lexists(target / "list.txt"):
        list_them(folders_with(target, MARKER))
    print(f"{len(read_got10k(target))} sequences are in {target}")


def pieces(opened: Path, archive: Path) -> Pieces:
    """Every sequence of an archive, read once with the course's reader, and its place."""
    found = sorted(path.parent for path in opened.rglob("groundtruth.txt"))
    split = archive.parent.name
    target = archive.parents[2] / split
    if not found:
        raise no_archive_of(archive, opened, "GOT-10k", "groundtruth.txt")
    for folder in found:
        of = re.match(r"GOT-10k_(Train|Val|Test)_", folder.name)
        if of and of[1].lower() != split:
            raise DownloadError(
                f"{archive} contains {folder.name}, a sequence of the split {of[1].lower()}. Move "
                f"the archive to {archive.parents[1] / of[1].lower()} and run again with "
                f"--split {of[1].lower()}."
            )
        read_sequence(folder, withheld=split == "test")
    return [(folder, target / folder.name) for folder in found]


def list_them(places: list[Path]) -> None:
    """Add sequences to list.txt beside them; if there is none yet, list all that exist."""
    target = places[0].parent
    path = target / "list.txt"
    there = places if os.path.lexists(path) else folders_with(target, MARKER)
    add_to_list(path, [place.name for place in there])


if __name__ == "__main__":
    sys.exit(run(main))
