"""Helpers for tests of training pairs: small videos on disk, and equality of pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.pairs import Augmentation, Pair
from course_lib.data.sequence import Sequence

STILL = Augmentation(shift=0, stretch=0, rotation=0, aspect_change=0, mirror=0, jitter=0, tint=0)
BOX = (30.0, 20.0, 40.0, 30.0)


def same(a: Pair, b: Pair) -> bool:
    """Whether two pairs are equal to the last byte."""
    arrays = ("exemplar", "search", "box", "jitter")
    return (
        all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays) and a.source == b.source
    )


def grey_video(folder: Path, name: str, grey: int, count: int = 12) -> Sequence:
    """A video of a uniform grey, 0000.png, 0001.png, …, with a still box."""
    folder.mkdir(parents=True)
    for k in range(count):
        cv2.imwrite(str(folder / f"{k:04d}.png"), np.full((80, 100, 3), grey, dtype=np.uint8))
    return video_of(folder, name)


def video_of(folder: Path, name: str) -> Sequence:
    """The video in a folder that `grey_video` has made."""
    paths = sorted(folder.glob("*.png"))
    return Sequence(name, ImageFiles(paths), np.tile(BOX, (len(paths), 1)))
