"""Steps of lesson 02's tracker that go wrong, for the mistakes in `mosse_mistakes.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.trackers import mosse

Step = Callable[..., Any]  # a method, or something that makes one


def having(**steps: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake: the tracker with other steps, (tracker, what the step is given) → result."""
    return lambda right, *settings, **named: type("Wrong", (right,), dict(steps))(
        *settings, **named
    )


def at_the_old_place(self, frame: np.ndarray) -> np.ndarray:
    """`update` that learns before it moves."""
    response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
    if mosse.peak_to_sidelobe(response) >= self.threshold:
        self._learn(frame)
        self._move(dx, dy)
    return self._box()


def updating(moves: Step, learns: Step, box: Step = lambda self, before: self._box()) -> Step:
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


def learning(new: Step) -> Step:
    """`_learn` with another result: (tracker, patch (h, w)) → A, B."""

    def learn(self, frame):
        self.A, self.B = new(self, self._prepared(self._cut(frame)))

    return learn


def at_rate(rate: Step) -> Step:
    """`_learn` at another rate, (tracker) → η."""
    return learning(lambda t, p: mosse.update_filter(t.A, t.B, p, t.target, rate(t)))


def started(sigma: float = 2.0, regulariser: float | None = None) -> Step:
    """`init` with another target response or regulariser."""

    def init(self, frame, box):
        self.regulariser = self.regulariser if regulariser is None else regulariser
        super(type(self), self).init(frame, box)
        self.target = mosse.gaussian_target(*self.size, sigma)
        patches = np.array([self._first(p) for p in self._copies(self._cut(frame))])
        self.A, self.B = mosse.train_filter(patches, self.target, self.regulariser)

    return init


def around_the_corner(self, frame: np.ndarray, box: ArrayLike) -> None:
    """`init` around the box's corner."""
    super(type(self), self).init(
        frame, [*(np.asarray(box[:2]) - np.asarray(box[2:]) / 2), *box[2:]]
    )


def once(self, frame: np.ndarray, box: ArrayLike) -> None:
    """`init` that does nothing the second time."""
    if not hasattr(self, "A"):
        super(type(self), self).init(frame, box)


def whole_pixels(self, frame: np.ndarray, box: ArrayLike) -> None:
    """`init` with a centre in whole pixels."""
    super(type(self), self).init(frame, box)
    self.centre = np.floor(self.centre)


def always(self, sure: bool) -> bool:
    """A condition of `updating` that always holds."""
    return True


def if_sure(self, sure: bool) -> bool:
    """The right condition of `updating`."""
    return sure


def unprepared(windowed: bool) -> Step:
    """`_learn` from raw grey values."""

    def learn(self, frame):
        patch = self._cut(frame) * (self.window if windowed else 1)
        self.A, self.B = mosse.update_filter(self.A, self.B, patch, self.target, self.rate)

    return learn


def search(
    prepared: Step = lambda tracker, patch: tracker._prepared(patch),
    respond: Step = mosse.respond,
) -> Step:
    """`update` that searches in another patch, (tracker, patch) → patch, or with another filter."""

    def update(self, frame):
        response, dx, dy = respond(prepared(self, self._cut(frame)), self.A, self.B)
        if mosse.peak_to_sidelobe(response) >= self.threshold:
            self._move(dx, dy)
            self._learn(frame)
        return self._box()

    return update


def own_response(self, frame: np.ndarray) -> np.ndarray:
    """`update` that learns to give the response which it gave."""
    response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
    if mosse.peak_to_sidelobe(response) >= self.threshold:
        self._move(dx, dy)
        patch = self._prepared(self._cut(frame))
        self.A, self.B = mosse.update_filter(self.A, self.B, patch, response, self.rate)
    return self._box()


def halved(halves: Step) -> Step:
    """`_box` with another half width and height; (w, h) → both."""
    return lambda self: np.array(
        [*(self.centre - halves(self.w, self.h)), self.w, self.h], dtype=float
    )


def inside(share: float = 0.0, short: float = 0.0, upper: bool = True) -> Step:
    """A mistake: the centre stays in the frame.

    Args:
        share: of the box's sides that it keeps from the border.
        short: by how many pixels the frame is smaller on the right and below.
        upper: whether it is held there, too.
    """

    def cut(self, frame):
        self.frame = np.array(frame.shape[1::-1])
        return super(type(self), self)._cut(frame)

    def move(self, dx, dy):
        margin = share * np.array([self.w, self.h])
        most = self.frame - short - margin if upper else np.inf
        self.centre = np.clip(self.centre + [dx, dy], margin, most)

    return having(_cut=cut, _move=move)


def only_the_first(self, patch: np.ndarray) -> np.ndarray:
    """`_first` that preprocesses the patch itself alone."""
    self.seen = getattr(self, "seen", 0) + 1
    return self._prepared(patch) if self.seen == 1 else patch * self.window


def copies(count: int = 8, seed: int = 0) -> Step:
    """`_copies` in another number or from another seed."""
    return lambda self, p: [p, *mosse.random_warps(p, count, np.random.default_rng(seed))]


def one_warp(self, patch: np.ndarray) -> list[np.ndarray]:
    """`_copies` by eight generators of the same seed."""
    rngs = [np.random.default_rng(0) for _ in range(8)]
    return [patch, *(mosse.random_warps(patch, 1, rng)[0] for rng in rngs)]


def cut_elsewhere(place: Step) -> Step:
    """`_cut` around another place, (centre) → (2,)."""

    def cut(self, frame):
        centre, self.centre = self.centre, place(self.centre)
        patch = super(type(self), self)._cut(frame)
        self.centre = centre
        return patch

    return cut


def cut_in_other_grey(weights: ArrayLike) -> Step:
    """`_cut` from grey values that weigh the colours otherwise."""

    def cut(self, frame):
        grey = frame.astype(float) @ np.array(weights)  # (H, W)
        return super(type(self), self)._cut(np.repeat(grey[..., None], 3, axis=2))

    return cut


def learning_from(which: Step) -> Step:
    """A mistake: it learns from another frame; (tracker, this frame) → frame."""

    def init(self, frame, box):
        self.first = self.last = frame.copy()
        super(type(self), self).init(frame, box)

    def learn(self, frame):
        super(type(self), self)._learn(which(self))

    def update(self, frame):
        box = super(type(self), self).update(frame)
        self.last = frame.copy()
        return box

    return having(init=init, _learn=learn, update=update)


def averaged_filters(tracker: Any, patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rule on the slide: a running average of A / B."""
    ratio = mosse.update_ratio(tracker.A / tracker.B, patch, tracker.target, tracker.rate, 1.0)
    return ratio, np.ones_like(tracker.B)


def as_at_the_start(*names: str) -> Step:
    """A mistake: settings of these names are looked at in `init` only."""

    def init(self, frame, box):
        self.found = {name: getattr(self, name) for name in names}
        super(type(self), self).init(frame, box)

    def update(self, frame):
        now = {name: getattr(self, name) for name in names}
        vars(self).update(self.found)
        box = super(type(self), self).update(frame)
        vars(self).update(now)
        return box

    return having(init=init, update=update)


def lost_for_good(self, frame: np.ndarray) -> np.ndarray:
    """`update` that never begins again."""
    response, dx, dy = mosse.respond(self._prepared(self._cut(frame)), self.A, self.B)
    self.lost = getattr(self, "lost", False) or mosse.peak_to_sidelobe(response) < self.threshold
    if not self.lost:
        self._move(dx, dy)
        self._learn(frame)
    return self._box()


def averaged(self, frame: np.ndarray, box: ArrayLike) -> None:
    """`init` with the means of A and B."""
    super(type(self), self).init(frame, box)
    self.A, self.B = self.A / 9, self.B / 9


def learned_once_more(self, frame: np.ndarray, box: ArrayLike) -> None:
    """`init` that adds the first patch again."""
    super(type(self), self).init(frame, box)
    self._learn(frame)


def warped_late(self, frame: np.ndarray, box: ArrayLike) -> None:
    """`init` that warps the preprocessed patch."""
    super(type(self), self).init(frame, box)
    patch = self._prepared(self._cut(frame))
    patches = [patch, *mosse.random_warps(patch, 8, np.random.default_rng(0))]
    self.A, self.B = mosse.train_filter(np.array(patches), self.target, self.regulariser)


def sides_by(whole: Callable[[float], int]) -> Step:
    """`_sides` made whole numbers in another way."""
    return lambda self: (whole(1.5 * self.h), whole(1.5 * self.w))


def with_regulariser(more: Callable[[Any], float]) -> Step:
    """`_learn` that adds `more(tracker)` to B."""

    def new(tracker, patch):
        A, B = mosse.update_filter(tracker.A, tracker.B, patch, tracker.target, tracker.rate)
        return A, B + more(tracker)

    return learning(new)


def cut_off(most: float) -> Step:
    """`_move` by at most so many pixels."""

    def move(self, dx, dy):
        self.centre = self.centre + np.clip([dx, dy], -most, most)

    return move
