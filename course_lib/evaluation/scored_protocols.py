"""The protocols with scores of their own: VOT's supervised and multi-start ones, its long-term one
and that of the VOTS challenges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.eao import supervised_scores
from course_lib.evaluation.longterm import (
    ReportedRun,
    longterm_scores,
    read_reported,
    write_reported,
)
from course_lib.evaluation.multistart import AnchoredRun, anchors, read_anchored, write_anchored
from course_lib.evaluation.multistart_scores import multistart_scores
from course_lib.evaluation.protocol import Scored
from course_lib.evaluation.quality import quality_scores
from course_lib.evaluation.vot import SupervisedRun, read_supervised, write_supervised


@dataclass(frozen=True)
class Supervised(Scored):
    """VOT's supervised protocol, see `vot.py`."""

    title: str = "VOT supervised"
    columns: ClassVar[dict[str, str]] = {
        "accuracy": "accuracy, pooled",
        "failures": "failures",
        "per_100_frames": "per 100 frames",
        "reliability": "reliability, pooled",
        "accuracy_by_length": "accuracy, by length",
        "failures_by_length": "failures, by length",
        "reliability_by_length": "reliability, by length",
        "eao": "EAO",
        "low": "from",
        "high": "to frames",
    }
    best = "eao"
    brief = ("accuracy", "failures")
    note = (
        "Pooled: over the frames of all sequences together, as pysot does. By length: each "
        "sequence's own figure, weighted by its length, as VOT's toolkit does. The two differ; "
        "compare like with like."
    )

    def write(self, path: Path, outcome: SupervisedRun, first_pixel: int) -> None:
        """Write codes and boxes; VOT's count from 0 whatever the benchmark's files do.

        Args:
            path: one of `files`.
            outcome: the run.
            first_pixel: not needed.
        """
        write_supervised(path, outcome)

    def read(self, path: Path, sequence: Sequence) -> SupervisedRun:
        """Read a file written by `write` or by a toolkit, see `vot.read_supervised`."""
        return read_supervised(path, sequence)

    def score(self, runs: list[list[SupervisedRun]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its repetitions on each sequence of a benchmark."""
        return supervised_scores(runs, benchmark.name, [len(sequence) for sequence in benchmark])


@dataclass(frozen=True)
class MultiStart(Scored):
    """VOT's multi-start protocol, see `multistart.py`: a file for each anchor, with its frame."""

    absence = True
    title: str = "VOT multi-start"
    columns: ClassVar[dict[str, str]] = {
        "accuracy": "accuracy",
        "robustness": "robustness",
        "runs": "runs",
        "failed": "failed",
        "eao": "EAO",
        "low": "from",
        "high": "to frames",
        "accuracy_exact": "accuracy, exact",
        "robustness_exact": "robustness, exact",
        "eao_exact": "EAO, exact",
    }
    best = "eao"
    brief = ("accuracy", "robustness", "runs", "failed")
    note = (
        "A run has failed where 10 frames in a row overlap by .1 or less; robustness is the "
        "fraction of frames before that. Overlaps are those of VOT's toolkit, in whole pixels; "
        "exact: of the boxes as they are."
    )
    digits = 8

    @property
    def folder(self) -> str:
        """Its own, because the supervised protocol has VOT's name for the experiment too."""
        return self.name

    def numbers(self, sequence: Sequence) -> list[int]:
        """The frames of the anchors, in the order of the runs."""
        return list(anchors(sequence))

    def write(self, path: Path, outcome: AnchoredRun, first_pixel: int) -> None:
        """Write the regions and times of one run; VOT's count from 0.

        Args:
            path: one of `files`.
            outcome: the run.
            first_pixel: not needed.
        """
        write_anchored(path, outcome)

    def read(self, path: Path, sequence: Sequence) -> AnchoredRun:
        """Read a file written by `write` or by the toolkit, see `multistart.read_anchored`."""
        return read_anchored(path, sequence)

    def score(self, runs: list[list[AnchoredRun]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its runs on each sequence of a benchmark."""
        return multistart_scores(runs, benchmark.name, [len(sequence) for sequence in benchmark])


@dataclass(frozen=True)
class LongTerm(Scored):
    """VOT's long-term protocol: one pass with a score for each frame, see `longterm.py`."""

    absence = True
    title: str = "VOT long-term"
    columns: ClassVar[dict[str, str]] = {
        "f": "F",
        "precision": "precision",
        "recall": "recall",
        "threshold": "at score",
    }
    best = "f"
    brief = ("f", "precision", "recall")
    note = (
        "Precision and recall of the frames whose score reaches the threshold at which F is "
        "highest; the score is the tracker's own, so thresholds of two trackers do not compare."
    )

    @property
    def folder(self) -> str:
        """Its own: two protocols make such runs."""
        return self.name

    def write(self, path: Path, outcome: ReportedRun, first_pixel: int) -> None:
        """Write regions, times and scores of one pass; VOT's count from 0.

        Args:
            path: one of `files`.
            outcome: the pass.
            first_pixel: not needed.
        """
        write_reported(path, outcome)

    def read(self, path: Path, sequence: Sequence) -> ReportedRun:
        """Read a file written by `write` or by the toolkit, see `longterm.read_reported`."""
        return read_reported(path, sequence)

    def score(self, runs: list[list[ReportedRun]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its runs on each sequence of a benchmark."""
        return longterm_scores(runs)


@dataclass(frozen=True)
class Quality(LongTerm):
    """The protocol of the VOTS challenges: the same pass, scored with absence, see `quality.py`."""

    title: str = "VOTS"
    columns: ClassVar[dict[str, str]] = {
        "quality": "quality",
        "accuracy": "accuracy",
        "robustness": "robustness",
        "not_reported": "not-reported error",
        "drifted": "drift-rate error",
        "absence": "absence-detection quality",
    }
    best = "quality"
    brief = ("quality", "accuracy", "robustness")
    note = (
        "Robustness and the two errors are fractions of the frames with a target and add up to 1; "
        "the first frame counts as not reported, as in VOT's toolkit. Absence-detection quality is "
        "the noticed fraction of the frames without a target, if a sequence has more than ten."
    )

    def score(self, runs: list[list[ReportedRun]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its runs on each sequence of a benchmark."""
        return quality_scores(runs)
