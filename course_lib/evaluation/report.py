"""From results on disk to scores: what each tracker reached on a benchmark, per sequence and per attribute.

A report is computed from result files and the benchmark's truth alone, ours or anybody's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.data.sequence import OTB_ATTRIBUTES, Benchmark, Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.evaluation.eao import eao, interval
from course_lib.evaluation.got10k import ao_sr
from course_lib.evaluation.metrics import auc, precision_at
from course_lib.evaluation.otb import SequenceScore, pool, score_sequence
from course_lib.evaluation.results import read_result, result_path, supervised_path
from course_lib.evaluation.vot import accuracy, read_supervised, robustness

COLUMNS = ("auc", "success50", "precision20", "normalised_precision", "mean_iou", "fps")


@dataclass(frozen=True, eq=False)
class TrackerScores:
    """Scores of one tracker: by sequence name its curves and frames per second (NaN where nobody measured)."""

    sequences: dict[str, SequenceScore]
    fps: dict[str, float]

    def over(self, names: list[str]) -> dict[str, float]:
        """Means over the named sequences, each with equal weight; fps: mean of frames / total seconds."""
        chosen = [self.sequences[n] for n in names]
        success = np.mean([s.success for s in chosen], axis=0)  # (21,)
        speeds = np.array([self.fps[n] for n in names])
        return {
            "auc": auc(success),
            "success50": float(success[10]),
            "precision20": precision_at(np.mean([s.precision for s in chosen], axis=0)),
            "normalised_precision": auc(np.mean([s.normalised_precision for s in chosen], axis=0)),
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
    """

    benchmark: str
    protocol: str
    trackers: dict[str, TrackerScores]
    attributes: dict[str, frozenset[str]]

    @property
    def names(self) -> list[str]:
        """Names of the sequences scored."""
        return list(self.attributes)

    def curve(self, tracker: str, name: str) -> np.ndarray:
        """Mean over sequences of a curve: "success" (21,), "precision" (51,) or "normalised_precision" (51,)."""
        return np.mean(
            [getattr(s, name) for s in self.trackers[tracker].sequences.values()], axis=0
        )

    def overall(self) -> dict[str, dict[str, float]]:
        """Scores over all sequences by tracker, best AUC first."""
        rows = {name: scores.over(self.names) for name, scores in self.trackers.items()}
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


def make_report(
    root: Path, benchmark: Benchmark, trackers: list[str], protocol: str = "ope"
) -> Report:
    """The report on trackers whose results stand below `root`.

    Raises MissingDataError naming every run without results, DataError if a result does not fit its sequence.
    """
    missing, scores = [], {}
    for tracker in trackers:
        by_sequence, fps = {}, {}
        for sequence in benchmark:
            try:
                by_sequence[sequence.name], fps[sequence.name] = _score(
                    root, benchmark, tracker, sequence, protocol
                )
            except MissingDataError:
                missing.append(f"{tracker} on {sequence.name}")
        scores[tracker] = TrackerScores(by_sequence, fps)
    if missing:
        shown = ", ".join(missing[:5]) + (
            f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        )
        raise MissingDataError(
            f"no {protocol} results below {root / benchmark.name} for {shown}. "
            "Run `python -m course_lib evaluate` with the same names: it does what is missing."
        )
    return Report(benchmark.name, protocol, scores, {s.name: s.attributes for s in benchmark})


def vot_scores(
    root: Path, benchmark: Benchmark, trackers: list[str], protocol: str = "vot"
) -> dict[str, dict[str, float]]:
    """VOT's scores by tracker from supervised runs: accuracy, failures, reliability, EAO and its interval of lengths.

    Raises MissingDataError if a run is missing, DataError if a file is not one.
    """
    low, high = interval(benchmark.name, [len(sequence) for sequence in benchmark])
    table = {}
    for tracker in trackers:
        paths = [
            supervised_path(root, benchmark.name, tracker, s.name, protocol) for s in benchmark
        ]
        runs = [read_supervised(path, s) for path, s in zip(paths, benchmark, strict=True)]
        table[tracker] = {
            "accuracy": accuracy(runs),
            **robustness(runs),
            "eao": eao(runs, low, high),
            "low": low,
            "high": high,
        }
    return dict(sorted(table.items(), key=lambda item: -item[1]["eao"]))


def got10k_scores(
    root: Path, benchmark: Benchmark, trackers: list[str]
) -> dict[str, dict[str, float]]:
    """GOT-10k's AO, SR.5 and SR.75 by tracker from one-pass results; see `got10k.ao_sr`."""
    table = {}
    for tracker in trackers:
        paths = [result_path(root, benchmark.name, tracker, s.name) for s in benchmark]
        scores = ao_sr(
            [read_result(path, benchmark.first_pixel).boxes for path in paths], list(benchmark)
        )
        table[tracker] = {name: scores[name] for name in ("ao", "sr50", "sr75")}
    return dict(sorted(table.items(), key=lambda item: -item[1]["ao"]))


def _score(
    root: Path, benchmark: Benchmark, tracker: str, sequence: Sequence, protocol: str
) -> tuple[SequenceScore, float]:
    whole = result_path(root, benchmark.name, tracker, sequence.name)
    if protocol == "ope":
        return _score_pass(whole, benchmark, sequence, 0)
    marker = whole.with_name(f"{sequence.name}.{protocol}.json")
    if not marker.is_file():
        raise MissingDataError(str(marker))
    passes = []
    for name in json.loads(marker.read_text(encoding="utf-8")):
        start = int(name.rsplit("-", 1)[1].removesuffix(".txt")) if protocol == "tre" else 0
        passes.append(_score_pass(whole.with_name(name), benchmark, sequence, start))
    return pool([score for score, _ in passes]), float(np.mean([fps for _, fps in passes]))


def _score_pass(
    path: Path, benchmark: Benchmark, sequence: Sequence, start: int
) -> tuple[SequenceScore, float]:
    """Score and speed of one file of boxes from frame `start` on."""
    result = read_result(path, benchmark.first_pixel)
    truth, omitted = sequence.boxes[start:], sequence.omitted[start:]
    if len(result) != len(truth):
        raise DataError(
            f"{path} has {len(result)} boxes, sequence {sequence.name} {len(truth)} frames from {start} on; run it again with --fresh"
        )
    seconds = float(result.seconds.sum())
    return score_sequence(result.boxes, truth, omitted), (
        len(result) / seconds if seconds > 0 else float("nan")
    )
