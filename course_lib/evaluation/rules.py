"""Rules of benchmarks whose toolkit scores one pass differently from OTB's; reports name them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_lib.evaluation.metrics import NORM_PRECISION_THRESHOLDS, auc


@dataclass(frozen=True)
class Rule:
    """How one pass is scored.

    Attributes:
        absent_missed: whether frames without a true box count as missed; else they are left out.
        normalised_at: threshold at which the normalised precision is read; None for the area under
            its curve.
    """

    absent_missed: bool = False
    normalised_at: float | None = None

    def normalised(self, curve: np.ndarray) -> float:
        """The normalised precision of a mean curve (51,)."""
        if self.normalised_at is None:
            return auc(curve)
        return float(curve[np.argmin(np.abs(NORM_PRECISION_THRESHOLDS - self.normalised_at))])

    @property
    def words(self) -> str:
        """What differs from OTB's rule, a sentence for the report; empty if nothing does."""
        if self == OTB:
            return ""
        absent = "count as missed" if self.absent_missed else "are left out"
        read = "the area under its curve"
        if self.normalised_at is not None:
            read = f"its curve's value at {self.normalised_at:.2f}"
        return f"Frames without a true box {absent}; normalised precision is {read}."


OTB = Rule()
# LaSOT's: its official evaluation in MATLAB, HengLan/LaSOT_Evaluation_Toolkit
RULES = {"lasot": Rule(True, 0.20), "lasot-train": Rule(True, 0.20)}


def rule_of(benchmark: str) -> Rule:
    """The rule of a benchmark by name; OTB's unless its toolkit has another."""
    return RULES.get(benchmark, OTB)
