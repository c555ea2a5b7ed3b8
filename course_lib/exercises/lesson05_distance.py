"""Checks of lesson 05: the distance of a peak from the centre."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from course_lib.exercises.compare import as_tensor
from course_lib.exercises.core import check
from course_lib.models.losses import peak_distance


def _off_centre(given, right, centre) -> str:
    """The message for a peak at the centre whose distance is not 0."""
    if centre is None or abs(given[0]) <= 1e-6:
        return ""
    return (
        f"a peak at the central cell, row and column {centre} = (n − 1) / 2, has distance "
        f"{given[0]:.3g}; expected 0"
    )


def _peaks(response, centre=None) -> np.ndarray:
    """Rows and columns (B, 2) of the peaks from the centre, cells."""
    n = response.shape[-1]
    places = np.stack(np.divmod(response.flatten(1).argmax(1).numpy(), n), axis=1)
    return places - ((n - 1) / 2 if centre is None else centre)


def _distances(measure):
    """A mistake: measure (B, 2) → (B,) of the peaks' places in pixels."""

    def distance(right, response, stride):
        return torch.from_numpy(np.asarray(measure(_peaks(response) * stride, stride))).float()

    return distance


def _folded(side, centre=None, whole=True):
    """A mistake: rows of another length, side(response), around another centre."""

    def distance(right, response, stride):
        n = side(response)
        origin = (n - 1) / 2 if centre is None else centre(response)
        peak = response.flatten(1).argmax(1).double()
        row = peak // n if whole else peak / n
        return (torch.hypot(row - origin, peak % n - origin) * stride).float()

    return distance


def _seen_through(change):
    """A mistake: responses are changed before the peak is looked for."""
    return lambda right, r, stride: right(change(r), stride)


@check(
    "training.distance",
    reference=peak_distance,
    learns=False,
    mistakes={
        "your distances are in cells; one cell is `stride` pixels": (
            lambda right, r, stride: right(r, 1)
        ),
        "you count one cell as 8 pixels; it is `stride` of them": lambda right, r, stride: right(
            r, 8
        ),
        "you measure from cell n // 2; where n is even, the centre lies between two cells, at "
        "(n − 1) / 2": lambda right, r, stride: right(
            r, stride, stride * (r.shape[-1] // 2 - (r.shape[-1] - 1) / 2)
        ),
        "you count the same number of cells along each side of every response; a response has n": [
            _folded(lambda r: 17),
            _folded(lambda r: 15),
        ],
        "rows have n cells each, so the row is the index // n and the column the remainder": [
            _folded(lambda r: r.shape[-1] - 1, centre=lambda r: (r.shape[-1] - 1) / 2),
            _folded(len, centre=lambda r: (r.shape[-1] - 1) / 2),
        ],
        "your row is a fraction: divide by n with // and drop the remainder": _folded(
            lambda r: r.shape[-1], whole=False
        ),
        "cells are counted from 0 in the index of the peak; you count them from 1": (
            lambda right, r, stride: right(r, stride, -stride * torch.ones(len(r), 2))
        ),
        "one axis has another centre than the other: both have (n − 1) / 2": [
            lambda right, r, stride: right(r, stride, stride / 2 * torch.tensor([[1.0, 0.0]])),
            lambda right, r, stride: right(r, stride, stride / 2 * torch.tensor([[0.0, 1.0]])),
        ],
        "you add the distances along rows and columns; the distance is √(rows² + columns²)": (
            _distances(lambda places, _: np.abs(places).sum(axis=1))
        ),
        "you take the larger of the two distances; the distance is √(rows² + columns²)": (
            _distances(lambda places, _: np.abs(places).max(axis=1))
        ),
        "your distances are squared: take the root": _distances(
            lambda places, _: (places**2).sum(axis=1)
        ),
        "you divide by the stride; one cell is `stride` pixels": (
            lambda right, r, stride: right(r, 1) / stride
        ),
        "only one axis is multiplied by the stride": [
            _distances(lambda places, stride: np.hypot(places[:, 0], places[:, 1] / stride)),
            _distances(lambda places, stride: np.hypot(places[:, 0] / stride, places[:, 1])),
        ],
        "you multiply by the stride twice": lambda right, r, stride: right(r, stride) * stride,
        "you multiply rows² + columns² by the stride: take the root first": (
            lambda right, r, stride: right(r, stride) ** 2 / stride
        ),
        "you measure along columns only": _distances(lambda places, _: np.abs(places[:, 1])),
        "you measure along rows only": _distances(lambda places, _: np.abs(places[:, 0])),
        "you look for the lowest cell, not the highest": lambda right, r, stride: right(-r, stride),
        "you look for the largest absolute value; a strongly negative cell is no peak": (
            lambda right, r, stride: right(r.abs(), stride)
        ),
        "you change the responses before you look for the peak, and cells that differ look alike": [
            _seen_through(torch.relu),
            _seen_through(torch.sigmoid),
            _seen_through(lambda r: r.clamp(-5, 5)),
            _seen_through(lambda r: r.round()),
            _seen_through(lambda r: r.bfloat16()),
            _seen_through(lambda r: (r > 0).float()),
        ],
        "all your distances are of one map: take each response's own highest cell": (
            lambda right, r, stride: right(r[:1], stride).expand(len(r))
        ),
        "you measure from the corner; the target is at the centre, (n − 1) / 2": (
            lambda right, r, stride: right(r, stride, -stride * (r.shape[-1] - 1) / 2)
        ),
    },
    others={
        "a peak at the central cell": lambda right, r, stride: right(r, stride, stride / 2),
        "at": lambda right, r, stride: right(r, stride).round(),
    },
)
def examine_distance(answer, rng) -> None:
    """Distance of the peak from the centre."""
    for n, stride, pairs in ((17, 8, 4), (16, 8, 3), (33, 4, 1), (20, 4, 5)):
        response = torch.from_numpy(rng.normal(size=(pairs, n, n))).float()
        rows, columns = (rng.permutation(n)[:pairs] for _ in range(2))
        response[range(pairs), rows, columns] = 49.9
        # the lowest cell is the largest in absolute value, but only in the first two
        response[range(pairs), columns, (rows + 3) % n] = torch.tensor([-70.0] * 2 + [-20.0] * 3)[
            :pairs
        ]
        response[-1, 0, :2] = torch.tensor([49.88, 49.89])  # hardly lower, and met first
        if n % 2 and pairs > 1:
            response[0, n // 2, n // 2] = 50.0
        if pairs > 2:
            response[1] -= 60  # a peak below 0
        answer.compare(
            (response, stride),
            "the distances",
            partial(as_tensor, shape=(pairs,), what="your result"),
            tolerance=1e-4,
            otherwise=partial(_off_centre, centre=n // 2 if n % 2 and pairs > 1 else None),
            named="the distance",
            hint="√(rows² + columns²) · stride, for each response its own peak",
        )
