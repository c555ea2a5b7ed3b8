"""Prepare UAV123 in <root>/uav123/: you fetch the archive from its site, the script does the rest.

python data_scripts/uav123.py
"""

from __future__ import annotations

import shutil
import sys

from _script import archives_by_hand, options, run, say_space
from _unpack import unpack

from course_lib.data.readers.uav123 import read_uav123
from course_lib.errors import CourseError


def main(argv: list[str] | None = None) -> None:
    """Check that the archive is there, unpack it, read the result once."""
    arguments = options(__doc__).parse_args(argv)
    folder = arguments.root / "uav123"
    if arguments.dry_run:
        print(f"would unpack the archive in {folder / 'archives'} to {folder}")
        say_space(arguments.root)
        return
    if not (folder / "data_seq").is_dir():
        for archive in archives_by_hand("UAV123", folder / "archives"):
            opened = unpack(archive, folder / f".{archive.stem}.new")
            inner = next((path.parent for path in sorted(opened.rglob("data_seq"))), None)
            if inner is None or not (inner / "anno").is_dir():
                raise CourseError(
                    f"{archive} holds no folders data_seq and anno; it is not the archive of UAV123. Take it away and run again."
                )
            for part in ("anno", "data_seq"):
                (inner / part).rename(folder / part)
            shutil.rmtree(opened)
    print(f"{len(read_uav123(folder))} sequences are in {folder}")


if __name__ == "__main__":
    sys.exit(run(main))
