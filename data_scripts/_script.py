"""Shared by the scripts: options, exit status, and list files."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from _download import usable_address

from course_lib.cli import replace_what_cannot_be_shown
from course_lib.data.readers.folders import by_number
from course_lib.errors import CourseError, os_error_in_words
from course_lib.files import read_names, write_whole
from course_lib.places import data_root


def options(description: str, base_url: str | None = None) -> argparse.ArgumentParser:
    """A parser with the options common to all scripts."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=data_root(),
        help="the data root (default: COURSE_DATA, or data/ in the project)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be fetched, but change nothing"
    )
    if base_url:
        parser.add_argument(
            "--base-url",
            default=base_url,
            help="another site with the same files (default: %(default)s)",
        )
    return parser


def parsed(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """The arguments; raises CourseError at once if the root or the address cannot be used."""
    arguments = parser.parse_args(argv)
    arguments.root = arguments.root.expanduser()
    above = (arguments.root, *arguments.root.absolute().parents)
    there = next(path for path in above if os.path.lexists(path))
    if not there.is_dir():
        raise CourseError(
            f"--root is {arguments.root}, but {there} is not a folder; give another one"
        )
    if "base_url" in arguments:
        arguments.base_url = usable_address(arguments.base_url).rstrip("/")
    return arguments


def run(main: Callable[[list[str] | None], None], argv: list[str] | None = None) -> int:
    """Run a script; returns 0 on success, 2 after printing what was wrong."""
    replace_what_cannot_be_shown()
    try:
        main(argv)
    except CourseError as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as problem:
        print(os_error_in_words(problem), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command again to resume", file=sys.stderr)
        return 130
    return 0


def say_space(root: Path) -> None:
    """Print the free space on the disk of `root`."""
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    print(f"free on the disk of {root}: {shutil.disk_usage(there).free / 1e9:.1f} GB")


def known(wanted: list[str] | None, names: Iterable[str], what: str) -> list[str]:
    """The names given with --sequences, each once; all names if none was given.

    Raises CourseError, listing all names, if one of them is unknown.
    """
    names = list(names)
    unknown = sorted(set(wanted or []) - set(names))
    if unknown:
        raise CourseError(f"{what} {', '.join(unknown)}; it has {', '.join(names)}")
    return list(dict.fromkeys(wanted or names))


def add_to_list(
    path: Path, names: Iterable[str], order: Callable[[str], object] = by_number
) -> None:
    """Add names to a list file, in order; the names already in it stay."""
    listed = read_names(path) if os.path.lexists(path) else []
    there = {name.casefold() for name in listed}
    new = [name for name in names if name.casefold() not in there]
    if new:
        write_whole(path, "".join(f"{name}\n" for name in sorted([*listed, *new], key=order)))


def refuse_unless_whole(folder: Path, read: Callable[[Path], object]) -> None:
    """Raise CourseError if an existing folder cannot be read as a sequence."""
    try:
        read(folder)
    except (CourseError, OSError) as problem:
        said = os_error_in_words(problem) if type(problem) is OSError else problem
        raise CourseError(
            f"{folder} exists already, but is incomplete ({said}). Move it away and run the same "
            "command again."
        ) from None
