"""The course's trackers in the GOT-10k toolkit's harness, and the toolkit's trackers in the course's.

Both have `init` and `update`; the toolkit hands over PIL images and runs through a list of files with `track`.
Neither class needs the toolkit to be installed.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from course_lib.trackers.base import Tracker, accept_start


class ToToolkit:
    """A tracker of the course as the toolkit's experiments expect one."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.name, self.is_deterministic = tracker.name, tracker.is_deterministic

    def init(self, image: Image.Image, box: ArrayLike) -> None:
        """Start on a PIL image with the target at `box` (4,)."""
        self.tracker.init(np.asarray(image.convert("RGB")), np.asarray(box, dtype=np.float64))

    def update(self, image: Image.Image) -> np.ndarray:
        """Box (4,) in the next PIL image."""
        return self.tracker.update(np.asarray(image.convert("RGB")))

    def track(
        self, img_files: list[str], box: ArrayLike, visualize: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (T, 4) and seconds (T,) over a list of image files; the toolkit calls this. Nothing is drawn."""
        boxes, seconds = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        boxes[0] = box
        for t, path in enumerate(img_files):
            image = Image.open(path).convert("RGB")
            start = time.perf_counter()
            if t == 0:
                self.init(image, box)
            else:
                boxes[t] = self.update(image)
            seconds[t] = time.perf_counter() - start
        return boxes, seconds


class FromToolkit(Tracker):
    """A tracker written for the toolkit behind the course's two calls."""

    def __init__(self, theirs: Any) -> None:
        self.theirs = theirs
        self.name, self.is_deterministic = theirs.name, theirs.is_deterministic

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on `frame` (H, W, 3) with the target at `box` (4,)."""
        frame, box = accept_start(frame, box)
        self.theirs.init(Image.fromarray(frame), box)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        return np.asarray(self.theirs.update(Image.fromarray(frame)), dtype=np.float64)
