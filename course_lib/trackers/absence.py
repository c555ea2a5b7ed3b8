"""A tracker that says "not there": its box counts only while it is sure enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from course_lib.trackers.base import Tracker, confidence_of


class ReportsAbsence(Tracker):
    """Any tracker, whose target is reported absent, four NaN, where its confidence is too low.

    The tracker itself is not touched: it goes on searching, and learning, as it would alone. A
    confidence that is NaN counts as sure. Protocols that count absence take such boxes, see
    `evaluation.protocol.Protocol.absence`; `redetection.py` also searches for what is lost.

    Args:
        tracker: the tracker itself.
        below: confidence below which its target is absent, in the tracker's own units.
    """

    def __init__(self, tracker: Tracker, below: float) -> None:
        self.tracker, self.below = tracker, below
        self.name, self.is_deterministic = tracker.name, tracker.is_deterministic

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start the tracker on the first frame (H, W, 3) and box (4,)."""
        self.tracker.init(frame, box)
        self.last = self.tracker.last

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The tracker's box (4,) in the next frame (H, W, 3), or NaN."""
        box = self.tracker.update(frame)
        self.last = self.tracker.last
        return np.full(4, np.nan) if confidence_of(self.tracker) < self.below else box
