"""Checks of lesson 08: SiamRPN's tracker on small sequences, with a stand-in for the network."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from course_lib.exercises.core import check
from course_lib.exercises.siamrpn_steps import (
    blend,
    context,
    corner_inside,
    cut_off,
    learned,
    limited_to,
    penalised_with,
    ranked_with,
    size_too_old,
    smoothed_by,
    with_steps,
)
from course_lib.exercises.stand_in import StandIn, in_place_of_networks
from course_lib.exercises.tracks import (
    ShortSequence,
    compare_tracks,
    make_short,
    require_own_arrays,
    require_own_state,
)
from course_lib.geometry.windows import EXEMPLAR, SEARCH, context_side
from course_lib.trackers import siamrpn


@check(
    "choose.tracker",
    reference=siamrpn.SiamRPNTracker,
    mistakes={
        "you return the centre where the box's corner belongs: x = cx − w / 2": with_steps(
            returned=lambda centre, size, found: [*centre, *size]
        ),
        "you return the chosen proposal; the box has its centre and the smoothed size": with_steps(
            returned=lambda centre, size, found: found
        ),
        "you go from the centre to the corner by half the proposal's size; it is half the smoothed "
        "size": with_steps(returned=lambda centre, size, found: [*(centre - found[2:] / 2), *size]),
        "your centre is the corner of the best proposal; its centre is half its size "
        "further in": with_steps(kept=lambda t, found, fraction: found[:2]),
        "your first centre is the corner of the box; its centre is half its size "
        "further in": with_steps(start=lambda box: box[:2].copy()),
        "your template features are computed anew in each frame; those of the first frame stay": (
            with_steps(template=learned)
        ),
        "your search stays where the target was in frame 0: keep the new centre in self.centre": (
            with_steps(kept=lambda t, found, fraction: t.first_centre)
        ),
        "your box keeps the size of frame 0: keep the smoothed size in self.size": with_steps(
            smooth=lambda last, found, fraction: last
        ),
        "proposals are in search pixels, the box in frame pixels: window.box_to_frame converts "
        "them": with_steps(found=lambda t, box: box),
        "your proposal's size is still in search pixels: window.box_to_frame brings all four to "
        "the frame": with_steps(
            found=lambda t, box: np.r_[
                t.window.box_to_frame(box)[:2] + t.window.box_to_frame(box)[2:] / 2 - box[2:] / 2,
                box[2:],
            ]
        ),
        "your penalty compares proposals in search pixels with the last size in frame pixels: "
        "self.size * window.scale": with_steps(
            penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.size, 0.16)
        ),
        "the last size in search pixels is self.size * window.scale; you divide": with_steps(
            penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.size / t.window.scale, 0.16)
        ),
        "your penalty compares proposals with the size of frame 0; it is the last size": with_steps(
            penalty=lambda t, boxes: siamrpn.change_penalty(boxes, t.first * t.window.scale, 0.16)
        ),
        "the influence of the window is 0.40; yours is different": [
            ranked_with(influence) for influence in (0.3, 0.42, 0.176)
        ],
        "you multiply scores by the window; it is added with its influence, see exercise 08.4": (
            with_steps(rank=lambda scores, penalties, hann: scores * penalties * hann)
        ),
        "you choose by the score and the window, without the penalty": with_steps(
            rank=lambda scores, penalties, hann: 0.6 * scores + 0.4 * hann
        ),
        "you choose by the score and the penalty: the window is missing, or so small that it "
        "decides nothing": [
            with_steps(rank=lambda scores, penalties, hann: scores * penalties),
            with_steps(
                rank=lambda scores, penalties, hann: blend(scores * penalties, hann / 1e3, 0.4)
            ),
        ],
        "you choose by the score alone; the ranking is that of exercise 08.4": with_steps(
            rank=lambda scores, penalties, hann: scores
        ),
        "the influence of the window, 0.40, is on the penalised score": with_steps(
            rank=lambda scores, penalties, hann: 0.4 * scores * penalties + 0.6 * hann
        ),
        "the penalty's k is 0.16; yours is different": [penalised_with(k) for k in (0.22, 0.04)],
        "the rate is 0.30; yours is different": [smoothed_by(rate) for rate in (0.27, 0.38)],
        "your size moves by the rate alone, as if every proposal were certain; the fraction is "
        "certainty · rate": with_steps(certainty=lambda score, penalty, rank: 1.0),
        "your certainty is the score; it is penalty · score": with_steps(
            certainty=lambda score, penalty, rank: score
        ),
        "your certainty is the penalty; it is penalty · score": with_steps(
            certainty=lambda score, penalty, rank: penalty
        ),
        "your certainty is the proposal's ranking, the window included; it is penalty · score": (
            with_steps(certainty=lambda score, penalty, rank: rank)
        ),
        "width and height are smoothed separately; yours keep their ratio": with_steps(
            smooth=lambda last, found, fraction: blend(
                last, last * np.sqrt(found.prod() / last.prod()), fraction
            )
        ),
        "nothing is rounded, not even the box": [
            with_steps(
                returned=lambda centre, size, found: np.round([*(centre - size / 2), *size])
            ),
            with_steps(smooth=lambda *given: np.round(blend(*given))),
            with_steps(kept=lambda t, found, fraction: np.round(found[:2] + found[2:] / 2)),
            with_steps(start=lambda box: np.round(box[:2] + box[2:] / 2)),
            with_steps(side=lambda t: round(context(t.size) * SEARCH / EXEMPLAR)),
            with_steps(exemplar=lambda box: round(context(box[2:]))),
        ],
        "your box has the size of the frame before: smooth the size first, then return it": (
            size_too_old()
        ),
        "the centre is kept inside the frame; yours keeps the corner of the proposal inside": (
            with_steps(found=lambda t, box: corner_inside(t.window.box_to_frame(box)))
        ),
        "your box is cut off at the frame; only its centre has to stay inside": with_steps(
            returned=lambda centre, size, found: cut_off(centre - size / 2, centre + size / 2)
        ),
        "the corner of your box is kept inside the frame; only the centre has to stay inside": [
            with_steps(
                returned=lambda centre, size, found: [*np.maximum(centre - size / 2, 0), *size]
            ),
            with_steps(
                returned=lambda centre, size, found: corner_inside(np.r_[centre - size / 2, size])
            ),
        ],
        "you return two corners; a box is x, y, width, height": with_steps(
            returned=lambda centre, size, found: [*(centre - size / 2), *(centre + size / 2)]
        ),
        "your search image is cut from the frame of `init`; take the current frame": with_steps(
            frame=lambda t, frame: t.first_frame
        ),
        "your size jumps to the proposal's; smooth it": with_steps(
            smooth=lambda last, found, fraction: found
        ),
        "your centre is smoothed like the size; take that of the chosen proposal": with_steps(
            kept=lambda t, found, fraction: blend(t.centre, found[:2] + found[2:] / 2, fraction)
        ),
        "your centre goes only part of the way; take that of the chosen proposal": [
            with_steps(
                kept=lambda t, found, fraction, part=part: blend(
                    t.centre, found[:2] + found[2:] / 2, part
                )
            )
            for part in (0.3, 0.5, 0.7)
        ],
        "your search image has the side of frame 0; it follows the current size": with_steps(
            side=lambda t: context(t.first) * SEARCH / EXEMPLAR
        ),
        "your squares have no context: both follow from context_side(self.size)": [
            with_steps(
                side=lambda t: np.sqrt(t.size.prod()) * SEARCH / EXEMPLAR,
                exemplar=lambda box: np.sqrt(box[2:].prod()),
            ),
            with_steps(
                side=lambda t: t.size.max() * SEARCH / EXEMPLAR, exemplar=lambda box: box[2:].max()
            ),
        ],
        "your search image covers too small a square: its side is context_side(self.size) · 255 / "
        "127": [
            with_steps(side=lambda t: context(t.size)),
            with_steps(side=lambda t: np.sqrt(t.size.prod()) * SEARCH / EXEMPLAR),
        ],
        "your exemplar shows a square of another size: its side is context_side(self.size)": [
            with_steps(exemplar=lambda box: context(box[2:]) * SEARCH / EXEMPLAR),
            with_steps(exemplar=lambda box: np.sqrt(box[2:].prod())),
            with_steps(exemplar=lambda box: box[2:].max()),
            with_steps(exemplar=lambda box: 2 * box[2:].max()),
            with_steps(exemplar=lambda box: float(context_side(box[2:], 0.25))),
        ],
        "the colour beyond the frame has three numbers, the mean of each channel": [
            with_steps(colour=lambda t, frame: (float(t.first_frame.mean()),) * 3),
            with_steps(colour=lambda t, frame: cv2.mean(t.first_frame)[2::-1]),
            with_steps(colour=lambda t, frame: (128.0,) * 3),
            with_steps(colour=lambda t, frame: (127.0,) * 3),
            with_steps(colour=lambda t, frame: tuple(np.median(t.first_frame, axis=(0, 1)))),
        ],
        "beyond the frame your crops are black; they have the mean colour of the first frame": (
            with_steps(colour=lambda t, frame: (0.0, 0.0, 0.0))
        ),
        "beyond the frame your crops have the mean colour of the current frame; it is that of the "
        "first frame": with_steps(colour=lambda t, frame: cv2.mean(frame)[:3]),
        "frame.shape is height, then width: your limits of x and w are swapped with those "
        "of y and h": with_steps(
            limit=lambda value, low, high: np.clip(value, low, np.array(high)[::-1])
        ),
        "your centre can leave the frame; keep it inside, and the size between 10 pixels and the "
        "frame's": with_steps(
            limit=lambda value, low, high: np.clip(value, low, high) if low else value
        ),
        "the centre may lie on the very edge of the frame, 0 … width and 0 … height": [
            with_steps(
                limit=lambda value, low, high: np.clip(value, low, np.array(high) - (low == 0))
            ),
            with_steps(limit=lambda value, low, high: np.clip(value, low, np.array(high) - 1)),
        ],
        "the size may equal the frame's": with_steps(
            limit=lambda value, low, high: np.clip(value, low, np.array(high) - (low > 0))
        ),
        "it is the smoothed size that is limited; you limit the proposal's": with_steps(
            smooth=lambda last, found, fraction: blend(last, np.maximum(found, 10), fraction)
        ),
        "your size can fall below 10 pixels; keep it between 10 pixels and the frame's size, and "
        "the centre inside the frame": with_steps(
            limit=lambda value, low, high: np.clip(value, 0, high)
        ),
        "a size is at least 10 pixels; your limit is different": [
            limited_to(pixels) for pixels in (12, 16)
        ],
        "your size can exceed the frame's; keep it between 10 pixels and the frame's size, and the "
        "centre inside the frame": with_steps(
            limit=lambda value, low, high: np.clip(value, low, high if low == 0 else np.inf)
        ),
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker compared with the reference, on sequences in which each step shows, one of
    them long; then two trackers at once, one restarted, and one whose caller writes into its
    arrays."""
    for name, growth, largest, length, first in (
        ("hidden", 0.1, 0.9, 10, (3, 2, 30, 36.5)),
        ("alike", -0.1, 0.4, 10, None),
        ("small", -0.6, 0.9, 10, None),
        ("large", 0.6, 0.9, 10, (20, 10, 131.5, 120.25)),
        ("border", 0.3, 0.9, 10, (170, 120, 29, 27.5)),
        ("odd", 0.0, 0.25, 24, None),
        ("plain", 0.0, 0.09, 6, None),  # no proposal is certain
    ):
        sequence = _short(name, rng, length, first)
        with in_place_of_networks(StandIn(rng, growth, largest)):
            compare_tracks(answer, [sequence])
    with in_place_of_networks(StandIn(rng, 0.1, 0.6)):
        one = _short("border", rng, 5, (170, 120, 29, 27.5))
        other = _short("large", rng, 5, (20, 10, 131.5, 120.25))
        other = replace(other, frames=[frame // 3 for frame in other.frames])
        require_own_state(answer, one, other)
        require_own_arrays(answer, one)


def _short(
    name: str, rng: np.random.Generator, length: int, first: tuple[float, ...] | None
) -> ShortSequence:
    """A sequence in colours whose means differ; for `border` they also change with the frame.

    Args:
        name: of the sequence.
        rng: of its textures.
        length: frames.
        first: the box, if it is not the target's.
    """
    sequence = make_short(name, rng, length=length)
    light = np.linspace(1, 0.5 if name == "border" else 1, length)
    tint = np.array([1.0, 0.8, 0.5])
    frames = [(f * tint * v).astype(np.uint8) for f, v in zip(sequence.frames, light, strict=True)]
    boxes = sequence.boxes if first is None else np.array([first] * length, dtype=float)
    return replace(sequence, frames=frames, boxes=boxes)
