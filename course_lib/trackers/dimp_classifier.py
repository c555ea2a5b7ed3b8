"""DiMP's classifier (Bhat et al., 2019): the filter comes from a network, and the steps that go on
improving it are those that the network was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from course_lib.models.target_filter import apply_filters
from course_lib.recipe import Count, CountFromZero, Range
from course_lib.trackers.target_classifier import MemorySettings, TargetClassifier, centres_of

if TYPE_CHECKING:
    from course_lib.models.dimp import DiMP


@dataclass(frozen=True)
class DiMPClassifierSettings(MemorySettings):
    """Settings of DiMPClassifier; the defaults are those of DiMP's public code."""

    capacity: Annotated[int, Range(2, 10_000)] = 50  # samples in the memory
    first_steps: CountFromZero = 10  # steps of steepest descent in the first frame
    steps: Count = 2  # steps of each later update


class DiMPClassifier(TargetClassifier):
    """The classifier of a trained DiMP.

    Args:
        network: its neck and its predictor are used, in eval mode.
        settings: None for the defaults.
    """

    settings: DiMPClassifierSettings

    def __init__(self, network: DiMP, settings: DiMPClassifierSettings | None = None) -> None:
        super().__init__(settings or DiMPClassifierSettings(), network.predictor.shift)
        self.neck, self.predictor = network.neck, network.predictor

    @torch.no_grad()
    def kept(self, features: Tensor) -> Tensor:
        """The neck's features (N, c, h, w)."""
        return self.neck(features)

    @torch.no_grad()
    def learn_first(self, features: Tensor, boxes: Tensor) -> None:
        """Predict the filter from the first frame, and begin the memory; arguments as in
        `TargetClassifier`."""
        x = self.kept(features)  # (N, c, h, w)
        self.begin_memory(x, centres_of(boxes))
        self.filter = self.predictor.initialiser(x[None], boxes[None])  # (1, c, k, k)
        self._descend(self.settings.first_steps)

    @torch.no_grad()
    def scores(self, features: Tensor) -> Tensor:
        """Scores (N, h + 1, w + 1) of features (N, C, h, w); (N, h, w) for an odd kernel."""
        return apply_filters(self.kept(features)[None], self.filter)[0]

    @torch.no_grad()
    def learn(self, steps: int | None = None) -> None:
        """Some steps of steepest descent on the memory; arguments as in `TargetClassifier`."""
        if not self.settings.frozen:
            self._descend(self.settings.steps if steps is None else steps)

    def _descend(self, steps: int) -> None:
        """Steps on all samples of the memory, each with its weight."""
        memory, p = self.memory, self.predictor
        x = memory.features[None]  # (1, n, c, h, w)
        centres = (memory.centres + self.shift)[None].to(x)  # (1, n, 2)
        gamma = memory.weights[None].to(x)  # (1, n)
        for found in p.descend(self.filter, x, centres, gamma, steps):
            self.filter = found
