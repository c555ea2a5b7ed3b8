"""The real-time rule of VOT: frames arrive at a fixed rate, and a tracker that is late misses some.

While a tracker is busy, frames go by; for them its last box stands. When it is free again it gets the newest frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.evaluation.results import Result
from course_lib.trackers.base import Tracker

Clock = Callable[[Callable[[], object]], tuple[object, float]]


def stopwatch(call: Callable[[], object]) -> tuple[object, float]:
    """What `call` returns, and the seconds it took."""
    start = time.perf_counter()
    value = call()
    return value, time.perf_counter() - start


def run_realtime(
    tracker: Tracker, sequence: Sequence, fps: float = 20.0, grace: int = 3, clock: Clock = stopwatch
) -> Result:
    """One pass in which frame t arrives at t / fps seconds and its box is due when the next frame arrives.

    A box that is finished later serves the frames that are due from then on. In the first `grace` frames after the
    start time stands still: the tracker sees each of them however slow it is. Reading frames costs no time.
    `clock` measures a call; a test gives its own. Seconds are NaN for frames the tracker never saw.
    """
    T = len(sequence)
    boxes, seconds = np.tile(sequence.boxes[0], (T, 1)), np.full(T, np.nan)  # (T, 4), (T,)
    _, seconds[0] = clock(lambda: tracker.init(sequence.frames[0], sequence.boxes[0].copy()))
    now, t = grace / fps, 1
    finished: list[tuple[float, np.ndarray]] = []  # when a box was ready, and the box
    while t < T:
        frame = sequence.frames[t]
        box, seconds[t] = clock(lambda frame=frame: tracker.update(frame))
        if t <= grace:
            boxes[t:] = box
            t += 1
            continue
        now = max(t / fps, now) + seconds[t]
        finished.append((now, np.asarray(box, dtype=np.float64)))
        t = max(t + 1, int(np.floor(now * fps + 1e-9)))  # the newest frame there is when the tracker is free again
    for ready, box in finished:
        first_due = max(int(np.ceil(ready * fps - 1e-9)) - 1, 0)  # the first frame whose box is due at `ready` or later
        boxes[first_due:] = box
    return Result(boxes, seconds)
