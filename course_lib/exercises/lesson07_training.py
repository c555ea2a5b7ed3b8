"""Check of lesson 07: positives and negatives drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.lesson07 import LABELS
from course_lib.models import proposals


def as_labels(shape: tuple[int, ...]) -> Callable[[Any], np.ndarray]:
    """Reads a result as a tensor of labels of a shape."""
    return lambda result: as_tensor(result, shape, LABELS)


def _counts(labels: np.ndarray) -> tuple[int, int]:
    """How many 1s and 0s."""
    return int((labels == 1).sum()), int((labels == 0).sum())


def _regardless(right, labels, draws):
    """64 anchors drawn from all that have a label."""
    value = torch.where(labels >= 0, draws, -1.0)
    kept = value >= value.topk(64, dim=1).values[:, -1:]
    return torch.where(kept & (labels >= 0), labels, -1)


def _filled_up(*limits):
    """A mistake: topk fills up with anchors of other labels, and these get the label too.

    Args:
        limits: (label, how many of it), in the order in which they are set.
    """

    def drawn(right, labels, draws):
        kept = torch.full_like(labels, -1)
        for label, most in limits:
            index = torch.where(labels == label, draws, -1.0).topk(most, dim=1).indices
            kept = kept.scatter(1, index, label)
        return kept

    return drawn


def _overwritten(right, labels, draws):
    """What topk fills up with becomes −1."""
    kept = torch.full_like(labels, -1)
    for label, most in ((1, 16), (0, 48)):
        best, index = torch.where(labels == label, draws, -1.0).topk(most, dim=1)
        kept = kept.scatter(1, index, torch.where(best >= 0, label, -1))
    return kept


def _topped_up(right, labels, draws):
    """64 of each pair, with as many positives as it takes."""
    rows = [
        right(row[None], drawn[None], most, most + 48)
        for row, drawn in zip(labels, draws, strict=True)
        for most in [64 - min(48, int((row == 0).sum()))]
    ]
    return torch.cat(rows)


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
        "where a pair has too few anchors of a label, topk fills up with others, and you give them "
        "that label too: a label stays as it is or becomes −1": [
            _filled_up((0, 48), (1, 16)),
            _filled_up((1, 16), (0, 48)),
        ],
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
        "where a label has too few anchors, topk fills up with anchors of the other label, and you "
        "make those −1: what was kept of them must stay": _overwritten,
        "positives have their own limit, 16: few negatives are not topped up with positives": (
            _topped_up
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
    """16 of 64, in pairs with many, few and no positives, with fewer than 48 negatives, and with
    hardly more anchors than are drawn."""
    labels = torch.full((4, 300), -1)
    labels[0, :40], labels[0, 60:] = 1, 0
    labels[1, :5], labels[1, 100:130] = 1, 0
    labels[2, 50:] = 0
    labels[3, 7:37], labels[3, 200:] = 1, 0
    labels = torch.stack([row[torch.from_numpy(rng.permutation(300))] for row in labels])
    few = torch.tensor([[1] * 45 + [0] * 25, [1] * 50 + [0] * 10 + [-1] * 10])
    one = torch.tensor([[1] * 12 + [0] * 100])
    for given in (labels, few[:, torch.from_numpy(rng.permutation(70))], one):
        draws = torch.from_numpy(rng.random(given.shape)).float()
        _compare_drawn(answer, given, draws)


def _compare_drawn(answer, labels: torch.Tensor, draws: torch.Tensor) -> None:
    """Raise Wrong if the answer keeps other anchors of labels (B, A) than the reference."""
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

    answer.compare((labels, draws), LABELS, as_labels(before.shape), otherwise=words)


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
