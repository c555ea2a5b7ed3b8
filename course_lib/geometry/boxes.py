"""Boxes: `(x, y, w, h)`, float, pixels, top-left corner, 0-based, continuous.

A box that covers the whole of a W×H image is `(0, 0, W, H)`. An absent target is a row of NaN;
every function here carries NaN through, so absence is never mistaken for a box.
All functions take arrays of shape (..., 4) and broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def as_boxes(boxes: ArrayLike) -> np.ndarray:
    """Boxes as a float64 array (..., 4).

    Raises ValueError if the last axis is not 4 long.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"boxes have shape {boxes.shape}; expected (..., 4) with x, y, w, h on the last axis")
    return boxes


def to_corners(boxes: ArrayLike) -> np.ndarray:
    """`(x, y, w, h)` → `(x1, y1, x2, y2)`, where x2 = x + w is the right edge, not the last pixel."""
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

    Two boxes of no area have IoU 0; a NaN box gives NaN.
    """
    a, b = np.broadcast_arrays(as_boxes(a), as_boxes(b))
    corners_a, corners_b = to_corners(a), to_corners(b)
    top_left = np.maximum(corners_a[..., :2], corners_b[..., :2])
    bottom_right = np.minimum(corners_a[..., 2:], corners_b[..., 2:])
    sides = np.maximum(bottom_right - top_left, 0)
    inter = sides[..., 0] * sides[..., 1]
    union = area(a) + area(b) - inter
    return np.where(union > 0, inter / np.where(union > 0, union, 1), np.where(np.isnan(union), np.nan, 0.0))


def centre_error(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Distance between box centres in pixels, row by row, shape (...). A NaN box gives NaN."""
    a, b = to_centre(a), to_centre(b)
    return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])


def normalised_centre_error(predicted: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Centre distance with each axis divided by the true box's width and height (LaSOT, TrackingNet).

    No unit, shape (...). A true box without area gives NaN.
    """
    p, t = to_centre(predicted), to_centre(truth)
    w = np.where(t[..., 2] > 0, t[..., 2], np.nan)
    h = np.where(t[..., 3] > 0, t[..., 3], np.nan)
    return np.hypot((p[..., 0] - t[..., 0]) / w, (p[..., 1] - t[..., 1]) / h)


def clip_to_image(boxes: ArrayLike, height: int, width: int) -> np.ndarray:
    """The part of each box inside a height×width image: corners are clipped, so the size shrinks with them.

    A box entirely outside becomes a box of no area on the nearest edge.
    """
    corners = to_corners(boxes)
    limit = np.array([width, height, width, height], dtype=np.float64)
    return from_corners(np.clip(corners, 0, limit))


def is_valid(boxes: ArrayLike) -> np.ndarray:
    """True where a box is finite and has positive width and height, shape (...)."""
    boxes = as_boxes(boxes)
    with np.errstate(invalid="ignore"):
        return np.isfinite(boxes).all(axis=-1) & (boxes[..., 2] > 0) & (boxes[..., 3] > 0)


def from_polygon(points: ArrayLike) -> np.ndarray:
    """Axis-aligned box (..., 4) of a four-sided polygon (..., 8) with the polygon's area.

    Centre = mean of the corners; the bounding box of the polygon is shrunk by
    sqrt(side1 · side2 / bounding area), as the VOT toolkits do, without their +1 pixel:
    a box here is continuous. A polygon with NaN gives NaN.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim == 0 or points.shape[-1] != 8:
        raise ValueError(f"polygons have shape {points.shape}; expected (..., 8): x1, y1, ..., x4, y4")
    corners = points.reshape(*points.shape[:-1], 4, 2)
    low, high = corners.min(axis=-2), corners.max(axis=-2)
    sides = np.linalg.norm(corners[..., [0, 1], :] - corners[..., [1, 2], :], axis=-1)
    bounding = np.prod(high - low, axis=-1)
    shrink = np.sqrt(sides.prod(axis=-1) / np.where(bounding > 0, bounding, np.nan))
    shrink = np.where(bounding == 0, 0.0, shrink)
    size = (high - low) * shrink[..., None]
    return from_centre(np.concatenate([corners.mean(axis=-2), size], axis=-1))
