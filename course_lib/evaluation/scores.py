"""The scores of trackers on one benchmark, ready for tables and plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field, replace

import numpy as np

from course_lib.data.sequence import ATTRIBUTES, Benchmark, Sequence
from course_lib.errors import DataError
from course_lib.evaluation.metrics import auc, precision_at
from course_lib.evaluation.otb import SequenceScore, pool, score_sequence
from course_lib.evaluation.results import Result
from course_lib.evaluation.rules import OTB, Rule, rule_of
from course_lib.geometry.boxes import is_valid

COLUMNS = ("auc", "success50", "precision20", "normalised_precision", "mean_iou", "fps")
CURVES = ("success", "precision", "normalised_precision")
Passes = Items[tuple[int, Result]]  # of one sequence: start frame and result of each


@dataclass(frozen=True, eq=False)
class TrackerScores:
    """Scores of one tracker: by sequence name its curves and frames per second.

    Frames per second are NaN if not measured. `empty` counts the rows of its results that are not
    a box (NaN, no width or no height).
    """

    sequences: dict[str, SequenceScore]
    fps: dict[str, float]
    empty: int = 0

    @classmethod
    def of(cls, runs: Iterable[tuple[Sequence, Passes]], rule: Rule = OTB) -> TrackerScores:
        """The scores of a tracker's results on each sequence; several passes are pooled.

        Raises DataError if a result does not have a box for each frame from its start on.
        """
        scores, fps, empty = {}, {}, 0
        for sequence, passes in runs:
            found = [_score(result, sequence, start, rule) for start, result in passes]
            scores[sequence.name] = pool(found) if len(found) > 1 else found[0]
            fps[sequence.name] = float(np.mean([_speed(result) for _, result in passes]))
            empty += sum(int((~is_valid(result.boxes[1:])).sum()) for _, result in passes)
        return cls(scores, fps, empty)

    def over(self, names: Iterable[str], rule: Rule = OTB) -> dict[str, float]:
        """Means over the named sequences, equally weighted; fps: mean of frames / total seconds."""
        chosen = [self.sequences[n] for n in names]
        success = rule.mean([s.success for s in chosen])  # (21,)
        speeds = np.array([self.fps[n] for n in names])
        return {
            "auc": auc(success),
            "success50": float(success[10]),
            "precision20": precision_at(rule.mean([s.precision for s in chosen])),
            "normalised_precision": rule.normalised(
                rule.mean([s.normalised_precision for s in chosen])
            ),
            "mean_iou": float(np.mean([s.mean_iou for s in chosen])),
            "fps": float(np.nanmean(speeds)) if np.isfinite(speeds).any() else float("nan"),
        }

    def overall(self, rule: Rule = OTB) -> dict[str, float]:
        """`over` all its sequences."""
        return self.over(self.sequences, rule)

    def curve(self, kind: str, rule: Rule = OTB) -> np.ndarray:
        """Mean over sequences of a curve in `CURVES`: (21,) or (51,)."""
        return rule.mean([getattr(s, kind) for s in self.sequences.values()])

    def by_sequence(self) -> dict[str, float]:
        """AUC by sequence."""
        return {name: auc(score.success) for name, score in self.sequences.items()}

    def by_attribute(self, tagged: Mapping[str, Items[str]], rule: Rule = OTB) -> dict[str, float]:
        """AUC by OTB tag, over the sequences that `tagged` names for each."""
        return {tag: self.over(names, rule)["auc"] for tag, names in tagged.items()}


@dataclass(frozen=True, eq=False)
class KeptScores:
    """The scores of one tracker as read from a report's JSON, with the methods of `TrackerScores`.

    Attributes:
        scores: over all sequences, by column.
        curves: those that were kept, by name in `CURVES`.
        sequences: AUC by sequence; attributes: AUC by OTB tag. Empty where they were not kept.
    """

    scores: dict[str, float]
    curves: dict[str, list[float]]
    sequences: dict[str, float] = field(default_factory=dict)
    attributes: dict[str, float] = field(default_factory=dict)
    empty: int = 0

    def overall(self, rule: Rule = OTB) -> dict[str, float]:
        """The scores as they were kept; NaN where nothing was measured."""
        return {name: float("nan") if v is None else v for name, v in self.scores.items()}

    def curve(self, kind: str, rule: Rule = OTB) -> np.ndarray:
        """A curve as it was kept: (21,) or (51,)."""
        return np.array(self.curves[kind])

    def by_sequence(self) -> dict[str, float]:
        """AUC by sequence, as kept."""
        return self.sequences

    def by_attribute(self, tagged: Mapping[str, Items[str]], rule: Rule = OTB) -> dict[str, float]:
        """AUC by OTB tag, as kept."""
        return self.attributes


@dataclass(frozen=True, eq=False)
class Report:
    """Scores of trackers on one benchmark.

    Attributes:
        benchmark: its name.
        protocol: "ope", "tre" or "sre".
        trackers: scores by tracker, in the order asked for.
        attributes: by sequence name its OTB tags.
        rule: how its scores are computed where toolkits differ.
        kept_notes: sentences that came with kept scores.
    """

    benchmark: str
    protocol: str
    trackers: dict[str, TrackerScores | KeptScores]
    attributes: dict[str, frozenset[str]]
    rule: Rule = OTB
    kept_notes: tuple[str, ...] = ()

    @classmethod
    def from_results(
        cls,
        benchmark: Benchmark | Iterable[Sequence],
        results: Mapping[str, Mapping[str, Result | Passes]],
        protocol: str = "ope",
    ) -> Report:
        """The report on results in memory.

        Args:
            benchmark: the sequences tracked; a list of them is called "N sequences".
            results: by tracker and sequence name, a result or, for TRE and SRE, a list of (start
                frame, result).
            protocol: how they were tracked.

        Raises:
            KeyError: if a tracker has no result for a sequence.
            DataError: if a result does not fit its sequence.
        """
        if not isinstance(benchmark, Benchmark):
            sequences = tuple(benchmark)
            benchmark = Benchmark(f"{len(sequences)} sequences", sequences)
        rule = rule_of(benchmark.name)
        scores = {
            tracker: TrackerScores.of(((s, _passes(by_name[s.name])) for s in benchmark), rule)
            for tracker, by_name in results.items()
        }
        tags = {s.name: s.attributes for s in benchmark}
        return cls(benchmark.name, protocol, scores, tags, rule)

    @classmethod
    def from_dict(cls, kept: Mapping) -> Report:
        """The report that `to_dict` was called on, as far as it was kept.

        Tables of sequences and attributes may be missing, and `sequences` may be names alone.
        """
        by_name, by_tag = kept.get("auc_by_sequence", {}), kept.get("auc_by_attribute", {})
        trackers = {
            tracker: KeptScores(
                kept["overall"][tracker],
                curves,
                {name: row[tracker] for name, row in by_name.items()},
                {tag: row[tracker] for tag, row in by_tag.items()},
            )
            for tracker, curves in kept["curves"].items()
        }
        tags = kept["sequences"]
        tags = tags if isinstance(tags, Mapping) else dict.fromkeys(tags, ())
        return cls(
            kept["benchmark"],
            kept["protocol"],
            trackers,
            {name: frozenset(of) for name, of in tags.items()},
            kept_notes=tuple(kept.get("notes", ())),
        )

    def only(self, names: Iterable[str]) -> Report:
        """The same report on some of its trackers, in the order given.

        A mapping renames them as well: {"kcf": "KCF, HOG, size"}.
        """
        shown = names if isinstance(names, Mapping) else {name: name for name in names}
        return replace(self, trackers={new: self.trackers[old] for old, new in shown.items()})

    def __or__(self, other: Report) -> Report:
        """Both reports' trackers side by side; raises DataError if their benchmarks differ."""
        if (self.benchmark, self.protocol, self.names) != (
            other.benchmark,
            other.protocol,
            other.names,
        ):
            raise DataError(
                f"a report on {self.benchmark} ({self.protocol}, {len(self.names)} sequences) and "
                f"one on {other.benchmark} ({other.protocol}, {len(other.names)}) cannot share "
                "one table; make both on the same sequences"
            )
        notes = dict.fromkeys(self.kept_notes + other.kept_notes)
        return replace(self, trackers=self.trackers | other.trackers, kept_notes=tuple(notes))

    @property
    def notes(self) -> list[str]:
        """Sentences to print below its table: a rule other than OTB's, rows that are not boxes."""
        notes = [*self.kept_notes, *([self.rule.words] if self.rule.words else [])]
        empty = ", ".join(f"{name} {t.empty}" for name, t in self.trackers.items() if t.empty)
        if empty:
            notes.append(
                f"Rows of the results that hold no box (NaN, no width or height): {empty}. Each is "
                "replaced by the last box before it, as in OTB's toolkit."
            )
        return notes

    @property
    def names(self) -> list[str]:
        """Names of the sequences scored."""
        return list(self.attributes)

    def curve(self, tracker: str, kind: str) -> np.ndarray:
        """Mean over sequences of a curve of one tracker.

        "success" (21,), "precision" (51,) or "normalised_precision" (51,).
        """
        return self.trackers[tracker].curve(kind, self.rule)

    def overall(self) -> dict[str, dict[str, float]]:
        """Scores over all sequences by tracker, best AUC first."""
        rows = {name: scores.overall(self.rule) for name, scores in self.trackers.items()}
        return dict(sorted(rows.items(), key=lambda item: -item[1]["auc"]))

    def tagged(self) -> dict[str, list[str]]:
        """Names of the sequences by attribute; tags that no sequence has are left out."""
        tags = {t: [n for n in self.names if t in self.attributes[n]] for t in ATTRIBUTES}
        return {tag: names for tag, names in tags.items() if names}

    def by_attribute(self) -> dict[str, dict[str, float]]:
        """AUC by attribute and tracker; attributes that no sequence has are left out."""
        tagged = self.tagged()
        rows = {t: s.by_attribute(tagged, self.rule) for t, s in self.trackers.items()}
        return _transposed(rows)

    def by_sequence(self) -> dict[str, dict[str, float]]:
        """AUC by sequence and tracker."""
        return _transposed({t: s.by_sequence() for t, s in self.trackers.items()})

    def to_dict(self) -> dict:
        """Everything a table or a plot needs, ready for JSON."""
        return {
            "benchmark": self.benchmark,
            "protocol": self.protocol,
            "notes": self.notes,
            "sequences": {n: sorted(tags) for n, tags in self.attributes.items()},
            "overall": self.overall(),
            "curves": {
                t: {kind: np.round(self.curve(t, kind), 6).tolist() for kind in CURVES}
                for t in self.trackers
            },
            "auc_by_sequence": self.by_sequence(),
            "auc_by_attribute": self.by_attribute(),
            "fps_means": "mean over sequences of frames / total seconds of the tracker's own calls",
        }


def _transposed(by_tracker: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """{tracker: {row: value}} as {row: {tracker: value}}, for rows that every tracker has."""
    first, *others = by_tracker.values() or [{}]
    shared = [row for row in first if all(row in other for other in others)]
    return {row: {t: values[row] for t, values in by_tracker.items()} for row in shared}


def _passes(given: Result | Passes) -> Passes:
    return [(0, given)] if isinstance(given, Result) else given


def _score(result: Result, sequence: Sequence, start: int, rule: Rule) -> SequenceScore:
    truth, omitted = sequence.boxes[start:], sequence.omitted[start:]
    return score_sequence(result.boxes, truth, omitted, rule)


def _speed(result: Result) -> float:
    """Frames per second of one pass; NaN unless every frame was measured."""
    seconds = float(result.seconds.sum())
    return len(result) / seconds if seconds > 0 else float("nan")
