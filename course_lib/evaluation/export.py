"""The course's results written in a toolkit's layout, or one toolkit's in another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from course_lib.data.sequence import Benchmark
from course_lib.errors import SettingsError
from course_lib.evaluation.layouts import LAYOUTS, RUN, numbered_paths, read_passes, shift_of
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.region_files import write_regions
from course_lib.evaluation.results import (
    check_length,
    read_scores,
    read_seconds,
    write_columns,
    write_scores,
)
from course_lib.files import whole_file

Plan = dict[Path, Callable[[], None]]  # for each file the call that writes it


def export_results(
    source: tuple[str, Path],
    benchmark: Benchmark,
    tracker: str,
    protocol: str,
    target: tuple[str, Path],
) -> list[Path]:
    """Write a tracker's results in another layout; returns the files. No file is replaced.

    Args:
        source: name of the layout they are in, and their folder.
        benchmark: the benchmark they are results on.
        tracker: the name of their folder.
        protocol: one that the layouts have a place for, see `Protocol.experiment`.
        target: layout and folder to write.

    Raises:
        MissingDataError: if a run is missing; DataError if one does not fit its sequence.
        SettingsError: if the layout has no place for them, or a file exists already.
    """
    plan: Plan = {}
    for sequence in benchmark:
        run = Run(source[1], benchmark, tracker, sequence, protocol)
        planned = _boxes if PROTOCOLS[protocol].by_curves else _regions
        plan |= planned(source[0], run, target[0], replace(run, root=target[1]))
    taken = next((path for path in plan if path.exists()), None)
    if taken is not None:
        raise SettingsError(f"{taken} exists already; name a folder without such results")
    for write in plan.values():
        write()
    return list(plan)


def pack_submission(folder: Path, tracker: str) -> Path:
    """Pack a tracker's results in GOT-10k's layout as its server takes them: TRACKER.zip in
    `folder`, with a folder for each sequence.

    Raises SettingsError if that file exists already.
    """
    packed = folder / f"{tracker}.zip"
    if packed.exists():
        raise SettingsError(f"{packed} exists already; name a folder without it")
    files = sorted(path for path in (folder / tracker).rglob("*") if path.is_file())
    with whole_file(packed) as part, ZipFile(part, "w", ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder / tracker).as_posix())
    return packed


def _regions(layout: str, run: Run, to: str, copy: Run) -> Plan:
    """Regions of a run in a layout, to be written in the layout `to` as `copy`, with its times and
    scores if there are any."""
    plan: Plan = {}
    source, kind = LAYOUTS[layout], LAYOUTS[to]
    for number, path in numbered_paths(layout, run).items():
        target = kind.path(copy, number)
        regions = PROTOCOLS[run.protocol].regions(path, run.sequence)
        plan[target] = partial(write_regions, target, regions)
        if source.times(path).is_file():
            seconds = read_seconds(source.times(path), 1)
            check_length(source.times(path), len(seconds), path, len(regions))
            plan[kind.times(target)] = partial(write_columns, kind.times(target), seconds)
        if source.scores(path).is_file():
            scores = read_scores(source.scores(path))
            check_length(source.scores(path), len(scores), path, len(regions))
            plan[kind.scores(target)] = partial(write_scores, kind.scores(target), scores)
    return plan


def _boxes(layout: str, run: Run, to: str, copy: Run) -> Plan:
    """As `_regions`: boxes and their times; several repetitions may share a file of times."""
    kind = LAYOUTS[to]
    repeated = RUN in kind.pattern(run.protocol)
    results = read_passes(layout, run)
    if len(results) > 1 and not repeated:
        raise SettingsError(
            f"{run.tracker} has {len(results)} runs on {run.sequence.name}; layout {to!r} has a "
            "place for one"
        )
    plan: Plan = {}
    times: dict[Path, list[np.ndarray]] = {}
    for k, result in enumerate(results, start=1):
        path = kind.path(copy, k)
        plan[path] = partial(kind.write, path, result.boxes + shift_of(run.benchmark))
        times.setdefault(kind.times(path), []).append(result.seconds)
    for path, seconds in times.items():
        columns = np.stack(seconds, axis=1)  # (T, runs)
        if np.isfinite(columns).any():
            plan[path] = partial(write_columns, path, columns)
    return plan
