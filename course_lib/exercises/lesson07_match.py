"""Check of lesson 07: which anchors count."""

from __future__ import annotations

import numpy as np
import torch

from course_lib.exercises.compare import apart, as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.lesson07 import LABELS
from course_lib.geometry import anchors


def _best_too(right, overlap, *thresholds):
    """Labels in which the best anchor of each pair is a positive, whatever its overlap."""
    labels = right(overlap, *thresholds)
    return labels.scatter(1, overlap.argmax(1, keepdim=True), 1)


@check(
    "anchors.match",
    reference=anchors.match,
    mistakes={
        "1 marks the target and 0 something else; yours are the other way round": (
            lambda right, *given: torch.where(right(*given) < 0, -1, 1 - right(*given))
        ),
        "0 marks background, −1 an anchor that does not count; yours are the other way "
        "round": lambda right, *given: torch.where(right(*given) == 1, 1, -1 - right(*given)),
        "your labels are only 0 and 1; between {2:g} and {1:g} an anchor is neither: −1, it does "
        "not count": lambda right, *given: right(*given).clamp_min(0),
        "you count an anchor between {2:g} and {1:g} as a positive; it is neither: −1": [
            lambda right, *given: right(*given).abs(),
            lambda right, overlap, high, low: torch.where(
                overlap > low, 1, right(overlap, high, low)
            ),
        ],
        "you count an anchor between {2:g} and {1:g} as a negative; it is neither: −1": (
            lambda right, overlap, high, low: torch.where(
                overlap < high, 0, right(overlap, high, low)
            )
        ),
        "your thresholds are always 0.6 and 0.3; take `high` and `low`": (
            lambda right, overlap, high, low: right(overlap)
        ),
        "an anchor with exactly {1:g} gets 1, expected −1: positives lie above `high`": (
            lambda right, overlap, high, low: torch.where(
                overlap >= high, 1, right(overlap, high, low)
            )
        ),
        "an anchor with exactly {2:g} gets 0, expected −1: negatives lie below `low`": (
            lambda right, overlap, high, low: torch.where(
                overlap <= low, 0, right(overlap, high, low)
            )
        ),
        "from {2:g} to {1:g}, both ends included, an anchor gets −1; yours gets one of the two "
        "other labels at either end": lambda right, overlap, high, low: torch.where(
            overlap >= high, 1, torch.where(overlap <= low, 0, -1)
        ),
        "`high` and `low` are swapped: 1 above the first, 0 below the second": [
            lambda right, overlap, high, low: right(overlap, low, high),
            lambda right, overlap, high, low: torch.where(
                overlap > low, 1, torch.where(overlap < high, 0, -1)
            ),
        ],
        "where a batch has no positive you make the best anchor one; a pair may have none": (
            lambda right, overlap, high, low: (
                right(overlap, high, low)
                if (overlap > high).any()
                else torch.where(overlap == overlap.max(), 1, right(overlap, high, low))
            )
        ),
        "you make the best anchor of each pair a positive, whatever its IoU; a pair may have "
        "none": (_best_too),
        "your labels are those of the first pair for all; each pair has its own row": (
            lambda right, overlap, *given: right(overlap[:1], *given).expand_as(overlap)
        ),
        "your overlaps are rounded before they are compared": lambda right, overlap, *given: right(
            overlap.mul(100).round() / 100, *given
        ),
    },
    others={
        "an anchor with IoU": lambda right, overlap, high, low: right(overlap, 0.9, low),
        "should be a tensor": lambda right, *given: right(*given).numpy() * 1.0,
    },
)
def examine_match(answer, rng) -> None:
    """Labels from overlaps that a computer's fractions express exactly, some at the thresholds and
    some just beside them; also of a batch without any positive."""
    for dtype, high, low, pairs in (
        *((torch.float64, 0.625, 0.3125, 3), (torch.float32, 0.5, 0.25, 3)),
        *((torch.float32, 0.75, 0.0625, 1), (torch.float32, 0.4375, 0.4375, 2)),
    ):
        read = lambda result, n=pairs: as_tensor(result, (n, 45), LABELS)  # noqa: E731
        steps = rng.integers(0, 65, (pairs, 45)).astype(float)  # in 64ths
        steps[-1] = rng.integers(0, int(64 * high), 45)  # a pair without positives
        steps[:, :4] = 64 * high, 64 * low, 64 * low + 2**-10, 64 * low - 2**-10
        if pairs == 1:
            steps[:, 0] -= 1  # in this batch the best overlap is no boundary
        steps[:-1, 4:6] = 64 * high + 2**-10, 64 * high - 2**-10
        overlap = torch.from_numpy(steps / 64).to(dtype)

        def words(given, right, overlap=overlap, high=high, low=low):
            k = tuple(int(i) for i in np.argwhere(given != right)[0])
            mine, wanted = apart(given[k], right[k])
            return (
                f"an anchor with IoU {float(overlap[k]):.6g} gets {mine}, expected {wanted}: 1 "
                f"above {high}, 0 below {low}, −1 from {low} to {high}, both ends included"
            )

        answer.compare((overlap, high, low), LABELS, read, otherwise=words)
