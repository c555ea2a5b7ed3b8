"""From a score map to the target's place, and to what the map says of it: ATOM's rules for
targets that are lost and for others that look like them (Danelljan et al., 2019, sec. 3.3; the
thresholds are those of its public code)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from course_lib.recipe import NotNegative, Range, Settings, UnitInterval

NORMAL, HARD, UNCERTAIN, LOST = "found", "hard negative", "uncertain", "not found"


@dataclass(frozen=True)
class LocalisationSettings(Settings):
    """Thresholds of `localise`."""

    # score below which there is no target
    not_found: Annotated[float, Range(-10, 10)] = 0.25
    # second peak, relative to the first, above which it may be the target
    distractor: Annotated[float, Range(0, 1000)] = 0.8
    # second peak, relative to the first, above which it is a hard negative
    hard_negative: NotNegative = 0.5
    hard_score: UnitInterval = 0.25  # and its least score
    # how far a target moves at most, in halves of the search image
    displacement: NotNegative = 0.8
    # sides of the region around a peak that belongs to it, in sides of the target
    neighbourhood: Annotated[float, Range(0, 20)] = 2.2


class Localisation(NamedTuple):
    """What a score map says.

    Attributes:
        point: (2,) of the target, x and y in pixels of the search image.
        score: at this point.
        state: "found", "hard negative", "uncertain" or "not found".
        other: (2,) the highest point elsewhere, and
        other_score: its score.
    """

    point: np.ndarray
    score: float
    state: str
    other: np.ndarray
    other_score: float

    @property
    def lost(self) -> bool:
        """Whether there is no target."""
        return self.state == LOST


def localise(
    fine: np.ndarray, size: np.ndarray, settings: LocalisationSettings, before: np.ndarray
) -> Localisation:
    """Where the target is, by the two highest peaks of a score map.

    1. The highest score is low: the target is not found.
    2. A second peak is nearly as high. If one of the two is further away than a target moves and
       the other is not, the near one is the target and the far one a hard negative. Otherwise which
       is which remains uncertain; the higher one is taken.
    3. A second peak is high enough to be dangerous: a hard negative.

    Args:
        fine: (S, S) scores, one for each pixel of the search image.
        size: (2,) w and h of the target, in these pixels.
        settings: thresholds.
        before: (2,) where the target was, in these pixels.
    """
    s, half = settings, len(fine) / 2
    first, score = _peak(fine)
    other, other_score = _peak(_without(fine, first, s.neighbourhood * size))
    state = NORMAL
    if score < s.not_found:
        state = LOST
    elif other_score > s.distractor * score:
        near, other_near = (
            float(np.hypot(*(point - before))) <= s.displacement * half for point in (first, other)
        )
        state = UNCERTAIN if near == other_near else HARD
        if other_near and not near:
            first, score, other, other_score = other, other_score, first, score
    elif other_score > s.hard_negative * score and other_score > s.hard_score:
        state = HARD
    return Localisation(first, score, state, other, other_score)


def in_pixels(scores: np.ndarray, start: float, stride: float, size: int) -> np.ndarray:
    """Scores (size, size) at the pixels of a search image, from those (n, n) at cells, by cubic
    interpolation; beyond the outermost cells they stay as they are.

    Args:
        scores: (n, n).
        start: pixel of the first cell, continuous.
        stride: pixels per cell.
        size: of the search image, pixels per side.
    """
    cells = ((np.arange(size) + 0.5 - start) / stride).astype(np.float32)  # (size,)
    across, down = np.meshgrid(cells, cells)
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    return cv2.remap(scores, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _peak(fine: np.ndarray) -> tuple[np.ndarray, float]:
    """Point (2,), x and y of a pixel's centre, and value of a map's highest pixel."""
    row, column = np.unravel_index(fine.argmax(), fine.shape)
    return np.array([column + 0.5, row + 0.5]), float(fine[row, column])


def _without(fine: np.ndarray, point: np.ndarray, size: np.ndarray) -> np.ndarray:
    """A copy of a map (S, S) that is 0 in a region of `size` (2,) around a point (2,)."""
    low = np.clip(np.floor(point - size / 2), 0, len(fine)).astype(int)
    high = np.clip(np.ceil(point + size / 2), 0, len(fine)).astype(int)
    rest = fine.copy()
    rest[low[1] : high[1], low[0] : high[0]] = 0
    return rest
