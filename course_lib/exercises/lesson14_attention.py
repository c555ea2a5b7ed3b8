"""Check of lesson 14: attention in several heads."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, as_parts, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import attention as library

WHAT = ("the mixed values", "the weight")
MIXED, WEIGHTS = 0, 1  # the part of the result by which a mistake is known


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Mixed values (B, N, C), the heads side by side, and the weights (B, H, N, M) of the mixture.

    Args:
        q: queries (B, N, C).
        k: keys (B, M, C).
        v: values (B, M, C).
        heads: H; each has C / H channels, the first ones belong to the first head.
    """
    q, k, v = (_split(t, heads) for t in (q, k, v))
    weights = library.weights(q, k)  # (B, H, N, M)
    return _joined(weights @ v), weights


def _split(tokens: Tensor, heads: int) -> Tensor:
    """Tokens (B, N, C) as (B, H, N, d)."""
    return tokens.unflatten(2, (heads, -1)).transpose(1, 2)


def _joined(tokens: Tensor) -> Tensor:
    """Tokens (B, H, N, d) as (B, N, C)."""
    return tokens.transpose(1, 2).flatten(2)


def _with(
    score=lambda q, k: q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]),
    weigh=lambda s: s.softmax(-1),
    split=_split,
    joined=_joined,
    mix=lambda w, v: w @ v,
):
    """A mistake: another part.

    Args:
        score: (q (B, H, N, d), k (B, H, M, d)) → (B, H, N, M).
        weigh: scores → weights.
        split: (tokens (B, N, C), heads) → (B, H, N, d).
        joined: back.
        mix: (weights, v (B, H, M, d)) → (B, H, N, d).
    """

    def code(right, q, k, v, heads):
        q, k, v = (split(t, heads) for t in (q, k, v))
        weights = weigh(score(q, k))
        return joined(mix(weights, v)), weights

    return code


def _dots(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1)


def _interleaved(tokens: Tensor, heads: int) -> Tensor:
    """A mistake: every H-th channel belongs to a head."""
    return tokens.unflatten(2, (-1, heads)).permute(0, 3, 1, 2)


def _cut(tokens: Tensor, heads: int) -> Tensor:
    """A mistake: (B, N, C) reshaped to (B, H, N, d) at once."""
    B, N, C = tokens.shape
    return tokens.reshape(B, heads, N, C // heads)


def _unsorted(tokens: Tensor) -> Tensor:
    """A mistake: (B, H, N, d) reshaped to (B, N, C) at once."""
    B, H, N, d = tokens.shape
    return tokens.reshape(B, N, H * d)


@check(
    "stream.attention",
    reference=attention,
    mistakes={
        "the dot products are divided by √d, the root of a head's channels; yours are not divided": (
            _with(_dots)
        ),
        "d is the number of channels of one head, not of all: divide by √(C / H)": [
            lambda right, q, k, v, heads: _with(lambda a, b: _dots(a, b) / math.sqrt(q.shape[-1]))(
                right, q, k, v, heads
            ),
        ],
        "the root is that of d, the channels of one head; yours is of the number of keys, or of heads": [
            _with(lambda q, k: _dots(q, k) / math.sqrt(k.shape[-2])),
            _with(lambda q, k: _dots(q, k) / math.sqrt(q.shape[1])),
        ],
        "the dot products are divided by √d *before* the softmax; after it a row no longer sums to 1": (
            lambda right, q, k, v, heads: _with(
                _dots, lambda s: s.softmax(-1) / math.sqrt(q.shape[-1] / heads)
            )(right, q, k, v, heads)
        ),
        "the dot products are divided by the *root* of d": [
            _with(lambda q, k: _dots(q, k) / q.shape[-1]),
            _with(lambda q, k: _dots(q, k) * math.sqrt(q.shape[-1])),
        ],
        "each query shares out its attention among the keys: the softmax is over the last axis, so "
        "that a row sums to 1; yours is over the queries": _with(weigh=lambda s: s.softmax(-2)),
        "the softmax is over the keys; yours is over the heads or over all pairs at once": [
            _with(weigh=lambda s: s.softmax(1)),
            _with(weigh=lambda s: s.flatten(2).softmax(-1).view_as(s)),
        ],
        "there is no softmax: this is cross-correlation, whose answers need not sum to 1": _with(
            weigh=lambda s: s
        ),
        "a sigmoid judges each key by itself; the softmax makes the keys compete": (
            _with(weigh=lambda s: s.sigmoid())
        ),
        "every H-th channel goes to the same head; a head has C / H channels that lie side by side": (
            _with(split=_interleaved, joined=lambda t: t.permute(0, 2, 3, 1).flatten(2))
        ),
        "`reshape` to (B, H, N, d) at once mixes tokens and heads: split the channels first, (B, N, "
        "H, d), then exchange the axes": [
            _with(split=_cut),
            _with(split=_cut, joined=_unsorted),
        ],
        "your weights are right, but the heads are put together without exchanging the axes back: "
        "the channels of a token come from several tokens": _with(joined=_unsorted),
        "all heads have the same weights; each has its own queries and keys": _with(
            weigh=lambda s: s.softmax(-1).mean(1, keepdim=True).expand_as(s)
        ),
        "the keys are weighed, the *values* are mixed; you mix the keys": (
            lambda right, q, k, v, heads: right(q, k, k, heads)
        ),
        "keys and values have changed places: q meets k": (
            lambda right, q, k, v, heads: right(q, v, k, heads)
        ),
        "your weights are right, but you do not mix the values with them": [
            (MIXED, _with(mix=lambda w, v: v.mean(2, keepdim=True).expand(-1, -1, w.shape[2], -1))),
            (
                MIXED,
                lambda right, q, k, v, heads: (
                    _joined(
                        right(q, k, v, heads)[WEIGHTS].mean(1, keepdim=True) @ _split(v, heads)
                    ),
                    right(q, k, v, heads)[WEIGHTS],
                ),
            ),
        ],
        "your mixed values are right, but your weights are what goes into the softmax; return what "
        "comes out of it": (
            WEIGHTS,
            lambda right, q, k, v, heads: (
                right(q, k, v, heads)[0],
                _with(weigh=lambda s: s)(right, q, k, v, heads)[WEIGHTS],
            ),
        ),
        "your mixed values are right, but your weights are (H, B, N, M): images come first, "
        "then heads": (
            WEIGHTS,
            lambda right, *given: (right(*given)[0], right(*given)[1].transpose(0, 1)),
        ),
        "do not add the query here: only the values are mixed; the residual is the block's": (
            MIXED,
            lambda right, q, k, v, heads: (
                right(q, k, v, heads)[0] + q,
                right(q, k, v, heads)[1],
            ),
        ),
    },
    others={
        "your two results have changed places: the mixed values come first": (
            lambda right, *given: right(*given)[::-1]
        ),
        "the answer should have two parts": lambda right, *given: right(*given)[0],
        "are the heads averaged": lambda right, *given: (
            right(*given)[0],
            right(*given)[1].mean(1),
        ),
        "all channels as one head": lambda right, q, k, v, heads: right(q, k, v, 1),
        "does not reach `k`": lambda right, q, k, v, heads: right(q, k.detach(), v, heads),
        "the weight at": lambda right, *given: (right(*given)[0], right(*given)[1].round()),
    },
)
def examine_attention(answer, rng: np.random.Generator) -> None:
    """Attention of N queries to M keys in one head, two and three, and with as many queries as
    keys."""
    for B, N, M, C, heads in ((3, 5, 7, 6, 3), (1, 5, 5, 4, 2), (2, 3, 4, 4, 1)):
        q, k, v = (
            torch.from_numpy(rng.normal(0.1, 1.2, (B, n, C))).float().requires_grad_()
            for n in (N, M, M)
        )
        read = partial(_read, B=B, N=N, M=M, C=C, H=heads)
        answer.compare((q, k, v, heads), WHAT, read, tolerance=1e-5, near=1e-5)


def _read(given, B: int, N: int, M: int, C: int, H: int):
    """Both parts as arrays."""
    parts = as_parts(given, *WHAT)
    mixed, weights = map(shape_of, parts)
    if mixed == (B, H, N, M) and weights == (B, N, C):
        raise Wrong("your two results have changed places: the mixed values come first")
    if weights == (B, 1, N, M) and H > 1:
        raise Wrong("you take all channels as one head: split them first")
    if weights == (B, N, M):
        raise Wrong(
            f"the weights have shape {weights}; expected {(B, H, N, M)}: are the heads averaged?"
        )
    return as_array(parts[0], (B, N, C), WHAT[0]), as_array(parts[1], (B, H, N, M), WHAT[1])
