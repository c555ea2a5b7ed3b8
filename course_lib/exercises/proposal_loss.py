"""SiamRPN's loss with parts of it changed, for the check of lesson 07's loss."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.models import proposals

VARIANCES = torch.tensor([0.1, 0.1, 0.2, 0.2])


def loss_of(
    logits: Tensor, offsets: Tensor, labels: Tensor, targets: Tensor, weight: float = 1.2
) -> Tensor:
    """SiamRPN's loss () as the course computes it.

    Args:
        logits: (B, A, 2).
        offsets: (B, A, 4).
        labels: (B, A), 1, 0 or −1.
        targets: (B, A, 4), the true offsets.
        weight: of the box loss.
    """
    return proposals.siamrpn_loss(
        proposals.Proposals(logits, offsets), proposals.Targets(labels, targets), weight
    )


def side(logits: Tensor, labels: Tensor, label: int) -> Tensor:
    """Mean cross-entropy of the anchors with one label."""
    return F.cross_entropy(logits[labels == label], labels[labels == label])


def limited(right: Any, logits: Tensor, o: Tensor, y: Tensor, t: Tensor, most: float) -> Tensor:
    """Both sides of the cross-entropy, each anchor's at most `most`.

    Args:
        right, logits, o, y, t: as in every mistake.
        most: the largest value.
    """
    each = F.cross_entropy(logits[0], y[0].clamp_min(0), reduction="none").clamp_max(most)
    means = [each[y[0] == k].sum() / (y[0] == k).sum().clamp_min(1) for k in (0, 1)]
    return sum(means) / 2


def divided(
    right: Any, logits: Tensor, o: Tensor, y: Tensor, t: Tensor, w: float, more: float
) -> Tensor:
    """Means whose divisor is larger by `more`.

    Args:
        right, logits, o, y, t, w: as in every mistake.
        more: what is added to the number of anchors.
    """
    each = F.cross_entropy(logits[0], y[0].clamp_min(0), reduction="none")
    cost = F.smooth_l1_loss(o, t, reduction="none")[0].sum(1)
    one, zero = y[0] == 1, y[0] == 0
    return each[zero].sum() / (zero.sum() + more) / 2 + (
        (each[one].sum() / 2 + w * cost[one].sum()) / (one.sum() + more)
    )


def classes_changed(part: Any) -> Any:
    """A mistake in the classification: (right, logits, offsets, labels, targets) → its part."""
    return lambda right, logits, o, y, t, w: (
        part(right, logits, o, y, t) + right(logits, o, y, t, w) - right(logits, o, y, t, 0)
    )


def boxes_changed(part: Any) -> Any:
    """A mistake in the box loss: (cost per anchor and offset, labels) → its part."""
    return lambda right, logits, o, y, t, w: (
        right(logits, o, y, t, 0) + w * part(F.smooth_l1_loss(o, t, reduction="none"), y)
    )


def costs_changed(cost: Any, factor: float = 1.0) -> Any:
    """A mistake in the box loss: another cost of an offset."""
    return lambda right, logits, o, y, t, w: (
        right(logits, o, y, t, 0)
        + w
        * factor
        * cost(o, t, reduction="none").sum(-1)[y == 1].sum()
        / (y == 1).sum().clamp_min(1)
    )
