"""The memory of a classifier that learns while it tracks: features of past frames, each with the
place of the target and a weight.

A new sample gets a weight that exceeds the last one's by a constant factor: old samples are
forgotten exponentially. Those of the first frame, the only ones known to be right, keep at least a
part of the whole. The rules are those of ATOM (Danelljan et al., 2019) and of its public code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.errors import SettingsError


class SampleMemory:
    """Up to `capacity` samples, with weights whose sum is 1.

    Args:
        features: (N, C, h, w) of the first frame's samples.
        centres: (N, 2) of the target in each, x and y in cells.
        capacity: how many samples there may be, the first frame's included.
        floor: least sum of the weights of the first frame's samples. Above 0 they are never
            replaced; with 0 they are samples like all others.

    Attributes:
        initial: how many of the samples are the first frame's.
        weights: (n,) of the samples that there are.
        newest: number of the last sample added; None before the first.

    Raises:
        SettingsError: if the first frame's samples leave no room for another.
    """

    def __init__(
        self, features: Tensor, centres: Tensor, capacity: int = 250, floor: float = 0.25
    ) -> None:
        self.initial, self.capacity, self.floor = len(features), capacity, floor
        if self.initial >= capacity:
            raise SettingsError(
                f"the memory holds {capacity} samples, and {self.initial} of the first frame fill "
                "it; expected room for at least one more"
            )
        # room for all at once: a memory that grows would be copied in every frame
        self._features = features.new_zeros(capacity, *features.shape[1:])  # (capacity, C, h, w)
        self._centres = centres.new_zeros(capacity, 2)
        self._features[: self.initial], self._centres[: self.initial] = features, centres
        self.weights = torch.full((self.initial,), 1 / self.initial, dtype=torch.float64)
        self.newest: int | None = None

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def features(self) -> Tensor:
        """Features (n, C, h, w) of all samples."""
        return self._features[: len(self)]

    @property
    def centres(self) -> Tensor:
        """Centres (n, 2) of the targets, x and y in cells."""
        return self._centres[: len(self)]

    def add(self, features: Tensor, centre: Tensor, rate: float) -> int:
        """Remember one more sample; returns its number.

        Once the memory is full, the one with the least weight is replaced. The new weight is the
        last new one's divided by 1 − rate, for the first of them rate · (1 − rate); then all are
        divided by their sum.

        Args:
            features: (C, h, w).
            centre: (2,) of the target, x and y in cells.
            rate: how much a new sample counts, above 0 and below 1.
        """
        if self.newest is None:
            new = rate * (1 - rate)
        else:
            new = float(self.weights[self.newest]) / (1 - rate)
        if len(self) < self.capacity:
            place = len(self)
            self.weights = torch.cat([self.weights, self.weights.new_zeros(1)])  # (n + 1,)
        else:
            kept = self.initial if self.floor > 0 else 0
            place = kept + int(self.weights[kept:].argmin())
        self._features[place], self._centres[place] = features, centre
        self.weights[place] = new
        self.weights /= self.weights.sum()
        self._keep_floor()
        self.newest = place
        return place

    def _keep_floor(self) -> None:
        """Raise the weights of the first frame's samples to their least sum."""
        first, others = self.weights[: self.initial], self.weights[self.initial :]
        if float(first.sum()) < self.floor:
            others *= (1 - self.floor) / others.sum()
            first[:] = self.floor / self.initial
