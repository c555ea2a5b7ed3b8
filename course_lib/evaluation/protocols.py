"""The protocols that trackers are run under: one table, `PROTOCOLS`.

A row says how a tracker is run on a sequence, in which files that is kept, how it is scored, and
what the columns of its table are. Whoever runs, records, lays out, reports or offers protocols on
the command line asks the row, so that a new protocol is a row here and its tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import SettingsError
from course_lib.evaluation.eao import supervised_scores
from course_lib.evaluation.otb import track
from course_lib.evaluation.realtime import Realtime, run_realtime
from course_lib.evaluation.results import Result, read_result, write_result
from course_lib.evaluation.tre_sre import sre, sre_boxes, tre, tre_starts
from course_lib.evaluation.vot import (
    SupervisedRun,
    read_supervised,
    run_supervised,
    write_supervised,
)
from course_lib.trackers.base import Tracker

Factory = Callable[[], Tracker]


@dataclass(frozen=True)
class Protocol(ABC):
    """What runner, records, layouts, reports and command line ask of a protocol.

    Attributes:
        name: on the command line and in the names of files.
        by_curves: its results are boxes, scored as a `Report`; else they are VOT's regions, scored
            by `score`.
        columns: of the table of `score`, heading by score, the best one to sort by is `best`.
        brief: which of them are shown for each sequence alone.
        title: what stands above that table, and `note` below it.
        experiment: what VOT's toolkit calls the protocol; None for one that no toolkit's layout has
            a place for.
        lockstep: whether sequences can share the calls of a deep tracker's network.
    """

    name: str
    by_curves: ClassVar[bool] = True
    columns: ClassVar[dict[str, str]] = {}
    brief: ClassVar[tuple[str, ...]] = ()
    best: ClassVar[str] = ""
    note: ClassVar[str] = ""
    title: str = ""
    experiment: str | None = None
    lockstep: bool = False

    @abstractmethod
    def run(self, make: Factory, sequence: Sequence) -> list[Any]:
        """What fresh trackers that `make` gives do on a sequence, one for each of `files`."""

    @abstractmethod
    def files(self, whole: Path, sequence: Sequence) -> list[Path]:
        """The files of boxes or regions, beside or below `whole`, where OPE keeps its result."""

    @abstractmethod
    def write(self, path: Path, outcome: Any, first_pixel: int) -> None:
        """Write one of what `run` gave.

        Args:
            path: one of `files`.
            outcome: what belongs there.
            first_pixel: what the benchmark's files call the top-left pixel.
        """

    @abstractmethod
    def read(self, path: Path, sequence: Sequence, first_pixel: int) -> Any:
        """Read what `write` wrote.

        Args:
            path: one of `files`.
            sequence: what it is of.
            first_pixel: as in `write`.
        """

    @abstractmethod
    def reserves(self, name: str) -> bool:
        """Whether a sequence of this name would have files that are taken for this protocol's."""

    def score(self, runs: list[list[Any]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its repetitions on each sequence."""
        raise NotImplementedError(f"{self.name} is scored by curves, see evaluation.scores")


@dataclass(frozen=True)
class Passes(Protocol):
    """Passes that are run to the end without help, scored by OTB's curves.

    Attributes:
        runs: gives the results of all passes, from what makes a tracker and the sequence.
        starts: of a sequence, by name of the pass, the frame each starts on; None for one pass over
            the whole, whose file is the one that every toolkit keeps.
    """

    runs: Callable[[Factory, Sequence], list[Result]] = lambda make, q: [track(make(), q)]
    starts: Callable[[Sequence], dict[str, int]] | None = None

    def run(self, make: Factory, sequence: Sequence) -> list[Result]:
        """The results of the passes, in the order of `starts`."""
        return self.runs(make, sequence)

    def files(self, whole: Path, sequence: Sequence) -> list[Path]:
        """A file for each pass: "calm.tre-00012.txt" beside "calm.txt", which is OPE's."""
        if self.starts is None:
            return [whole]
        names = self.starts(sequence)
        return [whole.with_name(f"{whole.stem}.{self.name}-{name}.txt") for name in names]

    def write(self, path: Path, outcome: Result, first_pixel: int) -> None:
        """Write boxes and seconds, see `results.write_result`."""
        write_result(path, outcome, first_pixel)

    def read(self, path: Path, sequence: Sequence, first_pixel: int) -> Result:
        """Read boxes and seconds, see `results.read_result`."""
        return read_result(path, first_pixel)

    def reserves(self, name: str) -> bool:
        """Whether the name has a pass of this protocol in it."""
        return self.starts is not None and f".{self.name}-" in name


@dataclass(frozen=True)
class Supervised(Protocol):
    """VOT's supervised protocol; see `vot.py`.

    Attributes:
        rule: what each tracker is put into, such as the real-time rule.
    """

    by_curves = False
    columns: ClassVar[dict[str, str]] = {
        "accuracy": "accuracy, pooled",
        "failures": "failures",
        "per_100_frames": "per 100 frames",
        "reliability": "reliability, pooled",
        "accuracy_by_length": "accuracy, by length",
        "failures_by_length": "failures, by length",
        "reliability_by_length": "reliability, by length",
        "eao": "EAO",
        "low": "from",
        "high": "to frames",
    }
    brief = ("accuracy", "failures")
    best = "eao"
    note = (
        "Pooled: over the frames of all sequences together, as pysot does. By length: each "
        "sequence's own figure, weighted by its length, as VOT's toolkit does. The two differ; "
        "compare like with like."
    )
    rule: Callable[[Tracker], Tracker] | None = None

    def run(self, make: Factory, sequence: Sequence) -> list[SupervisedRun]:
        """One supervised run."""
        ruled = make if self.rule is None else lambda: self.rule(make())
        return [run_supervised(ruled, sequence)]

    def files(self, whole: Path, sequence: Sequence) -> list[Path]:
        """The file of regions, below the folder of VOT's experiment, as VOT's toolkit has it."""
        below = whole.parents[sequence.name.count("/")] / str(self.experiment)
        return [below / sequence.name / f"{sequence.name}_001.txt"]

    def write(self, path: Path, outcome: SupervisedRun, first_pixel: int) -> None:
        """Write codes and boxes, from 0 as all of VOT's, see `vot.write_supervised`."""
        write_supervised(path, outcome)

    def read(self, path: Path, sequence: Sequence, first_pixel: int) -> SupervisedRun:
        """Read a run and compute its overlaps, see `vot.read_supervised`."""
        return read_supervised(path, sequence)

    def reserves(self, name: str) -> bool:
        """Whether the name begins with the experiment's folder."""
        return name.split("/")[0] == self.experiment

    def score(self, runs: list[list[SupervisedRun]], benchmark: Benchmark) -> dict[str, float]:
        """VOT's scores, see `eao.supervised_scores`."""
        return supervised_scores(runs, benchmark.name, [len(sequence) for sequence in benchmark])


def _tre_starts(sequence: Sequence) -> dict[str, int]:
    return {f"{start:05d}": start for start in tre_starts(sequence.boxes, sequence.omitted)}


PROTOCOLS: dict[str, Protocol] = {
    row.name: row
    for row in (
        Passes("ope", experiment="unsupervised", lockstep=True),
        Passes(
            "tre",
            runs=lambda make, q: [result for _, result in tre(make, q)],
            starts=_tre_starts,
        ),
        Passes(
            "sre",
            runs=lambda make, q: list(sre(make, q).values()),
            starts=lambda q: dict.fromkeys(sre_boxes([0, 0, 10, 10], 100, 100), 0),
        ),
        Passes(
            "realtime",
            runs=lambda make, q: [run_realtime(make(), q)],
            starts=lambda q: {"0": 0},
        ),
        Supervised("vot", "VOT supervised", "baseline"),
        Supervised("vot-realtime", "VOT supervised, in real time", "realtime", rule=Realtime),
    )
}


def protocol_named(name: str) -> Protocol:
    """The row of a protocol. Raises SettingsError, with all there are, if there is none."""
    if name not in PROTOCOLS:
        raise SettingsError(
            f"protocol {name!r} is not known; expected one of {', '.join(PROTOCOLS)}"
        )
    return PROTOCOLS[name]
