"""Adapters: the course's trackers in the GOT-10k toolkit's harness, and the toolkit's trackers in
the course's.

Both have `init` and `update`; the toolkit passes PIL images, and runs a tracker over a list of
files with `track`. Neither class needs the toolkit to be installed.

The course's boxes count pixels from 0. The toolkit passes boxes as they are in the dataset's files,
and expects the same in return: counted from 1 in its experiments on OTB (`first_pixel=1`), from 0
in those on GOT-10k and VOT.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from course_lib.errors import DataError, SettingsError
from course_lib.trackers.base import Tracker, accept_start


class ToToolkit:
    """A tracker of the course, adapted to the toolkit's experiments.

    `first_pixel` is the number of the top-left pixel in the experiment's boxes: 1 for
    ExperimentOTB, otherwise 0. Every tracker of the course outputs the same boxes in every run, so
    the toolkit runs it once; a tracker of your own that does not is run repeatedly, see
    `Tracker.is_deterministic`.
    """

    def __init__(self, tracker: Tracker, first_pixel: int = 0) -> None:
        self.tracker, self.name = tracker, tracker.name
        self.is_deterministic = tracker.is_deterministic
        self.shift = _shift(first_pixel)  # (4,)

    def init(self, image: Image.Image, box: ArrayLike) -> None:
        """Initialise on a PIL image with the target at `box` (4,)."""
        box = np.asarray(box, dtype=np.float64) - self.shift
        self.tracker.init(np.asarray(image.convert("RGB")), box)

    def update(self, image: Image.Image) -> np.ndarray:
        """Box (4,) in the next PIL image."""
        return self.tracker.update(np.asarray(image.convert("RGB"))) + self.shift

    def track(
        self, img_files: list[str], box: ArrayLike, visualize: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (T, 4) and seconds (T,) over a list of image files; the toolkit calls this.

        Args:
            img_files: of T frames.
            box: of the target in the first frame, (4,).
            visualize: part of the toolkit's interface; nothing is drawn.
        """
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
    """A tracker written for the toolkit, behind the course's two calls.

    `first_pixel` is the number of the top-left pixel for that tracker: 1 if it was written for
    OTB's files. Its own `is_deterministic` counts; without one it is taken as False, and `evaluate`
    repeats a run as often as the toolkits do. One run of `track` says little about such a tracker.
    """

    def __init__(self, theirs: Any, first_pixel: int = 0) -> None:
        self.theirs, self.name = theirs, theirs.name
        self.shift = _shift(first_pixel)  # (4,)
        self.is_deterministic = bool(getattr(theirs, "is_deterministic", False))

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Initialise on `frame` (H, W, 3) with the target at `box` (4,)."""
        frame, box = accept_start(frame, box)
        self.theirs.init(Image.fromarray(frame), box + self.shift)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3); raises DataError for anything but four numbers."""
        found = self.theirs.update(Image.fromarray(frame))
        try:
            box = np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError):
            box = np.empty(0)
        if box.shape != (4,):
            raise DataError(
                f"tracker {self.name} returned {found!r:.80}; expected four numbers x, y, w, h"
            )
        return box - self.shift


def _shift(first_pixel: int) -> np.ndarray:
    """The offset (4,) to add to a 0-based box; raises SettingsError for anything but 0 and 1."""
    if first_pixel not in (0, 1):
        raise SettingsError(f"first_pixel is {first_pixel!r}; expected 0 or 1")
    return np.array([first_pixel, first_pixel, 0, 0], dtype=np.float64)
