"""The course's results written as a toolkit keeps them, or one toolkit's as another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import SettingsError
from course_lib.evaluation.layouts import LAYOUTS, RUN, read_passes, run_paths, shift_of
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.region_files import write_regions
from course_lib.evaluation.results import write_columns
from course_lib.evaluation.vot import read_run

Plan = dict[Path, Callable[[], None]]  # what writes each file


def export_results(
    source: tuple[str, Path],
    benchmark: Benchmark,
    tracker: str,
    protocol: str,
    target: tuple[str, Path],
) -> list[Path]:
    """Write a tracker's results in another layout; returns the files. Replaces nothing.

    Args:
        source: name of the layout they stand in, and their folder.
        benchmark: what they are of.
        tracker: the name of their folder.
        protocol: one that the layouts have a place for, see `Protocol.experiment`.
        target: layout and folder to write.

    Raises:
        MissingDataError: if a run is missing; DataError if one does not fit its sequence.
        SettingsError: if the layout has no place for them, or a file stands there already.
    """
    export = _Export(source, benchmark, tracker, protocol, target)
    planned = export.boxes if PROTOCOLS[protocol].by_curves else export.regions
    plan: Plan = {}
    for sequence in benchmark:
        plan |= planned(sequence)
    taken = next((path for path in plan if path.exists()), None)
    if taken is not None:
        raise SettingsError(f"{taken} stands there already; name a folder without such results")
    for write in plan.values():
        write()
    return list(plan)


@dataclass(frozen=True)
class _Export:
    """What `export_results` is asked for, and what is to be written for one sequence of it."""

    source: tuple[str, Path]
    benchmark: Benchmark
    tracker: str
    protocol: str
    target: tuple[str, Path]

    def to(self, sequence: Sequence, run: int) -> Path:
        """The file of a run in the target's layout."""
        layout, folder = self.target
        names = (self.benchmark.name, self.tracker, sequence.name)
        return LAYOUTS[layout].path(folder, *names, self.protocol, run)

    def regions(self, sequence: Sequence) -> Plan:
        """The supervised runs."""
        names = (self.benchmark.name, self.tracker, sequence.name)
        plan: Plan = {}
        for run, path in enumerate(run_paths(*self.source, *names, self.protocol), start=1):
            to = self.to(sequence, run)
            plan[to] = partial(write_regions, to, read_run(path, sequence))
        return plan

    def boxes(self, sequence: Sequence) -> Plan:
        """The one-pass results, and their times, of which several may share a file."""
        self.to(sequence, 1)  # a layout without a place is said before anything is read
        results = read_passes(*self.source, self.benchmark, self.tracker, sequence, self.protocol)
        layout = LAYOUTS[self.target[0]]
        if len(results) > 1 and RUN not in layout.one_pass:
            raise SettingsError(
                f"{self.tracker} has {len(results)} runs on {sequence.name}; layout "
                f"{self.target[0]!r} has a place for one"
            )
        plan: Plan = {}
        times: dict[Path, list[np.ndarray]] = {}
        for run, result in enumerate(results, start=1):
            path = self.to(sequence, run)
            plan[path] = partial(layout.write, path, result.boxes + shift_of(self.benchmark))
            times.setdefault(layout.times(path), []).append(result.seconds)
        for path, seconds in times.items():
            columns = np.stack(seconds, axis=1)  # (T, runs)
            if np.isfinite(columns).any():
                plan[path] = partial(write_columns, path, columns)
        return plan
