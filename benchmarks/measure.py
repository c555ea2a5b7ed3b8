"""Shared by all measurements here: speeds side by side, passes over a benchmark, files."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.evaluation.otb import track
from course_lib.evaluation.results import Result
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import without_nan
from course_lib.files import json_lines, write_whole
from course_lib.profile import current_profile
from course_lib.provenance import provenance
from course_lib.trackers import make_tracker, tracker_class
from course_lib.trackers.base import Tracker

Makers = Mapping[str, Callable[[], Tracker]]


def exact_tracker(name: str, recipe: Path | None = None, **settings: Any) -> Tracker:
    """A tracker to measure: a network runs in single precision unless the settings say otherwise,
    since in bfloat16 a sequence turns out differently now and then.

    Args:
        name: in `trackers.TRACKERS`.
        recipe: file with settings; the tracker's defaults without.
        settings: that differ from the recipe's.
    """
    if hasattr(tracker_class(name).Settings, "precision"):
        settings = {"precision": "fp32", **settings}
    return make_tracker(name, recipe, **settings)


def options_of(doc: str, write: bool = True) -> argparse.ArgumentParser:
    """A parser with the first line of `doc` as its description, and `--write` if wanted."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    if write:
        parser.add_argument("--write", type=Path, help="JSON file for the results")
    return parser


def write_results(path: Path | None, table: dict[str, Any], device: str, **about: Any) -> None:
    """Write a table of results, with where and when they were measured; nothing without a path.

    Args:
        path: the JSON file.
        table: the results; NaN becomes null.
        device: where the work was done, as `provenance` takes it.
        about: further entries beside date, commit, hardware, versions, profile and threads.
    """
    if path is None:
        return
    where = {"profile": current_profile(), "threads": torch.get_num_threads()}
    kept = {**table, "measured": provenance(device) | where | about}
    write_whole(path, json_lines(without_nan(kept), width=2000))
    print(f"wrote {path}")


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block, PyTorch and OpenCV compute on one core."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def measure(
    ways: Mapping[str, Callable[[], int]],
    rounds: int = 3,
    prepare: Callable[[str], None] | None = None,
) -> dict[str, float]:
    """Units per second of several ways to do the same work: medians of one run, on one thread.

    Each way is run once to warm up. Then they take turns, so that all see the same machine and
    their ratios hold on other machines too.

    Args:
        ways: the work by name; it returns how many units it did.
        rounds: how often each is timed.
        prepare: called with a way's name before its turn, not timed.
    """
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with one_thread():
        for _ in range(rounds + 1):
            for name, work in ways.items():
                if prepare:
                    prepare(name)
                start = time.perf_counter()
                count = work()
                rates[name].append(count / (time.perf_counter() - start))
    return {name: float(np.median(found[1:])) for name, found in rates.items()}


def tracking_speeds(
    makers: Makers, sequence: Sequence, rounds: int = 3
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Frames per second of trackers on one sequence, and their boxes (T, 4).

    Frames are decoded and trackers initialised before the clock starts.

    Args:
        makers: by name, functions that make a fresh tracker.
        sequence: what they track.
        rounds: passes that are timed, see `measure`.
    """
    frames, first = list(sequence.frames), sequence.boxes[0]
    running, boxes = {}, {}

    def prepare(name: str) -> None:
        running[name] = makers[name]()
        running[name].init(frames[0], first)

    def run(name: str) -> int:
        boxes[name] = np.array([first, *(running[name].update(frame) for frame in frames[1:])])
        return len(frames) - 1

    return measure({name: partial(run, name) for name in makers}, rounds, prepare), boxes


def one_pass(makers: Makers, benchmark: Benchmark, width: int = 1) -> dict[str, dict[str, Result]]:
    """Results by tracker and sequence of one pass each, one group of sequences in memory at a time.

    Args:
        makers: by name, functions that make a fresh tracker.
        benchmark: what they track.
        width: sequences run in lock-step, which a GPU needs; 1 runs them one by one.
    """
    results: dict[str, dict[str, Result]] = {name: {} for name in makers}
    for start in range(0, len(benchmark), width):
        group = [s.loaded() for s in benchmark.sequences[start : start + width]]
        for name, make in makers.items():
            if width > 1:
                found = track_in_lockstep(make, group, width)
            else:
                found = [track(make(), sequence) for sequence in group]
            results[name] |= dict(zip((s.name for s in group), found, strict=True))
        print(f"  {', '.join(s.name for s in group)}", flush=True)
    return results


def first_frames(benchmark: Benchmark, frames: int | None) -> Benchmark:
    """The benchmark's first `frames` frames of each sequence, all if None."""
    return replace(benchmark, sequences=tuple(s.part(0, frames) for s in benchmark))


def figures(report: Report, tracker: str) -> dict[str, Any]:
    """One tracker's scores over all sequences, its curves, and its AUC on each sequence."""
    told = report.to_dict()
    by_sequence = {name: row[tracker] for name, row in told["auc_by_sequence"].items()}
    return {
        **told["overall"][tracker],
        "curves": told["curves"][tracker],
        "auc_by_sequence": by_sequence,
    }
