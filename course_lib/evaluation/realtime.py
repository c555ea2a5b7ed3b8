"""The real-time rule of VOT: frames arrive at a fixed rate, and a tracker that is late misses some.

Kristan et al.: The Visual Object Tracking VOT2017 Challenge Results, ICCVW 2017: 20 frames a
second, and a grace of three frames after each start.

While a tracker is busy, frames go by; its last box counts for them. When it is free again, it gets
the newest frame.

This is the course's own reading of the paper; the numbers of VOT's toolkits differ. VOT2017's in
MATLAB spends the first of the three frames of grace on the start itself, rounds a late box to the
nearest frame, and starts anew from the frame at which a failed tracker answered; the later one in
Python forgives up to one frame of delay and takes the rate of the sequence.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.sequence import Sequence
from course_lib.evaluation.otb import checked_box
from course_lib.evaluation.results import Result
from course_lib.trackers.base import Tracker

Clock = Callable[[Callable[[], object]], tuple[object, float]]


def stopwatch(call: Callable[[], object]) -> tuple[object, float]:
    """What `call` returns, and the seconds it took."""
    start = time.perf_counter()
    value = call()
    return value, time.perf_counter() - start


class Realtime(Tracker):
    """A tracker under the rule: frame t arrives at t / fps seconds, and its box is due when the
    next frame arrives.

    A box that is finished later counts for the frames due from then on. During the first `grace`
    frames after the start, time stands still: the tracker sees each of them, however slow it is.
    Reading frames costs no time. Under `vot.run_supervised` this is the protocol of VOT's real-time
    challenges, as the paper describes it.

    Args:
        tracker: the tracker itself.
        clock: measures a call; tests pass their own.

    Attributes:
        spent: seconds of the last call, NaN for a frame the tracker never saw.
    """

    def __init__(
        self, tracker: Tracker, fps: float = 20.0, grace: int = 3, clock: Clock = stopwatch
    ) -> None:
        self.tracker, self.fps, self.grace, self.clock = tracker, fps, grace, clock
        self.name = tracker.name

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start the tracker; its clock starts when the `grace` frames are over."""
        self.box = np.array(box, dtype=np.float64)  # the box that counts now
        _, self.spent = self.clock(lambda: self.tracker.init(frame, box))
        self.waiting: list[tuple[float, np.ndarray]] = []  # when a box is ready, and the box
        self.free, self.t = 0.0, 0

    def update(self, frame: np.ndarray) -> np.ndarray:
        """What the tracker gave, a box (4,), that counts when the next frame arrives."""
        self.t += 1
        self.spent = float("nan")
        # a tracker that becomes free takes the newest frame: this one, if no newer one has arrived
        if self.t <= self.grace or np.floor(self.free * self.fps + 1e-9) <= self.t:
            given, self.spent = self.clock(lambda: self.tracker.update(frame))
            # a copy, since the tracker may change its own box in a later frame, and not yet as
            # numbers, so that whoever checks it can show what was given
            box = deepcopy(given)
            if self.t <= self.grace:
                self.box = box
                return self.box
            self.free = max(self.t / self.fps, self.free) + self.spent
            self.waiting.append((self.free, box))
        while self.waiting and self.waiting[0][0] * self.fps <= self.t + 1 + 1e-9:
            self.box = self.waiting.pop(0)[1]
        return self.box


def run_realtime(
    tracker: Tracker,
    sequence: Sequence,
    fps: float = 20.0,
    grace: int = 3,
    clock: Clock = stopwatch,
) -> Result:
    """One pass over a sequence under the real-time rule.

    Args:
        tracker, fps, grace, clock: as in `Realtime`.
        sequence: what to run on.

    Returns:
        The boxes that counted when they were due; seconds are NaN for frames the tracker never saw.

    Raises:
        DataError: naming sequence and frame, if what counts there is not four finite numbers.
    """
    late = Realtime(tracker, fps, grace, clock)
    late.init(sequence.frames[0], sequence.boxes[0].copy())
    boxes, seconds = [sequence.boxes[0]], [late.spent]
    for t in range(1, len(sequence)):
        boxes.append(checked_box(late.update(sequence.frames[t]), tracker, sequence, t))
        seconds.append(late.spent)
    return Result(np.array(boxes), np.array(seconds))
