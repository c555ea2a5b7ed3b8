"""Many sequences at once through one network: each keeps its own tracker, and every call of the network serves all.

What a GPU needs to be busy. The trackers' arithmetic is the same as one by one, and so are the boxes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items

import numpy as np
import torch

from course_lib.data.sequence import Sequence
from course_lib.evaluation.results import Result
from course_lib.trackers.siamfc import SiamFCTracker


def track_in_lockstep(make: Callable[[], SiamFCTracker], sequences: Items[Sequence], width: int = 16) -> list[Result]:
    """One result per sequence, in order; see `lockstep`."""
    results = dict(lockstep(make, sequences, width))
    return [results[k] for k in range(len(sequences))]


def lockstep(
    make: Callable[[], SiamFCTracker], sequences: Items[Sequence], width: int = 16
) -> Iterator[tuple[int, Result]]:
    """Each sequence's index and result, as they finish; `width` sequences are in flight at a time.

    `make` gives a fresh tracker; all must share one embedding. When a sequence ends the next takes its place. The
    seconds of a frame are those of its round, shared equally by the targets in it.
    """
    order = sorted(
        range(len(sequences)), key=lambda k: -len(sequences[k])
    )  # the longest first: none is left alone at the end
    boxes = [np.full((len(s), 4), np.nan) for s in sequences]
    seconds = [np.zeros(len(s)) for s in sequences]
    running: list[tuple[int, int, SiamFCTracker]] = []  # sequence, next frame, tracker
    while order or running:
        while order and len(running) < width:
            k = order.pop(0)
            tracker, started = make(), time.perf_counter()
            tracker.init(sequences[k].frames[0], sequences[k].boxes[0])
            seconds[k][0], boxes[k][0] = time.perf_counter() - started, sequences[k].boxes[0]
            running.append((k, 1, tracker))
        yield from ((k, Result(boxes[k], seconds[k])) for k, t, _ in running if t == len(sequences[k]))
        running = [(k, t, tracker) for k, t, tracker in running if t < len(sequences[k])]
        if running:
            frames = [sequences[k].frames[t] for k, t, _ in running]
            started = time.perf_counter()
            found = _round([tracker for _, _, tracker in running], frames)
            spent = (time.perf_counter() - started) / len(running)
            for (k, t, _), box in zip(running, found, strict=True):
                boxes[k][t], seconds[k][t] = box, spent
            running = [(k, t + 1, tracker) for k, t, tracker in running]


def _round(trackers: list[SiamFCTracker], frames: list[np.ndarray]) -> list[np.ndarray]:
    """The next box (4,) of each tracker in its frame, by one call of the network."""
    crops = [tracker.look(frame) for tracker, frame in zip(trackers, frames, strict=True)]  # each (S, 255, 255, 3)
    counts = [len(c) for c in crops]
    z = torch.cat([t.z.expand(n, -1, -1, -1) for t, n in zip(trackers, counts, strict=True)])  # (ΣS, C, 6, 6)
    responses = trackers[0].embedding.respond(z, np.concatenate(crops))  # (ΣS, 17, 17)
    parts = np.split(responses, np.cumsum(counts)[:-1])
    return [tracker.decide(part) for tracker, part in zip(trackers, parts, strict=True)]
