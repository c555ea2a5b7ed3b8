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

from course_lib.exercises import siamfc_steps as steps
from course_lib.exercises.core import check
from course_lib.exercises.guard import out_of_reach
from course_lib.exercises.tracks import (
    HEIGHT,
    WIDTH,
    ShortSequence,
    compare_tracks,
    make_short,
    run,
    texture,
)
from course_lib.exercises.trial import Trial
from course_lib.exercises.words import Wrong
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow
from course_lib.models.runtime import SiamFCRuntime
from course_lib.trackers import siamfc

THREE = {"scales": 3, "step": 1.0375, "penalty": 0.9745, "rate": 0.59, "influence": 0.176}
KEPT: dict[bytes, np.ndarray] = {}  # responses by crops and exemplar
LENGTH = 6  # frames of a clip; in each, the network runs for the student and for the reference
# with these the size changes in every frame, in steps so large that the side meets its limits
COARSE = {"penalty": 2.0, "rate": 25.0}
FIVE = {"scales": 5, "step": 1.0255, "penalty": 0.962, "rate": 0.34, "influence": 0.168}


@check(
    "search.tracker",
    reference=steps.SiamFC,
    mistakes={
        "you take the box's corner for the target's centre: that is half a width to the right of "
        "it and half a height below": steps.started_at(lambda box: box[:2]),
        "you take the box's far corner for the target's centre: that is half a width and half a "
        "height from (x, y)": steps.started_at(lambda box: box[:2] + box[2:]),
        "your exemplar has no context: its square has the side `context_side` of width and height": [
            steps.looked_at(lambda size, side: float(np.sqrt(np.prod(size)))),
            steps.looked_at(lambda size, side: float(size.max())),
        ],
        "your exemplar's square is as large as the search window's; it is 127 / 255 of it": (
            steps.looked_at(lambda size, side: side * SEARCH / EXEMPLAR)
        ),
        "your search window is as small as the exemplar's square; it is 255 / 127 times as wide": (
            steps.after_init(lambda self: steps.set_side(self, self.side * EXEMPLAR / SEARCH))
        ),
        "beyond the frame your crops are black; fill them with the first frame's mean colour": (
            steps.kept_as(colour=(0.0, 0.0, 0.0))
        ),
        "your window does not sum to 1: divide the product of the two Hann windows by its sum": (
            steps.after_init(lambda self: setattr(self, "window", self.window / self.window.max()))
        ),
        "the window has no influence on your box: mix it into the chosen scale's response": (
            steps.kept_as(influence=0.0)
        ),
        "the scale penalty is missing: other scales than the middle one are chosen too easily": (
            steps.kept_as(penalty=1.0)
        ),
        "your tracker always stays at the middle scale": steps.changed(
            choose=lambda right, self, r: steps.of_scale(self, r, len(r) // 2)
        ),
        "you mix the window in before you choose the scale: then each response sums to 1, and its "
        "peak says how narrow it is, not how high": steps.changed(choose=steps.blended_first),
        "you choose the scale before you enlarge; enlarged, the peaks are where they belong": (
            steps.changed(
                choose=lambda right, self, r: steps.of_scale(
                    self, r, siamfc.choose_scale(r, self.penalty)
                )
            )
        ),
        "the displacement is brought back by a window of the last side; the peak was found in the "
        "window of the chosen scale": steps.changed(
            move=lambda right, self, window, moved: right.move(
                self, CropWindow(*self.centre, self.side, SEARCH), moved
            )
        ),
        "the centre of 272 cells is at 135.5; your displacement is half a cell off": (
            steps.changed(move=lambda right, self, w, moved: right.move(self, w, moved - 0.25))
        ),
        "the target's centre is at x + w / 2, y + h / 2; yours is half a pixel off": (
            steps.started_at(lambda box: box[:2] + (box[2:] - 1) / 2)
        ),
        "you start from a rounded box; a box may lie between pixels": [
            steps.changed(
                init=lambda right, self, frame, box: right.init(self, frame, np.trunc(box))
            ),
            steps.changed(
                init=lambda right, self, frame, box: right.init(self, frame, np.round(box))
            ),
        ],
        "influence and rest are swapped: the window has the influence, the response the rest": (
            steps.changed(choose=steps.swapped)
        ),
        "the rate is on the wrong term: it belongs to the new size, 1 − rate to the old": (
            steps.after_init(lambda self: setattr(self, "rate", 1 - self.rate))
        ),
        "your box has two corners; return x, y, width and height": (
            steps.returned(lambda self: (self.centre - self.size / 2, self.centre + self.size / 2))
        ),
        "the channels of your crops are in another order than the frame's, R, G, B": (
            steps.changed(
                update=lambda right, self, frame: right.update(self, frame[..., ::-1].copy())
            )
        ),
        "`to_frame` takes points of the crop, which count from its corner: displacement + 127.5": (
            steps.changed(
                move=lambda right, self, w, moved: right.move(self, w, moved - SEARCH / 2)
            )
        ),
        "the centre of a 255-pixel crop is at 127.5": [
            steps.changed(move=lambda right, self, w, moved: right.move(self, w, moved - 0.5)),
            steps.changed(move=lambda right, self, w, moved: right.move(self, w, moved + 0.5)),
        ],
        "you add a displacement in search pixels to a centre in frame pixels; `to_frame` brings "
        "it back": steps.changed(
            move=lambda right, self, window, moved: setattr(self, "centre", self.centre + moved)
        ),
        "your box moves the wrong way: the displacement is peak minus centre": (
            steps.changed(move=lambda right, self, w, moved: right.move(self, w, -moved))
        ),
        "x and y of the displacement are swapped": (
            steps.changed(move=lambda right, self, w, moved: right.move(self, w, moved[::-1]))
        ),
        "the target's size stays as it was: it changes by the same factor as the search side": (
            steps.resized(size=False, side=True)
        ),
        "the search side stays as it was: keep the new one for the next frame": (
            steps.resized(size=True, side=False)
        ),
        "size and side jump to the chosen scale; they move there by the fraction `rate`": (
            steps.resized(size=True, side=True, damped=False)
        ),
        "the size jumps to the chosen scale while the side moves part of the way: both change by "
        "the same factor": steps.changed(resize=steps.undamped_size),
        "you cut a new exemplar in every frame; SiamFC's stays that of the first": (
            steps.changed(update=steps.learning)
        ),
        "you return the centre where the box's corner belongs: x = cx − w / 2": (
            steps.returned(lambda self: (self.centre, self.size))
        ),
        "your box is rounded; a box may lie between pixels": (
            steps.returned(
                lambda self: (np.round(self.centre - self.size / 2), np.round(self.size))
            )
        ),
        "the new centre is not kept: the next search starts where this one did": (
            steps.changed(update=steps.unkept)
        ),
    },
    others={
        "later cells set other values": [
            steps.kept_as(**THREE),
            steps.kept_as(scales=3),
            steps.kept_as(penalty=0.9745),
            steps.kept_as(rate=0.59),
            steps.kept_as(step=1.0375),
        ],
        "within 0.2 … 5 times its value in the first frame": [
            steps.changed(resize=steps.unlimited),
            steps.changed(resize=steps.limited_by_last),
        ],
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker, compared with the reference box by box; then with five scales."""
    with out_of_reach(siamfc.SiamFCTracker), _responses_kept():
        subjects = [_clear(answer.right, partial(_growing, rng))]
        for name in ("border", "alike", "large"):
            subjects.append(_clear(answer.right, partial(make_short, name, rng, LENGTH)))
        compare_tracks(answer, subjects)
        if hasattr(answer(), "scales"):
            _require_settings(answer, subjects[0])


def _clear(right: type, make: Callable[[], ShortSequence]) -> ShortSequence:
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


def _require_settings(answer: Trial, sequence: ShortSequence) -> None:
    """Raise Wrong if the tracker does not take its settings from its attributes, or has no limits
    to its side."""
    for settings, words in (
        (
            FIVE,
            "with the settings of SiamFC with five scales your boxes are others than the course's: "
            "take `scales`, `step`, `penalty`, `rate` and `influence` from `self`, since later "
            "cells set other values",
        ),
        (
            COARSE,
            "where the size changes by large steps your boxes are others than the course's: the "
            "search side must stay within 0.2 … 5 times its value in the first frame",
        ),
    ):
        trackers = answer(), answer.right()
        for tracker in trackers:
            tracker.__dict__.update(settings)
        given, right = (run(tracker, sequence) for tracker in trackers)
        if np.abs(given - right).max() > 0.05:
            raise Wrong(words)


def _growing(rng: np.random.Generator) -> ShortSequence:
    """A clip whose target grows by 4 % from frame to frame, at the frame's upper border."""
    scene, target = texture(rng, HEIGHT, WIDTH) // 2 + 40, texture(rng, 37, 31)
    frames, boxes = [], []
    for t in range(LENGTH):
        w, h = (round(side * 1.04**t) for side in (31, 37))
        x, y = 70 + 2 * t, 12 - t
        image = scene.copy()
        image[y : y + h, x : x + w] = cv2.resize(target, (w, h))
        frames.append(np.repeat(image[..., None], 3, axis=2))
        boxes.append([x + 0.4, y + 0.3, w - 0.4, h + 0.2])  # between pixels
    return ShortSequence("growing", "the target grows", frames, np.array(boxes, dtype=float))
