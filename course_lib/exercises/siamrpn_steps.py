"""SiamRPN's tracker in steps, any of which can be another: the wrong trackers of lesson 08."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.tracks import HEIGHT, WIDTH
from course_lib.geometry.anchors import decode
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.trackers import siamrpn


def with_steps(**steps: Callable) -> Callable[[type], Any]:
    """A mistake: a tracker in which some of these steps are others.

    * start(box): the first centre; exemplar(box): side of its square
    * template(tracker, frame): features for the next frames
    * colour(tracker, frame): beyond the frame
    * frame(tracker, frame): searched; side(tracker): of the search image's square
    * penalty(tracker, boxes); rank(scores, penalties, hann): the choice
    * found(tracker, box): the chosen box (4,) in the frame
    * certainty(score, penalty, rank); smooth(last, found, fraction): the next size
    * kept(tracker, found, fraction): the next centre
    * limit(value, low, high): of centre and size
    * returned(centre, size, found): the box
    """

    def code(right: type) -> Any:
        class Variant(right):
            def init(self, frame, box):
                super().init(frame, box)
                self.centre = do("start", box)
                self.first, self.first_centre = self.size.copy(), self.centre.copy()
                self.first_frame = frame.copy()
                self.colour = do("colour", self, frame)
                window = CropWindow(*self.centre, float(do("exemplar", box)), EXEMPLAR)
                self.z = self.runtime.template_features(window.cut(frame, self.colour), SEARCH)

            def update(self, frame):
                box = super().update(frame)
                self.z = do("template", self, frame)
                return box

            def look(self, frame):
                self.colour = do("colour", self, frame)
                super().look(frame)
                self.window = CropWindow(*self.centre, float(do("side", self)), SEARCH)
                return self.window.cut(do("frame", self, frame), self.colour)[None]

            def decide(self, responses):
                scores, boxes = responses[0, :, 0], decode(responses[0, :, 1:], self.anchors)
                penalties = do("penalty", self, boxes)
                ranked = do("rank", scores, penalties, self.hann)
                best = int(ranked.argmax())
                found = do("found", self, boxes[best])
                fraction = 0.3 * do("certainty", scores[best], penalties[best], ranked[best])
                centre = do("kept", self, found, fraction)
                self.centre = do("limit", centre, 0, self.frame_size)
                size = do("smooth", self.size, found[2:], fraction)
                self.size = do("limit", size, 10, self.frame_size)
                return np.asarray(do("returned", self.centre, self.size, found))

        return Variant()

    def do(step: str, *given: Any) -> Any:
        return (steps.get(step) or RIGHT[step])(*given)

    return code


def context(size: np.ndarray) -> float:
    """Side of the exemplar's square around a target of size (2,)."""
    return float(context_side(size))


def blend(last: Any, found: Any, fraction: float) -> Any:
    """`last`, moved towards `found` by a fraction of the way.

    Args:
        last: a size or a ranking.
        found: another.
        fraction: 0 … 1.
    """
    return (1 - fraction) * last + fraction * found


def learned(tracker: Any, frame: np.ndarray) -> Any:
    """Template features of the target where the tracker is now."""
    window = CropWindow(*tracker.centre, context(tracker.size), EXEMPLAR)
    return tracker.runtime.template_features(window.cut(frame, tracker.colour), SEARCH)


def ranked_with(influence: float) -> Callable:
    """A mistake: another influence of the window."""
    return with_steps(
        rank=lambda scores, penalties, hann: blend(scores * penalties, hann, influence)
    )


def penalised_with(k: float) -> Callable:
    """A mistake: another strength of the penalty."""
    return with_steps(
        penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.size * t.window.scale, k)
    )


def smoothed_by(rate: float) -> Callable:
    """A mistake: another rate of the size."""
    return with_steps(
        smooth=lambda last, found, fraction: blend(last, found, fraction / 0.3 * rate)
    )


def limited_to(pixels: float) -> Callable:
    """A mistake: another lower limit of the size."""
    return with_steps(limit=lambda value, low, high: np.clip(value, pixels if low else 0, high))


def cut_off(low: np.ndarray, high: np.ndarray) -> list[float]:
    """The part of a box inside a frame of the sequences' size."""
    low, high = np.maximum(low, 0), np.minimum(high, FRAME)
    return [*low, *(high - low)]


def corner_inside(box: np.ndarray) -> np.ndarray:
    """A box (4,) whose upper left corner is kept inside a frame of the sequences' size."""
    return np.concatenate([np.clip(box[:2], 0, FRAME), box[2:]])


def size_too_old() -> Callable:
    """A mistake: the box returned has the size from before the smoothing."""
    kept = {}

    def smooth(last: np.ndarray, found: np.ndarray, fraction: float) -> np.ndarray:
        kept["last"] = last
        return blend(last, found, fraction)

    return with_steps(
        smooth=smooth,
        returned=lambda centre, size, found: [*(centre - kept["last"] / 2), *kept["last"]],
    )


FRAME = np.array([WIDTH, HEIGHT])
RIGHT = {
    "start": lambda box: box[:2] + box[2:] / 2,
    "exemplar": lambda box: context(box[2:]),
    "template": lambda t, frame: t.z,
    "colour": lambda t, frame: t.colour,
    "frame": lambda t, frame: frame,
    "side": lambda t: context(t.size) * SEARCH / EXEMPLAR,
    "penalty": lambda t, boxes: siamrpn.change_penalty(boxes, t.size * t.window.scale, 0.16),
    "rank": lambda scores, penalties, hann: 0.6 * scores * penalties + 0.4 * hann,
    "found": lambda t, box: t.window.box_to_frame(box),
    "certainty": lambda score, penalty, rank: score * penalty,
    "kept": lambda t, found, fraction: found[:2] + found[2:] / 2,
    "smooth": blend,
    "limit": np.clip,
    "returned": lambda centre, size, found: [*(centre - size / 2), *size],
}
