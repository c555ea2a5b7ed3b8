"""Where things stand on disk: the project's folders, whatever folder a notebook or a command is started in."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
RECIPES = PROJECT / "recipes"
RESULTS = PROJECT / "results"  # committed figures of declared measurements
RUNS = PROJECT / "runs"  # what commands write; git-ignored


def data_root() -> Path:
    """The folder that holds the datasets: the environment variable COURSE_DATA, or `data` in the project."""
    return Path(os.environ.get("COURSE_DATA") or PROJECT / "data")
