"""Prepare UAV123 in <root>/uav123/: you fetch the archive from its site, the script does the rest.

python data_scripts/uav123.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from _install import Pieces, archives_by_hand, install, no_archive_of
from _script import options, parsed, run, say_space

from course_lib.data.readers.folders import files_like
from course_lib.data.readers.uav123 import read_uav123


def main(argv: list[str] | None = None) -> None:
    """Check that there is an archive, unpack it if it is new, read the result once."""
    arguments = parsed(options(__doc__), argv)
    folder = arguments.root / "uav123"
    if arguments.dry_run:
        print(f"would unpack the archive in {folder / 'archives'} to {folder}")
        say_space(arguments.root)
        return
    there = bool(files_like(folder / "anno" / "UAV123", "*.txt"))
    install(archives_by_hand("UAV123", folder / "archives", needed=not there), folder, pieces)
    print(f"{len(read_uav123(folder))} sequences are in {folder}")


def pieces(opened: Path, archive: Path) -> Pieces:
    """The frame folders of an archive, then its annotations, each with its place."""
    inner = next((path.parent for path in sorted(opened.rglob("data_seq")) if path.is_dir()), None)
    if inner is None or not (inner / "anno").is_dir():
        raise no_archive_of(archive, opened, "UAV123", "folders data_seq and anno")
    videos = sorted(path for path in inner.glob("data_seq/*/*") if path.is_dir())
    notes = sorted(path for path in inner.glob("anno/**/*") if path.is_file())
    folder = archive.parents[1]
    return [(path, folder / path.relative_to(inner)) for path in [*videos, *notes]]


if __name__ == "__main__":
    sys.exit(run(main))
