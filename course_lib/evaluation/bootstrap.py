"""How sure is a score over a few sequences, and how sure a ranking? The bootstrap answers for
scores that are not a plain mean over sequences, such as EAO, where `intervals.py` cannot.

Efron: Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 1979. As many
sequences as there are, drawn with replacement, make another benchmark; the score on a thousand such
benchmarks shows how far it would move with other sequences. Trackers and protocols that are
compared share the draws, as they share the sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


def draws(sequences: int, times: int = 2000, seed: int = 0) -> np.ndarray:
    """How often each of S `sequences` is in each of B = `times` drawn benchmarks: (B, S); rows sum
    to S.

    Args:
        sequences: S, the number of sequences.
        times: B, the number of benchmarks drawn.
        seed: of the draws.
    """
    equal = np.full(sequences, 1 / sequences)  # (S,)
    return np.random.default_rng(seed).multinomial(sequences, equal, size=times)


@dataclass(frozen=True)
class Spread:
    """A score and where most of its values on drawn benchmarks lie.

    Attributes:
        value: on the sequences as they are.
        low, high: percentiles of the values on drawn benchmarks.
        level: the fraction of them between the two.
    """

    value: float
    low: float
    high: float
    level: float = 0.95

    @classmethod
    def of(cls, value: float, drawn: np.ndarray, level: float = 0.95) -> Spread:
        """The percentile interval from the values (B,) on drawn benchmarks; NaN do not count."""
        tails = [50 * (1 - level), 50 * (1 + level)]
        return cls(float(value), *(float(v) for v in np.nanpercentile(drawn, tails)), level)

    def __str__(self) -> str:
        """As in "0.412, 0.351 to 0.468 (95 %)"."""
        return f"{self.value:.3f}, {self.low:.3f} to {self.high:.3f} ({100 * self.level:.0f} %)"


def ratio(counts: np.ndarray, totals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sums over sequences divided by sums of weights, on every drawn benchmark: (B,) or (B, J).

    A mean over sequences has weights of 1. NaN where the weights add up to 0.

    Args:
        counts: (B, S), see `draws`; (S,) ones are the sequences as they are.
        totals: (S,) or (S, J) of each sequence.
        weights: as `totals`.
    """
    above, below = counts @ totals, counts @ weights
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


@dataclass(frozen=True, eq=False)
class Standing:
    """Scores of K trackers under one protocol.

    Attributes:
        names: of the trackers.
        values: (K,) on the sequences as they are, higher is better.
        drawn: (B, K) on drawn benchmarks, the same ones for every protocol.
    """

    names: tuple[str, ...]
    values: np.ndarray
    drawn: np.ndarray

    def spread(self, name: str) -> Spread:
        """A tracker's score with its interval."""
        k = self.names.index(name)
        return Spread.of(self.values[k], self.drawn[:, k])

    def only(self, names: tuple[str, ...]) -> Standing:
        """The same for some of the trackers, in the order given."""
        places = [self.names.index(name) for name in names]
        return Standing(names, self.values[places], self.drawn[:, places])

    def ahead(self, name: str, other: str) -> tuple[bool, float]:
        """Whether a tracker is ahead of another, and in what fraction of drawn benchmarks it is; a
        tie counts half."""
        a, b = self.names.index(name), self.names.index(other)
        gap = self.drawn[:, a] - self.drawn[:, b]  # (B,)
        return bool(self.values[a] > self.values[b]), float(np.mean((np.sign(gap) + 1) / 2))


def _shared(one: Standing, other: Standing) -> tuple[Standing, Standing]:
    names = tuple(name for name in one.names if name in other.names)
    return one.only(names), other.only(names)


def rank_correlation(one: Standing, other: Standing) -> Spread:
    """Kendall's τ of two protocols over the trackers that both have: 1 if they rank alike, −1 if in
    opposite order. (1 − τ) / 2 is the fraction of pairs that they rank differently."""
    one, other = _shared(one, other)
    pairs = zip(one.drawn, other.drawn, strict=True)
    drawn = np.array([stats.kendalltau(a, b).statistic for a, b in pairs])  # (B,)
    return Spread.of(stats.kendalltau(one.values, other.values).statistic, drawn)


def reversed_pairs(one: Standing, other: Standing) -> list[tuple[str, str, float, float]]:
    """Pairs that two protocols rank differently: the one ahead under the first, the one ahead under
    the second, and how surely each is: the fraction of drawn benchmarks on which it is ahead."""
    one, other = _shared(one, other)
    found = []
    for a in one.names:
        for b in one.names:
            (first, sure), (second, also) = one.ahead(a, b), other.ahead(b, a)
            if first and second:
                found.append((a, b, sure, also))
    return found
