"""DiMP's model predictor (Bhat et al., 2019): from features of a target to a filter that finds it.

The loss of a filter w over N images with scores s = w ⋆ x is ‖r‖², with the residuals

    r = √γ · v · (m·s + (1 − m)·max(0, s) − y)   of each image and cell, and   √λ · w.

y is the score wanted. The mask m is 1 near the target, where scores should be y (least squares),
and 0 far from it, where only scores above y cost anything (hinge): how far below 0 the background
lies does not matter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models.optimise import Residuals, steepest_descent
from course_lib.models.prpool import prpool
from course_lib.models.pyramid import MapPlace
from course_lib.models.target_filter import apply_filters, gaussian_labels, shift_of

SIGMA = 0.9  # of the wanted scores, in cells
LEAST = 1e-3  # of √λ
BINS, BIN = 100, 0.1  # distances at which learned maps have a number, and cells between them


class TargetMaps(NamedTuple):
    """What is wanted at each cell of score maps.

    Attributes:
        labels: y (B, N, h, w).
        mask: m (B, N, h, w) in 0…1.
        weights: v (B, N, h, w).
    """

    labels: Tensor
    mask: Tensor
    weights: Tensor


class FixedMaps(nn.Module):
    """A Gaussian as labels, set to 0 below a threshold; the cells above it are the target's.

    Args:
        threshold: label from which a cell counts as the target's.
    """

    def __init__(self, threshold: float = 0.05) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, centres: Tensor, size: tuple[int, int]) -> TargetMaps:
        """Maps (B, N, h, w) for targets at centres (B, N, 2), x and y in cells of a score map of
        that size."""
        labels = gaussian_labels(centres, size, SIGMA)  # (B, N, h, w)
        mask = (labels > self.threshold).to(labels)
        return TargetMaps(labels * mask, mask, torch.ones_like(labels))


class LearnedMaps(nn.Module):
    """y, m and v as functions of the distance from the target: 3 · 100 numbers, linear between
    distances 0.1 cells apart (Bhat et al., 2019, sec. 3.4). They begin as a Gaussian, a soft disc
    with a radius of two cells, and 1."""

    def __init__(self) -> None:
        super().__init__()
        d = BIN * torch.arange(BINS)  # (bins,)
        label = torch.exp(-(d**2) / (2 * SIGMA**2))
        self.label = nn.Parameter(label - label.min())
        self.mask = nn.Parameter(3 * torch.tanh(2 - d))  # before the sigmoid
        self.weight = nn.Parameter(torch.ones(BINS))

    def forward(self, centres: Tensor, size: tuple[int, int]) -> TargetMaps:
        """Maps (B, N, h, w) for targets at centres (B, N, 2), x and y in cells of a score map of
        that size."""
        down, across = (torch.arange(n, dtype=centres.dtype, device=centres.device) for n in size)
        x, y = centres[..., None, None, 0], centres[..., None, None, 1]  # (B, N, 1, 1)
        distance = ((across - x) ** 2 + (down[:, None] - y) ** 2).sqrt()  # (B, N, h, w)
        place = (distance / BIN).clamp(max=BINS - 1)  # what lies beyond has the last number
        low = place.long().clamp(max=BINS - 2)
        label, mask, weight = (
            torch.lerp(table[low], table[low + 1], place - low)
            for table in (self.label, self.mask, self.weight)
        )
        return TargetMaps(label, mask.sigmoid(), weight)


class Initialiser(nn.Module):
    """The first filter: a convolution, and PrPool of the target's box to the filter's size.

    Args:
        place: of the features.
        kernel: side of the filter, in cells.
    """

    def __init__(self, place: MapPlace, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.conv = nn.Conv2d(place.channels, place.channels, 3, padding=1)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)

    def forward(self, features: Tensor, boxes: Tensor) -> Tensor:
        """Filters (B, C, k, k), each the mean over N images, from features (B, N, C, h, w) and
        boxes (B, N, 4) in cells."""
        x = self.conv(features.flatten(0, 1))  # (B·N, C, h, w)
        pooled = prpool(x, boxes.flatten(0, 1)[:, None], self.kernel)  # (B·N, 1, C, k, k)
        return pooled.unflatten(0, boxes.shape[:2]).mean((1, 2))  # (B, C, k, k)


class ModelPredictor(nn.Module):
    """Initialiser and steepest descent, for B targets at once; 2 numbers are learned besides the
    initialiser's, and 300 more with `learned`.

    Args:
        place: of the features.
        kernel: side of the filter, in cells.
        iterations: steps, unless a call says otherwise.
        learned: whether labels, mask and weights are learned; else fixed.

    Attributes:
        shift: how much further a target lies on the score map than on the features, in cells.
    """

    def __init__(
        self, place: MapPlace, kernel: int = 4, iterations: int = 5, learned: bool = False
    ) -> None:
        super().__init__()
        self.place, self.iterations, self.shift = place, iterations, shift_of(kernel)
        self.initialiser = Initialiser(place, kernel)
        self.maps = LearnedMaps() if learned else FixedMaps()
        self.log_length = nn.Parameter(torch.tensor(math.log(0.9)))
        self.regulariser = nn.Parameter(torch.tensor(0.1))  # √λ

    def centres(self, boxes: Tensor) -> Tensor:
        """Centres (..., 2) of boxes (..., 4) in pixels, as x and y in cells of the score map."""
        return self.place.cells(boxes[..., :2] + boxes[..., 2:] / 2) + self.shift

    def residuals(
        self, features: Tensor, centres: Tensor, weights: Tensor | None = None
    ) -> Residuals:
        """The function from filters (B, C, k, k) to residuals (B, M).

        Args:
            features: (B, N, C, h, w).
            centres: (B, N, 2) of the targets, x and y in cells of the score map.
            weights: γ (B, N) of the images, with a sum of 1; None for equal ones.
        """
        h, w = (n + round(2 * shift_of(self.initialiser.kernel)) for n in features.shape[-2:])
        y, m, v = self.maps(centres, (h, w))  # (B, N, h, w)
        equal = centres.new_full(centres.shape[:2], 1 / centres.shape[1])
        gamma = (equal if weights is None else weights).sqrt()[..., None, None]  # (B, N, 1, 1)
        root = self.regulariser.abs().clamp_min(LEAST)

        def residuals(filters: Tensor) -> Tensor:
            """Residuals (B, M) of filters (B, C, k, k)."""
            s = apply_filters(features, filters)  # (B, N, h, w)
            off = m * s + (1 - m) * F.relu(s) - y  # (B, N, h, w)
            return torch.cat([(gamma * v * off).flatten(1), (root * filters).flatten(1)], 1)

        return residuals

    def descend(
        self,
        filters: Tensor,
        features: Tensor,
        centres: Tensor,
        weights: Tensor | None = None,
        steps: int | None = None,
    ) -> list[Tensor]:
        """The filters (B, C, k, k) after each step of steepest descent, each exp(ℓ) times as long
        as the exact one. Without gradients, under `torch.no_grad`, no graph is kept.

        Args:
            filters: (B, C, k, k) to begin with.
            features: (B, N, C, h, w).
            centres: (B, N, 2) of the targets, x and y in cells of the score map.
            weights: γ (B, N) of the images, with a sum of 1; None for equal ones.
            steps: how many; None for `iterations`.
        """
        path = steepest_descent(
            self.residuals(features, centres, weights),
            (filters,),
            self.iterations if steps is None else steps,
            self.log_length.exp(),
            each=True,
            keep_graph=torch.is_grad_enabled(),
        )
        return [f for (f,) in path]

    def forward(self, features: Tensor, boxes: Tensor, steps: int | None = None) -> list[Tensor]:
        """The first filters (B, C, k, k), and those after each step.

        Args:
            features: (B, N, C, h, w) of N images of each target.
            boxes: (B, N, 4) of the target in each, pixels.
            steps: how many; None for `iterations`.
        """
        # a step is a quotient of sums of squares: 8 bits are too few for it
        with torch.autocast(features.device.type, enabled=False):
            features, boxes = features.float(), boxes.float()
            first = self.initialiser(features, self.place.cells(boxes))  # (B, C, k, k)
            return [first, *self.descend(first, features, self.centres(boxes), steps=steps)]
