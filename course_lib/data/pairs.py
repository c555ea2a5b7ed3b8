"""Training pairs: an exemplar and a search image of the same target, or of two different ones.

Pair number i of a training run is a pure function of the run's seed and i. No state is carried from
pair to pair, so a run that was resumed, or split between processes, sees exactly the same pairs. If
a file cannot be read, the pair is redrawn from a random stream seeded by seed, i and the number of
failed draws: the same files always yield the same pairs.
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

TRAINING_SEARCH = SEARCH - 16  # side of x in SiamFC's training, pixels: two strides less
JITTER = 8  # values that describe a crop's jitter and blur, see `augment.py`


@dataclass(frozen=True, eq=False)
class Pair:
    """One exemplar and one search image as cut; photometric jitter and blur are applied later, on
    the device.

    Attributes:
        exemplar: (127, 127, 3) uint8.
        search: (S, S, 3) uint8.
        exemplar_box: (4,) box of the target in exemplar pixels.
        box: (4,) box of the target in search pixels, or in a negative pair of the other object.
        positive: whether the search image shows the exemplar's target.
        jitter: (2, JITTER), how exemplar and search image are to be jittered and blurred.
        source: where the pair comes from, for messages.
        seed: seed of later random draws, such as the anchors sampled for the loss.
        skipped: what could not be read while this pair was drawn, one sentence each.
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
    """Strength of each augmentation, drawn independently for exemplar and search image; 0 switches
    it off.

    In tracking the exemplar is always cut by the true box. If its scale is varied as much as the
    search image's, the two together say only half of how large the target is, and a network learns
    not to trust the comparison: `exemplar` limits it.

    SiamFC uses shift 4, stretch 0.05 and colour jitter only. A small training set needs more.
    """

    # largest offset of the target from the centre of the search image, pixels
    shift: Annotated[float, Range(0, 500)] = 4.0
    stretch: UnitInterval = 0.05  # largest relative change of scale, up or down
    # largest angle, radians; only for outlined objects, whose rotated box is known
    rotation: Annotated[float, Range(0, math.pi)] = 0.0
    aspect_change: UnitInterval = 0.0  # largest relative change of width to height
    mirror: UnitInterval = 0.0  # probability that both are mirrored
    jitter: UnitInterval = 0.3  # largest relative change of brightness and contrast
    tint: UnitInterval = 0.1  # largest relative change of each colour channel
    # how strongly the exemplar's stretch, rotation and aspect vary, as a fraction of the search
    # image's
    exemplar: UnitInterval = 1.0
    grey: UnitInterval = 0.0  # probability that both lose their colour
    blur: UnitInterval = 0.0  # probability that the search image is blurred

    def draw_geometry(
        self, rng: np.random.Generator, strength: float = 1.0
    ) -> tuple[float, float, float]:
        """Factor on the side, rotation in radians, and aspect change, drawn for one crop; each is
        reduced to `strength` of its range."""
        side = np.exp(strength * rng.uniform(-1, 1) * np.log1p(self.stretch))
        aspect_change = np.exp(strength * rng.uniform(-1, 1) * np.log1p(self.aspect_change))
        angle = strength * rng.uniform(-self.rotation, self.rotation)
        return float(side), float(angle), float(aspect_change)

    def draw_jitter(self, rng: np.random.Generator) -> np.ndarray:
        """(2, JITTER): gain, contrast, three tints, grey (0 or 1), and blur along x and along y in
        pixels, for each crop."""
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
    """Base class of everything that pairs can be drawn from.

    Attributes:
        seconds: time spent so far on each stage, "decode" and "crop", in this process.
        identity: digest of the data, equal for equal files, see `identity.py`.
    """

    seconds: dict[str, float]
    identity: str

    @cached_property
    def faults(self) -> Faults:
        """What `pair_at` could not read from this source in this process."""
        return Faults()

    @abstractmethod
    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """Draw a pair; every choice comes from `rng`. `index`, the pair's number, may only select
        the part of the data to draw from.

        Raises DataError if a file that it needs cannot be read, Unreadable if redrawing would not
        help.
        """


class Mixture(PairSource):
    """Pairs from several sources, each with a sampling probability.

    Args:
        sources: at least one.
        probabilities: sampling probability of each source; they need not sum to 1.
        used: names of these sources, as written in recipes.

    Raises:
        SettingsError: a probability is not finite or not above 0, or their number is not that of
            the sources.
    """

    def __init__(
        self, sources: list[PairSource], probabilities: Items[float], used: Items[str] = ()
    ) -> None:
        good = all(np.isfinite(p) and p > 0 for p in probabilities)
        if len(sources) != len(probabilities) or not sources or not good:
            raise SettingsError(
                f"{len(sources)} sources with probabilities {list(probabilities)}; expected one "
                "above 0 for each"
            )
        self.sources, self.used = sources, tuple(used)
        self.probabilities = np.array(probabilities, dtype=float) / sum(probabilities)

    @cached_property
    def identity(self) -> str:
        """Digest of all sources' data, names and probabilities."""
        probabilities = [f"{p:.9f}" for p in self.probabilities]
        return digest(*self.used, *(source.identity for source in self.sources), *probabilities)

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent on each stage, over all sources."""
        return {
            key: sum(s.seconds.get(key, 0.0) for s in self.sources) for key in ("decode", "crop")
        }

    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """Draw a source by its probability, then a pair from it."""
        return self.sources[int(rng.choice(len(self.sources), p=self.probabilities))].draw(
            rng, index
        )


def pair_at(source: PairSource, seed: int, index: int) -> Pair:
    """Pair number `index` of a run; it is redrawn while a file that it needs cannot be read.

    Args:
        source: source of the pairs.
        seed: seed of the run.
        index: number of the pair, from 0.

    Raises:
        Unreadable: drawing failed `TRIES` times in a row, or too often (see `Faults`).
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
