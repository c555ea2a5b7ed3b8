"""Where the toolkits keep results, and how their files are read and written: one table, `LAYOUTS`.

Paths begin at the folder of results: the course's `runs/results`, or a toolkit's folder that holds
one folder for each tracker (`results/GOT-10k`, `results/OTB2015`, a VOT workspace's `results`).
Sources: GOT-10k toolkit 0.1.3, `experiments/got10k.py` and `otb.py`; VOT toolkit 0.9.0,
`vot/tracker/results.py` and `vot/experiment/multirun.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.region_files import place, read_regions, write_regions
from course_lib.evaluation.results import (
    SUPERVISED,
    Result,
    check_length,
    read_rows,
    read_seconds,
    time_path,
    write_columns,
    write_rows,
)
from course_lib.evaluation.vot import INIT, SKIPPED
from course_lib.files import plain_name
from course_lib.geometry.boxes import bounding_box

RUN = "{run:03d}"  # repetitions of a run count from 1
EXPERIMENTS = {"ope": "unsupervised", **SUPERVISED}  # VOT's names by the course's protocols


def read_pass(path: Path) -> np.ndarray:
    """Boxes (T, 4) of one pass in a file of VOT's regions; NaN for its codes."""
    regions = read_regions(path)
    boxes = np.full((len(regions), 4), np.nan)
    for t, region in enumerate(regions):
        if len(region) > 1:
            boxes[t] = region if len(region) == 4 else bounding_box(region)
        elif region[0] != (INIT if t == 0 else SKIPPED):
            raise DataError(
                f"{place(path, t)} is the code {region[0]:g}; expected a box: this is no run of "
                "one pass"
            )
    return boxes


def write_pass(path: Path, boxes: np.ndarray) -> None:
    """Write boxes (T, 4) of one pass as VOT's regions, the start and rows of NaN as codes."""
    rest = [box if np.isfinite(box).all() else np.array([SKIPPED]) for box in boxes[1:]]
    write_regions(path, [np.array([INIT]), *rest])


@dataclass(frozen=True)
class Layout:
    """Where a toolkit keeps results, and how it writes them.

    Attributes:
        one_pass: file of the boxes of one pass.
        times: from that file to the file of its seconds; several runs may share one, a column each.
        supervised: file of a run under VOT's supervised protocol; None if the toolkit has none.
        read: boxes (T, 4) of a file of one pass; write: the same to a file.
    """

    one_pass: str
    times: Callable[[Path], Path] = time_path
    supervised: str | None = None
    read: Callable[[Path], np.ndarray] = read_rows
    write: Callable[[Path, np.ndarray], None] = write_rows

    def path(
        self, root: Path, benchmark: str, tracker: str, sequence: str, protocol: str, run: int = 1
    ) -> Path:
        """The file of one run. Raises SettingsError if the layout has no place for it."""
        return root / self.pattern(protocol).format(
            benchmark=benchmark,
            tracker=plain_name(tracker, "--tracker"),
            sequence=sequence,
            experiment=EXPERIMENTS[protocol],
            run=run,
        )

    def pattern(self, protocol: str) -> str:
        """The path of a protocol's files, to be filled in; raises SettingsError as `path` does."""
        pattern = {"ope": self.one_pass, **dict.fromkeys(SUPERVISED, self.supervised)}.get(protocol)
        if pattern is None:
            raise SettingsError(
                f"results of protocol {protocol!r} have no place in this layout: 'otb' and "
                "'got10k' hold those of 'ope', "
                f"'vot' and 'vot-text' those of {', '.join(map(repr, EXPERIMENTS))}"
            )
        return pattern


def _vot(suffix: str, head: str = "") -> str:
    return head + "{tracker}/{experiment}/{sequence}/{sequence}_" + RUN + suffix


def _beside(ending: str, cut: str = "") -> Callable[[Path], Path]:
    """The file beside a run's, named as it without what `cut` finds at the end and with
    `ending`."""
    return lambda path: path.with_name(re.sub(cut, "", path.stem) + ending)


LAYOUTS = {
    "course": Layout(
        "{benchmark}/{tracker}/{sequence}.txt", supervised=_vot(".txt", "{benchmark}/")
    ),
    "otb": Layout("{tracker}/{sequence}.txt"),
    "got10k": Layout(
        "{tracker}/{sequence}/{sequence}_" + RUN + ".txt", _beside("_time.txt", "_[0-9]+$")
    ),
    "vot": Layout(_vot(".bin"), _beside("_time.value"), _vot(".bin"), read_pass, write_pass),
    "vot-text": Layout(_vot(".txt"), _beside("_time.value"), _vot(".txt"), read_pass, write_pass),
}


def run_paths(
    layout: str, root: Path, benchmark: str, tracker: str, sequence: str, protocol: str = "ope"
) -> list[Path]:
    """Files of the runs of a tracker on a sequence, every repetition in order.

    Args:
        layout: a name in LAYOUTS.
        root: the folder of results.
        benchmark, tracker, sequence: names.
        protocol: "ope" or one of SUPERVISED.

    Raises:
        MissingDataError: naming the file that was expected, if there is none.
    """
    kind = LAYOUTS[layout]
    first = kind.path(root, benchmark, tracker, sequence, protocol)
    repeated = RUN in kind.pattern(protocol)
    found = _repetitions(first) if repeated else [first] if first.is_file() else []
    if not found:
        raise MissingDataError(
            f"no result {first}; run `python -m course_lib evaluate` for this tracker and "
            "benchmark, or check --layout"
        )
    return found


def _repetitions(first: Path) -> list[Path]:
    """Files that differ from `first` in the number alone; of text and binary the text."""
    form = re.compile(re.escape(first.stem.removesuffix("001")) + r"[0-9]+\.(bin|txt)")
    beside = sorted(first.parent.iterdir()) if first.parent.is_dir() else []
    found = {path.stem: path for path in beside if form.fullmatch(path.name) and path.is_file()}
    return [found[stem] for stem in sorted(found)]


def read_passes(
    layout: str, root: Path, benchmark: Benchmark, tracker: str, sequence: Sequence
) -> list[Result]:
    """The one-pass results of a tracker on a sequence, 0-based, one for each repetition.

    Raises MissingDataError if there is none, DataError if a file is damaged or does not fit the
    sequence.
    """
    kind, T = LAYOUTS[layout], len(sequence)
    paths = run_paths(layout, root, benchmark.name, tracker, sequence.name)
    files = [kind.times(path) for path in paths]
    columns = len(paths) if len(set(files)) == 1 else 1
    results = []
    for i, (path, times) in enumerate(zip(paths, files, strict=True)):
        boxes = kind.read(path) - _shift(benchmark)
        if len(boxes) != T:
            raise DataError(
                f"{path} has {len(boxes)} boxes, sequence {sequence.name} {T} frames; run the "
                "tracker on it again"
            )
        boxes[0] = np.where(np.isnan(boxes[0]), sequence.boxes[0], boxes[0])  # VOT: a code
        seconds = np.full((T, columns), np.nan)
        if times.is_file():
            seconds = read_seconds(times, columns)
            check_length(times, len(seconds), path, T)
        results.append(Result(boxes, seconds[:, i % columns]))
    return results


def _shift(benchmark: Benchmark) -> np.ndarray:
    return np.array([benchmark.first_pixel, benchmark.first_pixel, 0, 0])


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
        benchmark: what they are of; tracker: the name of their folder.
        protocol: "ope" or one of SUPERVISED.
        target: layout and folder to write.

    Raises:
        MissingDataError: if a run is missing; DataError if one does not fit its sequence.
        SettingsError: if the layout has no place for them, or a file stands there already.
    """
    plan: list[tuple[Path, Callable[[Path], None]]] = []
    for sequence in benchmark:
        planned = _plan_pass if protocol == "ope" else _plan_supervised
        plan += planned(source, benchmark, tracker, sequence, protocol, target)
    taken = next((path for path, _ in plan if path.exists()), None)
    if taken is not None:
        raise SettingsError(f"{taken} stands there already; name a folder without such results")
    for path, write in plan:
        write(path)
    return [path for path, _ in plan]


def _plan_supervised(source, benchmark, tracker, sequence, protocol, target) -> list:
    """What is to be written for the supervised runs on one sequence, and how."""
    plan = []
    paths = run_paths(*source, benchmark.name, tracker, sequence.name, protocol)
    for run, path in enumerate(paths, start=1):
        regions = read_regions(path)
        if len(regions) != len(sequence):
            raise DataError(
                f"{path} has {len(regions)} lines; {sequence.name} has {len(sequence)} frames. Run "
                "the tracker again."
            )
        to = _target(target, benchmark, tracker, sequence, protocol, run)
        plan.append((to, lambda to, regions=regions: write_regions(to, regions)))
    return plan


def _plan_pass(source, benchmark, tracker, sequence, protocol, target) -> list:
    """What is to be written for the one-pass results on one sequence, and how."""
    results, kind = read_passes(*source, benchmark, tracker, sequence), LAYOUTS[target[0]]
    if len(results) > 1 and RUN not in kind.one_pass:
        raise SettingsError(
            f"{tracker} has {len(results)} runs on {sequence.name}; layout {target[0]!r} has a "
            "place for one"
        )
    plan, times = [], {}
    for run, result in enumerate(results, start=1):
        path = _target(target, benchmark, tracker, sequence, protocol, run)
        boxes = result.boxes + _shift(benchmark)
        plan.append((path, lambda path, boxes=boxes: kind.write(path, boxes)))
        times.setdefault(kind.times(path), []).append(result.seconds)
    for path, seconds in times.items():
        columns = np.stack(seconds, axis=1)  # (T, runs)
        if np.isfinite(columns).any():
            plan.append((path, lambda path, columns=columns: write_columns(path, columns)))
    return plan


def _target(target, benchmark, tracker, sequence, protocol, run) -> Path:
    kind, folder = LAYOUTS[target[0]], target[1]
    return kind.path(folder, benchmark.name, tracker, sequence.name, protocol, run)
