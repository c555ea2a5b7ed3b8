"""Check of lesson 15's tokens that are put back, with a fault: where they belong after two
removals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.attention import put_back


def mended_put_back(tokens: Tensor, stayed: list[Tensor], count: int) -> Tensor:
    """Tokens (B, count, C) with 0 where tokens were removed.

    Args:
        tokens: (B, K, C) those that stayed after all removals.
        stayed: of each removal the places (B, Kᵢ) that stayed, among the tokens before it.
        count: of tokens before the first removal.
    """
    return put_back(tokens, _followed(tokens, stayed, count), count)


def _followed(tokens: Tensor, stayed: list[Tensor], count: int) -> Tensor:
    """Places (B, K) among all tokens."""
    places = torch.arange(count).expand(len(tokens), -1)  # (B, count)
    for chosen in stayed:
        places = places.gather(1, chosen)
    return places


def _back(
    tokens: Tensor,
    stayed: list[Tensor],
    count: int,
    places: Callable[[Tensor, list[Tensor], int], Tensor] = _followed,
    empty: float | Callable[[Tensor], Tensor] = 0.0,
) -> Tensor:
    """The tokens put back, with a part changed.

    Args:
        tokens, stayed, count: as of `mended_put_back`.
        places: → (B, K).
        empty: what stands where tokens were removed.
    """
    at = places(tokens, stayed, count)
    filled = put_back(tokens, at, count)
    there = put_back(torch.ones_like(tokens), at, count)
    value = empty(tokens) if callable(empty) else empty
    return torch.where(there > 0, filled, torch.as_tensor(value).to(tokens))


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _back(*given, **changed)


def _summed(right, tokens, stayed, count):
    """Tokens that meet at one place are added up."""
    full = tokens.new_zeros(len(tokens), count, tokens.shape[-1])
    at = stayed[-1][..., None].expand_as(tokens)
    return full.scatter_add(1, at, tokens)


def _backwards(tokens, stayed, count):
    """The last removal is followed first, as far as there are places."""
    places = stayed[-1]
    for chosen in reversed(stayed[:-1]):
        places = places.gather(1, chosen[:, : places.shape[1]] % places.shape[1])
    return places


def _inverted(tokens, stayed, count):
    """The places so far are looked up in each removal, not the other way round."""
    places = torch.arange(count).expand(len(tokens), -1)
    for chosen in stayed:
        places = chosen.gather(1, places)
    return places


@check(
    "deploy.fault",
    reference=mended_put_back,
    mistakes={
        "the fault is still there: after the second removal places are numbered among the tokens "
        "that the first one left": [
            _with(places=lambda tokens, stayed, count: stayed[-1]),
            _summed,
        ],
        "the places of the first removal are not enough: later ones keep only some of these": (
            _with(places=lambda tokens, stayed, count: stayed[0][:, : tokens.shape[1]])
        ),
        "only two removals are followed; there may be any number": (
            _with(places=lambda tokens, stayed, count: _followed(tokens, stayed[-2:], count))
        ),
        "one removal is skipped: follow every one, in the order in which they happened": [
            _with(
                places=lambda tokens, stayed, count: (
                    stayed[0].gather(1, stayed[-1])
                    if len(stayed) > 2
                    else _followed(tokens, stayed, count)
                )
            ),
        ],
        "the removals are followed in the wrong order: begin with the first": (
            _with(places=_backwards)
        ),
        "numbers of places are not added: each removal *looks up* places in the one before, "
        "places.gather(1, chosen)": _with(
            places=lambda tokens, stayed, count: (
                sum(chosen[:, : tokens.shape[1]] for chosen in stayed) % count
            )
        ),
        "every image of the batch has removed tokens of its own": _with(
            places=lambda tokens, stayed, count: _followed(tokens, stayed, count)[:1].expand(
                len(tokens), -1
            )
        ),
        "the tokens stand side by side at the beginning; each belongs where it came from": (
            _with(
                places=lambda tokens, stayed, count: torch.arange(tokens.shape[1]).expand(
                    len(tokens), -1
                )
            )
        ),
        "your tokens stand at the end; each belongs where it came from": _with(
            places=lambda tokens, stayed, count: torch.arange(
                count - tokens.shape[1], count
            ).expand(len(tokens), -1)
        ),
        "fill in 0 where a token was removed": [
            _with(empty=1.0),
            _with(empty=lambda tokens: tokens.mean(1, keepdim=True)),
            _with(empty=lambda tokens: tokens.amin()),
        ],
        "your tokens are spread evenly; each belongs where it came from": _with(
            places=lambda tokens, stayed, count: (
                torch.arange(tokens.shape[1]) * count // tokens.shape[1]
            ).expand(len(tokens), -1)
        ),
    },
    others={
        "a place is looked up that is not there": [
            lambda right, tokens, stayed, count: right(tokens, stayed[::-1], count),
            _with(places=_inverted),
        ],
        "has shape": lambda right, tokens, stayed, count: right(tokens, stayed, count + 1),
        "the tokens at": lambda right, *given: right(*given) + 0.1,
        "lost its gradient": lambda right, *given: right(*given).detach(),
    },
)
def examine_fault(answer, rng: np.random.Generator) -> None:
    """Two removals, three, one and none."""
    for count, kept in ((16, (12, 9)), (25, (18, 13, 10)), (16, (11,)), (9, ())):
        stayed, before = [], count
        for keep in kept:
            rows = [np.sort(rng.permutation(before)[:keep]) for _ in range(2)]
            stayed.append(torch.from_numpy(np.stack(rows)))
            before = keep
        tokens = torch.from_numpy(rng.normal(size=(2, before, 3))).float().requires_grad_()
        try:
            answer.compare(
                (tokens, stayed, count),
                "the tokens",
                lambda given, count=count: as_array(given, (2, count, 3), "the tokens"),
            )
        except (RuntimeError, IndexError) as problem:
            if "out of bounds" not in str(problem):
                raise
            raise Wrong(
                f"a place is looked up that is not there ({problem}): look up in the numbers "
                "so far, places.gather(1, chosen), beginning with the first removal; each "
                "removal's numbers are those of the tokens that the one before left"
            ) from None
