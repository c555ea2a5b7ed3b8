"""Passes that are not one-pass evaluation: the mistakes of `lesson01_protocol.py`."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.evaluation.results import Result
from course_lib.trackers.base import Tracker

Pass = Callable[[Any, Sequence], Result]  # (tracker, sequence) → result; `right` is the correct one


def helped(right: Pass, tracker: Tracker, sequence: Sequence) -> Result:
    """A mistake: the tracker is given the true box in every frame.

    Args:
        right: the reference.
        tracker, sequence: its inputs.
    """

    def update(frame):
        tracker.init(frame, sequence.boxes[int(frame.min())])
        return tracker.update(frame)

    return right(SimpleNamespace(init=tracker.init, update=update), sequence)


def asked_at_once(right: Pass, tracker: Tracker, sequence: Sequence) -> Result:
    """A mistake: `update` is called on frame 0.

    Args:
        right: the reference.
        tracker, sequence: its inputs.
    """

    def init(frame, box):
        tracker.init(frame, box)
        tracker.update(frame)

    return right(SimpleNamespace(init=init, update=tracker.update), sequence)


def into_the_truth(right: Pass, tracker: Tracker, sequence: Sequence) -> Result:
    """A mistake: the tracker's boxes are written over the true ones.

    Args:
        right: the reference.
        tracker, sequence: its inputs.
    """
    result = right(tracker, sequence)
    sequence.boxes[:] = result.boxes
    return Result(sequence.boxes, result.seconds)


def with_boxes(change: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    """A mistake: other boxes."""

    def code(right, tracker, sequence):
        result = right(tracker, sequence)
        return Result(change(result.boxes), result.seconds)

    return code


def with_seconds(change: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    """A mistake: other seconds."""

    def code(right, tracker, sequence):
        result = right(tracker, sequence)
        return Result(result.boxes, change(result.seconds))

    return code


def passed(change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    """A mistake: the tracker gets other frames."""

    def code(right, tracker, sequence):
        def init(frame, box):
            tracker.init(change(frame), box)

        def update(frame):
            return tracker.update(change(frame))

        return right(SimpleNamespace(init=init, update=update), sequence)

    return code


def own_pass(asked: Callable[[int, Any], bool], again: Callable[[int, Any], bool]) -> Any:
    """A mistake: the tracker is asked only in some frames, or started again in some.

    Args:
        asked: (t, true boxes) → whether `update` is called; else the last box stays.
        again: (t, true boxes) → whether `init` is called instead.
    """

    def code(right, tracker, sequence):
        boxes = sequence.boxes

        def update(frame):
            t = int(frame.min())
            if again(t, boxes):
                tracker.init(frame, boxes[t])
                return boxes[t]
            if asked(t, boxes):
                code.last = np.array(tracker.update(frame))
            return code.last

        code.last = boxes[0]
        return right(SimpleNamespace(init=tracker.init, update=update), sequence)

    return code


def is_away(t: int, boxes: np.ndarray) -> bool:
    """Whether the target is out of view in frame t."""
    return bool(np.isnan(boxes[t, 0]))


def never(t: int, boxes: np.ndarray) -> bool:
    """In no frame."""
    return False


def where_away(value: Callable[[Any], Any]) -> Callable[..., Any]:
    """A mistake: other boxes where the target is away, value(row before)."""

    def code(right, tracker, sequence):
        result = right(tracker, sequence)
        for t in np.flatnonzero(np.isnan(sequence.boxes[:, 0])):
            result.boxes[t] = value(result.boxes[t - 1])
        return result

    return code


def not_copied(right: Pass, tracker: Tracker, sequence: Sequence) -> Result:
    """A mistake: the tracker's arrays are kept, and copied at the end.

    Args:
        right: the reference.
        tracker, sequence: its inputs.
    """
    rows = [sequence.boxes[0]]

    def update(frame):
        rows.append(tracker.update(frame))
        return rows[-1]

    result = right(SimpleNamespace(init=tracker.init, update=update), sequence)
    return Result(np.array(rows), result.seconds)


def with_the_truth(right: Pass, tracker: Tracker, sequence: Sequence) -> Result:
    """A mistake: the tracker is told the true box in passing.

    Args:
        right: the reference.
        tracker, sequence: its inputs.
    """

    def update(frame):
        tracker.box = sequence.boxes[int(frame.min())]
        return tracker.update(frame)

    return right(SimpleNamespace(init=tracker.init, update=update), sequence)
