"""Files of a training set that cannot be read: passed over, counted and named, up to a fraction of
the pairs.

One cut image among thousands should not end a training of days. Each process counts for itself:
with worker processes each says what it meets, and a pair carries what was passed over before it
(`Pair.skipped`).
"""

from __future__ import annotations

import re
import warnings
from collections import Counter

from course_lib.errors import DataError

TRIES = 20  # draws for one pair
FEW = 20  # pairs drawn in vain that no share is asked of
MOST_SKIPPED = 0.01  # fraction of the pairs that may be drawn in vain
REMEDY = (
    "Fetch these files again, or take them out of the dataset, and run the same command again: "
    "training goes on from its last checkpoint."
)


class Unreadable(DataError):
    """So much of the training data cannot be read that training on the rest would be another
    training."""


class Faults:
    """Pairs that had to be drawn anew because a file could not be read, as counted in this process.

    Attributes:
        drawn: pairs made; skipped: pairs drawn in vain; reasons: how often each fault was met, by
            its sentence.
    """

    def __init__(self) -> None:
        self.drawn, self.reasons = 0, Counter[str]()

    @property
    def skipped(self) -> int:
        """Pairs drawn in vain."""
        return self.reasons.total()

    def add(self, problem: DataError) -> str:
        """Count a fault, say each once, and return its sentence.

        Raises Unreadable where there were more than `FEW`, and more than `MOST_SKIPPED` of the
        pairs.
        """
        reason = str(problem)
        self.reasons[reason] += 1
        if self.skipped > max(FEW, MOST_SKIPPED * self.drawn):
            raise Unreadable(f"{self}. {REMEDY}")
        if self.reasons[reason] == 1 and len(self.reasons) <= FEW:
            last = " Further ones are counted, not named." if len(self.reasons) == FEW else ""
            warnings.warn(f"{reason}. Another pair is drawn in its place.{last}", stacklevel=3)
        return reason

    def __str__(self) -> str:
        """How many pairs were drawn anew, and the files to blame, worst first: empty if there were
        none."""
        if not self.reasons:
            return ""
        worst = [re.split("; |: ", reason)[0] for reason, _ in self.reasons.most_common(5)]
        more = len(self.reasons) - len(worst)
        return (
            f"{self.skipped} of {self.drawn + self.skipped} pairs could not be made and were drawn "
            f"anew: {'; '.join(worst)}{f'; and {more} more' if more else ''}"
        )
