"""The real-time rule, on timetables worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.evaluation.realtime import Realtime, run_realtime
from course_lib.evaluation.vot import FAILURE, INIT, SKIPPED, TRACKED, run_supervised
from course_lib.trackers.base import Tracker


class Echo(Tracker):
    """Returns a box whose x is the number of the frame it saw."""

    def init(self, frame, box):
        self.seen = [0]

    def update(self, frame):
        self.seen.append(int(frame[0, 0, 0]))
        return np.array([float(self.seen[-1]), 0, 5, 5])


def sequence(T: int) -> Sequence:
    frames = [np.full((8, 8, 3), t, dtype=np.uint8) for t in range(T)]
    return Sequence("ticks", ArrayFrames(frames), np.tile([0.0, 0, 5, 5], (T, 1)))


def clock(seconds: float):
    return lambda call: (call(), seconds)


def run(seconds: float, T: int = 10, grace: int = 0):
    tracker = Echo()
    result = run_realtime(tracker, sequence(T), fps=10, grace=grace, clock=clock(seconds))
    return tracker.seen, result.boxes[:, 0].tolist(), result


@pytest.mark.parametrize(
    ("seconds", "seen", "boxes"),
    [
        # 0.1 s per frame: just in time, every frame has its own box
        (0.1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        # 0.2 s: frame 1 (arrives .1) is ready at .3, then frame 3 is the newest, ready at .5, …;
        # the box of frame 1 is in time for frame 2 (due .3), that of frame 3 for frame 4 (due .5)
        (0.2, [0, 1, 3, 5, 7, 9], [0, 0, 1, 1, 3, 3, 5, 5, 7, 7]),
        # 0.25 s: ready at .35 (newest: 3), .60 (6), .85 (8), 1.10: due from frame 3, 5, 8 on
        (0.25, [0, 1, 3, 6, 8], [0, 0, 0, 1, 1, 3, 3, 3, 6, 6]),
    ],
)
def test_the_timetable(seconds, seen, boxes):
    assert run(seconds)[:2] == (seen, boxes)


def test_in_the_grace_frames_a_slow_tracker_misses_nothing():
    seen, boxes, _ = run(0.5, T=6, grace=3)
    assert seen[:4] == [0, 1, 2, 3] and boxes[:4] == [0, 1, 2, 3]
    assert seen[4:] == [4] and boxes[4:] == [3, 3]


def test_frames_never_seen_have_no_seconds():
    seen, _, result = run(0.2)
    assert np.flatnonzero(np.isfinite(result.seconds)).tolist() == seen


def test_a_fast_tracker_gets_what_one_pass_gets():
    from course_lib.evaluation.otb import track

    assert np.array_equal(run(0.001)[2].boxes, track(Echo(), sequence(10)).boxes)


@pytest.mark.parametrize("grace", [0, 3])
@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.25])
def test_a_late_box_is_the_one_that_was_returned_and_not_what_its_array_holds_later(seconds, grace):
    class InPlace(Echo):
        def init(self, frame, box):
            self.seen, self.box = [0], np.array(box)

        def update(self, frame):
            self.box[:] = super().update(frame)
            return self.box

    own = run_realtime(InPlace(), sequence(10), fps=10, grace=grace, clock=clock(seconds))
    assert own.boxes[:, 0].tolist() == run(seconds, grace=grace)[1]


def test_vot_in_real_time_counts_the_box_there_is_when_the_next_frame_arrives():
    """The target moves by its own width each frame. A tracker that is in time is right; one that
    takes two frames for each returns a box one frame old, which no longer touches the target: it
    fails, and is restarted five frames later."""

    class Perfect(Tracker):
        def init(self, frame, box):
            pass

        def update(self, frame):
            return np.array([5.0 * frame[0, 0, 0], 0, 5, 5])

    frames = [np.full((8, 100, 3), t, dtype=np.uint8) for t in range(12)]
    boxes = np.array([[5.0 * t, 0, 5, 5] for t in range(12)])
    sequence = Sequence("moves", ArrayFrames(frames), boxes)
    fast = run_supervised(lambda: Realtime(Perfect(), 10, 0, clock(0.05)), sequence)
    assert fast.codes.tolist() == [INIT] + [TRACKED] * 11 and np.allclose(fast.overlaps, 1)
    slow = run_supervised(lambda: Realtime(Perfect(), 10, 0, clock(0.2)), sequence)
    assert slow.codes.tolist() == [INIT, FAILURE, *[SKIPPED] * 4, INIT, FAILURE, *[SKIPPED] * 4]
    graced = run_supervised(lambda: Realtime(Perfect(), 10, 3, clock(0.2)), sequence)
    assert graced.codes.tolist()[:5] == [INIT, TRACKED, TRACKED, TRACKED, FAILURE]
