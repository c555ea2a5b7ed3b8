"""The scores of trackers on one benchmark, ready for tables and plots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_lib.data.sequence import OTB_ATTRIBUTES
from course_lib.evaluation.metrics import auc, precision_at
from course_lib.evaluation.otb import SequenceScore
from course_lib.evaluation.rules import OTB, Rule

COLUMNS = ("auc", "success50", "precision20", "normalised_precision", "mean_iou", "fps")


@dataclass(frozen=True, eq=False)
class TrackerScores:
    """Scores of one tracker: by sequence name its curves and frames per second.

    Where nobody measured, the latter are NaN. `empty` counts the rows of its results that hold no
    box (NaN, no width or no height).
    """

    sequences: dict[str, SequenceScore]
    fps: dict[str, float]
    empty: int = 0

    def over(self, names: list[str], rule: Rule = OTB) -> dict[str, float]:
        """Means over the named sequences, equally weighted; fps: mean of frames / total seconds."""
        chosen = [self.sequences[n] for n in names]
        success = np.mean([s.success for s in chosen], axis=0)  # (21,)
        speeds = np.array([self.fps[n] for n in names])
        return {
            "auc": auc(success),
            "success50": float(success[10]),
            "precision20": precision_at(np.mean([s.precision for s in chosen], axis=0)),
            "normalised_precision": rule.normalised(
                np.mean([s.normalised_precision for s in chosen], axis=0)
            ),
            "mean_iou": float(np.mean([s.mean_iou for s in chosen])),
            "fps": float(np.nanmean(speeds)) if np.isfinite(speeds).any() else float("nan"),
        }


@dataclass(frozen=True, eq=False)
class Report:
    """Scores of trackers on one benchmark.

    Attributes:
        benchmark: its name; protocol: "ope", "tre" or "sre".
        trackers: scores by tracker, in the order asked for.
        attributes: by sequence name its OTB tags.
        rule: what its scores are computed by where toolkits differ.
    """

    benchmark: str
    protocol: str
    trackers: dict[str, TrackerScores]
    attributes: dict[str, frozenset[str]]
    rule: Rule = OTB

    @property
    def notes(self) -> list[str]:
        """Sentences for below its table: a rule that is not OTB's, and rows that are no box."""
        notes = [self.rule.words] if self.rule.words else []
        empty = ", ".join(f"{name} {t.empty}" for name, t in self.trackers.items() if t.empty)
        if empty:
            notes.append(
                f"Rows of the results that hold no box (NaN, no width or height): {empty}. As "
                "OTB's toolkit does, the box before stands in for each."
            )
        return notes

    @property
    def names(self) -> list[str]:
        """Names of the sequences scored."""
        return list(self.attributes)

    def curve(self, tracker: str, name: str) -> np.ndarray:
        """Mean over sequences of a curve.

        "success" (21,), "precision" (51,) or "normalised_precision" (51,).
        """
        return np.mean(
            [getattr(s, name) for s in self.trackers[tracker].sequences.values()], axis=0
        )

    def overall(self) -> dict[str, dict[str, float]]:
        """Scores over all sequences by tracker, best AUC first."""
        rows = {name: t.over(self.names, self.rule) for name, t in self.trackers.items()}
        return dict(sorted(rows.items(), key=lambda item: -item[1]["auc"]))

    def by_attribute(self) -> dict[str, dict[str, float]]:
        """AUC by attribute and tracker; attributes that no sequence has are left out."""
        table = {}
        for tag in OTB_ATTRIBUTES:
            tagged = [n for n in self.names if tag in self.attributes[n]]
            if tagged:
                table[tag] = {
                    tracker: scores.over(tagged)["auc"] for tracker, scores in self.trackers.items()
                }
        return table

    def by_sequence(self) -> dict[str, dict[str, float]]:
        """AUC by sequence and tracker."""
        return {
            n: {t: auc(scores.sequences[n].success) for t, scores in self.trackers.items()}
            for n in self.names
        }

    def to_dict(self) -> dict:
        """Everything a table or a plot needs, ready for JSON."""
        return {
            "benchmark": self.benchmark,
            "protocol": self.protocol,
            "notes": self.notes,
            "sequences": {n: sorted(tags) for n, tags in self.attributes.items()},
            "overall": self.overall(),
            "curves": {
                t: {
                    c: np.round(self.curve(t, c), 6).tolist()
                    for c in ("success", "precision", "normalised_precision")
                }
                for t in self.trackers
            },
            "auc_by_sequence": self.by_sequence(),
            "auc_by_attribute": self.by_attribute(),
            "fps_means": "mean over sequences of frames / total seconds of the tracker's own calls",
        }
