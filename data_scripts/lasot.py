"""Prepare LaSOT in <root>/lasot/<class>/<sequence>/: you fetch the archives from its site, the script does the rest.

python data_scripts/lasot.py
"""

from __future__ import annotations

import shutil
import sys

from _script import archives_by_hand, options, run, say_space
from _unpack import unpack

from course_lib.data.readers.lasot import read_lasot
from course_lib.errors import CourseError


def main(argv: list[str] | None = None) -> None:
    """Check that the archives are there, unpack each, read the result once."""
    arguments = options(__doc__).parse_args(argv)
    folder = arguments.root / "lasot"
    if arguments.dry_run:
        print(f"would unpack the archives in {folder / 'archives'} to {folder}")
        say_space(arguments.root)
        return
    for archive in archives_by_hand("LaSOT", folder / "archives"):
        opened = unpack(archive, folder / f".{archive.stem}.new")
        found = sorted(path.parent for path in opened.rglob("groundtruth.txt"))
        if not found:
            raise CourseError(
                f"{archive} holds no groundtruth.txt; it is not an archive of LaSOT. Take it away and run again."
            )
        for sequence in found:
            place = (
                folder / sequence.name.rsplit("-", 1)[0] / sequence.name
            )  # "bicycle-3" is of class "bicycle"
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                sequence.rename(place)
        shutil.rmtree(opened)
    print(f"{len(read_lasot(folder))} sequences are in {folder}")


if __name__ == "__main__":
    sys.exit(run(main))
