"""Template matching by normalised cross-correlation: the patch from the first frame is searched for
near its last location."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import ArrayLike

from course_lib.recipe import Range, Settings
from course_lib.trackers.base import Tracker, accept_start

FLAT = 1e-6  # range of the similarities up to which there is no peak


@dataclass(frozen=True)
class TemplateSettings(Settings):
    """Settings of TemplateMatching."""

    search: Annotated[float, Range(1, 50)] = 2.0  # side of the region searched, in sides of the box


@dataclass(frozen=True, eq=False)
class TemplateState:
    """Intermediate results of the last call.

    Attributes:
        response: (h, w) float32 in [-1, 1], similarity for each position of the template's corner;
            None after `init`, 0 everywhere if none is more similar than the others.
        region: (4,) the part of the frame searched, x, y, w, h in pixels.
    """

    response: np.ndarray | None
    region: np.ndarray

    @property
    def score(self) -> float:
        """How sure the tracker is: the highest similarity; NaN after `init`."""
        return float("nan") if self.response is None else float(self.response.max())


class TemplateMatching(Tracker):
    """Finds the nearby location with the highest normalised cross-correlation with the template.

    The template, a patch of the first frame, is never updated and never changes its size.
    """

    name = "ncc"
    Settings = TemplateSettings

    def __init__(self, settings: TemplateSettings | None = None) -> None:
        self.settings = settings or TemplateSettings()

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Store the grey patch under the box (4,) as template; only the part of the box inside the
        frame counts."""
        frame, box = accept_start(frame, box)
        H, W = frame.shape[:2]
        left, top = (int(v) for v in np.clip(np.floor(box[:2]), 0, [W - 1, H - 1]))
        right, bottom = (
            int(v) for v in np.clip(np.ceil(box[:2] + box[2:]), [left + 1, top + 1], [W, H])
        )
        self.template = _grey(frame[top:bottom, left:right])  # (h, w) uint8
        self.corner = np.array([left, top])  # (2,) of the template in the frame
        self.offset = box[:2] - self.corner  # (2,) from the template's corner to the box's
        self.box = box.copy()
        self.last = TemplateState(
            None, np.array([left, top, right - left, bottom - top], dtype=float)
        )

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) at the most similar location, or the last box if the template does not fit into
        the region, or if one of the two is without contrast."""
        region = self._region(frame.shape)  # (4,) int
        x, y, w, h = region
        part = _grey(frame[y : y + h, x : x + w])  # (h, w)
        if part.shape[0] < self.template.shape[0] or part.shape[1] < self.template.shape[1]:
            return self.box.copy()
        # (h - th + 1, w - tw + 1)
        response = cv2.matchTemplate(part, self.template, cv2.TM_CCOEFF_NORMED)
        # a patch without contrast has no correlation coefficient
        response = np.nan_to_num(response, nan=0.0, posinf=0.0, neginf=0.0)
        if self._tells(part, response):
            row, column = np.unravel_index(response.argmax(), response.shape)
            self.corner = np.array([x + column, y + row])
            self.box = np.concatenate([self.corner + self.offset, self.box[2:]])
        else:
            response = np.zeros_like(response)
        self.last = TemplateState(response, region.astype(float))
        return self.box.copy()

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) in frame pixels, to the nearest whole pixel;
        `size` (2,) is ignored, because the box keeps the size of the first frame."""
        corner = np.asarray(centre) - self.box[2:] / 2 - self.offset  # (2,)
        self.corner = np.rint(corner).astype(int)
        self.box = np.concatenate([self.corner + self.offset, self.box[2:]])

    def _tells(self, part: np.ndarray, response: np.ndarray) -> bool:
        """Whether the response (h, w) to a grey part of the frame says where the target is: for a
        template without contrast OpenCV's similarity is 1 at every place."""
        # a response to a single place has no range, but is right
        peak = response.size == 1 or np.ptp(response) > FLAT
        return bool(peak and np.ptp(part) and np.ptp(self.template))

    def _region(self, shape: tuple[int, ...]) -> np.ndarray:
        """The part of a frame of this shape to search, (4,) int: around the last location, inside
        the frame."""
        size = np.array(self.template.shape[::-1])  # (2,) w, h
        margin = np.ceil(size * (self.settings.search - 1) / 2).astype(int)
        low = np.maximum(self.corner - margin, 0)
        high = np.minimum(self.corner + size + margin, [shape[1], shape[0]])
        return np.concatenate([np.minimum(low, high), np.maximum(high - low, 0)])


def _grey(image: np.ndarray) -> np.ndarray:
    """Grey values (h, w) of an image (h, w, 3) or (h, w)."""
    return (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if image.ndim == 3 and image.size
        else image.reshape(image.shape[:2])
    )
