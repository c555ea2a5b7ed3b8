"""MOSSE: a correlation filter learned on line.

Bolme, Beveridge, Draper, Lui: Visual Object Tracking using Adaptive Correlation Filters, CVPR 2010.
The small functions are the steps that lesson 02 asks for, on whole spectra; the tracker strings them together
with half spectra of real patches in float32, which is the same filter at a third of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft as sf
from numpy.typing import ArrayLike

from course_lib.geometry.boxes import from_centre, to_centre
from course_lib.trackers.base import Tracker, accept_start

LOG = np.log1p(np.arange(256, dtype=np.float32))  # log(f + 1) of every grey value there is


@dataclass(frozen=True)
class MOSSESettings:
    """Settings of MOSSE; recipes/mosse.yaml says how they were chosen."""

    rate: float = 0.125  # learning rate η of the running sums, per frame
    sigma: float = 2.0  # standard deviation of the wanted response, pixels
    regulariser: float = 0.01  # λ, as a share of the mean power of the first spectrum
    padding: float = 1.5  # side of the patch, in sides of the box
    warps: int = 8  # turned and squeezed copies of the first patch to start from
    psr_threshold: float = 5.7  # below it the target counts as lost: the box stays, nothing is learned
    seed: int = 0  # of the warps


@dataclass(frozen=True, eq=False)
class MOSSEState:
    """What the last call computed, for pictures.

    Attributes:
        response: (h, w) float32, peak where the target was found; None after `init`.
        psr: peak-to-sidelobe ratio of the response; NaN after `init`.
        patch_box: (4,) the part of the frame the patch shows, x, y, w, h in pixels.
        updated: whether the filter learned from this frame.
        filter: (h, w) float32, the filter in space, its origin in the middle.
    """

    response: np.ndarray | None
    psr: float
    patch_box: np.ndarray
    updated: bool
    numerator: np.ndarray
    denominator: np.ndarray

    @property
    def filter(self) -> np.ndarray:
        """The filter in space (h, w), origin in the middle; computed when asked for."""
        _, _, w, h = (int(v) for v in self.patch_box)
        return np.fft.fftshift(sf.irfft2(np.conj(self.numerator / self.denominator), s=(h, w)))


def cosine_window(height: int, width: int) -> np.ndarray:
    """Hann window (height, width): 1 in the middle, 0 on the border."""
    return np.outer(np.hanning(height), np.hanning(width))


def preprocess(patch: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Grey values (h, w), 0…255, ready for the Fourier transform (paper, section 3.1).

    Logarithm, zero mean, unit deviation, then `window` (h, w).
    """
    values = np.log1p(np.asarray(patch, dtype=np.float64))  # (h, w)
    return (values - values.mean()) / (values.std() + 1e-5) * window


def gaussian_target(height: int, width: int, sigma: float) -> np.ndarray:
    """The wanted response (height, width): a Gaussian of `sigma` pixels, peak 1 at (height // 2, width // 2)."""
    rows = np.arange(height)[:, None] - height // 2  # (h, 1)
    columns = np.arange(width)[None, :] - width // 2  # (1, w)
    return np.exp(-(rows**2 + columns**2) / (2 * sigma**2))  # (h, w)


def train_filter(patches: np.ndarray, target: np.ndarray, regulariser: float) -> tuple[np.ndarray, np.ndarray]:
    """Numerator A and denominator B, (h, w) each, of the filter H* = A / B with the least squared error.

    Args:
        patches: (N, h, w), preprocessed; all of them should give `target` (h, w).
        regulariser: added to B.

    Source: paper, equation 6, with a regulariser.
    """
    F, G = np.fft.fft2(patches), np.fft.fft2(target)  # (N, h, w), (h, w)
    A = np.sum(G * np.conj(F), axis=0)  # (h, w)
    B = np.sum(np.abs(F) ** 2, axis=0) + regulariser  # (h, w)
    return A, B


def respond(patch: np.ndarray, A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Response (h, w) of the filter A / B to a preprocessed patch (h, w), and the displacement it shows.

    The displacement (dx, dy), pixels, is that of the peak from (h // 2, w // 2).
    """
    response = np.fft.ifft2(np.fft.fft2(patch) * A / B).real  # (h, w)
    row, column = np.unravel_index(response.argmax(), response.shape)
    return response, int(column) - patch.shape[1] // 2, int(row) - patch.shape[0] // 2


def update_filter(
    A: np.ndarray, B: np.ndarray, patch: np.ndarray, target: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Running numerator and denominator after one more preprocessed patch (paper, equations 10 to 12)."""
    F, G = np.fft.fft2(patch), np.fft.fft2(target)  # (h, w) each
    return rate * G * np.conj(F) + (1 - rate) * A, rate * np.abs(F) ** 2 + (1 - rate) * B


def update_ratio(H: np.ndarray, patch: np.ndarray, target: np.ndarray, rate: float, regulariser: float) -> np.ndarray:
    """The simplified rule of lectures: a running average of single-patch filters H* (h, w)."""
    F, G = np.fft.fft2(patch), np.fft.fft2(target)  # (h, w) each
    return rate * G * np.conj(F) / (np.abs(F) ** 2 + regulariser) + (1 - rate) * H


def peak_to_sidelobe(response: np.ndarray, exclude: int = 11) -> float:
    """How many standard deviations the peak of a response (h, w) lies above the mean of its sidelobe.

    The sidelobe is everything except an exclude × exclude window around the peak (paper, section 3.5).
    A response without sidelobe, or with a flat one, gives 0: nothing can be said of its peak.
    """
    row, column = np.unravel_index(response.argmax(), response.shape)
    reach = exclude // 2
    top, left = max(0, row - reach), max(0, column - reach)
    around = response[top : row + reach + 1, left : column + reach + 1]  # (≤ 11, ≤ 11)
    count = response.size - around.size
    if count < 2:
        return 0.0
    # the sums over the sidelobe are those over everything less those over the window: no mask, no copy
    mean = (float(response.sum(dtype=np.float64)) - float(around.sum(dtype=np.float64))) / count
    flat = response.ravel()
    squares = float(np.dot(flat, flat)) - float(np.sum(around * around, dtype=np.float64))
    deviation = np.sqrt(max(squares / count - mean * mean, 0.0))
    return float((response[row, column] - mean) / deviation) if deviation > 1e-12 else 0.0


def random_warps(patch: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` slightly turned and squeezed copies (count, h, w) of a grey patch (h, w), its centre kept in place.

    Rotation uniform in ±0.1 rad, and each entry of the 2×2 matrix off by up to ±0.1 more; beyond the patch its mirror image.
    """
    h, w = patch.shape
    copies = []
    for _ in range(count):
        angle = rng.uniform(-0.1, 0.1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = turn + rng.uniform(-0.1, 0.1, (2, 2))  # (2, 2)
        centre = np.array([w // 2, h // 2], dtype=np.float64)
        affine = np.column_stack([matrix, centre - matrix @ centre])  # (2, 3)
        copies.append(cv2.warpAffine(patch, affine, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))
    return np.array(copies).reshape(count, h, w)


class MOSSE(Tracker):
    """Minimum output sum of squared errors filter: grey patches, one fixed size, learning on line.

    Targets whose scale changes are followed, but their box keeps its first size.
    """

    name = "mosse"

    def __init__(self, settings: MOSSESettings | None = None) -> None:
        self.settings = settings or MOSSESettings()

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Learn the filter from the first frame (H, W, 3) and box (4,)."""
        frame, box = accept_start(frame, box)
        cx, cy, self.w, self.h = to_centre(box)
        self.centre = np.array([cx, cy])  # (2,) x, y
        sides = np.maximum(np.round(np.array([self.h, self.w]) * self.settings.padding), 16)
        self.size = tuple(cv2.getOptimalDFTSize(int(side)) for side in sides)  # (h, w) of the patch
        self.window = cosine_window(*self.size).astype(np.float32)  # (h, w)
        target = gaussian_target(*self.size, self.settings.sigma).astype(np.float32)  # (h, w)
        self.G = sf.rfft2(target)  # (h, w // 2 + 1)
        patch = self._cut(frame)  # (h, w) uint8
        warped = random_warps(patch, self.settings.warps, np.random.default_rng(self.settings.seed))
        F = sf.rfft2(np.stack([self._prepare(p) for p in (patch, *warped)]))  # (1 + warps, h, w // 2 + 1)
        power = np.mean(np.abs(F) ** 2, axis=0)  # (h, w // 2 + 1)
        self.regulariser = np.float32(self.settings.regulariser * power.mean())
        self.A = np.mean(self.G * np.conj(F), axis=0)  # (h, w // 2 + 1)
        self.B = power + self.regulariser  # (h, w // 2 + 1)
        self._remember(None, float("nan"), True)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3). While the PSR is low the box stays and nothing is learned."""
        F = sf.rfft2(self._prepare(self._cut(frame)))  # (h, w // 2 + 1)
        response = sf.irfft2(F * self.A / self.B, s=self.size)  # (h, w)
        psr = peak_to_sidelobe(response)
        found = psr >= self.settings.psr_threshold
        if found:
            self._move(response, frame.shape)
            self._learn(frame)
        self._remember(response, psr, found)
        return from_centre([*self.centre, self.w, self.h])

    def _cut(self, frame):
        h, w = self.size
        H, W = frame.shape[:2]
        top, left = int(self.centre[1]) - h // 2, int(self.centre[0]) - w // 2
        inside = frame[max(top, 0) : min(top + h, H), max(left, 0) : min(left + w, W)]
        if inside.shape[0] == 0 or inside.shape[1] == 0:
            return np.zeros((h, w), np.uint8)
        grey = cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY) if inside.ndim == 3 else inside
        if grey.shape == (h, w):
            return grey
        return cv2.copyMakeBorder(
            grey, max(-top, 0), max(top + h - H, 0), max(-left, 0), max(left + w - W, 0), cv2.BORDER_REPLICATE
        )

    def _prepare(self, patch):
        values = cv2.LUT(patch, LOG)
        mean, deviation = cv2.meanStdDev(values)
        return (values - np.float32(mean[0, 0])) * (self.window * np.float32(1 / (deviation[0, 0] + 1e-5)))

    def _move(self, response, shape):
        row, column = np.unravel_index(response.argmax(), response.shape)
        h, w = self.size
        self.centre += (column - w // 2, row - h // 2)
        self.centre = np.clip(self.centre, 0, [shape[1] - 1, shape[0] - 1])

    def _learn(self, frame):
        F = sf.rfft2(self._prepare(self._cut(frame)))
        rate = np.float32(self.settings.rate)
        C = np.conj(F)
        self.A = rate * (self.G * C) + (1 - rate) * self.A
        self.B = rate * ((F * C).real + self.regulariser) + (1 - rate) * self.B

    def _remember(self, response, psr, updated):
        h, w = self.size
        self.last = MOSSEState(
            response,
            psr,
            np.array([int(self.centre[0]) - w // 2, int(self.centre[1]) - h // 2, w, h]),
            updated,
            self.A,
            self.B,
        )
