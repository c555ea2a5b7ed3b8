"""Small sequences on which a student's tracker runs beside the reference, each made so that another
mistake shows: a target that is hidden, changes its looks, leaves the frame, is small, is large, has
odd sizes, or passes a look-alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.compare import as_array
from course_lib.exercises.trial import Trial
from course_lib.exercises.words import Wrong


@dataclass(frozen=True, eq=False)
class ShortSequence:
    """A short sequence.

    Attributes:
        name: a key of SHORT.
        what: what happens in it, as a clause.
        frames: T frames (H, W, 3) uint8.
        boxes: (T, 4) of the target, x, y, w, h in pixels.
    """

    name: str
    what: str
    frames: list[np.ndarray]
    boxes: np.ndarray


@dataclass(frozen=True)
class Plot:
    """How a sequence is made.

    Attributes:
        what: what happens, as a clause.
        size: of the target, width and height.
        start: of its corner, x, y.
        step: from frame to frame, x, y.
        hidden: frames in which a texture covers it.
        changes: whether it turns into another texture.
        twin: displacement of a look-alike from the target in frame 0, x, y; the look-alike stays.
    """

    what: str
    size: tuple[int, int] = (30, 36)
    start: tuple[int, int] = (60, 50)
    step: tuple[int, int] = (3, 2)
    hidden: tuple[int, ...] = ()
    changes: bool = False
    twin: tuple[int, int] | None = None


SHORT = {
    "plain": Plot("the target moves by the same step in every frame"),
    "odd": Plot("the target's width and height are odd", size=(31, 37)),
    "hidden": Plot("the target is hidden behind a texture in frames 4 to 8", step=(2, 1),
                   hidden=(4, 5, 6, 7, 8)),
    "changing": Plot("the target turns into another texture", changes=True),
    "border": Plot("the target leaves the frame by half", start=(150, 96), step=(3, 2)),
    "alike": Plot("the target passes another one of nearly the same texture", twin=(34, 30)),
    "small": Plot("the target is small", size=(13, 16), step=(1, 1)),
    "fast": Plot("the target moves far in each frame", size=(70, 37), start=(20, 15),
                 step=(23, 10)),
    "large": Plot("the target is large", size=(76, 66), start=(40, 30)),
}  # fmt: skip
HEIGHT, WIDTH, LENGTH = 150, 200, 14


def make_short(name: str, rng: np.random.Generator, length: int = LENGTH) -> ShortSequence:
    """A sequence of SHORT.

    Args:
        name: of the sequence.
        rng: of its textures.
        length: frames.
    """
    plot = SHORT[name]
    w, h = plot.size
    scene = texture(rng, HEIGHT, WIDTH) // 2 + 40
    target, other, cover = (texture(rng, h, w).astype(float) for _ in range(3))
    places = np.array(plot.start) + np.arange(length)[:, None] * plot.step  # (T, 2) x, y
    frames = []
    for t, place in enumerate(places):
        image = scene.copy()
        if plot.twin is not None:
            _paste(image, 0.8 * target + 0.2 * other, np.array(plot.start) + plot.twin)
        fraction = t / (length - 1) if plot.changes else 0.0
        looks = cover if t in plot.hidden else (1 - fraction) * target + fraction * other
        _paste(image, looks, place)
        frames.append(np.repeat(image[..., None], 3, axis=2))
    boxes = np.column_stack([places, np.tile([float(w), float(h)], (length, 1))])  # (T, 4)
    return ShortSequence(name, plot.what, frames, boxes)


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A blotchy grey texture (height, width) uint8.

    Args:
        rng: of its blotches.
        height, width: in pixels.
    """
    coarse = rng.integers(0, 256, (height // 6 + 2, width // 6 + 2), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _paste(image: np.ndarray, looks: np.ndarray, place: np.ndarray) -> None:
    """Put an object into an image, cut off at its border."""
    x, y = (int(v) for v in place)
    h, w = (min(s, room) for s, room in zip(looks.shape, (HEIGHT - y, WIDTH - x), strict=True))
    if h > 0 and w > 0:
        image[y : y + h, x : x + w] = looks[:h, :w].astype(np.uint8)


def run(
    tracker: Any, sequence: ShortSequence, before: Callable[[int], None] = lambda t: None
) -> np.ndarray:
    """The boxes (T − 1, 4) that a tracker returns for the frames after the first; raises Wrong if
    it changes what it is given, or what it has returned.

    Args:
        tracker: to run.
        sequence: to run on.
        before: called with the frame's number before each update.
    """
    frame, first = sequence.frames[0].copy(), sequence.boxes[0].copy()
    tracker.init(frame, first)
    if not np.array_equal(frame, sequence.frames[0]) or not np.array_equal(
        first, sequence.boxes[0]
    ):
        raise Wrong("`init` changes the frame or the box it was given; work on a copy")
    boxes, returned = [], []
    for t in range(1, len(sequence.frames)):
        frame = sequence.frames[t].copy()
        before(t)
        returned.append(tracker.update(frame))
        boxes.append(as_array(returned[-1], (4,), f"the box of frame {t}").copy())
        if not np.array_equal(frame, sequence.frames[t]):
            raise Wrong("`update` changes the frame it was given; work on a copy")
    if not np.array_equal(first, sequence.boxes[0]):
        raise Wrong(
            "`update` changes the box that `init` was given: a slice such as box[2:] is no copy, "
            "and `*=` writes into it; let `init` keep copies"
        )
    for t, (box, now) in enumerate(zip(boxes, returned, strict=True), 1):
        if not np.array_equal(box, as_array(now, (4,), "the box", allow_nan=True)):
            raise Wrong(
                f"the box that `update` returned for frame {t} was changed by later calls: return "
                "a new array each time"
            )
    return np.array(boxes)


def compare_tracks(
    trial: Trial,
    sequences: list[ShortSequence],
    make: Callable[[Any], Any] = lambda tracker: tracker(),
    tolerance: float = 0.05,
) -> None:
    """Raise Wrong if the student's tracker returns other boxes than the reference on one of the
    sequences: with the message of the first mistake that returns the same boxes as the student's on all
    of them, else with the first frame that differs.

    Args:
        trial: the answer, a class of trackers.
        sequences: to run on.
        make: (class) → a tracker.
        tolerance: by how many pixels boxes may differ.
    """
    for sequence in sequences:
        given, right = run(make(trial), sequence), run(make(trial.right), sequence)
        if _agree(given, right, tolerance):
            continue
        others = [other for other in sequences if other is not sequence]
        rest: list[np.ndarray] = []  # the student's boxes on the others, if it comes to them
        for mistake in trial.mistakes:
            if not mistake.compared:
                continue
            wrong = partial(make, lambda *s, m=mistake, **n: m.code(trial.right, *s, **n))
            try:
                made = _retraces(wrong(), sequence, given, tolerance)
                if made and not rest:
                    rest = [run(make(trial), other) for other in others]
                made = made and all(
                    _retraces(wrong(), other, boxes, tolerance)
                    for other, boxes in zip(others, rest, strict=True)
                )
            except Exception:  # a mistake that cannot run on this sequence
                continue
            if made:
                raise Wrong(mistake.words)
        t = int(np.argmax(np.abs(given - right).max(axis=1) > tolerance))
        raise Wrong(
            f"on a sequence in which {sequence.what}, your box in frame {t + 1} is {_text(given[t])}, "
            f"expected {_text(right[t])}"
        )


def _retraces(tracker: Any, sequence: ShortSequence, given: np.ndarray, tolerance: float) -> bool:
    """Whether a tracker returns the given boxes; it is run up to the first that differs.

    Args:
        tracker: with a mistake.
        sequence: to run on.
        given: (T − 1, 4) the student's boxes.
        tolerance: by how many pixels boxes may differ.
    """
    tracker.init(sequence.frames[0].copy(), sequence.boxes[0].copy())
    return all(
        _agree(as_array(tracker.update(frame.copy()), (4,), "the box"), box, tolerance)
        for frame, box in zip(sequence.frames[1:], given, strict=True)
    )


def require_own_state(
    trial: Trial, one: ShortSequence, other: ShortSequence, tolerance: float = 0.05
) -> None:
    """Raise Wrong if two of the student's trackers disturb each other, or if one that has followed
    a target is not as good as new when `init` starts it on another.

    Args:
        trial: the answer, a class of trackers that are right one at a time.
        one, other: sequences to run on, of the same length.
        tolerance: by how many pixels boxes may differ.
    """
    sequences = (one, other)
    alone = [run(trial.right(), sequence) for sequence in sequences]
    pair = trial(), trial()
    for tracker, sequence in zip(pair, sequences, strict=True):
        tracker.init(sequence.frames[0].copy(), sequence.boxes[0].copy())
    for t in range(1, len(one.frames)):
        for tracker, sequence, boxes in zip(pair, sequences, alone, strict=True):
            box = as_array(tracker.update(sequence.frames[t].copy()), (4,), "the box")
            if not _agree(box, boxes[t - 1], tolerance):
                raise Wrong(
                    "two of your trackers, each on a sequence of its own, disturb each other: keep "
                    "what `init` finds out on `self`, not on the class or in a global name"
                )
    if not _agree(run(pair[0], other), alone[1], tolerance):
        raise Wrong(
            "your tracker has followed one target, and `init` starts it on another: its boxes "
            "differ from a new tracker's. Let `init` set everything anew"
        )


def require_own_arrays(trial: Trial, sequence: ShortSequence, tolerance: float = 0.05) -> None:
    """Raise Wrong if the student's tracker returns other boxes when its caller writes into the
    frames and boxes that it has given or got.

    Args:
        trial: the answer, a class of trackers that are right when they are left alone.
        sequence: to run on.
        tolerance: by how many pixels boxes may differ.
    """
    right, tracker = run(trial.right(), sequence), trial()
    frame, box = sequence.frames[0].copy(), sequence.boxes[0].copy()
    tracker.init(frame, box)
    for t in range(1, len(sequence.frames)):
        frame[:], box[:] = 0, 1
        frame = sequence.frames[t].copy()
        box = tracker.update(frame)
        if not _agree(as_array(box, (4,), "the box"), right[t - 1], tolerance):
            raise Wrong(
                "your tracker goes on using an array that belongs to its caller: the frame or box "
                "it was given, or the box it returned. When the caller writes into it, your next "
                "box changes; keep copies"
            )
        box = box if isinstance(box, np.ndarray) and box.flags.writeable else np.zeros(4)


def _agree(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    return bool(np.abs(a - b).max() <= tolerance)


def _text(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:.2f}" for v in box) + ")"
