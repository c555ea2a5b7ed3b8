"""SiamFC's labels, their weights, and the balanced logistic loss (Bertinetto et al., 2016)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def label_map(size: int, stride: int, radius: float) -> Tensor:
    """Labels (size, size) in {−1, +1} of a response with the target at its central cell.

    A cell is +1 if its position in the search image lies at most `radius` pixels from the centre:
    stride · ‖u − c‖ ≤ R (Bertinetto et al., 2016).

    Args:
        size: cells per side of the response.
        stride: pixels of the search image from cell to cell.
        radius: R, pixels.
    """
    return torch.where(_distance(size, stride, torch.zeros(1, 2))[0] <= radius, 1.0, -1.0)


def _distance(size: int, stride: int, away: Tensor) -> Tensor:
    """Distance (B, size, size) in pixels of each cell from a point `away` (B, 2), x and y pixels
    from the map's centre."""
    # (size,) pixels
    offset = (torch.arange(size, dtype=torch.float32, device=away.device) - (size - 1) / 2) * stride
    dx, dy = offset[None, None, :] - away[:, :1, None], offset[None, :, None] - away[:, 1:, None]
    return torch.hypot(*torch.broadcast_tensors(dx, dy))  # (B, size, size)


def balanced_weights(labels: Tensor) -> Tensor:
    """Weights (..., n, n) for labels (..., n, n): in each map the positives together weigh 0.5, the
    negatives 0.5, and cells with label 0 nothing (Bertinetto et al., 2016).

    In a response of 17 × 17 cells with R = 16 and stride 8, 13 cells are positive and 276 negative:
    unweighted, "nothing anywhere" would be nearly the best answer.
    """
    # float32 whatever the labels are: half precision cannot count beyond 2,048. A map without
    # positives (a negative pair) or without negatives is divided by 1, not by 0
    positive, negative = (labels > 0).to(torch.float32), (labels < 0).to(torch.float32)
    n_positive = positive.sum(dim=(-2, -1), keepdim=True).clamp_min(1)
    n_negative = negative.sum(dim=(-2, -1), keepdim=True).clamp_min(1)
    return 0.5 * (positive / n_positive + negative / n_negative)


def balanced_logistic_loss(response: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of Σ_u w[u] · log(1 + exp(−y[u] · v[u])), for responses v and labels y
    (B, n, n), with the weights of `balanced_weights` (Bertinetto et al., 2016).

    Softplus stays finite where exp(−y·v) would overflow.
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
        size: cells per side of the response.
        stride: pixels of the search image from cell to cell.
        radius: pixels from the target within which a cell is +1.
        away: (B, 2) offsets of the targets from the centre of the search image, x and y pixels;
            None for none.
        ring: pixels from the target within which cells beyond `radius` are 0 and do not count.
    """
    away = torch.zeros(len(positive), 2, device=positive.device) if away is None else away
    distance = _distance(size, stride, away)  # (B, size, size)
    # (B, size, size)
    target = torch.where(distance <= radius, 1.0, torch.where(distance <= ring, 0.0, -1.0))
    return torch.where(positive[:, None, None], target, -1.0)


def peak_distance(response: Tensor, stride: float, away: Tensor | float = 0.0) -> Tensor:
    """Distance (B,) in pixels of the search image from the target to each response's highest cell.

    Args:
        response: (B, n, n).
        stride: pixels of the search image from cell to cell.
        away: (B, 2) offsets of the targets from the centre of the search image, x and y pixels,
            or 0.
    """
    n = response.shape[-1]
    peak = response.flatten(1).argmax(dim=1)  # (B,)
    place = torch.stack([peak % n, peak // n], 1) - (n - 1) / 2  # (B, 2) cells, x and y
    return torch.linalg.vector_norm(place * stride - away, dim=1)
