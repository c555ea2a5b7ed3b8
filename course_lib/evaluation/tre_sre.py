"""OTB's protocols of robustness: started at other times (TRE), and from shifted boxes (SRE).

Wu, Lim, Yang: Object Tracking Benchmark, PAMI 2015; frames and boxes are exactly those of the
authors' MATLAB toolkit, `splitSeqTRE.m` and `shiftInitBB.m`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.sequence import Sequence
from course_lib.evaluation.otb import track
from course_lib.evaluation.results import Result
from course_lib.geometry.boxes import as_boxes, is_valid
from course_lib.trackers.base import Tracker

Factory = Callable[[], Tracker]


def tre_starts(
    truth: ArrayLike, omitted: np.ndarray | None = None, segments: int = 20
) -> list[int]:
    """Frames on which the passes of TRE start (0-based); the first is OPE's.

    As in the MATLAB toolkit, candidates are the frames whose true box begins inside the frame, up
    to the last that leaves 20 frames, itself included, to run on; the starts are evenly spread over
    them, and every pass runs to the END of the sequence. A short sequence has fewer starts.

    Args:
        truth: (T, 4) the true boxes.
        omitted: (T,) bool, frames that do not count.
        segments: how many passes; 20 in the paper.
    """
    truth = as_boxes(truth)
    usable = is_valid(truth) & (truth[:, :2] > -1).all(1)  # above 0 where counting begins at 1
    if omitted is not None:
        usable &= ~np.asarray(omitted, dtype=bool)
    candidates = np.flatnonzero(usable)  # 0-based frames
    # the toolkit's index of the last allowed candidate, from 1: floor(1 : E/(n-1) : E), then E
    E = max(int((len(truth) - candidates >= 20).sum()), 1)
    # (segments - 1,)
    steps = np.floor(1 + np.arange(segments - 1) * (E / (segments - 1))).astype(int)
    positions = sorted({int(p) for p in steps if p <= E} | {E})
    return [int(candidates[p - 1]) for p in positions] if len(candidates) else []


def tre(make: Factory, sequence: Sequence, segments: int = 20) -> list[tuple[int, Result]]:
    """Temporal robustness: (start frame, result of the pass that starts there) for each start.

    Args:
        make: makes a fresh tracker.
        sequence: what to run on.
        segments: how many passes, see `tre_starts`.
    """
    starts = tre_starts(sequence.boxes, sequence.omitted, segments)
    return [(start, track(make(), sequence, start)) for start in starts]


def sre_boxes(box: ArrayLike, height: int, width: int) -> dict[str, np.ndarray]:
    """The twelve first boxes (4,) of SRE by the toolkit's names.

    Four shifts by a tenth keep the size. Four more move one corner outward by a tenth, so the box
    grows. Four scale it about its centre. Rounding and clipping as in the MATLAB toolkit, which
    counts from 1: what is scaled or moved by a tenth is put on whole pixels, and a box that begins
    outside the frame is moved to its edge and keeps its size.

    Args:
        box: (4,) the true box.
        height: rows of the frame.
        width: its columns.
    """
    x, y, w, h = as_boxes(box) + np.array([1, 1, 0, 0])  # counted from 1
    dx, dy = 0.1 * w, 0.1 * h
    step_x, step_y = np.ceil(dx), np.ceil(dy)
    right, bottom = x + w - 1, y + h - 1  # last pixels
    further_left, further_up = _whole(x - dx), _whole(y - dy)
    further_right, further_down = _whole(right + dx), _whole(bottom + dy)
    shifted = {
        "left": (x - step_x, y, w, h),
        "right": (x + step_x, y, w, h),
        "up": (x, y - step_y, w, h),
        "down": (x, y + step_y, w, h),
        "topLeft": _between(further_left, further_up, right, bottom),
        "topRight": _between(x, further_up, further_right, bottom),
        "bottomLeft": _between(further_left, y, right, further_down),
        "bottomRight": _between(x, y, further_right, further_down),
    }
    for name, scale in (("scale_8", 0.8), ("scale_9", 0.9), ("scale_11", 1.1), ("scale_12", 1.2)):
        cx, cy = x + w / 2, y + h / 2  # of the area: the first pixel begins at x
        scaled = cx - scale * w / 2, cy - scale * h / 2, scale * w, scale * h
        shifted[name] = tuple(map(_whole, scaled))
    return {name: _inside(values, height, width) for name, values in shifted.items()}


def _whole(value: float) -> float:
    """Rounded as MATLAB does: halves away from 0."""
    return float(np.copysign(np.floor(abs(value) + 0.5), value))


def _between(
    left: float, top: float, right: float, bottom: float
) -> tuple[float, float, float, float]:
    """The box from its first to its last pixel, both counted."""
    return left, top, right - left + 1, bottom - top + 1


def _inside(box: tuple[float, ...], height: int, width: int) -> np.ndarray:
    """A box counted from 1, clipped to the frame: 0-based, (4,)."""
    x, y, w, h = box
    x, y = max(x, 1.0), max(y, 1.0)
    right, bottom = min(x + w - 1, width), min(y + h - 1, height)
    return np.array([x - 1, y - 1, max(right - x + 1, 1.0), max(bottom - y + 1, 1.0)])


def sre(make: Factory, sequence: Sequence) -> dict[str, Result]:
    """Spatial robustness: the result of a whole pass from each of `sre_boxes`, by its name."""
    height, width = sequence.frames[0].shape[:2]
    return {
        name: track(make(), sequence, box=box)
        for name, box in sre_boxes(sequence.boxes[0], height, width).items()
    }
