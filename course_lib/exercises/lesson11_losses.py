"""Check of lesson 11, first part: the pixel-wise margin loss."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_loss, is_tensor
from course_lib.exercises.core import check
from course_lib.exercises.lesson11_labels import random_map
from course_lib.exercises.words import Wrong
from course_lib.models.margin import CosineMap, margin_logistic_loss

WITHOUT = "the loss of a map without target"


def logistic(cosines: Tensor, labels: Tensor, b: float, scale: float, margin: float) -> Tensor:
    """The pixel-wise margin loss () of one map.

    Args:
        cosines: (n, n).
        labels: (n, n), 1, 0 or −1.
        b: the threshold.
        scale: of the cosines.
        margin: on them.
    """
    return margin_logistic_loss(
        CosineMap(cosines[None], torch.tensor(b)), labels[None], scale, margin
    )


def _right(right, *given):
    """What the reference returns."""
    return right(*given)


def with_target(change):
    """A mistake that shows only in maps with a target; the others are right."""
    return lambda right, c, y, *given: (change if (y > 0).any() else _right)(right, c, y, *given)


def _cells(logit, cost=F.softplus):
    """A mistake in the pixel-wise loss: other logits of the cells, (c, y, b, s, m), or their
    cost."""

    def loss(right, c, y, *given):
        cells = cost(logit(c, y, *given))
        total = 0.5 * cells[y < 0].mean()
        return total + 0.5 * cells[y > 0].mean() if (y > 0).any() else total

    return loss


@check(
    "margin.logistic",
    reference=logistic,
    mistakes={
        "the margin has no effect: the target has to reach b + m, the others to stay below b − m": (
            lambda right, c, y, b, s, m: right(c, y, b, s, 0.0)
        ),
        "your margin makes it easier: subtract it on the target, so that it has to do better": (
            lambda right, c, y, b, s, m: right(c + 2 * m * y, y, b, s, m)
        ),
        "the margin applies to cosines: keep it inside the bracket that the scale multiplies": (
            lambda right, c, y, b, s, m: right(c, y, b, s, m / s)
        ),
        "the margin has to make it harder on the others too: c − b + m there": (
            lambda right, c, y, b, s, m: right(c, y, b + m, s, 0.0)
        ),
        "target cells are few: average them and the others separately, and give each half": (
            lambda right, c, y, b, s, m: F.softplus(s * (m - y * (c - b)))[y != 0].mean()
        ),
        "take means, not sums": lambda right, c, y, b, s, m: (
            0.5 * F.softplus(s * (m - y * (c - b)))[y != 0].sum()
        ),
        "each of the two means counts one half": lambda right, *given: 2 * right(*given),
        "the scale is missing": lambda right, c, y, b, s, m: right(c, y, b, 1.0, m),
        "cells of the ring, label 0, do not count": [
            lambda right, c, y, b, s, m: right(c, torch.where(y == 0, -1, y), b, s, m),
            with_target(lambda right, c, y, *g: right(c, torch.where(y == 0, 1, y), *g)),
            lambda right, c, y, b, s, m: (
                right(c, y, b, s, m)
                + 0.5
                * (
                    F.softplus(s * (m - y * (c - b)))[y <= 0].mean()
                    - F.softplus(s * (m - y * (c - b)))[y < 0].mean()
                )
            ),
            with_target(
                lambda right, c, y, b, s, m: (
                    right(c, y, b, s, m)
                    + 0.5
                    * (
                        F.softplus(s * (m - y * (c - b)))[y >= 0].mean()
                        - F.softplus(s * (m - y * (c - b)))[y > 0].mean()
                    )
                )
            ),
        ],
        "the margin is on one side only: the target has to reach b + m, and the others have to "
        "stay below b − m": [
            _cells(lambda c, y, b, s, m: s * (m * (y > 0) - y * (c - b))),
            _cells(lambda c, y, b, s, m: s * (m * (y < 0) - y * (c - b))),
        ],
        "your margin is half as large as it should be, or twice as large: it is m, once": [
            lambda right, c, y, b, s, m: right(c, y, b, s, 2 * m),
            lambda right, c, y, b, s, m: right(c, y, b, s, m / 2),
        ],
        "the threshold is b: the scale multiplies c − b": [
            lambda right, c, y, b, s, m: right(c, y, -b, s, m),
            lambda right, c, y, b, s, m: right(c, y, 0.0, s, m),
            lambda right, c, y, b, s, m: right(c, y, b / s, s, m),
        ],
        "your loss rewards the wrong sign: high cosines are right on the target and wrong "
        "elsewhere": (_cells(lambda c, y, b, s, m: s * (m + y * (c - b)))),
        "your loss is divided by the scale, as by `F.softplus(v, beta=s)`; it is log(1 + e^v)": (
            lambda right, c, y, b, s, m: right(c, y, b, s, m) / s
        ),
        "your loss of a cell is not softplus, log(1 + e^v), with the natural logarithm": [
            _cells(lambda c, y, b, s, m: s * (m - y * (c - b)), F.relu),
            _cells(lambda c, y, b, s, m: s * (m - y * (c - b)), torch.sigmoid),
            lambda right, *given: right(*given) / math.log(2),
            lambda right, *given: right(*given) / math.log(10),
        ],
        "a map without a target has only the half that belongs to the others: yours counts it in "
        "full, or not at all": [
            lambda right, c, y, *given: right(c, y, *given) * (1 + (~(y > 0).any()).float()),
            lambda right, c, y, *given: right(c, y, *given) * (y > 0).any().float(),
        ],
        "one target cell is enough for a mean; yours counts the target only where there are more": (
            lambda right, c, y, *given: right(
                c, y.clamp_max(0) if int((y > 0).sum()) == 1 else y, *given
            )
        ),
    },
    others={
        "the loss is": lambda right, c, y, b, s, m: torch.log(1 + torch.exp(s * c)).mean(),
        "at scale 64": lambda right, c, y, b, s, m: (
            right(c, y, b, s, m) + 0 * torch.exp(s * s * (m - y * (c - b)) / 12).sum()
        ),
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
    },
)
def examine_logistic(answer, rng) -> None:
    """Pixel by pixel."""
    compare_losses(answer, rng, 12.0, "such a map has only the half that belongs to the others")


def compare_losses(answer, rng, scale: float, alone: str) -> None:
    """Compare a loss on several maps at once, so that a mistake shows in all of them.

    Args:
        answer: on trial.
        rng: of the maps.
        scale: of the first map.
        alone: what a map without target has, in words.
    """
    c, y = random_map(rng)
    one, labels = random_map(rng, 8)
    scattered = labels.flatten()[torch.from_numpy(rng.permutation(64))].view(8, 8)
    scattered[0, 0] = 0.0
    few = random_map(rng, 7, radius=4)
    far = torch.where(y > 0, -0.9, 0.9)
    maps = {
        "the loss": (c, y, 0.45, scale, 0.2),
        "the loss of another map": (one, scattered, 0.3, scale / 2, 0.35),
        "the loss of a map with one target cell": (*few, 0.45, scale, 0.2),
        WITHOUT: (c, -torch.ones(7, 7), 0.45, scale, 0.25),
        "the loss at scale 64": (far, y, 0.6, 64.0, 0.5),
    }

    def every(f, *cases):
        return tuple(f(case[0].clone().requires_grad_(), *case[1:]) for case in cases)

    def read(given):
        for loss, what in zip(given, maps, strict=True):
            if what == WITHOUT and is_tensor(loss) and bool(loss.isnan().any()):
                raise Wrong(
                    f"{what} is NaN: no cell has the label 1, and the mean of nothing is NaN; "
                    f"{alone}"
                )
        return tuple(as_loss(loss, what) for loss, what in zip(given, maps, strict=True))

    answer.compare(tuple(maps.values()), tuple(maps), read, call=every, tolerance=1e-5, near=1e-5)
    for what, (cosines, *others) in maps.items():
        inputs = (cosines.clone().requires_grad_(), *others)
        answer.compare(inputs, what, as_loss, tolerance=1e-4)
