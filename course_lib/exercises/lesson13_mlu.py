"""Check of lesson 13's activation, nearly flat below 0."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.trackers.online_classifier import activation


def modified_elu(scores: Tensor, bend: float) -> Tensor:
    """φ (...): scores above 0 as they are; below 0 they level off at −bend.

    Args:
        scores: (...).
        bend: α.
    """
    return activation(scores, bend)


def _below(f):
    """A mistake: another function below 0, (s, α) → φ."""
    return lambda right, s, a: torch.where(s >= 0, s, f(s.clamp(max=0), a))


@check(
    "online.mlu",
    reference=modified_elu,
    mistakes={
        "the exponent is s / α: with s alone the slope jumps from α to 1 at 0": (
            _below(lambda s, a: a * torch.expm1(s))
        ),
        "this is a straight line below 0, as a leaky ReLU's; φ is an exponential there and levels "
        "off": [
            _below(lambda s, a: a * s),
            lambda right, s, a: s.clone(),
        ],
        "below 0 nothing is left of the scores: that is a ReLU, which has no slope there, so a "
        "target scored below 0 would stay there": lambda right, s, a: F.relu(s),
        "subtract 1 from the exponential: φ(0) is 0": _below(lambda s, a: a * torch.exp(s / a)),
        "the exponential is multiplied by α: φ levels off at −α, not at −1": (
            _below(lambda s, a: torch.expm1(s / a))
        ),
        "the exponent has the wrong sign: φ falls to −α as s falls": [
            _below(lambda s, a: a * (1 - torch.exp(-s / a)).clamp(-1e3)),
            _below(lambda s, a: a * torch.expm1(-s / a)),
        ],
        "below 0 your φ is above 0: it is exp(s / α) − 1, not 1 − exp(s / α)": (
            _below(lambda s, a: -a * torch.expm1(s / a))
        ),
        "scores above 0 stay as they are": [
            lambda right, s, a: right(s.clamp(max=0), a),
            lambda right, s, a: torch.where(s >= 0, a * s, right(s, a)),
            lambda right, s, a: right(s, a).clamp(max=1),
        ],
        "`bend` is an argument; yours always has the same value": [
            lambda right, s, a: right(s, 0.05),
            lambda right, s, a: right(s, 1.0),
            lambda right, s, a: F.elu(s),
        ],
        "φ levels off at −α, and α is `bend` itself: no root, no factor": [
            lambda right, s, a: right(s, a**0.5),
            lambda right, s, a: right(s, 2 * a),
        ],
        "φ stays above −α everywhere, but it is not cut off there: it approaches −α in a curve": (
            lambda right, s, a: s.clamp(min=-a)
        ),
    },
    others={
        "where scores are high": lambda right, s, a: torch.where(
            s >= 0, s, a * (torch.exp(s / a) - 1)
        ),
        "lost its gradient": lambda right, s, a: right(s, a).detach(),
    },
)
def examine_mlu(answer, rng: np.random.Generator) -> None:
    """Values and slopes near 0, then where an exponential is infinite."""
    for shape, bend in (((3, 5), 0.08), ((2, 3, 4), 0.31)):
        scores = torch.from_numpy(rng.normal(0, 2 * bend, shape)).float()
        scores.flatten()[:3] = torch.tensor([0.9, -1.4, 1.7])
        inputs = (scores.requires_grad_(), bend)
        answer.compare(inputs, "φ", lambda given, s=shape: as_array(given, s, "φ"), near=1e-5)
    high = torch.tensor([60.0, -60.0, 0.5]).requires_grad_()
    (slope,) = torch.autograd.grad(answer(high, 0.05).sum(), high)
    if not bool(torch.isfinite(slope).all()):
        raise Wrong(
            "where scores are high, exp(s / α) is infinite, and its gradient there is not a number "
            "although torch.where chooses the other branch: clamp the scores to at most 0 before "
            "the exponential"
        )
