"""What several measurements here share: one pass over a benchmark, speeds side by side, runs and weights to keep."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.otb import score_sequence, track
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.evaluation.tables import without_nan
from course_lib.files import write_whole
from course_lib.models.weights import WEIGHTS, find_weights
from course_lib.places import RUNS
from course_lib.trackers.base import Tracker
from course_lib.training.settings import TrainSettings
from course_lib.training.trained_weights import train_to_weights


def one_pass(
    make: Callable[[], Tracker], benchmark: Benchmark, frames: int | None = None
) -> Report:
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


def kept_scores(settings: TrainSettings) -> Path:
    """Where a run's figures are kept."""
    return RUNS / "training" / settings.name / "scores.json"


def trained_and_measured(
    settings: TrainSettings, measure: Callable[[Path], dict], budget: float | None = None
) -> dict[str, Any] | None:
    """What `measure` finds of a recipe's weights; trained, or trained on, and measured only if that is not kept already.

    None if the budget, in seconds, ended first.
    """
    kept = kept_scores(settings)
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    path = train_to_weights(settings, budget=budget)
    if path is None:
        return None
    row = without_nan(measure(path))
    write_whole(kept, json.dumps(row) + "\n")
    return row


def ship(names: dict[str, str]) -> None:
    """Copy weights and cards of runs, by the run's name, to where the course keeps its own, under another name."""
    for run, name in names.items():
        path = find_weights(run)
        for kind in (".safetensors", ".json"):
            shutil.copyfile(path.with_suffix(kind), (WEIGHTS / name).with_suffix(kind))


def frames_per_second(
    trackers: dict[str, Tracker], clip: Sequence, rounds: int
) -> dict[str, float]:
    """Median speed of each tracker, frame by frame in turn, so that all see the same machine.

    "plain" and "fp32" must find the same boxes.
    """
    seconds = {name: [] for name in trackers}
    for _ in range(rounds):
        for tracker in trackers.values():
            tracker.init(clip.frames[0], clip.boxes[0])
        for t in range(1, len(clip)):
            boxes = {}
            for name, tracker in trackers.items():
                started = time.perf_counter()
                boxes[name] = tracker.update(clip.frames[t])
                seconds[name].append(time.perf_counter() - started)
            assert np.abs(boxes["plain"] - boxes["fp32"]).max() < 0.5, "the two networks disagree"
    return {name: 1 / float(np.median(values)) for name, values in seconds.items()}


def against_plain(
    name: str, trackers: dict[str, Tracker], clip: Sequence, rounds: int
) -> dict[str, Any]:
    """Speeds of "plain", "fp32" and "bf16", and the ratios of the last two to the first; printed as well."""
    fps = frames_per_second(trackers, clip, rounds)
    row = {"fps": fps, "fp32": fps["fp32"] / fps["plain"], "bf16": fps["bf16"] / fps["plain"]}
    print(f"{name:36}" + "  ".join(f"{k} {v:.1f}/s" for k, v in fps.items()), end="")
    print(f"  ratios fp32 {row['fp32']:.2f}, bf16 {row['bf16']:.2f}", flush=True)
    return row
