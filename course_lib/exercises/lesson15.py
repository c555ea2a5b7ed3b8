"""Check of lesson 15's candidate elimination: which search tokens stay."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array, shape_of
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import attention


def most_attended(q: Tensor, k: Tensor, centre: int, fraction: float) -> Tensor:
    """The search tokens (B, K) that the template's central token attends to most, in rising order.

    Args:
        q: (B, H, Nz, d) queries of the template's tokens.
        k: (B, H, Nz + Nx, d) keys of all tokens, the template's first.
        centre: number of the template's central token.
        fraction: of the Nx search tokens, that stays; K is rounded up.
    """
    return _chosen(q, k, centre, fraction)


def _row(q: Tensor, k: Tensor, centre: int) -> Tensor:
    """Attention (B, H, Nz + Nx) of the central token."""
    return attention.weights(q[:, :, centre : centre + 1], k)[:, :, 0]


def _search(row: Tensor, template: int) -> Tensor:
    """The part of the search tokens."""
    return row[..., template:]


def _chosen(
    q: Tensor,
    k: Tensor,
    centre: int,
    fraction: float,
    row: Callable[[Tensor, Tensor, int], Tensor] = _row,
    heads: Callable[[Tensor], Tensor] = lambda row: row.mean(1),
    part: Callable[[Tensor, int], Tensor] = _search,
    count: Callable[[float], float] = math.ceil,
    ordered: bool = True,
) -> Tensor:
    """The places (B, K), with a part changed.

    Args:
        q, k, centre, fraction: as of `most_attended`.
        row: (q, k, centre) → what tokens are ranked by, (B, H, Nz + Nx).
        heads: → (B, Nz + Nx).
        part: (what they are ranked by, Nz) → that of the search tokens.
        count: fraction · Nx → K.
        ordered: whether places rise.
    """
    ranked = part(heads(row(q, k, centre)), q.shape[2])  # (B, Nx)
    keep = int(count(fraction * (k.shape[2] - q.shape[2])))
    places = ranked.topk(keep, dim=1).indices  # (B, K)
    return places.sort(1).values if ordered else places


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _chosen(*given, **changed)


def _raw(q: Tensor, k: Tensor, centre: int) -> Tensor:
    """Fits (B, H, Nz + Nx) before the softmax."""
    return (q[:, :, centre, None] @ k.transpose(2, 3))[:, :, 0]


def _softmax_of_search(q: Tensor, k: Tensor, centre: int) -> Tensor:
    """The softmax goes over the search tokens alone."""
    fits = _raw(q, k, centre) / math.sqrt(q.shape[-1])
    template = q.shape[2]
    return torch.cat([fits[..., :template], fits[..., template:].softmax(-1)], -1)


def _of_all(right, q, k, centre, fraction):
    """A fraction of all tokens, template and search image."""
    nz, n = q.shape[2], k.shape[2]
    return _chosen(q, k, centre, fraction, count=lambda _: min(math.ceil(fraction * n), n - nz))


@check(
    "deploy.remove",
    reference=most_attended,
    learns=False,
    mistakes={
        "these are the tokens that the template attends to *least*": (
            _with(heads=lambda row: -row.mean(1))
        ),
        "these are the tokens to be removed": lambda right, q, k, centre, fraction: _chosen(
            q,
            k,
            centre,
            fraction,
            heads=lambda row: -row.mean(1),
            count=lambda n: k.shape[2] - q.shape[2] - math.ceil(n),
        ),
        "K is rounded up: ⌈{case[3]} · Nx⌉": [
            _with(count=math.floor),
            _with(count=round),
            _with(count=lambda n: math.ceil(n) + 1),
        ],
        "the fraction is that of the search tokens; the template's are not counted": _of_all,
        "sort the places: they are wanted in rising order": _with(ordered=False),
        "search tokens are numbered from 0; yours are numbered among all tokens": (
            lambda right, *given: right(*given) + given[0].shape[2]
        ),
        "you rank the template's own tokens too; only search tokens are ranked": [
            _with(part=lambda row, nz: row),
            lambda right, *given: _chosen(*given, part=lambda row, nz: row, ordered=False),
            _with(part=lambda row, nz: row[..., : row.shape[-1] - nz]),
        ],
        "your attention is that of all the template's tokens; the corners of a template are "
        "background, so its central token alone is asked": [
            _with(row=lambda q, k, c: attention.weights(q, k).mean(2)),
            _with(row=lambda q, k, c: attention.weights(q.mean(2, keepdim=True), k)[:, :, 0]),
            _with(row=lambda q, k, c: attention.weights(q, k).amax(2)),
        ],
        "you ask another token than `centre`": [
            _with(row=lambda q, k, c: _row(q, k, 0)),
            _with(row=lambda q, k, c: _row(q, k, q.shape[2] // 2)),
            _with(row=lambda q, k, c: _row(q, k, c + 1)),
            _with(row=lambda q, k, c: _row(q, k, q.shape[2] - 1)),
        ],
        "heads are averaged *after* the softmax: before it, a head with large numbers counts more": [
            _with(row=_raw),
            _with(row=lambda q, k, c: _raw(q, k, c)[:, :].mean(1, keepdim=True)),
        ],
        "the softmax goes over all tokens, the template's too: how much attention a head gives to "
        "the search image as a whole is part of its answer": _with(row=_softmax_of_search),
        "q · k is divided by √d before the softmax": (
            _with(row=lambda q, k, c: _raw(q, k, c).softmax(-1))
        ),
        "√d is the root of one head's channels": [
            _with(row=lambda q, k, c: (_raw(q, k, c) / q.shape[-1]).softmax(-1)),
            _with(
                row=lambda q, k, c: (_raw(q, k, c) / (q.shape[-1] * q.shape[1]) ** 0.5).softmax(-1)
            ),
        ],
        "take the mean of all heads, not one head alone and not the largest": [
            _with(heads=lambda row: row[:, 0]),
            _with(heads=lambda row: row[:, -1]),
            _with(heads=lambda row: row.amax(1)),
        ],
        "every image of the batch keeps tokens of its own": lambda right, *given: (
            right(*given)[:1].expand(len(given[0]), -1).clone()
        ),
    },
    others={
        "should be whole numbers": lambda right, *given: right(*given) + 0.5,
        "a mask of True and False": lambda right, q, k, *given: torch.zeros(
            len(q), k.shape[2] - q.shape[2], dtype=torch.bool
        ).scatter(1, right(q, k, *given), True),
        "one row for each image": lambda right, *given: right(*given)[0],
        "in image": lambda right, *given: torch.arange(right(*given).shape[1]).expand(
            len(given[0]), -1
        ),
    },
)
def examine_remove(answer, rng: np.random.Generator) -> None:
    """Heads of different strength, with fractions that are no whole numbers of tokens."""
    cases = []
    for heads, nz, nx, d, fraction in (
        (3, 9, 25, 4, 0.7),
        (2, 16, 36, 6, 0.55),
        (4, 4, 16, 3, 0.35),
        (3, 9, 49, 8, 0.62),
    ):
        q = rng.normal(size=(2, heads, nz, d))
        k = rng.normal(size=(2, heads, nz + nx, d))
        strength = np.geomspace(0.7, 2.5, heads)[rng.permutation(heads)]
        q *= strength[:, None, None]
        q[:, rng.integers(heads), :, :] += 0.8  # one looks at the template most
        k[:, :, :nz] *= 1.3
        centre = attention.central_token(nz)
        tensors = (torch.from_numpy(part).float() for part in (q, k))
        cases.append((*tensors, centre, fraction))

    def ask(f, *case):
        return _padded(f(*case), case[1].shape[2] - case[0].shape[2], len(case[0]))

    compare_arrays(
        answer,
        cases,
        "the places",
        lambda given: as_array(given, given.shape, "the places"),
        _words,
        ask=ask,
    )
    answer.compare(cases[0], "the places", lambda given: as_array(given, shape_of(given), "places"))


def _padded(places, count: int, images: int) -> np.ndarray:
    """Places (B, K) as (B, 4 · Nx) with −1 beyond K, so that wrong numbers of places can be
    compared too.

    Args:
        places: an answer's.
        count: Nx.
        images: B.
    """
    shape = shape_of(places)
    if shape is None or len(shape) != 2 or shape[0] != images:
        raise Wrong(
            f"the places should have one row for each image, shape ({images}, K); yours is "
            f"{'no array of numbers' if shape is None else f'of shape {shape}'}"
        )
    if "bool" in str(getattr(places, "dtype", "")):
        raise Wrong("the places should be numbers of tokens; yours are a mask of True and False")
    array = as_array(places, shape, "the places")
    if (array != array.round()).any():
        raise Wrong("the places should be whole numbers, those of tokens")
    full = np.full((images, 4 * count), -1.0)
    full[:, : shape[1]] = array[:, : 4 * count]
    return full


def _words(given, right, q, k, centre, fraction) -> str:
    """Where an answer's places differ."""
    nx = k.shape[2] - q.shape[2]
    mine, theirs = ((part >= 0).sum(1) for part in (given, right))
    if mine[0] != theirs[0]:
        return f"of {nx} search tokens {int(mine[0])} stay, expected {int(theirs[0])}"
    image = int(np.flatnonzero((given != right).any(1))[0])
    extra = sorted(set(given[image][given[image] >= 0]) - set(right[image]))
    if not extra:
        return f"in image {image} of the batch the right tokens stay, but not in rising order"
    return (
        f"in image {image} of the batch {len(extra)} of {int(theirs[0])} tokens stay that should "
        f"go, the first is {int(extra[0])}"
    )
