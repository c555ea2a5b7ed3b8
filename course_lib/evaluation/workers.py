"""Runs side by side in processes, each of which loads the benchmark itself."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Benchmark
from course_lib.errors import DataError
from course_lib.evaluation.identity import differences
from course_lib.evaluation.jobs import Failures, Job, TrackerSpec, collect, name_of, run_one

MOST = 61  # processes: Windows cannot wait for more


def run_in_processes(jobs: list[Job], workers: int, data: Path | str | None, bar: tqdm) -> Failures:
    """Run every job in one of several processes; returns the failures in the order of the jobs.

    Args:
        jobs: at least one.
        workers: how many processes at most.
        data: the data root to load the benchmark from.
        bar: advanced as runs end.
    """
    # spawn, because threads of OpenCV and torch do not survive a fork
    pool = ProcessPoolExecutor(
        min(workers, len(jobs), MOST), mp_context=get_context("spawn"), initializer=_one_thread
    )
    before = set(active_children())
    waiting: dict[Future, str] = {}
    try:
        waiting = {_submit(pool, job, data): name_of(job) for job in jobs}
        failures = collect(((waiting[f], f.result) for f in as_completed(waiting)), bar)
        order = {name_of(job): k for k, job in enumerate(jobs)}  # not the order in which they ended
        return sorted(failures, key=lambda failure: order[failure[0]])
    finally:
        if any(_is_broken(future) for future in waiting):
            # one that was starting when another died would wait for work, and we would wait for it
            for worker in set(active_children()) - before:
                worker.terminate()
        pool.shutdown(cancel_futures=True)


def _is_broken(future: Future) -> bool:
    """Whether a run ended because its pool broke."""
    done = future.done() and not future.cancelled()
    return done and isinstance(future.exception(), BrokenProcessPool)


def _submit(pool: ProcessPoolExecutor, job: Job, data: Path | str | None) -> Future:
    """The future of `_run_by_name`; if no process could be started, one that says so."""
    spec, run = job
    wanted = run.benchmark.identity(run.sequence)
    try:
        return pool.submit(
            _run_by_name, spec, run.benchmark.source, wanted, run.root, run.protocol, data
        )
    # submit starts a process: OSError if the pool breaks or memory runs out meanwhile
    except (BrokenProcessPool, OSError) as problem:
        failed: Future = Future()
        failed.set_exception(BrokenProcessPool(str(problem)))
        return failed


_LOADED: dict[tuple[str, str], Benchmark] = {}  # per process, so that a benchmark is listed once


def _run_by_name(
    spec: TrackerSpec, source: str, wanted: dict[str, Any], root: Path, protocol: str, data
) -> None:
    """Run a sequence of a benchmark that this process loads itself.

    Raises DataError if the identity of what it loads is not the one `wanted`.
    """
    key = (source, str(data))
    if key not in _LOADED:
        _LOADED[key] = load_benchmark(source, data)
    whole, name = _LOADED[key], wanted["sequence"]
    sequence = whole[name] if name in whole.names else None
    why = ["it is not there"] if sequence is None else differences(wanted, whole.identity(sequence))
    if why:
        raise DataError(
            f"a worker that loads {source!r} by name finds different data: "
            f"{'; '.join(why)}. Benchmarks made in Python run with workers=1."
        )
    run_one(spec, spec.on(root, whole, sequence, protocol))


def _one_thread() -> None:
    """Limit a worker to one thread: several in each would only get in each other's way."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
