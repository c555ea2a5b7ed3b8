"""Batches of pairs: pair numbers in, tensors out; the same numbers always make the same batch."""

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
    """B pairs as tensors: the input of every network's training.

    Attributes:
        exemplar: (B, 3, Z, Z) and search: (B, 3, S, S), uint8 as cut, float 0…255 once jittered;
            Z is 127 unless the recipe says otherwise.
        exemplar_box: (B, 4) in exemplar pixels; box: (B, 4) in search pixels.
        positive: (B,) bool.
        jitter: (B, 2, 8), see `augment.photometric_jitter`.
        seeds: (B,) for random draws that come later.
        sources: B names, for messages.
        skipped: why pairs had to be redrawn, one sentence each.
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
        """The same pairs in page-locked memory, for asynchronous copies to the GPU. torch's loader
        calls this if there is a GPU.
        """
        # the seeds are used on the CPU
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seeds"}
        tensors = {name: t.pin_memory() for name, t in values.items() if isinstance(t, Tensor)}
        return replace(self, **tensors)

    def jittered(self, device: torch.device) -> PairBatch:
        """The same pairs on a device, jittered and blurred there."""
        move = {"device": device, "non_blocking": True}
        jitter = self.jitter  # left on the CPU: `photometric_jitter` reads it without a GPU sync
        exemplar = photometric_jitter(self.exemplar.to(**move), jitter[:, 0])
        search = photometric_jitter(self.search.to(**move), jitter[:, 1])
        boxes = self.exemplar_box.to(**move), self.box.to(**move)
        positive = self.positive.to(**move)
        return PairBatch(
            exemplar, search, *boxes, positive, jitter, self.seeds, self.sources, self.skipped
        )


def collate(pairs: list[Pair]) -> PairBatch:
    """Pairs as one batch."""
    exemplar = torch.from_numpy(np.stack([p.exemplar for p in pairs]))  # (B, 127, 127, 3)
    search = torch.from_numpy(np.stack([p.search for p in pairs]))  # (B, S, S, 3)
    return PairBatch(
        exemplar=exemplar.permute(0, 3, 1, 2),  # (B, 3, 127, 127)
        search=search.permute(0, 3, 1, 2),  # (B, 3, S, S)
        exemplar_box=torch.from_numpy(np.stack([p.exemplar_box for p in pairs])).float(),  # (B, 4)
        box=torch.from_numpy(np.stack([p.box for p in pairs])).float(),  # (B, 4)
        positive=torch.tensor([p.positive for p in pairs]),  # (B,)
        jitter=torch.from_numpy(np.stack([p.jitter for p in pairs])).float(),  # (B, 2, 8)
        seeds=torch.tensor([p.seed for p in pairs]),  # (B,)
        sources=[p.source for p in pairs],
        skipped=tuple(why for p in pairs for why in p.skipped),
    )


class NumberedPairs(Dataset):
    """The endless list of a run's pairs, indexed by pair number."""

    def __init__(self, source: PairSource, seed: int) -> None:
        self.source, self.seed = source, seed

    def __getitem__(self, index: int) -> Pair | Exception:
        """The pair, or the error that prevented it: if a worker raised it, its message would reach
        the user inside a traceback.
        """
        try:
            return pair_at(self.source, self.seed, index)
        except (CourseError, OSError) as problem:
            return problem


def collate_or_fault(pairs: list[Pair | Exception]) -> PairBatch | Exception:
    """Pairs as one batch, or the first error among them."""
    return next((p for p in pairs if isinstance(p, Exception)), None) or collate(pairs)


@dataclass(frozen=True)
class StepNumbers:
    """The pair numbers of each step, computed on demand: a run of a million steps costs nothing to
    plan."""

    batch: int
    start: int
    stop: int
    rank: int
    world: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[int]]:
        per_process = self.batch // self.world
        for step in range(self.start, self.stop):
            first = step * self.batch + self.rank * per_process
            yield list(range(first, first + per_process))


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
    """The batches of steps start … stop − 1. Step s has the pairs s·batch … (s + 1)·batch − 1,
    split equally between the processes.

    Args:
        source: source of the pairs.
        seed: seed of the run.
        batch: pairs per step, over all processes.
        start: first step.
        stop: step after the last.
        rank: number of this process.
        world: number of processes.
        workers: worker processes that make pairs; 0 makes them in this process.

    Raises:
        DataError: the batch cannot be split equally, or a worker dies.
    """
    if batch % world:
        raise DataError(
            f"a batch of {batch} cannot be split between {world} processes; make it a multiple of "
            f"{world}"
        )
    numbers = StepNumbers(batch, start, stop, rank, world)
    if workers == 0:  # no processes to start, which suits a notebook
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
    """The loader's batches; an error in a worker is raised here, without the worker's traceback."""
    with worker_deaths_in_words():
        for batch in loader:
            if isinstance(batch, Exception):
                raise batch
            yield batch


@contextmanager
def worker_deaths_in_words() -> Iterator[None]:
    """Turn the death of a worker process into a DataError: torch reports it by a signal, wherever
    the loop happens to be.
    """
    try:
        yield
    except RuntimeError as problem:
        if "DataLoader worker" not in str(problem):
            raise
        raise DataError(
            f"a process that makes pairs has died ({str(problem).splitlines()[0]}). Usually memory "
            "ran out, or /dev/shm in a container: run the same command again with fewer workers, "
            "for example with `--set workers=0`, which makes the pairs in the training process"
        ) from None


def _quiet_worker(worker: int) -> None:
    """One thread per worker, so that many workers do not compete for the cores."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
