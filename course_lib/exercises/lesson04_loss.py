"""Check of lesson 04: the loss."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_loss
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import losses


def _counted(count):
    """A mistake: weights from other numbers of cells, count(positive, negative) → (N₊, N₋)."""

    def loss(right, v, y):
        positive = (y > 0).float()
        n = count(positive, 1 - positive)
        weights = 0.5 * (positive / n[0] + (1 - positive) / n[1])
        return (weights * F.softplus(-y * v)).sum((-2, -1)).mean()

    return loss


def _of_cells(loss):
    """A mistake: another loss of the cells, with the right weights."""
    return lambda right, v, y: (losses.balanced_weights(y) * loss(v, y)).sum((-2, -1)).mean()


def _asked(function, v: Tensor, y: Tensor) -> Tensor:
    """The loss; raises Wrong if it is NaN, by other labels or by counts of some cells only."""
    loss = function(v, y)
    if isinstance(loss, Tensor) and bool(loss.isnan().any()):
        raise Wrong(
            "your loss is NaN: 0 is divided by 0, or a logarithm gets a number below 0. A negative "
            "cell has the label −1, not 0; and N₊ and N₋ are counted over a whole map, both of the "
            "last two axes, since a row, a column, or one place in all maps often has no positive "
            "cell"
        )
    return loss


@check(
    "siamfc.loss",
    reference=losses.balanced_logistic_loss,
    mistakes={
        "your loss is not balanced: in the first pair {positives} positives face {negatives} "
        "negatives. Give each class a weight of 0.5": [
            lambda right, v, y: F.softplus(-y * v).mean(),
            lambda right, v, y: F.softplus(-y * v).sum((-2, -1)).mean(),
        ],
        "you divide both classes by the number of all cells; N₊ and N₋ are those of each class": (
            _counted(lambda p, n: (p[0].numel(), p[0].numel()))
        ),
        "your weights do not follow the labels: count N₊ and N₋ in each map": [
            _counted(lambda p, n: (13, 212)),
            _counted(lambda p, n: (13, 276)),
            _counted(lambda p, n: (13, p[0].numel() - 13)),
        ],
        "N₊ and N₋ are counted over the whole batch in yours; each map has its own": [
            _counted(lambda p, n: (p.sum(), n.sum())),
            _counted(lambda p, n: (p.sum() / len(p), n.sum() / len(p))),
            _counted(lambda p, n: (p[0].sum(), n[0].sum())),
            lambda right, v, y: (
                (losses.balanced_weights(y[:1]) * F.softplus(-y * v)).sum((-2, -1)).mean()
            ),
        ],
        "your weights are exchanged: a positive cell weighs 0.5 / N₊": _counted(
            lambda p, n: (n.sum((-2, -1), keepdim=True), p.sum((-2, -1), keepdim=True))
        ),
        "sum the weighted cells of a map, whose weights add up to 1; you take their mean": (
            lambda right, v, y: right(v, y) / v[0].numel()
        ),
        "your loss sums over the batch; take the mean": lambda right, v, y: len(v) * right(v, y),
        "your weights sum to 2 in each map: 0.5 for the positives, 0.5 for the negatives": (
            lambda right, v, y: 2 * right(v, y)
        ),
        "your weights sum to 0.5 in each map: 0.5 for the positives, 0.5 for the negatives": (
            lambda right, v, y: right(v, y) / 2
        ),
        "your loss is that of one map; take the mean of all in the batch": [
            lambda right, v, y: right(v[:1], y[:1]),
            lambda right, v, y: right(v[-1:], y[-1:]),
            lambda right, v, y: max(right(a[None], b[None]) for a, b in zip(v, y, strict=True)),
            lambda right, v, y: torch.stack(
                [right(a[None], b[None]) for a, b in zip(v, y, strict=True)]
            ).median(),
        ],
        "the factor 0.001 belongs to the network, not to its loss": (
            lambda right, v, y: right(1e-3 * v, y)
        ),
        "N₋ is the number of negatives, not of all cells": _counted(
            lambda p, n: (p.sum((-2, -1), keepdim=True), p[0].numel())
        ),
        "in your exponent a negative cell has the label 0, and costs log 2 whatever v is; its "
        "label y is −1": _of_cells(lambda v, y: F.softplus(-(y > 0).float() * v)),
        "your loss rewards the wrong sign: log(1 + exp(−y·v)), with the minus": (
            lambda right, v, y: right(-v, y)
        ),
        "your loss counts one class only; each contributes half": [
            _of_cells(lambda v, y: F.softplus(-y * v) * (y > 0)),
            _of_cells(lambda v, y: F.softplus(-y * v) * (y < 0)),
            _of_cells(lambda v, y: 2 * F.softplus(-y * v) * (y > 0)),
            _of_cells(lambda v, y: 2 * F.softplus(-y * v) * (y < 0)),
        ],
        "both classes get 0.5 in all; one of yours gets twice as much": [
            _of_cells(lambda v, y: (1 + (y > 0).float()) * F.softplus(-y * v)),
            _of_cells(lambda v, y: (1 + (y < 0).float()) * F.softplus(-y * v)),
        ],
        "your loss is negative: the logarithm of a probability is, so put a minus before it": (
            lambda right, v, y: -right(v, y)
        ),
        "every pair has its own labels; you use those of the first for all": (
            lambda right, v, y: right(v, y[:1].expand_as(y))
        ),
        "y is missing in your exponent: where y is −1, a high v must cost": [
            _of_cells(lambda v, y: F.softplus(-v)),
            _of_cells(lambda v, y: F.softplus(v)),
        ],
        "binary cross-entropy takes labels 0 and 1; yours gets −1 and +1": _of_cells(
            lambda v, y: F.binary_cross_entropy_with_logits(v, y, reduction="none")
        ),
        "the loss of your cells is not log(1 + exp(−y·v)), with the natural logarithm": [
            _of_cells(lambda v, y: F.relu(1 - y * v)),
            _of_cells(lambda v, y: (v - y) ** 2),
            _of_cells(lambda v, y: F.softplus(-y * v) / np.log(2)),
            _of_cells(lambda v, y: torch.exp(-y * v)),
            _of_cells(lambda v, y: torch.sigmoid(-y * v)),
        ],
    },
    others={
        "has the label −1, not 0": [
            _counted(lambda p, n: (p.sum((-2, -1), keepdim=True), 0)),  # cells of label 0
            _of_cells(lambda v, y: torch.log(1 - torch.exp(-y * v))),
        ],
        "has no positive cell": [
            _counted(lambda p, n: (p.sum(-1, keepdim=True), n.sum(-1, keepdim=True))),
            _counted(lambda p, n: (p.sum(-2, keepdim=True), n.sum(-2, keepdim=True))),
            _counted(lambda p, n: (p.sum(0), n.sum(0))),
        ],
        "exp overflows": [
            lambda right, v, y: right(v, y) + 0 * torch.exp(-y * v).sum(),
            _of_cells(lambda v, y: torch.log(1 + torch.exp(-y * v))),
            _of_cells(lambda v, y: -torch.log(torch.sigmoid(y * v))),
        ],
        "for a very wrong response": lambda right, v, y: right(v.clamp(-20, 20), y),
        "the loss is right, but its gradient": lambda right, v, y: right(
            torch.where(y > 0, v, v.detach()), y
        ),
        "has lost its gradient": lambda right, v, y: right(v.detach().requires_grad_(), y),
        "lost its gradient": lambda right, v, y: right(v, y).detach(),
    },
)
def examine_loss(answer, rng) -> None:
    """Balanced logistic loss."""
    v = torch.from_numpy(rng.normal(-1, 2, (3, 11, 11))).float().requires_grad_()
    # three maps with 21, 9 and 45 positives of 121
    y = torch.stack([losses.label_map(11, 8, radius) for radius in (21.0, 12.0, 30.0)])
    counts = {"positives": int((y[0] > 0).sum()), "negatives": int((y[0] < 0).sum())}
    answer.compare((v, y), "the loss", as_loss, call=_asked, tolerance=1e-5, **counts)
    usual = losses.label_map(15, 8, 16.0).expand(2, 15, 15)
    more = torch.from_numpy(rng.normal(0, 3, (2, 15, 15))).float().requires_grad_()
    answer.compare((more, usual), "the loss", as_loss, tolerance=1e-5, positives=13, negatives=212)
    answer.compare((v[:1], y[:1]), "the loss of a batch of one", as_loss, tolerance=1e-5, **counts)
    _check_wild(answer, usual)


def _check_wild(answer, y: Tensor) -> None:
    """A response that is very wrong, which exp cannot take."""
    loss = torch.as_tensor(answer(-200.0 * y, y))
    if not bool(torch.isfinite(loss).all()):
        raise Wrong(
            "for a very wrong response, v = −200·y, your loss is infinite: exp overflows, or a "
            "sigmoid is rounded to 0. F.softplus(t) is log(1 + exp(t)), computed safely"
        )
    if abs(float(loss) - 200) > 0.1:
        raise Wrong(
            f"for a very wrong response, v = −200·y, your loss is {float(loss):.4g}, expected 200: "
            "is something clipped?"
        )
