"""Check of lesson 04: the label map."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array, is_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import losses

CELLS = (
    "for {case[0]} cells, stride {case[1]:g} and radius {case[2]:g} px {found} cells are positive, "
    "expected {wanted}"
)


def _as_floats(function, *inputs):
    """A label map of whole numbers is as good as one of fractions."""
    labels = function(*inputs)
    whole = is_tensor(labels) and not labels.is_floating_point() and labels.dtype != torch.bool
    return labels.float() if whole else labels


def _read_labels(given) -> np.ndarray:
    """A square map of labels that are −1 or +1."""
    labels = as_array(given, np.shape(given), "the label map")
    values = set(np.unique(labels).tolist())
    if 0.0 in values and values <= {0.0, 1.0}:
        raise Wrong("your labels are 0 and 1; this loss wants −1 and +1")
    if not values <= {-1.0, 1.0}:
        raise Wrong(f"your labels hold {sorted(values)[:4]}; expected only −1 and +1")
    return labels


def _lopsided(given, right) -> str:
    """The message for positives that do not lie around the centre."""
    if given.shape != right.shape:
        return f"your label map has shape {given.shape}; expected {right.shape}"
    centre = len(given) // 2
    if given[centre, centre] > 0 and np.array_equal(given, given[::-1, ::-1]):
        return ""
    return f"your positives do not lie around the central cell ({centre}, {centre})"


def _within(measure, centre=lambda n: (n - 1) / 2, reach=lambda radius: radius):
    """A mistake: another distance, measure(dy, dx), another centre, or another radius."""

    def labels(right, n, stride, radius):
        away = (torch.arange(n) - centre(n)).abs() * stride
        return torch.where(measure(away[:, None], away[None, :]) <= reach(radius), 1.0, -1.0)

    return labels


def _framed(right, n, stride, radius):
    """A mistake: no positives at the border."""
    inner = F.pad(torch.ones(max(n - 2, 0), max(n - 2, 0)), (1, 1, 1, 1))
    return torch.where(inner[:n, :n] > 0, right(n, stride, radius), -1.0)


@check(
    "siamfc.labels",
    reference=losses.label_map,
    mistakes={
        CELLS + ": the radius is in pixels, cells are {case[1]:g} pixels apart": [
            lambda right, n, stride, radius: right(n, 1, radius),
            lambda right, n, stride, radius: right(n, 1 / stride, radius),
        ],
        CELLS + ": stride and radius are arguments, which may have any value": [
            lambda right, n, stride, radius: right(n, 8, radius),
            lambda right, n, stride, radius: right(n, stride, 16.0),
            lambda right, n, stride, radius: right(n, stride, 2.0 * stride),
        ],
        CELLS + ": R and k are exchanged in yours": lambda right, n, stride, radius: right(
            n, radius, stride
        ),
        CELLS + ": R, k and R / k need not be whole numbers; do not round them": [
            lambda right, n, stride, radius: right(n, stride, radius // stride * stride),
            lambda right, n, stride, radius: right(n, stride, round(radius / stride) * stride),
            lambda right, n, stride, radius: right(n, stride, int(radius)),
            lambda right, n, stride, radius: right(n, int(stride), radius),
            lambda right, n, stride, radius: right(n, stride, round(radius)),
        ],
        CELLS + ": your distances are rounded to whole pixels": [
            _within(lambda a, b: torch.hypot(a, b).round()),
            _within(lambda a, b: torch.hypot(a, b).floor()),
        ],
        CELLS + ": R is a radius, not a diameter": [
            lambda right, n, stride, radius: right(n, stride, radius / 2),
            lambda right, n, stride, radius: right(n, stride, radius * 2),
        ],
        CELLS + ": every cell within R is positive, not the central one alone": (
            _within(torch.hypot, reach=lambda radius: 0)
        ),
        CELLS + ": cells at the border count like all others": _framed,
        CELLS + ": a cell at exactly the radius still counts": (
            lambda right, n, stride, radius: right(n, stride, radius - 1e-3)
        ),
        CELLS + ": the positives form a square; the distance is Euclidean, so they form a disc": (
            _within(torch.maximum)
        ),
        CELLS + ": the positives form a diamond; the distance is Euclidean, the root of the sum of "
        "squares": _within(torch.add),
        CELLS + ": your distance is squared; take its root before you compare it with R": (
            _within(lambda a, b: a**2 + b**2)
        ),
        CELLS + ": only offsets along one axis count in your distance": [
            _within(lambda a, b: a + 0 * b),
            _within(lambda a, b: b + 0 * a),
            _within(torch.minimum),
        ],
        "your labels have the wrong sign: +1 near the centre, −1 elsewhere": (
            lambda right, *given: -right(*given)
        ),
        "the centre of {case[0]} cells is ({case[0]} − 1) / 2, counted from 0": [
            _within(torch.hypot, lambda n: n / 2),
            _within(torch.hypot, lambda n: (n + 1) / 2),
        ],
    },
    others={
        "your labels are 0 and 1": lambda right, *given: right(*given).clamp_min(0),
        "around the central cell": lambda right, *given: right(*given).roll(1, 0),
        "expected only −1 and +1": lambda right, *given: right(*given) * 0.5,
        "your label map has shape": lambda right, *given: right(*given)[None],
    },
)
def examine_labels(answer, rng) -> None:
    """Label map."""
    # at (21, 3, 20) most mistakes have a count of their own, but no cell lies at the radius
    cases = (
        (21, 3, 20.0),
        (17, 8, 16.0),
        (15, 8, 16.0),
        (33, 4, 16.0),
        (9, 8, 20.0),
        (21, 6, 27.0),
        (5, 8, 5.0),
        (13, 2.5, 7.3),
        (5, 3, 8.0),  # all but the corners
        (1, 8, 16.0),
    )
    compare_arrays(
        answer,
        cases,
        "the label",
        _read_labels,
        _otherwise,
        ask=_as_floats,
        found=lambda given, *_: int((given > 0).sum()),
        wanted=lambda given, right, *_: int((right > 0).sum()),
    )
    answer.compare((15, 8, 16.0), "the label map", _read_labels)  # handed on in the right type


def _otherwise(given, right, *case) -> str:
    """The message for labels that are not those of a known mistake."""
    facts = {"found": int((given > 0).sum()), "wanted": int((right > 0).sum())}
    return _lopsided(given, right) or CELLS.format(case=case, **facts)
