"""Training pairs: an exemplar and a search image of the same target, or of two different ones.

Pair number i of a training run is a pure function of the run's seed and i. Nothing else is
remembered between pairs, so a run resumed at step s, or shared by several processes, sees exactly
the pairs it would have seen. Where a file cannot be read the pair is drawn anew, from a stream of
its own that follows from seed, i and how often that was: the same files give the same pairs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import numpy as np

from course_lib.data.faults import REMEDY, TRIES, Faults, Unreadable
from course_lib.errors import DataError, SettingsError
from course_lib.files import digest
from course_lib.geometry.windows import SEARCH
from course_lib.recipe import Range, Settings, UnitInterval

TRAINING_SEARCH = SEARCH - 16  # pixels a side of x in SiamFC's training: two strides less
JITTER = 8  # numbers that say how a crop is jittered and blurred, see `augment.py`


@dataclass(frozen=True, eq=False)
class Pair:
    """One exemplar and one search image, as they are cut; light and blur are applied later, on the
    device.

    Attributes:
        exemplar: (127, 127, 3) uint8; search: (S, S, 3) uint8.
        exemplar_box: (4,) of the target in exemplar pixels.
        box: (4,) of the target in search pixels. In a negative pair: of the other object that
            stands there.
        positive: whether the search image holds the exemplar's target.
        jitter: (2, JITTER) how exemplar and search image are to be jittered and blurred.
        source: where the pair comes from, for messages.
        seed: for what is drawn from the pair later on, such as the anchors that count.
        skipped: what could not be read before this pair was drawn, a sentence each.
    """

    exemplar: np.ndarray
    search: np.ndarray
    exemplar_box: np.ndarray
    box: np.ndarray
    positive: bool
    jitter: np.ndarray
    source: str
    seed: int = 0
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Augmentation(Settings):
    """How far exemplar and search image are changed, each on its own. 0 switches a change off.

    SiamFC's own: shift 4, stretch 0.05, colours only. A small training set needs more.
    """

    # pixels by which the target may stand beside the centre of the search image
    shift: Annotated[float, Range(0, 500)] = 4.0
    stretch: UnitInterval = 0.05  # fraction by which the scale may differ, up or down
    # largest turn, radians; only where an outline says what box follows
    rotation: Annotated[float, Range(0, math.pi)] = 0.0
    aspect_change: UnitInterval = 0.0  # fraction by which width against height may differ
    mirror: UnitInterval = 0.0  # probability that both are mirrored
    jitter: UnitInterval = 0.3  # fraction by which brightness and contrast may differ
    tint: UnitInterval = 0.1  # fraction by which one colour may differ from the others
    grey: UnitInterval = 0.0  # probability that both lose their colour
    blur: UnitInterval = 0.0  # probability that the search image is blurred

    def draw_geometry(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Factor on the side, turn in radians, and squeeze, drawn for one view."""
        side = np.exp(rng.uniform(-1, 1) * np.log1p(self.stretch))
        aspect_change = np.exp(rng.uniform(-1, 1) * np.log1p(self.aspect_change))
        return float(side), float(rng.uniform(-self.rotation, self.rotation)), float(aspect_change)

    def draw_jitter(self, rng: np.random.Generator) -> np.ndarray:
        """(2, JITTER): for each crop gain, contrast, three tints, grey (0 or 1), blur along x and
        along y in pixels."""
        values = np.zeros((2, JITTER), dtype=np.float32)
        values[:, :2] = np.exp(rng.uniform(-1, 1, (2, 2)) * np.log1p(self.jitter))
        values[:, 2:5] = np.exp(rng.uniform(-1, 1, (2, 3)) * np.log1p(self.tint))
        values[:, 5] = rng.random() < self.grey
        if rng.random() < self.blur:
            values[1, 6:] = rng.uniform(0.2, 2.5, 2) * (1, rng.uniform(0.1, 1))
        if rng.random() < self.blur / 3:
            values[0, 6:] = rng.uniform(0.2, 1.2)
        return values


class PairSource(ABC):
    """Something pairs can be drawn from.

    Attributes:
        seconds: time spent so far by stage, "decode" and "crop", in this process.
        identity: digest of the data: the same for the same files, see `identity.py`.
    """

    seconds: dict[str, float]
    identity: str

    @cached_property
    def faults(self) -> Faults:
        """What `pair_at` could not read from this source, in this process."""
        return Faults()

    @abstractmethod
    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """A pair; every choice is drawn from `rng`. `index`, the pair's number, may only say what
        lies at hand.

        Raises DataError if a file that it needs cannot be read, Unreadable if no other pair would
        do better.
        """


class Mixture(PairSource):
    """Pairs of several sources, each with a probability.

    Args:
        sources: at least one.
        probabilities: of the pairs, one for each source; of any sum.
        used: the sources' names, as recipes write them, those left out not among them.

    Raises:
        SettingsError: a probability is not above 0 or not finite, or there are not as many as sources.
    """

    def __init__(
        self, sources: list[PairSource], probabilities: Items[float], used: Items[str] = ()
    ) -> None:
        good = all(np.isfinite(p) and p > 0 for p in probabilities)
        if len(sources) != len(probabilities) or not sources or not good:
            raise SettingsError(
                f"{len(sources)} sources with probabilities {list(probabilities)}; expected one "
                "above 0 "
                "for each"
            )
        self.sources, self.used = sources, tuple(used)
        self.probabilities = np.array(probabilities, dtype=float) / sum(probabilities)

    @cached_property
    def identity(self) -> str:
        """Of all sources' data, names and probabilities."""
        probabilities = [f"{p:.9f}" for p in self.probabilities]
        return digest(*self.used, *(source.identity for source in self.sources), *probabilities)

    @property
    def seconds(self) -> dict[str, float]:
        """Of all sources together."""
        return {
            key: sum(s.seconds.get(key, 0.0) for s in self.sources) for key in ("decode", "crop")
        }

    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """A pair of a source drawn by its probability."""
        return self.sources[int(rng.choice(len(self.sources), p=self.probabilities))].draw(
            rng, index
        )


def pair_at(source: PairSource, seed: int, index: int) -> Pair:
    """Pair number `index` of a run; drawn anew while a file that it needs cannot be read.

    Args:
        source: of the pairs.
        seed: of the run.
        index: number of the pair, from 0.

    Raises:
        Unreadable: that happened `TRIES` times in a row, or too often (see `Faults`).
    """
    skipped: list[str] = []
    while len(skipped) < TRIES:
        again = [len(skipped)] if skipped else []
        rng = np.random.default_rng([seed, index, *again])
        try:
            pair = source.draw(rng, index)
        except Unreadable:
            raise
        except DataError as problem:
            skipped.append(source.faults.add(problem))
            continue
        source.faults.drawn += 1
        return replace(pair, seed=int(rng.integers(2**31)), skipped=tuple(skipped))
    raise Unreadable(
        f"pair {index} was drawn {TRIES} times and could not be made: {skipped[-1]}. "
        f"{source.faults}. {REMEDY}"
    )
