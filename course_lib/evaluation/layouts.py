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

from course_lib.data.sequence import Benchmark
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.region_files import place, read_regions, write_regions
from course_lib.evaluation.results import (
    Result,
    check_length,
    read_rows,
    read_seconds,
    score_path,
    time_path,
    write_rows,
)
from course_lib.evaluation.vot import INIT, SKIPPED
from course_lib.files import plain_name
from course_lib.geometry.boxes import bounding_box

RUN = "{run:0{digits}d}"  # a repetition, counted from 1, or the frame of an anchor


def read_pass(path: Path) -> np.ndarray:
    """Boxes (T, 4) of one pass in a file of VOT's regions; NaN for its codes."""
    regions = read_regions(path)
    boxes = np.full((len(regions), 4), np.nan)
    for t, region in enumerate(regions):
        if len(region) > 1:
            boxes[t] = region if len(region) == 4 else bounding_box(region)
        elif region[0] != (INIT if t == 0 else SKIPPED):
            raise DataError(
                f"{place(path, t)} is the code {region[0]:g}; expected a box: this is not a "
                "one-pass run"
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
        times: from that file to the file of its times; several runs may share one, a column each.
        regions: file of a run under a protocol with scores of its own, kept as VOT's regions; None
            if the toolkit has none.
        scores: from that file to the file of its scores, if the protocol has them.
        read: boxes (T, 4) from a file of one pass; write: boxes to such a file.
    """

    one_pass: str
    times: Callable[[Path], Path] = time_path
    regions: str | None = None
    scores: Callable[[Path], Path] = score_path
    read: Callable[[Path], np.ndarray] = read_rows
    write: Callable[[Path, np.ndarray], None] = write_rows

    def path(self, run: Run, repetition: int = 1) -> Path:
        """The file of a run and one of its repetitions, counted from 1, or anchors.

        Raises SettingsError if the layout has no place for it.
        """
        row = PROTOCOLS[run.protocol]
        return Path(run.root) / self.pattern(run.protocol).format(
            benchmark=run.benchmark.name,
            tracker=plain_name(run.tracker, "--tracker"),
            sequence=run.sequence.name,
            experiment=row.experiment,
            folder=row.folder,
            run=repetition,
            digits=row.digits,
        )

    def pattern(self, protocol: str) -> str:
        """The path of a protocol's files, to be filled in; raises SettingsError as `path` does."""
        row = PROTOCOLS[protocol]
        pattern = self.one_pass if row.by_curves else self.regions
        if row.experiment is None or pattern is None:
            placed = [name for name, row in PROTOCOLS.items() if row.experiment is not None]
            raise SettingsError(
                f"this layout has no place for results of protocol {protocol!r}: 'otb' and "
                "'got10k' hold those of 'ope', "
                f"'vot' and 'vot-text' those of {', '.join(map(repr, placed))}"
            )
        return pattern


def _vot(suffix: str, head: str = "") -> str:
    return head + "{tracker}/{experiment}/{sequence}/{sequence}_" + RUN + suffix


def _beside(ending: str, cut: str = "") -> Callable[[Path], Path]:
    """The file beside a run's: its name without what `cut` matches at the end, plus `ending`."""
    return lambda path: path.with_name(re.sub(cut, "", path.stem) + ending)


def _vot_layout(suffix: str) -> Layout:
    times, scores = _beside("_time.value"), _beside("_confidence.value")
    return Layout(_vot(suffix), times, _vot(suffix), scores, read_pass, write_pass)


LAYOUTS = {
    "course": Layout(
        "{benchmark}/{tracker}/{sequence}.txt",
        regions=_vot(".txt", "{benchmark}/").replace("experiment", "folder"),
    ),
    "otb": Layout("{tracker}/{sequence}.txt"),
    "got10k": Layout(
        "{tracker}/{sequence}/{sequence}_" + RUN + ".txt", _beside("_time.txt", "_[0-9]+$")
    ),
    "vot": _vot_layout(".bin"),
    "vot-text": _vot_layout(".txt"),
}


def run_paths(layout: str, run: Run) -> list[Path]:
    """Files of a run in a layout of `LAYOUTS`: every repetition in order, or every anchor's.

    Raises MissingDataError as `numbered_paths` does.
    """
    return list(numbered_paths(layout, run).values())


def numbered_paths(layout: str, run: Run) -> dict[int, Path]:
    """`run_paths` by the number in their names, a repetition or the frame of an anchor.

    Raises MissingDataError naming the file that was expected, if there is none or one is missing.
    """
    kind, row = LAYOUTS[layout], PROTOCOLS[run.protocol]
    numbers = row.numbers(run.sequence)
    if numbers is not None:
        wanted = {number: _text_first(kind.path(run, number)) for number in numbers}
    elif RUN in kind.pattern(run.protocol):
        wanted = _repetitions(kind.path(run)) or {1: kind.path(run)}
    else:
        wanted = {1: kind.path(run)}
        if layout == "course":
            wanted |= _repetitions(row.repeated(kind.path(run), 1))
    missing = next((path for path in wanted.values() if not path.is_file()), None)
    if missing is not None:
        raise MissingDataError(
            f"no result {missing}; run `python -m course_lib evaluate` for this tracker and "
            "benchmark, or check --layout"
        )
    return wanted


def _text_first(path: Path) -> Path:
    """The text file of that name if there is one, as the toolkit prefers it; else the path."""
    text = path.with_name(f"{path.stem}.txt")
    return text if text.is_file() else path


def _repetitions(first: Path) -> dict[int, Path]:
    """Files by number, named like `first` but for that number; text is preferred to binary."""
    form = re.compile(re.escape(first.stem.removesuffix("001")) + r"[0-9]{3}\.(bin|txt)")
    beside = sorted(first.parent.iterdir()) if first.parent.is_dir() else []
    found = {path.stem: path for path in beside if form.fullmatch(path.name) and path.is_file()}
    return {int(stem[-3:]): found[stem] for stem in sorted(found)}


def read_passes(layout: str, run: Run) -> list[Result]:
    """The results of one pass over a sequence, 0-based, one for each repetition.

    Raises MissingDataError if there is none, DataError if a file is damaged or does not fit the
    sequence.
    """
    kind, sequence, T = LAYOUTS[layout], run.sequence, len(run.sequence)
    paths = run_paths(layout, run)
    files = [kind.times(path) for path in paths]
    columns = len(paths) if len(set(files)) == 1 else 1
    results = []
    for i, (path, times) in enumerate(zip(paths, files, strict=True)):
        boxes = kind.read(path) - shift_of(run.benchmark)
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


def shift_of(benchmark: Benchmark) -> np.ndarray:
    """Offset from a 0-based box (4,) to the one in the benchmark's files."""
    return np.array([benchmark.first_pixel, benchmark.first_pixel, 0, 0])
