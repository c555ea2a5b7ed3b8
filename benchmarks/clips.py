"""One pass of a tracker over a benchmark, sequence by sequence: what several measurements here share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.trackers.base import Tracker


def one_pass(make: Callable[[], Tracker], benchmark: Benchmark, frames: int | None = None) -> Report:
    """The report on one tracker, called "it": a fresh one for each sequence, on its first `frames` frames or on all."""
    scores, fps = {}, {}
    for sequence in benchmark:
        part = sequence.part(0, frames)
        part = replace(part, frames=ArrayFrames(list(part.frames)))  # decoded before the clock runs
        result = track(make(), part)
        scores[part.name] = score_sequence(result.boxes, part.boxes, part.omitted)
        fps[part.name] = len(result) / float(result.seconds.sum())
    found = {"it": TrackerScores(scores, fps)}
    return Report(benchmark.name, "ope", found, {s.name: s.attributes for s in benchmark})


def figures(report: Report) -> dict[str, Any]:
    """AUC, precision and speed over all sequences, the curves, and the AUC of each sequence."""
    told = report.to_dict()
    return {
        **report.overall()["it"],
        "curves": told["curves"]["it"],
        "auc_by_sequence": {n: values["it"] for n, values in told["auc_by_sequence"].items()},
    }
