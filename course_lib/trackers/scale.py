"""The scale filter of DSST: a one-dimensional correlation filter over possible sizes of the target.

Danelljan, Häger, Khan, Felsberg: Accurate Scale Estimation for Robust Visual Tracking, BMVC 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy import fft

from course_lib.geometry.patches import cut_patch
from course_lib.recipe import Positive, Range, Settings, UnitInterval
from course_lib.trackers.features import hog

FLAT = 1e-6  # up to this range, a response has no peak; the wanted one's is 1


@dataclass(frozen=True)
class ScaleFilterSettings(Settings):
    """Settings of the scale filter; the defaults are its authors'."""

    count: Annotated[int, Range(3, 201)] = 33  # sizes compared
    step: Annotated[float, Range(1, 1.2)] = 1.02  # from one size to the next
    area: Annotated[int, Range(16, 65_536)] = 512  # largest area a target is resized to, pixels
    cell: Annotated[int, Range(1, 64)] = 4  # pixels per side of a HOG cell
    sigma: Positive = 0.25  # of the wanted response, in square roots of `count`
    regulariser: Positive = 0.01  # λ
    rate: UnitInterval = 0.025  # learning rate η


class ScaleFilter:
    """Estimates how much the target has grown or shrunk, by a correlation filter in one dimension.

    The target is cut out at `count` sizes around the last one; each patch becomes one long HOG
    vector, and together the vectors are a signal over sizes with many channels. The filter is
    MOSSE's, summed over channels.

    Args:
        frame: (H, W, 3).
        centre: of the target in it, (2,) x, y, pixels.
        size: of the target, (2,) w, h, pixels.
        settings: the authors' unless given.
    """

    def __init__(
        self,
        frame: np.ndarray,
        centre: np.ndarray,
        size: np.ndarray,
        settings: ScaleFilterSettings | None = None,
    ) -> None:
        self.settings = s = settings or ScaleFilterSettings()
        steps = np.arange(s.count) - s.count // 2
        self.factors = s.step ** steps.astype(float)  # (S,)
        self.window = np.hanning(s.count)[:, None].astype(np.float32)  # (S, 1)
        wanted = np.exp(-(steps**2) / (2 * s.sigma**2 * s.count))  # (S,)
        self.G = fft.rfft(wanted.astype(np.float32))[:, None]  # (S // 2 + 1, 1)
        shrink = min(1.0, np.sqrt(s.area / np.prod(size)))
        # (h, w)
        self.shape = tuple(int(v) for v in np.maximum(np.floor(size[::-1] * shrink), 2 * s.cell))
        self.A, self.B = self._terms(frame, centre, size)

    def factor(self, frame: np.ndarray, centre: np.ndarray, size: np.ndarray) -> float:
        """The factor by which the target has grown in this frame, from the highest response; 1 if
        no size has a higher one than the others, as for patches without contrast.

        Args:
            frame: (H, W, 3).
            centre: of the target, (2,) x, y.
            size: its last size, (2,) w, h.
        """
        F = self._spectrum(frame, centre, size)  # (S // 2 + 1, D)
        response = fft.irfft(
            (self.A * F).sum(1) / (self.B[:, 0] + self.settings.regulariser), n=self.settings.count
        )
        return float(self.factors[response.argmax()]) if np.ptp(response) > FLAT else 1.0

    def learn(self, frame: np.ndarray, centre: np.ndarray, size: np.ndarray) -> None:
        """Update the running averages of numerator and denominator with the target as it is now.

        Args:
            frame: (H, W, 3).
            centre: of the target, (2,) x, y.
            size: its size, (2,) w, h.
        """
        A, B = self._terms(frame, centre, size)
        rate = np.float32(self.settings.rate)
        self.A, self.B = rate * A + (1 - rate) * self.A, rate * B + (1 - rate) * self.B

    def _spectrum(self, frame: np.ndarray, centre: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Spectrum over sizes (S // 2 + 1, D) of the D HOG values of each patch."""
        # (S, h, w, 3)
        cuts = np.stack([cut_patch(frame, centre, size * k, self.shape) for k in self.factors])
        vectors = hog(cuts, self.settings.cell).reshape(len(cuts), -1)  # (S, D)
        return fft.rfft(vectors * self.window, axis=0)

    def _terms(
        self, frame: np.ndarray, centre: np.ndarray, size: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numerator (S // 2 + 1, D) and denominator (S // 2 + 1, 1) of the filter trained on this
        frame alone."""
        F = self._spectrum(frame, centre, size)  # (S // 2 + 1, D)
        return self.G * np.conj(F), (F.real**2 + F.imag**2).sum(1, keepdims=True)
