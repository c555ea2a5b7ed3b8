"""Checks on kept results.

Before a run: whether `evaluate` made them, and with the same tracker, settings and data. Before a
report: whether they were measured on the data as they are now.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from course_lib.data.sequence import Benchmark
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.evaluation.identity import differences, join_words
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run, State, changed_files, judge, read_record, remove
from course_lib.files import plain_name

FOLDERS = ("records", "times", "scores")  # in a tracker's folder, so no sequence may be called that


def check_names(benchmark: Benchmark, trackers: list[str]) -> None:
    """Raise SettingsError unless every name that becomes part of a path is a plain one.

    A sequence may be in a folder, as ImageNet-VID's are: "train/a.0". Each part is a plain name.
    """
    plain_name(benchmark.name, "the benchmark's name")
    for tracker in trackers:
        plain_name(tracker, "the name of the folder of results (the label)")
    for name in benchmark.names:
        first, *_ = [plain_name(part, f"sequence {name!r}") for part in name.split("/")]
        if first in FOLDERS or any(row.reserves(name) for row in PROTOCOLS.values()):
            raise SettingsError(
                f"a sequence of {benchmark.name} is called {name!r}, a name that result "
                "files use; give its folder another name"
            )


def check_root(root: Path) -> None:
    """Raise SettingsError unless `root` is a folder that can be written to, or can become one."""
    there = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    if not there.is_dir():
        raise SettingsError(f"--results is {root}, but {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SettingsError(f"--results is {root}, and {there} cannot be written to; name another")


def open_runs(runs: list[Run], made_by: dict[str, dict], fresh: bool) -> set[Run]:
    """The runs still to do; with `fresh`, all of them, and their old results are removed.

    Args:
        runs: those asked for.
        made_by: folder of results → identity of the tracker that will run.
        fresh: whether existing results are replaced.

    Raises:
        CourseError: before anything is removed, for results that must not be used or replaced.
    """
    found = [(run, *judge(run, made_by[run.tracker])) for run in runs]
    _refuse(
        [(run, why) for run, state, why in found if state is State.FOREIGN],
        "Give another --label, or move them away.",
    )
    if not fresh:
        _refuse(
            [(run, why) for run, state, why in found if state is State.OTHER],
            "Give another --label, or --fresh to run them again and replace them.",
        )
        return {run for run, state, _ in found if state is State.OPEN}
    for run in runs:
        remove(run)
    return set(runs)


def _refuse(found: list[tuple[Run, str]], remedy: str) -> None:
    """Raise CourseError for results that cannot be used, grouped by reason."""
    reasons: dict[tuple[Path, str], list[str]] = {}
    for run, why in found:
        reasons.setdefault((run.folder, why), []).append(run.sequence.name)
    if reasons:
        (folder, why), names = next(iter(reasons.items()))
        more = f" (and {len(found) - len(names)} more results)" if len(found) > len(names) else ""
        raise CourseError(
            f"{folder} holds results of {join_words(names)} that are not what is asked for: "
            f"{why}{more}. {remedy}"
        )


def check_kept(
    root: Path, benchmark: Benchmark, trackers: list[str], protocol: str, sums: bool = True
) -> list[str]:
    """Whether kept results were measured on this benchmark's data as they are now.

    Args:
        root: the folder of results.
        benchmark: as loaded now.
        trackers: names of folders of results.
        protocol: the protocol they were run under.
        sums: whether the checksums of result files are compared with their records too.

    Returns: a sentence for each tracker with results that have no record.

    Raises DataError for results of other data, changed ones, or several settings under one name.
    """
    check_names(benchmark, trackers)
    notes = []
    for tracker in trackers:
        runs = [Run(root, benchmark, tracker, sequence, protocol) for sequence in benchmark]
        unknown = _check_tracker(runs, sums)
        if unknown:
            notes.append(
                f"Of unknown origin: {len(unknown)} of {len(runs)} results of {tracker} have no "
                f"record of what they were measured on ({join_words(unknown, 3)})."
            )
    return notes


def _check_tracker(runs: list[Run], sums: bool) -> list[str]:
    """Names of the sequences whose results have no record; DataError for what must not be shown."""
    records = {run: record for run in runs if run.written and (record := read_record(run))}
    for run, record in records.items():
        why = _why_not_shown(run, record, sums)
        if why:
            raise DataError(
                f"the {run.protocol} result of {run.tracker} on {run.sequence.name} in "
                f"{run.folder} is not shown: {why}. Run `evaluate` with --fresh to make it again."
            )
    _check_one_tracker(records)
    return [run.sequence.name for run in runs if run.written and run not in records]


def _why_not_shown(run: Run, record: dict[str, Any], sums: bool) -> str:
    """What is wrong with a recorded result, or ""; missing files are found elsewhere."""
    why = differences(record["made_of"], run.benchmark.identity(run.sequence))
    if why or not sums or not all(path.is_file() for path in run.files):
        return "; ".join(why)
    if record["files"] is None:
        return "it was cut off while it was written"
    return changed_files(run, record)


def _check_one_tracker(records: dict[Run, dict[str, Any]]) -> None:
    """Raise DataError if results under one name are of trackers that differ."""
    (first, one), *others = records.items() or [(None, None)]
    for run, other in others:
        why = differences(one["made_by"], other["made_by"])
        if why:
            raise DataError(
                f"{run.folder} holds results made with several settings: from "
                f"{first.sequence.name} to {run.sequence.name}, {'; '.join(why)}. Run `evaluate` "
                "with --fresh on all of them, or keep them apart with --label."
            )
