"""The interface of every tracker: `init(frame, box)` once, then `update(frame) -> box` for every
further frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import DataError
from course_lib.geometry.frame import as_frame

SMALLEST = 0.001  # pixels; anything smaller is a mistake, and its area may round to 0
LARGEST = 2  # in sides of the frame; a tracker's patch, and so its memory, grows with the box


class Tracker(ABC):
    """A single-object tracker: given the target's box in one frame, it finds the box in the frames
    that follow.

    The two calls are those of the GOT-10k toolkit's trackers. Every tracker of the course outputs
    the same boxes in every run, because its random numbers come from a fixed seed. So one run of
    each is enough.

    Attributes:
        name: part of every result's path.
        Settings: the dataclass of its settings, the only argument its constructor needs; None for a
            tracker without settings.
        lockstep: whether `update` consists of `look`, one call of the network, and `decide`, so
            that many targets can share that call (see `evaluation.lockstep`).
        last: intermediate results of the most recent call (response, window, …) for figures, a
            small dataclass that differs from tracker to tracker. None before `init`.
    """

    name: str = "tracker"
    Settings: ClassVar[type | None] = None
    lockstep: ClassVar[bool] = False
    last: Any = None

    @abstractmethod
    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Initialise on `frame` (H, W, 3) uint8 RGB with the target at `box` (4,): x, y, w, h in
        pixels."""

    @abstractmethod
    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) of the target in the next `frame`, float64, x, y, w, h in pixels."""


def accept_start(frame: np.ndarray, box: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Check the first frame (H, W, 3) and box (4,) of a tracker: the first line of every `init`.

    A grey frame becomes three equal channels. A box that reaches beyond the frame is left as it is,
    because targets can be partly outside. Raises DataError for a box that contains NaN, has no
    area, lies entirely outside the frame, has a side below a thousandth of a pixel, or is more than
    twice as wide or high as the frame.
    """
    frame, box = as_frame(frame), np.asarray(box, dtype=np.float64)
    _check_numbers(box)
    H, W = frame.shape[:2]
    _check_place(box, W, H)
    return frame, box


def _check_numbers(box: np.ndarray) -> None:
    """Raise DataError unless a first box (4,) is four finite numbers with a positive size."""
    if box.shape != (4,):
        raise DataError(f"the first box has shape {box.shape}; expected (4,): x, y, w, h")
    if not np.isfinite(box).all():
        raise DataError(
            f"the first box is {box.tolist()}; expected four finite numbers. Start on a frame "
            "where the target is visible."
        )
    _, _, w, h = box
    if w <= 0 or h <= 0:
        raise DataError(
            f"the first box is {w:g} wide and {h:g} high; expected both above 0. A box is (x, y, "
            "w, h), not two corners."
        )


def _check_place(box: np.ndarray, W: int, H: int) -> None:
    """Raise DataError unless a first box (4,) fits a frame of W × H pixels."""
    x, y, w, h = box
    if x >= W or y >= H or x + w <= 0 or y + h <= 0:
        raise DataError(
            f"the first box {box.tolist()} lies wholly outside the frame of {W}×{H} pixels; "
            "give a box that overlaps it"
        )
    if w > LARGEST * W or h > LARGEST * H or min(w, h) < SMALLEST:
        raise DataError(
            f"the first box is {w:.10g} wide and {h:.10g} high in a frame of {W}×{H} pixels; "
            f"expected sides of at least {SMALLEST} and at most {LARGEST} times the frame's. "
            "A box is (x, y, w, h) in pixels, not two corners."
        )
