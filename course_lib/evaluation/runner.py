"""Run trackers over a benchmark: sequences side by side, finished ones kept, nothing half-written.

`evaluate` writes the results of one tracker on one sequence with a record of what they were
measured on (see `evaluation.records`). An interrupted run resumes where it stopped. Kept results
count only if tracker, settings, weights and data are still the same; any difference is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from course_lib.data.sequence import Benchmark
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.evaluation.identity import join_words
from course_lib.evaluation.jobs import Failures, Job, TrackerSpec, collect, name_of, run_one
from course_lib.evaluation.kept import check_names, check_root, open_runs
from course_lib.evaluation.protocols import PROTOCOLS, protocol_named
from course_lib.evaluation.records import Run, store
from course_lib.evaluation.results import Result
from course_lib.evaluation.workers import run_in_processes
from course_lib.trackers import tracker_class

__all__ = ["TrackerSpec", "evaluate"]


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

    Everything is checked before the first file is touched. A failing run does not stop the others.

    Args:
        trackers: those to run; their folders of results must differ.
        benchmark: what to run on.
        root: the folder of results.
        protocol: a name in `protocols.PROTOCOLS`.
        workers: number of processes; each loads the benchmark itself, by its source from `data`,
            and runs one sequence at a time. The boxes are the same.
        data: the data root for the workers.
        progress: whether a progress bar is shown.
        lockstep: above 1, a deep tracker's one-pass runs (OPE) put this many sequences through each
            call of its network, which keeps a GPU busy.
        fresh: whether to run again what has results; those that `evaluate` made are removed first.

    Returns:
        The files of boxes of all runs, old and new.

    Raises:
        SettingsError: for an invalid argument.
        CourseError: if kept results do not match; or, after all runs, naming every one that failed.
    """
    _check(trackers, benchmark, root, protocol, workers, lockstep)
    made_by = {spec.folder: spec.identity() for spec in trackers}
    jobs = [
        (spec, spec.on(root, benchmark, sequence, protocol))
        for spec in trackers
        for sequence in benchmark
    ]
    runs = [run for _, run in jobs]
    todo = open_runs(runs, made_by, fresh)
    jobs = [(spec, run) for spec, run in jobs if run in todo]
    failures: Failures = []
    with _bar(len(runs), len(jobs), protocol, progress) as bar:
        if lockstep > 1 and PROTOCOLS[protocol].lockstep:
            together = [
                (spec, run)
                for spec, run in jobs
                if tracker_class(spec.name).lockstep and run.repetitions == 1
            ]
            failures += _run_in_lockstep(together, made_by, lockstep, bar)
            jobs = [job for job in jobs if job not in together]
        if workers == 1 or not jobs:
            failures += collect(((name_of(job), _call(job)) for job in jobs), bar)
        else:
            failures += run_in_processes(jobs, workers, data, bar)
    _say_failures(failures, len(runs))
    return [path for run in runs for path in run.files]


def _check(trackers, benchmark, root, protocol, workers, lockstep) -> None:
    """Raise SettingsError or DataError for invalid arguments."""
    protocol_named(protocol)
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
    plain = [folder.casefold() for folder in folders]  # to some file systems A is a
    twice = sorted({folder for folder in folders if plain.count(folder.casefold()) > 1})
    if twice:
        raise SettingsError(
            f"several trackers would keep their results as {', '.join(twice)}; "
            "give each its own label, and name no tracker twice"
        )
    if any(spec.absent_below is not None for spec in trackers) and not PROTOCOLS[protocol].absence:
        counted = [name for name, row in PROTOCOLS.items() if row.absence]
        raise SettingsError(
            f"protocol {protocol!r} wants a box in every frame, so --absent-below cannot be used; "
            f"expected one of the protocols {', '.join(counted)}"
        )
    check_root(Path(root))


def _bar(whole: int, todo: int, protocol: str, progress: bool) -> tqdm:
    return tqdm(
        total=whole, initial=whole - todo, unit="seq", disable=not progress, desc=protocol.upper()
    )


def _call(job: Job) -> Callable[[], None]:
    return lambda: run_one(*job)


def _run_in_lockstep(
    jobs: list[Job], made_by: dict[str, dict[str, Any]], width: int, bar: tqdm
) -> Failures:
    """Run every deep tracker on its open sequences; a result is written as its sequence ends."""
    from course_lib.evaluation.lockstep import lockstep  # imports PyTorch

    def calls() -> Iterator[tuple[str, Callable[[], None]]]:
        for spec in {spec.folder: spec for spec, _ in jobs}.values():
            mine = [job for job in jobs if job[0] is spec]
            for k, result in lockstep(spec.make, [run.sequence for _, run in mine], width):
                yield name_of(mine[k]), _keeper(mine[k][1], made_by[spec.folder], result)

    return collect(calls(), bar)


def _keeper(run: Run, made_by: dict[str, Any], result: Result | Exception) -> Callable[[], None]:
    def keep() -> None:
        if isinstance(result, Exception):
            raise result
        store(run, made_by, [result])

    return keep


def _say_failures(failures: Failures, whole: int) -> None:
    """Raise CourseError if any run failed; runs that failed alike are named together."""
    reasons: dict[str, list[str]] = {}
    for run, why in failures:
        reasons.setdefault(why, []).append(run)
    if reasons:
        told = [f"{join_words(runs)}: {why.rstrip('.')}" for why, runs in reasons.items()]
        raise CourseError(
            f"{len(failures)} of {whole} runs failed: {join_words(told, 10)}. "
            "Fix the cause and run the same command again: the others are kept."
        )
