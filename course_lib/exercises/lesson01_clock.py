"""Are the seconds of a pass those of the tracker's calls? A tracker and frames that take their time
(`lesson01_spy.py`) note when they begin and end, and an answer's seconds must lie between."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.evaluation.results import Result
from course_lib.exercises.words import Wrong

READING = 0.004  # seconds to read a frame
SLACK = 2e-4  # seconds by which two clocks may differ


@dataclass(frozen=True)
class Event:
    """A call that takes time.

    Attributes:
        call: whether the tracker was called; else a frame was read.
        began, ended: on the clock, seconds.
    """

    call: bool
    began: float
    ended: float


def moment() -> Event:
    """Now, as an event that takes no time."""
    now = time.perf_counter()
    return Event(False, now, now)


def require_seconds(seconds: np.ndarray, log: list[Event]) -> None:
    """Raise Wrong unless each of the seconds (T,) can be the duration of the tracker's call.

    A call takes at least the time from its own first step to its last, and at most that from the
    end of what came before to the beginning of what comes next.

    Args:
        seconds: of the answer.
        log: what happened, in order, between a moment before the pass and one after it.
    """
    low, high, wide = bounds(log)
    whole = log[-1].ended - log[0].began
    rising = bool((np.diff(seconds) > 0).all())

    def fits(s: np.ndarray) -> np.ndarray:
        return (s >= low - SLACK) & (s <= high + SLACK)

    if fits(seconds).all():
        return
    with np.errstate(divide="ignore"):
        readings = {  # what was measured instead: whether these seconds are that
            "your seconds are all 0: measure each call": (seconds == 0).all(),
            "your seconds are milliseconds: a difference of `time.perf_counter()` is in seconds": (
                fits(seconds / 1000).all()
            ),
            "your seconds are microseconds: divide by 1e6": fits(seconds / 1e6).all(),
            "your seconds are nanoseconds: divide by 1e9": fits(seconds / 1e9).all(),
            "your seconds are frames per second, 1 over the time of a call; return the time": (
                fits(1 / seconds).all()
            ),
            "your seconds are negative: the later time minus the earlier one": fits(-seconds).all(),
            "`init` is not timed in your version: seconds[0] is the time of that call": (
                fits(seconds)[1:].all() and seconds[0] < low[0] / 2
            ),
            "your seconds do not belong to the frame in their row: seconds[t] is the time of the "
            "call on frame t": (
                fits(np.roll(seconds, -1)).all() or fits(np.roll(seconds, 1)).all()
            ),
            "your seconds are the reading of a clock; take the difference between two readings, "
            "before the call and after it": (rising and seconds[0] > whole > np.ptp(seconds)),
            "your seconds hold the same number for every frame; time each call by itself": (
                np.ptp(seconds) == 0
            ),
            "your seconds are the time since the start of the pass: start the clock anew for each "
            "call": (
                rising and (seconds >= np.cumsum(low) - SLACK).all() and seconds[-1] < whole + SLACK
            ),
            "your seconds include the reading of the frame: read it first, then start the clock": (
                ((seconds >= low + READING - SLACK) & (seconds <= wide + SLACK))[1:].all()
            ),
        }
    for words, is_it in readings.items():
        if is_it:
            raise Wrong(words)
    t = int(np.argmin(fits(seconds)))
    mine = f"seconds[{t}] is {seconds[t]:.4g}"
    if seconds[t] < low[t]:
        raise Wrong(
            f"{mine}, shorter than the call on frame {t}, which took {low[t]:.4g}: read "
            "`time.perf_counter()` before the call and after it (`time.process_time` does not "
            "count waiting)"
        )
    raise Wrong(
        f"{mine}; the call on frame {t} took {low[t]:.4g}, so time that call and nothing else"
    )


def bounds(log: list[Event]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least and greatest time (T,) that a right measurement of each of the tracker's calls has, and
    the greatest (T,) of one that includes the reading before it."""
    low, high, wide, called = [], [], [], log[0].ended
    for i, event in enumerate(log):
        if not event.call:
            continue
        wide.append(log[i + 1].began - called)
        called = event.ended
        low.append(event.ended - event.began)
        high.append(log[i + 1].began - log[i - 1].ended)
    return np.array(low), np.array(high), np.array(wide)


def timed_with_reading(right, tracker, sequence: Sequence) -> Result:
    """A mistake: the clock runs while the frame is read."""
    return _timed(tracker, sequence, time.perf_counter, reading=True)


def timed_by_processor(right, tracker, sequence: Sequence) -> Result:
    """A mistake: the processor's time, which stands still while a call waits."""
    return _timed(tracker, sequence, time.process_time, reading=False)


def _timed(tracker, sequence: Sequence, clock, reading: bool) -> Result:
    """One pass, timed by another clock, or with the reading of frames."""
    boxes, seconds = np.array(sequence.boxes), np.zeros(len(sequence))
    for t in range(len(sequence)):
        began = clock()
        frame = sequence.frames[t]
        began = began if reading else clock()
        if t == 0:
            tracker.init(frame, boxes[0])
        else:
            boxes[t] = tracker.update(frame)
        seconds[t] = clock() - began
    return Result(boxes, seconds)
