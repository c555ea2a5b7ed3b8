"""What the loop must know of a network: how to build it, its loss, and what its response says about a pair."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from course_lib.data.loader import PairBatch
from course_lib.errors import SettingsError
from course_lib.models.losses import balanced_logistic_loss, pair_labels
from course_lib.models.siamfc import SiamFC
from course_lib.models.weights import load_siamfc
from course_lib.training.settings import TrainSettings


class Task(Protocol):
    """One kind of network to train."""

    def build(self) -> nn.Module:
        """A fresh network, called as network(exemplar, search)."""

    def loss(self, output: Tensor, batch: PairBatch) -> Tensor:
        """Mean loss () over the batch, of the network's output."""

    def measures(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Values (B,) by name that say how well each pair is solved, for validation."""

    def maps(self, output: Tensor) -> Tensor:
        """Score maps (B, n, n) to look at."""


class SiamFCTask:
    """SiamFC with the balanced logistic loss."""

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings

    def build(self) -> SiamFC:
        """The network of the recipe, its first weights drawn from the recipe's seed, or those it starts from.

        Raises SettingsError if these belong to another network.
        """
        s = self.settings
        if s.start_from:
            network = load_siamfc(s.start_from).train()
            if (network.stride, network.backbone.widths) != (s.stride, s.widths):
                raise SettingsError(
                    f"start_from {s.start_from!r} has stride {network.stride} and widths {network.backbone.widths}; the recipe "
                    f"wants {s.stride} and {s.widths}. Make them equal."
                )
            return network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(s.seed)
            return SiamFC(s.stride, s.widths)

    def loss(self, output: Tensor, batch: PairBatch) -> Tensor:
        """Balanced logistic loss of responses (B, n, n)."""
        labels = pair_labels(batch.positive, output.shape[-1], self.settings.stride, self.settings.radius)
        return balanced_logistic_loss(output, labels)

    def measures(self, output: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Distance in pixels of each response's peak from the middle, and whether it lies within the radius."""
        distance = peak_distance(output, self.settings.stride)  # (B,)
        return {"distance": distance, "hits": (distance <= self.settings.radius).float()}

    def maps(self, output: Tensor) -> Tensor:
        """The responses themselves."""
        return output


def make_task(settings: TrainSettings) -> Task:
    """The task of a recipe's network."""
    return SiamFCTask(settings)


def peak_distance(response: Tensor, stride: float) -> Tensor:
    """Pixels (B,) of the search image from the middle of each response (B, n, n) to its highest cell."""
    n = response.shape[-1]
    peak = response.flatten(1).argmax(dim=1)  # (B,)
    row, column = peak // n - (n - 1) / 2, peak % n - (n - 1) / 2
    return torch.hypot(row, column) * stride
