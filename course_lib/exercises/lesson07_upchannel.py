"""Check of lesson 07: up-channel correlation."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import correlation


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
        "the last exemplar's kernels slid over every search image; each has its own": (
            lambda right, k, x: right(k[-1:].expand_as(k), x)
        ),
        "you take the mean over the batch; every pair stands by itself": [
            lambda right, k, x: right(k.mean(0, keepdim=True).expand_as(k), x),
            lambda right, k, x: right(k, x.mean(0, keepdim=True).expand_as(x)),
        ],
        "kernels and search images are paired in opposite orders": (
            lambda right, k, x: right(k.flip(0), x)
        ),
        "your maps have no negative values; a correlation may be below 0": [
            lambda right, k, x: right(k, x).relu(),
            lambda right, k, x: right(k, x).abs(),
        ],
        "your kernels are cut to squares; they may be wider than high": (
            lambda right, k, x: right(k[..., : k.shape[3]], x)
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
        "your maps are divided by the number of the kernel's values, or of its channels; a "
        "correlation is a sum of products": [
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
    for (B, n, C), (h, w), (H, W) in (
        *(((3, 2, 4), (3, 2), (8, 7)), ((2, 5, 3), (2, 4), (7, 9))),
        ((1, 4, 3), (3, 3), (5, 6)),
    ):
        given = make(B, n, C, h, w).requires_grad_(), make(B, C, H, W).requires_grad_()
        shape = B, n, H - h + 1, W - w + 1
        read = lambda r, s=shape: as_tensor(r, s, "your result")  # noqa: E731
        try:
            answer.compare(given, "your result", read, tolerance=1e-4)
        except RuntimeError as problem:
            if "groups" not in str(problem):
                raise
            raise Wrong(
                f"F.conv2d refuses your shapes ({problem}). An image of B · C channels needs "
                "kernels of shape (B · n, C, h, w) and groups=B"
            ) from None
