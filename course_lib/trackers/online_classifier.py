"""ATOM's classifier (Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", 2019,
sec. 3.2): two layers, s = w2 ⋆ (w1 · x), learned while tracking.

w1 reduces the backbone's many channels to a few, w2 is a filter over these. Both are learned from
augmented crops of the first frame; then w1 stays, and w2 goes on learning from what was found. The
loss is ‖r‖², with the residuals

    r = √γ · (φ(s) − y)   of each sample and cell,   √λ2 · w2,   √λ1 · w1.

φ is nearly flat below 0: how far below 0 the background's scores lie costs almost nothing. It
stands in the loss only; the target is looked for in s itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from course_lib.models.optimise import Residuals, Vector, divide_by, gauss_newton
from course_lib.models.target_filter import (
    apply_filters,
    gaussian_labels,
    rms_normalised,
    shift_of,
)
from course_lib.recipe import Count, Positive, Range, Seed
from course_lib.trackers.target_classifier import MemorySettings, TargetClassifier, centres_of


@dataclass(frozen=True)
class ClassifierSettings(MemorySettings):
    """Settings of OnlineClassifier; the defaults are those of ATOM's public code."""

    compressed: Count = 64  # channels behind w1
    kernel: Annotated[int, Range(1, 31)] = 4  # side of w2, in cells
    sigma: Positive = 0.9  # standard deviation of the wanted scores, in cells
    bend: Positive = 0.05  # α of the activation: how far below 0 scores still count
    filter_weight: Positive = 0.1  # λ2
    projection_weight: Positive = 1e-4  # λ1
    first_rounds: Count = 6  # Gauss–Newton rounds in the first frame
    first_steps: Count = 10  # conjugate-gradient steps in each of them
    steps: Count = 5  # conjugate-gradient steps of each later update
    preconditioned: bool = True  # whether gradients are divided by λ2 and λ1 in the first frame
    seed: Seed = 0  # of the first weights


def activation(scores: Tensor, bend: float) -> Tensor:
    """φ (...): scores above 0 as they are, below 0 bend · (exp(s / bend) − 1), which falls to
    −bend and no further; its slope has no step (the modified ELU of Danelljan et al., 2019).

    Args:
        scores: s, of any shape (...).
        bend: α.
    """
    # clamped: where scores are high, exp(s / bend) would be infinite and its gradient no number
    return torch.where(scores >= 0, scores, bend * torch.expm1(scores.clamp(max=0) / bend))


class OnlineClassifier(TargetClassifier):
    """Two layers that tell one target from its surroundings.

    Args:
        settings: None for the defaults.

    Attributes:
        w1: (c, C), after `learn_first`.
        w2: (1, c, k, k), after `learn_first`.
    """

    settings: ClassifierSettings

    def __init__(self, settings: ClassifierSettings | None = None) -> None:
        settings = settings or ClassifierSettings()
        super().__init__(settings, shift_of(settings.kernel))

    @torch.no_grad()
    def learn_first(self, features: Tensor, boxes: Tensor) -> None:
        """Learn w1 and w2 from the first frame, and begin the memory; arguments as in
        `TargetClassifier`. Of the boxes only the centres count."""
        s = self.settings
        residuals, first = self.first_problem(features, boxes)
        scale = divide_by(s.filter_weight, s.projection_weight) if s.preconditioned else None
        *_, (w2, w1) = gauss_newton(residuals, first, s.first_rounds, s.first_steps, scale)
        self.w2, self.w1 = w2, w1
        self.begin_memory(self.kept(features), centres_of(boxes))

    def first_problem(self, features: Tensor, boxes: Tensor) -> tuple[Residuals, Vector]:
        """What is to be made small in the first frame, as a function of (w2, w1), and the weights
        to begin with.

        Args:
            features: (N, C, h, w) of the backbone, of augmented crops.
            boxes: (N, 4) of the target in each, x, y, w, h in cells.
        """
        s, x = self.settings, rms_normalised(features)
        gamma = x.new_full((len(x),), 1 / len(x))  # (N,)
        y = self.labels(centres_of(boxes), x)  # (N, h, w)

        def residuals(w2: Tensor, w1: Tensor) -> Tensor:
            """Residuals (M,) of both layers."""
            data = self._data_residuals(w2, project(x, w1), y, gamma)
            own = w2.flatten() * s.filter_weight**0.5, w1.flatten() * s.projection_weight**0.5
            return torch.cat([data, *own])

        return residuals, tuple(w.to(x) for w in self.first_weights(x.shape[1]))

    def first_weights(self, channels: int) -> tuple[Tensor, Tensor]:
        """w2 (1, c, k, k) and w1 (c, C) to begin with, random: w1 keeps the size of features of C
        channels, w2 begins near 0."""
        c, k = self.settings.compressed, self.settings.kernel
        draw = torch.Generator().manual_seed(self.settings.seed)
        w1 = torch.randn(c, channels, generator=draw) / channels**0.5
        return torch.randn(1, c, k, k, generator=draw) / (c * k * k), w1

    def kept(self, features: Tensor) -> Tensor:
        """Features (N, c, h, w) behind w1."""
        return project(rms_normalised(features), self.w1)

    @torch.no_grad()
    def scores(self, features: Tensor) -> Tensor:
        """Scores (N, h, w) of features (N, C, h, w) of the backbone: about 1 on the target."""
        return self._filtered(self.kept(features), self.w2)

    @torch.no_grad()
    def learn(self, steps: int | None = None) -> None:
        """Some conjugate-gradient steps of w2 on the memory; arguments as in `TargetClassifier`."""
        if not self.settings.frozen:
            steps = self.settings.steps if steps is None else steps
            ((self.w2,),) = gauss_newton(self.problem(), (self.w2,), 1, steps)

    def problem(self) -> Residuals:
        """What is to be made small later, as a function of w2 (1, c, k, k): residuals (M,)."""
        memory = self.memory
        x, gamma = memory.features, memory.weights.to(memory.features)  # (n, c, h, w), (n,)
        y = self.labels(memory.centres, x)  # (n, h, w)

        def residuals(w2: Tensor) -> Tensor:
            """Residuals (M,) of the filter alone."""
            data = self._data_residuals(w2, x, y, gamma)
            return torch.cat([data, w2.flatten() * self.settings.filter_weight**0.5])

        return residuals

    def labels(self, centres: Tensor, features: Tensor) -> Tensor:
        """Wanted scores (N, h, w) for centres (N, 2) on features (N, C, h, w)."""
        size = features.shape[-2], features.shape[-1]
        return gaussian_labels(centres.to(features) + self.shift, size, self.settings.sigma)

    def _filtered(self, x: Tensor, w2: Tensor) -> Tensor:
        """Scores (N, h, w) of compressed features (N, c, h, w); the last row and column, which an
        even kernel adds, are left out."""
        return apply_filters(x[None], w2)[0, :, : x.shape[-2], : x.shape[-1]]

    def _data_residuals(self, w2: Tensor, x: Tensor, y: Tensor, gamma: Tensor) -> Tensor:
        """√γ · (φ(s) − y) (N·h·w,) of compressed features (N, c, h, w), labels (N, h, w) and
        weights (N,)."""
        off = activation(self._filtered(x, w2), self.settings.bend) - y  # (N, h, w)
        return (gamma.sqrt()[:, None, None] * off).flatten()


def project(x: Tensor, w1: Tensor) -> Tensor:
    """Features (N, c, h, w) with fewer channels: w1 (c, C) at each cell of x (N, C, h, w)."""
    return (w1 @ x.flatten(2)).unflatten(2, x.shape[2:])
