"""The evaluation protocols: one table, `PROTOCOLS`.

A row says how a tracker is run on a sequence, which files keep the results, how they are scored
and what columns their table has. All code that runs, records, exports, reports or lists protocols
asks the row, so a new  protocol is one row here and its tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.eao import supervised_scores
from course_lib.evaluation.otb import track
from course_lib.evaluation.realtime import Realtime, run_realtime
from course_lib.evaluation.results import write_result
from course_lib.evaluation.tre_sre import sre, sre_boxes, tre, tre_starts
from course_lib.evaluation.vot import (
    SupervisedRun,
    read_supervised,
    run_supervised,
    write_supervised,
)
from course_lib.lookup import row
from course_lib.trackers.base import Tracker

Factory = Callable[[], Tracker]


@dataclass(frozen=True)
class Protocol:
    """Passes run to the end without help, scored by OTB's curves as a `Report`.

    A protocol that keeps something other than boxes, or has its own scores, is a class with the
    same members as `Supervised`.

    Attributes:
        name: on the command line and in the names of files.
        run: (makes a fresh tracker, sequence) → outcomes, one for each of `files`.
        starts: sequence → name of each pass and the frame it starts on; None for one run over the
            whole sequence.
        experiment: VOT's name for the protocol; None if no toolkit's layout has a place for it.
        lockstep: whether sequences can share the calls of a deep tracker's network.
        by_curves: whether it is scored as a report; else it has its own `score`.
    """

    name: str
    run: Callable[[Factory, Sequence], list[Any]]
    starts: Callable[[Sequence], dict[str, int]] | None = None
    experiment: str | None = None
    lockstep: bool = False
    by_curves: ClassVar[bool] = True

    def files(self, whole: Path, sequence: Sequence) -> list[Path]:
        """A file of boxes for each pass, "calm.tre-00012.txt" beside `whole`, "calm.txt", OPE's."""
        if self.starts is None:
            return [whole]
        names = self.starts(sequence)
        return [whole.with_name(f"{whole.stem}.{self.name}-{name}.txt") for name in names]

    def reserves(self, name: str) -> bool:
        """Whether files of a sequence with this name would clash with this protocol's."""
        return self.starts is not None and f".{self.name}-" in name

    def write(self, path: Path, outcome: Any, first_pixel: int) -> None:
        """Write one outcome of `run`.

        Args:
            path: one of `files`.
            outcome: the one for that file.
            first_pixel: number of the top-left pixel in the benchmark's files.
        """
        write_result(path, outcome, first_pixel)


@dataclass(frozen=True)
class Supervised(Protocol):
    """VOT's supervised protocol, see `vot.py`, with its own scores.

    Attributes:
        title: heading of the table of its scores; `note` is the text below it.
        columns: of that table, heading by score; `best` is the one to sort by.
        brief: those shown for single sequences.
    """

    title: str = "VOT supervised"
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
    best = "eao"
    brief = ("accuracy", "failures")
    note = (
        "Pooled: over the frames of all sequences together, as pysot does. By length: each "
        "sequence's own figure, weighted by its length, as VOT's toolkit does. The two differ; "
        "compare like with like."
    )

    def files(self, whole: Path, sequence: Sequence) -> list[Path]:
        """The file of regions in the experiment's folder below the tracker's, as in VOT."""
        folder = whole.parents[sequence.name.count("/")] / str(self.experiment)
        return [folder / sequence.name / f"{sequence.name}_001.txt"]

    def reserves(self, name: str) -> bool:
        """Whether the name begins with the experiment's folder."""
        return name.split("/")[0] == self.experiment

    def write(self, path: Path, outcome: SupervisedRun, first_pixel: int) -> None:
        """Write codes and boxes; VOT's count from 0 whatever the benchmark's files do.

        Args:
            path: one of `files`.
            outcome: the run.
            first_pixel: not needed.
        """
        write_supervised(path, outcome)

    def read(self, path: Path, sequence: Sequence) -> SupervisedRun:
        """Read a file written by `write` or by a toolkit, see `vot.read_supervised`."""
        return read_supervised(path, sequence)

    def score(self, runs: list[list[SupervisedRun]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its repetitions on each sequence of a benchmark."""
        return supervised_scores(runs, benchmark.name, [len(sequence) for sequence in benchmark])


def _tre_starts(sequence: Sequence) -> dict[str, int]:
    return {f"{start:05d}": start for start in tre_starts(sequence.boxes, sequence.omitted)}


def _sre_starts(sequence: Sequence) -> dict[str, int]:
    return dict.fromkeys(sre_boxes([0, 0, 10, 10], 100, 100), 0)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "ope", lambda make, q: [track(make(), q)], experiment="unsupervised", lockstep=True
        ),
        Protocol("tre", lambda make, q: [r for _, r in tre(make, q)], _tre_starts),
        Protocol("sre", lambda make, q: list(sre(make, q).values()), _sre_starts),
        Protocol("realtime", lambda make, q: [run_realtime(make(), q)], lambda q: {"0": 0}),
        Supervised("vot", lambda make, q: [run_supervised(make, q)], experiment="baseline"),
        Supervised(
            "vot-realtime",
            lambda make, q: [run_supervised(lambda: Realtime(make()), q)],
            experiment="realtime",
            title="VOT supervised, in real time",
        ),
    )
}


def protocol_named(name: str) -> Protocol:
    """The row of a protocol. Raises SettingsError, naming the nearest, if unknown."""
    return row(PROTOCOLS, name, "protocol")
