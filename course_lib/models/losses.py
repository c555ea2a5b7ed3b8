"""Which response cells are right, how much each counts, and the logistic loss (SiamFC paper, section 2.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def label_map(size: int, stride: int, radius: float) -> Tensor:
    """Labels (size, size) in {−1, +1} of a response whose middle cell is the target's place.

    A cell is +1 if its place in the search image lies at most `radius` pixels from the middle: stride · ‖u − c‖ ≤ R.
    """
    offset = (torch.arange(size, dtype=torch.float32) - (size - 1) / 2) * stride  # (size,) pixels
    distance = torch.hypot(offset[:, None], offset[None, :])  # (size, size)
    return torch.where(distance <= radius, 1.0, -1.0)


def balanced_weights(labels: Tensor) -> Tensor:
    """Weights like the labels (..., n, n): in each map the positives share 0.5 equally, the negatives 0.5."""
    positive = (labels > 0).to(torch.float32)
    negative = 1 - positive
    n_positive = positive.sum(dim=(-2, -1), keepdim=True).clamp_min(1)
    n_negative = negative.sum(dim=(-2, -1), keepdim=True).clamp_min(1)
    return 0.5 * (positive / n_positive + negative / n_negative)


def balanced_logistic_loss(response: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of Σ_u w[u] · log(1 + exp(−y[u] · v[u])), for responses v and labels y (B, n, n).

    Softplus keeps the sum finite where exp(−y·v) alone would overflow.
    """
    losses = F.softplus(-labels * response)  # (B, n, n)
    return (balanced_weights(labels) * losses).sum(dim=(-2, -1)).mean()


def pair_labels(positive: Tensor, size: int, stride: int, radius: float) -> Tensor:
    """Labels (B, size, size): the label map where `positive` (B,) holds, −1 everywhere in a negative pair."""
    labels = label_map(size, stride, radius).to(positive.device)  # (size, size)
    return torch.where(positive[:, None, None], labels, -torch.ones_like(labels))
