"""Check of lesson 14: two feature maps as tokens, with the codes of their places."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array, as_parts, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import stems

WHAT = ("the template's token", "the search image's token")
Z, X = 0, 1  # the part of the result by which a mistake is known


def tokens_of(z: Tensor, x: Tensor, place_z: Tensor, place_x: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (B, m², C) of the template and (B, n², C) of the search image, row by row, each with
    the code of its place.

    Args:
        z: (B, C, m, m) features of the template.
        x: (B, C, n, n) features of the search image.
        place_z: (1, m², C).
        place_x: (1, n², C).
    """
    return stems.tokens_of(z) + place_z, stems.tokens_of(x) + place_x


def _laid(change):
    """A mistake: features laid out otherwise, change(features (B, C, n, n)) → (B, n², C)."""
    return lambda right, z, x, place_z, place_x: (change(z) + place_z, change(x) + place_x)


def _coded(change):
    """A mistake: codes added otherwise, change(tokens (B, n², C), code (1, n², C))."""

    def code(right, z, x, place_z, place_x):
        return change(stems.tokens_of(z), place_z), change(stems.tokens_of(x), place_x)

    return code


def _others_codes(right, z, x, place_z, place_x):
    """A mistake: the template gets the search image's first codes."""
    return right(z, x, place_x[:, : place_z.shape[1]], place_x)


def _upper_left(right, z, x, place_z, place_x):
    """A mistake: the template gets the codes of the search image's upper left corner."""
    m, n = z.shape[-1], x.shape[-1]
    corner = place_x.unflatten(1, (n, n))[:, :m, :m].flatten(1, 2)  # (1, m², C)
    return right(z, x, corner, place_x)


@check(
    "stream.tokens",
    reference=tokens_of,
    mistakes={
        "your tokens are numbered column by column; `flatten` reads a map row by row": [
            _laid(lambda f: stems.tokens_of(f.transpose(2, 3))),
        ],
        "`reshape` keeps the order of the numbers, so your token holds neighbours of one channel; "
        "a token is one cell with all its channels: flatten the cells, then exchange the axes": [
            _laid(lambda f: f.reshape(len(f), -1, f.shape[1])),
            _laid(lambda f: f.flatten(2).reshape(len(f), -1, f.shape[1])),
        ],
        "the template's tokens have the search image's codes; each image has codes of its own": [
            _others_codes,
            _upper_left,
        ],
        "without codes the network sees a set of tokens and not where they lie: add them": _coded(
            lambda tokens, place: tokens + 0 * place
        ),
        "one of the two images has no codes": [
            (Z, lambda right, z, x, place_z, place_x: right(z, x, 0 * place_z, place_x)),
            (X, lambda right, z, x, place_z, place_x: right(z, x, place_z, 0 * place_x)),
        ],
        "a code is added to its token, not multiplied": _coded(
            lambda tokens, place: tokens * place
        ),
        "every cell has a code of its own; all of yours have the same": [
            _coded(lambda tokens, place: tokens + place[:, :1]),
            _coded(lambda tokens, place: tokens + place.mean(1, keepdim=True)),
        ],
        "a code has a number for every channel; yours has one for all": _coded(
            lambda tokens, place: tokens + place.mean(2, keepdim=True)
        ),
        "your codes lie in another order than your tokens: code number i belongs to token number i": [
            _coded(lambda tokens, place: tokens + place.flip(1)),
            lambda right, z, x, place_z, place_x: right(
                z, x, *(_columns(place) for place in (place_z, place_x))
            ),
        ],
        "use the features as they are, without a factor √C and without a norm": [
            _coded(lambda tokens, place: tokens * tokens.shape[2] ** 0.5 + place),
            _coded(lambda tokens, place: torch.nn.functional.normalize(tokens, dim=2) + place),
        ],
        "each code is added once; yours is added twice": _coded(
            lambda tokens, place: tokens + 2 * place
        ),
        "each image of the batch keeps its own tokens; all of yours are those of one": [
            _laid(lambda f: stems.tokens_of(f)[:1].expand(len(f), -1, -1)),
            _laid(lambda f: stems.tokens_of(f).mean(0, keepdim=True).expand(len(f), -1, -1)),
        ],
    },
    others={
        "your two results have changed places: the template's tokens come first": (
            lambda right, *given: right(*given)[::-1]
        ),
        "return two, one for each": lambda right, *given: torch.cat(right(*given), 1),
        "expected images, tokens, channels": [
            lambda right, *given: tuple(t.transpose(1, 2) for t in right(*given)),
            lambda right, z, x, place_z, place_x: (
                torch.cat([stems.tokens_of(z), place_z.expand(len(z), -1, -1)], 2),
                torch.cat([stems.tokens_of(x), place_x.expand(len(x), -1, -1)], 2),
            ),
        ],
        "does not reach `place_z`": lambda right, z, x, place_z, place_x: right(
            z, x, place_z.detach(), place_x
        ),
        "your function changes": lambda right, z, x, place_z, place_x: right(
            z.detach().add_(1) - 1, x, place_z, place_x
        ),
        "token at": lambda right, *given: tuple(t.relu() for t in right(*given)),
    },
)
def examine_tokens(answer, rng: np.random.Generator) -> None:
    """Tokens of two maps of different size, with as many channels as one of them has cells per
    side."""
    for B, C, m, n in ((3, 4, 3, 4), (1, 3, 2, 3)):
        shapes = ((B, C, m, m), (B, C, n, n), (1, m * m, C), (1, n * n, C))
        inputs = tuple(
            torch.from_numpy(rng.normal(0.2, 1, s)).float().requires_grad_() for s in shapes
        )
        read = partial(both_parts, what=WHAT, sizes=((B, m * m, C), (B, n * n, C)))
        answer.compare(inputs, WHAT, read)


def both_parts(
    given: Any, what: tuple[str, str], sizes: tuple[tuple[int, ...], tuple[int, ...]]
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of template and search image as arrays; raises Wrong if they are something else.

    Args:
        given: an answer's result.
        what: names of the parts.
        sizes: (B, Nz, C) and (B, Nx, C).
    """
    (B, Nz, C), (_, Nx, _) = sizes
    if shape_of(given) == (B, Nz + Nx, C):
        raise Wrong("you return the tokens of both images in one tensor; return two, one for each")
    parts = as_parts(given, *(f"{name}s" for name in what))
    shapes = tuple(map(shape_of, parts))
    if shapes == sizes[::-1] and shapes != sizes:
        raise Wrong("your two results have changed places: the template's tokens come first")
    for shape, size, name in zip(shapes, sizes, what, strict=True):
        if shape is not None and shape != size:
            raise Wrong(f"{name}s have shape {shape}; expected images, tokens, channels: {size}")
    return tuple(as_array(p, s, w) for p, s, w in zip(parts, sizes, what, strict=True))


def _columns(place: Tensor) -> Tensor:
    """Codes (1, n², C) in the order of a map that is read column by column."""
    n = round(place.shape[1] ** 0.5)
    return place.unflatten(1, (n, n)).transpose(1, 2).flatten(1, 2)
