"""Check of lesson 06's tracker."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from course_lib.exercises import siamfc_steps as steps
from course_lib.exercises.core import check
from course_lib.exercises.guard import out_of_reach
from course_lib.exercises.siamfc_clips import (
    quick_network,
    sequence_for,
    sequences,
    with_settings,
)
from course_lib.exercises.tracks import compare_tracks, require_own_state
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.trackers import siamfc

THREE = {"scales": 3, "step": 1.0375, "penalty": 0.9745, "rate": 0.59, "influence": 0.176}
# no value near the published ones
OTHERS = {"scales": 5, "step": 1.06, "penalty": 1.0, "rate": 0.85, "influence": 0.5}
# with these the size changes in every frame, in steps so large that the side meets its limits
COARSE = {"penalty": 2.0, "rate": 25.0}


@check(
    "search.tracker",
    reference=steps.SiamFC,
    mistakes={
        **{
            f"`{name}` is always {value} in your tracker: take it from `self`, since later cells "
            "set other values": steps.kept_as(**{name: value})
            for name, value in THREE.items()
        },
        "your settings are always the published ones: take all five from `self`, since later cells "
        "set other values": steps.kept_as(**THREE),
        "you take the box's corner for the target's centre: the centre is half a width to the "
        "right of it and half a height below": steps.started_at(lambda box: box[:2]),
        "you take the box's far corner for the target's centre: the centre is half a width and "
        "half a height from (x, y)": steps.started_at(lambda box: box[:2] + box[2:]),
        "your exemplar has no context: its square has the side `context_side` of width and "
        "height": [
            steps.looked_at(lambda size, side: float(np.sqrt(np.prod(size)))),
            steps.looked_at(lambda size, side: float(size.max())),
        ],
        "`context_side` takes width and height here; you give it the whole box, whose first two "
        "numbers are x and y": steps.squared(context_side),
        "your squares have no context: both follow from `context_side` of width and height": [
            steps.squared(lambda box: np.sqrt(box[2:].prod())),
            steps.squared(lambda box: box[2:].max()),
        ],
        "your exemplar's square is not the one of `context_side`": [
            steps.looked_at(lambda size, side: float(size.sum())),
            steps.looked_at(lambda size, side: 2 * float(np.sqrt(np.prod(size)))),
        ],
        "your exemplar's square is as large as the search window's; it is 127 / 255 of it": (
            steps.looked_at(lambda size, side: side * SEARCH / EXEMPLAR)
        ),
        "your search window is as small as the exemplar's square; it is 255 / 127 times as wide": (
            steps.after_init(lambda self: steps.set_side(self, self.side * EXEMPLAR / SEARCH))
        ),
        "beyond the frame your crops are black; fill them with the first frame's mean colour": [
            steps.changed(init=steps.filled(lambda frame: (0, 0, 0))),
            steps.kept_as(colour=(0.0, 0.0, 0.0)),
        ],
        "beyond the frame your crops have the mean colour of the frame that they are cut from; "
        "keep that of the first": steps.changed(update=steps.recoloured),
        "beyond the frame your crops have another colour than the first frame's mean, channel by "
        "channel": [
            steps.changed(init=steps.filled(lambda frame: frame.mean((0, 1))[::-1])),
            steps.changed(init=steps.filled(lambda frame: np.full(3, frame.mean()))),
            steps.changed(init=steps.filled(lambda frame: np.median(frame, (0, 1)))),
            steps.changed(init=steps.filled(lambda frame: np.full(3, 128.0))),
        ],
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
        "you bring the displacement back with the window of the last side; the peak was found in "
        "the window of the chosen scale": steps.changed(
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
        "your crop's centre is half a pixel off: that of 255 pixels is at 127.5": [
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
        "the search windows keep their side from frame to frame: let them follow the damped one": (
            steps.resized(size=True, side=False)
        ),
        "size and side jump to the chosen scale; they move there by the fraction `rate`": (
            steps.resized(size=True, side=True, damped=False)
        ),
        "the size is damped by itself: where the side reaches a limit, the size still moves on. "
        "Take the side's own factor, new side over old": steps.changed(resize=steps.size_unlimited),
        "the size jumps to the chosen scale while the side moves part of the way: both change by "
        "the same factor": steps.changed(resize=steps.undamped_size),
        "you cut a new exemplar in every frame; SiamFC's stays that of the first": (
            steps.changed(update=steps.learning)
        ),
        "your exemplar's features change from frame to frame; SiamFC's stay those of the first": [
            steps.changed(update=partial(steps.learning, rate=rate)) for rate in (0.01, 0.02, 0.1)
        ],
        "you search the first frame again and again; search the one that `update` is given": (
            steps.changed(update=steps.looking_back)
        ),
        "you search the frame before the one that `update` is given": (
            steps.changed(update=partial(steps.looking_back, always=False))
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
        "the search side has no limits, or limits that move along with it: it must stay within 0.2 "
        "… 5 times its value in the first frame": [
            steps.changed(resize=steps.unlimited),
            steps.changed(resize=steps.limited_by_last),
        ],
        "the limits of the side are 0.2 and 5 times the first side of the search window, not of "
        "the exemplar's square": steps.after_init(
            lambda self: setattr(self, "first", self.first * EXEMPLAR / SEARCH)
        ),
    },
    others={
        "changes the box that `init` was given": steps.changed(
            init=steps.sized_by_view, resize=steps.resized_in_place
        ),
        "two of your trackers": steps.shared("z"),
        "starts it on another": steps.kept_from_first("z"),
    },
)
def examine_tracker(answer, rng) -> None:
    """The whole tracker, compared with the reference box by box; then with other settings, beside
    another one, and started again."""
    with out_of_reach(siamfc.SiamFCTracker), quick_network():
        subjects = sequences(answer.right, rng)
        compare_tracks(answer, subjects)
        for settings in (OTHERS, COARSE):
            compare_tracks(
                answer,
                [sequence_for(answer.right, rng, settings)],
                lambda tracker, settings=settings: with_settings(tracker(), settings),
            )
        require_own_state(answer, *(replace(s, frames=s.frames[:4]) for s in subjects[:2]))
