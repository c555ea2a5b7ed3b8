"""Checks of lesson 09: depth-wise correlation, aggregation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.exercises.core import check
from course_lib.exercises.lesson09 import as_map, in_words, normal
from course_lib.models import correlation, siamrpnpp


def _windows(z: Tensor, x: Tensor) -> Tensor:
    """All windows (B, C, H', W', h, w) of x that are as large as z."""
    return x.unfold(2, z.shape[2], 1).unfold(3, z.shape[3], 1)


def _padded(x: Tensor, kernel: Sequence[int]) -> Tensor:
    """A map with zeros around it, so that a kernel of this size gives a map of its size."""
    rows, columns = kernel
    above, left = (rows - 1) // 2, (columns - 1) // 2
    return F.pad(x, (left, columns - 1 - left, above, rows - 1 - above))


# PyTorch's words → ours, of B, C, h, w, H, W
STOPS = {
    "Given groups": (
        "each channel of each pair is a group of its own: an image of B · C = {0} · {1} channels, "
        "as many kernels of shape (1, {2}, {3}), and groups=B · C"
    ),
    "Kernel size can't be greater": (
        "the exemplar, {2} × {3} cells, slides over the search image, {4} × {5}; yours are the "
        "other way round"
    ),
    "is invalid for input of size": (
        "your reshape does not fit B = {0}, C = {1}, an exemplar of {2} × {3} cells and a search "
        "image of {4} × {5}, where rows and columns differ"
    ),
}


@check(
    "match.depthwise",
    reference=correlation.cross_correlate_depthwise,
    mistakes={
        "your channels are added up, as in SiamFC; here each keeps its own map: groups = B · C": [
            lambda right, z, x: right(z, x).sum(1),
            lambda right, z, x: right(z, x).sum(1, keepdim=True),
            lambda right, z, x: right(z, x).sum(1, keepdim=True).expand(-1, z.shape[1], -1, -1),
            lambda right, z, x: right(z, x).sum(1)[None],
        ],
        "the mean over the channels is one map; here each channel keeps its own": [
            lambda right, z, x: right(z, x).mean(1),
            lambda right, z, x: right(z, x).mean(1, keepdim=True),
        ],
        "the number of your maps is right, their shape {shape} is not; reshape them to "
        "(B, C, H', W')": [
            lambda right, z, x: right(z, x).flatten(0, 1)[None],
            lambda right, z, x: right(z, x).flatten(0, 1),
            lambda right, z, x: right(z, x).flatten(0, 1)[:, None],
        ],
        "your maps are in the wrong order: go exemplar by exemplar, and within it channel by "
        "channel": [
            lambda right, z, x: right(z, x).transpose(0, 1).reshape(right(z, x).shape),
            lambda right, z, x: right(z, x).transpose(0, 1),
            lambda right, z, x: (
                right(z, x).reshape(z.shape[1], z.shape[0], *right(z, x).shape[2:]).transpose(0, 1)
            ),
        ],
        "z and x are folded in different orders: fold both pair by pair, and within a pair channel "
        "by channel": [
            lambda right, z, x: right(z, x.transpose(0, 1).reshape(x.shape)),
            lambda right, z, x: right(z.transpose(0, 1).reshape(z.shape), x),
        ],
        "you slide the first exemplar over every search image; each has its own": (
            lambda right, z, x: right(z[:1].expand_as(z), x)
        ),
        "one channel of the exemplar slid over all channels; each meets its own": [
            lambda right, z, x: right(z[:, :1].expand_as(z), x),
            lambda right, z, x: right(z.mean(1, keepdim=True).expand_as(z), x),
        ],
        "your exemplar is flipped: F.conv2d already correlates": (
            lambda right, z, x: right(z.flip(2, 3), x)
        ),
        "your exemplar's rows and columns have changed places": (
            lambda right, z, x: right(z.transpose(2, 3), x)
        ),
        "your maps have as many cells as x; the exemplar stays inside the search features, without "
        "padding": [
            lambda right, z, x: right(z, _padded(x, z.shape[2:])),
        ],
        "your search features are padded; the exemplar stays inside them": [
            lambda right, z, x: right(z, F.pad(x, (1, 1, 1, 1))),
            lambda right, z, x: right(z, F.pad(x, [s // 2 for s in z.shape[:1:-1] for _ in "lr"])),
        ],
        "you slide the last exemplar over every search image; each has its own": (
            lambda right, z, x: right(z[-1:].expand_as(z), x)
        ),
        "the products are summed over the cells of the exemplar; yours are averaged": (
            lambda right, z, x: right(z, x) / z[0, 0].numel()
        ),
        "no ReLU belongs here: a correlation may be negative": (
            lambda right, z, x: F.relu(right(z, x))
        ),
        "your exemplar is flipped along one axis": [
            lambda right, z, x: right(z.flip(2), x),
            lambda right, z, x: right(z.flip(3), x),
        ],
        "each pair has its own exemplar; yours have changed places": [
            lambda right, z, x: right(z.roll(1, 0), x),
            lambda right, z, x: right(z.flip(0), x),
        ],
        "channel c of the exemplar meets channel c of the search image; your channels have changed "
        "places": [
            lambda right, z, x: right(z.flip(1), x),
            lambda right, z, x: right(z.roll(1, 1), x),
        ],
        "sums of products are called for; yours are distances": lambda right, z, x: (
            -((_windows(z, x) - z[:, :, None, None]).square().sum((4, 5)))
        ),
        "nothing is divided here: the sum of the products stays as it is": [
            lambda right, z, x: right(z, x) / z.shape[1],
            lambda right, z, x: right(z, x) / z[0, 0].numel() ** 0.5,
        ],
        "your correlation wraps around the border; the exemplar stays inside the search features": (
            lambda right, z, x: (
                torch.fft.ifft2(torch.fft.fft2(x) * torch.fft.fft2(z, s=x.shape[2:]).conj()).real
            )
        ),
        "nothing is normalised here: take the channels as they are": [
            lambda right, z, x: right(F.normalize(z.flatten(2), dim=2).view_as(z), x),
            lambda right, z, x: right(F.normalize(z, dim=1), F.normalize(x, dim=1)),
            lambda right, z, x: right(z - z.mean((2, 3), keepdim=True), x),
        ],
    },
    others={
        "does not reach `z`": lambda right, z, x: right(z.detach(), x),
        "the other way round": lambda right, z, x: F.conv2d(z, x),
        "is a group of its own": [
            lambda right, z, x: F.conv2d(
                x.flatten(0, 1)[None], z.flatten(0, 1)[:, None], groups=len(x)
            ),
            lambda right, z, x: F.conv2d(
                x, z.flatten(0, 1)[:, None], groups=z.shape[0] * z.shape[1]
            ),
        ],
        "your reshape does not fit": lambda right, z, x: right(z, x).reshape(
            *z.shape[:2], *[x.shape[2] - z.shape[2] + 1] * 2
        ),
        "lost its gradient": lambda right, z, x: right(z, x).detach(),
    },
)
def examine_depthwise(answer, rng) -> None:
    """Depth-wise correlation."""
    # B, C, rows and columns of z and of x: square and not, odd and even, a batch of one
    for B, C, *sides in ((3, 4, 2, 3, 6, 8), (2, 3, 4, 4, 9, 9), (1, 5, 3, 1, 7, 5)):
        z, x = normal(rng, B, C, *sides[:2]), normal(rng, B, C, *sides[2:])
        with in_words(
            {part: words.format(*z.shape, *x.shape[2:]) for part, words in STOPS.items()}
        ):
            answer.compare((z, x), "the result", as_map("the result"), tolerance=1e-4)


@check(
    "match.aggregate",
    reference=siamrpnpp.aggregate,
    mistakes={
        "your layers count the same: multiply each by its weight, softmax(weights)": (
            lambda right, answers, weights: sum(answers)
        ),
        "your layers count the same, a mean; here the weights are learned: softmax(weights)": (
            lambda right, answers, weights: sum(answers) / len(answers)
        ),
        "your weights do not add up to 1: softmax(weights) keeps the scale of the answers": [
            lambda right, answers, weights: _weighted(answers, weights),
            lambda right, answers, weights: _weighted(answers, weights.exp()),
            lambda right, answers, weights: _weighted(answers, weights.sigmoid()),
            lambda right, answers, weights: _weighted(answers, weights.log_softmax(0)),
        ],
        "you divide the weights by their sum, which may be 0 and leaves some below 0; softmax "
        "takes their exponentials first": [
            lambda right, answers, weights: _weighted(answers, weights / weights.sum()),
        ],
        "your weights are made positive by their magnitude or a ReLU, so α and −α count the same, "
        "or those below 0 not at all; softmax takes their exponentials": [
            lambda right, answers, weights: _weighted(answers, weights.abs() / weights.abs().sum()),
            lambda right, answers, weights: _weighted(
                answers, F.relu(weights) / F.relu(weights).sum()
            ),
        ],
        "a layer is left out of your sum": [
            lambda right, answers, weights: _weighted(answers[:-1], weights.softmax(0)[:-1]),
            lambda right, answers, weights: _weighted(answers[1:], weights.softmax(0)[1:]),
            lambda right, answers, weights: _weighted(answers[:2], weights.softmax(0)[:2]),
            lambda right, answers, weights: _weighted(answers[:3], weights.softmax(0)[:3]),
        ],
        "there may be more than three layers, or fewer": (
            lambda right, answers, weights: right(answers[:3], weights[:3])
        ),
        "only one layer is left in your sum: add each to those before": [
            lambda right, answers, weights: answers[-1] * weights.softmax(0)[-1],
            lambda right, answers, weights: answers[0] * weights.softmax(0)[0],
        ],
        "the first answer counts twice in your sum: begin with 0": (
            lambda right, answers, weights: right(answers, weights) + answers[0]
        ),
        "take the softmax of α itself; you divide α first, or take the softmax of a softmax": [
            lambda right, answers, weights: right(answers, weights.softmax(0)),
            lambda right, answers, weights: right(answers, weights / len(weights) ** 0.5),
            lambda right, answers, weights: right(answers, weights / len(weights)),
        ],
        "sum the weighted answers, do not average them: softmax(weights) already adds up to "
        "1": lambda right, answers, weights: right(answers, weights) / len(answers),
        "only the layer of the largest weight answers; softmax(weights) lets each have its share": (
            lambda right, answers, weights: answers[int(weights.argmax())]
        ),
        "the weights have changed places: the first belongs to the first answer": (
            lambda right, answers, weights: right(answers, weights.flip(0))
        ),
        "softmax(weights), not softmax(−weights): a larger weight counts more": (
            lambda right, answers, weights: right(answers, -weights)
        ),
        "the softmax goes over the weights; yours goes over the answers": [
            lambda right, answers, weights: _weighted(torch.stack(answers).softmax(0), weights),
            lambda right, answers, weights: _weighted(
                [a.softmax(-1) for a in answers], weights.softmax(0)
            ),
        ],
        "your result has shape {shape}: sum over the layers": lambda right, answers, weights: (
            torch.stack([f * a for f, a in zip(weights.softmax(0), answers, strict=True)])
        ),
    },
    others={
        "so nothing could be learned there": lambda right, answers, w: right(answers, w.detach()),
        "does not reach `answers[0]`": lambda right, answers, weights: right(
            [a.detach() for a in answers], weights
        ),
        "its gradient with respect to `weights`": lambda right, answers, weights: _weighted(
            answers, weights.exp() / weights.exp().sum().detach()
        ),
    },
)
def examine_aggregate(answer, rng) -> None:
    """Answers of several layers with learned weights."""
    for shape, weights in (((2, 5), [1.0, -2.5, 0.5]), ((2, 4, 3, 5), [-1.2, 0.3, -0.4, 1.6])):
        answers = [normal(rng, *shape) for _ in weights]
        given = answers, nn.Parameter(torch.tensor(weights))
        answer.compare(given, "the sum", as_map("the sum"), tolerance=1e-4)


def _weighted(answers, factors):
    """Σ factor · answer."""
    return sum(factor * answer for factor, answer in zip(factors, answers, strict=True))
