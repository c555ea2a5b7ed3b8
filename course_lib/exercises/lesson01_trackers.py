"""Checks of lesson 01: the first tracker, the protocol."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.evaluation import otb
from course_lib.evaluation.results import Result
from course_lib.exercises.compare import as_array, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.words import Wrong
from course_lib.trackers.base import Tracker
from course_lib.trackers.baselines import StayPut


def _stays(init):
    """A mistake: a tracker that stays put, with this `init` (self, frame, box)."""
    kind = type("Mine", (), {"box": None, "init": init, "update": lambda self, frame: self.box})
    return lambda right: kind()


@check(
    "trackers.stay_put",
    reference=StayPut,
    others={
        "share one box": _stays(lambda self, frame, box: setattr(type(self), "box", box.copy())),
        "Keep a copy": _stays(lambda self, frame, box: setattr(self, "box", box)),
        "start afresh": _stays(
            lambda self, frame, box: setattr(
                self, "box", box.copy() if self.box is None else self.box
            )
        ),
        "`init` returns something": _stays(lambda self, frame, box: box),
    },
)
def examine_stay_put(answer, rng) -> None:
    """A tracker that always returns the first box."""
    frame = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    first, second = np.array([3.0, 4, 10, 12]), np.array([20.0, 8, 9, 7])
    tracker = answer()
    if tracker.init(frame, first.copy()) is not None:
        raise Wrong("`init` returns something; it only remembers the box, `update` returns boxes")
    given = as_array(tracker.update(frame), (4,), "the box from `update`")
    require_close(
        given, first, "the box from `update`", hint="it should be the box given to `init`"
    )
    own = first.copy()
    tracker.init(frame, own)
    own += 5
    if not same(tracker.update(frame), first):
        raise Wrong(
            "your tracker keeps the caller's array itself: when the caller changes it later your "
            "box moves. Keep a copy"
        )
    tracker.init(frame, second)
    require_close(
        tracker.update(frame),
        second,
        "after a second `init` the box",
        hint="start afresh at each `init`",
    )
    other = answer()
    other.init(frame, first)
    if not same(tracker.update(frame), second):
        raise Wrong("two of your trackers share one box: keep it on `self`, not on the class")


class Spy(Tracker):
    """Records what a protocol does to it and answers with boxes that cannot be guessed."""

    def __init__(self, answers: np.ndarray) -> None:
        self.answers, self.calls = answers, []

    def init(self, frame, box) -> None:
        """Record the frame's number (its first pixel) and the box."""
        self.calls.append(("init", int(frame[0, 0, 0]), np.array(box, dtype=float)))

    def update(self, frame) -> np.ndarray:
        """The next answer."""
        self.calls.append(("update", int(frame[0, 0, 0]), None))
        return self.answers[(len(self.calls) - 1) % len(self.answers)].copy()


def _helped(right, tracker, sequence):
    """A mistake: the tracker is given the true box in every frame."""

    def update(frame):
        tracker.init(frame, sequence.boxes[int(frame[0, 0, 0])])
        return tracker.update(frame)

    return right(SimpleNamespace(init=tracker.init, update=update), sequence)


def _asked_at_once(right, tracker, sequence):
    """A mistake: `update` is called on frame 0."""

    def init(frame, box):
        tracker.init(frame, box)
        tracker.update(frame)

    return right(SimpleNamespace(init=init, update=tracker.update), sequence)


@check(
    "protocol.ope",
    reference=otb.track,
    others={
        "`init` was called 7 times": _helped,
        "`update` was called on frame 0 too": _asked_at_once,
        "rows 1 … of the result": lambda right, tracker, sequence: Result(
            sequence.boxes, right(tracker, sequence).seconds
        ),
        "expected Result(boxes, seconds)": lambda right, *given: right(*given).boxes,
    },
)
def examine_ope(answer, rng) -> None:
    """One pass over a sequence."""
    T = 7
    frames = [np.full((30, 40, 3), t, dtype=np.uint8) for t in range(T)]
    sequence = Sequence("spied", ArrayFrames(frames), random_boxes(rng, T))
    spy = Spy(random_boxes(rng, T))
    result = answer(spy, sequence)
    _check_calls(spy, sequence)
    if not isinstance(result, Result):
        raise Wrong(
            f"the result is of type {type(result).__name__}; expected Result(boxes, seconds)"
        )
    given = as_array(result.boxes, (T, 4), "the result's boxes")
    require_close(
        given[0],
        sequence.boxes[0],
        "row 0 of the result",
        hint="it is the box the tracker started with",
    )
    require_close(
        given[1:],
        spy.answers[1:],
        "rows 1 … of the result",
        hint="row t is what `update` returned for frame t",
    )


def _check_calls(spy: Spy, sequence: Sequence) -> None:
    T = len(sequence)
    inits = [(frame, box) for kind, frame, box in spy.calls if kind == "init"]
    if len(inits) != 1:
        raise Wrong(
            f"`init` was called {len(inits)} times; one pass starts the tracker once and never "
            "helps it again"
        )
    if inits[0][0] != 0 or not same(inits[0][1], sequence.boxes[0]):
        raise Wrong("`init` should get frame 0 and the true box of frame 0")
    seen = [frame for kind, frame, _ in spy.calls if kind == "update"]
    if seen == list(range(T)):
        raise Wrong(
            "`update` was called on frame 0 too; the tracker has just been given the box "
            "of that frame"
        )
    if seen != list(range(1, T)):
        raise Wrong(
            f"`update` was called on frames {seen}; expected 1 to {T - 1}, each once and in order"
        )
