"""Lesson 02's tracker with one step wrong: what students get wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.tracks import HEIGHT, WIDTH
from course_lib.trackers import mosse


def _with(**steps: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake: the tracker with other steps, (tracker, what the step is given) → result."""
    return lambda right, *settings, **named: type("Wrong", (right,), dict(steps))(
        *settings, **named
    )


def _at_the_old_place(self, frame):
    response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
    if mosse.peak_to_sidelobe(response) >= self.threshold:
        self._learn(frame)
        self._move(dx, dy)
    return self._box()


def _update(moves, learns, box=lambda self, before: self._box()):
    """`update` with other conditions: (tracker, whether it is sure) → whether it moves, learns."""

    def update(self, frame):
        response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
        sure, before = mosse.peak_to_sidelobe(response) >= self.threshold, self._box()
        if moves(self, sure):
            self._move(dx, dy)
        if learns(self, sure):
            self._learn(frame)
        return box(self, before)

    return update


def _learning(new):
    """`_learn` with another result: (tracker, patch (h, w)) → A, B."""

    def learn(self, frame):
        self.A, self.B = new(self, self._prepared(self._cut(frame)))

    return learn


def _at_rate(rate):
    return _learning(lambda t, p: mosse.update_filter(t.A, t.B, p, t.target, rate(t)))


def _started(sigma=2.0, regulariser=None):
    """`init` with another target response or regulariser."""

    def init(self, frame, box):
        self.regulariser = self.regulariser if regulariser is None else regulariser
        super(type(self), self).init(frame, box)
        self.target = mosse.gaussian_target(*self.size, sigma)
        patches = np.array([self._first(p) for p in self._copies(self._cut(frame))])
        self.A, self.B = mosse.train_filter(patches, self.target, self.regulariser)

    return init


def _around_the_corner(self, frame, box):
    super(type(self), self).init(
        frame, [*(np.asarray(box[:2]) - np.asarray(box[2:]) / 2), *box[2:]]
    )


def _once(self, frame, box):
    if not hasattr(self, "A"):
        super(type(self), self).init(frame, box)


def _whole_pixels(self, frame, box):
    super(type(self), self).init(frame, box)
    self.centre = np.floor(self.centre)


def _always(self, sure):
    return True


def _if_sure(self, sure):
    return sure


def _unprepared(windowed):
    """`_learn` from raw grey values."""

    def learn(self, frame):
        patch = self._cut(frame) * (self.window if windowed else 1)
        self.A, self.B = mosse.update_filter(self.A, self.B, patch, self.target, self.rate)

    return learn


def _search(prepared=lambda tracker, patch: tracker._prepared(patch), respond=mosse.respond):
    """`update` that searches in another patch, (tracker, patch) → patch, or with another filter."""

    def update(self, frame):
        response, dx, dy = respond(prepared(self, self._cut(frame)), self.A, self.B)
        if mosse.peak_to_sidelobe(response) >= self.threshold:
            self._move(dx, dy)
            self._learn(frame)
        return self._box()

    return update


def _own_response(self, frame):
    response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
    if mosse.peak_to_sidelobe(response) >= self.threshold:
        self._move(dx, dy)
        patch = self._prepared(self._cut(frame))
        self.A, self.B = mosse.update_filter(self.A, self.B, patch, response, self.rate)
    return self._box()


def _halved(halves):
    """`_box` with another half width and height; (w, h) → both."""
    return lambda self: np.array(
        [*(self.centre - halves(self.w, self.h)), self.w, self.h], dtype=float
    )


def _inside(share):
    """`_move` that keeps the box in a frame of the clips, with its centre or with this share of it."""

    def move(self, dx, dy):
        margin = share * np.array([self.w, self.h])
        self.centre = np.clip(self.centre + [dx, dy], margin, np.array([WIDTH, HEIGHT]) - margin)

    return move


def _only_the_first(self, patch):
    self.seen = getattr(self, "seen", 0) + 1
    return self._prepared(patch) if self.seen == 1 else patch * self.window


def _one_warp(self, patch):
    rngs = [np.random.default_rng(0) for _ in range(8)]
    return [patch, *(mosse.random_warps(patch, 1, rng)[0] for rng in rngs)]


MISTAKES = {
    "`init` trains on patches that are not preprocessed": _with(_first=lambda self, p: p),
    "`init` trains on patches that are windowed only: preprocess them, logarithm and all": _with(
        _first=lambda self, p: p * self.window
    ),
    "your patches have no window": [
        _with(_prepared=lambda self, p: mosse.preprocess(p, np.ones(self.size))),
        _with(_first=lambda self, p: mosse.preprocess(p, np.ones(self.size))),
    ],
    "your warped copies are not preprocessed, only the patch itself is": _with(
        _first=_only_the_first
    ),
    "`init` trains on the first patch only: its eight warped copies are missing": _with(
        _copies=lambda self, p: [p]
    ),
    "`init` trains on the eight warped copies only: the patch itself belongs to them": _with(
        _copies=lambda self, p: list(mosse.random_warps(p, 8, np.random.default_rng(0)))
    ),
    "your eight copies are all the same: one generator draws all of them": _with(_copies=_one_warp),
    "your patch is as large as the box; it is 1.5 × as high and wide, rounded down": _with(
        _sides=lambda self: (int(self.h), int(self.w))
    ),
    "your patch is twice as high and wide as the box; 1.5 × is asked for": _with(
        _sides=lambda self: (int(2 * self.h), int(2 * self.w))
    ),
    "your patch has height and width exchanged": _with(
        _sides=lambda self: (int(1.5 * self.w), int(1.5 * self.h))
    ),
    "your patch lies around the box's corner (x, y); its centre is (x + w / 2, y + h / 2)": _with(
        init=_around_the_corner
    ),
    "your target response has another sigma than 2 px": [
        _with(init=_started(sigma=sigma)) for sigma in (1.0, 3.0, 4.0, 10.0)
    ],
    "your filter has no regulariser": _with(init=_started(regulariser=0.0)),
    "your regulariser is so large that it hides the patch's weak frequencies: take 1": [
        _with(init=_started(regulariser=value)) for value in (1e3, 1e4)
    ],
    "`init` does nothing if the tracker has run before: it begins anew, whatever was there": _with(
        init=_once
    ),
    "your box is rounded to whole pixels: it lies between them, only the patch does not": [
        _with(init=_whole_pixels),
        _with(_box=lambda self: np.floor(super(type(self), self)._box())),
        _with(_box=lambda self: np.round(super(type(self), self)._box())),
    ],
    "in frame 1 your box stays where it is, and the filter learns nothing. Is the patch in which "
    "you search preprocessed as in `init`? Is it below the threshold, and there only, that nothing "
    "changes?": [
        _with(update=_update(lambda self, sure: not sure, lambda self, sure: not sure)),
        _with(update=_search(lambda tracker, patch: patch)),
        _with(update=_search(lambda tracker, patch: patch * tracker.window)),
        _with(update=lambda self, frame: self._box()),
    ],
    "you search with another filter than self.A / self.B": _with(
        update=_search(respond=lambda p, A, B: mosse.respond(p, np.conj(A), B))
    ),
    "the filter learns at the old place: cut the patch again at the new centre": _with(
        update=_at_the_old_place
    ),
    "while the target is lost your tracker still learns: below the threshold change nothing": _with(
        update=_update(_if_sure, _always)
    ),
    "while the target is lost your box still moves: below the threshold change nothing": _with(
        update=_update(_always, _if_sure)
    ),
    "your tracker moves and learns where the PSR is below the threshold: there, change nothing": _with(
        update=_update(_always, _always)
    ),
    "your threshold is always 7; the notebook sets `self.threshold`": (
        lambda right, rate=0.125, threshold=7.0: right(rate)
    ),
    "your learning rate is always 0.125; the notebook sets `self.rate`": (
        lambda right, rate=0.125, threshold=7.0: right(threshold=threshold)
    ),
    "the weights are swapped: the new patch has η, the past 1 − η": _with(
        _learn=_at_rate(lambda tracker: 1 - tracker.rate)
    ),
    "the filter never learns after `init`: keep what the update returns in self.A, self.B": _with(
        _learn=lambda self, frame: None
    ),
    "your learning rate is another one than `self.rate`": [
        _with(_learn=_at_rate(lambda tracker, rate=rate: rate)) for rate in (0.02, 0.075, 0.25, 0.5)
    ],
    "the filter learns to give the response that it gave; it learns to give the target": _with(
        update=_own_response
    ),
    "only self.A follows: keep both, self.A and self.B": _with(
        _learn=_learning(lambda t, p: (mosse.update_filter(t.A, t.B, p, t.target, t.rate)[0], t.B))
    ),
    "only self.B follows: keep both, self.A and self.B": _with(
        _learn=_learning(lambda t, p: (t.A, mosse.update_filter(t.A, t.B, p, t.target, t.rate)[1]))
    ),
    "each frame's filter is trained anew: the past keeps a weight of 1 − η": [
        _with(_learn=_learning(lambda t, p: mosse.train_filter(p[None], t.target, 1.0))),
        _with(_learn=_at_rate(lambda tracker: 1.0)),
    ],
    "your filter learns from patches that are not preprocessed: do so as in `init`": [
        _with(_learn=_unprepared(windowed=True)),
        _with(_learn=_unprepared(windowed=False)),
    ],
    "your nine patches are all the same: preprocess each copy, not the first patch nine times": (
        _with(_copies=lambda self, p: [p] * 9)
    ),
    "you keep the box inside the frame; a target may leave it": [
        _with(_move=_inside(0)),
        _with(_move=_inside(0.5)),
    ],
    "your filter learns twice in each frame": _with(
        _learn=lambda self, frame: [super(type(self), self)._learn(frame) for _ in range(2)]
    ),
    "your box never moves: add the displacement to the centre": _with(
        _move=lambda self, dx, dy: None
    ),
    "your box moves the wrong way: add the displacement, do not subtract it": _with(
        _move=lambda self, dx, dy: setattr(self, "centre", self.centre - [dx, dy])
    ),
    "your box takes dy for dx: respond returns the response, dx, dy": _with(
        _move=lambda self, dx, dy: setattr(self, "centre", self.centre + [dy, dx])
    ),
    "your box moves by half the displacement": _with(
        _move=lambda self, dx, dy: setattr(self, "centre", self.centre + [dx / 2, dy / 2])
    ),
    "you return the centre where the box's corner belongs: x = cx − w / 2": _with(
        _box=lambda self: np.array([*self.centre, self.w, self.h])
    ),
    "you return the patch's size; the box keeps its first size": [
        _with(
            _box=lambda self: np.array(
                [*(self.centre - np.array(self.size[::-1]) / 2), *self.size[::-1]]
            )
        ),
        _with(_box=lambda self: np.array([*super(type(self), self)._box()[:2], *self.size[::-1]])),
    ],
    "the corner lies half a side from the centre: w / 2, not w // 2": [
        _with(_box=_halved(lambda w, h: (w // 2, h // 2))),
        _with(_box=_halved(lambda w, h: (w // 2, h / 2))),
        _with(_box=_halved(lambda w, h: (w / 2, h // 2))),
    ],
    "your box has width and height exchanged": _with(
        _box=lambda self: super(type(self), self)._box()[[0, 1, 3, 2]]
    ),
    "you return the box as it was before this frame": _with(
        update=_update(_if_sure, _if_sure, box=lambda self, before: before)
    ),
}
