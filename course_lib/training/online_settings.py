"""Settings for training the networks of trackers that learn online: ATOM's and DiMP's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from course_lib.recipe import Count, CountFromZero, Range, Settings


@dataclass(frozen=True)
class OverlapSettings(Settings):
    """Of network atom."""

    # channels inside the IoU predictor, even; 256 in the paper
    width: Annotated[int, Range(2, 4096)] = 256


@dataclass(frozen=True)
class PredictorSettings(Settings):
    """Of network dimp; the defaults are DiMP-18's."""

    channels: Annotated[int, Range(1, 4096)] = 256  # of the classifier's features
    kernel: Annotated[int, Range(1, 31)] = 4  # side of the filter, in cells
    iterations: Count = 5  # steps of steepest descent
    blocks: CountFromZero = 1  # residual blocks of the neck
    # whether labels, mask and weights are learned as functions of the distance
    learned: bool = False
    # whether neck and initialiser begin by passing the backbone's features on; else at random.
    # Only with blocks: 0 and as many channels as the backbone's map has
    as_identity: bool = False
