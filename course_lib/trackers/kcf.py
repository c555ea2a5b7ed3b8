"""KCF: a correlation filter with kernels and multi-channel features.

Henriques, Caseiro, Martins, Batista: High-Speed Tracking with Kernelized Correlation Filters, PAMI
2015. With the linear kernel the same tracker is the paper's DCF; on grey pixels, with other
settings, it is the predecessor CSK.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from course_lib.geometry.boxes import to_centre
from course_lib.geometry.frame import as_frame
from course_lib.geometry.patches import cut_patch
from course_lib.recipe import NotNegative, Positive, Range, Settings, UnitInterval
from course_lib.trackers.base import Tracker, accept_start
from course_lib.trackers.features import features, split_kinds
from course_lib.trackers.filters import cosine_window
from course_lib.trackers.kernels import (
    displacement,
    gaussian_labels,
    kernel_correlation,
    respond,
    spectrum,
    subcell,
    train_dual,
)
from course_lib.trackers.scale import ScaleFilter

FLAT = 1e-9  # mean square of the channels up to which a patch is without contrast
LARGE = 100.0  # pixels: published settings halve the image for targets of this side or more


@dataclass(frozen=True)
class KCFSettings(Settings):
    """Settings of KCF; the defaults are the published ones for HOG, with a pyramid of three sizes;
    see recipes/kcf.yaml."""

    features: str = "hog"  # channels: grey, colour, hog, or several joined by "+"
    cell: Annotated[int, Range(1, 64)] = 4  # pixels per side of a cell; 1 for plain pixels
    kernel: Literal["linear", "polynomial", "gaussian"] = "gaussian"
    bandwidth: Positive = 0.5  # σ of the Gaussian kernel
    offset: NotNegative = 1.0  # a of the polynomial kernel
    degree: Annotated[int, Range(1, 50)] = 9  # b of the polynomial kernel
    regulariser: Positive = 1e-4  # λ
    rate: UnitInterval = 0.02  # learning rate η of α and x, per frame
    padding: Annotated[float, Range(1, 10)] = 2.5  # side of the patch, in sides of the box
    label_sigma: Positive = 0.1  # of the wanted response, in sides of the box
    # side of a square with the patch's area, pixels; 0: the frame's resolution, halved for large
    # targets
    patch: Annotated[int, Range(0, 1024)] = 0
    subcell: bool = False  # whether to interpolate the peak between cells
    # fixed, a pyramid of three sizes, or DSST's scale filter
    scale: Literal["fixed", "pyramid", "filter"] = "pyramid"
    scale_step: Annotated[float, Range(0.5, 2)] = 1.05  # of the pyramid
    scale_weight: UnitInterval = 0.96  # factor on the peaks of the pyramid's other sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        split_kinds(self.features)


@dataclass(frozen=True, eq=False)
class KCFState:
    """Intermediate results of the last call, for figures.

    Attributes:
        response: (h, w) on the grid of cells, with no motion at the centre; None after `init`, 0
            everywhere for a patch without contrast.
        patch_box: (4,) the part of the frame that the patch shows, x, y, w, h in pixels.
        scale: size of the target relative to its first size.
        updated: whether it has learned from this frame: KCF does from every one with contrast.
    """

    response: np.ndarray | None
    patch_box: np.ndarray
    scale: float
    updated: bool = True

    @property
    def score(self) -> float:
        """How sure the tracker is: the peak of the response; NaN after `init`."""
        return float("nan") if self.response is None else float(self.response.max())


def best_size(responses: np.ndarray, weight: float) -> int:
    """Index of the response (S, h, w), for patches of S sizes, with the highest peak, after
    multiplying all peaks but the first by `weight`; after KCFcpp's VOT tracker, which looks at the
    two other sizes in turn where this compares all three at once.

    The first response belongs to the unchanged size, which thus has an advantage.
    """
    peaks = responses.max((1, 2))  # (S,)
    return int(np.argmax([peaks[0], *(weight * peaks[1:])]))


class KCF(Tracker):
    """Kernelised correlation filter on one or many channels, with or without a search over sizes
    (Henriques et al., 2015)."""

    name = "kcf"
    Settings = KCFSettings

    def __init__(self, settings: KCFSettings | None = None) -> None:
        self.settings = settings or KCFSettings()

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Learn x and α from the first frame (H, W, 3) and box (4,)."""
        frame, box = accept_start(frame, box)
        s = self.settings
        self.centre, self.first_size = to_centre(box)[:2], box[2:].copy()  # (2,) x, y; (2,) w, h
        self.scale = 1.0
        self.shape = self._patch_shape()  # (h, w) pixels
        self.cells = (self.shape[0] // s.cell, self.shape[1] // s.cell)  # (h, w) cells
        h, w = self.cells
        # without the zeros on its border, so that no cell is lost
        self.window = cosine_window(h + 2, w + 2)[1:-1, 1:-1].astype(np.float32)
        target = np.sqrt(np.prod(self.shape)) / (s.padding * s.cell)  # mean side of the box, cells
        self.labels = gaussian_labels(h, w, s.label_sigma * target).astype(np.float32)  # (h, w)
        self.X = self._spectra(frame, [1.0])[0]  # (C, h, w // 2 + 1)
        self.blank = self._is_flat(self.X)  # whether there is nothing to be found again
        # (h, w // 2 + 1)
        self.alpha = train_dual(self._kernel(self.X, self.X), self.labels, s.regulariser)
        self.sizes = (
            ScaleFilter(frame, self.centre, self.first_size) if s.scale == "filter" else None
        )
        self._remember(None)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) in the next frame (H, W, 3). Without contrast, as after a cut to black, the box
        stays and nothing is learned: the response has no peak, only rounding errors."""
        frame = as_frame(frame)
        step = self.settings.scale_step
        factors = [1.0, 1 / step, step] if self.settings.scale == "pyramid" else [1.0]
        Z = self._spectra(frame, factors)  # (S, C, h, w // 2 + 1)
        if self.blank or self._is_flat(Z):
            self._remember(np.zeros(self.cells, dtype=np.float32), updated=False)
        else:
            responses = respond(self._kernel(self.X, Z), self.alpha)  # (S, h, w)
            best = best_size(responses, self.settings.scale_weight)
            self._move(responses[best], factors[best], frame.shape)
            self._resize(frame, factors[best])
            self._learn(frame)
            self._remember(responses[best])
        size = self.first_size * self.scale  # (2,) w, h
        return np.concatenate([self.centre - size / 2, size])

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,), in frame pixels; its
        aspect ratio is that of the first frame."""
        self.centre = np.array(centre, dtype=np.float64)
        self.scale = float(np.sqrt(np.prod(size) / np.prod(self.first_size)))

    def fork(self) -> Self:
        """A copy that goes its own way, with a scale filter of its own."""
        other = super().fork()
        other.sizes = copy.copy(self.sizes)
        return other

    def _patch_shape(self) -> tuple[int, int]:
        """Height and width of the patch in pixels: whole cells, at least four per side."""
        s = self.settings
        window = self.first_size[::-1] * s.padding  # (2,) h, w in frame pixels
        side = np.sqrt(np.prod(self.first_size))
        zoom = s.patch / np.sqrt(np.prod(window)) if s.patch else 0.5 if side >= LARGE else 1.0
        h, w = (max(4, round(v * zoom / s.cell)) * s.cell for v in window)
        return h, w

    def _spectra(self, frame: np.ndarray, factors: list[float]) -> np.ndarray:
        """Spectra (S, C, h, w // 2 + 1) of the windowed channels of patches `factors` (S,) times as
        large as the last."""
        size = self.first_size * self.settings.padding * self.scale  # (2,) w, h
        # (S, h, w, 3)
        patches = np.stack([cut_patch(frame, self.centre, size * k, self.shape) for k in factors])
        # (S, C, cells h, cells w)
        channels = features(patches, self.settings.features, self.settings.cell)
        return spectrum(channels * self.window)

    def _is_flat(self, spectra: np.ndarray) -> bool:
        """Whether the patches with these spectra (..., C, h, w // 2 + 1) are without contrast:
        their channels are 0, up to rounding."""
        # Parseval, up to a factor of 2 for the half that is left out
        power = np.vdot(spectra, spectra).real / (spectra.size * np.prod(self.cells))
        return bool(power <= FLAT)

    def _kernel(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        """Kernel (..., h, w) of x with z at every shift, from spectra (..., C, h, w // 2 + 1)."""
        s = self.settings
        return kernel_correlation(X, Z, self.cells, s.kernel, s.bandwidth, s.offset, s.degree)

    def _move(self, response: np.ndarray, factor: float, shape: tuple[int, ...]) -> None:
        """Move the centre by the peak displacement of a response (h, w), for a patch `factor` times
        as large; it stays inside the frame."""
        # (2,) dx, dy in cells
        shift = np.array(subcell(response) if self.settings.subcell else displacement(response))
        # (2,) of one cell
        pixels = self.first_size * self.settings.padding * self.scale * factor / self.cells[::-1]
        self.centre = np.clip(self.centre + shift * pixels, 0, (shape[1] - 1, shape[0] - 1))

    def _resize(self, frame: np.ndarray, factor: float) -> None:
        """Multiply the scale by the pyramid's factor or the scale filter's. The box stays at least
        4 pixels wide and high and fits the frame."""
        if self.sizes:
            factor = self.sizes.factor(frame, self.centre, self.first_size * self.scale)
        least = 4 / self.first_size.min()  # of the scale; first_size is (2,) w, h
        most = max(
            least, min(frame.shape[1] / self.first_size[0], frame.shape[0] / self.first_size[1])
        )
        self.scale = float(np.clip(self.scale * factor, min(1.0, least), max(1.0, most)))

    def _learn(self, frame: np.ndarray) -> None:
        """Update x and α with the patch at the new location."""
        rate = np.float32(self.settings.rate)
        fresh = self._spectra(frame, [1.0])[0]  # (C, h, w // 2 + 1)
        # (h, w // 2 + 1), of this patch alone
        alpha = train_dual(self._kernel(fresh, fresh), self.labels, self.settings.regulariser)
        self.X = rate * fresh + (1 - rate) * self.X
        self.alpha = rate * alpha + (1 - rate) * self.alpha
        if self.sizes:
            self.sizes.learn(frame, self.centre, self.first_size * self.scale)

    def _remember(self, response: np.ndarray | None, updated: bool = True) -> None:
        size = self.first_size * self.settings.padding * self.scale
        shown = None if response is None else np.fft.fftshift(response)  # (h, w)
        patch_box = np.concatenate([self.centre - size / 2, size])  # (4,)
        self.last = KCFState(shown, patch_box, self.scale, updated)
