"""Steps of lesson 03's tracker that go wrong, for the mistakes at its check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.fft import fft2, ifft2

from course_lib.exercises.plain_kcf import CELL, PlainKCF
from course_lib.trackers import kernels


def changed(**values: Any) -> Callable[[type], Any]:
    """A mistake: the right tracker with other settings or methods."""
    return lambda right: type("Changed", (right,), values)()


def boxed(change: Callable[[PlainKCF, np.ndarray], Any]) -> Callable[[type], Any]:
    """A mistake: its box is `change(tracker, right box)`."""

    def code(right):
        class Boxed(right):
            def _box(self):
                return change(self, super()._box())

        return Boxed()

    return code


def turned(right: type) -> Any:
    """A mistake: the patch's shape is (w, h)."""

    class Turned(right):
        def _patch_shape(self):
            return super()._patch_shape()[::-1]

    return Turned()


def moved_by(scale: float, swap: bool = False) -> Callable[[type], Any]:
    """A mistake: the centre moves by `scale` pixels per cell, or by (dy, dx)."""

    def move(self, dx, dy):
        self.centre = self.centre + scale * np.array([dy, dx] if swap else [dx, dy])

    return changed(_move=move)


def started_at(place: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[type], Any]:
    """A mistake of `init`: the first centre is `place(centre, size)`."""

    def code(right):
        class Started(right):
            def _patch_shape(self):  # the first thing that `init` asks for
                self.centre = place(self.centre, self.size)
                return super()._patch_shape()

        return Started()

    return code


def learned(average: Callable[[PlainKCF, np.ndarray], None]) -> Callable[[type], Any]:
    """A mistake in learning: `average(tracker, new patch)` sets x and α."""
    return changed(_learn=lambda self, frame: average(self, self._channels(frame)))


def averaged_first(tracker: PlainKCF, new: np.ndarray) -> None:
    """α trained on the running average of x."""
    tracker.x = 0.02 * new + 0.98 * tracker.x
    tracker.alpha = 0.02 * tracker._train(tracker.x, tracker.x) + 0.98 * tracker.alpha


def averaged_with_model(tracker: PlainKCF, new: np.ndarray) -> None:
    """α trained on the kernel of the model with the new patch."""
    tracker.alpha = 0.02 * tracker._train(tracker.x, new) + 0.98 * tracker.alpha
    tracker.x = 0.02 * new + 0.98 * tracker.x


def added(tracker: PlainKCF, new: np.ndarray) -> None:
    """Sums in place of averages."""
    tracker.x = tracker.x + 0.02 * new
    tracker.alpha = tracker.alpha + 0.02 * tracker._train(new, new)


def late(right: type) -> Any:
    """A mistake: the patch to learn from is cut at the old centre."""

    class Late(right):
        def _move(self, dx, dy):
            self.before = self.centre
            super()._move(dx, dy)

        def _learn(self, frame):
            centre, self.centre = self.centre, self.before
            super()._learn(frame)
            self.centre = centre

    return Late()


def early(right: type) -> Any:
    """A mistake: it learns from a frame before it looks for the target there."""

    class Early(right):
        def update(self, frame):
            super()._learn(frame)
            return super().update(frame)

        def _learn(self, frame):
            """Not after."""

    return Early()


def before(right: type) -> Any:
    """A mistake: it returns the box of the frame before."""

    class Before(right):
        def update(self, frame):
            box = self._box()
            super().update(frame)
            return box

    return Before()


def from_first(right: type) -> Any:
    """A mistake: each displacement is added to the first centre."""

    class FromFirst(right):
        def init(self, frame, box):
            super().init(frame, box)
            self.first = self.centre

        def _move(self, dx, dy):
            self.centre = self.first
            super()._move(dx, dy)

    return FromFirst()


def inside(share: float = 0.0, short: float = 0.0) -> Callable[[type], Any]:
    """A mistake: the centre stays in the frame.

    Args:
        share: of the box's sides that it keeps from the border.
        short: by how many pixels the frame is smaller on the right and below.
    """

    def code(right):
        class Inside(right):
            def _channels(self, frame):
                self.frame = np.array(frame.shape[1::-1])
                return super()._channels(frame)

            def _move(self, dx, dy):
                super()._move(dx, dy)
                margin = share * self.size
                self.centre = np.clip(self.centre, margin, self.frame - short - margin)

        return Inside()

    return code


def cut_off(most: float) -> Callable[..., None]:
    """`_move` by at most so many pixels."""

    def move(self, dx, dy):
        self.centre = self.centre + np.clip(CELL * np.array([dx, dy]), -most, most)

    return move


def only(axis: int) -> Callable[..., None]:
    """`_move` in x, 0, or in y, 1."""

    def move(self, dx, dy):
        self.centre = self.centre + CELL * np.where(np.arange(2) == axis, [dx, dy], 0)

    return move


def whole_cells(whole: Callable[[np.ndarray], np.ndarray]) -> Callable[..., None]:
    """`_move` by whole cells."""

    def move(self, dx, dy):
        self.centre = self.centre + CELL * whole(np.array([dx, dy]))

    return move


def with_own_displacement(self, frame: np.ndarray) -> np.ndarray:
    """`update` that does not ask `self.find`."""
    self._move(*kernels.displacement(self._response(self._channels(frame))))
    self._learn(frame)
    return self._box()


def learning_from(which: str) -> Callable[[type], Any]:
    """A mistake: the patch to learn from is cut from the "first" frame or the "last"."""

    def code(right):
        class Earlier(right):
            def init(self, frame, box):
                self.first = self.last = frame.copy()
                super().init(frame, box)

            def update(self, frame):
                box = super().update(frame)
                self.last = frame.copy()
                return box

            def _learn(self, frame):
                super()._learn(getattr(self, which))

        return Earlier()

    return code


def replaced_by_average(tracker: PlainKCF, new: np.ndarray) -> None:
    """α trained anew on the running average of x."""
    tracker.x = 0.02 * new + 0.98 * tracker.x
    tracker.alpha = tracker._train(tracker.x, tracker.x)


def searching(channels: Callable[[PlainKCF, np.ndarray], np.ndarray]) -> Callable[[type], Any]:
    """A mistake: `update` searches in other channels, (tracker, frame) → (31, h / 4, w / 4)."""

    def update(self, frame):
        self._move(*self.find(self._response(channels(self, frame))))
        self._learn(frame)
        return self._box()

    return changed(update=update)


def searching_at(bandwidth: float) -> Callable[[type], Any]:
    """A mistake: `update` searches with another σ than α was trained with."""

    def response(self, z):
        kernel = kernels.gaussian_kernel(self.x, z, bandwidth)
        return ifft2(fft2(kernel) * fft2(self.alpha)).real

    return changed(_response=response)


def shaped(whole: Callable[[float], int]) -> Callable[[type], Any]:
    """A mistake: another whole number of cells."""

    def shape(self):
        h, w = (CELL * whole(2.5 * float(v) / CELL) for v in self.size[::-1])
        return h, w

    return changed(_patch_shape=shape)
