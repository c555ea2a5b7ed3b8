"""Run trackers over a benchmark: sequences side by side, finished ones kept, nothing half-written.

`evaluate` writes the results of one tracker on one sequence with a record of what they are of (see
`evaluation.records`). A run that is cut off goes on where it stopped. Kept results count only if
tracker, settings, weights and data are the same still; whatever differs is named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, DataError, SettingsError, os_error_in_words
from course_lib.evaluation.identity import differences, join_words, tracker_identity
from course_lib.evaluation.kept import check_names, check_root, open_runs
from course_lib.evaluation.otb import sre, track, tre
from course_lib.evaluation.realtime import Realtime, run_realtime
from course_lib.evaluation.records import Run, UnwritableError, store
from course_lib.evaluation.results import SUPERVISED, Result, write_result
from course_lib.evaluation.vot import run_supervised, write_supervised
from course_lib.trackers import Tracker, make_tracker, tracker_class

PROTOCOLS = ("ope", "tre", "sre", "realtime", *SUPERVISED)


@dataclass(frozen=True)
class TrackerSpec:
    """A tracker to run: its name, and the settings that differ from its defaults.

    `label` names its folder of results; the same tracker with other settings needs another label.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: str | None = None
    label: str | None = None

    @property
    def folder(self) -> str:
        """Name of the folder its results stand in."""
        return self.name if self.label is None else self.label

    def make(self) -> Tracker:
        """A fresh tracker."""
        return make_tracker(self.name, self.recipe, **self.settings)


Job = tuple[TrackerSpec, Sequence]
Failures = list[tuple[str, str]]  # the run, and what was wrong


def evaluate(
    trackers: list[TrackerSpec],
    benchmark: Benchmark,
    root: Path,
    protocol: str = "ope",
    workers: int = 1,
    data: Path | str | None = None,
    progress: bool = True,
    lockstep: int = 1,
    fresh: bool = False,
) -> list[Path]:
    """Run every tracker on every sequence that has no result yet.

    All is checked before the first file is touched. One failing run does not stop the others.

    Args:
        trackers: what to run; their folders of results must differ.
        benchmark: what to run on.
        root: where results are kept.
        protocol: one of PROTOCOLS.
        workers: with several each process loads the benchmark itself, by its source from `data`,
            and runs one sequence at a time; the boxes are the same.
        data: the data root for the workers.
        progress: whether a bar is shown.
        lockstep: above 1, one pass of a deep tracker (OPE) runs so many sequences through each
            call of its network: what a GPU needs.
        fresh: run again what has results already; those that `evaluate` made are removed first.

    Returns: the files of boxes of all runs, old and new.

    Raises SettingsError for an argument without sense, CourseError if kept results are of something
    else, or naming every run that failed after the others are done.
    """
    _check(trackers, benchmark, root, protocol, workers, lockstep)
    made_by = {spec.folder: tracker_identity(spec.name, spec.make()) for spec in trackers}
    runs = {
        (spec.folder, q.name): Run(root, benchmark, spec.folder, q, protocol)
        for spec in trackers
        for q in benchmark
    }
    todo = open_runs(list(runs.values()), made_by, fresh)
    jobs = [(s, q) for s in trackers for q in benchmark if runs[s.folder, q.name] in todo]
    failures: Failures = []
    with _bar(len(runs), len(jobs), protocol, progress) as bar:
        if lockstep > 1 and protocol == "ope":
            together = [(s, q) for s, q in jobs if tracker_class(s.name).lockstep]
            failures += _run_in_lockstep(together, benchmark, root, lockstep, bar)
            jobs = [(s, q) for s, q in jobs if not tracker_class(s.name).lockstep]
        if workers == 1 or not jobs:
            failures += _run_here(jobs, benchmark, root, protocol, bar)
        else:
            failures += _run_in_processes(jobs, benchmark, root, protocol, workers, data, bar)
    _say_failures(failures, len(runs))
    return [path for run in runs.values() for path in run.files]


def _check(trackers, benchmark, root, protocol, workers, lockstep) -> None:
    """Raise SettingsError or DataError for arguments without sense."""
    if protocol not in PROTOCOLS:
        raise SettingsError(
            f"protocol {protocol!r} is not known; expected one of {', '.join(PROTOCOLS)}"
        )
    for what, number in (("workers", workers), ("lockstep", lockstep)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SettingsError(f"--{what} is {number!r}; expected a whole number, 1 or more")
    if not trackers or not len(benchmark):
        raise DataError(
            f"there is nothing to run: {len(trackers)} trackers, and {len(benchmark)} sequences in "
            f"{benchmark.name!r}; expected at least one of each"
        )
    folders = [spec.folder for spec in trackers]
    check_names(benchmark, folders)
    plain = [folder.casefold() for folder in folders]  # some file systems take A for a
    twice = sorted({folder for folder in folders if plain.count(folder.casefold()) > 1})
    if twice:
        raise SettingsError(
            f"several trackers would keep their results as {', '.join(twice)}; "
            "give each a label of its own, and name no tracker twice"
        )
    check_root(Path(root))


def run_one(
    spec: TrackerSpec, benchmark: Benchmark, sequence: Sequence, root: Path, protocol: str
) -> None:
    """Run one tracker on one sequence and write its results with their record."""
    run = Run(root, benchmark, spec.folder, sequence, protocol)
    made_by = tracker_identity(spec.name, spec.make())
    if protocol in SUPERVISED:
        make = spec.make if protocol == "vot" else lambda: Realtime(spec.make())
        supervised = run_supervised(make, sequence)
        store(run, made_by, lambda: write_supervised(run.files[0], supervised))
    else:
        _store_passes(run, made_by, _passes(spec, sequence, protocol))


def _passes(spec: TrackerSpec, sequence: Sequence, protocol: str) -> list[Result]:
    """The results of a protocol's passes, in the order of the files they go to."""
    if protocol == "ope":
        return [track(spec.make(), sequence)]
    if protocol == "realtime":
        return [run_realtime(spec.make(), sequence)]
    if protocol == "tre":
        return [result for _, result in tre(spec.make, sequence)]
    return list(sre(spec.make, sequence).values())


def _store_passes(run: Run, made_by: dict, passes: list[Result]) -> None:
    def write() -> None:
        for path, result in zip(run.files, passes, strict=True):
            write_result(path, result, run.benchmark.first_pixel)

    store(run, made_by, write)


def _bar(whole: int, todo: int, protocol: str, progress: bool) -> tqdm:
    return tqdm(
        total=whole, initial=whole - todo, unit="seq", disable=not progress, desc=protocol.upper()
    )


def _run_here(jobs: list[Job], benchmark, root, protocol, bar) -> Failures:
    def one(spec: TrackerSpec, sequence: Sequence) -> Callable[[], None]:
        return lambda: run_one(spec, benchmark, sequence, root, protocol)

    return _collect(((spec.folder, q.name, one(spec, q)) for spec, q in jobs), bar)


def _run_in_lockstep(jobs: list[Job], benchmark, root, width: int, bar: tqdm) -> Failures:
    """Every deep tracker over its open sequences; a result is written as its sequence ends."""
    from course_lib.evaluation.lockstep import lockstep

    def runs() -> Iterator[tuple[str, str, Callable[[], None]]]:
        for spec in {s.folder: s for s, _ in jobs}.values():
            mine = [q for s, q in jobs if s is spec]
            made_by = tracker_identity(spec.name, spec.make())
            for k, result in lockstep(spec.make, mine, width):
                run = Run(root, benchmark, spec.folder, mine[k], "ope")
                yield spec.folder, mine[k].name, _keeper(run, made_by, result)

    return _collect(runs(), bar)


def _keeper(run: Run, made_by: dict, result: Result | Exception) -> Callable[[], None]:
    def keep() -> None:
        if isinstance(result, Exception):
            raise result
        _store_passes(run, made_by, [result])

    return keep


def _run_in_processes(jobs: list[Job], benchmark, root, protocol, workers, data, bar) -> Failures:
    # spawn: threads of OpenCV and torch do not survive a fork; Windows waits for 61 at most
    count = min(workers, len(jobs), 61)
    before = set(active_children())
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_one_thread)
    waiting: dict[Future, tuple[str, str]] = {}
    try:
        waiting = {
            _submit(pool, s, benchmark.source, benchmark.identity(q), root, protocol, data): (
                s.folder,
                q.name,
            )
            for s, q in jobs
        }
        failures = _collect(((*waiting[f], f.result) for f in as_completed(waiting)), bar)
        order = [f"{s.folder} on {q.name}" for s, q in jobs]  # not that in which they ended
        return sorted(failures, key=lambda failure: order.index(failure[0]))
    finally:
        if any(_is_broken(future) for future in waiting):
            # one that was being started when another died would wait for work, and we for its end
            for worker in set(active_children()) - before:
                worker.terminate()
        pool.shutdown(cancel_futures=True)


def _is_broken(future: Future) -> bool:
    """Whether a run ended with its pool and not by itself."""
    done = future.done() and not future.cancelled()
    return done and isinstance(future.exception(), BrokenProcessPool)


def _submit(pool: ProcessPoolExecutor, *arguments: Any) -> Future:
    """The future of `_run_by_name`; where no process could be started for it, one that says so."""
    try:
        return pool.submit(_run_by_name, *arguments)
    # a process is started as it is asked for: OSError if the pool breaks, or memory ends, meanwhile
    except (BrokenProcessPool, OSError) as problem:
        failed: Future = Future()
        failed.set_exception(BrokenProcessPool(str(problem)))
        return failed


_LOADED: dict[tuple[str, str], Benchmark] = {}  # of this process: a benchmark is listed once


def _run_by_name(
    spec: TrackerSpec, source: str, wanted: dict[str, Any], root: Path, protocol: str, data
) -> None:
    """Run a sequence of a benchmark that this process loads itself.

    Raises DataError if what it loads is not the sequence that is `wanted`, by its identity.
    """
    key = (source, str(data))
    if key not in _LOADED:
        _LOADED[key] = load_benchmark(source, data)
    whole, name = _LOADED[key], wanted["sequence"]
    sequence = whole[name] if name in whole.names else None
    why = ["it is not there"] if sequence is None else differences(wanted, whole.identity(sequence))
    if why:
        raise DataError(
            f"a worker that loads {source!r} by its name finds other data than were given: "
            f"{'; '.join(why)}. Benchmarks made in Python run with workers=1."
        )
    run_one(spec, whole, sequence, root, protocol)


def _one_thread() -> None:
    """A worker is one of many: more threads each would only get in each other's way."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _collect(runs: Iterator[tuple[str, str, Callable[[], None]]], bar: tqdm) -> Failures:
    """Call each run; what fails is collected, but a disk that takes no results ends all."""
    failures = []
    for tracker, sequence, call in runs:
        try:
            call()
        except UnwritableError:
            raise
        except Exception as problem:
            failures.append((f"{tracker} on {sequence}", _in_words(problem)))
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


def _say_failures(failures: Failures, whole: int) -> None:
    """Raise CourseError if any run failed; those that failed alike are named together."""
    reasons: dict[str, list[str]] = {}
    for run, why in failures:
        reasons.setdefault(why, []).append(run)
    if reasons:
        told = [f"{join_words(runs)}: {why.rstrip('.')}" for why, runs in reasons.items()]
        raise CourseError(
            f"{len(failures)} of {whole} runs failed: {join_words(told, 10)}. "
            "Mend the cause and run the same command again: the others are kept."
        )
