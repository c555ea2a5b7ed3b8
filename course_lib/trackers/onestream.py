"""Tracking with one stream of tokens: the cell with the highest score, and the box that it stands
for.

As in OSTrack (Ye et al., 2022), whose code this follows, the score is multiplied by a Hann window;
there is no penalty, no smoothing of the size, and no search over scales. The update of the
template by the surest crop since the last update is that of MixFormer (Cui et al., 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike

from course_lib.geometry.frame import as_frame
from course_lib.geometry.windows import CropWindow
from course_lib.models.runtime_stream import StreamRuntime
from course_lib.models.stream_template import FACTOR, SEARCH, TEMPLATE
from course_lib.recipe import CountFromZero, Range, Settings, UnitInterval
from course_lib.trackers.base import Tracker, accept_start

BLACK = (0, 0, 0)  # what lies beyond the frame
MARGIN = 10.0  # pixels of the box that must remain inside the frame


@dataclass(frozen=True)
class OneStreamSettings(Settings):
    """Settings of OneStreamTracker."""

    weights: str = "onestream-lite0"  # name or path, see `models.weights.find_weights`
    window: bool = True  # whether the score is multiplied by a Hann window
    # every so many frames the last crop may become a second template; 0 for never
    update: CountFromZero = 0
    update_above: UnitInterval = 0.5  # if the score has been the highest since, and above this
    # score below which the target counts as lost
    lost_below: Annotated[float, Range(0, 1)] = 0.2
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@dataclass(frozen=True, eq=False)
class OneStreamState:
    """Intermediate results of the last call, for a map of n × n cells.

    Attributes:
        maps: (5, n, n) score, width and height, offset along x and y; None after `init`.
        ranked: (n, n) score times window.
        best: column and row of the chosen cell.
        found: (4,) its box in frame pixels, before it is clipped to the frame.
        lost: whether the score is below the setting `lost_below`.
        window: the square of the frame searched; after `init` the template's.
        crop: (size, size, 3) uint8, the image in that window.
    """

    maps: np.ndarray | None
    ranked: np.ndarray | None
    best: tuple[int, int]
    found: np.ndarray
    lost: bool
    window: CropWindow
    crop: np.ndarray

    @property
    def score(self) -> float:
        """How sure the tracker is: the score of the chosen cell, without the window; NaN after
        `init`."""
        column, row = self.best
        return float("nan") if self.maps is None else float(self.maps[0, row, column])


def hann(n: int) -> np.ndarray:
    """Hann window (n, n) without the zeros at its border, as OSTrack has it: the outermost cells
    can be chosen, but rarely are."""
    line = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, n + 1) / (n + 1))  # (n,)
    return np.outer(line, line)


def square(box: ArrayLike, factor: float, size: int) -> CropWindow:
    """The window around a box whose side is `factor` · √(w · h).

    Args:
        box: (4,) in frame pixels.
        factor: side of the window in √(w · h).
        size: pixels per side of the crop.
    """
    x, y, w, h = np.asarray(box, dtype=np.float64)
    return CropWindow(x + w / 2, y + h / 2, factor * float(np.sqrt(w * h)), size)


def box_of(maps: np.ndarray, column: int, row: int) -> np.ndarray:
    """The box (4,) of one cell, as fractions of the search image.

    Args:
        maps: (5, n, n) score, width and height, offset along x and y.
        column: of the cell.
        row: of the cell.
    """
    _, w, h, dx, dy = maps[:, row, column]
    n = maps.shape[-1]
    return np.array([(column + dx) / n - w / 2, (row + dy) / n - h / 2, w, h], dtype=np.float64)


def kept_in_frame(box: np.ndarray, width: int, height: int, margin: float = MARGIN) -> np.ndarray:
    """The part of a box (4,) inside a frame; at least `margin` pixels of it remain in view, as in
    OSTrack.

    Args:
        box: in frame pixels.
        width: of the frame.
        height: of the frame.
        margin: pixels.
    """
    size = np.array([width, height], dtype=np.float64)
    least = np.minimum(margin, size)
    low = np.clip(box[:2], 0, size - least)
    high = np.clip(box[:2] + box[2:], least, size)
    return np.concatenate([low, np.maximum(high - low, least)])


class OneStreamTracker(Tracker):
    """The one-stream tracker: `look` crops the search image, the network makes maps, `decide` takes
    the box of the best cell.

    Args:
        settings: the defaults unless given.
        runtime: a network ready to track; loaded as the settings say unless given.
    """

    name = "onestream"
    Settings = OneStreamSettings
    lockstep = True

    def __init__(
        self, settings: OneStreamSettings | None = None, runtime: StreamRuntime | None = None
    ) -> None:
        self.settings = settings or OneStreamSettings()
        s = self.settings
        self.runtime = runtime or StreamRuntime.load(s.weights, s.device, s.precision)

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Compute the template's tokens."""
        frame, self.box = accept_start(frame, box)
        self.count, self.highest = 0, self.settings.update_above
        self.tokens, crop, window = self._template(frame)
        # with updates there are always two templates; at first they are the same
        self.z = self._prepared(self.tokens)
        self.fresh = self.tokens
        self.last = OneStreamState(None, None, (0, 0), self.box, False, window, crop)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """Box (4,) of the cell with the highest score."""
        crops = self.look(frame)
        return self.decide(self.runtime.respond(self.z, crops))

    def look(self, frame: np.ndarray) -> np.ndarray:
        """The search image (1, 256, 256, 3) around the last box."""
        self.frame = as_frame(frame)
        self.window = square(self.box, FACTOR * SEARCH / TEMPLATE, SEARCH)
        self.crop = self.window.cut(self.frame, BLACK)  # (256, 256, 3)
        return self.crop[None]

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """Box (4,) from the maps (1, 5, n, n) for the image of `look`."""
        maps = responses[0]  # (5, n, n)
        n = maps.shape[-1]
        ranked = maps[0] * hann(n) if self.settings.window else maps[0]  # (n, n)
        row, column = divmod(int(ranked.argmax()), n)
        found = self.window.box_to_frame(box_of(maps, column, row) * SEARCH)  # (4,) frame pixels
        self.box = kept_in_frame(found, *self.frame.shape[1::-1])
        lost = float(maps[0, row, column]) < self.settings.lost_below
        window, crop = self.window, self.crop
        self.last = OneStreamState(maps, ranked, (column, row), found, lost, window, crop)
        self._renew()
        return self.box.copy()

    def believe(self, centre: np.ndarray, size: np.ndarray) -> None:
        """Take the target to be at `centre` (2,) and as large as `size` (2,), in frame pixels."""
        centre, size = np.asarray(centre, float), np.asarray(size, float)
        self.box = np.concatenate([centre - size / 2, size])

    def _template(self, frame: np.ndarray) -> tuple[torch.Tensor, np.ndarray, CropWindow]:
        """Tokens (1, 64, C) of the template around the current box, its crop (128, 128, 3), and the
        crop's window."""
        window = square(self.box, FACTOR, TEMPLATE)
        crop = window.cut(frame, BLACK)
        return self.runtime.template_tokens(crop), crop, window

    def _prepared(self, second: torch.Tensor) -> tuple:
        """What the network keeps of the first template and, if it is to be renewed, of a second
        one, tokens (1, 64, C)."""
        both = [self.tokens, second] if self.settings.update else [self.tokens]
        return self.runtime.prepared(torch.cat(both, 1))

    def _renew(self) -> None:
        """Every `update` frames, use the surest crop since the last time as second template."""
        s = self.settings
        if not s.update:
            return
        self.count += 1
        if self.last.score > self.highest:
            self.highest = self.last.score
            self.fresh, _, _ = self._template(self.frame)
        if self.count % s.update == 0:
            self.z, self.highest = self._prepared(self.fresh), s.update_above
