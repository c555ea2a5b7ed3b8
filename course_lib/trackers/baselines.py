"""Trackers that do not look: what every other tracker has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from course_lib.recipe import Range, Seed, Settings
from course_lib.trackers.base import Tracker, accept_start


@dataclass(frozen=True)
class StayPutSettings(Settings):
    """StayPut has no settings."""


@dataclass(frozen=True)
class RandomWalkSettings(Settings):
    """Settings of RandomWalk."""

    # standard deviation of a step, in mean sides of the box
    deviation: Annotated[float, Range(0, 100)] = 0.05
    seed: Seed = 0


class StayPut(Tracker):
    """Returns the first box for every frame."""

    name = "stay-put"
    Settings = StayPutSettings

    def __init__(self, settings: StayPutSettings | None = None) -> None:
        self.settings = settings or StayPutSettings()

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Store the box (4,)."""
        _, box = accept_start(frame, box)
        self.box = box.copy()  # (4,)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The first box (4,), whatever the frame shows."""
        return self.box.copy()


class RandomWalk(Tracker):
    """Moves its box by a random step in every frame, inside the frame: chance level.

    Steps are normally distributed with standard deviation `deviation`, in mean sides of the box.
    They come from `seed`, so two runs are equal.
    """

    name = "random-walk"
    Settings = RandomWalkSettings

    def __init__(self, settings: RandomWalkSettings | None = None) -> None:
        self.settings = settings or RandomWalkSettings()
        self.rng = np.random.default_rng(self.settings.seed)

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Start at the box (4,)."""
        _, box = accept_start(frame, box)
        self.box = box.copy()  # (4,)

    def update(self, frame: np.ndarray) -> np.ndarray:
        """The last box (4,) moved by a random step; its centre stays inside the frame."""
        H, W = frame.shape[:2]
        step = self.settings.deviation * np.sqrt(self.box[2] * self.box[3])  # pixels
        half = self.box[2:] / 2  # (2,)
        centre = self.box[:2] + half + self.rng.normal(0, step, 2)  # (2,)
        self.box[:2] = np.clip(centre, 0, [W, H]) - half
        return self.box.copy()
