"""MOSSE: a correlation filter learned online.

Bolme, Beveridge, Draper, Lui: Visual Object Tracking using Adaptive Correlation Filters, CVPR 2010.
The small functions are the steps that lesson 02 asks for, on whole spectra; the tracker combines
them with half spectra of real patches in float32, which is the same filter in less time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

from course_lib.geometry.boxes import to_centre
from course_lib.geometry.frame import as_frame
from course_lib.recipe import NotNegative, Positive, Range, Seed, Settings, UnitInterval
from course_lib.trackers.base import Tracker, accept_start
from course_lib.trackers.filters import cosine_window, gaussian_target, peak_to_sidelobe

# (256,) log(f + 1) of every grey value f
LOGARITHMS = np.log1p(np.arange(256, dtype=np.float32))


@dataclass(frozen=True)
class MOSSESettings(Settings):
    """Settings of MOSSE; recipes/mosse.yaml says how they were chosen."""

    rate: UnitInterval = 0.075  # learning rate η of the running averages, per frame
    sigma: Positive = 2.0  # standard deviation of the wanted response, pixels
    regulariser: NotNegative = 0.1  # λ, as a fraction of the mean power of the first spectrum
    padding: Annotated[float, Range(1, 10)] = 1.5  # side of the patch, in sides of the box
    # smallest side of the patch, pixels: small targets move far relative to their size
    smallest: Annotated[int, Range(1, 1024)] = 64
    # rotated and sheared copies of the first patch in the initial training set
    warps: Annotated[int, Range(0, 1000)] = 8
    # below this the target counts as lost: the box stays and nothing is learned
    psr_threshold: float = 7.0
    seed: Seed = 0  # of the warps


@dataclass(frozen=True, eq=False)
class MOSSEState:
    """Intermediate results of the last call, for figures.

    Attributes:
        response: (h, w) float32, with its peak where the target was found; None after `init`.
        psr: peak-to-sidelobe ratio of the response; NaN after `init`, 0 for a patch without
            contrast.
        patch_box: (4,) the part of the frame that the patch shows, x, y, w, h in pixels.
        updated: whether the filter learned from this frame.
        spectrum: (h, w // 2 + 1) complex64, the filter H*.
    """

    response: np.ndarray | None
    psr: float
    patch_box: np.ndarray
    updated: bool
    spectrum: np.ndarray

    @property
    def score(self) -> float:
        """How sure the tracker is: the peak-to-sidelobe ratio."""
        return self.psr

    @property
    def filter(self) -> np.ndarray:
        """The filter in space (h, w), origin at the centre; computed when asked for."""
        _, _, w, h = (int(v) for v in self.patch_box)
        return fft.fftshift(fft.irfft2(np.conj(self.spectrum), s=(h, w)))


def preprocess(patch: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Grey values (h, w), 0…255, ready for the Fourier transform.

    Logarithm, zero mean, unit standard deviation, then `window` (h, w), as in Bolme et al., 2010.
    """
    values = np.log1p(np.asarray(patch, dtype=np.float64))  # (h, w)
    return (values - values.mean()) / (values.std() + 1e-5) * window


def train_filter(
    patches: np.ndarray, target: np.ndarray, regulariser: float
) -> tuple[np.ndarray, np.ndarray]:
    """Numerator A and denominator B, (h, w) each, of the filter H* = A / B with the least squared
    error over all N patches: the paper's closed form, with a regulariser added.

    Args:
        patches: (N, h, w), preprocessed.
        target: (h, w), the wanted response, the same for all patches.
        regulariser: added to B, so that a frequency without power does not divide by 0.
    """
    F, G = np.fft.fft2(patches), np.fft.fft2(target)  # (N, h, w), (h, w)
    A = np.sum(G * np.conj(F), axis=0)  # (h, w)
    B = np.sum(np.abs(F) ** 2, axis=0) + regulariser  # (h, w)
    return A, B


def respond(patch: np.ndarray, A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Response (h, w) of the filter A / B to a patch, and the displacement (dx, dy) of its peak in
    pixels from (h // 2, w // 2).

    Args:
        patch: (h, w), preprocessed.
        A, B: numerator and denominator of the filter (h, w).
    """
    response = np.fft.ifft2(np.fft.fft2(patch) * A / B).real  # (h, w)
    row, column = np.unravel_index(response.argmax(), response.shape)
    return response, int(column) - patch.shape[1] // 2, int(row) - patch.shape[0] // 2


def update_filter(
    A: np.ndarray, B: np.ndarray, patch: np.ndarray, target: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Running averages of numerator and denominator (h, w) after one more patch (Bolme et al.,
    2010).

    Args:
        A, B: the averages so far (h, w).
        patch: (h, w), preprocessed.
        target: (h, w), the wanted response.
        rate: η, the weight of the new patch.
    """
    F, G = np.fft.fft2(patch), np.fft.fft2(target)  # (h, w) each
    return rate * G * np.conj(F) + (1 - rate) * A, rate * np.abs(F) ** 2 + (1 - rate) * B


def update_ratio(
    H: np.ndarray, patch: np.ndarray, target: np.ndarray, rate: float, regulariser: float
) -> np.ndarray:
    """The simplified rule found in lectures: a running average of single-patch filters H* (h, w).
    It overweights frequencies at which a patch has little power.

    Args:
        H: the average so far (h, w).
        patch: (h, w), preprocessed.
        target: (h, w), the wanted response.
        rate: η, the weight of the new patch.
        regulariser: added to the patch's power.
    """
    F, G = np.fft.fft2(patch), np.fft.fft2(target)  # (h, w) each
    return rate * G * np.conj(F) / (np.abs(F) ** 2 + regulariser) + (1 - rate) * H


def random_warps(patch: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Slightly rotated and sheared copies (count, h, w) of a grey patch about its centre: the
    training set of the first filter, drawn as in OpenCV's MOSSE.

    The rotation is uniform in ±0.1 rad, and each entry of the 2 × 2 matrix gets another ±0.1 of
    uniform noise; the patch is mirrored beyond its border.

    Args:
        patch: (h, w).
        count: number of copies.
        rng: random generator.
    """
    h, w = patch.shape
    copies = []
    for _ in range(count):
        angle = rng.uniform(-0.1, 0.1)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = rotation + rng.uniform(-0.1, 0.1, (2, 2))  # (2, 2)
        centre = np.array([w // 2, h // 2], dtype=np.float64)
        affine = np.column_stack([matrix, centre - matrix @ centre])  # (2, 3)
        copies.append(cv2.warpAffine(patch, affine, (w, h), borderMode=cv2.BORDER_REFLECT))
    return np.array(copies).reshape(count, h, w)


class MOSSE(Tracker):
    """Minimum output sum of squared error filter: grey patches of one fixed size, learned online.

    The box keeps its first size. The frame size may change between frames; the centre stays inside
    the frame.
    """

    name = "mosse"
    Settings = MOSSESettings

    def __init__(self, settings: MOSSESettings | None = None) -> None:
        self.settings = settings or MOSSESettings()

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Learn the filter from the first frame (H, W, 3) and box (4,)."""
        frame, box = accept_start(frame, box)
        self.centre, self.box_size = to_centre(box)[:2], box[2:].copy()  # (2,) x, y; (2,) w, h
        self.size = self._patch_size(frame.shape)  # (h, w)
        self.window = cosine_window(*self.size).astype(np.float32)  # (h, w)
        target = gaussian_target(*self.size, self.settings.sigma).astype(np.float32)  # (h, w)
        self.G = fft.rfft2(target)  # (h, w // 2 + 1)
        patch = self._cut(frame)  # (h, w)
        warped = random_warps(patch, self.settings.warps, np.random.default_rng(self.settings.seed))
        # (1 + warps, h, w // 2 + 1)
        F = fft.rfft2(np.stack([self._prepare(p) for p in (patch, *warped)]))
        power = np.mean(np.abs(F) ** 2, axis=0)  # (h, w // 2 + 1)
        # a flat patch has no power
        self.regulariser = np.float32(max(self.settings.regulariser * power.mean(), 1e-6))
        # (h, w // 2 + 1) each
        self.A, self.B = np.mean(self.G * np.conj(F), axis=0), power + self.regulariser
        self.H = self.A * (1 / self.B)
        self._remember(None, float("nan"), updated=True)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3). While the PSR is low, or the patch without contrast,
        the box stays and nothing is learned."""
        frame = as_frame(frame)
        patch = self._cut(frame)  # (h, w)
        F = fft.rfft2(self._prepare(patch))  # (h, w // 2 + 1)
        response = fft.irfft2(F * self.H, s=self.size)  # (h, w)
        # the response to a flat patch is made of rounding errors
        contrast = patch.min() < patch.max()
        psr = peak_to_sidelobe(response) if contrast else 0.0
        found = contrast and psr >= self.settings.psr_threshold
        if found:
            self._move(response, frame.shape)
            self._learn(frame)
        self._remember(response, psr, found)
        return np.concatenate([self.centre - self.box_size / 2, self.box_size])

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) in frame pixels; `size` (2,) is ignored, because
        the box keeps the size of the first frame."""
        self.centre = np.array(centre, dtype=np.float64)

    def _patch_size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of the patch: padded, not too small, at most twice the frame, and fast
        for FFTs."""
        wanted = self.box_size[::-1] * self.settings.padding  # (2,) h, w
        sides = np.clip(
            np.round(wanted), self.settings.smallest, np.maximum(2 * np.array(shape[:2]), 16)
        )
        h, w = (fft.next_fast_len(int(side), real=True) for side in sides)
        return h, w

    def _corner(self) -> tuple[int, int]:
        """Top row and left column of the patch around the centre, in whole frame pixels."""
        h, w = self.size
        return int(np.floor(self.centre[1])) - h // 2, int(np.floor(self.centre[0])) - w // 2

    def _cut(self, frame: np.ndarray) -> np.ndarray:
        """Grey patch (h, w) uint8 around the centre, the frame's edge repeated beyond it; only the
        patch's pixels are converted to grey."""
        (h, w), (H, W) = self.size, frame.shape[:2]
        top, left = self._corner()
        rows = slice(min(max(top, 0), H - 1), max(min(top + h, H), 1))
        columns = slice(min(max(left, 0), W - 1), max(min(left + w, W), 1))
        grey = cv2.cvtColor(frame[rows, columns], cv2.COLOR_RGB2GRAY)  # (≤ h, ≤ w)
        if grey.shape == (h, w):
            return grey
        above, before = min(max(-top, 0), h - 1), min(max(-left, 0), w - 1)
        below, after = h - above - grey.shape[0], w - before - grey.shape[1]
        return cv2.copyMakeBorder(grey, above, below, before, after, cv2.BORDER_REPLICATE)  # (h, w)

    def _prepare(self, patch: np.ndarray) -> np.ndarray:
        """`preprocess` in float32 with a lookup table for the logarithm: (h, w) uint8 → (h, w)
        float32."""
        values = cv2.LUT(patch, LOGARITHMS)  # (h, w)
        values -= values.mean()
        deviation = np.sqrt(np.vdot(values, values) / values.size)
        values *= 1 / (deviation + np.float32(1e-5))
        values *= self.window
        return values

    def _move(self, response: np.ndarray, shape: tuple[int, ...]) -> None:
        """Move the centre by the displacement of the peak of a response (h, w); it stays inside a
        frame of this shape."""
        row, column = divmod(int(response.argmax()), response.shape[1])
        h, w = self.size
        moved = self.centre + np.array([column - w // 2, row - h // 2])  # (2,)
        self.centre = np.clip(moved, 0, (shape[1] - 1, shape[0] - 1))

    def _learn(self, frame: np.ndarray) -> None:
        """Update the running averages with the patch at the new centre."""
        F = fft.rfft2(self._prepare(self._cut(frame)))  # (h, w // 2 + 1)
        conjugate, rate = np.conj(F), np.float32(self.settings.rate)
        # (h, w // 2 + 1) each
        self.A = rate * (self.G * conjugate) + (1 - rate) * self.A
        self.B = rate * ((F * conjugate).real + self.regulariser) + (1 - rate) * self.B
        self.H = self.A * (1 / self.B)

    def _remember(self, response: np.ndarray | None, psr: float, updated: bool) -> None:
        top, left = self._corner()
        patch_box = np.array([left, top, self.size[1], self.size[0]], dtype=np.float64)  # (4,)
        self.last = MOSSEState(response, psr, patch_box, updated, self.H)
