"""Check of lesson 12: the loss of predicted IoUs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_loss
from course_lib.exercises.core import check
from course_lib.geometry.anchors import overlaps


def overlap_loss(predicted: Tensor, boxes: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error () of predicted 2 · IoU − 1.

    Args:
        predicted: (B, P).
        boxes: (B, P, 4) that were judged.
        truth: (B, 4) of the targets.
    """
    return (predicted - (2 * overlaps(boxes, truth) - 1)).square().mean()


def _against(change):
    """A mistake: another value that is wanted, change(IoU)."""
    return lambda right, p, b, t: (p - change(overlaps(b, t))).square().mean()


def _of_error(change):
    """A mistake: another loss, change(error)."""
    return lambda right, p, b, t: change(p - (2 * overlaps(b, t) - 1))


def _corners(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


@check(
    "overlap.loss",
    reference=overlap_loss,
    mistakes={
        "what is wanted is 2 · IoU − 1; you compare with the IoU": _against(lambda iou: iou),
        "what is wanted is 2 · IoU − 1: from −1, where nothing overlaps, to 1": [
            _against(lambda iou: 2 * iou),
            _against(lambda iou: 1 - 2 * iou),
            _against(lambda iou: (iou + 1) / 2),
            _against(lambda iou: iou - 1),
            _against(lambda iou: 2 * iou + 1),
            _against(lambda iou: (2 * iou - 1).clamp_min(0)),
        ],
        "yours only asks whether the IoU is above a half: the loss wants the IoU itself": (
            _against(lambda iou: 2 * (iou > 0.5).to(iou) - 1)
        ),
        "your loss is the sum; take the mean over all boxes": _of_error(
            lambda error: error.square().sum()
        ),
        "you sum over one of the axes and average over the other: take the mean over all boxes": [
            _of_error(lambda error: error.square().sum(1).mean()),
            _of_error(lambda error: error.square().sum(0).mean()),
        ],
        "your errors are not squared": [
            _of_error(lambda error: error.abs().mean()),
            _of_error(lambda error: error.mean()),
        ],
        "your loss is the root of the mean: leave it squared": _of_error(
            lambda error: error.square().mean().sqrt()
        ),
        "smooth L1 is the loss of offsets; here it is the squared error": _of_error(
            lambda error: torch.where(error.abs() < 1, error.square() / 2, error.abs() - 0.5).mean()
        ),
        "your errors are those of the IoU, half as large: what is predicted is 2 · IoU − 1, and it is "
        "compared as it is": _of_error(lambda error: (error / 2).square().mean()),
        "there is a factor of a half in your loss": _of_error(
            lambda error: error.square().mean() / 2
        ),
        "that is the square of the mean error: square each, then average": _of_error(
            lambda error: error.mean().square()
        ),
        "each pair has its own target; yours are all compared with the first": (
            lambda right, p, b, t: right(p, b, t[:1].expand_as(t))
        ),
        "boxes are x, y, w, h, for `overlaps` too; you give it two corners": (
            lambda right, p, b, t: right(p, _corners(b), _corners(t))
        ),
        "the prediction is already 2 · IoU − 1: use it as it is": [
            lambda right, p, b, t: right(2 * p - 1, b, t),
            lambda right, p, b, t: right((p + 1) / 2, b, t),
            lambda right, p, b, t: right(p.clamp(-1, 1), b, t),
            lambda right, p, b, t: right(p.tanh(), b, t),
        ],
    },
    others={
        "the loss has lost its gradient": lambda right, p, b, t: right(p.detach(), b, t),
        "the loss is": lambda right, p, b, t: right(p, b, t) + 0.3,
    },
)
def examine_loss(answer, rng) -> None:
    """The loss for several pairs; some predictions lie outside −1…1."""
    for pairs, count in ((3, 5), (1, 4)):
        truth = np.c_[rng.uniform(20, 90, (pairs, 2)), rng.uniform(30, 80, (pairs, 2))]
        boxes = truth[:, None] + rng.normal(size=(pairs, count, 4)) * 9
        boxes[0, 0, 0] += 300  # beside the target
        boxes[..., 2:] = np.maximum(boxes[..., 2:], 5)
        predicted = torch.from_numpy(rng.uniform(-1.6, 1.6, (pairs, count))).float()
        inputs = (torch.from_numpy(a).float() for a in (boxes, truth))
        answer.compare((predicted.requires_grad_(), *inputs), "the loss", as_loss, tolerance=1e-5)
