"""Check of lesson 02's tracker, beside the same tracker written as the lesson asks for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.exercises.compare import as_array, same
from course_lib.exercises.core import check
from course_lib.exercises.mosse_mistakes import MISTAKES
from course_lib.exercises.tracks import ShortSequence, make_short, run
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import to_centre
from course_lib.trackers import mosse

KEPT = ("the boxes", "`self.A`", "the logarithm of `self.B`")


def grey_patch(frame: np.ndarray, centre: ArrayLike, height: int, width: int) -> np.ndarray:
    """Grey values (height, width) around a point; beyond the frame its border is repeated.

    Args:
        frame: (H, W, 3).
        centre: (2,) x, y in pixels, rounded down.
        height, width: of the patch.
    """
    rows = np.arange(height) + int(np.floor(centre[1])) - height // 2
    columns = np.arange(width) + int(np.floor(centre[0])) - width // 2
    rows, columns = np.clip(rows, 0, frame.shape[0] - 1), np.clip(columns, 0, frame.shape[1] - 1)
    return frame[np.ix_(rows, columns)].mean(axis=2)


class MOSSE:
    """MOSSE with a patch of 1.5 × the box and sigma 2 px.

    Args:
        rate: learning rate η.
        threshold: below this PSR the target counts as lost.
    """

    name = "my-mosse"
    # left open by the text: a pixel more or less of the patch's height and width, and λ
    more, regulariser = (0, 0), 1.0

    def __init__(self, rate: float = 0.125, threshold: float = 7.0) -> None:
        self.rate, self.threshold = rate, threshold

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Learn the filter from the first frame (H, W, 3) and box (4,)."""
        cx, cy, self.w, self.h = to_centre(box)
        self.centre = np.array([cx, cy])  # (2,)
        self.size = self._sides()
        self.window = mosse.cosine_window(*self.size)  # (h, w)
        self.target = mosse.gaussian_target(*self.size, sigma=2.0)  # (h, w)
        patches = np.array([self._first(p) for p in self._copies(self._cut(frame))])  # (9, h, w)
        self.A, self.B = mosse.train_filter(patches, self.target, self.regulariser)  # (h, w) each

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
        if mosse.peak_to_sidelobe(response) >= self.threshold:
            self._move(dx, dy)
            self._learn(frame)
        return self._box()

    def _sides(self) -> tuple[int, int]:
        return int(1.5 * self.h) + self.more[0], int(1.5 * self.w) + self.more[1]

    def _copies(self, patch: np.ndarray) -> list[np.ndarray]:
        return [patch, *mosse.random_warps(patch, 8, np.random.default_rng(0))]

    def _cut(self, frame: np.ndarray) -> np.ndarray:
        return grey_patch(frame, self.centre, *self.size)

    def _first(self, patch: np.ndarray) -> np.ndarray:
        return self._prepared(patch)

    def _prepared(self, patch: np.ndarray) -> np.ndarray:
        return mosse.preprocess(patch, self.window)

    def _move(self, dx: float, dy: float) -> None:
        self.centre = self.centre + [dx, dy]

    def _learn(self, frame: np.ndarray) -> None:
        patch = self._prepared(self._cut(frame))
        self.A, self.B = mosse.update_filter(self.A, self.B, patch, self.target, self.rate)

    def _box(self) -> np.ndarray:
        return np.array([*(self.centre - [self.w / 2, self.h / 2]), self.w, self.h])


@check("mosse.tracker", reference=MOSSE, mistakes=MISTAKES)
def examine_tracker(answer, rng) -> None:
    """Boxes and filter are those of the steps in the text: after `init`, after one frame, and along
    clips."""
    plain, odd = _between_pixels("plain", rng), _between_pixels("odd", rng)
    for length in (0, 1, 13):
        for sequence in (plain, odd):
            _compare(answer, sequence, length)
    hidden, changing = _between_pixels("hidden", rng), _between_pixels("changing", rng)
    _compare(answer, hidden, 13)
    for name in ("border", "alike", "small", "large"):
        _compare(answer, _between_pixels(name, rng), 13)
    _compare(answer, changing, 13)
    _compare(answer, odd, 13, first=plain)
    if _takes(answer.answer, "rate", "threshold"):
        _compare(answer, changing, 13, rate=0.3)
        _compare(answer, changing, 13, threshold=25.0)
        _compare(answer, hidden, 13, threshold=-1.0)


def _between_pixels(name: str, rng: np.random.Generator) -> ShortSequence:
    """A clip whose boxes lie between the pixels, their centre at .2."""
    sequence = make_short(name, rng)
    beyond = (0.2 - to_centre(sequence.boxes[0])[:2]) % 1  # (2,)
    return replace(sequence, boxes=sequence.boxes + [*beyond, 0, 0])


def _takes(answer: Any, *names: str) -> bool:
    """Whether a class can be called with arguments of these names."""
    parameters = inspect.signature(answer).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return every or all(name in parameters for name in names)


def _compare(
    answer: Any,
    sequence: ShortSequence,
    length: int,
    first: ShortSequence | None = None,
    **settings,
) -> None:
    """Compare what a tracker returns and keeps on a clip with what the reference does.

    Args:
        answer: the class on trial.
        sequence: to run on.
        length: number of frames after the first.
        first: a clip that the same tracker has run on before.
        settings: of the tracker.
    """
    choices = _choices(answer, sequence)

    def watched(make: Callable[..., Any]) -> tuple:
        tracker = make(**settings)
        if hasattr(tracker, "more"):  # the reference, or a known mistake
            tracker.more, tracker.regulariser = choices
        if first is not None:
            run(tracker, replace(first, frames=first.frames[:3]))
        boxes = np.zeros((0, 4))
        if length:
            boxes = run(tracker, replace(sequence, frames=sequence.frames[: length + 1]))
        else:
            tracker.init(sequence.frames[0].copy(), sequence.boxes[0].copy())
        A, B = _filter(tracker)
        return boxes, A, np.log(np.abs(B) + 1e-12)

    answer.compare(
        (),
        KEPT,
        lambda given: given,
        call=watched,
        tolerance=1e-4,
        otherwise=lambda given, right: _first_difference(given, right, sequence, settings),
    )


def _filter(tracker: Any) -> list[np.ndarray]:
    """A and B as a tracker keeps them."""
    kept = []
    for name in ("A", "B"):
        value = getattr(tracker, name, None)
        if value is None:
            raise Wrong(f"your tracker keeps no `self.{name}`; the figures below look at it")
        kept.append(as_array(value, np.shape(value), f"`self.{name}`"))
    return kept


def _choices(answer: Any, sequence: ShortSequence) -> tuple[tuple[int, int], float]:
    """What the text leaves open, as the answer has it: a pixel more or less of its patch's height
    and width, and λ. (0, 0) and 1 if it has something else."""
    tracker, right = answer(), answer.right()
    for each in (tracker, right):
        each.init(sequence.frames[0].copy(), sequence.boxes[0].copy())
    A, B = _filter(tracker)
    if A.shape == B.shape and len(A.shape) == 2:
        wanted = 1.5 * sequence.boxes[0, [3, 2]]  # (2,) h, w
        if np.abs(A.shape - wanted).max() <= 1:
            right.more = tuple(int(n) for n in np.array(A.shape) - wanted.astype(int))
    right.regulariser = 0.0
    right.init(sequence.frames[0], sequence.boxes[0])
    if B.shape != right.B.shape:
        return right.more, 1.0
    added = np.real(B) - right.B  # (h, w)
    constant = np.ptp(added) < 1e-3 * abs(added.mean()) + 1e-9 * right.B.max()
    return right.more, float(added.mean()) if constant and 1e-5 < added.mean() < 100 else 1.0


def _first_difference(given: tuple, right: tuple, sequence: ShortSequence, settings: dict) -> str:
    """In words: where a tracker's boxes and filter first leave the reference's."""
    boxes, A, _ = given
    with_what = "".join(f", with {name} {value:g}" for name, value in settings.items())
    start = f"on a clip in which {sequence.what}{with_what}"
    if A.shape != right[1].shape:
        return (
            f"your filter has shape {A.shape}, expected {right[1].shape}: height and width of the "
            "patch are 1.5 × the box"
        )
    if not len(boxes):
        return (
            f"{start}, `init` leaves you another filter than these steps: the patch and its eight "
            "copies from np.random.default_rng(0), each preprocessed, then train_filter with the "
            "target response (sigma 2) and a regulariser of 1"
        )
    for t, (mine, theirs) in enumerate(zip(boxes, right[0], strict=True)):
        if not same(mine, theirs, 1e-4):
            return f"{start}, your box in frame {t + 1} is {_text(mine)}, expected {_text(theirs)}"
    return (
        f"{start}, your boxes are right, but the filter that you keep, `self.A` and `self.B`, is "
        "another one: with which patch, and at which rate, does it learn?"
    )


def _text(box: ArrayLike) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in np.asarray(box)) + ")"
