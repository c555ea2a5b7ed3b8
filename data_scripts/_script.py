"""What the scripts share: their options, their exit status, and files that have to be fetched by hand."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from course_lib.errors import CourseError, os_error_in_words
from course_lib.places import data_root


def options(description: str, base_url: str | None = None) -> argparse.ArgumentParser:
    """A parser with the options that every script has."""
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
        "--dry-run", action="store_true", help="say what would be fetched, and touch nothing"
    )
    if base_url:
        parser.add_argument(
            "--base-url",
            default=base_url,
            help="another place that holds the same files (default: %(default)s)",
        )
    return parser


def run(main: Callable[[list[str] | None], None], argv: list[str] | None = None) -> int:
    """Run a script: 0 if it did what it should, 2 after a sentence on what was wrong."""
    try:
        main(argv)
    except CourseError as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as problem:
        print(os_error_in_words(problem), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def say_space(root: Path) -> None:
    """Print how much room the disk of `root` has."""
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    print(f"free on the disk of {root}: {shutil.disk_usage(there).free / 1e9:.1f} GB")


def archives_by_hand(what: str, folder: Path) -> list[Path]:
    """The archives of a dataset in `folder`, put there by hand; raises CourseError with what to do if there is none."""
    archives = sorted(
        path for path in folder.glob("*") if path.name.endswith((".zip", ".tar", ".tar.gz", ".tgz"))
    )
    if archives:
        return archives
    raise CourseError(
        f"{what} cannot be fetched by a program: it is handed out on shared drives, or after you agree to its terms. "
        f"Get its archives from its own site and put them, as they are, into {folder}. Then run the same command "
        "again: it checks and unpacks them."
    )


def gather(opened: Path, marker: str, target: Path) -> int:
    """Move every folder that holds `marker` from an unpacked archive to `target`, however deep it lies; their number."""
    target.mkdir(parents=True, exist_ok=True)
    found = sorted(path.parent for path in opened.rglob(marker))
    for folder in found:
        if not (target / folder.name).exists():
            folder.rename(target / folder.name)
    shutil.rmtree(opened)
    return len(found)
