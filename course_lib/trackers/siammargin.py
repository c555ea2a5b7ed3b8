"""Tracking with SiamMargin: SiamFC's search on a map of cosines, with an exemplar that is updated,
a second look, and a search region that follows the target's speed. Each of the three can be
switched off.

SiamMargin won VOT2019's real-time challenge (Kristan et al., 2019, appendix). How its authors did
the three is not published; what stands here is the course's own reading, said at each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from course_lib.errors import DataError, SettingsError
from course_lib.geometry.traced import traced_receptive_fields
from course_lib.geometry.windows import EXEMPLAR, SEARCH
from course_lib.models.networks import network_class
from course_lib.models.runtime import SiamFCRuntime, load_siamfc_runtime
from course_lib.models.templates import mixed, roi_of, running_average, template_from, unit
from course_lib.recipe import Range, UnitInterval
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker

Cosine = Annotated[float, Range(-2, 2)]  # beyond ±1: always, or never


@dataclass(frozen=True)
class SiamMarginSettings(SiamFCSettings):
    """Settings of SiamMarginTracker, chosen on generated clips that are not in the benchmark."""

    weights: str = "siammargin"
    update: bool = True  # average the exemplar's features with those found
    rate: UnitInterval = 0.02  # how far the average moves towards a new template
    keep: UnitInterval = 0.5  # fraction of the first template in the exemplar
    sure: Cosine = 0.75  # cosine above which a find may change the exemplar
    again: bool = True  # look once more, further, where the first look found little
    unsure: Cosine = 0.6  # cosine below which
    gain: Cosine = 0.05  # by how much the second look must find more
    adapt: bool = True  # widen the search region for a target that is fast
    reach: Annotated[float, Range(0, 100)] = 2.0  # how many times its speed the region has to reach
    largest: Annotated[int, Range(SEARCH, 1023)] = 383  # pixels a side of the widest search image

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.largest - SEARCH) % 16:
            raise SettingsError(
                f"largest is {self.largest}; expected 255 plus a multiple of 16, a cell more on "
                "each side"
            )


def region_size(speed: float, reach: float, base: int, largest: int, cell: int = 8) -> int:
    """Pixels a side of the search image that lets the target move `reach` · `speed` search pixels;
    the course's own rule.

    The response to an image of 255 pixels reaches 64 pixels from its centre: (255 − 127) / 2. A
    further cell on each side costs 2 · `cell` pixels; never below `base` nor above `largest`.

    Args:
        speed: of the target, search pixels a frame.
        reach: how many times its speed the region has to reach.
        base: pixels a side of the smallest search image.
        largest: pixels a side of the largest.
        cell: pixels from one cell to the next.
    """
    missing = reach * speed - (base - EXEMPLAR) / 2  # pixels
    steps = int(np.ceil(max(missing, 0) / cell))
    return min(base + 2 * cell * steps, largest)


class SiamMarginTracker(SiamFCTracker):
    """SiamMargin's tracker on a SiamFC with cosines.

    Args:
        settings: the defaults unless given.
        runtime: a network that is ready; loaded by the settings unless given.
    """

    name = "siammargin"
    Settings = SiamMarginSettings
    lockstep = False  # a second look depends on the first one's answer

    def __init__(
        self, settings: SiamMarginSettings | None = None, runtime: SiamFCRuntime | None = None
    ) -> None:
        s = settings or SiamMarginSettings()
        runtime = runtime or load_siamfc_runtime(s.weights, s.device, s.precision)
        if not isinstance(runtime.network, network_class("siammargin")):
            raise DataError(
                f"weights {s.weights!r} are of a {runtime.network.about['network']}; the "
                "thresholds of this tracker are cosines. Give weights of a siammargin, or use the "
                "tracker siamfc."
            )
        super().__init__(s, runtime)
        row = traced_receptive_fields(runtime.network.backbone, EXEMPLAR)[-1]
        self.first_cell, self.cells = row.start, row.size

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Keep the exemplar's features, as the first template and as the average of templates so
        far; of length 1, so that each counts alike in it."""
        super().init(frame, box)
        self.first = self.average = unit(self.z)  # (1, C, a, a)
        self.speed = 0.0  # search pixels a frame

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) where the cosine, blended with the window, is highest."""
        s, before = self.settings, self.centre.copy()
        cell = self.runtime.network.stride
        size = region_size(self.speed, s.reach, SEARCH, s.largest, cell) if s.adapt else SEARCH
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
        # up at once, down slowly: a target that was fast may be so again
        self.speed = max(float(step), 0.8 * self.speed)
        if s.update and self.last.score > s.sure:
            self._learn(features)
        return box

    def _search(self, frame: np.ndarray, size: int) -> tuple[Tensor, np.ndarray]:
        """Features (S, C, n, n) of the search images of a size, and the responses to them."""
        features = self.runtime.features(self.look(frame, size))
        with torch.inference_mode():
            return features, self.runtime.network.response(self.z, features).cpu().numpy()

    @torch.inference_mode()
    def _learn(self, features: Tensor) -> None:
        """Move the average towards the template at the box found, by ROI-Align on the features the
        search has computed."""
        s, window = self.settings, self.last.window
        place = torch.from_numpy(window.to_crop(self.centre)).float()  # (2,) crop pixels
        ratio = self.side / SEARCH * window.scale
        roi = roi_of(place, ratio, self.first_cell, self.runtime.network.stride, self.cells)
        corners = roi.tolist()
        if min(corners) < 0 or max(corners) > features.shape[-1]:
            return  # the exemplar's square reaches beyond what was searched
        fresh = template_from(features[self.last.scale][None], roi, self.cells)  # (1, C, a, a)
        self.average = running_average(self.average, unit(fresh), s.rate)
        self.z = mixed(self.first, self.average, s.keep)
