"""Check of lesson 06's tracker."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.clips import HEIGHT, WIDTH, Clip, compare_tracks, make_clip, run
from course_lib.exercises.core import check
from course_lib.exercises.guard import out_of_reach
from course_lib.exercises.scenes import texture
from course_lib.exercises.trial import Trial
from course_lib.exercises.words import Wrong
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.models.runtime import SiamFCRuntime, load_siamfc_runtime
from course_lib.trackers import siamfc

THREE = {"scales": 3, "step": 1.0375, "penalty": 0.9745, "rate": 0.59, "influence": 0.176}
KEPT: dict[bytes, np.ndarray] = {}  # responses by crops and exemplar
LENGTH = 6  # frames of a clip; in each, the network runs for the student and for the reference
FIVE = {"scales": 5, "step": 1.0255, "penalty": 0.962, "rate": 0.34, "influence": 0.168}


class SiamFC:
    """SiamFC as in the exercise: its settings are attributes of the class, and every step of an
    update is a method, so that a mistake is a change to one of them."""

    name = "my-siamfc"
    scales, step, penalty, rate, influence = 3, 1.0375, 0.9745, 0.59, 0.176

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Store the exemplar of `frame` (H, W, 3) at `box` (4,)."""
        box = np.asarray(box, dtype=float)
        self.runtime = load_siamfc_runtime("siamfc", "auto", "auto")
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:].copy()
        self.colour = cv2.mean(frame)[:3]
        side = float(context_side(self.size))
        self.look_at_exemplar(frame, side)
        self.side = self.first = side * SEARCH / EXEMPLAR
        self.window = siamfc.unit_window(272)
        self.closest = np.inf  # the smallest lead of a peak over the second cell so far

    def look_at_exemplar(self, frame: np.ndarray, side: float) -> None:
        """Features of the square of `side` frame pixels around the target."""
        crop = CropWindow(*self.centre, side, EXEMPLAR).cut(frame, self.colour)  # (127, 127, 3)
        self.z = self.runtime.features(crop[None])  # (1, C, 6, 6)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next `frame`."""
        factors = siamfc.scale_factors(self.scales, self.step)  # (S,)
        windows = [CropWindow(*self.centre, self.side * f, SEARCH) for f in factors]
        crops = np.stack([window.cut(frame, self.colour) for window in windows])
        best, blended = self.choose(self.runtime.respond(self.z, crops))
        moved = siamfc.peak_displacement(blended, 8, 16)  # (2,) search pixels
        self.move(windows[best], moved)
        self.resize(factors[best])
        return self.box()

    def choose(self, responses: np.ndarray) -> tuple[int, np.ndarray]:
        """Index of the scale, and its response (272, 272) with the window."""
        large = np.stack([siamfc.enlarge(r, 16) for r in responses])  # (S, 272, 272)
        best = siamfc.choose_scale(large, self.penalty)
        blended = siamfc.blend_with_window(large[best].astype(float), self.window, self.influence)
        second, highest = np.partition(blended.ravel(), -2)[-2:]
        self.closest = min(self.closest, (highest - second) / np.ptp(blended))
        return best, blended

    def move(self, window: CropWindow, moved: np.ndarray) -> None:
        """Put the centre where the chosen window has its peak."""
        self.centre = window.to_frame(moved + SEARCH / 2)

    def resize(self, factor: float) -> None:
        """The search side moves towards the chosen scale, and the size with it."""
        side = siamfc.damp(self.side, factor, self.rate, self.first)
        self.size, self.side = self.size * side / self.side, side

    def box(self) -> np.ndarray:
        """(4,) from centre and size."""
        return np.concatenate([self.centre - self.size / 2, self.size])


def _changed(**methods: Callable[..., Any]) -> Callable[[type], Any]:
    """A mistake: the right tracker with other methods, each called with the right class first."""

    def code(right: type) -> Any:
        own = {
            name: lambda self, *given, m=method: m(right, self, *given)
            for name, method in methods.items()
        }
        return type("Changed", (right,), own)()

    return code


def _after_init(change: Callable[[Any], None]) -> Callable[[type], Any]:
    """A mistake in what `init` keeps."""

    def init(right, self, frame, box):
        right.init(self, frame, box)
        change(self)

    return _changed(init=init)


def _set(**values: Any) -> Callable[[type], Any]:
    return _after_init(lambda self: self.__dict__.update(values))


def _started_at(place: Callable[[np.ndarray], Any]) -> Callable[[type], Any]:
    """A mistake: another point is taken for the target's centre at the start."""

    def init(right, self, frame, box):
        shifted = [*(place(box) - box[2:] / 2), *box[2:]]
        right.init(self, frame, np.array(shifted))

    return _changed(init=init)


def _looked_at(side: Callable[[np.ndarray, float], float]) -> Callable[[type], Any]:
    """A mistake: the exemplar's square has another side, from size and right side."""
    return _changed(
        look_at_exemplar=lambda right, self, frame, right_side: right.look_at_exemplar(
            self, frame, side(self.size, right_side)
        )
    )


def _of_scale(self, responses, best):
    large = siamfc.enlarge(responses[best], 16)
    return best, siamfc.blend_with_window(large, self.window, self.influence)


def _set_side(self, side):
    self.side = self.first = side


def _blended_first(right, self, responses):
    large = [siamfc.enlarge(r, 16) for r in responses]
    blended = np.stack([siamfc.blend_with_window(r, self.window, self.influence) for r in large])
    best = siamfc.choose_scale(blended, self.penalty)
    return best, blended[best]


def _resized(size: bool, side: bool, damped: bool = True) -> Callable[[type], Any]:
    """A mistake: size or side does not follow the chosen scale, or jumps to it."""

    def resize(right, self, factor):
        before = self.size, self.side
        if damped:
            right.resize(self, factor)
        else:
            self.size, self.side = self.size * factor, self.side * factor
        self.size, self.side = (self.size if size else before[0], self.side if side else before[1])

    return _changed(resize=resize)


def _undamped_size(right, self, factor):
    size = self.size * factor
    right.resize(self, factor)
    self.size = size


def _learning(right, self, frame):
    box = right.update(self, frame)
    self.look_at_exemplar(frame, self.side * EXEMPLAR / SEARCH)
    return box


def _returned(box: Callable[[Any], Any]) -> Callable[[type], Any]:
    return _changed(box=lambda right, self: np.concatenate(box(self)))


def _unkept(right, self, frame):
    centre = self.centre
    box = right.update(self, frame)
    self.centre = centre
    return box


@check(
    "search.tracker",
    reference=SiamFC,
    mistakes={
        "you take the box's corner for the target's centre: that is half a width to the right of "
        "it and half a height below": _started_at(lambda box: box[:2]),
        "you take the box's far corner for the target's centre: that is half a width and half a "
        "height from (x, y)": _started_at(lambda box: box[:2] + box[2:]),
        "your exemplar has no context: its square has the side `context_side` of width and height": [
            _looked_at(lambda size, side: float(np.sqrt(np.prod(size)))),
            _looked_at(lambda size, side: float(size.max())),
        ],
        "your exemplar's square is as large as the search window's; it is 127 / 255 of it": (
            _looked_at(lambda size, side: side * SEARCH / EXEMPLAR)
        ),
        "your search window is as small as the exemplar's square; it is 255 / 127 times as wide": (
            _after_init(lambda self: _set_side(self, self.side * EXEMPLAR / SEARCH))
        ),
        "beyond the frame your crops are black; fill them with the first frame's mean colour": (
            _set(colour=(0.0, 0.0, 0.0))
        ),
        "your window does not sum to 1: divide the product of the two Hann windows by its sum": (
            _after_init(lambda self: setattr(self, "window", self.window / self.window.max()))
        ),
        "the window has no influence on your box: mix it into the chosen scale's response": (
            _set(influence=0.0)
        ),
        "the scale penalty is missing: other scales than the middle one are chosen too easily": (
            _set(penalty=1.0)
        ),
        "your tracker always stays at the middle scale": _changed(
            choose=lambda right, self, r: _of_scale(self, r, len(r) // 2)
        ),
        "you mix the window in before you choose the scale: then each response sums to 1, and its "
        "peak says how narrow it is, not how high": _changed(choose=_blended_first),
        "you choose the scale before you enlarge; enlarged, the peaks are where they belong": (
            _changed(
                choose=lambda right, self, r: _of_scale(
                    self, r, siamfc.choose_scale(r, self.penalty)
                )
            )
        ),
        "the displacement is brought back by a window of the last side; the peak was found in the "
        "window of the chosen scale": _changed(
            move=lambda right, self, window, moved: right.move(
                self, CropWindow(*self.centre, self.side, SEARCH), moved
            )
        ),
        "`to_frame` takes points of the crop, which count from its corner: displacement + 127.5": (
            _changed(move=lambda right, self, w, moved: right.move(self, w, moved - SEARCH / 2))
        ),
        "the centre of a 255-pixel crop is at 127.5": [
            _changed(move=lambda right, self, w, moved: right.move(self, w, moved - 0.5)),
            _changed(move=lambda right, self, w, moved: right.move(self, w, moved + 0.5)),
        ],
        "you add a displacement in search pixels to a centre in frame pixels; `to_frame` brings "
        "it back": _changed(
            move=lambda right, self, window, moved: setattr(self, "centre", self.centre + moved)
        ),
        "your box moves the wrong way: the displacement is peak minus centre": (
            _changed(move=lambda right, self, w, moved: right.move(self, w, -moved))
        ),
        "x and y of the displacement are swapped": (
            _changed(move=lambda right, self, w, moved: right.move(self, w, moved[::-1]))
        ),
        "the target's size stays as it was: it changes by the same factor as the search side": (
            _resized(size=False, side=True)
        ),
        "the search side stays as it was: keep the new one for the next frame": (
            _resized(size=True, side=False)
        ),
        "size and side jump to the chosen scale; they move there by the fraction `rate`": (
            _resized(size=True, side=True, damped=False)
        ),
        "the size jumps to the chosen scale while the side moves part of the way: both change by "
        "the same factor": _changed(resize=_undamped_size),
        "you cut a new exemplar in every frame; SiamFC's stays that of the first": (
            _changed(update=_learning)
        ),
        "you return the centre where the box's corner belongs: x = cx − w / 2": (
            _returned(lambda self: (self.centre, self.size))
        ),
        "your box is rounded; a box may lie between pixels": (
            _returned(lambda self: (np.round(self.centre - self.size / 2), np.round(self.size)))
        ),
        "the new centre is not kept: the next search starts where this one did": (
            _changed(update=_unkept)
        ),
    },
    others={
        "later cells set other values": [
            _set(**THREE),
            _set(scales=3),
            _set(penalty=0.9745),
            _set(rate=0.59),
            _set(step=1.0375),
        ]
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker, compared with the reference box by box; then with five scales."""
    with out_of_reach(siamfc.SiamFCTracker), _responses_kept():
        subjects = [_clear(answer.right, partial(_growing, rng))]
        for name in ("border", "alike", "large"):
            subjects.append(_clear(answer.right, partial(make_clip, name, rng, LENGTH)))
        compare_tracks(answer, subjects)
        if hasattr(answer(), "scales"):
            _require_settings(answer, subjects[0])


def _clear(right: type, make: Callable[[], Clip]) -> Clip:
    """A clip, in brown, on which the reference never chooses between two cells that are as good as
    equal: there rounding decides, and a right answer may be half a search pixel off."""
    for _ in range(20):
        sequence = make()
        # three different values as its mean colour
        frames = [(frame * np.array([1, 0.8, 0.55])).astype(np.uint8) for frame in sequence.frames]
        sequence = replace(sequence, frames=frames)
        tracker = right()
        run(tracker, sequence)
        if tracker.closest > 1e-5:
            break
    return sequence


@contextmanager
def _responses_kept() -> Iterator[None]:
    """Inside the block, the network's responses to crops that it has seen are not computed again:
    the student's tracker, the reference and the known mistakes cut many of the same crops."""
    respond = SiamFCRuntime.respond

    def kept(self: SiamFCRuntime, z: Any, crops: np.ndarray) -> np.ndarray:
        key = hashlib.sha256(crops.tobytes() + z.cpu().numpy().tobytes()).digest()
        if key not in KEPT:
            KEPT[key] = respond(self, z, crops)
        return KEPT[key].copy()

    if len(KEPT) > 5000:
        KEPT.clear()
    SiamFCRuntime.respond = kept
    try:
        yield
    finally:
        SiamFCRuntime.respond = respond


def _require_settings(answer: Trial, sequence: Clip) -> None:
    """Raise Wrong if the tracker does not take its settings from its attributes."""
    trackers = answer(), answer.right()
    for tracker in trackers:
        tracker.__dict__.update(FIVE)
    given, right = (run(tracker, sequence) for tracker in trackers)
    if np.abs(given - right).max() > 0.05:
        raise Wrong(
            "with the settings of SiamFC with five scales your boxes are others than the course's: "
            "take `scales`, `step`, `penalty`, `rate` and `influence` from `self`, since later "
            "cells set other values"
        )


def _growing(rng: np.random.Generator) -> Clip:
    """A clip whose target grows by 4 % from frame to frame."""
    scene, target = texture(rng, HEIGHT, WIDTH) // 2 + 40, texture(rng, 37, 31)
    frames, boxes = [], []
    for t in range(LENGTH):
        w, h = (round(side * 1.04**t) for side in (31, 37))
        x, y = 70 + 2 * t, 50 - t
        image = scene.copy()
        image[y : y + h, x : x + w] = cv2.resize(target, (w, h))
        frames.append(np.repeat(image[..., None], 3, axis=2))
        boxes.append([x, y, w, h])
    return Clip("growing", "the target grows", frames, np.array(boxes, dtype=float))
