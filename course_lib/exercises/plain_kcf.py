"""KCF as lesson 03 asks for it, and what makes mistakes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.fft import fft2, ifft2

from course_lib.geometry.patches import cut_patch
from course_lib.trackers import kernels
from course_lib.trackers.features import hog
from course_lib.trackers.filters import cosine_window

CELL = 4  # pixels


class PlainKCF:
    """KCF on HOG as lesson 03 asks for it, in space: patches are cut at the frame's resolution and
    one cell is exactly 4 pixels.

    The course's `trackers.kcf.KCF` with a fixed size is the same method. It resamples each patch to
    whole cells, halves the resolution for large targets and keeps the centre inside the frame.
    """

    name = "plain-kcf"
    find = staticmethod(kernels.displacement)  # of a response's peak, (dx, dy) in cells
    rate = alpha_rate = 0.02
    bandwidth, regulariser, padding, label_sigma = 0.5, 1e-4, 2.5, 0.1

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Learn x and α from the first frame (H, W, 3) and box (4,)."""
        box = np.array(box, dtype=float)
        self.centre, self.size = box[:2] + box[2:] / 2, box[2:]  # (2,) x, y; (2,) w, h
        self.shape = self._patch_shape()
        self.x = self._channels(frame)  # (31, h / 4, w / 4)
        self.labels = kernels.gaussian_labels(*self.x.shape[1:], self._sigma())  # (h / 4, w / 4)
        self.alpha = self._train(self.x, self.x)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        kernel = self._kernel(self.x, self._channels(frame))  # (h / 4, w / 4)
        response = ifft2(fft2(kernel) * fft2(self.alpha)).real
        self._move(*self.find(response))
        self._learn(frame)
        return self._box()

    def _patch_shape(self) -> tuple[int, int]:
        """Height and width of the patch, whole cells."""
        h, w = (CELL * round(self.padding * float(v) / CELL) for v in self.size[::-1])
        return h, w

    def _sigma(self) -> float:
        """Of the labels, cells: a tenth of the box's mean side."""
        return self.label_sigma * np.sqrt(self.size.prod()) / CELL

    def _channels(self, frame: np.ndarray) -> np.ndarray:
        """Windowed HOG (31, h / 4, w / 4) of the patch at the centre."""
        values = hog(cut_patch(frame, self.centre, self.shape[::-1], self.shape)[None], CELL)[0]
        h, w = values.shape[1:]
        return values * cosine_window(h + 2, w + 2)[1:-1, 1:-1]

    def _kernel(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return kernels.gaussian_kernel(x, z, self.bandwidth)

    def _train(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return kernels.dual_weights(self._kernel(x, z), self.labels, self.regulariser)

    def _move(self, dx: float, dy: float) -> None:
        self.centre = self.centre + CELL * np.array([dx, dy])

    def _learn(self, frame: np.ndarray) -> None:
        """Update x and α with the patch at the new centre."""
        new = self._channels(frame)
        alpha = self._train(new, new)
        self.x = self.rate * new + (1 - self.rate) * self.x
        self.alpha = self.alpha_rate * alpha + (1 - self.alpha_rate) * self.alpha

    def _box(self) -> np.ndarray:
        return np.concatenate([self.centre - self.size / 2, self.size])


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
