"""Anchors: boxes of a few shapes at every cell of a map, and the offsets between them and a
target's box.

There are two families: the default boxes of SSD (Liu et al., 2016), used by SiamConcatRPN and
SiamBroadcastRPN, and the anchors of SiamRPN (Li et al., 2018). Anchors are boxes like any other:
(x, y, w, h), in pixels of the search image. `encode` and `decode` take NumPy arrays as well as
tensors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from course_lib.errors import DataError

RATIOS = (0.33, 0.5, 1.0, 2.0, 3.0)  # height / width of SiamRPN's anchors
STRIDE, SCALE = 8, 8  # SiamRPN: cells 8 px apart, anchors with the area of 64 × 64 px
# log of the largest factor by which a side may exceed its anchor's, so that all sizes are finite
MOST_GROWTH = math.log(1000 / 16)
# SSD divides its offsets by these, so that they are of order 1
SSD_VARIANCES = 0.1, 0.1, 0.2, 0.2


def default_box_sizes(
    scale: float, next_scale: float, ratios: ArrayLike = (1, 2, 3, 1 / 2, 1 / 3)
) -> np.ndarray:
    """Widths and heights (K + 1, 2) of SSD's default boxes (Liu et al., 2016): one for each ratio,
    and an extra square.

    w = s · √a and h = s / √a, so every box has the area s². The side of the extra square is
    √(s · s'), with s' the next map's scale. (The EPFL report prints h = s / a; then the area would
    be s² / √a.)

    Args:
        scale: s, in the unit of the result.
        next_scale: s'.
        ratios: (K,) a = w / h.
    """
    a = np.sqrt(np.asarray(ratios, dtype=np.float64))  # (K,)
    square = math.sqrt(scale * next_scale)
    return np.concatenate([np.stack([scale * a, scale / a], axis=1), [[square, square]]])


def siamrpn_anchor_sizes(ratios: ArrayLike = RATIOS, truncated: bool = False) -> np.ndarray:
    """Widths and heights (K, 2) of SiamRPN's anchors in search pixels, one for each ratio
    r = h / w.

    Exact anchors have the area 64 × 64: w = 64 / √r, h = w · r. The public code (`truncated`) works
    at 1/8 of the size and truncates to whole numbers twice, w = int(8 / √r), h = int(w · r), before
    it multiplies by 8: areas from 3,072 to 4,096.
    """
    r = np.asarray(ratios, dtype=np.float64)  # (K,)
    w = STRIDE / np.sqrt(r)
    if truncated:
        w = np.floor(w)
    h = np.floor(w * r) if truncated else w * r
    return np.stack([w, h], axis=1) * SCALE


def place_anchors(sizes: ArrayLike, cells: int, stride: float, centre: float) -> np.ndarray:
    """Anchors (K, cells, cells, 4): boxes of K sizes, centred on every cell of a map. Axis 1 is the
    row.

    Args:
        sizes: (K, 2) widths and heights.
        cells: per side of the map.
        stride: pixels from one cell to the next.
        centre: the map's centre is at (centre, centre).
    """
    sizes = np.asarray(sizes, dtype=np.float64)  # (K, 2)
    at = centre + (np.arange(cells) - (cells - 1) / 2) * stride  # (cells,)
    anchors = np.empty((len(sizes), cells, cells, 4))
    anchors[..., 0] = at[None, None, :] - sizes[:, None, None, 0] / 2
    anchors[..., 1] = at[None, :, None] - sizes[:, None, None, 1] / 2
    anchors[..., 2:] = sizes[:, None, None, :]
    return anchors


def ssd_scales(count: int, smallest: float = 0.2, largest: float = 0.9) -> np.ndarray:
    """Scales (count + 1,) of SSD's maps, evenly spaced, with one more after the last (Liu et al.,
    2016).

    Args:
        count: number of maps.
        smallest: scale of the first map, as a fraction of the image's side.
        largest: scale of the last map.
    """
    return smallest + (largest - smallest) / max(count - 1, 1) * np.arange(count + 1)


def encode(boxes: Any, anchors: Any, variances: tuple[float, ...] = (1, 1, 1, 1)) -> Any:
    """Offsets (..., 4) of boxes (..., 4) from anchors (..., 4):

    dx = (cx − cx_a) / w_a,  dy = (cy − cy_a) / h_a,  dw = log(w / w_a),  dh = log(h / h_a), each
    divided by its variance (SiamRPN: 1; SSD: 0.1 and 0.2).

    Args:
        boxes: (..., 4), array or tensor.
        anchors: (..., 4), of the same kind.
        variances: of dx, dy, dw, dh.

    Raises:
        DataError: if an array contains a box without area, which has no logarithm. Tensors are not
            checked, because that would make a training step wait for the GPU; there the offsets of
            such a box are not finite.
    """
    if not isinstance(boxes, Tensor) and not (boxes[..., 2:] > 0).all():
        raise DataError(
            "a box to encode has no width or no height; remove degenerate boxes first (see "
            "`is_valid`)"
        )
    a = _array(boxes)
    shift = (
        boxes[..., :2] + boxes[..., 2:] / 2 - anchors[..., :2] - anchors[..., 2:] / 2
    ) / anchors[..., 2:]  # (..., 2)
    growth = a.log(boxes[..., 2:] / anchors[..., 2:])  # (..., 2)
    return a.concatenate([shift, growth], -1) / _like(variances, boxes)


def decode(offsets: Any, anchors: Any, variances: tuple[float, ...] = (1, 1, 1, 1)) -> Any:
    """Boxes (..., 4) at `offsets` (..., 4) from anchors (..., 4): the exact inverse of `encode`.

    A side is at most 62.5 times its anchor's, so that an untrained network's offsets do not
    overflow.

    Args:
        offsets: (..., 4), array or tensor.
        anchors: (..., 4), of the same kind.
        variances: of dx, dy, dw, dh.
    """
    a = _array(offsets)
    offsets = offsets * _like(variances, offsets)  # (..., 4)
    size = anchors[..., 2:] * a.exp(offsets[..., 2:].clip(None, MOST_GROWTH))  # (..., 2)
    # (..., 2)
    centre = anchors[..., :2] + anchors[..., 2:] / 2 + offsets[..., :2] * anchors[..., 2:]
    return a.concatenate([centre - size / 2, size], -1)


def overlaps(anchors: Tensor, boxes: Tensor) -> Tensor:
    """IoU (B, A) of anchors, either (A, 4), the same for all pairs, or (B, A, 4), each pair's own,
    with boxes, either (B, 4), one per pair, or (B, A, 4), one per anchor; 0 for a box without
    area."""
    boxes = boxes if boxes.dim() == 3 else boxes[:, None]  # (B, A or 1, 4)
    low = torch.maximum(anchors[..., :2], boxes[..., :2])  # (B, A, 2)
    high = torch.minimum(anchors[..., :2] + anchors[..., 2:], boxes[..., :2] + boxes[..., 2:])
    shared = (high - low).clamp_min(0).prod(-1)  # (B, A)
    area = boxes[..., 2:].clamp_min(0).prod(-1)  # (B, A or 1)
    union = anchors[..., 2:].prod(-1) + area - shared  # (B, A)
    return shared / union


def match(overlap: Tensor, high: float = 0.6, low: float = 0.3) -> Tensor:
    """Labels (B, A) int64 of anchors: 1 target, 0 something else, −1 ignored.

    Args:
        overlap: (B, A) IoU of each anchor with its pair's box.
        high: IoU above which an anchor is the target.
        low: IoU below which it is something else.
    """
    labels = torch.full(overlap.shape, -1, dtype=torch.int64, device=overlap.device)  # (B, A)
    labels[overlap > high] = 1
    labels[overlap < low] = 0
    return labels


def _array(values: Any) -> Any:
    return torch if isinstance(values, Tensor) else np


def _like(numbers: tuple[float, ...], values: Any) -> Any:
    return (
        values.new_tensor(numbers)
        if isinstance(values, Tensor)
        else np.asarray(numbers, dtype=np.float64)
    )
