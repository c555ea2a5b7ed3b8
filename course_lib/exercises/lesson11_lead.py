"""Check of lesson 11, second part: the lead of the target's peak."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_number, same
from course_lib.exercises.core import check
from course_lib.exercises.lesson11_labels import random_map


def lead(response: Tensor, labels: Tensor) -> float:
    """How far the target's highest cell lies above the highest other one, in standard deviations of
    the others."""
    rest = response[labels < 0]
    return float((response[labels > 0].max() - rest.max()) / rest.std(correction=0))


def _deviation(c: Tensor, y: Tensor) -> Tensor:
    """Standard deviation () of the cells that are not the target."""
    return c[y < 0].std(correction=0)


def _both(*codes: Callable[..., float], power: float = 0.5) -> list[Callable[..., float]]:
    """Mistakes with the deviation of n and with that of n − 1.

    Args:
        codes: divide by the deviation of the other cells, with n.
        power: of the variance in their denominators.
    """

    return [
        lambda right, c, y, code=code, k=k: (
            code(right, c, y) * (1 - k / int((y < 0).sum())) ** power
        )
        for code in codes
        for k in (0, 1)
    ]


def _over(deviation: Callable[[Tensor, Tensor, int], Tensor]) -> list[Callable[..., float]]:
    """Mistakes: another deviation (cells, labels, correction), with n and with n − 1."""
    return [
        lambda right, c, y, k=k: (c[y > 0].max() - c[y < 0].max()) / deviation(c, y, k)
        for k in (0, 1)
    ]


@check(
    "margin.lead",
    reference=lead,
    mistakes={
        "your sign is wrong: a lead is above 0 where the target wins": _both(
            lambda right, c, y: -right(c, y)
        ),
        "divide by the standard deviation of the other cells, so that maps of any scale can be "
        "compared": lambda right, c, y: c[y > 0].max() - c[y < 0].max(),
        "that is the peak-to-sidelobe ratio, against the mean; here the rival is the highest other "
        "cell": _both(lambda right, c, y: (c[y > 0].max() - c[y < 0].mean()) / _deviation(c, y)),
        "one cell is enough for the target: take its highest": _both(
            lambda right, c, y: (c[y > 0].mean() - c[y < 0].max()) / _deviation(c, y)
        ),
        "the ring belongs to neither side: leave out its cells": [
            *_both(
                lambda right, c, y: (c[y > 0].max() - c[y <= 0].max()) / _deviation(c, y),
                lambda right, c, y: (c[y >= 0].max() - c[y < 0].max()) / _deviation(c, y),
            ),
            lambda right, c, y: right(c, torch.where(y == 0, -1, y)),
            lambda right, c, y: (c[y > 0].max() - c[y <= 0].max()) / c[y <= 0].std(),
        ],
        "a product with a mask puts 0 in place of the cells that are left out, and 0 may be the "
        "highest; select the cells": _both(
            lambda right, c, y: ((c * (y > 0)).max() - (c * (y < 0)).max()) / _deviation(c, y),
            lambda right, c, y: (c[y > 0].max() - (c * (y < 0)).max()) / _deviation(c, y),
            lambda right, c, y: ((c * (y > 0)).max() - c[y < 0].max()) / _deviation(c, y),
        ),
        "a lead below 0 says that another place wins: keep the sign": _both(
            lambda right, c, y: abs(right(c, y)),
            lambda right, c, y: max(right(c, y), 0.0),
        ),
        "the deviation is that of the other cells alone, those labelled −1": [
            *_over(lambda c, y, k: c.std(correction=k)),
            *_over(lambda c, y, k: c[y <= 0].std(correction=k)),
            *_over(lambda c, y, k: c[y != 0].std(correction=k)),
            *_over(lambda c, y, k: c[y > 0].std(correction=k)),
        ],
        "that is the variance; the standard deviation is its root": _both(
            lambda right, c, y: right(c, y) / _deviation(c, y), power=1
        ),
        "one cell is enough for the target, but it may be any of them: take the highest": _both(
            lambda right, c, y: (c[len(c) // 2, len(c) // 2] - c[y < 0].max()) / _deviation(c, y),
            lambda right, c, y: (c[y > 0].min() - c[y < 0].max()) / _deviation(c, y),
        ),
    },
    others={
        "the lead is": [
            lambda right, c, y: 2 * right(c, y),
            lambda right, c, y: right(c, y) * _deviation(c, y) / (_deviation(c, y) + 1e-3),
        ]
    },
)
def examine_lead(answer, rng) -> None:
    """Is the peak on the target? Several maps at once. The deviation may be the sample's, with n or
    n − 1."""
    maps = []
    for size, level, peak in ((7, 0.0, 0.3), (8, -1.5, -0.1), (9, 0.0, -0.1), (6, -1.2, 0.2)):
        response, labels = random_map(rng, size)
        response = 0.3 * response + level
        target = torch.nonzero((labels > 0).flatten())[-1]  # not the middle one
        response.view(-1)[target] = response[labels < 0].max() + peak
        response[labels == 0] = response.max() + 0.1  # the ring is no rival, however high
        response[0, 0] -= 0.5  # nor is what is far below
        maps.append((response, labels))
    others = np.array([int((labels < 0).sum()) for _, labels in maps])
    right = np.array([answer.right(*pair) for pair in maps])
    samples = [as_number(answer(*(t.clone() for t in pair)), "the lead") for pair in maps]
    if same(samples, right * ((others - 1) / others) ** 0.5, 1e-5):
        return
    names = tuple("the lead" for _ in maps)
    answer.compare(
        (maps,),
        names,
        lambda given: tuple(as_number(lead, "the lead") for lead in given),
        call=lambda f, maps: [f(*pair) for pair in maps],
        tolerance=1e-5,
    )
