"""Checks of lesson 17's entry: a tracker of the student's own, judged by what it beats on generated
sequences that the notebook does not have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.generated import make_sequence, random_spec
from course_lib.evaluation.tables import read_measured
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_independent
from course_lib.exercises.tracks import ShortSequence, run
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import iou
from course_lib.places import RESULTS
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker
from course_lib.trackers.redetection import with_redetection

SIZE = {"length": 45, "height": 180, "width": 240, "size": 34.0, "distractors": 0}
HIDDEN = (
    ("things pass in front of the target", {"occluders": 2}),
    ("the target leaves the view and comes back", {"leaves": True, "occluders": 0}),
)
COUNT, FIRST = 8, 882_000  # how many there are, and the seed of the first
# by how much an entry's mean IoU has to be higher; a network's moves from machine to machine
RIVALS = {"stay-put": 0.0, "mosse": 0.0, "kcf": 0.0, "siamfc": 0.01}


class Entry(Tracker):
    """A tracker of the course under another name: the least that an entry is."""

    name = "entry"

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on the first frame (H, W, 3) and box (4,)."""
        self.inner = make_tracker("mosse")
        self.inner.init(frame, box)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box


class Finder(Tracker):
    """The same, and what is lost is looked for."""

    name = "finder"

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start on the first frame (H, W, 3) and box (4,)."""
        self.inner = with_redetection(make_tracker("mosse"))
        self.inner.init(frame, box)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        box = self.inner.update(frame)
        self.last = self.inner.last
        return box


@cache
def hidden_sequences() -> tuple[ShortSequence, ...]:
    """The sequences of the challenge."""
    sequences = []
    for k in range(COUNT):
        what, switches = HIDDEN[k % len(HIDDEN)]
        sequence = make_sequence(random_spec(FIRST + k, **SIZE, **switches)).loaded()
        frames = [sequence.frames[t] for t in range(len(sequence))]
        sequences.append(ShortSequence(f"hidden sequence {k + 1}", what, frames, sequence.boxes))
    return tuple(sequences)


@cache
def score_of(rival: str) -> float:
    """Mean IoU of one of `RIVALS` over the hidden sequences, as measured for the course."""
    return read_measured(RESULTS / "challenge_rivals.json")["rivals"][rival]


def mean_iou(every: list[np.ndarray]) -> float:
    """Mean over sequences of the mean IoU of boxes (T − 1, 4) with the truth, where there is one."""
    truths = [sequence.boxes[1:] for sequence in hidden_sequences()]
    return float(np.mean([np.nanmean(iou(b, t)) for b, t in zip(every, truths, strict=True)]))


def _moved(boxes: np.ndarray) -> np.ndarray:
    """Boxes (T, 4) by their centres → by their corners."""
    return np.column_stack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]])


READ_OTHERWISE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "your boxes begin at their centres; a box is its corner x, y, and its size": _moved,
    "your boxes are two corners; expected x, y, w, h": lambda b: np.column_stack(
        [b[:, :2], b[:, 2:] - b[:, :2]]
    ),
    "x and y have changed places in your boxes": lambda b: b[:, [1, 0, 2, 3]],
}


def require_beats(answer: Any, rival: str) -> None:
    """Raise Wrong unless a tracker's mean IoU on the hidden sequences is higher than a rival's.

    Args:
        answer: () → the tracker.
        rival: one of `RIVALS`.
    """
    sequences, wanted = hidden_sequences(), score_of(rival) + RIVALS[rival]
    short = [ShortSequence(c.name, c.what, c.frames[:8], c.boxes[:8]) for c in sequences[:2]]
    require_independent(lambda: answer(), *short)
    boxes = [run(answer(), sequence) for sequence in sequences]
    value = mean_iou(boxes)
    told = (
        f"mean IoU {value:.3f} on {len(sequences)} hidden sequences, "
        f"{rival} has {score_of(rival):.3f}"
    )
    if RIVALS[rival]:
        told += f" (expected at least {RIVALS[rival]:.3f} more)"
    for words, read in READ_OTHERWISE.items():  # too good to be chance
        if mean_iou([read(of) for of in boxes]) > value + 0.05:
            raise Wrong(f"{told}: {words}")
    if value > wanted:
        return
    if not any(np.ptp(of, axis=0).any() for of in boxes):
        raise Wrong(f"{told}: your box never changes; `update` has to look at its frame")
    if mean_iou([np.concatenate([of[1:], of[-1:]]) for of in boxes]) > value + 0.02:
        raise Wrong(
            f"{told}: your box comes a frame late: `update` returns where the target is in *this* "
            "frame"
        )
    first = [
        np.tile(sequence.boxes[0, 2:], (len(of), 1))
        for sequence, of in zip(sequences, boxes, strict=True)
    ]
    kept = [
        np.column_stack([of[:, :2] + (of[:, 2:] - size) / 2, size])
        for of, size in zip(boxes, first, strict=True)
    ]
    if mean_iou(kept) > value + 0.03:
        raise Wrong(
            f"{told}: with the first box's size around your centres the mean IoU would be "
            f"{mean_iou(kept):.3f}; your sizes make it lower"
        )
    raise Wrong(f"{told}; {_worst(boxes)}")


def _worst(boxes: list[np.ndarray]) -> str:
    """In words: the sequence that is lost earliest."""
    found = []
    for sequence, of in zip(hidden_sequences(), boxes, strict=True):
        missed = np.flatnonzero(iou(of, sequence.boxes[1:]) == 0)
        found.append((missed[0] + 1 if len(missed) else len(of), sequence.what))
    frame, what = min(found)
    return f"its earliest miss is in frame {frame} of a sequence in which {what}"


class _Changed:
    """A mistake: a tracker whose boxes are changed, change(box, frame number)."""

    def __init__(self, tracker: Any, change: Callable[[np.ndarray, int], Any]) -> None:
        self.tracker, self.change = tracker, change

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start the tracker."""
        self.count = 0
        self.tracker.init(frame, box)

    def update(self, frame: np.ndarray) -> Any:
        """Its box, changed."""
        self.count += 1
        return self.change(self.tracker.update(frame), self.count)


class _Late:
    """A mistake: each box comes a frame late."""

    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Keep the box."""
        self.tracker.init(frame, box)
        self.box = np.array(box, dtype=float)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The box of before."""
        box, self.box = self.box, self.tracker.update(frame)
        return box


class _Once:
    """A mistake: only the first `init` counts."""

    def __init__(self, tracker: Any) -> None:
        self.tracker, self.started = tracker, False

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start it once."""
        if not self.started:
            self.tracker.init(frame, box)
        self.started = True

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Its box."""
        return self.tracker.update(frame)


def _with(change: Callable[[np.ndarray, int], Any]) -> Callable[..., _Changed]:
    return lambda right: _Changed(right(), change)


FORM = {
    "your box never changes": lambda right: make_tracker("stay-put"),
    "your boxes begin at their centres": _with(
        lambda box, t: np.array([*box[:2] + box[2:] / 2, *box[2:]])
    ),
    "x and y have changed places": _with(lambda box, t: box[[1, 0, 2, 3]]),
    "two runs of your tracker": _with(
        lambda box, t: box + np.random.default_rng().normal(size=4)  # another seed each time
    ),
    "`init` does not begin anew": lambda right: _Once(right()),
    "the box has shape": _with(lambda box, t: box[:2]),
    "your sizes make it lower": _with(
        lambda box, t: np.array([*box[:2] + box[2:] / 2 * (1 - 1.2**t), *box[2:] * 1.2**t])
    ),
}


@check(
    "challenge.entry",
    reference=Entry,
    learns=False,
    others={
        **FORM,
        "your boxes are two corners": _with(
            lambda box, t: np.array([*box[:2], *box[:2] + box[2:]])
        ),
    },
)
def examine_entry(answer, _rng: np.random.Generator) -> None:
    """More than a box that stays where it was."""
    require_beats(answer, "stay-put")


@check(
    "challenge.mosse",
    reference=Finder,
    learns=False,
    others={
        **FORM,
        "its earliest miss is in frame": [
            lambda right: make_tracker("mosse"),
            lambda right: make_tracker("ncc"),
            _with(lambda box, t: box - [0.3 * box[2], 0.3 * box[3], 0, 0]),
        ],
        "your box comes a frame late": lambda right: _Late(make_tracker("mosse")),
    },
)
def examine_mosse(answer, _rng: np.random.Generator) -> None:
    """More than MOSSE, which does not look for what it has lost."""
    require_beats(answer, "mosse")
