"""The interface of every tracker: `init(frame, box)` once, then `update(frame) -> box` for every
further frame."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import CourseError, DataError
from course_lib.geometry.frame import as_frame

SMALLEST = 0.001  # pixels; anything smaller is a mistake, and its area may round to 0
LARGEST = 2  # in sides of the frame; a tracker's patch, and so its memory, grows with the box


class Tracker(ABC):
    """A single-object tracker: given the target's box in one frame, it finds the box in the frames
    that follow.

    The two calls are those of the GOT-10k toolkit's trackers. Every tracker of the course outputs
    the same boxes in every run, because its random numbers come from a fixed seed. So one run of
    each is enough; if yours draws new numbers in every run, set its `is_deterministic` to False.

    Attributes:
        name: part of every result's path.
        is_deterministic: whether every run gives the same boxes; if not, protocols repeat it as
            often as their toolkits do.
        Settings: the dataclass of its settings, the only argument its constructor needs; None for a
            tracker without settings.
        lockstep: whether `update` consists of `look`, one call of the network, and `decide`, so
            that many targets can share that call (see `evaluation.lockstep`).
        last: intermediate results of the most recent call (response, window, …) for figures, a
            small dataclass that differs from tracker to tracker; its `score`, if it has one, says
            how sure the tracker is. None before `init`.
    """

    name: str = "tracker"
    Settings: ClassVar[type | None] = None
    lockstep: ClassVar[bool] = False
    is_deterministic: bool = True
    last: Any = None

    @abstractmethod
    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Initialise on `frame` (H, W, 3) uint8 RGB with the target at `box` (4,): x, y, w, h in
        pixels."""

    @abstractmethod
    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) of the target in the next `frame`, float64, x, y, w, h in pixels."""

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,), in frame pixels; what
        was learned of its looks stays. Raises CourseError for a tracker that has no such call."""
        raise CourseError(
            f"tracker {self.name} cannot be told where its target is; expected one with `believe`, "
            "such as mosse, kcf, siamfc or siamrpn"
        )

    def score_map(self) -> np.ndarray | None:
        """Scores (h, w) of the places compared in the last call, its `last.response`; None if there
        is no such map."""
        return getattr(self.last, "response", None)

    def fork(self) -> Self:
        """A copy that goes its own way: what one of the two sees, the other does not learn.

        Arrays and networks are shared until one of the two replaces them. So a tracker replaces
        what it learns and changes no array in place; one that does copies it here.
        """
        return copy.copy(self)

    def ask(self, frame: np.ndarray, box: ArrayLike) -> tuple[np.ndarray, float]:
        """What the tracker would find in `frame` (H, W, 3) if its target had last been at `box`
        (4,): a box (4,), and how sure it is of it. The tracker itself stays as it is."""
        box, other = np.asarray(box, dtype=np.float64), self.fork()
        other.believe(box[:2] + box[2:] / 2, box[2:])
        return other.update(frame), confidence_of(other)


def confidence_of(tracker: Tracker) -> float:
    """How sure a tracker is of its last box, its `last.score`, in units of its own; NaN if it does
    not say."""
    return float(getattr(tracker.last, "score", math.nan))


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
