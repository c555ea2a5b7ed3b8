"""Check of lesson 07: hard negative mining."""

from __future__ import annotations

import numpy as np
import torch

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.lesson07 import LABELS
from course_lib.exercises.lesson07_training import as_labels
from course_lib.models import proposals


def _among_all(right, losses, labels):
    """Zeros whose loss ranks among the largest of all anchors, positives included."""
    count = (3 * (labels == 1).sum(1)).clamp_min(10)
    rank = losses.argsort(dim=1, descending=True).argsort(dim=1)
    return torch.where((labels == 0) & (rank >= count[:, None]), -1, labels)


def _once(right, losses, labels):
    """argsort once, taken for the rank."""
    count = (3 * (labels == 1).sum(1)).clamp_min(10)
    rank = torch.where(labels == 0, losses, -torch.inf).argsort(dim=1, descending=True)
    return torch.where((labels == 0) & (rank >= count[:, None]), -1, labels)


def _against_ignored(right, losses, labels):
    """Zeros and −1s ranked together."""
    count = (3 * (labels == 1).sum(1)).clamp_min(10)
    value = torch.where(labels <= 0, losses, -torch.inf)
    rank = value.argsort(dim=1, descending=True).argsort(dim=1)
    return torch.where((labels == 0) & (rank >= count[:, None]), -1, labels)


def _ascending(right, losses, labels):
    """The smallest first, with −∞ for all that are no zeros."""
    count = (3 * (labels == 1).sum(1)).clamp_min(10)
    rank = torch.where(labels == 0, losses, -torch.inf).argsort(dim=1).argsort(dim=1)
    return torch.where((labels == 0) & (rank >= count[:, None]), -1, labels)


def _topped_up_with_ignored(right, losses, labels):
    """Whatever ranks among the first becomes a negative."""
    count = (3 * (labels == 1).sum(1)).clamp_min(10)
    value = torch.where(labels == 0, losses, -torch.inf)
    rank = value.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return torch.where(labels == 1, 1, torch.where(rank < count[:, None], 0, -1))


def _filled_up(right, losses, labels):
    """topk fills up with anchors at −∞, and these become negatives."""
    kept = torch.where(labels == 0, -1, labels)
    for row, loss, label in zip(kept, losses, labels, strict=True):
        count = max(10, 3 * int((label == 1).sum()))
        row[torch.where(label == 0, loss, -torch.inf).topk(count).indices] = 0
    return kept


def _by_threshold(right, losses, labels):
    """All zeros whose loss is not below that of the last that counts."""
    value = torch.where(labels == 0, losses, -torch.inf)
    count = (3 * (labels == 1).sum(1)).clamp_min(10)
    last = value.sort(dim=1, descending=True).values.gather(1, count[:, None] - 1)
    return torch.where((labels == 0) & (losses < last), -1, labels)


def _of_the_batch(right, losses, labels):
    """The hardest of the whole batch."""
    return right(losses.reshape(1, -1), labels.reshape(1, -1)).reshape(labels.shape)


@check(
    "anchors.mine",
    reference=proposals.hardest_negatives,
    mistakes={
        "you keep the easiest negatives, those with the smallest loss; the hardest teach most": (
            lambda right, losses, labels: right(-losses, labels)
        ),
        "you keep every negative; three for each positive count, at least 10": (
            lambda right, losses, labels: labels
        ),
        "you count positives over the whole batch; each pair keeps its own hardest": [
            _of_the_batch,
            lambda right, losses, labels: right(losses, labels, 0, 3 * int((labels == 1).sum())),
        ],
        "anchors labelled −1 compete for the places in your ranking; only 0s do": _against_ignored,
        "sorted from the smallest, the −∞ of the other anchors comes first, and takes the places": (
            _ascending
        ),
        "you compare the negatives' losses with those of all anchors; only negatives compete": (
            _among_all
        ),
        "argsort says which anchor is the k-th, not at which place an anchor is: that is "
        "`order.argsort(dim=1)`": _once,
        "at least 10 means the larger of 10 and three for each positive; you add them": (
            lambda right, losses, labels: right(losses, labels, 3 + 9.99 / (labels == 1).sum(1), 10)
        ),
        "you keep at most 10 negatives; it is at least 10": lambda right, losses, labels: right(
            losses, labels, (9.99 / (labels == 1).sum(1)).clamp_max(3), 0
        ),
        "you keep 10 negatives whatever the number of positives; it is three for each, and 10 "
        "where that is less": lambda right, losses, labels: right(losses, labels, 0),
        "you choose by the losses of the first pair for all; each pair has its own row": (
            lambda right, losses, labels: right(losses[:1].expand_as(losses), labels)
        ),
        "you keep one negative too many: ranks count from 0, so those below the count are kept": (
            lambda right, losses, labels: right(losses, labels, 3 + 1 / (labels == 1).sum(1), 11)
        ),
        "where a pair has fewer negatives than may count, you turn anchors that do not count (−1) "
        "into negatives": _topped_up_with_ignored,
        "where a pair has fewer negatives than may count, topk fills up with other anchors, those "
        "at −∞, and you make them negatives": _filled_up,
        "you count 16 positives at most, or 48 negatives: count all that this pair has": [
            lambda right, losses, labels: right(
                losses, labels, 3 * (labels == 1).sum(1).clamp_max(16) / (labels == 1).sum(1)
            ),
        ],
    },
    others={
        "go by rank": _by_threshold,
        "a positive was dropped": lambda right, losses, labels: right(losses, labels).clamp_max(0),
        "keep at least 10": lambda right, losses, labels: right(losses, labels, 3, 0),
        "three for each": lambda right, losses, labels: right(losses, labels, 1),
        "an anchor that does not count (−1) became": lambda right, losses, labels: right(
            losses, torch.where(labels == -1, 0, labels)
        ),
        "the choice is not": lambda right, losses, labels: right(losses.flip(1), labels),
        "is no label": lambda right, losses, labels: right(losses, labels) * 2,
    },
)
def examine_mine(answer, rng) -> None:
    """Three hard negatives for each positive, in pairs with many, few and no positives."""
    labels = torch.from_numpy(rng.choice([1, 0, -1], p=[0.03, 0.7, 0.27], size=(5, 400)))
    labels[0, :24] = 1  # many
    labels[1] = torch.where(labels[1] == 1, 0, labels[1])  # no positive
    labels[2, :380] = -1  # few of each
    labels[2, 380:] = torch.tensor([1, 0, 0, 0, -1] * 2 + [0, -1] * 5)
    labels[3] = torch.where(labels[3] == 0, -1, labels[3])  # 4 negatives, all kept
    labels[3, :4] = 0
    losses = torch.from_numpy(rng.random((5, 400))).float()
    losses[labels != 0] += 0.2  # anchors that do not compete may have large losses
    before = labels.numpy()
    answer.compare(
        (losses, labels),
        LABELS,
        as_labels((5, 400)),
        otherwise=lambda g, r: _not_mined(g, r, before),
    )

    def read(results) -> tuple[np.ndarray, ...]:
        kept, alike = (as_tensor(result, (5, 400), LABELS) for result in results)
        return kept, (alike == 0).sum(1), np.where(before == 0, 0, alike)

    # where all losses are equal, any of them may be kept, but not more of them; the first result is
    # there so that no mistake is named that is not made
    answer.compare(
        (losses, labels),
        (LABELS, "the number of negatives", LABELS),
        read,
        call=lambda f, losses, labels: (
            f(losses, labels),
            f(torch.full_like(losses, 0.7), labels.clone()),
        ),
        otherwise=lambda g, r: (
            f"where all losses are equal you keep {g[1].tolist()} negatives for "
            f"{(before == 1).sum(1).tolist()} positives; expected {r[1].tolist()}: go by rank, not "
            "by a threshold"
        ),
    )


def _not_mined(given: np.ndarray, right: np.ndarray, before: np.ndarray) -> str:
    """The message for labels (B, A) after hard negative mining.

    Args:
        given: the student's.
        right: the reference's.
        before: those it was given.
    """
    if not np.isin(given, (-1, 0, 1)).all():
        return f"{given[~np.isin(given, (-1, 0, 1))][0]:g} is no label: they are 1, 0 and −1"
    if (given[before == 1] != 1).any():
        return "a positive was dropped: all of them are kept"
    if (given[before == -1] != -1).any():
        return (
            "an anchor that does not count (−1) became a negative or a positive: only 0s can be "
            "chosen, however large their loss"
        )
    if (given == 1).sum() > (before == 1).sum():
        return "a negative became a positive: a label stays as it is or becomes −1"
    zeros, wanted = (given == 0).sum(1), (right == 0).sum(1)
    if zeros[1] == 0:
        return (
            "an image without positives keeps no negative at all, and teaches nothing: keep at "
            "least 10"
        )
    if (zeros != wanted).any():
        return (
            f"you keep {zeros.tolist()} negatives for {(before == 1).sum(1).tolist()} positives; "
            f"expected {wanted.tolist()}: three for each, at least 10, or all there are"
        )
    return (
        "the number is right, the choice is not: in each image, keep the negatives with the "
        "largest loss"
    )
