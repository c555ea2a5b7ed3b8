"""Check of lesson 02's tracker, beside the same tracker written as the lesson asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.exercises.compare import as_array, same
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_independent
from course_lib.exercises.mosse_mistakes import MISTAKES
from course_lib.exercises.mosse_steps import at_rate, having, once, started
from course_lib.exercises.storms import make_storm, make_storm_at_border
from course_lib.exercises.tracks import ShortSequence, make_short, run
from course_lib.exercises.words import Wrong
from course_lib.geometry.boxes import to_centre
from course_lib.trackers import mosse

KEPT = ("the boxes", "`self.centre`", "`self.A`", "the logarithm of `self.B`")
LOST = -np.inf  # a threshold: never
MADE = "the next cells make `MOSSE(threshold=…)` and `MOSSE(rate=…)`: keep the `__init__` you got"


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
    """MOSSE with a patch of 1.5 × the box, sigma 2 px and regulariser 1.

    Args:
        rate: learning rate η.
        threshold: below this PSR the target counts as lost.
    """

    name = "my-mosse"
    regulariser = 1.0

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
        return int(1.5 * self.h), int(1.5 * self.w)

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


@check(
    "mosse.tracker",
    reference=MOSSE,
    mistakes=MISTAKES,
    others={
        "differs from run to run": having(
            _copies=lambda self, p: [p, *mosse.random_warps(p, 8, np.random.default_rng())]
        ),
        "the `__init__` that you got makes it": [
            lambda right, rate=0.125, threshold=8.0: right(rate, threshold),
            lambda right, rate=0.1, threshold=7.0: right(rate, threshold),
        ],
        "your regulariser is": [having(regulariser=value) for value in (0.1, 0.01, 10.0)],
        "`init` does not begin anew": having(init=once),
        "another filter": having(init=started(sigma=2.2)),
        "with which patch, and at which rate": having(_learn=at_rate(lambda t: 1.01 * t.rate)),
    },
)
def examine_tracker(answer, rng) -> None:
    """Boxes, centre and filter are those of the steps in the text: after `init`, after one frame,
    and along sequences, most of them storms."""
    _require_settings(answer())
    low, high, wide = (13.4, 9.7), (9.9, 14.3), (46.4, 17.7)  # rounded up, patches would differ
    for size in (low, high):
        _compare(answer, make_storm(rng, size, 1, (90, 80)))
    plain = make_short("plain", rng, 8)
    beyond = (0.2 - to_centre(plain.boxes[0])[:2]) % 1  # (2,) so its boxes lie between the pixels
    plain = replace(plain, boxes=plain.boxes + [*beyond, 0, 0])
    _compare(answer, plain, 1)
    _compare(answer, plain)
    _compare(answer, make_storm(rng, high, 30, (180, 180)), rate=0.3, threshold=LOST)
    storm = _lost_and_found(answer.right, rng, low)
    _compare(answer, storm)
    _compare(answer, make_storm(rng, low, 30, (150, 150)), threshold=4.2)
    _compare(answer, make_storm(rng, wide, 7, (160, 220)), threshold=LOST)
    _compare(answer, make_short("fast", rng, 3), threshold=LOST)
    for corner in ((2, 3), (68, 58)):
        border = make_storm_at_border(
            lambda storm: run(answer.right(threshold=LOST), storm), rng, high, corner, reach=0.5
        )
        _compare(answer, border, threshold=LOST)
    _compare(answer, make_storm(rng, low, 12, (90, 80)), turned=True, rate=0.2, threshold=LOST)
    one, other = (make_storm(rng, size, 5, (90, 80)) for size in (low, high))
    require_independent(lambda: answer(threshold=LOST), one, other)


def _require_settings(tracker: Any) -> None:
    """Raise Wrong if a tracker made without settings has others than the given `__init__`'s."""
    for name, usual in (("rate", 0.125), ("threshold", 7.0)):
        value = getattr(tracker, name, usual)
        if value != usual:
            raise Wrong(
                f"`MOSSE()` has {name} {value}; the `__init__` that you got makes it {usual}"
            )


def _lost_and_found(
    right: type, rng: np.random.Generator, size: tuple[float, float]
) -> ShortSequence:
    """A storm in which the reference moves in the first frame, and again after it was lost: without
    that, a tracker that stops could not be told from one that never begins again.

    Args:
        right: the reference.
        rng: of the textures.
        size: of the box, w and h.
    """
    while True:
        storm = make_storm(rng, size, 50, (180, 180))
        boxes = np.array([storm.boxes[0], *run(right(), storm)])
        moves = (np.abs(np.diff(boxes[:, :2], axis=0)) > 1e-4).any(axis=1)  # (49,)
        again = ~moves[:-1] & moves[1:]  # (48,)
        if moves[0] and again[:24].any() and again[24:].any():
            return storm


def _compare(
    answer: Any,
    sequence: ShortSequence,
    updates: int | None = None,
    turned: bool = False,
    **settings,
) -> None:
    """Compare what a tracker returns and keeps on a sequence with what the reference does.

    Args:
        answer: the class on trial.
        sequence: to run on.
        updates: number of frames after the first; None for all.
        turned: whether rate and threshold are turned up in the middle.
        settings: of the tracker.
    """
    sequence = replace(sequence, frames=sequence.frames[: None if updates is None else updates + 1])

    def watched(make: Callable[..., Any]) -> tuple:
        try:
            tracker = make(**settings)
        except TypeError:
            raise Wrong(MADE) from None

        def turn(t: int) -> None:
            if turned and t == len(sequence.frames) // 2:
                tracker.rate, tracker.threshold = 0.6, 3.0

        boxes = run(tracker, sequence, before=turn).reshape(-1, 4)
        centre, A, B = (_kept(tracker, name) for name in ("centre", "A", "B"))
        if _kept(tracker, "window").shape != A.shape:
            raise Wrong(
                "`self.window` and `self.A` have different shapes: both should have the patch's"
            )
        return boxes, centre, A, np.log(np.abs(B) + 1e-12)

    answer.compare(
        (),
        KEPT,
        lambda given: given,
        call=watched,
        tolerance=1e-4,
        otherwise=lambda given, right: _first_difference(
            given, right, sequence, settings, lambda: watched(answer)
        ),
    )


def _kept(tracker: Any, name: str) -> np.ndarray:
    """What a tracker keeps under a name."""
    value = getattr(tracker, name, None)
    if value is None:
        raise Wrong(f"your tracker keeps no `self.{name}`; the figures below look at it")
    return as_array(value, np.shape(value), f"`self.{name}`")


def _first_difference(
    given: tuple,
    right: tuple,
    sequence: ShortSequence,
    settings: dict,
    again: Callable[[], tuple],
) -> str:
    """In words: where a tracker's boxes and filter first leave the reference's.

    Args:
        given: boxes, centre, A and log B of the tracker.
        right: of the reference.
        sequence: it ran on.
        settings: it had.
        again: () → those of another run.
    """
    boxes, centre, A, _ = given
    with_what = "".join(f", with {name} {value:g}" for name, value in settings.items())
    start = f"on a sequence in which {sequence.what}{with_what}"
    if A.shape != right[2].shape:
        w, h = sequence.boxes[0, 2:]
        return (
            f"your filter has shape {A.shape}, expected {right[2].shape}: for a box {h:.2f} high "
            f"and {w:.2f} wide, the patch is 1.5 × as high and as wide, rounded down"
        )
    if not len(boxes):
        return _after_init(given, right, again)
    for t, (mine, theirs) in enumerate(zip(boxes, right[0], strict=True)):
        if not same(mine, theirs, 1e-4):
            return f"{start}, your box in frame {t + 1} is {_text(mine)}, expected {_text(theirs)}"
    if not same(centre, right[1], 1e-4):
        return f"{start}, your boxes are right, but `self.centre` is {centre}, expected {right[1]}"
    return (
        f"{start}, your boxes are right, but the filter that you keep, `self.A` and `self.B`, is "
        "not the right one: with which patch, and at which rate, does it learn?"
    )


def _after_init(given: tuple, right: tuple, again: Callable[[], tuple]) -> str:
    """In words: how a tracker differs from the reference after `init`."""
    _, centre, A, log_B = given
    if not same(centre, right[1], 1e-4):
        return f"after `init` `self.centre` is {centre}, expected {right[1]}: x and y, not rounded"
    if not same(A, again()[2], 1e-6):
        return (
            "your filter differs from run to run: the copies are drawn by np.random.default_rng(0)"
        )
    added = np.exp(log_B) - np.exp(right[3])  # (h, w)
    if same(A, right[2], 1e-4) and np.ptp(added) < 1e-3 * np.abs(added).max():
        return f"your regulariser is {1 + added.mean():.4g}; the text has 1"
    return (
        "after `init` you have another filter than these steps make: the patch and its eight "
        "copies from np.random.default_rng(0), each preprocessed, then train_filter with the "
        "target response (sigma 2) and a regulariser of 1"
    )


def _text(box: ArrayLike) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in np.asarray(box)) + ")"
