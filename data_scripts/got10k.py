"""Prepare GOT-10k in <root>/got10k/<split>/: you fetch the archives from its site, the script does the rest.

python data_scripts/got10k.py --split val
"""

from __future__ import annotations

import sys

from _script import archives_by_hand, gather, options, run, say_space
from _unpack import unpack

from course_lib.data.readers.got10k import read_got10k
from course_lib.errors import CourseError
from course_lib.files import write_whole


def main(argv: list[str] | None = None) -> None:
    """Check that the archives are there, unpack them, read the result once."""
    parser = options(__doc__)
    parser.add_argument("--split", choices=("train", "val", "test"), default="val")
    arguments = parser.parse_args(argv)
    folder = arguments.root / "got10k"
    target, place = folder / arguments.split, folder / "archives" / arguments.split
    if not (target / "list.txt").is_file():
        if arguments.dry_run:
            print(f"would unpack the archives in {place} to {target}")
            say_space(arguments.root)
            return
        for archive in archives_by_hand(f"GOT-10k {arguments.split}", place):
            if not gather(
                unpack(archive, folder / f".{archive.stem}.new"), "groundtruth.txt", target
            ):
                raise CourseError(
                    f"{archive} holds no groundtruth.txt; it is not an archive of GOT-10k. Take it away and run again."
                )
        names = sorted(path.name for path in target.iterdir() if path.is_dir())
        write_whole(target / "list.txt", "".join(f"{name}\n" for name in names))
    print(f"{len(read_got10k(target))} sequences are in {target}")


if __name__ == "__main__":
    sys.exit(run(main))
