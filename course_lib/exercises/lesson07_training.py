"""Checks of lesson 07: matching, class balance, the loss."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.exercises.compare import as_array, as_loss, require_untouched, same
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.geometry import anchors
from course_lib.models import proposals


@check(
    "anchors.match",
    reference=anchors.match,
    mistakes={
        "0 marks background, −1 an anchor that does not count; yours are the other way "
        "round": lambda right, *given: torch.where(right(*given) == 1, 1, -1 - right(*given))
    },
    others={
        "your labels are only 0 and 1; between 0.3 and 0.6 an anchor is neither": (
            lambda right, *given: right(*given).clamp_min(0)
        ),
        "both ends included": [
            lambda right, overlap, high, low: right(overlap, high - 1e-3, low),
            lambda right, overlap, high, low: right(overlap, high, low + 1e-3),
        ],
    },
)
def examine_match(answer, rng) -> None:
    """Labels from overlaps."""
    overlap = torch.tensor(
        [[0.05, 0.29, 0.3, 0.45, 0.6, 0.61, 0.95], [0.0, 0.2, 0.31, 0.59, 0.6, 0.3, 0.1]]
    )
    for high, low in ((0.6, 0.3), (0.5, 0.25)):

        def words(given, right, high=high, low=low):
            if set(np.unique(given)) <= {0.0, 1.0}:
                return (
                    f"your labels are only 0 and 1; between {low} and {high} an anchor is neither: "
                    "−1, it does not count"
                )
            k = tuple(np.argwhere(given != right)[0])
            return (
                f"an anchor with IoU {float(overlap[k]):.2f} gets {given[k]:g}, expected "
                f"{right[k]:g}: 1 above {high}, 0 below {low}, −1 from {low} to {high}, both ends "
                "included"
            )

        answer.compare((overlap, high, low), "the labels", (2, 7), otherwise=words)


@check(
    "anchors.draw",
    reference=proposals.draw_anchors,
    others={
        "If all are kept, nothing is balanced": lambda right, labels, draws: labels,
        "few positives are not topped up": lambda right, labels, draws: torch.cat(
            [
                right(row[None], drawn[None], min(16, int((row == 1).sum())), 64)
                for row, drawn in zip(labels, draws, strict=True)
            ]
        ),
        "you keep": lambda right, labels, draws: right(labels, draws, 16, 80),
        "whatever `draws` says": lambda right, labels, draws: right(
            labels, torch.linspace(1, 0, labels.shape[1]).expand(labels.shape)
        ),
        "with the highest numbers": lambda right, labels, draws: right(labels, 1 - draws),
    },
)
def examine_draw(answer, rng) -> None:
    """16 of 64."""
    labels = torch.full((3, 300), -1)
    labels[0, :40], labels[0, 60:] = 1, 0
    labels[1, :5], labels[1, 100:130] = 1, 0
    labels[2, 50:] = 0
    draws = torch.from_numpy(rng.random((3, 300))).float()
    kept = labels.clone()
    given = as_array(answer(labels, draws.clone()), (3, 300), "the labels")
    require_untouched(kept.numpy(), labels.numpy(), "the labels")
    expected = answer.right(kept, draws).numpy()
    if ((given != kept.numpy()) & (given != -1)).any():
        raise Wrong("an anchor changed sides: a label stays as it is or becomes −1, nothing else")
    for b in range(3):
        _check_counts(b, given[b], expected[b], kept[b].numpy())
    if same(given, expected):
        return
    if same(as_array(answer(kept.clone(), draws.flip(1)), (3, 300), "the labels"), given):
        raise Wrong(
            "you always keep the same ones, whatever `draws` says: keep those with the highest "
            "numbers in `draws`"
        )
    raise Wrong(
        "the number is right, the choice is not: keep the anchors with the highest numbers in "
        "`draws`"
    )


def _counts(labels: np.ndarray) -> tuple[int, int]:
    """How many 1s and 0s."""
    return int((labels == 1).sum()), int((labels == 0).sum())


def _check_counts(b: int, given: np.ndarray, expected: np.ndarray, before: np.ndarray) -> None:
    """How many anchors of pair b are kept."""
    (ones, zeros), right, has = _counts(given), _counts(expected), _counts(before)
    if (ones, zeros) == right:
        return
    more = "" if b else ". If all are kept, nothing is balanced"
    if zeros == min(64 - ones, has[1]) != right[1]:
        more = (
            ". Negatives have their own limit, 48: few positives are not topped up with negatives"
        )
    raise Wrong(
        f"of {has[0]} positives and {has[1]} negatives you keep {ones} and {zeros}, expected "
        f"{right[0]} and {right[1]}{more}"
    )


@check(
    "anchors.mine",
    reference=proposals.hardest_negatives,
    mistakes={
        "you keep the easiest negatives, those with the smallest loss; the hardest teach most": (
            lambda right, losses, labels: right(-losses, labels)
        )
    },
    others={
        "a positive was dropped": lambda right, losses, labels: right(losses, labels).clamp_max(0),
        "keep at least 10": lambda right, losses, labels: right(losses, labels, 3, 0),
        "three for each": lambda right, losses, labels: right(losses, labels, 1),
        "an anchor that does not count (−1) became": lambda right, losses, labels: right(
            losses, torch.where(labels == -1, 0, labels)
        ),
        "the choice is not": lambda right, losses, labels: right(losses.flip(0), labels),
    },
)
def examine_mine(answer, rng) -> None:
    """Three hard negatives for each positive."""
    labels = torch.from_numpy(rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 0, 1], (2, 200)))
    labels[1] = torch.where(labels[1] == 1, 0, labels[1])  # an image without positives
    losses = torch.from_numpy(rng.random((2, 200))).float()
    losses[labels == -1] += 5  # anchors that do not count may have large losses
    before = labels.numpy()

    def words(given, right):
        if (given[before == 1] != 1).any():
            return "a positive was dropped: all of them are kept"
        if (given[before == -1] != -1).any():
            return (
                "an anchor that does not count (−1) became a negative: only 0s can be chosen, "
                "however large their loss"
            )
        zeros, wanted = (given == 0).sum(1), (right == 0).sum(1)
        if zeros[1] == 0:
            return (
                "an image without positives keeps no negative at all, and teaches nothing: keep "
                "at least 10"
            )
        if (zeros != wanted).any():
            return (
                f"you keep {zeros.tolist()} negatives for {(before == 1).sum(1).tolist()} "
                f"positives; expected {wanted.tolist()}: three for each, at least 10"
            )
        return (
            "the number is right, the choice is not: keep the negatives with the largest loss of "
            "each image"
        )

    answer.compare((losses, labels), "the labels", (2, 200), otherwise=words)


def loss_of(logits, offsets, labels, targets, weight: float = 1.2):
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


@check(
    "anchors.loss",
    reference=loss_of,
    mistakes={
        "the anchors labelled −1 count in your loss: leave them out": (
            lambda right, logits, o, y, t, w: right(logits, o, y.clamp_min(0), t, w)
        ),
        "12 negatives outweigh 4 positives in your cross-entropy: average each side separately, "
        "with half the weight each": lambda right, logits, o, y, t, w: (
            right(0 * logits, o, y, t, w)
            - right(0 * logits, o, y, t, 0)
            + F.cross_entropy(logits[y >= 0], y[y >= 0])
        ),
        "your box loss counts every anchor; only positives have a box to find": (
            lambda right, logits, o, y, t, w: (
                right(logits, o, y, t, 0)
                + w * F.smooth_l1_loss(o, t, reduction="none").sum(-1).mean()
            )
        ),
        "your box loss is |d| everywhere; smooth L1 is d²/2 below 1": (
            lambda right, logits, o, y, t, w: (
                right(logits, o, y, t, 0) + w * (o - t)[y == 1].abs().sum(1).mean()
            )
        ),
        "sum your box loss over the four offsets, average over the positives": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, w / 4)
        ),
        "the weight of the box loss is missing": (
            lambda right, logits, o, y, t, w: right(logits, o, y, t, 1.0)
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
    """Cross-entropy and smooth L1 together."""
    make = lambda *shape: torch.from_numpy(rng.normal(0, 1.5, shape)).float()  # noqa: E731
    labels = torch.full((1, 40), -1)
    labels[0, :4], labels[0, 10:22] = 1, 0
    logits, offsets, targets = make(1, 40, 2), make(1, 40, 4), make(1, 40, 4)
    given = logits.requires_grad_(), offsets, labels, targets, 1.2
    answer.compare(given, "the loss", as_loss, tolerance=1e-4)
    empty = logits.detach(), offsets, torch.zeros_like(labels), targets, 1.2
    answer.compare(empty, "the loss of a pair without positives", tolerance=1e-4)
