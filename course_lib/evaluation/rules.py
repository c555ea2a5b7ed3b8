"""Rules of benchmarks that are scored differently from the course's rule for OTB; reports name
them. LaSOT's toolkit has inherited from OTB's what it does with boxes at the border and with curves
that are 0."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from course_lib.evaluation.metrics import NORM_PRECISION_THRESHOLDS, auc

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Rule:
    """How one pass is scored.

    Attributes:
        absent_missed: whether frames without a true box count as missed; else they are left out.
        border_apart: whether a true box with a coordinate that is not above 0, at the left or upper
            border, has no overlap with any box, and no distance.
        lost_dropped: whether a curve that is 0 everywhere is left out of the mean over sequences.
        normalised_at: threshold at which the normalised precision is read; None for the area under
            its curve.
    """

    absent_missed: bool = False
    normalised_at: float | None = None
    border_apart: bool = False
    lost_dropped: bool = False

    def mean(self, curves: Items[np.ndarray]) -> np.ndarray:
        """The mean (K,) over sequences of curves (K,)."""
        rows = np.array(curves)  # (S, K)
        if self.lost_dropped and (rows.sum(axis=1) > EPSILON).any():
            rows = rows[rows.sum(axis=1) > EPSILON]
        return rows.mean(axis=0)

    def normalised(self, curve: np.ndarray) -> float:
        """The normalised precision of a mean curve (51,)."""
        if self.normalised_at is None:
            return auc(curve)
        return float(curve[np.argmin(np.abs(NORM_PRECISION_THRESHOLDS - self.normalised_at))])

    @property
    def words(self) -> str:
        """What differs from the rule for OTB, a sentence for the report; empty if nothing does."""
        if self == OTB:
            return ""
        absent = "count as missed" if self.absent_missed else "are left out"
        read = "the area under its curve"
        if self.normalised_at is not None:
            read = f"its curve's value at {self.normalised_at:.2f}"
        more = ""
        if self.border_apart:
            more = (
                " As in its toolkit, a frame whose true box has a coordinate of 0 or less "
                "counts as a miss for success and as a hit for precision."
            )
        return f"Frames without a true box {absent}; normalised precision is {read}.{more}"


OTB = Rule()
# its official evaluation in MATLAB, HengLan/LaSOT_Evaluation_Toolkit: calc_seq_err_robust.m,
# eval_tracker.m, plot_draw_save.m
LASOT = Rule(absent_missed=True, normalised_at=0.20, border_apart=True, lost_dropped=True)
# UAV123 has OTB's rule: frames without a true box are left out
RULES = {"lasot": LASOT, "lasot-train": LASOT}


def rule_of(benchmark: str) -> Rule:
    """The rule of a benchmark by name; OTB's unless its toolkit has another."""
    return RULES.get(benchmark, OTB)
