"""TraX, the Visual Tracking eXchange protocol: an evaluation program hands a tracker frames one by
one, and gets a box for each.

Čehovin: TraX: The visual Tracking eXchange Protocol and Library, Neurocomputing 2017; version 1 of
the protocol, which every later client speaks too. The tracker is the server, the evaluation program
its client. Each message is one line, in quotes, with a prefix; all other lines are the program's
own output and are skipped:

    tracker →  @@TRAX:hello "trax.version=1" "trax.image=path;memory;buffer;" …
            ←  @@TRAX:initialize "file:///clips/dog/0001.jpg" "120.0,80.0,40.0,60.0"
    tracker →  @@TRAX:state "120.0000,80.0000,40.0000,60.0000"
            ←  @@TRAX:frame "file:///clips/dog/0002.jpg"
    tracker →  @@TRAX:state "121.0000,80.0000,40.0000,60.0000" "confidence=18.2"
            ←  @@TRAX:quit

Boxes are x, y, w, h in pixels, counted from 0, as in the course.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence as Items
from typing import BinaryIO

import numpy as np

from course_lib.errors import CourseError, DataError
from course_lib.evaluation.trax_messages import IMAGES, Message, box_of, image_of, parse_message
from course_lib.trackers.base import Tracker, confidence_of


def state_of(box: np.ndarray, score: float) -> Message:
    """The message for a box (4,) and how sure the tracker is of it; an absent target, a box of NaN,
    is a rectangle without area, and a confidence of NaN is left out."""
    numbers = np.zeros(4) if np.isnan(box).any() else np.asarray(box, dtype=np.float64)
    text = ",".join(f"{number:.4f}" for number in numbers)
    said = {} if math.isnan(score) else {"confidence": f"{score:.6g}"}
    return Message("state", (text,), said)


def serve(
    make: Callable[[], Tracker], name: str, lines: BinaryIO, send: Callable[[bytes], object]
) -> int:
    """Answer a client until it quits or its stream ends; returns the number of frames tracked.

    Args:
        make: makes a tracker, a fresh one for each start.
        name: of the tracker, for the client.
        lines: what the client sends.
        send: sends bytes to it at once.

    Raises:
        CourseError: if what the client sent is not understood or cannot be tracked; the client
            has been told.
    """
    hello = {"version": "1", "name": name, "identifier": name, "image": IMAGES}
    about = {f"trax.{key}": text for key, text in {**hello, "region": "rectangle;"}.items()}
    send(Message("hello", (), about).line().encode())
    tracker, count = None, 0
    try:
        for line in lines:
            message = parse_message(line.decode("utf-8", "surrogateescape"))
            if message is None:
                continue
            if message.kind == "quit":
                break
            tracker, answer = _answer(message, tracker, make)
            count += 1
            send(answer.line().encode())
    except CourseError as problem:
        send(Message("quit", (), {"trax.reason": str(problem)}).line().encode("utf-8", "replace"))
        raise
    return count


def _answer(
    message: Message, tracker: Tracker | None, make: Callable[[], Tracker]
) -> tuple[Tracker, Message]:
    """The tracker after a message of the client, and what to answer."""
    if message.kind == "initialize":
        image, region = _arguments(message, 2)
        tracker, box = make(), box_of(region)
        tracker.init(image_of(image), box)
        return tracker, state_of(box, math.nan)
    if message.kind != "frame":
        raise DataError(
            f"the client sent {message.kind!r}; expected initialize, frame or quit of TraX"
        )
    if tracker is None:
        raise DataError("the client sent a frame before initialize; expected an image and a box")
    box = tracker.update(image_of(*_arguments(message, 1)))
    return tracker, state_of(box, confidence_of(tracker))


def _arguments(message: Message, count: int) -> Items[str]:
    if len(message.arguments) != count:
        raise DataError(
            f"the client sent {message.kind} with {len(message.arguments)} arguments; expected "
            f"{count}: an image{' and a box' * (count - 1)}. A depth or infrared channel is not "
            "accepted."
        )
    return message.arguments
