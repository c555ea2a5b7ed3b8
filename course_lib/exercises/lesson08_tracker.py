"""Check of lesson 08's tracker: on small clips, with a stand-in for the network whose proposals
differ so much from each other that each step of the choice shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from course_lib.exercises.core import check
from course_lib.exercises.tracks import compare_tracks, make_short
from course_lib.exercises.words import Wrong
from course_lib.geometry.anchors import decode
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.models.runtime import ProposalRuntime
from course_lib.trackers import siamrpn

CELLS, SHAPES = 17, 5


class StandIn:
    """In place of a network: template matching on means of 8 × 8 pixels, and noise that changes
    with the search image, so that in each frame another proposal wins. Each anchor's offsets stay.

    Args:
        rng: of the noise and the offsets.
        growth: mean of dw and dh: below 0 most proposals are smaller than their anchors.
        largest: score; where all are small, the window decides.
    """

    def __init__(self, rng: np.random.Generator, growth: float, largest: float) -> None:
        self.largest = largest
        anchors = SHAPES, CELLS, CELLS
        self.offsets = rng.normal([0, 0, growth, growth], [0.15, 0.15, 0.35, 0.35], (*anchors, 4))
        self.views = rng.normal(0, 0.008, (16, (2 * (CELLS - 1)) ** 2))  # small: noise is smooth
        self.phases = rng.normal(0, 1, (3, *anchors, 16))

    def template_features(self, crop: np.ndarray, search: int) -> np.ndarray:
        """A grey image (16, 16) of the exemplar crop (127, 127, 3)."""
        _require_shape(crop, (EXEMPLAR, EXEMPLAR, 3), "runtime.template_features", "the crop")
        if search != SEARCH:
            raise Wrong(
                f"runtime.template_features gets {search}; it needs the size of the search image, "
                f"{SEARCH}"
            )
        return _shrunk(crop, CELLS - 1)

    def respond(self, template: np.ndarray, crops: np.ndarray) -> np.ndarray:
        """Scores and offsets (1, A, 5) of the anchors in search crops (1, 255, 255, 3)."""
        _require_shape(crops, (1, SEARCH, SEARCH, 3), "runtime.respond", "the search crops")
        image = _shrunk(crops[0], 2 * (CELLS - 1))  # (32, 32)
        likeness = cv2.matchTemplate(image, template, cv2.TM_CCOEFF_NORMED)  # (17, 17)
        # (5, 17, 17); a product, so that few anchors have a high value and these are anywhere
        noise = np.sin(self.phases @ (self.views @ image.ravel())).prod(0)
        scores = self.largest / (1 + np.exp(3 - 2 * likeness - 6 * noise))  # (5, 17, 17)
        return np.concatenate([scores[..., None], self.offsets], -1).reshape(1, -1, 5)


def _shrunk(crop: np.ndarray, size: int) -> np.ndarray:
    small = cv2.resize(
        np.asarray(crop, dtype=np.float32), (size, size), interpolation=cv2.INTER_AREA
    )
    return small @ np.float32([0.5, 0.3, 0.2])  # uneven, so that the order of the colours counts


def _require_shape(crop: Any, shape: tuple[int, ...], what: str, name: str) -> None:
    if np.shape(crop) != shape:
        raise Wrong(f"{what} gets {name} of shape {np.shape(crop)}; it needs {shape}")


@contextmanager
def in_place_of_networks(stand_in: StandIn) -> Iterator[None]:
    """Inside the block, every network that is ready to track proposes what the stand-in does."""
    methods = "template_features", "respond"
    own = {name: vars(ProposalRuntime)[name] for name in methods}
    try:
        for name in methods:
            method = getattr(stand_in, name)
            setattr(
                ProposalRuntime,
                name,
                lambda runtime, *given, _do=method, **named: _do(*given, **named),
            )
        yield
    finally:
        for name, method in own.items():
            setattr(ProposalRuntime, name, method)


def _with(**steps: Callable) -> Callable[[type], Any]:
    """A mistake: a tracker in which some of these steps are others.

    * start(box): the first centre; exemplar(box): side of its square
    * template(tracker, frame): features for the next frames; colour(tracker, frame): beyond the frame
    * side(tracker): of the search image's square
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
                return self.window.cut(frame, self.colour)[None]

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


def _context(size: np.ndarray) -> float:
    return float(context_side(size))


def _blend(last: Any, found: Any, fraction: float) -> Any:
    return (1 - fraction) * last + fraction * found


def _learned(tracker: Any, frame: np.ndarray) -> Any:
    window = CropWindow(*tracker.centre, _context(tracker.size), EXEMPLAR)
    return tracker.runtime.template_features(window.cut(frame, tracker.colour), SEARCH)


RIGHT = {
    "start": lambda box: box[:2] + box[2:] / 2,
    "exemplar": lambda box: _context(box[2:]),
    "template": lambda t, frame: t.z,
    "colour": lambda t, frame: t.colour,
    "side": lambda t: _context(t.size) * SEARCH / EXEMPLAR,
    "penalty": lambda t, boxes: siamrpn.change_penalty(boxes, t.size * t.window.scale, 0.16),
    "rank": lambda scores, penalties, hann: 0.6 * scores * penalties + 0.4 * hann,
    "found": lambda t, box: t.window.box_to_frame(box),
    "certainty": lambda score, penalty, rank: score * penalty,
    "kept": lambda t, found, fraction: found[:2] + found[2:] / 2,
    "smooth": _blend,
    "limit": np.clip,
    "returned": lambda centre, size, found: [*(centre - size / 2), *size],
}


@check(
    "choose.tracker",
    reference=siamrpn.SiamRPNTracker,
    mistakes={
        "you return the centre where the box's corner belongs: x = cx − w / 2": _with(
            returned=lambda centre, size, found: [*centre, *size]
        ),
        "you return the chosen proposal; the box has its centre and the smoothed size": _with(
            returned=lambda centre, size, found: found
        ),
        "you go from the centre to the corner by half the proposal's size; it is half the smoothed "
        "size": _with(returned=lambda centre, size, found: [*(centre - found[2:] / 2), *size]),
        "your centre is the corner of the best proposal; its centre is half a size further": _with(
            kept=lambda t, found, fraction: found[:2]
        ),
        "your first centre is the corner of the box; its centre is half a size further": _with(
            start=lambda box: box[:2].copy()
        ),
        "your template features are computed anew in each frame; those of the first frame stay": (
            _with(template=_learned)
        ),
        "your search stays where the target was in frame 0: keep the new centre in self.centre": (
            _with(kept=lambda t, found, fraction: t.first_centre)
        ),
        "your box keeps the size of frame 0: keep the smoothed size in self.size": _with(
            smooth=lambda last, found, fraction: last
        ),
        "proposals are in search pixels, the box in frame pixels: window.box_to_frame brings them "
        "there": _with(found=lambda t, box: box),
        "your proposal's size is still in search pixels: window.box_to_frame brings all four to "
        "the frame": _with(
            found=lambda t, box: np.r_[
                t.window.box_to_frame(box)[:2] + t.window.box_to_frame(box)[2:] / 2 - box[2:] / 2,
                box[2:],
            ]
        ),
        "your penalty compares proposals in search pixels with the last size in frame pixels: "
        "self.size * window.scale": _with(
            penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.size, 0.16)
        ),
        "the last size in search pixels is self.size * window.scale; you divide": _with(
            penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.size / t.window.scale, 0.16)
        ),
        "your penalty compares proposals with the size of frame 0; it is the last size": _with(
            penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.first * t.window.scale, 0.16)
        ),
        "you multiply scores by the window; it is added with its influence, see exercise 08.4": (
            _with(rank=lambda scores, penalties, hann: scores * penalties * hann)
        ),
        "you choose by the score and the window, without the penalty": _with(
            rank=lambda scores, penalties, hann: 0.6 * scores + 0.4 * hann
        ),
        "you choose by the score and the penalty, without the window": _with(
            rank=lambda scores, penalties, hann: scores * penalties
        ),
        "you choose by the score alone; the ranking is that of exercise 08.4": _with(
            rank=lambda scores, penalties, hann: scores
        ),
        "the influence of the window, 0.40, is on the penalised score": _with(
            rank=lambda scores, penalties, hann: 0.4 * scores * penalties + 0.6 * hann
        ),
        "your size moves by the rate alone, as if every proposal were certain; the fraction is "
        "certainty · rate": _with(certainty=lambda score, penalty, rank: 1.0),
        "your certainty is the score; it is penalty · score": _with(
            certainty=lambda score, penalty, rank: score
        ),
        "your certainty is the penalty; it is penalty · score": _with(
            certainty=lambda score, penalty, rank: penalty
        ),
        "your certainty is the number it was ranked by, the window included; it is penalty · score": (
            _with(certainty=lambda score, penalty, rank: rank)
        ),
        "your size jumps to the proposal's; smooth it": _with(
            smooth=lambda last, found, fraction: found
        ),
        "your centre is smoothed like the size; it is that of the chosen proposal": _with(
            kept=lambda t, found, fraction: _blend(t.centre, found[:2] + found[2:] / 2, fraction)
        ),
        "your search image has the side of frame 0; it follows the current size": _with(
            side=lambda t: _context(t.first) * SEARCH / EXEMPLAR
        ),
        "your search image covers too small a square: its side is context_side(self.size) · 255 / "
        "127": [
            _with(side=lambda t: _context(t.size)),
            _with(side=lambda t: np.sqrt(t.size.prod()) * SEARCH / EXEMPLAR),
        ],
        "your exemplar shows a square of another size: its side is context_side(self.size)": [
            _with(exemplar=lambda box: _context(box[2:]) * SEARCH / EXEMPLAR),
            _with(exemplar=lambda box: np.sqrt(box[2:].prod())),
            _with(exemplar=lambda box: box[2:].max()),
        ],
        "beyond the frame your crops are black; they have the mean colour of the first frame": (
            _with(colour=lambda t, frame: (0.0, 0.0, 0.0))
        ),
        "beyond the frame your crops have the mean colour of the current frame; it is that of the "
        "first frame": _with(colour=lambda t, frame: cv2.mean(frame)[:3]),
        "frame.shape is height, width; the limits of x and of the width come first": _with(
            limit=lambda value, low, high: np.clip(value, low, np.array(high)[::-1])
        ),
        "your centre can leave the frame; keep it inside, and the size between 10 pixels and the "
        "frame's": _with(
            limit=lambda value, low, high: np.clip(value, low, high) if low else value
        ),
        "your size can fall below 10 pixels; keep it between 10 pixels and the frame's size, and the "
        "centre inside the frame": _with(limit=lambda value, low, high: np.clip(value, 0, high)),
        "your size can exceed the frame's; keep it between 10 pixels and the frame's size, and the "
        "centre inside the frame": _with(
            limit=lambda value, low, high: np.clip(value, low, high if low == 0 else np.inf)
        ),
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker beside the reference, on clips in which each step shows."""
    for name, growth, largest, first in (
        ("odd", 0.0, 0.25, None),
        ("hidden", 0.1, 0.9, None),
        ("alike", -0.1, 0.4, None),
        ("small", -0.6, 0.9, None),
        ("large", 0.6, 0.9, (20, 10, 131.5, 120.25)),
        ("border", 0.3, 0.9, (170, 120, 29, 27.5)),
    ):
        sequence = make_short(name, rng, length=10)
        light = np.linspace(1, 0.5 if name == "border" else 1, 10)  # so that mean colours differ
        tint = np.array([1.0, 0.8, 0.5])
        frames = [
            (f * tint * v).astype(np.uint8) for f, v in zip(sequence.frames, light, strict=True)
        ]
        boxes = sequence.boxes if first is None else np.array([first] * len(frames), dtype=float)
        sequence = replace(sequence, frames=frames, boxes=boxes)
        with in_place_of_networks(StandIn(rng, growth, largest)):
            compare_tracks(answer, [sequence])
