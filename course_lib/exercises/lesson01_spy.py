"""Frames and a tracker that note what a protocol does to them."""

from __future__ import annotations

import time

import numpy as np

from course_lib.data.frames import Frames
from course_lib.exercises.lesson01_clock import READING, Event
from course_lib.exercises.words import Wrong
from course_lib.trackers.base import Tracker

CALLS = (0.003, 0.005, 0.002, 0.006, 0.0035, 0.0045)  # seconds of the tracker's calls in turn


class SlowFrames(Frames):
    """T frames that take time to read, and note it in a log; the lowest colour value of frame t is
    t.

    Args:
        count: T, up to 60.
        log: where readings are noted.
        slow: whether to take time.
    """

    def __init__(self, count: int, log: list[Event], slow: bool = True) -> None:
        self.count, self.log, self.slow = count, log, slow

    def __len__(self) -> int:
        return self.count

    def _read(self, index: int) -> np.ndarray:
        began = time.perf_counter()
        if self.slow:
            time.sleep(READING)
        self.log.append(Event(False, began, time.perf_counter()))
        return coloured(index)


def coloured(index: int) -> np.ndarray:
    """Frame number `index` (30, 40, 3): red, green and blue differ."""
    return np.full((30, 40, 3), (index, 100 + index, 255 - index), dtype=np.uint8)


class Spy(Tracker):
    """Records what a protocol does to it, takes its time, and answers with boxes that cannot be
    guessed, in one array that it writes into each time.

    Args:
        answers: (T, 4) the boxes; number t in answer to frame t.
        log: where calls are noted.
        slow: whether to take time.
    """

    def __init__(self, answers: np.ndarray, log: list[Event], slow: bool = True) -> None:
        self.answers, self.calls, self.log, self.slow = answers, [], log, slow
        self.own = np.zeros(4)

    def init(self, frame, box) -> None:
        """Record the frame's number and the box."""
        self._note("init", frame, np.array(box, dtype=float))

    def update(self, frame, *more) -> np.ndarray:
        """The next answer."""
        if more:
            raise Wrong(
                "`update` gets the next frame and nothing else: one pass runs to the end without "
                "help"
            )
        self._note("update", frame, None)
        self.own[:] = self.answers[(len(self.calls) - 1) % len(self.answers)]
        return self.own

    def __deepcopy__(self, memo: dict) -> Spy:
        raise Wrong("your function copies the tracker; run the one that it was given")

    def __copy__(self) -> Spy:
        return self.__deepcopy__({})

    def _note(self, kind: str, frame: np.ndarray, box: np.ndarray | None) -> None:
        began = time.perf_counter()
        if self.slow:
            time.sleep(CALLS[len(self.calls) % len(CALLS)])
        self.calls.append((kind, number_of(frame, kind), box))
        self.log.append(Event(True, began, time.perf_counter()))


def number_of(frame: np.ndarray, call: str) -> int:
    """A frame's number; raises Wrong unless it is as it was read.

    Args:
        frame: what the tracker was given.
        call: "init" or "update".
    """
    given = np.asarray(frame)
    if given.shape != (30, 40, 3):
        raise Wrong(
            f"`{call}` gets a frame of shape {given.shape}; the frame as read has (30, 40, 3): "
            "hand frames over as they are"
        )
    if given.dtype != np.uint8:
        raise Wrong(
            f"`{call}` gets a frame of {given.dtype}; the frame as read is of uint8, 0 to 255: "
            "hand frames over as they are"
        )
    number = int(given.min())
    if np.array_equal(given, coloured(number)[..., ::-1]):
        raise Wrong(
            f"`{call}` gets a frame whose colours are in the order blue, green, red: hand frames "
            "over as they are read"
        )
    if not np.array_equal(given, coloured(number)):
        raise Wrong(f"`{call}` gets a frame that is not as it was read: hand it over as it is")
    return number
