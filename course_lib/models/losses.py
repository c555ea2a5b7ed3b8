"""Which response cells are right, how much each counts, and the logistic loss (Bertinetto et al.,
SiamFC, 2016, section 2.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def label_map(size: int, stride: int, radius: float) -> Tensor:
    """Labels (size, size) in {−1, +1} of a response whose central cell is the target's place.

    A cell is +1 if its place in the search image lies at most `radius` pixels from the centre:
    stride · ‖u − c‖ ≤ R (SiamFC paper, section 2.2).

    Args:
        size: cells a side of the response.
        stride: pixels of the search image from cell to cell.
        radius: R, pixels.
    """
    return torch.where(_distance(size, stride, torch.zeros(1, 2))[0] <= radius, 1.0, -1.0)


def _distance(size: int, stride: int, away: Tensor) -> Tensor:
    """Pixels (B, size, size) of each cell from a place `away` (B, 2), x and y pixels from the map's
    centre."""
    # (size,) pixels
    offset = (torch.arange(size, dtype=torch.float32, device=away.device) - (size - 1) / 2) * stride
    dx, dy = offset[None, None, :] - away[:, :1, None], offset[None, :, None] - away[:, 1:, None]
    return torch.hypot(*torch.broadcast_tensors(dx, dy))  # (B, size, size)


def balanced_weights(labels: Tensor) -> Tensor:
    """Weights like the labels (..., n, n): in each map the positives share 0.5 equally, the
    negatives 0.5; a label 0 has none (SiamFC paper, section 2.2).

    In a response of 17 × 17 cells with R = 16 and stride 8, 13 cells are positive and 276 negative:
    unweighted, "nothing anywhere" would be nearly the best answer.
    """
    # float32 even where the labels are not: half precision counts no further than 2,048. A map
    # without positives (a negative pair) or without negatives is divided by 1, not by 0
    positive, negative = (labels > 0).to(torch.float32), (labels < 0).to(torch.float32)
    n_positive = positive.sum(dim=(-2, -1), keepdim=True).clamp_min(1)
    n_negative = negative.sum(dim=(-2, -1), keepdim=True).clamp_min(1)
    return 0.5 * (positive / n_positive + negative / n_negative)


def balanced_logistic_loss(response: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of Σ_u w[u] · log(1 + exp(−y[u] · v[u])), for responses v and labels y
    (B, n, n) (SiamFC paper, section 2.2), with the weights of `balanced_weights`.

    Softplus keeps the sum finite where exp(−y·v) alone would overflow.
    """
    losses = F.softplus(-labels * response)  # (B, n, n)
    return (balanced_weights(labels) * losses).sum(dim=(-2, -1)).mean()


def pair_labels(
    positive: Tensor,
    size: int,
    stride: int,
    radius: float,
    away: Tensor | None = None,
    ring: float = 0.0,
) -> Tensor:
    """Labels (B, size, size): +1 near the target of a positive pair, −1 everywhere else.

    Args:
        positive: (B,) whether the pair shows the same object twice.
        size: cells a side of the response.
        stride: pixels of the search image from cell to cell.
        radius: pixels from the target within which a cell is +1.
        away: (B, 2) where the targets stand, x and y pixels from the centre of the search image;
            None puts them there.
        ring: pixels from the target within which cells beyond `radius` are 0: they do not count.
    """
    away = torch.zeros(len(positive), 2, device=positive.device) if away is None else away
    distance = _distance(size, stride, away)  # (B, size, size)
    # (B, size, size)
    target = torch.where(distance <= radius, 1.0, torch.where(distance <= ring, 0.0, -1.0))
    return torch.where(positive[:, None, None], target, -1.0)


def peak_distance(response: Tensor, stride: float, away: Tensor | float = 0.0) -> Tensor:
    """Pixels (B,) of the search image from the target to each response's highest cell.

    Args:
        response: (B, n, n).
        stride: pixels of the search image from cell to cell.
        away: (B, 2) where the targets stand, x and y pixels from the centre of the search image,
            or 0.
    """
    n = response.shape[-1]
    peak = response.flatten(1).argmax(dim=1)  # (B,)
    place = torch.stack([peak % n, peak // n], 1) - (n - 1) / 2  # (B, 2) cells, x and y
    return torch.linalg.vector_norm(place * stride - away, dim=1)
