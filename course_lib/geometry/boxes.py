"""Boxes: `(x, y, w, h)`, float, pixels, top-left corner, 0-based, continuous.

A box that covers a whole W×H image is `(0, 0, W, H)`. An absent target is a row of NaN; every
function here propagates NaN, so absence is never mistaken for a box. All functions take arrays of
shape (..., 4) and broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def as_boxes(boxes: ArrayLike) -> np.ndarray:
    """Boxes as a float64 array (..., 4).

    Raises ValueError if the last axis does not have length 4.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(
            f"boxes have shape {boxes.shape}; expected (..., 4) with x, y, w, h on the last axis"
        )
    return boxes


def _columns(boxes: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, w and h of boxes (..., 4), each (...): arithmetic on columns copies no boxes."""
    x, y, w, h = np.moveaxis(as_boxes(boxes), -1, 0)
    return x, y, w, h


def to_corners(boxes: ArrayLike) -> np.ndarray:
    """`(x, y, w, h)` → `(x1, y1, x2, y2)`, where x2 = x + w is the right edge, not the last
    pixel."""
    boxes = as_boxes(boxes)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def from_corners(corners: ArrayLike) -> np.ndarray:
    """`(x1, y1, x2, y2)` → `(x, y, w, h)`."""
    corners = as_boxes(corners)
    return np.concatenate([corners[..., :2], corners[..., 2:] - corners[..., :2]], axis=-1)


def to_centre(boxes: ArrayLike) -> np.ndarray:
    """`(x, y, w, h)` → `(cx, cy, w, h)`."""
    boxes = as_boxes(boxes)
    return np.concatenate([boxes[..., :2] + boxes[..., 2:] / 2, boxes[..., 2:]], axis=-1)


def from_centre(boxes: ArrayLike) -> np.ndarray:
    """`(cx, cy, w, h)` → `(x, y, w, h)`."""
    boxes = as_boxes(boxes)
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., 2:]], axis=-1)


def area(boxes: ArrayLike) -> np.ndarray:
    """Area in square pixels, shape (...). A box with a negative side has area 0."""
    boxes = as_boxes(boxes)
    return np.maximum(boxes[..., 2], 0) * np.maximum(boxes[..., 3], 0)


def iou(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Intersection over union of boxes, row by row, shape (...), in [0, 1].

    Two boxes without area have IoU 0; for a NaN box the result is NaN.
    """
    (ax, ay, aw, ah), (bx, by, bw, bh) = _columns(a), _columns(b)  # (...) each
    width = np.maximum(np.minimum(ax + aw, bx + bw) - np.maximum(ax, bx), 0)
    height = np.maximum(np.minimum(ay + ah, by + bh) - np.maximum(ay, by), 0)
    shared = width * height
    union = np.maximum(aw, 0) * np.maximum(ah, 0) + np.maximum(bw, 0) * np.maximum(bh, 0) - shared
    with np.errstate(invalid="ignore", divide="ignore"):
        # (x + w) - x is not always w in floating point: without the minimum, the IoU of a box with
        # itself could exceed 1
        return np.where(union == 0, 0.0, np.minimum(shared / union, 1.0))


def centre_error(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Distance between box centres in pixels, row by row, shape (...); NaN for a NaN box."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = _columns(a), _columns(b)  # (...) each
    dx, dy = (ax + aw / 2) - (bx + bw / 2), (ay + ah / 2) - (by + bh / 2)
    return np.sqrt(dx * dx + dy * dy)


def normalised_centre_error(predicted: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Centre distance (...), without unit: x is divided by the true box's width, y by its height
    (LaSOT, TrackingNet).

    NaN for a true box without area.
    """
    (px, py, pw, ph), (tx, ty, tw, th) = _columns(predicted), _columns(truth)  # (...) each
    with np.errstate(invalid="ignore", divide="ignore"):
        dx = ((px + pw / 2) - (tx + tw / 2)) / tw
        dy = ((py + ph / 2) - (ty + th / 2)) / th
        error = np.sqrt(dx * dx + dy * dy)
    return np.where((tw > 0) & (th > 0), error, np.nan)


def clip_to_image(boxes: ArrayLike, height: int, width: int) -> np.ndarray:
    """The part of each box inside an image: corners are clipped, so the size shrinks as well.

    A box entirely outside becomes a box without area on the nearest edge.

    Args:
        boxes: (..., 4).
        height: of the image, pixels.
        width: of the image, pixels.
    """
    corners = to_corners(boxes)
    limit = np.array([width, height, width, height], dtype=np.float64)
    return from_corners(np.clip(corners, 0, limit))


def is_valid(boxes: ArrayLike) -> np.ndarray:
    """Whether each box is finite and has positive width and height, shape (...)."""
    x, y, w, h = _columns(boxes)  # (...) each
    return np.isfinite(x) & np.isfinite(y) & np.isfinite(w) & np.isfinite(h) & (w > 0) & (h > 0)


def area_preserving_box(polygons: ArrayLike) -> np.ndarray:
    """Axis-aligned box (..., 4) of a four-sided polygon (..., 8) with the polygon's area.

    Its centre is the mean of the corners; its size is that of the polygon's bounding box, shrunk by
    sqrt(side1 · side2 / bounding area). pysot and the GOT-10k toolkit initialise trackers in VOT
    with this box, apart from the pixel they add to width and height: a box here is continuous.
    VOT's own toolkit uses `bounding_box`. A polygon with NaN becomes a box of NaN.
    """
    corners = _corners(polygons)
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    sides = np.linalg.norm(corners[..., [0, 1], :] - corners[..., [1, 2], :], axis=-1)
    bounding = np.prod(high - low, axis=-1)
    shrink = np.sqrt(sides.prod(axis=-1) / np.where(bounding > 0, bounding, np.nan))
    shrink = np.where(bounding == 0, 0.0, shrink)
    size = (high - low) * shrink[..., None]
    return from_centre(np.concatenate([corners.mean(axis=-2), size], axis=-1))


def bounding_box(polygons: ArrayLike) -> np.ndarray:
    """The smallest axis-aligned box (..., 4) around polygons (..., 2N).

    VOT's toolkit (0.9.0, `Rectangle.convert`) passes this box to trackers that take boxes. A
    polygon with NaN becomes a box of NaN.
    """
    corners = _corners(polygons, sides=None)
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    return np.concatenate([low, high - low], axis=-1)


def _corners(polygons: ArrayLike, sides: int | None = 4) -> np.ndarray:
    """Corners (..., N, 2) of polygons (..., 2N); N must equal `sides` if that is given."""
    points = np.asarray(polygons, dtype=np.float64)
    length = 0 if points.ndim == 0 else points.shape[-1]
    if length < 6 or length % 2 or length != 2 * (sides or length // 2):
        raise ValueError(
            f"polygons have shape {points.shape}; expected (..., {2 * sides if sides else '2N'}): "
            "x1, y1, …, of each corner"
        )
    return points.reshape(*points.shape[:-1], length // 2, 2)
