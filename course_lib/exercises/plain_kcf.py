"""KCF as lesson 03 asks for it."""

from __future__ import annotations

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
        self.centre, self.size = box[:2] + box[2:] / 2, self._sides(box)  # (2,) x, y; (2,) w, h
        self.shape = self._patch_shape()
        self.x = self._channels(frame)  # (31, h / 4, w / 4)
        self.labels = kernels.gaussian_labels(*self.x.shape[1:], self._sigma())  # (h / 4, w / 4)
        self.alpha = self._train(self.x, self.x)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3)."""
        self._move(*self.find(self._response(self._channels(frame))))
        self._learn(frame)
        return self._box()

    def _sides(self, box: np.ndarray) -> np.ndarray:
        return box[2:]

    def _response(self, z: np.ndarray) -> np.ndarray:
        """Response (h / 4, w / 4) to the new channels."""
        return self._respond(self.x, z)

    def _respond(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        return ifft2(fft2(self._kernel(x, z)) * fft2(self.alpha)).real

    def _patch_shape(self) -> tuple[int, int]:
        """Height and width of the patch, whole cells."""
        h, w = (CELL * round(self.padding * float(v) / CELL) for v in self.size[::-1])
        return h, w

    def _sigma(self) -> float:
        """Of the labels, in cells: a tenth of the square root of the box's area."""
        return self.label_sigma * np.sqrt(self.size.prod()) / CELL

    def _channels(self, frame: np.ndarray) -> np.ndarray:
        """Windowed HOG (31, h / 4, w / 4) of the patch at the centre."""
        values = hog(cut_patch(frame, self.centre, self.shape[::-1], self.shape)[None], CELL)[0]
        return values * self._window()

    def _window(self) -> np.ndarray:
        """Cosine window (h / 4, w / 4) without its zeros."""
        h, w = (side // CELL for side in self.shape)
        return cosine_window(h + 2, w + 2)[1:-1, 1:-1]

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
