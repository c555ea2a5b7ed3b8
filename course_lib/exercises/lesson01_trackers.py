"""Checks of lesson 01: the first tracker, the protocol."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.evaluation import otb
from course_lib.evaluation.results import Result
from course_lib.exercises.compare import as_array, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson00 import random_boxes
from course_lib.exercises.lesson01_clock import (
    SlowFrames,
    Spy,
    moment,
    require_seconds,
    timed_by_processor,
    timed_with_reading,
)
from course_lib.exercises.words import Wrong
from course_lib.trackers.baselines import StayPut


def _stays(
    init: Callable[..., Any], update: Callable[..., Any] = lambda self, frame: self.box
) -> Callable[..., Any]:
    """A mistake: a tracker that stays put, with this `init` (self, frame, box) and `update`."""
    kind = type("Mine", (), {"box": None, "init": init, "update": update})
    return lambda right: kind()


def _keep(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """The right `init`."""
    self.box = box.copy()


def _slide(self: Any, frame: np.ndarray) -> np.ndarray:
    """An `update` that moves the box."""
    self.box += [1, 0, 0, 0]
    return self.box - [1, 0, 0, 0]


def _inside(self: Any, frame: np.ndarray) -> np.ndarray:
    """An `update` that keeps the corner in the frame."""
    return np.maximum(self.box, 0)


def _in_place(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """An `init` that works on what it was given."""
    self.box = box.copy()
    box[2:] += box[:2]


@check(
    "trackers.stay_put",
    reference=StayPut,
    others={
        "share one box": _stays(lambda self, frame, box: setattr(type(self), "box", box.copy())),
        "Keep a copy": [
            _stays(lambda self, frame, box: setattr(self, "box", box)),
            _stays(lambda self, frame, box: setattr(self, "box", np.asarray(box, dtype=float))),
        ],
        "start afresh": _stays(
            lambda self, frame, box: setattr(
                self, "box", box.copy() if self.box is None else self.box
            )
        ),
        "`init` returns something": _stays(lambda self, frame, box: box),
        "whole pixels": [
            _stays(lambda self, frame, box: setattr(self, "box", box.astype(int))),
            _stays(lambda self, frame, box: setattr(self, "box", np.round(box))),
        ],
        "beyond the edge of the frame": _stays(_keep, _inside),
        "the second box": _stays(_keep, _slide),
        "is a `return` missing": _stays(_keep, lambda self, frame: None),
        "`init` changes the box": _stays(_in_place),
        "corners": _stays(_keep, lambda self, frame: self.box + [0, 0, *self.box[:2]]),
    },
)
def examine_stay_put(answer, rng) -> None:
    """A tracker that always returns the first box."""
    frame = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
    first, second = np.array([-3.4, 4.25, 10.7, 12.6]), np.array([20.3, 8.8, 9.1, 7.7])
    tracker, own = answer(), first.copy()
    if tracker.init(frame, own) is not None:
        raise Wrong("`init` returns something; it only remembers the box, `update` returns boxes")
    if not same(own, first):
        raise Wrong("`init` changes the box it was given; the caller still needs it: keep a copy")
    _require_first(tracker.update(frame), first)
    if not same(tracker.update(frame), first):
        raise Wrong("the second box from `update` is another than the first one; it should stay")
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


def _require_first(given: Any, first: np.ndarray) -> None:
    """Raise Wrong unless `update` returned the first box (4,), which reaches beyond the frame."""
    given = as_array(given, (4,), "the box from `update`")
    if same(given, np.trunc(first)) or same(given, np.round(first)):
        raise Wrong("your box is rounded to whole pixels; return it as it was given")
    if same(given, np.maximum(first, 0)):
        raise Wrong(
            "your box is moved or cut where it reaches beyond the edge of the frame; return it as "
            "it was given"
        )
    if same(given, first + [0, 0, *first[:2]]):
        raise Wrong("your box is given by two corners; return x, y, w, h")
    require_close(
        given, first, "the box from `update`", hint="it should be the box given to `init`"
    )


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


def _into_the_truth(right, tracker, sequence):
    """A mistake: the tracker's boxes are written over the true ones."""
    result = right(tracker, sequence)
    sequence.boxes[:] = result.boxes
    return Result(sequence.boxes, result.seconds)


def _with_boxes(change: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    """A mistake: other boxes."""

    def code(right, tracker, sequence):
        result = right(tracker, sequence)
        return Result(change(result.boxes), result.seconds)

    return code


def _with_seconds(change: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    """A mistake: other seconds."""

    def code(right, tracker, sequence):
        result = right(tracker, sequence)
        return Result(result.boxes, change(result.seconds))

    return code


@check(
    "protocol.ope",
    reference=otb.track,
    others={
        "`init` was called 6 times": _helped,
        "`update` was called on frame 0 too": _asked_at_once,
        "rows 1 … of the result": lambda right, tracker, sequence: Result(
            sequence.boxes, right(tracker, sequence).seconds
        ),
        "expected Result(boxes, seconds)": lambda right, *given: right(*given).boxes,
        "expected 1 to 5, each once": lambda right, tracker, sequence: right(
            tracker, sequence.part(0, 5)
        ),
        "expected (6, 4)": lambda right, tracker, sequence: Result(
            right(tracker, sequence).boxes[1:], np.ones(5)
        ),
        "rounded to whole pixels": _with_boxes(np.trunc),
        "row 0 of the result": _with_boxes(lambda boxes: np.roll(boxes, -1, axis=0)),
        "writes into `sequence.boxes`": _into_the_truth,
        "reading": timed_with_reading,
        "time since the start": _with_seconds(np.cumsum),
        "milliseconds": _with_seconds(lambda s: 1000 * s),
        "microseconds": _with_seconds(lambda s: 1e6 * s),
        "nanoseconds": _with_seconds(lambda s: 1e9 * s),
        "frames per second": _with_seconds(lambda s: 1 / s),
        "all 0": _with_seconds(np.zeros_like),
        "`init` is not timed": _with_seconds(lambda s: s * (np.arange(len(s)) > 0)),
        "negative": _with_seconds(np.negative),
        "the same number for every frame": _with_seconds(lambda s: np.full(len(s), s.mean())),
        "belong to the frame": [
            _with_seconds(lambda s: np.roll(s, 1)),
            _with_seconds(lambda s: np.roll(s, -1)),
        ],
        "reading of a clock": _with_seconds(lambda s: 1.7e9 + np.cumsum(s)),
        "shorter than the call": timed_by_processor,
    },
)
def examine_ope(answer, rng) -> None:
    """One pass over a sequence."""
    T, log = 6, [moment()]
    truth = random_boxes(rng, T)
    sequence = Sequence("spied", SlowFrames(T, log), truth.copy())
    spy = Spy(random_boxes(rng, T), log)
    result = answer(spy, sequence)
    log.append(moment())
    _check_calls(spy, truth)
    if not isinstance(result, Result):
        raise Wrong(
            f"the result is of type {type(result).__name__}; expected Result(boxes, seconds)"
        )
    given = as_array(result.boxes, (T, 4), "the result's boxes")
    _check_boxes(given, truth, spy.answers)
    if not same(sequence.boxes, truth):
        raise Wrong(
            "your function writes into `sequence.boxes`, the true boxes; put the tracker's into an "
            "array of their own"
        )
    require_seconds(as_array(result.seconds, (T,), "the result's seconds"), log)


def _check_boxes(given: np.ndarray, truth: np.ndarray, answers: np.ndarray) -> None:
    """Raise Wrong unless row 0 is the first true box and the others (T, 4) the tracker's."""
    right = np.concatenate([truth[:1], answers[1:]])  # (T, 4)
    if any(same(given, rounded(right)) for rounded in (np.trunc, np.round, np.floor)):
        raise Wrong("your boxes are rounded to whole pixels: is their array one of integers?")
    require_close(
        given[0], right[0], "row 0 of the result", hint="it is the box the tracker started with"
    )
    require_close(
        given[1:],
        right[1:],
        "rows 1 … of the result",
        hint="row t is what `update` returned for frame t",
    )


def _check_calls(spy: Spy, truth: np.ndarray) -> None:
    T = len(truth)
    inits = [(frame, box) for kind, frame, box in spy.calls if kind == "init"]
    if len(inits) != 1:
        raise Wrong(
            f"`init` was called {len(inits)} times; one pass starts the tracker once and never "
            "helps it again"
        )
    if inits[0][0] != 0 or not same(inits[0][1], truth[0]):
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
