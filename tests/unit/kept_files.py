"""A small benchmark with its frames in files, and checks on kept results."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from course_lib.data.frames import ImageFiles
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError
from course_lib.evaluation.runner import TrackerSpec, evaluate

STAY = TrackerSpec("stay-put")
T = 24


def sequence(folder: Path, name: str = "calm") -> Sequence:
    """A still target with its frames in files, whose names and sizes count."""
    place = folder / name
    if not place.is_dir():
        place.mkdir(parents=True)
        for t in range(T):
            cv2.imwrite(str(place / f"{t:03d}.png"), np.full((40, 60, 3), 7 * t, np.uint8))
    boxes = np.tile([20.0, 10.0, 12.0, 10.0], (T, 1))
    return Sequence(name, ImageFiles(sorted(place.iterdir())), boxes)


def little(tmp_path: Path) -> Benchmark:
    return Benchmark("little", (sequence(tmp_path / "data"), sequence(tmp_path / "data", "quick")))


def go(root, benchmark, spec=STAY, protocol="ope", **more):
    return evaluate([spec], benchmark, root, protocol, progress=False, **more)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(root, benchmark, words, spec=STAY, protocol="ope"):
    """Neither used nor touched by `evaluate` or a report; the sentence contains `words`."""
    before = everything(root)
    with pytest.raises(CourseError, match=words) as caught:
        go(root, benchmark, spec, protocol)
    assert "--fresh" in str(caught.value) and everything(root) == before
