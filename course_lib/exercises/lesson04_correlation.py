"""Check of lesson 04: the cross-correlation of a batch."""

from __future__ import annotations

from contextlib import suppress

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import correlation


def _by_channel(z: Tensor, x: Tensor) -> Tensor:
    """Responses (B, C, H', W') of each channel to its own."""
    B, C, h, w = z.shape
    maps = F.conv2d(x.reshape(1, B * C, *x.shape[2:]), z.reshape(B * C, 1, h, w), groups=B * C)
    return maps.reshape(B, C, *maps.shape[2:])


def _interleaved(right, z: Tensor, x: Tensor) -> Tensor:
    """A mistake: channels before pairs, so that a group holds channels of several pairs."""
    B, C, H, W = x.shape
    return F.conv2d(x.transpose(0, 1).reshape(1, B * C, H, W), z, groups=B)[0]


@check(
    "siamfc.correlate",
    reference=correlation.cross_correlate_grouped,
    mistakes={
        "your responses have shape {shape}: the count is right; reshape them to (B, H', W') = "
        "(3, 5, 8)": [
            lambda right, z, x: right(z, x)[None],
            lambda right, z, x: right(z, x)[:, None],
        ],
        "every exemplar slid over every search image: with groups=B each meets only its own": (
            lambda right, z, x: F.conv2d(x, z)
        ),
        "your channels stay separate (groups = B·C): the response is the sum over all channels of "
        "one pair": [
            lambda right, z, x: _by_channel(z, x),
            lambda right, z, x: _by_channel(z, x).flatten(0, 1),
            lambda right, z, x: _by_channel(z, x).flatten(0, 1)[None],
            lambda right, z, x: _by_channel(z, x)[:, 0],
        ],
        "your responses are averages; a cross-correlation is the sum over cells and channels": [
            lambda right, z, x: right(z, x) / z[0, 0].numel(),
            lambda right, z, x: right(z, x) / z.shape[1],
            lambda right, z, x: right(z, x) / z[0].numel(),
        ],
        "your responses are normalised; the ⋆ of SiamFC is the plain sum of products": [
            lambda right, z, x: correlation.cosine_correlate(z, x),
            lambda right, z, x: right(F.normalize(z, dim=1), F.normalize(x, dim=1)),
            lambda right, z, x: right(z / z.flatten(1).norm(dim=1)[:, None, None, None], x),
            lambda right, z, x: right(z - z.mean((-2, -1), keepdim=True), x),
            lambda right, z, x: right(z - z.mean((1, 2, 3), keepdim=True), x),
            lambda right, z, x: right(z, x) - right(z, x).mean((-2, -1), keepdim=True),
        ],
        "the factor 1e-3 comes later, in the network": lambda right, z, x: 1e-3 * right(z, x),
        "your exemplar is flipped: F.conv2d already correlates, it does not flip its kernel": [
            lambda right, z, x: right(z.flip(2, 3), x),
            lambda right, z, x: right(z.flip(2), x),
            lambda right, z, x: right(z.flip(3), x),
        ],
        "one exemplar slid over every search image; each has its own": [
            lambda right, z, x: right(z[:1].expand_as(z), x),
            lambda right, z, x: right(z[-1:].expand_as(z), x),
            lambda right, z, x: right(z.mean(0, keepdim=True).expand_as(z), x),
        ],
        "the exemplars meet the wrong search images: pair k is z[k] and x[k]": [
            lambda right, z, x: right(z.flip(0), x),
            lambda right, z, x: right(z.roll(1, 0), x),
        ],
        "a group must hold the channels of one pair: the batch comes before the channels, as in "
        "`x.reshape(1, B * C, H, W)`": _interleaved,
        "your responses have shape {shape}: nothing is padded, so (H − h + 1, W − w + 1) places "
        "are left": [
            lambda right, z, x: right(z, F.pad(x, (0, 1, 1, 1))),
            lambda right, z, x: right(z, F.pad(x, (1, 1, 1, 1))),
            lambda right, z, x: right(z, F.pad(x, (2, 2, 2, 2))),
        ],
        "your responses have shape {shape}: an exemplar h cells high fits into H cells at "
        "H − h + 1 places": [
            lambda right, z, x: right(z, x)[:, :-1, :-1],
            lambda right, z, x: right(z, x)[:, 1:-1, 1:-1],
        ],
        "your responses have shape {shape}: rows and columns are exchanged": [
            lambda right, z, x: right(z, x).transpose(1, 2),
            lambda right, z, x: right(z.transpose(2, 3), x),
        ],
        "a response may be negative: return it as it is": [
            lambda right, z, x: right(z, x).abs(),
            lambda right, z, x: right(z, x).relu(),
        ],
        "your exemplar is cut to a fixed size; z may have any": [
            lambda right, z, x, n=n: right(z[..., :n, :n], x) for n in (3, 4, 5, 6)
        ],
    },
    others={
        "Fold the batch into the channels": [
            lambda right, z, x: F.conv2d(x.reshape(1, -1, *x.shape[2:]), z)[0],
            lambda right, z, x: F.conv2d(x, z, groups=len(z)),
        ],
        "the first argument stays": lambda right, z, x: F.conv2d(
            z.reshape(1, -1, *z.shape[2:]), x, groups=len(z)
        )[0],
        "for a batch of one": lambda right, z, x: right(z, x).squeeze(0),
        "one place high": lambda right, z, x: right(z, x).squeeze(1),
        "does not reach `z`": lambda right, z, x: right(z.detach(), x),
        "does not reach `x`": lambda right, z, x: right(z, x.detach()),
        "has lost its gradient": lambda right, z, x: right(z, x).detach(),
    },
)
def examine_correlate(answer, rng) -> None:
    """Cross-correlation of a batch by one grouped convolution."""
    z = torch.from_numpy(rng.normal(size=(3, 4, 3, 2))).float().requires_grad_()
    x = torch.from_numpy(rng.normal(size=(3, 4, 7, 9))).float().requires_grad_()
    what = "the response"
    answer.compare(
        (z, x), what, lambda r: as_tensor(r, (3, 5, 8), what), call=_asked, tolerance=1e-4
    )
    for a, b, shape, case in (
        (z[:1], x[:1], (1, 5, 8), "for a batch of one the response"),
        (z, x[:, :, :3], (3, 1, 8), "where it is one place high, the response"),
        (z[:2], x[:2, :, :, :2], (2, 5, 1), "where it is one place wide, the response"),
    ):
        answer.compare((a, b), case, shape, tolerance=1e-4)
    large = torch.from_numpy(rng.normal(size=(2, 2, 7, 9))).float()
    wide = torch.from_numpy(rng.normal(size=(2, 2, 13, 12))).float()
    answer.compare((large, wide), "for z of 7 × 9 cells the response", (2, 7, 4), tolerance=1e-4)


def _asked(function, z: Tensor, x: Tensor) -> Tensor:
    """The responses; raises Wrong if the function works on other inputs only."""
    try:
        return function(z, x)
    except RuntimeError as problem:
        for others, words in (
            ((x, z), SLIDES),
            ((z[..., :2, :2], x[..., :7, :7]), "square maps; height and width may differ"),
            ((torch.ones(3, 256, 3, 2), torch.ones(3, 256, 7, 9)), "256 channels" + SHAPE),
            ((z[:1], x[:1]), FOLD),
            ((z[:2], x[:2]), "a batch of 2" + SHAPE),
        ):
            if _works(function, *others):
                start = "" if words == SLIDES else "your function works only for "
                raise Wrong(f"{start}{words}") from None
        raise problem from None


SLIDES = (
    "your search images slide over the exemplars, for which they are too large: in F.conv2d the "
    "first argument stays and the second slides"
)
FOLD = (
    "a batch of 1: with B pairs, each filter must meet the C channels of its own pair alone. Fold "
    "the batch into the channels, `x.reshape(1, B * C, H, W)`, and give F.conv2d `groups=B`, B "
    "from the shape"
)
SHAPE = "; take the number from the shape"


def _works(function, *inputs: Tensor) -> bool:
    with suppress(Exception):
        function(*inputs)
        return True
    return False
