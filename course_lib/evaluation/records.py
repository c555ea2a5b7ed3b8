"""Kept results, and beside each a record of what it was made with and measured on.

    <root>/<benchmark>/<tracker>/records/<protocol>/<sequence>.json

A record states the tracker and the sequence (see `evaluation.identity`) and the checksum of every
file that the run wrote. It is written before the results and completed after them, so an
interrupted run is recognised as ours. Results without a record are somebody else's: they are read,
never replaced or removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, DataError, os_error_in_words
from course_lib.evaluation.identity import differences
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.results import result_path, score_path, time_path
from course_lib.files import digest, read_json, write_whole

FORMAT = 2  # of results and records; raised when the meaning of their contents changes


class UnwritableError(CourseError):
    """Results cannot be written, so no further run could be kept either."""


class State(Enum):
    """The state of a run on disk."""

    OPEN = "nothing of it is there, or it was cut off"
    DONE = "its results are complete, and are what is asked for"
    OTHER = "its results are ours, but of something else or changed since"
    FOREIGN = "its results are not ours"


@dataclass(frozen=True, eq=False)
class Run:
    """One tracker on one sequence under one protocol, and where its results are.

    `tracker` is the name of the folder of results, a label or the tracker's own name;
    `repetitions` is above 1 for a tracker that is not deterministic.
    """

    root: Path
    benchmark: Benchmark
    tracker: str
    sequence: Sequence
    protocol: str
    repetitions: int = 1

    @property
    def folder(self) -> Path:
        """The folder of the tracker's results on this benchmark."""
        return Path(self.root) / self.benchmark.name / self.tracker

    @property
    def record(self) -> Path:
        """The file of its record."""
        return self.folder / "records" / self.protocol / f"{self.sequence.name}.json"

    @property
    def files(self) -> list[Path]:
        """The files of boxes that the run writes, known from sequence and protocol."""
        whole = result_path(self.root, self.benchmark.name, self.tracker, self.sequence.name)
        row, numbers = PROTOCOLS[self.protocol], range(1, self.repetitions + 1)
        return [path for k in numbers for path in row.files(whole, self.sequence, k)]

    @property
    def written(self) -> list[Path]:
        """Every file of the run that is on disk: boxes, times and scores."""
        groups = ((path, time_path(path), score_path(path)) for path in self.files)
        return [path for group in groups for path in group if path.is_file()]


def store(run: Run, made_by: dict[str, Any], outcomes: list[Any]) -> None:
    """Write the results of a run, and its record before and after.

    Args:
        run: the run.
        made_by: the tracker's identity, see `identity.tracker_identity`.
        outcomes: one for each of the run's files.

    Raises:
        UnwritableError: in one sentence, if the disk does not take them.
    """
    record = {
        "format": FORMAT,
        "protocol": run.protocol,
        "made_by": made_by,
        "made_of": run.benchmark.identity(run.sequence),
        "files": None,
    }
    try:
        _write_record(run, record)
        for path, outcome in zip(run.files, outcomes, strict=True):
            PROTOCOLS[run.protocol].write(path, outcome, run.benchmark.first_pixel)
        _write_record(run, record | {"files": _sums(run)})
    except OSError as problem:
        raise UnwritableError(os_error_in_words(problem)) from None


def _sums(run: Run) -> dict[str, str]:
    """Checksums of a run's files on disk, by name below the tracker's folder."""
    return {path.relative_to(run.folder).as_posix(): digest(path) for path in run.written}


def _write_record(run: Run, record: dict[str, Any]) -> None:
    write_whole(run.record, json.dumps(record, indent=1) + "\n")


def read_record(run: Run) -> dict[str, Any] | None:
    """The record of a run, or None if it has none.

    Raises DataError, with the remedy, if it is damaged.
    """
    if not run.record.is_file():
        return None
    remedy = "delete it and the results it belongs to, or run `evaluate` with --fresh"
    record = read_json(run.record, remedy)
    kinds = {"protocol": str, "made_by": dict, "made_of": dict, "files": (dict, type(None))}
    wrong = [key for key, kind in kinds.items() if not isinstance(record.get(key, 0), kind)]
    if record.get("format") != FORMAT:
        raise DataError(
            f"{run.record} has format {record.get('format')!r}, this version of the course writes "
            f"{FORMAT}; {remedy}"
        )
    if wrong or record["protocol"] != run.protocol:
        raise DataError(
            f"{run.record} is damaged (at {', '.join(wrong or ['protocol'])}); {remedy}"
        )
    return record


def judge(run: Run, made_by: dict[str, Any]) -> tuple[State, str]:
    """The state of a run on disk when this tracker is asked for, and why it cannot be used."""
    try:
        record = read_record(run)
    except DataError as problem:
        return State.OTHER, str(problem)
    if record is None:
        return (State.FOREIGN, _foreign(run)) if run.written else (State.OPEN, "")
    if record["files"] is None:
        return State.OPEN, ""
    now = run.benchmark.identity(run.sequence)
    why = differences(record["made_by"], made_by) + differences(record["made_of"], now)
    if why:
        return State.OTHER, "; ".join(why)
    if not all(path.is_file() for path in run.files):
        return State.OPEN, ""
    changed = changed_files(run, record)
    return (State.OTHER, changed) if changed else (State.DONE, "")


def _foreign(run: Run) -> str:
    if (run.folder / "tracker.json").is_file():
        return (
            "they were made by an earlier version of the course, "
            "which did not record what they were measured on"
        )
    return "they have no record of their origin: `evaluate` did not make them"


def changed_files(run: Run, record: dict[str, Any]) -> str:
    """How the files of a run were changed after it was recorded, or an empty string.

    Repetitions that the record names are among them, however many the run itself has.
    """
    stated = record["files"]
    named = {name: run.folder / name for name in stated}
    sums = _sums(run) | {name: digest(path) for name, path in named.items() if path.is_file()}
    names = [n for n in dict.fromkeys([*sums, *stated]) if sums.get(n) != stated.get(n)]
    return (
        f"{', '.join(names[:3])} was changed or removed after `evaluate` wrote it" if names else ""
    )


def remove(run: Run) -> None:
    """Remove the results of a run that has a record, then the record; nothing else is touched.

    If a corrected ground truth leads to other TRE passes, the recorded ones are removed as well.
    """
    if run.record.is_file():
        for path in {*run.written, *_earlier_passes(run)}:
            path.unlink()
        run.record.unlink()


def _earlier_passes(run: Run) -> list[Path]:
    """Unchanged files that the record names, in the run's folders and named like its own files."""
    try:
        stated = (read_record(run) or {}).get("files") or {}
    except DataError:
        return []
    whole = result_path(run.root, run.benchmark.name, run.tracker, run.sequence.name)
    paths = {run.folder / name: total for name, total in stated.items()}
    first = PROTOCOLS[run.protocol].files(whole, run.sequence)[0]
    folders = {path.parent for path in (first, time_path(first), score_path(first))}
    return [
        path
        for path, total in paths.items()
        if path.parent in folders
        and path.name.startswith(PROTOCOLS[run.protocol].stem(whole))
        and path.is_file()
        and digest(path) == total
    ]
