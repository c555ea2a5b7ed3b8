"""Run trackers over a benchmark: sequences side by side, finished ones kept, nothing half-written.

`evaluate` writes one result file per tracker and sequence (see `results.py`). A run that is cut off goes on where it
stopped. Beside the results stands `tracker.json`, the settings they were made with: results of other settings are
never mixed in.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError
from course_lib.evaluation.otb import sre, track, tre
from course_lib.evaluation.realtime import Realtime, run_realtime
from course_lib.evaluation.results import (
    SUPERVISED,
    Result,
    result_path,
    supervised_path,
    write_result,
)
from course_lib.evaluation.vot import run_supervised, write_supervised
from course_lib.files import write_whole
from course_lib.trackers import LOCKSTEP, make_tracker

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
        return self.label or self.name

    def make(self):
        """A fresh tracker."""
        return make_tracker(self.name, self.recipe, **self.settings)


def evaluate(
    trackers: list[TrackerSpec],
    benchmark: Benchmark,
    root: Path,
    protocol: str = "ope",
    workers: int = 1,
    data: Path | str | None = None,
    progress: bool = True,
    lockstep: int = 1,
) -> list[Path]:
    """Run every tracker on every sequence that has no result yet; returns the result files, old and new.

    With several workers each process loads the benchmark itself by name from `data` and runs one sequence at a time;
    the boxes are the same. With `lockstep` above 1, one pass of a deep tracker runs so many sequences through each call of
    its network: what a GPU needs. One failing run does not stop the others.

    Raises CourseError naming every run that failed, after the others are done, or if the stored settings differ.
    """
    if protocol not in PROTOCOLS:
        raise CourseError(
            f"protocol {protocol!r} is not known; expected one of {', '.join(PROTOCOLS)}"
        )
    for spec in trackers:
        spec.make()  # a wrong name or setting is said before the first frame
        _check_settings(root / benchmark.name / spec.folder, spec)
    jobs = [(spec, sequence) for spec in trackers for sequence in benchmark]
    done = {(s.folder, q.name): finished(root, benchmark, s, q, protocol) for s, q in jobs}
    open_jobs = [(s, q) for s, q in jobs if not done[s.folder, q.name]]
    bar = tqdm(
        total=len(jobs),
        initial=len(jobs) - len(open_jobs),
        unit="seq",
        disable=not progress,
        desc=protocol.upper(),
    )
    failures = []
    if lockstep > 1 and protocol == "ope":
        together = [(s, q) for s, q in open_jobs if s.name in LOCKSTEP]
        failures += _run_in_lockstep(together, benchmark, root, lockstep, bar)
        open_jobs = [(s, q) for s, q in open_jobs if s.name not in LOCKSTEP]
    failures += (_run_here if workers == 1 else _run_in_processes)(
        open_jobs, benchmark, root, protocol, workers, data, bar
    )
    bar.close()
    if failures:
        raise CourseError(
            f"{len(failures)} of {len(jobs)} runs failed: "
            + "; ".join(failures)
            + ". Mend the cause and run the same command again: the others are kept."
        )
    return [path for s, q in jobs for path in finished(root, benchmark, s, q, protocol)]


def finished(
    root: Path, benchmark: Benchmark, spec: TrackerSpec, sequence: Sequence, protocol: str
) -> list[Path]:
    """The result files of one run if it was completed, else an empty list."""
    whole = result_path(root, benchmark.name, spec.folder, sequence.name)
    if protocol == "ope":
        return [whole] if whole.is_file() else []
    if protocol in SUPERVISED:
        path = supervised_path(root, benchmark.name, spec.folder, sequence.name, protocol)
        return [path] if path.is_file() else []
    marker = whole.with_name(f"{sequence.name}.{protocol}.json")
    if not marker.is_file():
        return []
    return [whole.with_name(name) for name in json.loads(marker.read_text(encoding="utf-8"))]


def run_one(
    spec: TrackerSpec, benchmark: Benchmark, sequence: Sequence, root: Path, protocol: str
) -> None:
    """Run one tracker on one sequence and write its results; several passes are marked complete by a list of their files."""
    whole = result_path(root, benchmark.name, spec.folder, sequence.name)
    if protocol == "ope":
        write_result(whole, track(spec.make(), sequence), benchmark.first_pixel)
        return
    if protocol in SUPERVISED:
        path = supervised_path(root, benchmark.name, spec.folder, sequence.name, protocol)
        make = spec.make if protocol == "vot" else lambda: Realtime(spec.make())
        write_supervised(path, run_supervised(make, sequence))
        return
    passes = _passes(spec, sequence, protocol)
    names = []
    for name, result in passes:
        names.append(f"{sequence.name}.{name}.txt")
        write_result(whole.with_name(names[-1]), result, benchmark.first_pixel)
    write_whole(
        whole.with_name(f"{sequence.name}.{protocol}.json"), json.dumps(names, indent=0) + "\n"
    )


def _passes(spec: TrackerSpec, sequence: Sequence, protocol: str) -> list[tuple[str, Result]]:
    """The passes of a protocol that has several or is not one plain pass, each with the name of its file."""
    if protocol == "realtime":
        return [("realtime-0", run_realtime(spec.make(), sequence))]
    if protocol == "tre":
        return [(f"tre-{start:05d}", result) for start, result in tre(spec.make, sequence)]
    return [(f"sre-{name}", result) for name, result in sre(spec.make, sequence).items()]


def _run_here(jobs, benchmark, root, protocol, workers, data, bar) -> list[str]:
    failures = []
    for spec, sequence in jobs:
        try:
            run_one(spec, benchmark, sequence, root, protocol)
        except Exception as problem:
            failures.append(_failure(spec.folder, sequence.name, problem))
        bar.update()
    return failures


def _run_in_lockstep(
    jobs: list, benchmark: Benchmark, root: Path, width: int, bar: tqdm
) -> list[str]:
    """Every deep tracker over its open sequences, `width` at a time; each result is written when its sequence ends."""
    from course_lib.evaluation.lockstep import lockstep

    failures = []
    for spec in dict.fromkeys(s.folder for s, _ in jobs):
        mine = [(s, q) for s, q in jobs if s.folder == spec]
        for k, result in lockstep(mine[0][0].make, [q for _, q in mine], width):
            if isinstance(result, Exception):
                failures.append(_failure(spec, mine[k][1].name, result))
            else:
                write_result(
                    result_path(root, benchmark.name, spec, mine[k][1].name),
                    result,
                    benchmark.first_pixel,
                )
            bar.update()
    return failures


def _run_in_processes(jobs, benchmark, root, protocol, workers, data, bar) -> list[str]:
    failures = []
    # spawn: threads of OpenCV and torch do not survive a fork
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        waiting = {
            pool.submit(_run_by_name, spec, benchmark.name, sequence.name, root, protocol, data): (
                spec,
                sequence,
            )
            for spec, sequence in jobs
        }
        for future in as_completed(waiting):
            spec, sequence = waiting[future]
            try:
                future.result()
            except BrokenProcessPool:
                failures.append(
                    f"{spec.folder} on {sequence.name}: its process was ended from outside (out of memory?)"
                )
            except Exception as problem:
                failures.append(_failure(spec.folder, sequence.name, problem))
            bar.update()
    return failures


_LOADED: dict[
    tuple[str, str], Benchmark
] = {}  # of this worker process: a benchmark is listed once, not per sequence


def _run_by_name(
    spec: TrackerSpec, benchmark: str, sequence: str, root: Path, protocol: str, data
) -> None:
    key = (benchmark, str(data))
    if key not in _LOADED:
        _LOADED[key] = load_benchmark(benchmark, data)
    run_one(spec, _LOADED[key], _LOADED[key][sequence], root, protocol)


def _one_thread() -> None:
    """A worker is one of many: more threads each would only get in each other's way."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _failure(tracker: str, sequence: str, problem: Exception) -> str:
    kind = "" if isinstance(problem, CourseError) else f"{type(problem).__name__}: "
    return f"{tracker} on {sequence}: {kind}{problem}"


def _check_settings(folder: Path, spec: TrackerSpec) -> None:
    """Write the settings beside the results, or compare with those that stand there."""
    recipe = Path(spec.recipe).read_text(encoding="utf-8") if spec.recipe else None
    mine = {
        "tracker": spec.name,
        "settings": {k: str(v) for k, v in spec.settings.items()},
        "recipe": recipe,
    }
    path = folder / "tracker.json"
    if not path.is_file():
        write_whole(path, json.dumps(mine, indent=1, sort_keys=True) + "\n")
        return
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored != mine:
        raise CourseError(
            f"{folder} holds results of {stored['tracker']} with settings {stored['settings']}, not {mine['settings']}. "
            "Use another --label, or --fresh to run it anew."
        )
