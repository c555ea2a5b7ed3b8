"""Crop windows: a square of the frame, shown at `size` × `size` pixels.

All arithmetic between a crop and its frame is here; that of rectangles is in `patches`. Coordinates
are continuous in both: pixel number i covers [i, i + 1] and its centre is i + 0.5, so a crop spans
[0, size] and

    crop = (frame - (centre - side / 2)) * size / side
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from course_lib.errors import DataError, SettingsError
from course_lib.geometry.boxes import as_boxes
from course_lib.geometry.patches import patch_matrix

EXEMPLAR = 127  # pixels per side of the exemplar z, for every network of the course
SEARCH = 255  # pixels per side of the search image x, in tracking and for training proposals


def context_side(size: ArrayLike, context: float = 0.5) -> np.ndarray:
    """Side (...) of the square around a target of size (..., 2), w and h, with its context.

    sqrt((w + c)(h + c)) with c = context · (w + h): the square has the same area as the box after
    adding a margin of c / 2 on each side, in SiamFC (w + h) / 4 (Bertinetto et al., 2016). It is
    the exemplar's square; SiamRPN also compares sizes by it. NaN for a NaN size.
    """
    sizes = np.asarray(size, dtype=np.float64)
    w, h = sizes[..., 0], sizes[..., 1]
    margin = context * (w + h)
    return np.sqrt((w + margin) * (h + margin))


def search_side(box: ArrayLike, exemplar: int = EXEMPLAR, search: int = SEARCH) -> np.ndarray:
    """Side (...) in frame pixels of the search image's square around boxes (..., 4).

    Args:
        box: of the target, frame pixels.
        exemplar: pixels per side of the exemplar, whose square is `context_side` wide.
        search: pixels per side of the search image, which has the exemplar's scale.
    """
    return context_side(as_boxes(box)[..., 2:]) * (search / exemplar)


def check_search(search: int, step: int, only: int | None, network: str) -> None:
    """Refuse a search image that a network does not take, or whose centre is not that of its map.

    For the exemplar, the centres of image and map coincide. Every `step` further pixels add whole
    cells, half of them on each side; with any other number the map's centre lies beside the
    image's, and whatever is found is off by the same distance.

    Args:
        search: pixels per side of the search image.
        step: in pixels, see `models.backbone.Backbone`; 1 for any size.
        only: the one size that the network takes; None for any.
        network: its name.

    Raises:
        SettingsError: naming the size, and the nearest that are accepted.
    """
    if only not in (None, search):
        raise SettingsError(f"search is {search}; {network} only accepts {only}")
    beyond = (search - EXEMPLAR) % step
    if only is None and beyond:
        raise SettingsError(
            f"search is {search}; expected {EXEMPLAR} plus a multiple of {step}, so that the centre "
            f"of {network}'s map is the image's: {search - beyond} or {search - beyond + step}"
        )


def crop_matrix(cx: float, cy: float, side: float, size: int) -> np.ndarray:
    """(2, 3) affine map from pixel numbers (column, row, 1) of a crop to those of the frame, in the
    form that OpenCV's warps expect.

    Pixel k has its centre at k + 0.5 in either image: crop pixel k is frame pixel
    (k + 0.5) · step + corner − 0.5.

    Args:
        cx: centre of the square, frame pixels from the left.
        cy: centre of the square, frame pixels from the top.
        side: of the square, frame pixels.
        size: pixels per side of the crop.
    """
    return patch_matrix((cx, cy), (side, side), (size, size))


@dataclass(frozen=True)
class CropWindow:
    """A square of the frame, shown at `size` × `size` pixels. It may reach beyond the frame.

    Attributes:
        cx, cy: centre in frame pixels.
        side: of the square in frame pixels, above 0.
        size: pixels per side of the crop.

    Raises DataError if the centre is not finite, or if side or size is not above 0.
    """

    cx: float
    cy: float
    side: float
    size: int

    def __post_init__(self) -> None:
        numbers_are_finite = all(math.isfinite(v) for v in (self.cx, self.cy, self.side))
        if not numbers_are_finite or self.side <= 0 or self.size < 1:
            raise DataError(
                f"a crop window has centre ({self.cx:g}, {self.cy:g}), side {self.side:g} and size "
                f"{self.size}; expected a finite centre, a side above 0 and a size of at least 1. "
                "Is its box NaN or without area?"
            )

    @property
    def scale(self) -> float:
        """Crop pixels per frame pixel."""
        return self.size / self.side

    @property
    def corner(self) -> np.ndarray:
        """Top-left corner (2,) in frame pixels."""
        return np.array([self.cx - self.side / 2, self.cy - self.side / 2])

    def to_crop(self, points: ArrayLike) -> np.ndarray:
        """Points (..., 2) of the frame, x then y, in crop coordinates."""
        return (np.asarray(points, dtype=np.float64) - self.corner) * self.scale

    def to_frame(self, points: ArrayLike) -> np.ndarray:
        """Points (..., 2) of the crop, x then y, in frame coordinates."""
        return np.asarray(points, dtype=np.float64) / self.scale + self.corner

    def box_to_crop(self, box: ArrayLike) -> np.ndarray:
        """Boxes (..., 4) of the frame in crop coordinates."""
        boxes = as_boxes(box)
        return np.concatenate([self.to_crop(boxes[..., :2]), boxes[..., 2:] * self.scale], axis=-1)

    def box_to_frame(self, box: ArrayLike) -> np.ndarray:
        """Boxes (..., 4) of the crop in frame coordinates."""
        boxes = as_boxes(box)
        return np.concatenate([self.to_frame(boxes[..., :2]), boxes[..., 2:] / self.scale], axis=-1)

    def cut(self, frame: np.ndarray, fill: ArrayLike | None = None) -> np.ndarray:
        """The crop (size, size, 3) uint8 of a frame (H, W, 3), or (size, size) of a grey frame
        (H, W).

        One bilinear warp samples the frame without copying it; pixels beyond the frame get the
        colour `fill` (3,), by default the frame's mean. Bilinear interpolation uses only four
        pixels, so a large window shown at a small size is aliased.
        """
        colour = (
            cv2.mean(frame) if fill is None else np.asarray(fill, dtype=np.float64).ravel().tolist()
        )
        return cv2.warpAffine(
            frame,
            crop_matrix(self.cx, self.cy, self.side, self.size),
            (self.size, self.size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=colour,
        )


def exemplar_window(box: ArrayLike) -> CropWindow:
    """The exemplar's window around a box (4,) in frame pixels."""
    box = as_boxes(box)
    return CropWindow(*(box[:2] + box[2:] / 2), float(context_side(box[2:])), EXEMPLAR)


def search_window(box: ArrayLike, shift: ArrayLike = (0, 0)) -> CropWindow:
    """The search image's window around a box (4,) in frame pixels; the box's centre is `shift` (2,)
    search pixels to the right of and below the window's centre."""
    box = as_boxes(box)
    side = float(search_side(box))
    centre = box[:2] + box[2:] / 2 - np.asarray(shift) * side / SEARCH
    return CropWindow(*centre, side, SEARCH)
