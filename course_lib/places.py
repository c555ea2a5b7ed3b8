"""Where things stand on disk: what the course brings, and what is written, from whatever folder it
is started in.

In a checkout both are the project's folder. Installed as a package away from it, the course brings
its recipes, weights, results and notebooks along inside the package, and writes below the folder it
was started in.
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "_share").is_dir()  # setup.py put it there; a checkout has none
SHIPPED = PACKAGE / "_share" if INSTALLED else PACKAGE.parent  # only ever read
RECIPES = SHIPPED / "recipes"
RESULTS = SHIPPED / "results"  # committed figures of declared measurements
WEIGHTS = SHIPPED / "weights"
NOTEBOOKS = SHIPPED / "notebooks"
SOLUTIONS = SHIPPED / "solutions"

PROJECT = Path.cwd() if INSTALLED else PACKAGE.parent  # the folders below are git-ignored
RUNS = PROJECT / "runs"  # what commands write
MY_WORK = PROJECT / "my_work"  # a student's copies of lessons


def data_root() -> Path:
    """The folder that holds the datasets: the environment variable COURSE_DATA ("~" is one's home),
    or `data` in the project."""
    named = os.environ.get("COURSE_DATA", "").strip()
    return Path(named).expanduser() if named else PROJECT / "data"


def shipped(path: Path) -> Path:
    """`path` as it is; where there is no such file, the course's own of that name, as in
    "recipes/kcf.yaml"."""
    own = SHIPPED / path
    return own if not path.exists() and own.is_file() else path
