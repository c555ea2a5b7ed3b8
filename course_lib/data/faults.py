"""Unreadable files in a training set: skipped, counted and named, up to a fraction of the pairs.

One truncated image among thousands should not end days of training. Each process, including each
worker, counts and reports its own faults; a pair lists the faults met while it was drawn
(`Pair.skipped`).
"""

from __future__ import annotations

import re
import warnings
from collections import Counter

from course_lib.errors import DataError

TRIES = 20  # attempts at drawing one pair
FEW = 20  # this many failed draws are always tolerated, whatever the fraction
MOST_SKIPPED = 0.01  # fraction of the pairs whose drawing may fail
REMEDY = (
    "Fetch these files again, or take them out of the dataset, and run the same command again: "
    "training resumes from its last checkpoint."
)


class Unreadable(DataError):
    """Too much of the training data is unreadable for training to go on as if nothing were
    missing."""


class Faults:
    """Pairs that had to be redrawn because a file could not be read, as counted in this process.

    Attributes:
        drawn: number of pairs made.
        reasons: how often each fault occurred, by its message.
    """

    def __init__(self) -> None:
        self.drawn, self.reasons = 0, Counter[str]()

    @property
    def skipped(self) -> int:
        """Number of failed draws."""
        return self.reasons.total()

    def add(self, problem: DataError) -> str:
        """Count a fault, warn the first time it occurs, and return its message.

        Raises Unreadable if there were more than `FEW`, and more than `MOST_SKIPPED` of the pairs.
        """
        reason = str(problem)
        self.reasons[reason] += 1
        if self.skipped > max(FEW, MOST_SKIPPED * self.drawn):
            raise Unreadable(f"{self}. {REMEDY}")
        if self.reasons[reason] == 1 and len(self.reasons) <= FEW:
            last = " Further faults are only counted." if len(self.reasons) == FEW else ""
            warnings.warn(f"{reason}. Another pair is drawn instead.{last}", stacklevel=3)
        return reason

    def __str__(self) -> str:
        """How many pairs were redrawn and because of which files, the most frequent first; empty
        if there were none."""
        if not self.reasons:
            return ""
        worst = [re.split("; |: ", reason)[0] for reason, _ in self.reasons.most_common(5)]
        more = len(self.reasons) - len(worst)
        return (
            f"{self.skipped} of {self.drawn + self.skipped} pairs could not be made and were "
            f"redrawn: {'; '.join(worst)}{f'; and {more} more' if more else ''}"
        )
