"""Precise RoI pooling (Jiang et al., "Acquisition of Localization Confidence for Accurate Object
Detection", 2018): the mean of a feature map over each bin of a box, by an exact integral.

A map with values at its cells becomes a surface by bilinear interpolation: each value carries a
tent, the product of a hat along x and a hat along y, max(0, 1 − |t|). The integral of such a
surface over a rectangle is a sum of products of hat integrals. So all bins of a box together are
two matrix products, W_y · F · W_xᵀ, and the box stands in both matrices: the pooled features have a
gradient with respect to the box. It is what lets a box climb in ATOM.

RoI-Align reads the same surface at a few points of each bin. torchvision's has no gradient in the
box.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.errors import DataError


def hat_integral(t: Tensor) -> Tensor:
    """∫ max(0, 1 − |u|) du from −∞ to t, of any shape (...): 0 up to −1, (t + 1)² / 2 up to 0,
    ½ + t − t² / 2 up to 1, then 1."""
    t = t.clamp(-1, 1)
    return 0.5 + t - t * t.abs() / 2


def hat_weights(start: Tensor, length: Tensor, bins: int, cells: int) -> Tensor:
    """Weights (..., bins, cells) of the cells of one axis in the means over the bins of intervals.

    Row k says how much each cell counts in the mean over bin k, which reaches from e_k to e_{k+1}:
    (T(e_{k+1} − i) − T(e_k − i)) / (e_{k+1} − e_k) for cell i, T the integral of the hat. A row
    sums to 1 where its bin lies inside the map; outside the map there are zeros. An interval
    without length has weights 0.

    Args:
        start: (...) where the intervals begin, in cells; the centre of cell i is at i.
        length: (...) of the intervals, in cells.
        bins: in each interval.
        cells: of the axis.
    """
    steps = torch.linspace(0, 1, bins + 1, dtype=start.dtype, device=start.device)  # (bins + 1,)
    edges = start[..., None] + length[..., None] * steps  # (..., bins + 1)
    places = torch.arange(cells, dtype=start.dtype, device=start.device)  # (cells,)
    integrals = hat_integral(edges[..., None] - places)  # (..., bins + 1, cells)
    some = length > 0  # (...)
    width = torch.where(some, length, 1.0) / bins  # (...)
    weights = integrals.diff(dim=-2) / width[..., None, None]  # (..., bins, cells)
    return weights * some[..., None, None]


def prpool(features: Tensor, boxes: Tensor, bins: int) -> Tensor:
    """Means (B, P, C, bins, bins) of features over the bins of P boxes of each image.

    Exact, and differentiable in features and boxes (Jiang et al., 2018). As in the authors'
    code, the map is 0 beyond its cells: what a box covers there counts as 0. A box without area
    gives zeros.

    Args:
        features: (B, C, H, W).
        boxes: (B, P, 4) x, y, w, h in cells of the map, the centre of cell (0, 0) at x = y = 0; see
            `models.pyramid.MapPlace.cells`.
        bins: per side of a box.

    Raises:
        DataError: if the shapes do not fit.
    """
    _check(features, boxes)
    B, C, H, W = features.shape
    P, k = boxes.shape[1], bins
    # the weights of a narrow bin are small differences: in single precision little of them remains
    exact = torch.float32 if boxes.device.type == "mps" else torch.float64
    with torch.autocast(features.device.type, enabled=False):
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        x, y, w, h = boxes.to(exact).unbind(-1)  # (B, P) each
        across = hat_weights(x, w, k, W).to(features).flatten(1, 2)  # (B, P·k, W)
        down = hat_weights(y, h, k, H).to(features)  # (B, P, k, H)
        # F · W_xᵀ for all boxes at once, then W_y times that, box by box
        half = features.flatten(1, 2) @ across.transpose(1, 2)  # (B, C·H, P·k)
        half = half.reshape(B, C, H, P, k).permute(0, 3, 2, 1, 4)  # (B, P, H, C, k)
        pooled = down @ half.flatten(3)  # (B, P, k, C·k)
        return pooled.reshape(B, P, k, C, k).permute(0, 1, 3, 2, 4)  # (B, P, C, k, k)


def _check(features: Tensor, boxes: Tensor) -> None:
    """Raise DataError unless boxes (B, P, 4) belong to features (B, C, H, W)."""
    fits = features.ndim == 4 and boxes.ndim == 3 and len(features) == len(boxes)
    if not fits or boxes.shape[-1] != 4:
        raise DataError(
            f"boxes {tuple(boxes.shape)} cannot be pooled from features {tuple(features.shape)}; "
            "expected (B, P, 4) and (B, C, H, W) with the same B"
        )
