"""Check of lesson 14: a template that looks only at itself, and is computed once for all frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import (
    as_array,
    as_parts,
    copied,
    require_untouched,
    shape_of,
)
from course_lib.exercises.core import check
from course_lib.exercises.lesson14_attention import attention
from course_lib.exercises.lesson14_block import drawn_layers
from course_lib.exercises.words import Wrong

WHAT = ("the template's token", "the search image's token", "the next search image's token")
Ask = Callable[[Tensor], Tensor]
Rows = tuple[Tensor, Tensor, Tensor]  # queries, keys, values (B, N, C)


def template_first(layers: SimpleNamespace, z: Tensor) -> tuple[Tensor, Ask]:
    """The template's tokens after a block in which they attend only to themselves, and a function
    from the search image's tokens (B, Nx, C) to those after the block, in which they attend to
    both.

    Args:
        layers: norm1, qkv, proj, norm2, mlp, and heads, a number.
        z: tokens (1, Nz, C) of the template.
    """
    return _first(layers, z)


def _rows(layers: SimpleNamespace, t: Tensor) -> Rows:
    """Queries, keys and values of tokens."""
    return layers.qkv(layers.norm1(t)).chunk(3, -1)


def _kept(layers: SimpleNamespace, z: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of the template."""
    return _rows(layers, z)[1:]


def _beside(layers: SimpleNamespace, rows: Rows, kept: tuple[Tensor, Tensor]) -> Tensor:
    """What the attention adds to the search image's tokens."""
    q, k, v = rows
    k, v = (torch.cat([a.expand(len(q), -1, -1), b], 1) for a, b in zip(kept, (k, v), strict=True))
    return layers.proj(attention(q, k, v, layers.heads)[0])


def _think(layers: SimpleNamespace, t: Tensor) -> Tensor:
    return t + layers.mlp(layers.norm2(t))


def _alone(layers: SimpleNamespace, z: Tensor) -> Tensor:
    """The template's tokens after the block."""
    q, k, v = _rows(layers, z)
    return _think(layers, z + layers.proj(attention(q, k, v, layers.heads)[0]))


def _first(
    layers: SimpleNamespace,
    z: Tensor,
    alone: Callable[..., Tensor] = _alone,
    kept: Callable[..., tuple[Tensor, Tensor]] = _kept,
    beside: Callable[..., Tensor] = _beside,
    think: Callable[..., Tensor] = _think,
    rows: Callable[..., Rows] = _rows,
) -> tuple[Tensor, Ask]:
    """The answer, with a part changed.

    Args:
        layers: of the block.
        z: tokens (1, Nz, C).
        alone: (layers, z) → the template's tokens after the block.
        kept: (layers, z) → its keys and values.
        beside: (layers, rows of x, kept) → what the attention adds to x.
        think: (layers, x) → x after the network on each token.
        rows: (layers, x) → queries, keys, values.
    """
    keys_values = kept(layers, z)

    def ask(x: Tensor) -> Tensor:
        return think(layers, x + beside(layers, rows(layers, x), keys_values))

    return alone(layers, z), ask


def _with(**changed):
    """A mistake: another part."""
    return lambda right, layers, z: _first(layers, z, **changed)


def _apart(layers: SimpleNamespace, rows: Rows, kept: tuple[Tensor, Tensor]) -> Tensor:
    """A mistake: two softmaxes, one for each image, are added."""
    q, k, v = rows
    pairs = ((kept[0].expand(len(q), -1, -1), kept[1].expand(len(q), -1, -1)), (k, v))
    return layers.proj(sum(attention(q, *pair, layers.heads)[0] for pair in pairs))


def _crossed(layers: SimpleNamespace, rows: Rows, kept: tuple[Tensor, Tensor]) -> Tensor:
    """A mistake: the template's keys come first, but its values last."""
    q, k, v = rows
    first, last = (t.expand(len(q), -1, -1) for t in kept)
    mixed, _ = attention(q, torch.cat([first, k], 1), torch.cat([v, last], 1), layers.heads)
    return layers.proj(mixed)


def _anew(right, layers, z):
    """A mistake: the template's keys and values are computed for every search image."""
    return right(layers, z)[0], lambda x: right(layers, z)[1](x)


def _all_ask(right, layers, z):
    """A mistake: the template's kept queries ask again beside those of every search image."""
    kept = _rows(layers, z)

    def ask(x):
        t = torch.cat([z.expand(len(x), -1, -1), x], 1)  # (B, Nz + Nx, C)
        rows = zip(kept, _rows(layers, x), strict=True)
        q, k, v = (torch.cat([a.expand(len(x), -1, -1), b], 1) for a, b in rows)
        mixed = attention(q, k, v, layers.heads)[0]
        return _think(layers, t + layers.proj(mixed))[:, z.shape[1] :]

    return right(layers, z)[0], ask


@check(
    "stream.cache",
    reference=template_first,
    learns=False,
    mistakes={
        "the keys and values to keep are made *inside* the block, from the normed tokens z; yours "
        "are made from the template's tokens after the block": _with(
            kept=lambda layers, z: _kept(layers, _alone(layers, z))
        ),
        "the kept keys and values are those of *normed* tokens": _with(
            kept=lambda layers, z: layers.qkv(z).chunk(3, -1)[1:]
        ),
        "qkv gives queries, keys and values in this order; you keep the wrong ones": [
            _with(kept=lambda layers, z: _rows(layers, z)[:2]),
            _with(kept=lambda layers, z: _rows(layers, z)[:0:-1]),
            _with(kept=lambda layers, z: _rows(layers, z)[::2]),
        ],
        "the search image's tokens do not see the template": [
            (1, _with(beside=lambda layers, rows, kept: _beside(layers, rows, _none(kept)))),
            (1, lambda right, layers, z: (right(layers, z)[0], partial(_alone, layers))),
        ],
        "the search image's tokens see the template only; they attend to themselves as well": (
            1,
            _with(
                beside=lambda layers, rows, kept: _beside(layers, (rows[0], *_none(rows[1:])), kept)
            ),
        ),
        "each query has *one* softmax over the keys of both images; you add two, one for each": (
            _with(beside=_apart)
        ),
        "you return the template's tokens as they came; the next block needs them after this one": (
            lambda right, layers, z: (z, right(layers, z)[1])
        ),
        "the template's tokens do not go through the network on each token": (
            0,
            _with(
                alone=lambda layers, z: (
                    z + layers.proj(attention(*_rows(layers, z), layers.heads)[0])
                )
            ),
        ),
        "the search image's tokens do not go through the network on each token": _with(
            think=lambda layers, t: t
        ),
        "the network on each token reads the search image's tokens as they are *after* the "
        "attention": lambda right, layers, z: (
            right(layers, z)[0],
            lambda x: (
                x
                + _beside(layers, _rows(layers, x), _kept(layers, z))
                + layers.mlp(layers.norm2(x))
            ),
        ),
        "join keys and values in the same order: yours belong to different tokens": (
            1,
            _with(beside=_crossed),
        ),
        "what the search image's attention finds is added to its tokens; yours takes their place": (
            lambda right, layers, z: (
                right(layers, z)[0],
                lambda x: _think(layers, _beside(layers, _rows(layers, x), _kept(layers, z))),
            )
        ),
        "the search image's tokens are not normed before the attention": _with(
            rows=lambda layers, x: layers.qkv(x).chunk(3, -1)
        ),
        "the attention has as many heads as `layers.heads` says": _with(
            beside=lambda layers, rows, kept: _beside(_single(layers), rows, kept)
        ),
        "`proj` is missing: it mixes what the heads have found": _with(
            beside=lambda layers, rows, kept: _beside(
                SimpleNamespace(**{**vars(layers), "proj": lambda t: t}), rows, kept
            )
        ),
    },
    others={
        "`qkv` anew for every search image": _anew,
        "`mlp` anew for every search image": _all_ask,
        "your function changes the search image's tokens": lambda right, layers, z: (
            right(layers, z)[0],
            lambda x: x.copy_(right(layers, z)[1](x)),
        ),
        "the template's tokens after the block, and a function": (
            lambda right, layers, z: right(layers, z)[::-1]
        ),
        "for one template": _with(
            beside=lambda layers, rows, kept: layers.proj(
                attention(
                    rows[0], *(_once(*p) for p in zip(kept, rows[1:], strict=True)), layers.heads
                )[0]
            )
        ),
        "token at": lambda right, layers, z: (
            right(layers, z)[0],
            lambda x: right(layers, z)[1](x) + 0.01,
        ),
    },
)
def examine_cache(answer, rng: np.random.Generator) -> None:
    """One template asked about one search image, then about three at once; and what goes through
    `qkv` meanwhile."""
    Nz, C, heads = 3, 6, 3
    layers = drawn_layers(rng, C, heads)
    z = torch.from_numpy(rng.normal(0.3, 1.5, (1, Nz, C))).float()
    images = [
        torch.from_numpy(rng.normal(0.3, 1.5, (B, N, C))).float() for B, N in ((1, 5), (3, 4))
    ]
    sizes = ((1, Nz, C), *(tuple(x.shape) for x in images))

    def read(given: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
        parts = zip(given, sizes, WHAT, strict=True)
        return tuple(as_array(part, size, f"{what}s") for part, size, what in parts)

    with torch.no_grad():
        answer.compare(
            (layers, z),
            WHAT,
            read,
            call=lambda f, layers, z: _asked(f, layers, z, images),
            tolerance=1e-5,
            near=1e-5,
        )
        _require_kept(answer, layers, z, images[0])


def _asked(f: Any, layers: SimpleNamespace, z: Tensor, images: list[Tensor]) -> tuple:
    """The template's tokens, and those of each search image, after the block."""
    parts = as_parts(f(layers, z), "the template's tokens after the block", "a function")
    if not callable(parts[1]) or shape_of(parts[0]) is None:
        raise Wrong("return the template's tokens after the block, and a function, in this order")
    given = copied(images)
    found = [parts[1](given[0])]  # one image: an error here has another cause
    try:
        found += [parts[1](x) for x in given[1:]]
    except RuntimeError as problem:
        if "must match" in str(problem) or "Expected size" in str(problem):
            raise Wrong(
                "your function fails when several search images share one template: there are keys "
                f"for one template, but {len(images[1])} images; `expand` repeats a tensor without "
                "copying it"
            ) from None
        raise
    for was, now in zip(images, given, strict=True):
        require_untouched(was, now, "the search image's tokens")
    return parts[0], *found


def _require_kept(answer: Any, layers: SimpleNamespace, z: Tensor, x: Tensor) -> None:
    """Raise Wrong if the template goes through `qkv` or `mlp` again when a search image comes."""
    seen: list[Tensor] = []
    thought: list[int] = []  # numbers of tokens
    _, ask = answer(layers, z.clone())
    hooks = [
        layers.qkv.register_forward_hook(lambda _, given, __: seen.append(given[0].flatten(0, -2))),
        layers.mlp.register_forward_hook(
            lambda _, given, __: thought.append(given[0][..., 0].numel())
        ),
    ]
    try:
        ask(x.clone())
    finally:
        for hook in hooks:
            hook.remove()
    rows = layers.norm1(z)[0]  # (Nz, C)
    if seen and bool((torch.cdist(torch.cat(seen), rows) < 1e-4).any()):
        raise Wrong(
            "the template goes through `qkv` anew for every search image; its keys and values are the "
            "same each time: compute them outside the function that you return"
        )
    if sum(thought) > x[..., 0].numel():
        raise Wrong(
            "the template's tokens go through `mlp` anew for every search image; in the function "
            "that you return, only the search image's tokens have queries and go through `mlp`"
        )


def _none(rows: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Keys and values of no token."""
    return tuple(t[:, :0] for t in rows)


def _single(layers: SimpleNamespace) -> SimpleNamespace:
    """A mistake: one head."""
    return SimpleNamespace(**{**vars(layers), "heads": 1})


def _once(kept: Tensor, own: Tensor) -> Tensor:
    """A mistake: joined without expanding (1, Nz, C) to (B, Nz, C)."""
    return torch.cat([kept, own], 1)
