"""Checks of lesson 07: the loss, and up-channel correlation."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_loss, as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import correlation, proposals


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


def _side(logits: Tensor, labels: Tensor, label: int) -> Tensor:
    """Mean cross-entropy of the anchors with one label."""
    return F.cross_entropy(logits[labels == label], labels[labels == label])


def _classes(part: Any) -> Any:
    """A mistake in the classification: (right, logits, offsets, labels, targets) → its part."""
    return lambda right, logits, o, y, t, w: (
        part(right, logits, o, y, t) + right(logits, o, y, t, w) - right(logits, o, y, t, 0)
    )


def _boxes(part: Any) -> Any:
    """A mistake in the box loss: (cost per anchor and offset, labels) → its part."""
    return lambda right, logits, o, y, t, w: (
        right(logits, o, y, t, 0) + w * part(F.smooth_l1_loss(o, t, reduction="none"), y)
    )


def _costs(cost: Any, factor: float = 1.0) -> Any:
    """A mistake in the box loss: another cost of an offset."""
    return lambda right, logits, o, y, t, w: (
        right(logits, o, y, t, 0)
        + w
        * factor
        * cost(o, t, reduction="none").sum(-1)[y == 1].sum()
        / (y == 1).sum().clamp_min(1)
    )


@check(
    "anchors.loss",
    reference=loss_of,
    mistakes={
        "no gradient of your loss reaches the offsets; without .detach() and .data it does": (
            lambda right, logits, o, *rest: right(logits, o.detach(), *rest)
        ),
        "no gradient of your loss reaches the logits; without .detach() and .data it does": (
            lambda right, logits, o, *rest: right(logits.detach(), o, *rest)
        ),
        "the anchors labelled −1 count in your loss: leave them out": (
            lambda right, logits, o, y, t, w: right(logits, o, y.clamp_min(0), t, w)
        ),
        "13 negatives outweigh 5 positives in your cross-entropy: average each side separately, "
        "with half the weight each": _classes(
            lambda right, logits, o, y, t: F.cross_entropy(logits[y >= 0], y[y >= 0])
        ),
        "your cross-entropy is a sum over the positives and over the negatives; the bars in the "
        "formula are means": [
            _classes(
                lambda right, logits, o, y, t: (
                    F.cross_entropy(logits[y >= 0], y[y >= 0], reduction="sum") / 2
                )
            ),
            _classes(
                lambda right, logits, o, y, t: F.cross_entropy(
                    logits[y >= 0], y[y >= 0], reduction="sum"
                )
            ),
        ],
        "your two logits are swapped: the second is that of the target, label 1": _classes(
            lambda right, logits, o, y, t: right(logits.flip(-1), o, y, t, 0)
        ),
        "cross_entropy takes the softmax itself; yours takes it twice": (
            lambda right, logits, *given: right(logits.softmax(-1), *given)
        ),
        "your box loss counts every anchor; only positives have a box to find": [
            _boxes(lambda cost, y: cost.sum(-1).mean()),
            _boxes(lambda cost, y: cost.mean()),
            _boxes(lambda cost, y: cost.sum()),
        ],
        "your box loss is that of the negatives; the positives, label 1, have a box to find": _boxes(
            lambda cost, y: cost[y == 0].sum(-1).mean()
        ),
        "the cross-entropy of one side is missing: positives and negatives count half each": [
            _classes(lambda right, logits, o, y, t: _side(logits, y, 0) / 2),
            _classes(lambda right, logits, o, y, t: _side(logits, y, 1) / 2),
            _classes(lambda right, logits, o, y, t: _side(logits, y, 0)),
            _classes(lambda right, logits, o, y, t: _side(logits, y, 1)),
        ],
        "your means are divided by the number of all anchors; each is divided by the number that it "
        "is taken over": lambda right, logits, o, y, t, w: (
            (
                (_side(logits, y, 0) * (y == 0).sum() + _side(logits, y, 1) * (y == 1).sum()) / 2
                + w * F.smooth_l1_loss(o, t, reduction="none")[y == 1].sum()
            )
            / y.numel()
        ),
        "your terms are sums; the bars in the formula are means": lambda right, logits, o, y, t, w: (
            (_side(logits, y, 0) * (y == 0).sum() + _side(logits, y, 1) * (y == 1).sum()) / 2
            + w * F.smooth_l1_loss(o, t, reduction="none")[y == 1].sum()
        ),
        "the box loss is missing": lambda right, logits, o, y, t, w: right(logits, o, y, t, 0),
        "your smooth L1 turns from a square into a line elsewhere than at |d| = 1": [
            _costs(partial(F.smooth_l1_loss, beta=0.2)),
            _costs(partial(F.smooth_l1_loss, beta=0.5)),
            _costs(partial(F.huber_loss, delta=0.5)),
        ],
        "the offsets of negatives count in your box loss; only positives have a box to find": (
            _boxes(lambda cost, y: cost.sum(-1)[y >= 0].mean())
        ),
        "your box loss is divided by all anchors, or by those of both kinds; it is a mean over the "
        "positives": [
            _boxes(lambda cost, y: cost[y == 1].sum() / y.numel()),
            _boxes(lambda cost, y: cost[y == 1].sum() / (y >= 0).sum()),
        ],
        "your box loss is a sum over the positives; it is their mean": (
            _boxes(lambda cost, y: cost[y == 1].sum())
        ),
        "your box loss is |d| everywhere; smooth L1 is d²/2 below 1": _costs(F.l1_loss),
        "your box loss is a square everywhere; smooth L1 is |d| − ½ beyond 1": [
            _costs(F.mse_loss),
            _costs(F.mse_loss, 0.5),
        ],
        "sum your box loss over the four offsets, average over the positives": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, w / 4)
        ),
        "the weight of the box loss is missing": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, 1.0)
        ),
        "λ weights your classification; it belongs to the box loss": (
            lambda right, logits, o, y, t, w: w * right(logits, o, y, t, 1 / w)
        ),
        "each side of the cross-entropy counts half": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, w) + right(logits, o, y, t, 0)
        ),
    },
    others={
        "the loss of a pair without positives": lambda right, logits, o, y, t, w: (
            right(logits, o, y, t, w) + 0 * o[y == 1].mean()
        ),
        "lost its gradient": lambda right, *given: right(*given).detach(),
    },
)
def examine_loss(answer, rng) -> None:
    """Cross-entropy and smooth L1 together: their value, and their gradients."""
    make = lambda *shape: torch.from_numpy(rng.normal(0, 1.5, shape)).float()  # noqa: E731
    labels = torch.full((1, 43), -1)
    labels[0, :5], labels[0, 10:23] = 1, 0
    logits, offsets, targets = make(1, 43, 2), make(1, 43, 4), make(1, 43, 4)
    given = logits.requires_grad_(), offsets.requires_grad_(), labels, targets, 1.7
    answer.compare(given, "the loss", as_loss, tolerance=1e-4)
    empty = logits, offsets, labels.clamp_max(0), targets, 1.7
    answer.compare(empty, "the loss of a pair without positives", _finite_loss, tolerance=1e-4)


def _finite_loss(value: Any) -> float:
    """The loss of a pair without positives."""
    if isinstance(value, Tensor) and not torch.isfinite(value).all():
        raise Wrong(
            "the loss of a pair without positives is not finite: the mean of no values is NaN; "
            "where there are none the term is 0"
        )
    return as_loss(value)


@check(
    "anchors.upchannel",
    reference=correlation.cross_correlate_channels,
    mistakes={
        "your maps have shape {shape}: the count is right; reshape them to (B, n, H', W')": (
            lambda right, k, x: right(k, x).flatten(0, 1)[None]
        ),
        "your maps are as large as the search features; without padding they have H − h + 1 rows": (
            lambda right, k, x: right(k, F.pad(x, (0, k.shape[4] - 1, 0, k.shape[3] - 1)))
        ),
        "every exemplar's kernels slid over every search image: with groups=B each meets only "
        "its own": lambda right, k, x: F.conv2d(x, k.flatten(0, 1)),
        "the first exemplar's kernels slid over every search image; each has its own": (
            lambda right, k, x: right(k[:1].expand_as(k), x)
        ),
        "every exemplar's kernels slid over the first search image; each has its own": (
            lambda right, k, x: right(k, x[:1].expand_as(x))
        ),
        "your kernels are flipped: F.conv2d already correlates": [
            lambda right, k, x: right(k.flip(3, 4), x),
            lambda right, k, x: right(k.flip(3), x),
            lambda right, k, x: right(k.flip(4), x),
        ],
        "your search features are folded in the wrong order: the C channels of a pair stay side by "
        "side": lambda right, k, x: right(k, x.transpose(0, 1).reshape(x.shape)),
        "your kernels are sorted by map, not by pair: flatten (B, n) in that order, so that a "
        "group holds one pair's": lambda right, k, x: right(k.transpose(0, 1).reshape(k.shape), x),
        "the maps come out pair by pair: reshape them to (B, n, …), not to (n, B, …)": (
            lambda right, k, x: (
                right(k, x).reshape(k.shape[1], k.shape[0], *right(k, x).shape[2:]).transpose(0, 1)
            )
        ),
        "your maps are means over the kernel's values; a correlation is their sum": [
            lambda right, k, x: right(k, x) / k[0, 0].numel(),
            lambda right, k, x: right(k, x) / k.shape[2],
        ],
        "no gradient reaches the kernels through your maps; without .detach(), .data and no_grad "
        "it does": lambda right, k, x: right(k.detach(), x),
        "no gradient reaches the search features through your maps; without .detach(), .data and "
        "no_grad it does": lambda right, k, x: right(k, x.detach()),
    },
    others={
        "F.conv2d refuses your shapes": lambda right, k, x: F.conv2d(
            x.reshape(1, -1, *x.shape[2:]), k.flatten(0, 1)
        ),
        "lost its gradient": lambda right, k, x: right(k, x).detach(),
        "should be a tensor": lambda right, k, x: right(k, x).detach().numpy(),
    },
)
def examine_upchannel(answer, rng) -> None:
    """Up-channel cross-correlation of batches of several sizes: the maps, and their slopes."""
    make = lambda *shape: torch.from_numpy(rng.normal(size=shape)).float()  # noqa: E731
    for (B, n, C), (h, w), (H, W) in (((3, 2, 4), (3, 2), (8, 7)), ((2, 5, 3), (4, 4), (9, 11))):
        given = make(B, n, C, h, w).requires_grad_(), make(B, C, H, W).requires_grad_()
        shape = B, n, H - h + 1, W - w + 1
        read = lambda r, s=shape: as_tensor(r, s, "your result")  # noqa: E731
        try:
            answer.compare(given, "your result", read, tolerance=1e-4)
        except RuntimeError as problem:
            if "groups" not in str(problem):
                raise
            raise Wrong(
                f"F.conv2d refuses your shapes ({problem}). An image of B · C channels needs kernels "
                "of shape (B · n, C, h, w) and groups=B"
            ) from None
