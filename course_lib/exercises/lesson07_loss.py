"""Check of lesson 07: the loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import apart, as_loss
from course_lib.exercises.core import check
from course_lib.exercises.proposal_loss import (
    VARIANCES,
    boxes_changed,
    classes_changed,
    costs_changed,
    divided,
    limited,
    loss_of,
    side,
)
from course_lib.exercises.words import Wrong

EMPTY = "the loss of a pair without positives"


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
        "with half the weight each": [
            classes_changed(
                lambda right, logits, o, y, t: F.cross_entropy(logits[y >= 0], y[y >= 0])
            ),
            classes_changed(
                lambda right, logits, o, y, t: F.cross_entropy(logits[y >= 0], y[y >= 0]) / 2
            ),
        ],
        "anchors labelled −1 count as positives in your loss: positive means label 1": (
            lambda right, logits, o, y, t, w: right(logits, o, y.abs(), t, w)
        ),
        "your cross-entropy takes one logit by itself; the probability comes from both: softmax": (
            classes_changed(
                lambda right, logits, o, y, t: sum(
                    F.binary_cross_entropy_with_logits(
                        logits[..., 1][y == label], y[y == label].float()
                    )
                    / 2
                    for label in (0, 1)
                )
            )
        ),
        "your cross-entropy is capped; a network that is certain and wrong should pay more": [
            classes_changed(partial(limited, most=most)) for most in (3.0, 5.0)
        ],
        "you divide by more than the number of anchors; only where that is 0 divide by 1": [
            lambda *given: divided(*given, more=1.0),
            lambda *given: divided(*given, more=1e-3),
        ],
        "your sums are divided by 16 and by 48; the bars are means over the anchors that this pair "
        "has": classes_changed(
            lambda right, logits, o, y, t: (
                side(logits, y, 1) * (y == 1).sum() / 32 + side(logits, y, 0) * (y == 0).sum() / 96
            )
        ),
        "your cross-entropy is a sum over the positives and over the negatives; the bars in the "
        "formula are means": [
            classes_changed(
                lambda right, logits, o, y, t: (
                    F.cross_entropy(logits[y >= 0], y[y >= 0], reduction="sum") / 2
                )
            ),
            classes_changed(
                lambda right, logits, o, y, t: F.cross_entropy(
                    logits[y >= 0], y[y >= 0], reduction="sum"
                )
            ),
        ],
        "F.nll_loss takes logarithms of probabilities, and yours gets logits or probabilities: use "
        "F.cross_entropy on the logits, or log_softmax first": [
            classes_changed(
                lambda right, logits, o, y, t, ready=ready: sum(
                    F.nll_loss(ready(logits[y == label]), y[y == label]) / 2 for label in (0, 1)
                )
            )
            for ready in (lambda z: z, lambda z: z.softmax(-1))
        ],
        "you divide the cross-entropies by the number of positives, as SSD does; here each is a "
        "mean over its own anchors": [
            classes_changed(
                lambda right, logits, o, y, t, half=half: (
                    F.cross_entropy(logits[y >= 0], y[y >= 0], reduction="sum")
                    * half
                    / (y == 1).sum()
                )
            )
            for half in (0.5, 1.0)
        ],
        "your two logits are swapped: the second is that of the target, label 1": classes_changed(
            lambda right, logits, o, y, t: right(logits.flip(-1), o, y, t, 0)
        ),
        "cross_entropy takes the softmax itself; yours takes it twice": (
            lambda right, logits, *given: right(logits.softmax(-1), *given)
        ),
        "your box loss counts every anchor; only positives have a box to find": [
            boxes_changed(lambda cost, y: cost.sum(-1).mean()),
            boxes_changed(lambda cost, y: cost.mean()),
            boxes_changed(lambda cost, y: cost.sum()),
        ],
        "your box loss is that of the negatives; the positives, label 1, have a box to "
        "find": boxes_changed(lambda cost, y: cost[y == 0].sum(-1).mean()),
        "the cross-entropy of one side is missing: positives and negatives count half each": [
            classes_changed(lambda right, logits, o, y, t: side(logits, y, 0) / 2),
            classes_changed(lambda right, logits, o, y, t: side(logits, y, 1) / 2),
            classes_changed(lambda right, logits, o, y, t: side(logits, y, 0)),
            classes_changed(lambda right, logits, o, y, t: side(logits, y, 1)),
        ],
        "your means are divided by the number of all anchors; each is divided by the number that "
        "it is taken over": lambda right, logits, o, y, t, w: (
            (
                (side(logits, y, 0) * (y == 0).sum() + side(logits, y, 1) * (y == 1).sum()) / 2
                + w * F.smooth_l1_loss(o, t, reduction="none")[y == 1].sum()
            )
            / y.numel()
        ),
        "your terms are sums; the bars in the formula are "
        "means": lambda right, logits, o, y, t, w: (
            (side(logits, y, 0) * (y == 0).sum() + side(logits, y, 1) * (y == 1).sum()) / 2
            + w * F.smooth_l1_loss(o, t, reduction="none")[y == 1].sum()
        ),
        "the box loss is missing": lambda right, logits, o, y, t, w: right(logits, o, y, t, 0),
        "your smooth L1 turns from a square into a line elsewhere than at |d| = 1": [
            costs_changed(partial(F.smooth_l1_loss, beta=0.2)),
            costs_changed(partial(F.smooth_l1_loss, beta=0.5)),
            costs_changed(partial(F.huber_loss, delta=0.5)),
            costs_changed(partial(F.huber_loss, delta=2.0)),
            costs_changed(partial(F.smooth_l1_loss, beta=2.0)),
            costs_changed(partial(F.smooth_l1_loss, beta=1 / 9)),
        ],
        "beyond 1 smooth L1 is |d| − ½, below it d²/2: at 1 both are ½": [
            costs_changed(
                lambda o, t, **_: torch.where((o - t).abs() < 1, (o - t) ** 2 / 2, (o - t).abs())
            ),
            costs_changed(
                lambda o, t, **_: torch.where((o - t).abs() < 1, (o - t) ** 2, (o - t).abs() - 0.5)
            ),
            costs_changed(
                lambda o, t, **_: torch.where((o - t).abs() < 1, (o - t) ** 2, (o - t).abs())
            ),
        ],
        "your smooth L1 forgets the magnitude: a difference below −1 is on the line as "
        "well": costs_changed(
            lambda o, t, **_: torch.where(o - t < 1, (o - t) ** 2 / 2, o - t - 0.5)
        ),
        "you smooth the sum over the four differences; smooth each, then take the "
        "sum": costs_changed(
            lambda o, t, **_: F.smooth_l1_loss(
                (total := (o - t).abs().sum(-1, keepdim=True)), 0 * total, reduction="none"
            )
        ),
        "your box loss leaves some of the four offsets out": [
            boxes_changed(lambda cost, y: cost[y == 1][:, :2].sum(-1).mean()),
            boxes_changed(lambda cost, y: cost[y == 1][:, 2:].sum(-1).mean()),
            boxes_changed(lambda cost, y: cost[y == 1].max(-1).values.mean()),
        ],
        "SSD divides offsets by variances, 0.1 and 0.2; here they stay as they are": costs_changed(
            lambda o, t, **_: F.smooth_l1_loss(o / VARIANCES, t / VARIANCES, reduction="none")
        ),
        "the offsets of negatives count in your box loss; only positives have a box to find": (
            boxes_changed(lambda cost, y: cost.sum(-1)[y >= 0].mean())
        ),
        "your box loss is divided by all anchors, or by those of both kinds; it is a mean over the "
        "positives": [
            boxes_changed(lambda cost, y: cost[y == 1].sum() / y.numel()),
            boxes_changed(lambda cost, y: cost[y == 1].sum() / (y >= 0).sum()),
        ],
        "your box loss is a sum over the positives; it is their mean": (
            boxes_changed(lambda cost, y: cost[y == 1].sum())
        ),
        "your box loss is |d| everywhere; smooth L1 is d²/2 below 1": costs_changed(F.l1_loss),
        "your box loss is a square everywhere; smooth L1 is |d| − ½ beyond 1": [
            costs_changed(F.mse_loss),
            costs_changed(F.mse_loss, 0.5),
        ],
        "sum your box loss over the four offsets, average over the positives": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, w / 4)
        ),
        "the weight of the box loss is missing": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, 1.0)
        ),
        "the box loss is weighted by 1.2, whatever `weight` is": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t)
        ),
        "the halves belong to the two cross-entropies; your box loss is halved as well": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, w / 2)
        ),
        "λ weights the whole loss; it belongs to the box loss": (
            lambda right, logits, o, y, t, w: w * right(logits, o, y, t, 1.0)
        ),
        "λ weights the box loss only; do not weight the classification with 1 − λ": (
            lambda right, logits, o, y, t, w: (
                right(logits, o, y, t, w) - w * right(logits, o, y, t, 0)
            )
        ),
        "λ weights your classification; it belongs to the box loss": (
            lambda right, logits, o, y, t, w: w * right(logits, o, y, t, 1 / w)
        ),
        "each side of the cross-entropy should count half; yours counts whole": (
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
    logits[0, 2], logits[0, 12] = torch.tensor([6.0, -3.0]), torch.tensor([-4.0, 5.0])  # wrong
    given = logits.requires_grad_(), offsets.requires_grad_(), labels, targets, 1.7
    # two pairs at once: a single number agrees with some mistake by chance
    pairs = lambda f, z, o, y, t, w: (  # noqa: E731
        f(z, o, y.clone(), t, w),
        f(z, o, y.roll(3), t.flip(1), w / 3),
    )
    read = lambda losses: tuple(as_loss(loss) for loss in losses)  # noqa: E731
    answer.compare(given, ("the loss", "the loss"), read, call=pairs, tolerance=1e-4)
    # with the value once more, so that a mistake that would show in it is not named
    answer.compare(
        given,
        ("the loss", EMPTY),
        lambda losses: (as_loss(losses[0]), _finite_loss(losses[1])),
        call=lambda f, z, o, y, t, w: (f(z, o, y, t, w), f(z, o, y.clamp_max(0), t, w)),
        tolerance=1e-4,
        otherwise=lambda g, r: "{} is {}, expected {}: half of the negatives' mean".format(
            EMPTY, *apart(g[1], r[1])
        ),
    )


def _finite_loss(value: Any) -> float:
    """The loss of a pair without positives."""
    if isinstance(value, Tensor) and not torch.isfinite(value).all():
        raise Wrong(
            f"{EMPTY} is not finite: the mean of no values is NaN; where there are none the term "
            "is 0"
        )
    return as_loss(value, EMPTY)
