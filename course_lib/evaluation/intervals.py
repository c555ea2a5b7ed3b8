"""How sure is a mean? Intervals by Student's t, for a few runs or many sequences.

The half width of the interval is t · s / √n: s is the standard deviation of the sample, t the
quantile of n − 1 degrees of freedom (12.7 for two values, 4.3 for three, 2.1 for twenty; a normal
distribution's 1.96 would be far too narrow for a few).
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

if TYPE_CHECKING:
    from course_lib.evaluation.scores import Report


@dataclass(frozen=True)
class Interval:
    """A mean and its interval, mean ± half_width.

    Attributes:
        mean: of the values.
        half_width: NaN for one value.
        n: number of values.
        level: of the interval.
    """

    mean: float
    half_width: float
    n: int
    level: float = 0.95

    @classmethod
    def of(cls, values: Items[float], level: float = 0.95) -> Interval:
        """The interval of the mean of independent values."""
        n, half = len(values), math.nan
        if n > 1:
            spread = np.std(values, ddof=1) / math.sqrt(n)
            half = float(student.ppf((1 + level) / 2, n - 1) * spread)
        return cls(float(np.mean(values)), half, n, level)

    @classmethod
    def between(cls, values: Items[float], others: Items[float], level: float = 0.95) -> Interval:
        """The interval of the mean of `values` minus that of `others`, two groups that need not
        have the same spread (Welch's t); n counts both.

        Args:
            values, others: independent values, at least two in each group for an interval.
            level: of the interval.
        """
        difference, n = float(np.mean(values) - np.mean(others)), len(values) + len(others)
        groups = [(np.var(g, ddof=1) / len(g), len(g) - 1) for g in (values, others) if len(g) > 1]
        if len(groups) < 2:
            return cls(difference, math.nan, n, level)
        return cls.of_sources(difference, groups, n, level)

    @classmethod
    def of_sources(
        cls, mean: float, sources: Items[tuple[float, int]], n: int, level: float = 0.95
    ) -> Interval:
        """The interval of a mean whose error has several independent sources, such as the sequences and
        the seeds (Satterthwaite, Biometrics Bulletin 1946).

        Args:
            mean: the value.
            sources: of each the variance that it gives the mean, and the degrees of freedom with
                which that was estimated.
            n: number of values.
            level: of the interval.
        """
        squared = sum(variance for variance, _ in sources)
        if squared == 0:
            return cls(mean, 0.0, n, level)
        freedom = squared**2 / sum(variance**2 / k for variance, k in sources)
        half = float(student.ppf((1 + level) / 2, freedom)) * math.sqrt(squared)
        return cls(mean, half, n, level)

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference with this interval can be told apart from zero."""
        return abs(self.mean) > self.half_width

    def __str__(self) -> str:
        """As in "+0.036 ± 0.049 (95 %, n = 26)"."""
        around = f"{self.mean:+.3f} ± {self.half_width:.3f}"
        return f"{around} ({100 * self.level:.0f} %, n = {self.n})"


def auc_difference(report: Report, tracker: str, other: str) -> Interval:
    """By how much the AUC of `tracker` exceeds that of `other`, sequence by sequence on the same sequences.

    Args:
        report: with the scores of both.
        tracker, other: their names.

    Raises:
        KeyError: if a tracker is not in the report.
    """
    mine, theirs = (report.trackers[name].by_sequence() for name in (tracker, other))
    return Interval.of([mine[name] - theirs[name] for name in mine])
