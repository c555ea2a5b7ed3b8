"""Tracking with SiamMargin: SiamFC's search on a map of cosines, with a template that is updated, a
second look, and a search region that follows the target's speed. Each of the three can be switched
off.

SiamMargin won VOT2019's real-time challenge (Kristan et al., 2019). How its authors did the three
is not published; this is the course's own interpretation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from course_lib.errors import DataError, SettingsError
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.backbone import cells_of
from course_lib.models.networks import network_class
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.templates import mixed, roi_of, running_average, template_from, unit
from course_lib.recipe import Range, UnitInterval
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker

Cosine = Annotated[float, Range(-2, 2)]  # thresholds beyond ±1 mean always or never


@dataclass(frozen=True)
class SiamMarginSettings(SiamFCSettings):
    """Settings of SiamMarginTracker.

    `sure` and `unsure` belong to a network: the defaults are quantiles of the shipped one's highest
    cosine on generated sequences outside the benchmark (benchmarks/siammargin.py). With other
    weights, choose other thresholds.
    """

    weights: str = "siammargin"
    update: bool = True  # whether to update the template with what was found
    rate: UnitInterval = 0.02  # how far the running average moves towards a new template
    keep: UnitInterval = 0.5  # weight of the first template, against the running average
    sure: Cosine = 0.766  # cosine above which the template may be updated
    again: bool = True  # whether to look again, in a wider region, if the first look found little
    unsure: Cosine = 0.503  # cosine below which to look again
    gain: Cosine = 0.05  # how much higher the cosine of the second look must be
    adapt: bool = True  # whether to widen the search region for a fast target
    reach: Annotated[float, Range(0, 100)] = 2.0  # reach of the region, in multiples of the speed
    largest: Annotated[int, Range(SEARCH, 1023)] = 383  # pixels per side of the largest image

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.largest - SEARCH) % 16:
            raise SettingsError(
                f"largest is {self.largest}; expected 255 plus a multiple of 16, one more cell on "
                "each side"
            )


def region_size(
    speed: float,
    reach: float,
    base: int,
    largest: int,
    cell: int = 8,
    covered: float = (SEARCH - EXEMPLAR) / 2,
) -> int:
    """Pixels per side of a search image in which the target may move `reach` · `speed` search
    pixels; the course's own rule.

    The response to an image of 255 pixels reaches 64 pixels from its centre, (255 − 127) / 2, if
    the template is all of the exemplar's map; with a part of it, further. Every further cell on
    each side costs 2 · `cell` pixels. The result lies between `base` and `largest`.

    Args:
        speed: of the target, search pixels per frame.
        reach: of the region, in multiples of the speed.
        base: pixels per side of the smallest search image.
        largest: pixels per side of the largest.
        cell: pixels from one cell to the next.
        covered: how far the response to the smallest image reaches, pixels.
    """
    missing = reach * speed - covered  # pixels
    steps = int(np.ceil(max(missing, 0) / cell))
    return min(base + 2 * cell * steps, largest)


class SiamMarginTracker(SiamFCTracker):
    """SiamMargin's tracker on a SiamFC whose responses are cosines.

    Args:
        settings: the defaults unless given.
        runtime: a network ready to track; loaded as the settings say unless given.
    """

    name = "siammargin"
    Settings = SiamMarginSettings
    lockstep = False  # the second look depends on the response to the first

    def __init__(
        self, settings: SiamMarginSettings | None = None, runtime: SiamFCRuntime | None = None
    ) -> None:
        s = settings or SiamMarginSettings()
        runtime = runtime or SiamFCRuntime.load(s.weights, s.device, s.precision)
        if not isinstance(runtime.network, network_class("siammargin")):
            raise DataError(
                f"weights {s.weights!r} are of network {runtime.network.about['network']}; the "
                "thresholds of this tracker are cosines. Give weights of a siammargin, or use the "
                "tracker siamfc."
            )
        super().__init__(s, runtime)
        backbone, stride = runtime.network.backbone, runtime.network.stride
        own = cells_of(backbone, EXEMPLAR)  # of the exemplar's map
        # the pixel at the centre of the first cell: the map's centre is the exemplar's
        self.first_cell = (EXEMPLAR - (own - 1) * stride) / 2
        self.cells = backbone.kept or own  # of the template
        # how far the response to an image of 255 pixels reaches
        self.covered = (cells_of(backbone, SEARCH) - self.cells) / 2 * stride

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Compute the template features, scaled to length 1 so that all templates count equally;
        they are the first template and the initial running average."""
        super().init(frame, box)
        self.first = self.average = unit(self.z)  # (1, C, a, a)
        self.speed = 0.0  # search pixels per frame

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) where the cosine, blended with the window, is highest."""
        s, before = self.settings, self.centre.copy()
        cell = self.runtime.network.stride
        size = SEARCH
        if s.adapt:
            size = region_size(self.speed, s.reach, SEARCH, s.largest, cell, self.covered)
        features, responses = self._search(frame, size)
        if s.again and size < s.largest and responses.max() < s.unsure:
            narrow = self.windows, self.crops
            wide = self._search(frame, s.largest)
            if wide[1].max() > responses.max() + s.gain:
                features, responses = wide
            else:
                self.windows, self.crops = narrow
        box = self.decide(responses)
        step = np.linalg.norm(self.centre - before) * SEARCH / self.side  # search pixels
        # rises at once and falls slowly: a target that was fast may soon be fast again
        self.speed = max(float(step), 0.8 * self.speed)
        if s.update and self.last.score > s.sure:
            self._learn(features)
        return box

    def _search(self, frame: np.ndarray, size: int) -> tuple[Tensor, np.ndarray]:
        """Features (S, C, n, n) of the search images of this size, and the responses to them."""
        features = self.runtime.features(self.look(frame, size))
        with torch.inference_mode():
            return features, self.runtime.network.response(self.z, features).cpu().numpy()

    @torch.inference_mode()
    def _learn(self, features: Tensor) -> None:
        """Move the running average towards the template at the box found, by ROI-Align on the
        search features (S, C, n, n)."""
        s, window = self.settings, self.last.window
        place = torch.from_numpy(window.to_crop(self.centre)).float()  # (2,) crop pixels
        ratio = self.side / SEARCH * window.scale
        roi = roi_of(place, ratio, self.first_cell, self.runtime.network.stride, self.cells)
        corners = roi.tolist()
        if min(corners) < 0 or max(corners) > features.shape[-1]:
            return  # the exemplar's square reaches beyond the search image
        fresh = template_from(features[self.last.scale][None], roi, self.cells)  # (1, C, a, a)
        self.average = running_average(self.average, unit(fresh), s.rate)
        self.z = mixed(self.first, self.average, s.keep)
