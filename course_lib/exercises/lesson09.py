"""Checks of lesson 09: separable global convolution, mask guide, broadcast."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.exercises.core import check
from course_lib.geometry import masks
from course_lib.models import heads_learned


def weights_of(k: int, before: int, mid: int, after: int) -> tuple[int, int]:
    """Weights of a convolution, and of its two separable branches.

    Args:
        k: the convolution is k × k.
        before: channels of its input.
        mid: channels inside the branches.
        after: channels of its output.
    """
    return k * k * before * after, 2 * k * mid * (before + after)


@check(
    "match.count",
    reference=weights_of,
    mistakes={
        "your separable count has one branch; there are two: k × 1 then 1 × k, and 1 × k then k × "
        "1": (1, lambda right, *case: (right(*case)[0], right(*case)[1] / 2)),
        "a k × k kernel has k² weights for each pair of channels, not k": (
            0,
            lambda right, k, *case: (right(k, *case)[0] / k, right(k, *case)[1]),
        ),
        "the plain convolution comes first, the separable one second": (
            lambda right, *case: right(*case)[::-1]
        ),
    },
    others={
        "biases are not counted": lambda right, k, before, mid, after: (
            right(k, before, mid, after) + np.array([after, 2 * mid + 2 * after])
        )
    },
)
def examine_count(answer, rng) -> None:
    """Weights of a large convolution and of its separable counterpart."""
    for case in ((11, 2048, 512, 512), (7, 512, 256, 512)):
        named = f"for k = {case[0]} the counts"
        hint = "biases are not counted"
        answer.compare(case, "the two counts", (2,), named=named, hint=hint)


def separable(x, tall_first, wide_second, wide_first, tall_second):
    """Sum of two separable branches over a map; kernels as F.conv2d takes them, of odd sizes.

    Args:
        x: (B, C, H, W).
        tall_first: (M, C, k, 1).
        wide_second: (D, M, 1, k).
        wide_first: (M, C, 1, k).
        tall_second: (D, M, k, 1).

    Returns:
        (B, D, H, W).
    """
    left = F.conv2d(F.conv2d(x, tall_first, padding="same"), wide_second, padding="same")
    right = F.conv2d(F.conv2d(x, wide_first, padding="same"), tall_second, padding="same")
    return left + right


@check(
    "match.separable",
    reference=separable,
    mistakes={
        "your map shrank to ({shape[2]}, {shape[3]}) from (9, 8): pad by half the kernel, so that "
        "it keeps its size": lambda right, *given: right(*given)[:, :, 2:-2, 2:-2],
        "one of the two branches is missing; one alone covers k × k too, but only with "
        "products of its two lines": [
            lambda right, x, a, b, c, d: right(x, 0 * a, b, c, d),
            lambda right, x, a, b, c, d: right(x, a, b, 0 * c, d),
        ],
        "the two branches are added, not multiplied": (
            lambda right, x, a, b, c, d: right(x, 0 * a, b, c, d) * right(x, a, b, 0 * c, d)
        ),
    },
)
def examine_separable(answer, rng) -> None:
    """A global convolution as two separable branches."""
    make = lambda *shape: torch.from_numpy(rng.normal(size=shape)).float()  # noqa: E731
    kernels = (4, 3, 5, 1), (6, 4, 1, 5), (4, 3, 1, 5), (6, 4, 5, 1)
    inputs = make(2, 3, 9, 8), *(make(*shape) for shape in kernels)
    answer.compare(inputs, "the map", (2, 6, 9, 8), tolerance=1e-4)


def _mistaken_mask(given, right) -> str:
    """The message for masks that hold other numbers, or cover more than the box."""
    if not set(np.unique(given)) <= {0.0, 1.0}:
        return f"a mask holds only 0 and 1; yours has {np.unique(given)[:4].tolist()}"
    if given[0].sum() > right[0].sum():
        return (
            f"your first mask covers {int(given[0].sum())} pixels, the box "
            f"{int(right[0].sum())}: x + w is where the box ends"
        )
    return ""


@check(
    "match.mask",
    reference=masks.box_masks,
    mistakes={
        "x and y are swapped: the last axis is x": (
            lambda right, *given: right(*given).transpose(2, 3)
        ),
        "your mask is 0 inside the box and 1 outside; invert it": (
            lambda right, *given: 1 - right(*given)
        ),
    },
    others={
        "where the box ends": lambda right, boxes, n: right(boxes + torch.tensor([0, 0, 1, 1]), n),
        "only 0 and 1": lambda right, *given: 255 * right(*given),
    },
)
def examine_mask(answer, rng) -> None:
    """Mask guide."""
    boxes = torch.tensor([[2.0, 5.0, 4.0, 8.0], [10.0, 1.0, 9.0, 3.0]])
    answer.compare((boxes, 16), "the masks", (2, 1, 16, 16), otherwise=_mistaken_mask)


@check(
    "match.broadcast",
    reference=heads_learned.broadcast_over,
    others={
        "the map has shape": [
            lambda right, vector, x: vector,
            lambda right, vector, x: torch.cat([right(vector, x), x], 1),
        ],
        "the pair's own vector": lambda right, vector, x: right(vector[:1], x),
        "for one exemplar and two search images the map has shape": (
            lambda right, vector, x: right(vector, x)[: len(vector)]
        ),
    },
)
def examine_broadcast(answer, rng) -> None:
    """One vector at every cell."""
    vector, x = torch.from_numpy(rng.normal(size=(2, 3, 1, 1))).float(), torch.zeros(2, 5, 4, 6)
    hint = "every cell holds the pair's own vector"
    answer.compare((vector, x), "the map", (2, 3, 4, 6), hint=hint)
    what = "for one exemplar and two search images the map"
    answer.compare((vector[:1], x), what, (2, 3, 4, 6))
