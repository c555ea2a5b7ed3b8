"""The protocols that trackers are run under: one table, `PROTOCOLS`.

A row says how a tracker is run on a sequence, in which files that is kept, how it is scored, and
what the columns of its table are. Whoever runs, records, lays out, reports or offers protocols on
the command line asks the row, so that a new protocol is a row here and its tests.
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
    """Passes that are run to the end without help, scored by OTB's curves as a `Report`.

    A protocol that keeps something else than boxes, or has scores of its own, is a class with all
    that `Supervised` has.

    Attributes:
        name: on the command line and in the names of files.
        run: what the fresh trackers that its first argument makes do on a sequence, one for each of
            `files`.
        starts: of a sequence, by name of the pass, the frame each starts on; None for one run over
            the whole.
        experiment: what VOT's toolkit calls the protocol; None for one that no toolkit's layout has
            a place for.
        lockstep: whether sequences can share the calls of a deep tracker's network.
        by_curves: whether it is scored as a report, else by a `score` of its own.
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
        """Whether a sequence of this name would have files that are called as this protocol's."""
        return self.starts is not None and f".{self.name}-" in name

    def write(self, path: Path, outcome: Any, first_pixel: int) -> None:
        """Write one of what `run` gave.

        Args:
            path: one of `files`.
            outcome: what belongs there.
            first_pixel: what the benchmark's files call the top-left pixel.
        """
        write_result(path, outcome, first_pixel)


@dataclass(frozen=True)
class Supervised(Protocol):
    """VOT's supervised protocol, see `vot.py`, with its own scores.

    Attributes:
        title: what stands above the table of its scores, and `note` below it.
        columns: of that table, heading by score; `best` is the one to sort by.
        brief: which of them are shown for each sequence alone.
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
        """The file of regions in the experiment's folder below the tracker's, as VOT has it."""
        folder = whole.parents[sequence.name.count("/")] / str(self.experiment)
        return [folder / sequence.name / f"{sequence.name}_001.txt"]

    def reserves(self, name: str) -> bool:
        """Whether the name begins with the experiment's folder."""
        return name.split("/")[0] == self.experiment

    def write(self, path: Path, outcome: SupervisedRun, first_pixel: int) -> None:
        """Write codes and boxes; those of VOT count from 0 whatever the benchmark's files do.

        Args:
            path: one of `files`.
            outcome: the run.
            first_pixel: not needed.
        """
        write_supervised(path, outcome)

    def read(self, path: Path, sequence: Sequence) -> SupervisedRun:
        """Read what `write` wrote, or a toolkit, see `vot.read_supervised`."""
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
    """The row of a protocol. Raises SettingsError, naming the nearest, if there is none."""
    return row(PROTOCOLS, name, "protocol")
