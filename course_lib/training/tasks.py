"""What the loop must know about a network: its loss, and how to evaluate its output for a pair.
There is one task for each kind of output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from course_lib.lookup import load
from course_lib.models.networks import network_class
from course_lib.models.pyramid import MapPlace
from course_lib.training.first_weights import first_network
from course_lib.training.processes import ProcessGroup

if TYPE_CHECKING:
    from course_lib.data.loader import PairBatch
    from course_lib.training.settings import TrainSettings

# kind of a network's output → the task that trains it
TASKS = {
    "responses": "course_lib.training.map_tasks:SiamFCTask",
    "cosines": "course_lib.training.map_tasks:MarginTask",
    "proposals": "course_lib.training.proposal_task:ProposalTask",
    "overlaps": "course_lib.training.overlap_task:OverlapTask",
    "scores": "course_lib.training.score_task:ScoreTask",
    "centres": "course_lib.training.centre_task:CentreTask",
}


class Task(ABC):
    """One network, and how it is trained.

    Args:
        settings: the recipe.
        network: the network to train; None for the recipe's, newly initialised.

    Attributes:
        share: for a loss that divides by a count () over the batch, see `ProcessGroup.share`.
    """

    def __init__(self, settings: TrainSettings, network: nn.Module | None = None) -> None:
        self.settings = settings
        self.network = first_network(settings) if network is None else network
        self.share = ProcessGroup().share  # the loop replaces it if several processes train

    def inputs(self, batch: PairBatch) -> tuple[Tensor, ...]:
        """The inputs of the network for a jittered batch: exemplars, search images, and whatever
        else it takes."""
        return batch.exemplar, batch.search

    @abstractmethod
    def loss(self, output: Any, batch: PairBatch, done: float = 1.0) -> Tensor:
        """Mean loss () over the batch.

        Args:
            output: output of the network.
            batch: the batch it belongs to.
            done: fraction of the steps done so far.
        """

    @abstractmethod
    def measures(self, output: Any, batch: PairBatch) -> dict[str, Tensor]:
        """Measures (B,), by name, of how well each pair is solved; for validation."""

    def maps(self, output: Any) -> Tensor | None:
        """Score maps (B, n, n) for display, from 0 for "not here" to 1; None for a network that
        makes none."""
        return None

    def map_place(self, maps: Tensor) -> MapPlace:
        """Where the cells of `maps` (B, n, n) lie in the search image: around its centre, the
        network's stride apart, unless a task says otherwise."""
        return centred(maps, self.network.stride, self.settings.search)

    def boxes(self, output: Any, batch: PairBatch) -> dict[str, Tensor]:
        """Boxes (B, 4) in search pixels for display, by what they are; none for a network that
        proposes none."""
        return {}


def make_task(settings: TrainSettings, network: nn.Module | None = None) -> Task:
    """The task of a recipe's network.

    Raises:
        SettingsError: the network cannot be built, or cannot be trained with these settings.
    """
    return load(TASKS[network_class(settings.network).output])(settings, network)


def centred(maps: Tensor, stride: float, search: int) -> MapPlace:
    """The place of maps (B, n, n) whose centre is the search image's.

    Args:
        maps: the maps.
        stride: pixels from cell to cell.
        search: side of the search image, pixels.
    """
    return MapPlace(1, stride, search / 2 - (maps.shape[-1] - 1) / 2 * stride)


def target_place(batch: PairBatch) -> Tensor:
    """The targets' centres (B, 2), as x and y pixels from the centre of the search image."""
    return batch.box[:, :2] + batch.box[:, 2:] / 2 - batch.search.shape[-1] / 2
