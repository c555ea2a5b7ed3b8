"""Check of lesson 14: one block of the one-stream network, over the tokens of both images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.exercises.core import check
from course_lib.exercises.lesson14 import WHAT, both_parts
from course_lib.exercises.lesson14_attention import attention
from course_lib.exercises.networks import randomised
from course_lib.exercises.words import Wrong
from course_lib.models.attention import Block


def stream_block(layers: SimpleNamespace, z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (B, Nz, C) and (B, Nx, C) after a block in which all attend to all.

    Args:
        layers: norm1, qkv, proj, norm2, mlp, and heads, a number.
        z: tokens (B, Nz, C) of the template.
        x: tokens (B, Nx, C) of the search image.
    """
    return _block(layers, z, x)


def drawn_layers(rng: np.random.Generator, dim: int, heads: int) -> SimpleNamespace:
    """The layers of a block with random weights."""
    block = randomised(Block(dim, heads, 2), int(rng.integers(1 << 30)))
    parts = {"norm1": block.norm1, "qkv": block.attn.qkv, "proj": block.attn.proj}
    return SimpleNamespace(**parts, norm2=block.norm2, mlp=block.mlp, heads=heads)


def attended(
    layers: SimpleNamespace,
    tokens: Tensor,
    to: Tensor | None = None,
    order: str = "qkv",
    heads: int | None = None,
) -> Tensor:
    """What the attention adds to tokens (B, N, C) that are normed already.

    Args:
        layers: of the block.
        tokens: (B, N, C) that ask.
        to: (B, M, C), normed, that they attend to; themselves by default.
        order: in which queries, keys and values are taken from the first matrix.
        heads: number of heads, that of the block by default.
    """
    asking, asked = (
        dict(zip(order, layers.qkv(t).chunk(3, -1), strict=True))
        for t in (tokens, tokens if to is None else to)
    )
    mixed, _ = attention(asking["q"], asked["k"], asked["v"], heads or layers.heads)
    return layers.proj(mixed)  # (B, N, C)


Part = Callable[..., Tensor]


def _block(
    layers: SimpleNamespace,
    z: Tensor,
    x: Tensor,
    look: Part = attended,
    first: Part = lambda layers, t: layers.norm1(t),
    add: Part = lambda t, new, normed: t + new,
    think: Part = lambda layers, t, before: t + layers.mlp(layers.norm2(t)),
) -> tuple[Tensor, Tensor]:
    """The block, with a part changed.

    Args:
        layers: of the block.
        z: tokens (B, Nz, C).
        x: tokens (B, Nx, C).
        look: (layers, normed tokens (B, Nz + Nx, C)) → what the attention adds.
        first: (layers, tokens) → tokens for the attention.
        add: (tokens, what the attention adds, normed tokens) → tokens.
        think: (layers, tokens, tokens before the block) → tokens after it.
    """
    before = torch.cat([z, x], 1)  # (B, Nz + Nx, C)
    normed = first(layers, before)
    after = think(layers, add(before, look(layers, normed), normed), before)
    return after[:, : z.shape[1]], after[:, z.shape[1] :]


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _block(*given, **changed)


def _unmixed(right, layers, z, x):
    """A mistake: each image attends to itself only."""
    alone = [right(layers, t, t[:, :0])[0] for t in (z, x)]
    return tuple(alone)


def _mixed_up(right, layers, z, x):
    """A mistake: the search image's tokens come first, but the first Nz are taken as the
    template's."""
    whole = torch.cat(right(layers, x, z), 1)
    return whole[:, : z.shape[1]], whole[:, z.shape[1] :]


def _crosswise(right, layers, z, x):
    """A mistake: each image attends to the other only."""
    a, b = layers.norm1(z), layers.norm1(x)
    new = [t + attended(layers, own, other) for t, own, other in ((z, a, b), (x, b, a))]
    return tuple(t + layers.mlp(layers.norm2(t)) for t in new)


def _without_matrix(layers: SimpleNamespace, tokens: Tensor) -> Tensor:
    """A mistake: the second matrix of the attention is left out."""
    q, k, v = layers.qkv(tokens).chunk(3, -1)
    return attention(q, k, v, layers.heads)[0]


def _by_heads(layers: SimpleNamespace, tokens: Tensor) -> Tensor:
    """A mistake: each head's queries, keys and values lie together."""
    q, k, v = layers.qkv(tokens).unflatten(2, (layers.heads, 3, -1)).unbind(3)  # (B, N, H, d)
    return layers.proj(attention(q.flatten(2), k.flatten(2), v.flatten(2), layers.heads)[0])


@check(
    "stream.block",
    reference=stream_block,
    mistakes={
        "each image attends to itself only, so nothing is compared: join the tokens of both "
        "first": (_unmixed),
        "each image attends to the other only; joined, every token attends to all": _crosswise,
        "you join the tokens search image first, but split them template first": _mixed_up,
        "your template's tokens do not attend to both images; here they should as well": [
            (
                0,
                lambda right, layers, z, x: (
                    right(layers, z, z[:, :0])[0],
                    right(layers, z, x)[1],
                ),
            ),
            (0, lambda right, layers, z, x: (z, right(layers, z, x)[1])),
        ],
        "the norm stands *before* the attention, at its input; yours comes after the sum, as in "
        "the first transformers": _with(
            first=lambda layers, t: t,
            add=lambda t, new, _: t + new,
            think=lambda layers, t, _: _after(layers, t),
        ),
        "neither of the two steps reads normed tokens: norm1 before the attention, norm2 before "
        "the network": _with(
            first=lambda layers, t: t, think=lambda layers, t, _: t + layers.mlp(t)
        ),
        "the attention reads tokens that are not normed": _with(first=lambda layers, t: t),
        "the network on each token reads tokens that are not normed": _with(
            think=lambda layers, t, _: t + layers.mlp(t)
        ),
        "what the attention finds is *added* to the tokens; yours takes their place": _with(
            add=lambda t, new, _: new
        ),
        "what the network on each token finds is *added* to the tokens; yours takes their place": (
            _with(think=lambda layers, t, _: layers.mlp(layers.norm2(t)))
        ),
        "you add to the normed tokens; the residual path leaves the tokens as they are": [
            _with(add=lambda t, new, normed: normed + new),
            _with(think=lambda layers, t, _: layers.norm2(t) + layers.mlp(layers.norm2(t))),
        ],
        "the two norms have weights of their own: norm1 before the attention, norm2 before the "
        "network": [
            _with(think=lambda layers, t, _: t + layers.mlp(layers.norm1(t))),
            _with(
                first=lambda layers, t: layers.norm2(t),
                think=lambda layers, t, _: t + layers.mlp(layers.norm1(t)),
            ),
        ],
        "the network reads the tokens as they are *after* the attention": _with(
            think=lambda layers, t, before: t + layers.mlp(layers.norm2(before))
        ),
        "what the network on each token finds is added to the tokens as they are *after* the "
        "attention; yours is added to those before it, so what the attention found is lost": _with(
            think=lambda layers, t, before: before + layers.mlp(layers.norm2(t))
        ),
        "qkv gives queries, keys and values in this order": [
            _with(look=partial(attended, order=order)) for order in ("kqv", "vkq", "qvk")
        ],
        "qkv gives all queries first, then all keys, then all values, each in C channels; you take "
        "them head by head": _with(look=_by_heads),
        "the attention has as many heads as `layers.heads` says": _with(
            look=partial(attended, heads=1)
        ),
        "`proj` is missing: it mixes what the heads have found": _with(look=_without_matrix),
        "the network on each token is missing": _with(think=lambda layers, t, _: t),
        "the attention is missing": _with(look=lambda layers, t: 0 * t),
    },
    others={
        "your two results have changed places: the template's tokens come first": (
            lambda right, *given: right(*given)[::-1]
        ),
        "return two, one for each": lambda right, *given: torch.cat(right(*given), 1),
        "does not reach `z`": lambda right, layers, z, x: right(layers, z.detach(), x),
        "token at": lambda right, *given: tuple(t.relu() for t in right(*given)),
        "would never learn": lambda right, layers, z, x: right(
            SimpleNamespace(**{**vars(layers), "mlp": _still(layers.mlp)}), z, x
        ),
    },
)
def examine_block(answer, rng: np.random.Generator) -> None:
    """A block with random weights, on few tokens; the weights have to learn as well."""
    for B, Nz, Nx, C, heads in ((3, 3, 5, 6, 3), (1, 4, 4, 4, 2)):
        layers = drawn_layers(rng, C, heads)
        z, x = (
            torch.from_numpy(rng.normal(0.3, 1.5, (B, n, C))).float().requires_grad_()
            for n in (Nz, Nx)
        )
        read = partial(both_parts, what=WHAT, sizes=((B, Nz, C), (B, Nx, C)))
        answer.compare((layers, z, x), WHAT, read, tolerance=1e-5, near=1e-5)
        _require_learning(answer, layers, z, x)


def _require_learning(answer, layers: SimpleNamespace, z: Tensor, x: Tensor) -> None:
    """Raise Wrong unless every weight of the block gets a gradient."""
    parts = {name: part for name, part in vars(layers).items() if isinstance(part, nn.Module)}
    total = sum(t.square().sum() for t in answer(layers, z, x))
    for name, part in parts.items():
        found = torch.autograd.grad(
            total, [*part.parameters()], retain_graph=True, allow_unused=True
        )
        if any(g is None or not g.any() for g in found):
            raise Wrong(f"no gradient reaches the weights of `{name}`: they would never learn")


def _after(layers: SimpleNamespace, t: Tensor) -> Tensor:
    """A mistake: norms behind the sums."""
    t = layers.norm1(t)
    return layers.norm2(t + layers.mlp(t))


def _still(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """A mistake: the network's weights do not learn."""
    weights = {name: value.detach() for name, value in network.named_parameters()}
    return lambda t: torch.func.functional_call(network, weights, (t,))
