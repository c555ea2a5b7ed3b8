"""The aspect response of a tracker: mark the target with a box of another shape, or stretch what is
seen, and see which shape is found.

The EPFL report remarks that SiamRPN uses the exemplar's box only to cut the exemplar: its aspect
ratio w / h is lost. Two fitted lines test this remark, each like the size response's
(`analysis.size_response`): log(found / true aspect) = g · log k + b.

- `marked`: the box in the first frame has k times the true aspect and cuts the same exemplar. A
  network that follows the mark has a gain of 1; one that cannot know it, 0.
- `seen`: later frames are stretched, so that the target in them has k times its aspect. A network
  that measures what it sees has a gain of 1; one that repeats what it learned, 0.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike

from course_lib.analysis.size_response import NEAR, SizedTracker
from course_lib.errors import DataError
from course_lib.geometry.windows import context_side

# k: evenly spaced on a logarithmic scale
ASPECTS = (0.5, 0.71, 1.0, 1.41, 2.0)
LOOKS = 4  # frames of each sequence, evenly spaced


class ShapedTracker(SizedTracker, Protocol):
    """What the measurement needs of a tracker; SiamRPN's has it."""

    def found(self) -> np.ndarray:
        """The box (4,) found in the last frame, before any smoothing."""


def with_aspect(box: ArrayLike, k: float) -> np.ndarray:
    """A box (4,) with k times the aspect ratio, the same centre, and the same context: exactly the
    same crop is cut around it."""
    box = np.asarray(box, dtype=np.float64)
    size = box[2:] * [math.sqrt(k), 1 / math.sqrt(k)]  # (2,)
    size *= context_side(box[2:]) / context_side(size)
    return np.concatenate([box[:2] + box[2:] / 2 - size / 2, size])


def stretched(frame: np.ndarray, box: ArrayLike, k: float) -> tuple[np.ndarray, np.ndarray]:
    """A frame (H, W, 3) resized to √k times its width and 1 / √k times its height, and the box
    (4,) in it."""
    height, width = frame.shape[:2]
    size = max(1, round(width * math.sqrt(k))), max(1, round(height / math.sqrt(k)))
    ratio = np.array(size) / (width, height)  # (2,)
    new = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if k != 1 else cv2.INTER_LINEAR)
    return new, np.asarray(box, dtype=np.float64) * np.tile(ratio, 2)


def marked_aspects(
    tracker: ShapedTracker, frames: Any, boxes: np.ndarray, search_too: bool = False
) -> np.ndarray:
    """log(found / true aspect) for each frame and k, (F, K), if the first box has k times the true
    aspect.

    Args:
        tracker: put on the true place in each frame.
        frames: of the sequence, (H, W, 3) each.
        boxes: (T, 4), the true ones; frames where the target is absent are left out.
        search_too: whether the tracker goes on believing in the marked shape, as it does in
            tracking; else it is told the true one.

    Raises:
        DataError: the target is visible in fewer than two frames.
    """
    (start, first), *later = _views(frames, boxes)
    logs = np.full((len(later), len(ASPECTS)), np.nan)  # (F, K)
    for j, k in enumerate(ASPECTS):
        tracker.init(start, with_aspect(first, k))
        for row, (frame, true) in zip(logs, later, strict=True):
            told = with_aspect(true, k) if search_too else true
            row[j] = _found(tracker, frame, told[2:], true)
    return logs


def seen_aspects(tracker: ShapedTracker, frames: Any, boxes: np.ndarray) -> np.ndarray:
    """log(found / true aspect) for each frame and k, (F, K), if the frames after the first are
    stretched by k; "true" is before the stretching.

    Args:
        tracker: put on the true place in each frame, and told the true size.
        frames: of the sequence, (H, W, 3) each.
        boxes: (T, 4), the true ones; frames where the target is absent are left out.

    Raises:
        DataError: the target is visible in fewer than two frames.
    """
    (start, first), *later = _views(frames, boxes)
    tracker.init(start, first)
    logs = np.full((len(later), len(ASPECTS)), np.nan)  # (F, K)
    for row, (frame, true) in zip(logs, later, strict=True):
        for j, k in enumerate(ASPECTS):
            image, box = stretched(frame, true, k)
            # of the stretched target, then against the one before
            row[j] = _found(tracker, image, box[2:], box) + math.log(_aspect(box) / _aspect(true))
    return logs


def _views(frames: Any, boxes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first frame with a target, and those to look at, each with its box (4,)."""
    visible = np.flatnonzero(np.isfinite(boxes).all(-1) & (boxes[:, 2:] > 0).all(-1))
    if len(visible) < 2:
        raise DataError(
            f"the target is visible in {len(visible)} frames; expected at least two, one to start "
            "on and one to measure"
        )
    few = np.linspace(1, len(visible) - 1, min(LOOKS, len(visible) - 1)).round().astype(int)
    return [(frames[at], boxes[at]) for at in (visible[0], *visible[few])]


def _found(tracker: ShapedTracker, frame: np.ndarray, told: np.ndarray, true: np.ndarray) -> float:
    """log(found / true aspect); NaN where the box found is not on the target."""
    centre = true[:2] + true[2:] / 2  # (2,)
    tracker.believe(centre, told)
    tracker.update(frame)
    found = tracker.found()  # (4,)
    off = np.abs(found[:2] + found[2:] / 2 - centre) / true[2:]  # (2,)
    return math.log(_aspect(found) / _aspect(true)) if (off < NEAR).all() else math.nan


def _aspect(box: np.ndarray) -> float:
    """w / h of a box (4,)."""
    return float(box[2] / box[3])
