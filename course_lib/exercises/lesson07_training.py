"""Checks of lesson 07: the balance of positives and negatives."""

from __future__ import annotations

import numpy as np
import torch

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.lesson07 import LABELS
from course_lib.models import proposals


def _read(shape: tuple[int, ...]):
    return lambda result: as_tensor(result, shape, LABELS)


def _counts(labels: np.ndarray) -> tuple[int, int]:
    """How many 1s and 0s."""
    return int((labels == 1).sum()), int((labels == 0).sum())


def _regardless(right, labels, draws):
    """64 anchors drawn from all that have a label."""
    value = torch.where(labels >= 0, draws, -1.0)
    kept = value >= value.topk(64, dim=1).values[:, -1:]
    return torch.where(kept & (labels >= 0), labels, -1)


def _filled_up(right, labels, draws):
    """topk fills up with anchors of other labels, and these get the label too."""
    kept = torch.full_like(labels, -1)
    for label, most in ((0, 48), (1, 16)):
        index = torch.where(labels == label, draws, -1.0).topk(most, dim=1).indices
        kept = kept.scatter(1, index, label)
    return kept


def _in_order(labels: torch.Tensor) -> torch.Tensor:
    """Numbers that fall along each row."""
    return torch.linspace(1, 0, labels.shape[1]).expand(labels.shape)


@check(
    "anchors.draw",
    reference=proposals.draw_anchors,
    mistakes={
        "you keep all 1s and 0s. If all are kept, nothing is balanced": (
            lambda right, labels, draws: labels
        ),
        "at most 16 positives and 48 negatives; your limits are the other way round": (
            lambda right, labels, draws: right(labels, draws, 48)
        ),
        "an anchor that is not kept becomes −1, it does not count; yours becomes 0, a negative": [
            lambda right, labels, draws: right(labels, draws).clamp_min(0),
            lambda right, labels, draws: torch.where(labels == 1, 0, -1).maximum(
                right(labels, draws)
            ),
        ],
        "16 and 48 are the limits of each pair; you apply them to the whole batch": (
            lambda right, labels, draws: right(labels.reshape(1, -1), draws.reshape(1, -1)).reshape(
                labels.shape
            )
        ),
        "you draw 64 anchors whatever their label; at most 16 of the 1s and 48 of the 0s count": (
            _regardless
        ),
        "where a pair has fewer than 16 positives, topk fills up with other anchors, and you label "
        "those 1": _filled_up,
        "you keep those with the lowest numbers in `draws`; the highest count": (
            lambda right, labels, draws: right(labels, 1 - draws)
        ),
        "you always keep the same ones, whatever `draws` says: keep those with the highest "
        "numbers in `draws`": [
            lambda right, labels, draws: right(labels, _in_order(labels)),
            lambda right, labels, draws: right(labels, 1 - _in_order(labels)),
        ],
        "you choose by the draws of the first pair for all; each pair has its own row": (
            lambda right, labels, draws: right(labels, draws[:1].expand_as(draws))
        ),
    },
    others={
        "few positives are not topped up": lambda right, labels, draws: torch.cat(
            [
                right(row[None], drawn[None], min(16, int((row == 1).sum())), 64)
                for row, drawn in zip(labels, draws, strict=True)
            ]
        ),
        "you keep": lambda right, labels, draws: right(labels, draws, 16, 80),
        "the choice is not": lambda right, labels, draws: right(
            labels, torch.rand(draws.shape, generator=torch.Generator().manual_seed(0))
        ),
        "an anchor changed sides": lambda right, labels, draws: 1 - right(labels, draws).abs(),
    },
)
def examine_draw(answer, rng) -> None:
    """16 of 64, in pairs with many, few and no positives, and with fewer than 48 negatives."""
    labels = torch.full((4, 300), -1)
    labels[0, :40], labels[0, 60:] = 1, 0
    labels[1, :5], labels[1, 100:130] = 1, 0
    labels[2, 50:] = 0
    labels[3, 7:37], labels[3, 200:] = 1, 0
    labels = torch.stack([row[torch.from_numpy(rng.permutation(300))] for row in labels])
    draws = torch.from_numpy(rng.random((4, 300))).float()
    before = labels.numpy()

    def words(given, right):
        if ((given != before) & (given != -1)).any():
            return "an anchor changed sides: a label stays as it is or becomes −1, nothing else"
        said = [_wrong_counts(*rows) for rows in zip(given, right, before, strict=True)]
        return next(
            filter(None, said),
            "the number is right, the choice is not: keep the anchors with the highest numbers in "
            "`draws`",
        )

    answer.compare((labels, draws), LABELS, _read((4, 300)), otherwise=words)


def _wrong_counts(given: np.ndarray, right: np.ndarray, before: np.ndarray) -> str:
    """How many anchors of one pair are kept, if that is wrong."""
    (ones, zeros), wanted, has = _counts(given), _counts(right), _counts(before)
    if (ones, zeros) == wanted:
        return ""
    more = ""
    if ones == wanted[0] and zeros == min(64 - ones, has[1]):
        more = (
            ". Negatives have their own limit, 48: few positives are not topped up with negatives"
        )
    return (
        f"of {has[0]} positives and {has[1]} negatives you keep {ones} and {zeros}, expected "
        f"{wanted[0]} and {wanted[1]}{more}"
    )


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
    },
    others={
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
    labels = torch.from_numpy(rng.choice([1, 0, -1], p=[0.06, 0.7, 0.24], size=(4, 210)))
    labels[1] = torch.where(labels[1] == 1, 0, labels[1])  # no positive
    labels[2, :190] = -1  # few of each
    labels[2, 190:] = torch.tensor([1, 0, 0, 0, -1] * 2 + [0, -1] * 5)
    losses = torch.from_numpy(rng.random((4, 210))).float()
    losses[labels != 0] += 0.2  # anchors that do not compete may have large losses
    before = labels.numpy()
    answer.compare(
        (losses, labels), LABELS, _read((4, 210)), otherwise=lambda g, r: _not_mined(g, r, before)
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
            f"expected {wanted.tolist()}: three for each, at least 10"
        )
    return (
        "the number is right, the choice is not: keep the negatives with the largest loss of each "
        "image"
    )
