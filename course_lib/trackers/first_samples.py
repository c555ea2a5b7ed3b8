"""Many samples from one frame: the crops that a classifier learns its target from before it has
seen any other frame (Danelljan et al., 2019, sec. 3.2; the set is that of ATOM's public code,
except for where `dropped_out` acts)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import cv2
import numpy as np

from course_lib.errors import SettingsError
from course_lib.geometry.augmented_windows import AugmentedWindow
from course_lib.geometry.windows import CropWindow
from course_lib.recipe import CountFromZero, Range, Seed, Settings

CORNERS = ((1, 1), (-1, 1), (1, -1), (-1, -1))  # x and y, where shifted samples have the target
MOST_MOVED = 1 / 6  # of the crop: largest random shift of turned, mirrored and blurred samples

Degrees = Annotated[float, Range(-180, 180)]
Pixels = Annotated[float, Range(0, 50, above=True)]  # 0 means another thing to OpenCV


@dataclass(frozen=True)
class SampleSettings(Settings):
    """Which samples are made of the first frame, besides the plain one; the defaults are those of
    ATOM's public code."""

    shift: Annotated[float, Range(0, 0.9)] = 0.6  # of four samples, in halves of the crop; 0: none
    mirror: bool = True  # one sample
    # one sample for each angle
    rotations: tuple[Degrees, ...] = (5, -5, 10, -10, 20, -20, 30, -30, 45, -45, 60, -60)
    # one for each pair of standard deviations along x and y, flattened
    blurs: tuple[Pixels, ...] = (2, 0.2, 0.2, 2, 3, 1, 1, 3, 2, 2)
    dropouts: CountFromZero = 7  # samples with some of the features' channels set to 0
    dropped: Annotated[float, Range(0, 0.9)] = 0.2  # fraction of the channels
    seed: Seed = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.blurs) % 2:
            raise SettingsError(
                f"samples: blurs are {self.blurs}; expected two numbers for each sample, the "
                "deviations along x and y"
            )


class FirstSamples(NamedTuple):
    """Crops of the first frame.

    Attributes:
        crops: (N, S, S, 3) uint8; the first is the plain one.
        boxes: (N, 4) of the target in each, crop pixels. Rotated, it keeps its size.
    """

    crops: np.ndarray
    boxes: np.ndarray


def first_samples(
    frame: np.ndarray, box: np.ndarray, window: CropWindow, settings: SampleSettings
) -> FirstSamples:
    """The plain crop of the first frame, and its shifted, mirrored, rotated and blurred ones.

    All are cut from the frame itself, so that no border of a crop shows in another.

    Args:
        frame: (H, W, 3).
        box: (4,) of the target, frame pixels.
        window: where the tracker searches.
        settings: which samples.
    """
    rng = np.random.default_rng(settings.seed)
    s, size, colour = settings, window.size, cv2.mean(frame)[:3]
    moved = [(0.0, 0.0)] + [(s.shift * x, s.shift * y) for x, y in CORNERS] * (s.shift > 0)
    views = [_view(window, away) for away in moved]
    turned = [{"mirror": True}] * s.mirror + [{"angle": math.radians(a)} for a in s.rotations]
    blurs = list(zip(s.blurs[::2], s.blurs[1::2], strict=True))
    for change in [*turned, *({} for _ in blurs)]:
        views.append(_view(window, rng.uniform(-1, 1, 2) * 2 * MOST_MOVED, **change))
    crops = [view.cut(frame, colour) for view in views]  # (S, S, 3) each
    for k, (along_x, along_y) in enumerate(blurs, start=len(crops) - len(blurs)):
        crops[k] = cv2.GaussianBlur(crops[k], (0, 0), along_x, sigmaY=along_y)
    centres = np.array([view.to_crop(box[:2] + box[2:] / 2) for view in views])  # (N, 2)
    sizes = np.repeat(box[None, 2:] * size / window.side, len(views), 0)  # (N, 2)
    return FirstSamples(np.stack(crops), np.concatenate([centres - sizes / 2, sizes], 1))


def _view(window: CropWindow, away: tuple[float, float], **change: float) -> AugmentedWindow:
    """The window, changed, with what is at its centre moved by `away` (2,), in halves of the
    crop."""
    view = AugmentedWindow(window.cx, window.cy, window.side, window.size, **change)
    linear = view.matrix[:, :2]  # (2, 2), crop pixels per frame pixel
    dx, dy = np.linalg.solve(linear, np.asarray(away) * window.size / 2)
    return AugmentedWindow(window.cx - dx, window.cy - dy, window.side, window.size, **change)


def dropped_out(features: np.ndarray, settings: SampleSettings) -> np.ndarray:
    """Copies (D, C, h, w) of one sample's features (C, h, w), each with different channels set to 0
    and the rest enlarged.

    These are the backbone's features; a later normalisation undoes the enlargement. The public code
    of ATOM and that of DiMP drop channels after it, in what the classifier learns from.

    Args:
        features: of the plain sample.
        settings: how many copies, and the fraction of the channels.
    """
    rng = np.random.default_rng(settings.seed)
    kept = rng.random((settings.dropouts, len(features), 1, 1)) >= settings.dropped
    return features * kept.astype(features.dtype) / (1 - settings.dropped)
