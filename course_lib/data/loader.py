"""Batches of pairs: pair numbers in, tensors out, the same whoever asks and however often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from course_lib.data.augment import photometric_jitter
from course_lib.data.pairs import Pair, PairSource, pair_at
from course_lib.errors import CourseError, DataError


@dataclass(eq=False)
class PairBatch:
    """B pairs as tensors: what every network trains from.

    Attributes:
        exemplar: (B, 3, 127, 127); search: (B, 3, S, S), uint8 as cut, float 0…255 once jittered.
        exemplar_box: (B, 4) in exemplar pixels; box: (B, 4) in search pixels; positive: (B,) bool.
        jitter: (B, 2, 8), see `augment.photometric_jitter`; seeds: (B,) for what is drawn later.
        sources: B names, for messages.
        skipped: why pairs had to be drawn anew, a sentence for each time.
    """

    exemplar: Tensor
    search: Tensor
    exemplar_box: Tensor
    box: Tensor
    positive: Tensor
    jitter: Tensor
    seeds: Tensor
    sources: list[str]
    skipped: tuple[str, ...] = ()

    def pin_memory(self) -> PairBatch:
        """The same pairs in memory that a GPU fetches by itself. torch's loader calls this where
        there is a GPU.
        """
        # the seeds are read here, not on the device
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seeds"}
        tensors = {name: t.pin_memory() for name, t in values.items() if isinstance(t, Tensor)}
        return replace(self, **tensors)

    def jittered(self, device: torch.device) -> PairBatch:
        """The same pairs on a device, jittered and blurred there."""
        move = {"device": device, "non_blocking": True}
        jitter = (
            self.jitter
        )  # stays where it is: `photometric_jitter` looks at it without waiting for a GPU
        exemplar = photometric_jitter(self.exemplar.to(**move), jitter[:, 0])
        search = photometric_jitter(self.search.to(**move), jitter[:, 1])
        boxes = self.exemplar_box.to(**move), self.box.to(**move)
        positive = self.positive.to(**move)
        return PairBatch(
            exemplar, search, *boxes, positive, jitter, self.seeds, self.sources, self.skipped
        )


def collate(pairs: list[Pair]) -> PairBatch:
    """Pairs as one batch."""
    return PairBatch(
        exemplar=torch.from_numpy(np.stack([p.exemplar for p in pairs])).permute(
            0, 3, 1, 2
        ),  # (B, 3, 127, 127)
        search=torch.from_numpy(np.stack([p.search for p in pairs])).permute(
            0, 3, 1, 2
        ),  # (B, 3, S, S)
        exemplar_box=torch.from_numpy(np.stack([p.exemplar_box for p in pairs])).float(),  # (B, 4)
        box=torch.from_numpy(np.stack([p.box for p in pairs])).float(),  # (B, 4)
        positive=torch.tensor([p.positive for p in pairs]),  # (B,)
        jitter=torch.from_numpy(np.stack([p.jitter for p in pairs])).float(),  # (B, 2, 8)
        seeds=torch.tensor([p.seed for p in pairs]),  # (B,)
        sources=[p.source for p in pairs],
        skipped=tuple(why for p in pairs for why in p.skipped),
    )


class NumberedPairs(Dataset):
    """The endless list of a run's pairs."""

    def __init__(self, source: PairSource, seed: int) -> None:
        self.source, self.seed = source, seed

    def __getitem__(self, index: int) -> Pair | Exception:
        """The pair, or what is wrong with it: raised in a worker its sentence would arrive inside
        a traceback.
        """
        try:
            return pair_at(self.source, self.seed, index)
        except (CourseError, OSError) as problem:
            return problem


def collate_or_fault(pairs: list[Pair | Exception]) -> PairBatch | Exception:
    """Pairs as one batch, or the first fault among them."""
    return next((p for p in pairs if isinstance(p, Exception)), None) or collate(pairs)


@dataclass(frozen=True)
class StepNumbers:
    """The pair numbers of each step, made when they are asked for: a run of a million steps costs
    nothing to plan."""

    batch: int
    start: int
    stop: int
    rank: int
    world: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch // self.world
        for step in range(self.start, self.stop):
            first = step * self.batch + self.rank * share
            yield list(range(first, first + share))


def batches(
    source: PairSource,
    seed: int,
    batch: int,
    start: int,
    stop: int,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Iterator[PairBatch]:
    """The batches of steps start … stop − 1. Step s is pairs s·batch … (s + 1)·batch − 1, of which
    each process takes as many.

    Args:
        source: of the pairs.
        seed: of the run.
        batch: pairs a step, over all processes.
        start: first step.
        stop: step after the last.
        rank: number of this process.
        world: how many processes there are.
        workers: processes that make pairs; 0 makes them in this one.

    Raises:
        DataError: the batch cannot be shared equally, or a worker dies.
    """
    if batch % world:
        raise DataError(
            f"a batch of {batch} cannot be shared by {world} processes; make it a multiple of "
            f"{world}"
        )
    numbers = StepNumbers(batch, start, stop, rank, world)
    if workers == 0:  # no processes to start: what a notebook wants
        made = (collate([pair_at(source, seed, i) for i in row]) for row in numbers)
        return (b.pin_memory() for b in made) if torch.cuda.is_available() else made
    loader = DataLoader(
        NumberedPairs(source, seed),
        batch_sampler=numbers,
        num_workers=workers,
        collate_fn=collate_or_fault,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_quiet_worker,
        multiprocessing_context="spawn",
    )
    return _from_workers(loader)


def _from_workers(loader: DataLoader) -> Iterator[PairBatch]:
    """The loader's batches; what goes wrong in a worker is raised here, as a sentence."""
    with worker_deaths_in_words():
        for batch in loader:
            if isinstance(batch, Exception):
                raise batch
            yield batch


@contextmanager
def worker_deaths_in_words() -> Iterator[None]:
    """The death of a process that makes pairs as DataError: torch reports it by a signal, wherever
    the loop just is.
    """
    try:
        yield
    except RuntimeError as problem:
        if "DataLoader worker" not in str(problem):
            raise
        raise DataError(
            f"a process that makes pairs has died ({str(problem).splitlines()[0]}). Most often the "
            "memory was used up, or /dev/shm in a container: run the same command again with fewer "
            "of them, for example with `--set workers=0`, which makes the pairs in the training "
            "process"
        ) from None


def _quiet_worker(worker: int) -> None:
    """One thread a worker: they are many."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
