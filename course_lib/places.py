"""Where things are on disk: the files the course ships and those it writes, whatever folder it is
started in.

In a checkout both are in the project's folder. Installed as a package, the course carries its
recipes, weights, results and notebooks inside the package, and writes below the folder it was
started in.
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "_share").is_dir()  # hatch_build.py put it there; a checkout has none
SHIPPED = PACKAGE / "_share" if INSTALLED else PACKAGE.parent  # never written to
RECIPES = SHIPPED / "recipes"
RESULTS = SHIPPED / "results"  # committed numbers of declared measurements
WEIGHTS = SHIPPED / "weights"
NOTEBOOKS = SHIPPED / "notebooks"
SOLUTIONS = SHIPPED / "solutions"

PROJECT = Path.cwd() if INSTALLED else PACKAGE.parent  # the folders below are git-ignored
RUNS = PROJECT / "runs"  # output of commands
MY_WORK = PROJECT / "my_work"  # a student's copies of lessons


def data_root() -> Path:
    """The folder that holds the datasets: the environment variable COURSE_DATA ("~" is the home
    folder), or `data` in the project."""
    named = os.environ.get("COURSE_DATA", "").strip()
    return Path(named).expanduser() if named else PROJECT / "data"


def shipped(path: Path) -> Path:
    """`path` if it exists; otherwise the file of that name that the course ships, as in
    "recipes/kcf.yaml"."""
    own = SHIPPED / path
    return own if not path.exists() and own.is_file() else path
