"""A one-stream network's training goal: a heat map that is 1 at the target's centre, and the box.

The heat map and its loss are CornerNet's (Law and Deng, 2018); the sum with GIoU (Rezatofighi et
al., 2019) and L1, and their weights, are OSTrack's (Ye et al., 2022).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from course_lib.models.centre_head import CentreMaps

OVERLAP = 0.7  # IoU that a box with a displaced centre still has, within the radius
ALPHA, BETA = 2, 4  # exponents of the focal loss
GIOU, L1 = 2.0, 5.0  # weights of the two losses of the box


def centre_cells(centres: Tensor, n: int) -> Tensor:
    """The cells (..., 2), column and row, of centres (..., 2) given as fractions of the search
    image: n · centre, rounded. So an offset lies within ± 0.5."""
    return (centres * n).round().long().clamp(0, n - 1)


def radius_of(sizes: Tensor, overlap: float = OVERLAP) -> Tensor:
    """CornerNet's radius (...) in cells for boxes of sizes (..., 2) in cells.

    The radius is meant to be the largest displacement of a box's two corners that leaves an IoU of
    `overlap`: the smallest root of three quadratic equations, for corners that both move in, both
    move out, or one in and one out. The code as first published divides by 2 where the equation
    says 2·a; OSTrack's has kept this, and so does the course.
    """
    w, h = sizes.unbind(-1)
    both, area = w + h, w * h
    roots = []
    for a, b, c in (
        (1.0, both, area * (1 - overlap) / (1 + overlap)),
        (4.0, 2 * both, (1 - overlap) * area),
        (4 * overlap, -2 * overlap * both, (overlap - 1) * area),
    ):
        roots.append((b + (b.square() - 4 * a * c).clamp_min(0).sqrt()) / 2)
    return torch.stack(roots).amin(0)


def heat_map(boxes: Tensor, n: int, positive: Tensor | None = None) -> Tensor:
    """Heat maps (B, n, n) for boxes (B, 4), x, y, w, h as fractions of the search image.

    A Gaussian of σ = (2r + 1) / 6, r the whole part of `radius_of`, around the rounded centre: 1
    there, and 0 farther than r cells away along either axis.

    Args:
        boxes: of the targets.
        n: cells per side.
        positive: (B,) whether there is a target; a map without one is 0.
    """
    cells = centre_cells(boxes[:, :2] + boxes[:, 2:] / 2, n)  # (B, 2)
    r = radius_of(boxes[:, 2:] * n).floor().clamp_min(0)  # (B,)
    line = torch.arange(n, device=boxes.device)  # (n,)
    dx, dy = line - cells[:, :1], line - cells[:, 1:]  # (B, n)
    sigma = (2 * r + 1)[:, None] / 6  # (B, 1)
    gauss = [
        torch.where(d.abs() <= r[:, None], (-d.square() / (2 * sigma.square())).exp(), 0.0)
        for d in (dx, dy)
    ]
    heat = gauss[1][:, :, None] * gauss[0][:, None, :]  # (B, n, n)
    return heat if positive is None else heat * positive.to(heat)[:, None, None]


def at_least_one(count: Tensor) -> Tensor:
    """A count () that can be divided by."""
    return count.clamp_min(1)


def focal_loss(
    score: Tensor, heat: Tensor, share: Callable[[Tensor], Tensor] = at_least_one
) -> Tensor:
    """CornerNet's focal loss () of scores (B, n, n) in 0…1 for heat maps (B, n, n).

    −(1 − p)² · log p at cells where the heat is 1, −(1 − heat)⁴ · p² · log(1 − p) at all others,
    summed, and divided by the number of the former.

    Args:
        score: p.
        heat: of the same cells, see `heat_map`.
        share: what to divide by, from the number () of cells where the heat is 1; if several
            processes share a batch, see `training.processes.ProcessGroup.share`.
    """
    right = heat == 1
    hit = (1 - score) ** ALPHA * score.log() * right
    miss = (1 - heat) ** BETA * score**ALPHA * (1 - score).log() * ~right
    return -(hit.sum() + miss.sum()) / share(right.sum())


def _corners(boxes: Tensor) -> Tensor:
    """Two corners x0, y0, x1, y1 (..., 4) of boxes (..., 4), x, y, w, h."""
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


def box_costs(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """1 − GIoU, 0…2, and the mean absolute difference of the four edges, (B,) each, of boxes
    (B, 4), x, y, w, h."""
    a, b = _corners(found), _corners(wanted)  # (B, 4)
    return generalized_box_iou_loss(a, b, eps=1e-9), (a - b).abs().mean(-1)


def centre_loss(
    maps: CentreMaps,
    boxes: Tensor,
    positive: Tensor,
    share: Callable[[Tensor], Tensor] = at_least_one,
) -> Tensor:
    """Focal loss + 2 · (1 − GIoU) + 5 · L1 (), OSTrack's; the box is judged only at the cell with
    the highest score, as it is in tracking.

    Args:
        maps: of the search images.
        boxes: (B, 4) of the targets, x, y, w, h as fractions of the search image.
        positive: (B,) whether the search image shows the template's target; else there is no box.
        share: what to divide by, from the numbers () of targets' cells and of boxes, see
            `focal_loss`.
    """
    heat = heat_map(boxes, maps.score.shape[-1], positive)  # (B, n, n)
    there = positive.to(boxes)  # (B,)
    overlap, edges = box_costs(maps.best(), boxes)  # (B,) each
    wrong = GIOU * overlap + L1 * edges
    return focal_loss(maps.score[:, 0], heat, share) + (wrong * there).sum() / share(there.sum())
