"""Many sequences at once through one network: each keeps its own tracker, and every call of the network serves all.

What a GPU needs to be busy. The trackers' arithmetic is the same as one by one, and so are the boxes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from typing import Any

import numpy as np
import torch

from course_lib.data.sequence import Sequence
from course_lib.evaluation.results import Result
from course_lib.trackers.siamfc import SiamFCTracker
from course_lib.trackers.siamrpn import SiamRPNTracker

LockstepTracker = SiamFCTracker | SiamRPNTracker


def track_in_lockstep(
    make: Callable[[], LockstepTracker], sequences: Items[Sequence], width: int = 16
) -> list[Result]:
    """One result per sequence, in order; see `lockstep`."""
    results = dict(lockstep(make, sequences, width))
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return [results[k] for k in range(len(sequences))]


def lockstep(
    make: Callable[[], LockstepTracker], sequences: Items[Sequence], width: int = 16
) -> Iterator[tuple[int, Result | Exception]]:
    """Each sequence's index and result, as they finish; `width` sequences are in flight at a time.

    A sequence whose first box or frame cannot be used ends with that exception as its result; the others go on.

    `make` gives a fresh tracker; all must share one embedding. When a sequence ends the next takes its place. The
    seconds of a frame are those of its round, shared equally by the targets in it.
    """
    order = sorted(
        range(len(sequences)), key=lambda k: -len(sequences[k])
    )  # the longest first: none is left alone at the end
    boxes = [np.full((len(s), 4), np.nan) for s in sequences]
    seconds = [np.zeros(len(s)) for s in sequences]
    running: list[tuple[int, int, LockstepTracker]] = []  # sequence, next frame, tracker
    while order or running:
        while order and len(running) < width:
            k = order.pop(0)
            tracker, started = make(), time.perf_counter()
            try:
                tracker.init(sequences[k].frames[0], sequences[k].boxes[0])
            except Exception as problem:
                yield k, problem
                continue
            seconds[k][0], boxes[k][0] = time.perf_counter() - started, sequences[k].boxes[0]
            running.append((k, 1, tracker))
        yield from (
            (k, Result(boxes[k], seconds[k])) for k, t, _ in running if t == len(sequences[k])
        )
        running = [(k, t, tracker) for k, t, tracker in running if t < len(sequences[k])]
        frames, kept = [], []
        for k, t, tracker in running:
            try:
                frames.append(sequences[k].frames[t])
                kept.append((k, t, tracker))
            except Exception as problem:
                yield k, problem
        running = kept
        if running:
            started = time.perf_counter()
            found = _round([tracker for _, _, tracker in running], frames)
            spent = (time.perf_counter() - started) / len(running)
            for (k, t, _), box in zip(running, found, strict=True):
                boxes[k][t], seconds[k][t] = box, spent
            running = [(k, t + 1, tracker) for k, t, tracker in running]


def _round(trackers: list[LockstepTracker], frames: list[np.ndarray]) -> list[np.ndarray]:
    """The next box (4,) of each tracker in its frame, by one call of the network."""
    crops = [
        tracker.look(frame) for tracker, frame in zip(trackers, frames, strict=True)
    ]  # each (S, 255, 255, 3)
    counts = [len(c) for c in crops]
    z = join([t.z for t in trackers], counts)  # (ΣS, C, 6, 6), or a tuple of such
    responses = trackers[0].embedding.respond(
        z, np.concatenate(crops)
    )  # (ΣS, 17, 17) or (ΣS, A, 5)
    parts = np.split(responses, np.cumsum(counts)[:-1])
    return [tracker.decide(part) for tracker, part in zip(trackers, parts, strict=True)]


def join(kept: list[Any], counts: list[int]) -> Any:
    """What the trackers keep of their exemplars as one batch, each as often as it has search images."""
    if isinstance(kept[0], tuple):
        return tuple(join(list(part), counts) for part in zip(*kept, strict=True))
    return torch.cat([k.expand(n, *k.shape[1:]) for k, n in zip(kept, counts, strict=True)])
