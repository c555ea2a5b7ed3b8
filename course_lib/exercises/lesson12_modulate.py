"""Check of lesson 12: what the head is told of each box."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises.core import check
from course_lib.models.prpool import prpool


def described(features: Tensor, vector: Tensor, boxes: Tensor, bins: int) -> Tensor:
    """What the head is told of P boxes: (P, C · bins · bins) modulated features in their bins.

    Args:
        features: (C, H, W).
        vector: (C,) the target's factors.
        boxes: (P, 4) in cells.
        bins: per side.
    """
    return prpool((features * vector[:, None, None])[None], boxes[None], bins)[0].flatten(1)


def _modulated(change):
    """A mistake: another factor on the features, change(features, vector)."""

    def code(right, features, vector, boxes, bins):
        return right(change(features, vector), torch.ones_like(vector), boxes, bins)

    return code


def _vectored(change):
    """A mistake: another vector, change(vector)."""
    return lambda right, features, vector, *given: right(features, change(vector), *given)


def _ordered(order):
    """A mistake: the numbers of each box in another order of (channel, row, column)."""

    def code(right, features, vector, boxes, bins):
        told = right(features, vector, boxes, bins)
        parts = told.reshape(len(boxes), len(features), bins, bins)
        return parts.permute(0, *order).flatten(1)

    return code


def _box_by_box(right, features, vector, boxes, bins):
    """A mistake: multiplied in the loop, once more for each box."""
    told = []
    for box in boxes:
        features = features * vector[:, None, None]
        told.append(right(features, torch.ones_like(vector), box[None], bins))
    return torch.cat(told)


@check(
    "overlap.modulate",
    reference=described,
    mistakes={
        "the vector is missing: these are the features as they are": _vectored(torch.ones_like),
        "the vector is a factor; you add it": _modulated(
            lambda features, vector: features + vector[:, None, None]
        ),
        "the vector has a number for each *channel*; yours go along the columns, or along the rows: "
        "with as many cells as channels PyTorch does not complain": [
            _modulated(lambda features, vector: features * vector),
            _modulated(lambda features, vector: features * vector[:, None]),
        ],
        "the features of the second box are multiplied twice, those of the third three times: keep "
        "the product apart from the features given": _box_by_box,
        "you multiply twice: before pooling or after it, not both": _vectored(torch.square),
        "the vector is used as it is; you make it sum to 1, or bring it into 0…1, to length 1 or to "
        "a mean of 1": [
            _vectored(torch.sigmoid),
            _vectored(lambda v: v.softmax(0)),
            _vectored(lambda v: v / v.sum()),
            _vectored(lambda v: v / v.norm()),
            _vectored(lambda v: v / v.max()),
            _vectored(lambda v: v / v.mean()),
        ],
        "the vector says how much of each channel counts, not only whether it does": _vectored(
            lambda v: (v > 0).to(v)
        ),
        "you add 1 to the vector: a channel with the factor 0 should be silent": _vectored(
            lambda v: 1 + v
        ),
        "one number for all channels is no modulation": [
            _vectored(lambda v: v.mean().expand_as(v)),
            _vectored(lambda v: v.sum().expand_as(v)),
        ],
        "every box has its own bins; yours are those of the first box for all": (
            lambda right, features, vector, boxes, bins: right(
                features, vector, boxes[:1].expand_as(boxes), bins
            )
        ),
        "your numbers are right, their order is not: channels, then rows, then columns, as "
        "`flatten` gives them": [
            _ordered((2, 3, 1)),
            _ordered((1, 3, 2)),
            lambda right, features, vector, boxes, bins: right(
                features, vector, boxes, bins
            ).T.reshape(len(boxes), -1),
        ],
        "your result has shape {shape}; one row for each box, with all channels and bins in it": [
            lambda right, features, vector, boxes, bins: right(
                features, vector, boxes, bins
            ).reshape(len(boxes), len(features), bins, bins),
            lambda right, features, vector, boxes, bins: right(
                features, vector, boxes, bins
            ).flatten(),
            lambda right, features, vector, boxes, bins: right(features, vector, boxes, 1),
        ],
    },
    others={
        "does not reach `vector`": lambda right, features, vector, *given: right(
            features, vector.detach(), *given
        ),
        "does not reach `boxes`": lambda right, features, vector, boxes, bins: right(
            features, vector, boxes.detach(), bins
        ),
        "the number at": lambda right, *given: right(*given).relu(),
    },
)
def examine_modulate(answer, rng) -> None:
    """Modulated features of several boxes, in a map with as many cells per side as channels."""
    features = torch.from_numpy(rng.normal(0.2, 1, (6, 6, 6))).float()
    vector = torch.from_numpy(rng.uniform(0.3, 2.5, 6)).float()
    vector[rng.integers(6)] = 0
    for count, bins in ((4, 3), (3, 2)):
        boxes = torch.from_numpy(
            rng.uniform((-0.8, 0.1, 2.2, 1.6), (1.9, 2.4, 5.1, 4.3), (count, 4))
        ).float()
        inputs = (t.clone().requires_grad_() for t in (features, vector, boxes))
        answer.compare(
            (*inputs, bins),
            "the result",
            (count, 6 * bins * bins),
            tolerance=1e-4,
            named="the number",
        )
