"""Checks of lesson 04: labels and loss."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.compare import as_array, as_loss, is_tensor
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models import losses

CELLS = (
    "for {0} cells, stride {1} and radius {2:g} px {found} cells are positive, expected {wanted}"
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


def _within(measure, centre=lambda n: (n - 1) / 2):
    """A mistake: another distance, measure(dy, dx), or another centre."""

    def labels(right, n, stride, radius):
        away = (torch.arange(n) - centre(n)).abs() * stride
        return torch.where(measure(away[:, None], away[None, :]) <= radius, 1.0, -1.0)

    return labels


@check(
    "siamfc.labels",
    reference=losses.label_map,
    mistakes={
        CELLS + ": the radius is in pixels, cells are {1} pixels apart": (
            lambda right, n, stride, radius: right(n, 1, radius)
        ),
        CELLS + ": stride and radius are arguments, which may have any value": [
            lambda right, n, stride, radius: right(n, 8, radius),
            lambda right, n, stride, radius: right(n, stride, 16.0),
            lambda right, n, stride, radius: right(n, stride, 2.0 * stride),
        ],
        CELLS + ": R and k are exchanged in yours": lambda right, n, stride, radius: right(
            n, radius, stride
        ),
        CELLS + ": R / k need not be a whole number; do not round it": [
            lambda right, n, stride, radius: right(n, stride, radius // stride * stride),
            lambda right, n, stride, radius: right(n, stride, round(radius / stride) * stride),
        ],
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
        "the centre of {0} cells is ({0} − 1) / 2, counted from 0": [
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
    # at (21, 3, 20) every mistake has a count of its own, but no cell lies at the radius
    cases = (
        (21, 3, 20.0),
        (17, 8, 16.0),
        (15, 8, 16.0),
        (33, 4, 16.0),
        (9, 8, 20.0),
        (21, 6, 27.0),
        (5, 8, 5.0),
    )
    for case in cases:
        answer.compare(
            case,
            "the label",
            _read_labels,
            call=_as_floats,
            otherwise=_lopsided,
            found=lambda given: int((given > 0).sum()),
            wanted=int((answer.right(*case) > 0).sum()),
        )


def _counted(count):
    """A mistake: weights from other numbers of cells, count(positive, negative) → (N₊, N₋)."""

    def loss(right, v, y):
        positive = (y > 0).float()
        n = count(positive, 1 - positive)
        weights = 0.5 * (positive / n[0] + (1 - positive) / n[1])
        return (weights * F.softplus(-y * v)).sum((-2, -1)).mean()

    return loss


def _of_cells(loss):
    """A mistake: another loss of the cells, with the right weights."""
    return lambda right, v, y: (losses.balanced_weights(y) * loss(v, y)).sum((-2, -1)).mean()


@check(
    "siamfc.loss",
    reference=losses.balanced_logistic_loss,
    mistakes={
        "your loss is not balanced: in the first pair {positives} positives face {negatives} "
        "negatives. Give each class a weight of 0.5": [
            lambda right, v, y: F.softplus(-y * v).mean(),
            lambda right, v, y: F.softplus(-y * v).sum((-2, -1)).mean(),
        ],
        "your weights do not follow the labels: count N₊ and N₋ in each map": [
            _counted(lambda p, n: (13, 212)),
            _counted(lambda p, n: (13, 276)),
            _counted(lambda p, n: (13, p[0].numel() - 13)),
        ],
        "N₊ and N₋ are counted over the whole batch in yours; each map has its own": [
            _counted(lambda p, n: (p.sum(), n.sum())),
            _counted(lambda p, n: (p.sum() / len(p), n.sum() / len(p))),
            _counted(lambda p, n: (p[0].sum(), n[0].sum())),
        ],
        "your weights are exchanged: a positive cell weighs 0.5 / N₊": _counted(
            lambda p, n: (n.sum((-2, -1), keepdim=True), p.sum((-2, -1), keepdim=True))
        ),
        "sum the weighted cells of a map, whose weights add up to 1; you take their mean": (
            lambda right, v, y: right(v, y) / v[0].numel()
        ),
        "your loss sums over the batch; take the mean": lambda right, v, y: len(v) * right(v, y),
        "your weights sum to 2 in each map: 0.5 for the positives, 0.5 for the negatives": (
            lambda right, v, y: 2 * right(v, y)
        ),
        "your loss rewards the wrong sign: log(1 + exp(−y·v)), with the minus": (
            lambda right, v, y: right(-v, y)
        ),
        "your loss counts one class only; each contributes half": [
            _of_cells(lambda v, y: F.softplus(-y * v) * (y > 0)),
            _of_cells(lambda v, y: F.softplus(-y * v) * (y < 0)),
            _of_cells(lambda v, y: 2 * F.softplus(-y * v) * (y > 0)),
            _of_cells(lambda v, y: 2 * F.softplus(-y * v) * (y < 0)),
        ],
        "both classes get 0.5 in all; one of yours gets twice as much": [
            _of_cells(lambda v, y: (1 + (y > 0).float()) * F.softplus(-y * v)),
            _of_cells(lambda v, y: (1 + (y < 0).float()) * F.softplus(-y * v)),
        ],
        "your loss is negative: the logarithm of a probability is, so put a minus before it": (
            lambda right, v, y: -right(v, y)
        ),
        "every pair has its own labels; you use those of the first for all": (
            lambda right, v, y: right(v, y[:1].expand_as(y))
        ),
        "y is missing in your exponent: where y is −1, a high v must cost": [
            _of_cells(lambda v, y: F.softplus(-v)),
            _of_cells(lambda v, y: F.softplus(v)),
        ],
        "binary cross-entropy takes labels 0 and 1; yours gets −1 and +1": _of_cells(
            lambda v, y: F.binary_cross_entropy_with_logits(v, y, reduction="none")
        ),
        "that is another loss of the cells; it is log(1 + exp(−y·v)), the natural logarithm": [
            _of_cells(lambda v, y: F.relu(1 - y * v)),
            _of_cells(lambda v, y: (v - y) ** 2),
            _of_cells(lambda v, y: F.softplus(-y * v) / np.log(2)),
            _of_cells(lambda v, y: torch.exp(-y * v)),
            _of_cells(lambda v, y: torch.sigmoid(-y * v)),
        ],
    },
    others={
        "exp overflows": [
            lambda right, v, y: right(v, y) + 0 * torch.exp(-y * v).sum(),
            _of_cells(lambda v, y: torch.log(1 + torch.exp(-y * v))),
            _of_cells(lambda v, y: -torch.log(torch.sigmoid(y * v))),
        ],
        "for a very wrong response": lambda right, v, y: right(v.clamp(-20, 20), y),
        "the loss is right, but its gradient": lambda right, v, y: right(
            torch.where(y > 0, v, v.detach()), y
        ),
        "lost its gradient": lambda right, v, y: right(v, y).detach(),
    },
)
def examine_loss(answer, rng) -> None:
    """Balanced logistic loss."""
    v = torch.from_numpy(rng.normal(-1, 2, (3, 11, 11))).float().requires_grad_()
    # three maps with 21, 9 and 45 positives of 121
    y = torch.stack([losses.label_map(11, 8, radius) for radius in (21.0, 12.0, 30.0)])
    counts = {"positives": int((y[0] > 0).sum()), "negatives": int((y[0] < 0).sum())}
    answer.compare((v, y), "the loss", as_loss, tolerance=1e-5, **counts)
    usual = losses.label_map(15, 8, 16.0).expand(2, 15, 15)
    more = torch.from_numpy(rng.normal(0, 3, (2, 15, 15))).float().requires_grad_()
    answer.compare((more, usual), "the loss", as_loss, tolerance=1e-5, positives=13, negatives=212)
    _check_wild(answer, usual)


def _check_wild(answer, y: Tensor) -> None:
    """A response that is very wrong, which exp cannot take."""
    loss = torch.as_tensor(answer(-200.0 * y, y))
    if not bool(torch.isfinite(loss).all()):
        raise Wrong(
            "for a very wrong response, v = −200·y, your loss is infinite: exp overflows, or a "
            "sigmoid is rounded to 0. F.softplus(t) is log(1 + exp(t)), computed safely"
        )
    if abs(float(loss) - 200) > 0.1:
        raise Wrong(
            f"for a very wrong response, v = −200·y, your loss is {float(loss):.4g}, expected 200: "
            "is something clipped?"
        )
