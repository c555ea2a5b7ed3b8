"""Many sequences at once through one network: each keeps its own tracker, and every call of the
network serves all.

This keeps a GPU busy. The trackers' arithmetic is the same as one by one, and so are the boxes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from course_lib.data.sequence import Sequence
from course_lib.evaluation.otb import checked_box
from course_lib.evaluation.results import Result


class Network(Protocol):
    """The network of a `LockstepTracker`, ready to track."""

    def respond(self, z: Any, crops: np.ndarray) -> np.ndarray:
        """Responses (N, …) to exemplar features, a batch (N, …) or a tuple of them, in N crops."""


class LockstepTracker(Protocol):
    """A tracker whose `update` is `look`, one call of its network, and `decide`.

    Attributes:
        name: for messages.
        runtime: its network; all trackers of one run share it.
        z: its exemplar features (1, …), or a tuple of them.
    """

    name: str
    runtime: Network
    z: Any

    def init(self, frame: np.ndarray, box: ArrayLike) -> None:
        """Initialise on a frame, as every tracker does."""

    def look(self, frame: np.ndarray) -> np.ndarray:
        """The crops (S, …) of a frame for the network."""

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """The box (4,) from the network's responses (S, …) to them."""


def track_in_lockstep(
    make: Callable[[], LockstepTracker], sequences: Items[Sequence], width: int = 16
) -> list[Result]:
    """One result per sequence, in order.

    Args:
        make, sequences, width: as in `lockstep`.

    Raises:
        Exception: that of the first sequence that fails.
    """
    results = dict(lockstep(make, sequences, width))
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return [results[k] for k in range(len(sequences))]


def lockstep(
    make: Callable[[], LockstepTracker], sequences: Items[Sequence], width: int = 16
) -> Iterator[tuple[int, Result | Exception]]:
    """Each sequence's index and result, as they finish.

    A sequence whose first box or frame cannot be used ends with that exception as its result; the
    others go on. When one ends, the next takes its place. The seconds of a frame are those of its
    round, shared equally by the targets in it.

    Args:
        make: makes a fresh tracker; all must share one network.
        sequences: what to run on.
        width: how many are in flight at a time.
    """
    # longest first, so that no long one runs alone at the end
    order = sorted(range(len(sequences)), key=lambda k: -len(sequences[k]))
    running: list[_Lane] = []
    while order or running:
        while order and len(running) < width:
            lane = _Lane(order.pop(0), make, sequences)
            running.append(lane)
            lane.start()
        with_frame = [lane for lane in running if lane.see()]
        _round(with_frame)
        yield from ((lane.index, lane.outcome) for lane in running if lane.outcome is not None)
        running = [lane for lane in running if lane.outcome is None]


class _Lane:
    """One sequence in progress: its tracker, next frame, boxes so far, and outcome."""

    def __init__(
        self, index: int, make: Callable[[], LockstepTracker], sequences: Items[Sequence]
    ) -> None:
        self.index, self.make, self.sequence = index, make, sequences[index]
        self.boxes = np.full((len(self.sequence), 4), np.nan)
        self.seconds = np.zeros(len(self.sequence))
        self.outcome: Result | Exception | None = None
        self.t = 0

    def attempt(self, step: Callable[[], Any]) -> Any:
        """What `step` returns; an exception ends this sequence only."""
        try:
            return step()
        except Exception as problem:
            self.outcome = problem
            return None

    def start(self) -> None:
        """Initialise the tracker on the first frame."""
        first = self.sequence.boxes[0]
        frame = self.attempt(lambda: self.sequence.frames[0])
        if self.outcome is None:
            self.tracker, started = self.make(), time.perf_counter()
            self.attempt(lambda: self.tracker.init(frame, first.copy()))
            self.keep(first, time.perf_counter() - started)

    def see(self) -> bool:
        """Read the next frame; False if the sequence has ended."""
        if self.outcome is None:
            self.frame = self.attempt(lambda: self.sequence.frames[self.t])
        return self.outcome is None

    def decide(self, responses: np.ndarray) -> np.ndarray:
        """The tracker's box (4,), checked."""
        box = self.tracker.decide(responses)
        return checked_box(box, self.tracker, self.sequence, self.t)

    def keep(self, box: np.ndarray, spent: float) -> None:
        """Keep a frame's box and seconds; after the last frame the outcome is the result."""
        if self.outcome is None:
            self.boxes[self.t], self.seconds[self.t] = box, spent
            self.t += 1
            if self.t == len(self.sequence):
                self.outcome = Result(self.boxes, self.seconds)


def _round(lanes: list[_Lane]) -> None:
    """The next box of each tracker in its frame, by one call of the network."""
    started = time.perf_counter()
    crops = {lane: lane.attempt(lambda lane=lane: lane.tracker.look(lane.frame)) for lane in lanes}
    lanes = [lane for lane in lanes if lane.outcome is None]
    if not lanes:
        return
    counts = [len(crops[lane]) for lane in lanes]  # each (S, 255, 255, 3)
    try:
        z = join([lane.tracker.z for lane in lanes], counts)  # (ΣS, C, 6, 6), or a tuple
        responses = lanes[0].tracker.runtime.respond(
            z, np.concatenate([crops[lane] for lane in lanes])
        )  # (ΣS, 17, 17) or (ΣS, A, 5)
    except Exception as problem:  # for example out of memory: none of them can go on
        for lane in lanes:
            lane.outcome = problem
        return
    parts = np.split(responses, np.cumsum(counts)[:-1])
    found = [
        lane.attempt(lambda lane=lane, part=part: lane.decide(part))
        for lane, part in zip(lanes, parts, strict=True)
    ]
    spent = (time.perf_counter() - started) / len(lanes)
    for lane, box in zip(lanes, found, strict=True):
        lane.keep(box, spent)


def join(templates: list[Any], counts: list[int]) -> Any:
    """Exemplar features as one batch, each tracker's repeated for each of its search images."""
    if isinstance(templates[0], tuple):
        return tuple(join(list(part), counts) for part in zip(*templates, strict=True))
    return torch.cat([k.expand(n, *k.shape[1:]) for k, n in zip(templates, counts, strict=True)])
