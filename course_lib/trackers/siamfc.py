"""Tracking with SiamFC: search at several scales around the last location; the exemplar is never
updated.

Bertinetto, Valmadre, Henriques, Vedaldi, Torr: Fully-Convolutional Siamese Networks for Object
Tracking, ECCV workshops 2016, "Implementation details: Tracking"; details that the paper leaves
open follow the authors' code (siamese-fc, tracking/tracker.m and tracker_eval.m).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import SettingsError
from course_lib.geometry.frame import as_frame
from course_lib.geometry.windows import EXEMPLAR, SEARCH, CropWindow, context_side
from course_lib.models.runtime import SiamFCRuntime
from course_lib.recipe import Range, Settings, UnitInterval
from course_lib.trackers.base import Tracker, accept_start

SMALLEST, LARGEST = 0.2, 5.0  # limits of the search side, relative to its first value


@dataclass(frozen=True)
class SiamFCSettings(Settings):
    """Settings of SiamFCTracker; the defaults are those of SiamFC-3s."""

    weights: str = "siamfc"  # name or path, see `models.weights.find_weights`
    scales: Annotated[int, Range(1, 21)] = 3  # number of scales searched, odd
    scale_step: Annotated[float, Range(1, 2)] = 1.0375  # factor from one scale to the next
    scale_penalty: UnitInterval = 0.9745  # factor on the response at any other than the last scale
    scale_rate: UnitInterval = 0.59  # how far the size moves towards the best one
    window: UnitInterval = 0.176  # influence of the cosine window
    upsample: Annotated[int, Range(1, 64)] = 16  # factor by which the response is enlarged
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scales % 2 == 0:
            raise SettingsError(
                f"scales is {self.scales}; expected an odd number, so that the last scale is the "
                "middle one"
            )


@dataclass(frozen=True, eq=False)
class SiamFCState:
    """Intermediate results of the last call.

    Attributes:
        responses: (S, 17, 17) float32, one for each scale; None after `init`.
        blended: (272, 272) float32, the chosen scale's response, upsampled and blended with the
            window; sums to 1.
        scale: index of the chosen scale.
        score: its response, upsampled but without the window, at the chosen location; NaN after
            `init`.
        window: the square of the frame searched at the chosen scale; after `init` the exemplar's.
        crop: (size, size, 3) uint8, the image in that window.
    """

    responses: np.ndarray | None
    blended: np.ndarray | None
    scale: int
    score: float
    window: CropWindow
    crop: np.ndarray


def scale_factors(count: int, step: float) -> np.ndarray:
    """(count,) factors step^k on the search side, k = −(count − 1)/2 … (count − 1)/2; the middle
    one is 1 (in the paper 1.025^{−2 … 2})."""
    return step ** (np.arange(count) - count // 2).astype(float)


def enlarge(response: np.ndarray, factor: int) -> np.ndarray:
    """The response (n, n) upsampled to (n·factor, n·factor) by bicubic interpolation; in the paper
    from 17 to 272."""
    size = (response.shape[1] * factor, response.shape[0] * factor)
    return cv2.resize(response, size, interpolation=cv2.INTER_CUBIC)


def choose_scale(responses: np.ndarray, penalty: float) -> int:
    """Index of the scale whose response (S, n, n) has the highest peak, with factor `penalty` on
    all but the middle one; before the window is blended in, as in tracker_eval.m."""
    peaks = responses.reshape(len(responses), -1).max(axis=1)  # (S,)
    factors = np.full(len(peaks), penalty)
    factors[len(peaks) // 2] = 1.0
    return int(np.argmax(peaks * factors))


def blend_with_window(response: np.ndarray, window: np.ndarray, influence: float) -> np.ndarray:
    """(1 − influence) · response + influence · window, the response first shifted to minimum 0 and
    sum 1 (tracker_eval.m).

    Args:
        response: (n, n).
        window: (n, n), sums to 1.
        influence: of the window, 0 … 1.
    """
    shifted = response - response.min()  # (n, n)
    total = shifted.sum()
    # a flat response holds no information, so every location counts equally
    normed = shifted / total if total > 0 else np.full_like(shifted, 1 / shifted.size)
    return (1 - influence) * normed + influence * window


@lru_cache(maxsize=8)
def unit_window(size: int) -> np.ndarray:
    """Hann window (size, size) with sum 1."""
    window = np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)
    return window / window.sum()


def peak_displacement(response: np.ndarray, stride: float, upsample: int) -> np.ndarray:
    """Displacement (2,), x then y, from the search image's centre to the peak of a response, in
    pixels of the search image.

    Args:
        response: (n, n), upsampled.
        stride: pixels of the search image from one cell of the network's response to the next.
        upsample: factor by which the response was upsampled.
    """
    n = len(response)
    # OpenCV aligns half pixels: the centre is (n − 1) / 2, between two pixels if n is even
    row, column = np.unravel_index(response.argmax(), response.shape)
    return (np.array([column, row]) - (n - 1) / 2) * stride / upsample


def damp(side: float, factor: float, rate: float, first: float) -> float:
    """The search side moved towards side · factor, within 0.2 … 5 times the first one (tracker.m).

    Args:
        side: the last search side, frame pixels.
        factor: of the chosen scale.
        rate: how far the side moves, 0 … 1.
        first: the side in the first frame.
    """
    moved = (1 - rate) * side + rate * side * factor
    return float(np.clip(moved, SMALLEST * first, LARGEST * first))


class SiamFCTracker(Tracker):
    """SiamFC with 3 scales, or 5 (Bertinetto et al., 2016).

    Args:
        settings: those of SiamFC-3s unless given.
        runtime: a network ready to track; loaded as the settings say unless given.

    `update` has three steps: `look` crops the search images, the network responds, `decide` moves
    the box. They are separate so that many targets can share one call of the network, see
    `evaluation.lockstep`.
    """

    name = "siamfc"
    Settings = SiamFCSettings
    lockstep = True

    def __init__(
        self, settings: SiamFCSettings | None = None, runtime: SiamFCRuntime | None = None
    ) -> None:
        self.settings = settings or SiamFCSettings()
        s = self.settings
        self.runtime = runtime or SiamFCRuntime.load(s.weights, s.device, s.precision)
        self.factors = scale_factors(s.scales, s.scale_step)  # (S,)

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Compute the template features; they are never updated."""
        frame, box = accept_start(frame, box)
        self.centre = box[:2] + box[2:] / 2  # (2,)
        self.size = box[2:].copy()  # (2,)
        side = float(context_side(self.size))
        self.colour = cv2.mean(frame)[:3]
        window = CropWindow(*self.centre, side, EXEMPLAR)
        crop = window.cut(frame, self.colour)  # (127, 127, 3)
        self.z = self.runtime.template(crop[None])  # (1, C, 6, 6)
        self.side = self.first_side = side * SEARCH / EXEMPLAR  # of the search image, frame pixels
        self.last = SiamFCState(None, None, self.settings.scales // 2, float("nan"), window, crop)

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,), in frame pixels."""
        self.centre, self.size = np.array(centre, float), np.array(size, float)
        self.side = float(context_side(self.size)) * SEARCH / EXEMPLAR

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) where the response is highest."""
        crops = self.look(frame)
        return self.decide(self.runtime.respond(self.z, crops))

    def score_map(self) -> np.ndarray | None:
        """The response (17, 17) at the chosen scale; None after `init`."""
        last = self.last
        return None if last is None or last.responses is None else last.responses[last.scale]

    def look(self, frame: np.ndarray, size: int = SEARCH) -> np.ndarray:
        """Search images (S, size, size, 3) around the last location, one for each scale; a larger
        `size` covers a larger region at the same scale."""
        frame = as_frame(frame)
        sides = self.side * self.factors * size / SEARCH  # (S,)
        self.windows = [CropWindow(*self.centre, side, size) for side in sides]
        self.frame_size = np.array(frame.shape[1::-1])  # (2,) w, h
        # (S, size, size, 3)
        self.crops = np.stack([window.cut(frame, self.colour) for window in self.windows])
        return self.crops

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """Box (4,) from the responses (S, 17, 17) to the images of `look`; larger search images
        have larger responses."""
        s = self.settings
        large = np.stack([enlarge(response, s.upsample) for response in responses])  # (S, 272, 272)
        best = choose_scale(large, s.scale_penalty)
        # (272, 272)
        blended = blend_with_window(large[best], unit_window(large.shape[-1]), s.window)
        # (2,) search pixels
        moved = peak_displacement(blended, self.runtime.network.stride, s.upsample)
        place = moved + self.windows[best].size / 2  # (2,) of the crop
        centre = self.windows[best].to_frame(place)  # (2,) frame pixels
        # a target that left the frame is awaited at its edge
        self.centre = np.clip(centre, 0, self.frame_size)
        side = damp(self.side, self.factors[best], s.scale_rate, self.first_side)
        self.size = self.size * (side / self.side)
        self.side = side
        score = float(large[best].flat[blended.argmax()])
        self.last = SiamFCState(
            responses, blended, best, score, self.windows[best], self.crops[best]
        )
        return np.concatenate([self.centre - self.size / 2, self.size])
