"""Check of lesson 11, first part: places as classes."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.core import check
from course_lib.exercises.lesson11_losses import compare_losses, with_target
from course_lib.models.margin import CosineMap, margin_softmax_loss


def softmax(cosines: Tensor, labels: Tensor, b: float, scale: float, margin: float) -> Tensor:
    """The margin softmax loss () of one map.

    Args:
        cosines: (n, n).
        labels: (n, n), 1, 0 or −1.
        b: the threshold.
        scale: of the cosines.
        margin: on them.
    """
    return margin_softmax_loss(
        CosineMap(cosines[None], torch.tensor(b)), labels[None], scale, margin
    )


def _with_rivals(label: float):
    """A mistake: cells of that label are rivals as well."""

    def loss(right, c, y, *given):
        if not (y > 0).any():
            return right(c, y, *given)
        others = torch.where(y == label, -1.0, y.clamp_max(0)).flatten()  # (n²,)
        labels = torch.cat([others, torch.ones(1)])[None]  # one target cell behind all the others
        lost = [right(torch.cat([c.flatten(), p[None]])[None], labels, *given) for p in c[y > 0]]
        return torch.stack(lost).mean()

    return loss


def _of_logits(loss):
    """A mistake: another loss of the target's logits and all the others', (r, q) → (cells,)."""

    def code(right, c, y, b, s, m):
        others = torch.logsumexp(s * c[y < 0], 0)
        return loss(s * (c[y > 0] - m), torch.logaddexp(others, torch.tensor(s * b))).mean()

    return with_target(code)


def _one(choose):
    """A mistake: all target cells have one cosine, choose(theirs)."""
    return with_target(
        lambda right, c, y, *given: right(torch.where(y > 0, choose(c[y > 0]), c), y, *given)
    )


def _all_compete(among):
    """A mistake: the denominator has every cell that among(labels) names, hardened or not."""

    def loss(right, c, y, b, s, m):
        if not (y > 0).any():
            return right(c, y, b, s, m)
        logits = s * (c - m * (y > 0))  # (n, n)
        every = torch.cat([logits[among(y)], torch.tensor([s * b])])
        return (torch.logsumexp(every, 0) - logits[y > 0]).mean()

    return loss


@check(
    "margin.softmax",
    reference=softmax,
    mistakes={
        "the margin is missing: subtract it from the target's cosine": with_target(
            lambda right, c, y, b, s, m: right(c, y, b, s, 0.0)
        ),
        "your margin makes it easier: subtract it from the target's cosine": [
            lambda right, c, y, b, s, m: right(
                c + 2 * m * (y > 0), y, b if (y > 0).any() else b + 2 * m, s, m
            ),
            with_target(lambda right, c, y, b, s, m: right(c + 2 * m * (y > 0), y, b, s, m)),
        ],
        "the margin is subtracted from the target's cosine and nothing else: the others keep their "
        'cosines, and "nowhere" its b': [
            lambda right, c, y, b, s, m: right(c + m * (y < 0), y, b, s, m),
            lambda right, c, y, b, s, m: right(
                c + m * (y < 0), y, b, s, 0.0 if (y > 0).any() else m
            ),
            with_target(lambda right, c, y, b, s, m: right(c + m * (y < 0), y, b, s, m)),
            with_target(lambda right, c, y, b, s, m: right(c, y, b - m, s, m)),
            with_target(lambda right, c, y, b, s, m: right(c, y, b + m, s, m)),
        ],
        "−log of the fraction is softplus(q − r), with r the target's logit and q all the "
        "others'": [
            _of_logits(lambda r, q: F.softplus(r - q)),
            _of_logits(lambda r, q: q - r),
            _of_logits(lambda r, q: F.relu(q - r)),
        ],
        'the class "nowhere", e^(s·b), is missing in the denominator': with_target(
            lambda right, c, y, b, s, m: right(c, y, -1e3, s, m)
        ),
        "subtract the margin from the cosine, before the scale is applied": [
            lambda right, c, y, b, s, m: right(c, y, b, s, m / s),
            with_target(lambda right, c, y, b, s, m: right(c, y, b, s, m / s)),
        ],
        "the scale is missing in some of the exponents: every cosine is multiplied by it": [
            lambda right, c, y, b, s, m: right(c, y, b, 1.0, m),
            lambda right, c, y, b, s, m: right(torch.where(y < 0, c / s, c), y, b, s, m),
            lambda right, c, y, b, s, m: right(torch.where(y > 0, c / s, c), y, b, s, m / s),
        ],
        "your loss is divided by the scale": lambda right, c, y, b, s, m: right(c, y, b, s, m) / s,
        'b is the cosine of "nowhere"; yours is always 0': lambda right, c, y, b, s, m: right(
            c, y, 0.0 if (y > 0).any() else b, s, m
        ),
        "the others are averaged, or only the highest of them counts; the denominator has the sum "
        "over all": [
            lambda right, c, y, b, s, m: right(
                torch.where(y < 0, c - math.log((y < 0).sum()) / s, c), y, b, s, m
            ),
            lambda right, c, y, b, s, m: right(
                torch.where((y < 0) & (c < c[y < 0].max()), -1e3, c), y, b, s, m
            ),
        ],
        "the hardened cosine belongs in the numerator *and* the denominator": (
            lambda right, c, y, b, s, m: right(c, y, b, s, 0.0) + s * m
        ),
        "the other target cells are no rivals: leave them out of the sum": _with_rivals(1),
        "the ring's cells are no rivals: leave them out of the sum": _with_rivals(0),
        "average over the target cells; yours is a sum": with_target(
            lambda right, c, y, *given: right(c, y, *given) * (y > 0).sum()
        ),
        "every target cell has its term; yours takes one of them, or their mean cosine": [
            _one(torch.max),
            _one(torch.min),
            _one(torch.mean),
        ],
        "the ring's cells are no targets: leave them out": with_target(
            lambda right, c, y, *given: right(c, torch.where(y == 0, 1, y), *given)
        ),
        "the target cells do not compete with each other, and the ring with none: the "
        "denominator "
        'has the cell itself, the others and "nowhere"': [
            _all_compete(lambda y: y != 0),
            _all_compete(lambda y: y == y),
        ],
        'in a map without target "nowhere" is the right answer, and the margin is subtracted from '
        "b": [
            lambda right, c, y, b, s, m: right(c, y, b if (y > 0).any() else b + m, s, m),
            lambda right, c, y, b, s, m: right(c, y, b if (y > 0).any() else b + 2 * m, s, m),
        ],
        '"nowhere" has the logit s · b: its cosine is multiplied by the scale as well': [
            lambda right, c, y, b, s, m: right(c, y, b / s, s, m),
            with_target(lambda right, c, y, b, s, m: right(c, y, b / s, s, m)),
            lambda right, c, y, b, s, m: right(c, y, b if (y > 0).any() else (b - m) / s + m, s, m),
        ],
        "the target cells do not compete with each other: each has its own term, and the terms "
        "are averaged": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m)
            if not (y > 0).any()
            else F.softplus(
                torch.logaddexp(torch.logsumexp(s * c[y < 0], 0), torch.tensor(s * b))
                - torch.logsumexp(s * (c[y > 0] - m), 0)
            )
        ),
    },
    others={
        "the mean of nothing": lambda right, c, y, *given: (
            right(c, y, *given) + 0 * c[y > 0].mean()
        ),
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "its gradient with respect to": [
            lambda right, c, *given: right(torch.where(given[0] > 0, c.detach(), c), *given),
            lambda right, c, y, *given: right(
                torch.where((y < 0) & (y > 0).any(), c.detach(), c), y, *given
            ),
        ],
        "the loss at scale 64": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m) + 0 * torch.exp(s * s * (c + 1) / 30).sum()
        ),
    },
)
def examine_softmax(answer, rng) -> None:
    """Places as classes."""
    compare_losses(answer, rng, 4.0, "such a map has a formula of its own")
