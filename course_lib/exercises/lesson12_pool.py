"""Check of lesson 12: PrPool of one box."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import roi_align

from course_lib.exercises.core import check
from course_lib.models.prpool import hat_weights, prpool


def pooled(features: Tensor, box: Tensor, bins: int) -> Tensor:
    """Means (C, bins, bins) of features over the bins of one box.

    Args:
        features: (C, H, W).
        box: (4,) x, y, w, h in cells, the centre of cell (0, 0) at x = y = 0.
        bins: per side.
    """
    return prpool(features[None], box[None, None], bins)[0, 0]


def _boxed(change):
    """A mistake: another box, change(box (4,)) → (4,)."""
    return lambda right, features, box, bins: right(features, change(box), bins)


def _one_dimensional(right, features, box, bins):
    """A mistake: both axes have the weights of x."""
    W = features.shape[2]
    across = hat_weights(box[0], box[2], bins, W)  # (bins, W)
    return across[:, : features.shape[1]] @ features @ across.T


@check(
    "overlap.pool",
    reference=pooled,
    mistakes={
        "rows are y and columns are x: your bins are transposed": (
            lambda right, features, box, bins: right(features, box, bins).transpose(1, 2)
        ),
        "x and w belong to the columns, y and h to the rows; yours are swapped": _boxed(
            lambda box: box[[1, 0, 3, 2]]
        ),
        "both of your matrices are made of x and w; that of the rows needs y and h": [
            _one_dimensional,
            _boxed(lambda box: box[[0, 0, 2, 2]]),
        ],
        "the box is x, y, w, h; you read two corners, or two pairs (x, w), (y, h)": [
            _boxed(lambda box: torch.cat([box[:2], box[2:] - box[:2]])),
            _boxed(lambda box: box[[0, 2, 1, 3]]),
        ],
        "`hat_weights` is given a start and a *length*; you give it the end": _boxed(
            lambda box: torch.cat([box[:2], box[:2] + box[2:]])
        ),
        "half a cell off: the box is given in cells, with the centre of cell 0 at 0": [
            _boxed(lambda box: box + torch.tensor([0.5, 0.5, 0, 0])),
            _boxed(lambda box: box - torch.tensor([0.5, 0.5, 0, 0])),
        ],
        "x, y is the corner of the box, not its centre": _boxed(
            lambda box: torch.cat([box[:2] - box[2:] / 2, box[2:]])
        ),
        "your bins hold sums: those are the integrals; the weights of `hat_weights` give means": (
            lambda right, features, box, bins: right(features, box, bins) * box[2:].prod() / bins**2
        ),
        "your means are divided once more; the weights of `hat_weights` give means already": [
            lambda right, features, box, bins: right(features, box, bins) / bins**2,
            lambda right, features, box, bins: right(features, box, bins) / box[2:].prod(),
        ],
        "all your bins have the mean of the whole box": (
            lambda right, features, box, bins: (
                right(features, box, 1).expand(-1, bins, bins).clone()
            )
        ),
        "each channel is pooled by itself; yours are mixed": [
            lambda right, features, box, bins: right(
                features.mean(0, keepdim=True).expand_as(features), box, bins
            ),
            lambda right, features, box, bins: right(features[:1].expand_as(features), box, bins),
        ],
        "your weights are not the box's own: they are scaled to sum to 1 in each row": (
            lambda right, features, box, bins: (
                right(features, box, bins) / right(torch.ones_like(features), box, bins)
            )
        ),
        "you read the map at single points of each bin, as RoI-Align does; PrPool is the mean over "
        "the whole bin": [
            lambda right, features, box, bins: _aligned(features, box, bins, 1),
            lambda right, features, box, bins: _aligned(features, box, bins, 2),
        ],
        "the box is rounded to whole cells; its fractions are what the gradient is about": _boxed(
            lambda box: box.round()
        ),
        "your result has shape {shape}; expected the channels first, then the bins along y and x": [
            lambda right, *given: right(*given).movedim(0, -1),
            lambda right, *given: right(*given).sum(0),
            lambda right, *given: right(*given).flatten(1),
        ],
    },
    others={
        "does not reach `box`": lambda right, features, box, bins: right(
            features, box.detach(), bins
        ),
        "does not reach `features`": lambda right, features, box, bins: right(
            features.detach(), box, bins
        ),
        "lost its gradient": lambda right, features, box, bins: right(
            features.detach(), box.detach(), bins
        ),
        "the mean at": lambda right, *given: right(*given).relu(),
    },
)
def examine_pool(answer, rng) -> None:
    """Boxes inside a map that is not square, and across its edges."""
    features = torch.from_numpy(rng.normal(0.3, 1, (3, 7, 9))).float()
    low, high = rng.uniform(0.2, 0.8, 4), rng.uniform(-0.3, 0.3, 4)
    inside = [0.6 + low[0], 1.4 + low[1], 5.1 + low[2], 3.3 + low[3]]
    across = [3.2 + high[0], -1.6 + high[1], 7.3 + high[2], 5.4 + high[3]]
    for box, bins in ((inside, 3), (inside, 1), (across, 2)):
        inputs = features.clone().requires_grad_(), torch.tensor(box).float().requires_grad_()
        answer.compare(
            (*inputs, bins), "the result", (3, bins, bins), tolerance=1e-4, named="the mean"
        )


def _aligned(features: Tensor, box: Tensor, bins: int, points: int) -> Tensor:
    """RoI-Align's bins (C, bins, bins) with points² samples in each."""
    corners = torch.cat([box[:2], box[:2] + box[2:]]) + 0.5
    square = torch.cat([torch.zeros(1), corners])[None]
    return roi_align(features[None], square, bins, 1.0, points, True)[0]
