"""Check of lesson 14's loss of the box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.compare import as_loss
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong
from course_lib.models.centre_losses import GIOU, L1, box_costs


def box_loss(score: Tensor, boxes: Tensor, wanted: Tensor, positive: Tensor) -> Tensor:
    """2 · (1 − GIoU) + 5 · L1 () of the box that stands in the cell with the highest score, a mean
    over the images that show their target.

    Args:
        score: (B, n, n).
        boxes: (B, n, n, 4) of each cell, x, y, w, h as fractions of the search image.
        wanted: (B, 4) of the targets.
        positive: (B,) whether the image shows its target.
    """
    overlap, edges = box_costs(_highest(score, boxes), wanted)  # (B,) each
    costs = (GIOU * overlap + L1 * edges) * positive
    return costs.sum() / positive.sum().clamp_min(1)


def _highest(score: Tensor, boxes: Tensor) -> Tensor:
    """The box (B, 4) of the cell with the highest score."""
    at = score.flatten(1).argmax(1)  # (B,)
    return boxes.flatten(1, 2)[torch.arange(len(at)), at]


def _edges(boxes: Tensor) -> Tensor:
    """x0, y0, x1, y1 (B, 4)."""
    return torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


def _areas(a: Tensor, b: Tensor, least: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """What two boxes (B, 4) share, cover together, and the box around both: areas (B,).

    Args:
        a, b: x, y, w, h.
        least: of the sides of what they share.
    """
    e, f = _edges(a), _edges(b)
    shared = torch.minimum(e[:, 2:], f[:, 2:]) - torch.maximum(e[:, :2], f[:, :2])  # (B, 2)
    both = shared.clamp_min(least).prod(1)
    around = torch.maximum(e[:, 2:], f[:, 2:]) - torch.minimum(e[:, :2], f[:, :2])
    return both, a[:, 2:].prod(1) + b[:, 2:].prod(1) - both, around.prod(1)


def _giou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU (B,)."""
    both, either, around = _areas(a, b)
    return both / either - (around - either) / around


def _clamped_late(a: Tensor, b: Tensor) -> Tensor:
    """A mistake: what both share is clamped after its sides were multiplied."""
    both, either, around = _areas(a, b, -9.0)
    shared = both.clamp_min(0)
    union = either + both - shared
    return shared / union - (around - union) / around


def _l1(a: Tensor, b: Tensor) -> Tensor:
    """The mean absolute difference (B,) of the four edges."""
    return (_edges(a) - _edges(b)).abs().mean(1)


def _mean(costs: Tensor, positive: Tensor) -> Tensor:
    """Over the images that show their target, ()."""
    return (costs * positive).sum() / positive.sum().clamp_min(1)


Pairwise = Callable[[Tensor, Tensor], Tensor]


def _loss(
    score: Tensor,
    boxes: Tensor,
    wanted: Tensor,
    positive: Tensor,
    chosen: Pairwise = _highest,
    giou: Pairwise = _giou,
    l1: Pairwise = _l1,
    weights: tuple[float, float] = (2, 5),
    mean: Pairwise = _mean,
) -> Tensor:
    """The loss (), with a part changed.

    Args:
        score, boxes, wanted, positive: as of `box_loss`.
        chosen: (score, boxes) → boxes (B, 4).
        giou, l1: (boxes, wanted) → (B,).
        weights: of both losses.
        mean: (costs, positive) → ().
    """
    found = chosen(score, boxes)
    costs = weights[0] * (1 - giou(found, wanted)) + weights[1] * l1(found, wanted)
    return mean(costs, positive)


def _with(**changed):
    """A mistake: another part."""
    return lambda right, *given: _loss(*given, **changed)


def _ratio(of: Callable[[Tensor, Tensor, Tensor], Tensor], least: float = 0.0):
    """A mistake: another formula of the three areas."""
    return _with(giou=lambda a, b: of(*_areas(a, b, least)))


def _at_the_truth(right, score, boxes, wanted, positive):
    """The box of the cell in which the target's centre lies."""
    n = score.shape[-1]
    column, row = ((wanted[:, :2] + wanted[:, 2:] / 2) * n).round().long().clamp(0, n - 1).T
    found = boxes[torch.arange(len(score)), row, column]
    return _loss(score, boxes, wanted, positive, chosen=lambda *_: found)


def _transposed(score, boxes):
    """Row and column of the highest score changed places."""
    row, column = np.unravel_index(score.flatten(1).argmax(1).numpy(), score.shape[1:])
    return boxes[torch.arange(len(score)), torch.as_tensor(column), torch.as_tensor(row)]


def _all_cells(right, score, boxes, wanted, positive):
    """Every cell is asked for the box."""
    n = score.shape[-1]
    every = [
        _loss(score, boxes, wanted, positive, chosen=lambda s, b, i=i, j=j: b[:, i, j])
        for i in range(n)
        for j in range(n)
    ]
    return torch.stack(every).mean()


@check(
    "stream.box",
    reference=box_loss,
    mistakes={
        "this is 1 − IoU: of boxes that do not overlap it is 1, wherever they are, and has no "
        "slope. GIoU subtracts how much of the box around both is empty": (
            _ratio(lambda both, either, around: both / either)
        ),
        "where boxes lie apart along x *and* y, two negative sides make a positive area: clamp the "
        "sides of what they share at 0": [
            _ratio(lambda both, either, around: both / either - (around - either) / around, -9.0),
            _ratio(lambda both, either, around: both / either, -9.0),
            _with(giou=_clamped_late),
        ],
        "what GIoU subtracts is the empty part of the box around both, as a fraction of that box: "
        "(around − union) / around": [
            _ratio(lambda both, either, around: both / either - (around - both) / around),
            _ratio(lambda both, either, around: both / either - (around - either) / either),
            _ratio(lambda both, either, around: both / around),
            _ratio(lambda both, either, around: both / either - either / around),
            _ratio(lambda both, either, around: both / either + (around - either) / around),
        ],
        "the union counts what both share once: subtract it from the sum of the areas": _ratio(
            lambda both, either, around: both / (either + both) - (around - either - both) / around
        ),
        "the cost is 1 − GIoU: a larger overlap costs less": [
            _with(giou=lambda a, b: 1 - _giou(a, b)),
            _with(giou=lambda a, b: 1 + _giou(a, b)),
            _with(giou=lambda a, b: 2 - _giou(a, b)),
        ],
        "L1 compares edges x0, y0, x1, y1; yours compares x, y, w, h": [
            _with(l1=lambda a, b: (a - b).abs().mean(1)),
            _with(l1=lambda a, b: (a - b).abs().sum(1)),
        ],
        "L1 is the *mean* of the four differences": [
            _with(l1=lambda a, b: 4 * _l1(a, b)),
            _with(l1=lambda a, b: 2 * _l1(a, b)),
        ],
        "L1 takes absolute differences, not squares or a smooth mixture": [
            _with(l1=lambda a, b: (_edges(a) - _edges(b)).square().mean(1)),
            _with(
                l1=lambda a, b: torch.nn.functional.smooth_l1_loss(
                    _edges(a), _edges(b), reduction="none"
                ).mean(1)
            ),
        ],
        "without absolute values, differences of both signs cancel": (
            _with(l1=lambda a, b: (_edges(a) - _edges(b)).mean(1))
        ),
        "the weights are 2 for 1 − GIoU and 5 for L1": [
            _with(weights=(5, 2)),
            _with(weights=(1, 1)),
            _with(weights=(1, 5)),
            _with(weights=(2, 1)),
            _with(weights=(2, 0)),
            _with(weights=(0, 5)),
        ],
        "you take the box of the cell with the true centre, which is unknown while tracking: take "
        "that of the highest score": _at_the_truth,
        "row and column have changed places: boxes are (B, row, column, 4)": (
            _with(chosen=_transposed)
        ),
        "you take the same cell in all images; each has its own highest score": [
            _with(chosen=lambda s, b: b.flatten(1, 2)[:, s.amax(0).argmax()]),
            _with(chosen=lambda s, b: b.flatten(1, 2)[:, s[0].argmax()]),
        ],
        "your box is that of the lowest score": _with(chosen=lambda s, b: _highest(-s, b)),
        "you take the first cell's box, or those of all cells; take that of the highest score": [
            _with(chosen=lambda s, b: b[:, 0, 0]),
            _with(chosen=lambda s, b: b.mean((1, 2))),
            _all_cells,
        ],
        "in a negative pair there is no box to be found: only the images with `positive` count": [
            _with(mean=lambda costs, positive: costs.mean()),
            _with(mean=lambda costs, positive: costs.sum() / positive.sum().clamp_min(1)),
        ],
        "take the mean over the images that show their target, not over all of them": (
            _with(mean=lambda costs, positive: (costs * positive).sum() / len(costs))
        ),
        "your costs are added up; their mean is asked for": (
            _with(mean=lambda costs, positive: (costs * positive).sum())
        ),
    },
    others={
        "no image shows its target": _with(mean=lambda costs, p: (costs * p).sum() / p.sum()),
        "lost its gradient": lambda right, *given: right(*given).detach(),
        "should be one number": lambda right, s, b, wanted, p: _l1(_highest(s, b), wanted),
    },
)
def examine_box(answer, rng: np.random.Generator) -> None:
    """Boxes that overlap, that lie in one another, and apart along one axis or both."""
    n = 5
    for away in (1, 0):  # which of them is a negative pair
        wanted = torch.from_numpy(rng.uniform(0.2, 0.4, (4, 4))).float()
        x, y, w, h = wanted.T
        moves = np.array([(0.3, 0.2), (0.2, -0.3), (1.4, 0.3), (-1.5, -1.4)])  # in sides
        moves = torch.from_numpy(moves * rng.uniform(0.9, 1.1, (4, 2))).float()
        grown = torch.from_numpy(rng.uniform(0.6, 1.6, (4, 2))).float()
        grown[1] = 0.4  # inside
        moves[1] = 0.3
        found = torch.stack(
            [x + moves[:, 0] * w, y + moves[:, 1] * h, w * grown[:, 0], h * grown[:, 1]], 1
        )
        order = torch.from_numpy(rng.permutation(4))
        wanted, found, positive = wanted[order], found[order], order != away
        score = torch.from_numpy(rng.uniform(0.05, 0.6, (4, n, n))).float()
        boxes = torch.from_numpy(rng.uniform(0.1, 0.6, (4, n, n, 4))).float()
        cells = [(int(k) // n, int(k) % n) for k in rng.permutation([1, 7, 8, 14])]
        for b, (row, column) in enumerate(cells):
            score[b, row, column] = rng.uniform(0.65, 0.95)
            boxes[b, row, column] = found[b]
        given = (score, boxes.requires_grad_(), wanted, positive)
        answer.compare(given, "the loss", as_loss, tolerance=1e-5, near=1e-5)
    # without gradients: nothing is learned from this loss, so a plain 0 will do
    given = (score, boxes.detach(), wanted, torch.zeros(4, dtype=torch.bool))
    if not bool(torch.isfinite(torch.as_tensor(answer(*given))).all()):
        raise Wrong(
            "in a batch of negative pairs no image shows its target, and your loss is divided by 0: "
            "divide by at least 1"
        )
    answer.compare(given, "the loss of a batch without targets")
