"""One pass over frames seen once: track, draw and write each before the next is decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from course_lib.data.video import TimedFrame
from course_lib.errors import DataError
from course_lib.evaluation.results import Result
from course_lib.evaluation.video import VideoWriter, annotate
from course_lib.trackers.base import Tracker


class Step(NamedTuple):
    """A frame (H, W, 3), the tracker's box (4,) in it, and the seconds that the tracker took."""

    moment: TimedFrame
    frame: np.ndarray
    box: np.ndarray
    seconds: float


def follow(
    tracker: Tracker, moments: Iterable[TimedFrame], box: np.ndarray, said: list[str]
) -> Iterator[Step]:
    """Track frame by frame.

    Args:
        tracker: not started yet.
        moments: the frames, beginning with the one that the box is for.
        box: (4,) the target in the first of them.
        said: gets a sentence if a frame cannot be read; the run ends before it.

    Raises DataError if the first frame cannot be read or the box does not fit it.
    """
    for k, moment in enumerate(moments):
        try:
            frame = moment.read()
        except (DataError, OSError) as problem:
            if k == 0:
                raise
            said.append(f"the frames from {moment.number} on are left out: {problem}")
            return
        began = time.perf_counter()
        given = tracker.update(frame) if k else tracker.init(frame, box.copy())
        seconds = time.perf_counter() - began
        # a copy: the steps are kept, and a tracker may go on changing its own box
        yield Step(moment, frame, np.array(given if k else box, dtype=np.float64), seconds)


def write_steps(
    writer: VideoWriter,
    steps: Iterable[Step],
    describe: Callable[[Step], tuple[np.ndarray | None, str]],
    said: list[str],
) -> Result:
    """Draw and write each step; returns the boxes and seconds of those that were written.

    Args:
        writer: of the video.
        steps: at least one.
        describe: step → its true box (4,) or None, and its line of text.
        said: gets a sentence if the user stops the run; what was written until then is kept.
    """
    boxes, seconds = [], []
    first = None
    try:
        for step in steps:
            first = step.moment.seconds if first is None else first
            truth, text = describe(step)
            image = annotate(step.frame, step.box, truth, text)
            boxes.append(step.box)
            seconds.append(step.seconds)
            writer.add(image, step.moment.seconds - first)
    except KeyboardInterrupt:
        if not writer.count:
            raise
        said.append(f"stopped by hand; the {writer.count} frames tracked so far are kept")
    return Result(np.array(boxes[: writer.count]), np.array(seconds[: writer.count]))
