"""What a tracker asks of a classifier that learns its target online: ATOM's and DiMP's differ in
how they learn, not in what they are asked."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Self

import torch
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.recipe import Range, Settings
from course_lib.trackers.sample_memory import SampleMemory

Rate = Annotated[float, Range(0, 0.5, above=True)]


@dataclass(frozen=True)
class MemorySettings(Settings):
    """Settings of a classifier's memory; the defaults are those of ATOM's public code."""

    capacity: Annotated[int, Range(2, 10_000)] = 250  # samples in the memory
    rate: Rate = 0.01  # how much a new sample counts
    hard_rate: Rate = 0.02  # the same, if something else in it looked like the target
    # least sum of the weights of the first frame's samples
    floor: Annotated[float, Range(0, 0.99)] = 0.25
    frozen: bool = False  # whether it stays as it was after the first frame


class TargetClassifier(ABC):
    """Tells one target from its surroundings.

    Coordinates are in cells: the centre of a feature map's first cell is at (0, 0), see
    `models.pyramid.MapPlace.cells`. On the score map everything lies `shift` cells further right
    and down, because an even filter has its centre between cells.

    Args:
        settings: of its memory.
        shift: see above.
    """

    def __init__(self, settings: MemorySettings, shift: float) -> None:
        self.settings, self.shift = settings, shift
        self._memory: SampleMemory | None = None

    @abstractmethod
    def learn_first(self, features: Tensor, boxes: Tensor) -> None:
        """Learn from the first frame, and begin the memory.

        Args:
            features: (N, C, h, w) of the backbone, of augmented crops.
            boxes: (N, 4) of the target in each, x, y, w, h in cells.
        """

    @abstractmethod
    def scores(self, features: Tensor) -> Tensor:
        """Scores (N, h', w') of features (N, C, h, w) of the backbone: about 1 on the target."""

    @abstractmethod
    def learn(self, steps: int | None = None) -> None:
        """Go on learning from the memory; a frozen classifier does not.

        Args:
            steps: None for those of the settings.
        """

    @abstractmethod
    def kept(self, features: Tensor) -> Tensor:
        """What is kept (N, c, h, w) of features (N, C, h, w) of the backbone."""

    @property
    def memory(self) -> SampleMemory:
        """The samples that it learns from.

        Raises:
            CourseError: before `learn_first`.
        """
        if self._memory is None:
            raise CourseError("the classifier has learned nothing yet; call learn_first first")
        return self._memory

    def fork(self) -> Self:
        """A copy that remembers and learns for itself; networks are shared."""
        other = copy.copy(self)
        other._memory = copy.deepcopy(self._memory)  # whose samples change in place
        return other

    @torch.no_grad()
    def remember(self, features: Tensor, centre: Tensor, hard: bool = False) -> None:
        """Put a sample into the memory; a frozen classifier does not.

        Args:
            features: (1, C, h, w) of the backbone.
            centre: (2,) of the target, x and y in cells.
            hard: whether something else looked like the target.
        """
        s = self.settings
        if not s.frozen:
            self.memory.add(self.kept(features)[0], centre, s.hard_rate if hard else s.rate)

    def begin_memory(self, kept: Tensor, centres: Tensor) -> None:
        """A new memory with the first frame's samples, kept (N, c, h, w) and centres (N, 2)."""
        self._memory = SampleMemory(kept, centres, self.settings.capacity, self.settings.floor)


def centres_of(boxes: Tensor) -> Tensor:
    """Centres (..., 2), x and y, of boxes (..., 4)."""
    return boxes[..., :2] + boxes[..., 2:] / 2
