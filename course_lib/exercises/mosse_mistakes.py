"""What students get wrong in lesson 02's tracker: one step each."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.mosse_steps import (
    always,
    around_the_corner,
    as_at_the_start,
    at_rate,
    at_the_old_place,
    averaged,
    averaged_filters,
    copies,
    cut_elsewhere,
    cut_in_other_grey,
    cut_off,
    halved,
    having,
    if_sure,
    inside,
    learned_once_more,
    learning,
    learning_from,
    lost_for_good,
    one_warp,
    only_the_first,
    own_response,
    search,
    sides_by,
    started,
    unprepared,
    updating,
    warped_late,
    whole_pixels,
    with_regulariser,
)
from course_lib.trackers import mosse

MISTAKES = {
    "`init` trains on patches that are not preprocessed": having(_first=lambda self, p: p),
    "`init` trains on patches that are windowed only: preprocess them, logarithm and all": having(
        _first=lambda self, p: p * self.window
    ),
    "`init` trains on patches that have no window: preprocess each with the window": [
        having(_prepared=lambda self, p: mosse.preprocess(p, np.ones(self.size))),
        having(_first=lambda self, p: mosse.preprocess(p, np.ones(self.size))),
    ],
    "your warped copies are not preprocessed, only the patch itself is": having(
        _first=only_the_first
    ),
    "`init` trains on the first patch only: its eight warped copies are missing": having(
        _copies=lambda self, p: [p]
    ),
    "`init` trains on the eight warped copies only: the patch itself is one of the nine": having(
        _copies=lambda self, p: list(mosse.random_warps(p, 8, np.random.default_rng(0)))
    ),
    "`init` trains on a number of warped copies other than eight": [
        having(_copies=copies(count)) for count in (4, 7, 9, 16)
    ],
    "your copies are drawn with a seed other than 0": [
        having(_copies=copies(seed=seed)) for seed in (1, 42)
    ],
    "you warp the preprocessed patch: warp the grey one, then preprocess each copy": having(
        init=warped_late
    ),
    "`init` averages A and B over its patches; train_filter sums them, and sums they stay": having(
        init=averaged
    ),
    "`init` learns from the first patch once more, after it has trained": having(
        init=learned_once_more
    ),
    "your eight copies are all the same: one generator draws all of them": having(_copies=one_warp),
    "your patch is as large as the box; it is 1.5 × as high and wide, rounded down": having(
        _sides=lambda self: (int(self.h), int(self.w))
    ),
    "the sides of your patch are not int(1.5 * h) and int(1.5 * w), which are rounded down": [
        having(_sides=sides_by(round)),
        having(_sides=sides_by(lambda side: int(np.ceil(side)))),
        having(_sides=sides_by(lambda side: int(side) | 1)),
        having(_sides=sides_by(lambda side: int(side) // 2 * 2)),
    ],
    "you round the box's sides before you multiply them by 1.5: only the patch has whole "
    "sides": having(_sides=lambda self: (int(1.5 * int(self.h)), int(1.5 * int(self.w)))),
    "your patch is a square, or has a smallest size: its sides are 1.5 × those of the box": [
        having(_sides=lambda self: (int(1.5 * max(self.w, self.h)),) * 2),
        having(_sides=lambda self: (int(1.5 * min(self.w, self.h)),) * 2),
        *(having(_sides=sides_by(lambda side, n=n: max(n, int(side)))) for n in (16, 32, 64)),
    ],
    "your patch is twice as high and wide as the box; 1.5 × is asked for": having(
        _sides=lambda self: (int(2 * self.h), int(2 * self.w))
    ),
    "you round the centre before you cut the patch: grey_patch rounds it down itself": [
        having(_cut=cut_elsewhere(np.round)),
        having(_cut=cut_elsewhere(np.ceil)),
    ],
    "your grey values are not the mean of the three colours: grey_patch cuts them": [
        having(_cut=cut_in_other_grey(weights))
        for weights in ((0.299, 0.587, 0.114), (0.114, 0.587, 0.299), *np.eye(3))
    ],
    "your patch has height and width exchanged": having(
        _sides=lambda self: (int(1.5 * self.w), int(1.5 * self.h))
    ),
    "your patch lies around the box's corner (x, y); its centre is (x + w / 2, y + h / 2)": having(
        init=around_the_corner
    ),
    "your target response has a sigma other than 2 px": [
        having(init=started(sigma=sigma)) for sigma in (1.0, 3.0, 4.0, 10.0)
    ],
    "your filter has no regulariser": having(init=started(regulariser=0.0)),
    "your box is rounded to whole pixels: only the patch lies on whole pixels, the box may lie "
    "between": [
        having(init=whole_pixels),
        having(_box=lambda self: np.floor(super(type(self), self)._box())),
        having(_box=lambda self: np.round(super(type(self), self)._box())),
    ],
    "once lost, your tracker stays lost: as soon as the PSR is high again, it moves and "
    "learns": having(update=lost_for_good),
    "in frame 1 your box stays where it is, and the filter learns nothing. Is the patch in which "
    "you search preprocessed as in `init`, the filter self.A / self.B? Does nothing change below "
    "the threshold, and only there?": [
        having(update=updating(lambda self, sure: not sure, lambda self, sure: not sure)),
        having(update=search(lambda tracker, patch: patch)),
        having(update=search(lambda tracker, patch: patch * tracker.window)),
        having(update=search(respond=lambda p, A, B: mosse.respond(p, np.conj(A), B))),
        having(update=lambda self, frame: self._box()),
    ],
    "the filter learns at the old place: cut the patch again at the new centre": having(
        update=at_the_old_place
    ),
    "while the target is lost your tracker still learns: below the threshold change "
    "nothing": having(update=updating(if_sure, always)),
    "while the target is lost your box still moves: below the threshold change nothing": having(
        update=updating(always, if_sure)
    ),
    "you read self.rate or self.threshold in `init` only: both may change later": [
        as_at_the_start("rate", "threshold"),
        as_at_the_start("rate"),
        as_at_the_start("threshold"),
    ],
    "your tracker moves and learns where the PSR is below the threshold: there, change "
    "nothing": having(update=updating(always, always)),
    "your threshold is always 7; the notebook sets `self.threshold`": (
        lambda right, rate=0.125, threshold=7.0: right(rate)
    ),
    "your learning rate is always 0.125; the notebook sets `self.rate`": (
        lambda right, rate=0.125, threshold=7.0: right(threshold=threshold)
    ),
    "your filter learns from an earlier frame, the first or the last: cut the patch from this "
    "one": [
        learning_from(lambda tracker: tracker.first),
        learning_from(lambda tracker: tracker.last),
    ],
    "you average the filters, A / B; numerator and denominator are averaged separately": having(
        _learn=learning(averaged_filters)
    ),
    "you add a regulariser in each update: the first B already contains it": [
        having(_learn=with_regulariser(lambda tracker: tracker.rate)),
        having(_learn=with_regulariser(lambda tracker: 1.0)),
    ],
    "the weights are swapped: the new patch has η, the past 1 − η": having(
        _learn=at_rate(lambda tracker: 1 - tracker.rate)
    ),
    "on this sequence your filter stays as `init` made it: keep what the update returns in self.A, "
    "self.B": having(_learn=lambda self, frame: None),
    "your learning rate is not `self.rate`": [
        *(having(_learn=at_rate(lambda t, rate=rate: rate)) for rate in (0.02, 0.075, 0.25, 0.5)),
        having(_learn=at_rate(lambda t: t.rate / 2)),
    ],
    "your filter learns to repeat its own response; let it learn to give the target": having(
        update=own_response
    ),
    "only self.A is updated: keep both, self.A and self.B": having(
        _learn=learning(lambda t, p: (mosse.update_filter(t.A, t.B, p, t.target, t.rate)[0], t.B))
    ),
    "only self.B is updated: keep both, self.A and self.B": having(
        _learn=learning(lambda t, p: (t.A, mosse.update_filter(t.A, t.B, p, t.target, t.rate)[1]))
    ),
    "each frame's filter is trained anew: the past keeps a weight of 1 − η": [
        having(_learn=learning(lambda t, p: mosse.train_filter(p[None], t.target, 1.0))),
        having(_learn=at_rate(lambda tracker: 1.0)),
    ],
    "your filter learns from patches that are not preprocessed: preprocess them as in `init`": [
        having(_learn=unprepared(windowed=True)),
        having(_learn=unprepared(windowed=False)),
    ],
    "your nine patches are all the same: preprocess each copy, not the first patch nine times": (
        having(_copies=lambda self, p: [p] * 9)
    ),
    "you keep the box inside the frame; a target may leave it": [
        inside(),
        inside(short=1),
        inside(upper=False),
        inside(share=0.5),
    ],
    "your filter learns twice in each frame": having(
        _learn=lambda self, frame: [super(type(self), self)._learn(frame) for _ in range(2)]
    ),
    "your box never moves: add the displacement to the centre": having(
        _move=lambda self, dx, dy: None
    ),
    "your box moves the wrong way: add the displacement, do not subtract it": having(
        _move=lambda self, dx, dy: setattr(self, "centre", self.centre - [dx, dy])
    ),
    "your box takes dy for dx: respond returns the response, dx, dy": having(
        _move=lambda self, dx, dy: setattr(self, "centre", self.centre + [dy, dx])
    ),
    "your displacement is limited to a largest value: it may reach as far as the patch": [
        having(_move=cut_off(n)) for n in (2, 4, 5, 8, 10, 16, 20)
    ],
    "your box moves by half the displacement": having(
        _move=lambda self, dx, dy: setattr(self, "centre", self.centre + [dx / 2, dy / 2])
    ),
    "you return the centre where the box's corner belongs: x = cx − w / 2": having(
        _box=lambda self: np.array([*self.centre, self.w, self.h])
    ),
    "you return the patch's size; the box keeps its first size": [
        having(
            _box=lambda self: np.array(
                [*(self.centre - np.array(self.size[::-1]) / 2), *self.size[::-1]]
            )
        ),
        having(_box=lambda self: np.array([*super(type(self), self)._box()[:2], *self.size[::-1]])),
    ],
    "the corner lies half a side from the centre: w / 2, not w // 2": [
        having(_box=halved(lambda w, h: (w // 2, h // 2))),
        having(_box=halved(lambda w, h: (w // 2, h / 2))),
        having(_box=halved(lambda w, h: (w / 2, h // 2))),
    ],
    "your box has width and height exchanged": having(
        _box=lambda self: super(type(self), self)._box()[[0, 1, 3, 2]]
    ),
    "you return the box as it was before this frame": having(
        update=updating(if_sure, if_sure, box=lambda self, before: before)
    ),
}
