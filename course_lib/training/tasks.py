"""What the loop must know of a network: its loss, and what its output says about a pair. One task
for each kind of output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from course_lib.lookup import load
from course_lib.models.networks import network_class
from course_lib.training.first_weights import first_network

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch
    from course_lib.training.settings import TrainSettings

# a network's `output`: the task that trains it
TASKS = {
    "responses": "course_lib.training.map_tasks:SiamFCTask",
    "cosines": "course_lib.training.map_tasks:MarginTask",
    "proposals": "course_lib.training.proposal_task:ProposalTask",
}


class Task(ABC):
    """One network, and how it is trained.

    Args:
        settings: the recipe.
        network: to train; None for the recipe's own, with its first weights.
    """

    def __init__(self, settings: TrainSettings, network: nn.Module | None = None) -> None:
        self.settings = settings
        self.network = first_network(settings) if network is None else network

    def inputs(self, batch: PairBatch) -> tuple[Tensor, Tensor]:
        """Exemplars and search images of a jittered batch as the network wants them."""
        return batch.exemplar, batch.search

    @abstractmethod
    def loss(self, output: Any, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Mean loss () over the batch.

        Args:
            output: of the network.
            batch: it was given.
            done: fraction of the steps that is over.
        """

    @abstractmethod
    def measures(self, output: Any, batch: PairBatch) -> dict[str, Tensor]:
        """Values (B,) by name that say how well each pair is solved, for validation."""

    @abstractmethod
    def maps(self, output: Any) -> Tensor:
        """Score maps (B, n, n) to look at."""


def make_task(settings: TrainSettings, network: nn.Module | None = None) -> Task:
    """The task of a recipe's network.

    Raises:
        SettingsError: the network cannot be built, or cannot be trained as the recipe says.
    """
    return load(TASKS[network_class(settings.network).output])(settings, network)


def target_place(batch: PairBatch) -> Tensor:
    """Where the targets' centres stand (B, 2), x and y pixels from the centre of the search
    image."""
    return batch.box[:, :2] + batch.box[:, 2:] / 2 - batch.search.shape[-1] / 2
