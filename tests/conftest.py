"""What every test shares: small profile, quiet backends, and the way to the real sequences."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("COURSE_PROFILE", "smoke")
os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The data root with the real sequences; skips where COURSE_DATA does not point to one."""
    folder = os.environ.get("COURSE_DATA")
    if not folder or not (Path(folder) / "otb").is_dir():
        pytest.skip(
            "needs real sequences: set COURSE_DATA to a data root that holds otb/ and vot2014/"
        )
    return Path(folder)
