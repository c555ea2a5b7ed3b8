"""Check of lesson 01: the first tracker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.compare import as_array, require_close, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.baselines import StayPut


def _stays(
    init: Callable[..., Any], update: Callable[..., Any] = lambda self, frame: self.box.copy()
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


def _painted(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """An `init` that draws into its frame."""
    self.box = box.copy()
    frame[:2] = 255


def _paint(self: Any, frame: np.ndarray) -> np.ndarray:
    """An `update` that draws into its frame."""
    frame[:2] = 255
    return self.box.copy()


def _cut(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """An `init` that makes the box no larger than the frame."""
    self.box = np.minimum(box, [np.inf, np.inf, frame.shape[1], frame.shape[0]])


def _counting(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """An `init` that begins to count."""
    self.box, self.calls = box.copy(), 0


def _tired(self: Any, frame: np.ndarray) -> np.ndarray:
    """An `update` that moves the box after 30 frames."""
    self.calls += 1
    return self.box + (self.calls > 30)


def _once(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """An `init` that keeps one box for one call."""
    self.boxes = iter([box.copy()])


def _buffered(self: Any, frame: np.ndarray) -> np.ndarray:
    """An `update` that always writes into one array."""
    self.out = getattr(self, "out", np.zeros(4))
    self.out[:] = self.box
    return self.out


def _in_place(self: Any, frame: np.ndarray, box: np.ndarray) -> None:
    """An `init` that works on what it was given."""
    self.box = box.copy()
    box[2:] += box[:2]


@check(
    "trackers.stay_put",
    reference=StayPut,
    others={
        "share one box: keep it on `self`, not on the class or in a global": _stays(
            lambda self, frame, box: setattr(type(self), "box", box.copy())
        ),
        "Keep a copy": [
            _stays(lambda self, frame, box: setattr(self, "box", box)),
            _stays(lambda self, frame, box: setattr(self, "box", np.asarray(box, dtype=float))),
        ],
        "return a copy": [
            _stays(_keep, lambda self, frame: self.box),
            _stays(_keep, lambda self, frame: self.box[:]),
            _stays(
                lambda self, frame, box: setattr(self, "box", list(box)),
                lambda self, frame: self.box,
            ),
        ],
        "in an array of its own": _stays(_keep, _buffered),
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
        "is larger than the frame": _stays(_cut),
        "box 2 from `update`": _stays(_keep, _slide),
        "box 31 from `update`": _stays(_counting, _tired),
        "asked in every frame": _stays(_once, lambda self, frame: next(self.boxes)),
        "is a `return` missing": _stays(_keep, lambda self, frame: None),
        "`init` changes the box": _stays(_in_place),
        "`init` changes the frame": _stays(_painted),
        "`update` changes the frame": _stays(_keep, _paint),
        "corners": _stays(_keep, lambda self, frame: self.box + [0, 0, *self.box[:2]]),
        "the centre of your box": _stays(
            _keep, lambda self, frame: self.box + [*self.box[2:] / 2, 0, 0]
        ),
        "have changed places": [
            _stays(_keep, lambda self, frame: self.box[[1, 0, 3, 2]]),
            _stays(_keep, lambda self, frame: self.box[[0, 1, 3, 2]]),
        ],
    },
)
def examine_stay_put(answer, rng) -> None:
    """A tracker that always returns the first box, for 40 frames, no two of
    which are alike."""
    first, second = np.array([-3.4, 4.25, 10.7, 12.6]), np.array([20.3, 8.8, 9.1, 7.7])
    large = np.array([-12.5, 3.75, 80.5, 61.25])
    tracker, own = answer(), first.copy()
    _start(tracker, _frame(rng), own, first)
    given = _next(tracker, rng, 1)
    _require_first(given, first)
    own += 5
    if not same(_next(tracker, rng, 2), first):
        raise Wrong(
            "your tracker keeps the caller's array itself: when the caller changes it later your "
            "box moves. Keep a copy"
            if same(_next(tracker, rng, 3), first + 5)
            else "box 2 from `update` differs from the first one; it should stay"
        )
    _require_own(tracker, given, rng, first)
    for t in range(4, 41):
        if not same(_next(tracker, rng, t), first):
            raise Wrong(f"box {t} from `update` differs from the first one; it should stay")
    kept = tracker.update(_frame(rng))
    _start(tracker, _frame(rng), second.copy(), second)
    require_close(
        _next(tracker, rng, 1),
        second,
        "after a second `init` the box",
        hint="start afresh at each `init`",
    )
    if not same(kept, first):
        raise Wrong(
            "the array that `update` returned before now holds another box: put each box in an "
            "array of its own"
        )
    other = answer()
    _start(other, _frame(rng), large.copy(), large)
    if not same(_next(tracker, rng, 2), second):
        raise Wrong(
            "two of your trackers share one box: keep it on `self`, not on the class or in a global"
        )
    require_close(
        _next(other, rng, 1),
        large,
        "a box that is larger than the frame",
        hint="return it as it was given",
    )


def _frame(rng: np.random.Generator) -> np.ndarray:
    """A frame (40, 60, 3) unlike all others."""
    return rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)


def _start(tracker: Any, frame: np.ndarray, own: np.ndarray, box: np.ndarray) -> None:
    """Call `init`; raise Wrong if it changes what it is given, or returns something.

    Args:
        tracker: the student's.
        frame: to start on.
        own: the box that is handed over.
        box: the same, in another array.
    """
    before = frame.copy()
    if tracker.init(frame, own) is not None:
        raise Wrong("`init` returns something; it only remembers the box, `update` returns boxes")
    if not same(own, box):
        raise Wrong("`init` changes the box it was given; the caller still needs it: keep a copy")
    if not np.array_equal(frame, before):
        raise Wrong("`init` changes the frame it was given; the caller still needs it")


def _next(tracker: Any, rng: np.random.Generator, t: int) -> Any:
    """What `update` returns for one more frame; raises Wrong if it changes the frame.

    Args:
        tracker: the student's.
        rng: of the frame.
        t: number of this call since `init`.
    """
    frame = _frame(rng)
    before = frame.copy()
    try:
        given = tracker.update(frame)
    except StopIteration:
        raise Wrong(
            f"your tracker has no box left at call {t} of `update`: it is asked in every frame, of "
            "which there may be any number"
        ) from None
    if not np.array_equal(frame, before):
        raise Wrong("`update` changes the frame it was given; the caller still needs it")
    return given


def _require_own(tracker: Any, given: Any, rng: np.random.Generator, first: np.ndarray) -> None:
    """Raise Wrong if the caller can move the box by writing into one that it was given.

    Args:
        tracker: the student's.
        given: what `update` returned.
        rng: of the next frame.
        first: the first box.
    """
    try:
        if isinstance(given, list):
            given[:] = [value + 7.0 for value in given]
        else:
            given += 7.0
    except (TypeError, ValueError):  # a tuple, or an array that cannot be written into
        return
    if not same(_next(tracker, rng, 3), first):
        raise Wrong(
            "`update` returns the array or list that your tracker keeps: when the caller changes "
            "it your next box moves; return a copy"
        )


def _require_first(given: Any, first: np.ndarray) -> None:
    """Raise Wrong unless `update` returned the first box (4,), which reaches beyond the frame."""
    given = as_array(given, (4,), "the box from `update`")
    readings = {
        "your box is rounded to whole pixels; return it as it was given": (
            np.trunc(first),
            np.round(first),
        ),
        "your box is moved or cut where it reaches beyond the edge of the frame; return it as it "
        "was given": (np.maximum(first, 0),),
        "your box is given by two corners; return x, y, w, h": (first + [0, 0, *first[:2]],),
        "x and y are those of the centre of your box; return its corner, x, y, w, h": (
            first + [*first[2:] / 2, 0, 0],
        ),
        "some of x, y, w, h have changed places in your box": (
            first[[1, 0, 3, 2]],
            first[[0, 1, 3, 2]],
            first[[1, 0, 2, 3]],
        ),
    }
    for words, boxes in readings.items():
        if any(same(given, box) for box in boxes):
            raise Wrong(words)
    require_close(
        given, first, "the box from `update`", hint="it should be the box given to `init`"
    )
