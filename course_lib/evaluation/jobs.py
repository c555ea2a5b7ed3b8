"""Jobs: a tracker with its settings, run on one sequence, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, os_error_in_words
from course_lib.evaluation.identity import tracker_identity
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run, UnwritableError, store
from course_lib.trackers import Tracker, make_tracker
from course_lib.trackers.absence import ReportsAbsence


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker to run: its name, and the settings that differ from its defaults.

    `label` names its folder of results; the same tracker with other settings needs another label.
    `absent_below` is the confidence below which its target is reported absent, in its own units;
    None: it never is, unless the tracker itself says so.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    label: str | None = None
    absent_below: float | None = None

    @property
    def folder(self) -> str:
        """Name of the folder of its results."""
        return self.name if self.label is None else self.label

    def make(self) -> Tracker:
        """A fresh tracker."""
        tracker = make_tracker(self.name, self.recipe, **self.settings)
        below = self.absent_below
        return tracker if below is None else ReportsAbsence(tracker, below)

    @cached_property
    def is_deterministic(self) -> bool:
        """Whether one run of it is enough, as it says itself."""
        return self.make().is_deterministic

    def on(self, root: Path, benchmark: Benchmark, sequence: Sequence, protocol: str) -> Run:
        """The run of this tracker on a sequence, repeated if it is not deterministic.

        Args:
            root: the folder of results.
            benchmark: the sequence's.
            sequence: what to run on.
            protocol: a name in `PROTOCOLS`.
        """
        times = 1 if self.is_deterministic else PROTOCOLS[protocol].repetitions
        return Run(root, benchmark, self.folder, sequence, protocol, times)

    def identity(self) -> dict[str, Any]:
        """What distinguishes it from other trackers, see `identity.tracker_identity`."""
        alone = make_tracker(self.name, self.recipe, **self.settings)
        below = {} if self.absent_below is None else {"absent_below": float(self.absent_below)}
        return tracker_identity(self.name, alone) | below


Job = tuple[TrackerSpec, Run]
Failures = list[tuple[str, str]]  # the run, and what was wrong


def name_of(job: Job) -> str:
    """A job for a message: "mosse on Jogging.1"."""
    return f"{job[0].folder} on {job[1].sequence.name}"


def run_one(spec: TrackerSpec, run: Run) -> None:
    """Run one tracker on one sequence and write its results with their record."""
    made_by, row = spec.identity(), PROTOCOLS[run.protocol]
    repeated = [row.run(spec.make, run.sequence) for _ in range(run.repetitions)]
    store(run, made_by, [outcome for outcomes in repeated for outcome in outcomes])


def collect(calls: Iterable[tuple[str, Callable[[], Any]]], bar: tqdm) -> Failures:
    """Call each run; failures are collected, but a disk that takes no results ends everything."""
    failures = []
    for name, call in calls:
        try:
            call()
        except UnwritableError:
            raise
        except Exception as problem:
            failures.append((name, _in_words(problem)))
        bar.update()
    return failures


def _in_words(problem: Exception) -> str:
    if isinstance(problem, CourseError):
        return str(problem)
    if isinstance(problem, BrokenProcessPool):
        return "its process was ended from outside (out of memory?)"
    if isinstance(problem, OSError):
        return os_error_in_words(problem)
    return f"{type(problem).__name__}: {problem}"
