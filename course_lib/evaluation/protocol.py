"""A protocol: how a tracker is run on a sequence, and which files keep what came of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.region_files import read_regions
from course_lib.evaluation.results import write_result
from course_lib.trackers.base import Tracker

Factory = Callable[[], Tracker]


@dataclass(frozen=True)
class Protocol:
    """Passes run to the end without help, scored by OTB's curves as a `Report`.

    A protocol that keeps something other than boxes, or has its own scores, is derived from
    `Scored`.

    Attributes:
        name: on the command line and in the names of files.
        run: (makes a fresh tracker, sequence) → outcomes, one for each of `files`.
        starts: sequence → name of each pass and the frame it starts on; None for one run over the
            whole sequence.
        experiment: VOT's name for the protocol; None if no toolkit's layout has a place for it.
        lockstep: whether sequences can share the calls of a deep tracker's network.
        repetitions: how often the toolkit runs a tracker that is not deterministic.
        by_curves: whether it is scored as a report; else it has its own `score`.
        absence: whether a tracker may report its target absent, with four NaN.
        digits: of the numbers in the names of files.
    """

    name: str
    run: Callable[[Factory, Sequence], list[Any]]
    starts: Callable[[Sequence], dict[str, int]] | None = None
    experiment: str | None = None
    lockstep: bool = False
    repetitions: int = 1
    by_curves: ClassVar[bool] = True
    absence: ClassVar[bool] = False
    digits: ClassVar[int] = 3

    @property
    def folder(self) -> str:
        """Name of the folder of its files; VOT's name for the experiment, unless that is taken."""
        return str(self.experiment)

    def numbers(self, sequence: Sequence) -> list[int] | None:
        """The numbers in the names of the files on a sequence; None where they are repetitions."""
        return None

    def files(self, whole: Path, sequence: Sequence, repetition: int = 1) -> list[Path]:
        """A file of boxes for each pass: "calm.tre-00012.txt", beside OPE's `whole`, "calm.txt".

        Args:
            whole: the file that OPE writes.
            sequence: what is run on.
            repetition: counted from 1; the second of OPE is "calm.ope-002.txt".
        """
        if self.starts is not None:
            names = self.starts(sequence)
            return [whole.with_name(f"{self.stem(whole)}{name}.txt") for name in names]
        return [whole] if repetition == 1 else [self.repeated(whole, repetition)]

    def repeated(self, whole: Path, repetition: int) -> Path:
        """The file of a repetition after the first, which is in `whole`."""
        return whole.with_name(f"{self.stem(whole)}{repetition:03d}.txt")

    def stem(self, whole: Path) -> str:
        """How the names of its files begin, apart from `whole` itself."""
        return f"{whole.stem}.{self.name}-"

    def reserves(self, name: str) -> bool:
        """Whether files of a sequence with this name would clash with this protocol's."""
        return f".{self.name}-" in name

    def write(self, path: Path, outcome: Any, first_pixel: int) -> None:
        """Write one outcome of `run`.

        Args:
            path: one of `files`.
            outcome: the one for that file.
            first_pixel: number of the top-left pixel in the benchmark's files.
        """
        write_result(path, outcome, first_pixel)


@dataclass(frozen=True)
class Scored(Protocol, ABC):
    """A protocol with scores of its own, whose runs are kept as VOT's regions.

    Its files are "NAME_001.txt" and so on, in the folder `folder` below the tracker's; the numbers
    count repetitions, or are those that `numbers` gives.

    Attributes:
        title: heading of the table of its scores; `note` is the text below it.
        columns: of that table, heading by score; `best` is the one to sort by.
        brief: those shown for single sequences.
    """

    title: str = ""
    by_curves = False
    columns: ClassVar[dict[str, str]]
    best: ClassVar[str]
    brief: ClassVar[tuple[str, ...]]
    note: ClassVar[str]

    def files(self, whole: Path, sequence: Sequence, repetition: int = 1) -> list[Path]:
        """The files of regions, in the folder of the protocol below the tracker's, as in VOT.

        Args:
            whole, sequence, repetition: as in `Protocol.files`.
        """
        name = sequence.name
        folder = whole.parents[name.count("/")] / self.folder / name
        numbers = self.numbers(sequence) or [repetition]
        return [folder / f"{name}_{number:0{self.digits}d}.txt" for number in numbers]

    def stem(self, whole: Path) -> str:
        """How the names of its files begin."""
        return f"{whole.stem}_"

    def reserves(self, name: str) -> bool:
        """Whether the name begins with the protocol's folder."""
        return name.split("/")[0] == self.folder

    @abstractmethod
    def read(self, path: Path, sequence: Sequence) -> Any:
        """One run, read from a file written by `write` or by a toolkit."""

    @abstractmethod
    def score(self, runs: list[list[Any]], benchmark: Benchmark) -> dict[str, float]:
        """The `columns` of one tracker, from its runs on each sequence of a benchmark."""

    def regions(self, path: Path, sequence: Sequence) -> list:
        """The regions of a run, for another layout, after a check that they are one."""
        self.read(path, sequence)
        return read_regions(path)
