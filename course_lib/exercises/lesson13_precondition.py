"""Check of lesson 13's preconditioner: what each part of a gradient is divided by."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check


def preconditioned(gradient: Tensor, sizes: list[int], weights: list[float]) -> Tensor:
    """A gradient (n,) in which each block is divided by its regulariser's weight.

    Args:
        gradient: (n,), blocks one after another.
        sizes: of the blocks; their sum is n.
        weights: λ of each block.
    """
    divide = torch.tensor(weights, dtype=gradient.dtype, device=gradient.device)
    return gradient / divide.repeat_interleave(torch.tensor(sizes, device=gradient.device))


def _scaled(change):
    """A mistake: other weights, change(sizes, weights) → weights."""
    return lambda right, g, sizes, weights: right(g, sizes, change(sizes, weights))


def _by_block(change):
    """A mistake: each block changed otherwise, (block, λ) → block."""

    def answer(right, g, sizes, weights):
        return torch.cat([change(b, w) for b, w in zip(g.split(sizes), weights, strict=True)])

    return answer


@check(
    "online.precondition",
    reference=preconditioned,
    mistakes={
        "divide by λ: what is regularised *little* has little curvature and has further to go; "
        "multiplying by λ shortens its way even more": [
            _scaled(lambda sizes, weights: [1 / w for w in weights]),
            _by_block(lambda b, w: b * w**0.5),
        ],
        "√λ stands in the residuals; the curvature is JᵀJ, and there it is λ": (
            _scaled(lambda sizes, weights: [w**0.5 for w in weights])
        ),
        "divide by λ, not by its square": _scaled(lambda sizes, weights: [w**2 for w in weights]),
        "the factor 2 in the curvature of ‖√λ w‖² is left out, as it is in the gradient: divide by "
        "λ alone": _scaled(lambda sizes, weights: [2 * w for w in weights]),
        "the blocks have changed places: each has its own λ": [
            _scaled(lambda sizes, weights: weights[::-1]),
            _scaled(lambda sizes, weights: [*weights[1:], weights[0]]),
        ],
        "every block has its own λ; yours are all divided by the same number": [
            _scaled(lambda sizes, weights: [weights[0]] * len(weights)),
            _scaled(lambda sizes, weights: [weights[-1]] * len(weights)),
            _scaled(lambda sizes, weights: [min(weights)] * len(weights)),
            _scaled(lambda sizes, weights: [sum(weights)] * len(weights)),
            _scaled(lambda sizes, weights: [sum(weights) / len(weights)] * len(weights)),
        ],
        "you divide only some of the blocks": [
            _scaled(lambda sizes, weights: [weights[0], *[1.0] * (len(weights) - 1)]),
            _scaled(lambda sizes, weights: [*[1.0] * (len(weights) - 1), weights[-1]]),
        ],
        "you divide nothing; each block is divided by its λ": lambda right, g, *given: g.clone(),
        "divide a block by its λ alone; how many weights it has does not matter": [
            _scaled(lambda sizes, weights: [w * n for w, n in zip(weights, sizes, strict=True)]),
            _scaled(lambda sizes, weights: [w / n for w, n in zip(weights, sizes, strict=True)]),
        ],
        "the length of a block says how far to go: do not normalise it": [
            _by_block(lambda b, w: b / b.norm()),
            _by_block(lambda b, w: b / (w * b.norm())),
        ],
        "divide by λ itself, not by 1 + λ": _scaled(
            lambda sizes, weights: [1 + w for w in weights]
        ),
    },
    others={"the direction at": lambda right, g, *given: right(g, *given) + 0.1},
)
def examine_precondition(answer, rng: np.random.Generator) -> None:
    """Two and three blocks of different sizes."""
    for sizes, weights in (([4, 7], [0.2, 0.03]), ([5, 2, 3], [0.5, 0.04, 1.7])):
        g = torch.from_numpy(rng.normal(size=sum(sizes))).float()
        answer.compare(
            (g, sizes, weights),
            "the direction",
            lambda given, shape=g.shape: as_array(given, shape, "the direction"),
            tolerance=1e-5,
        )
