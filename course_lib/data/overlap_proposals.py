"""Boxes around a target whose IoU with it is known: what ATOM's IoU predictor learns from
(Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", 2019, sec. 3.1)."""

from __future__ import annotations

from collections.abc import Sequence as Items

import numpy as np

from course_lib.geometry.boxes import from_centre, iou, to_centre

# standard deviations of the noise, in roots of the target's area: a box climbs the predicted IoU
# from far away as well as over its last pixel, so both must have been seen
NOISE = (0.01, 0.05, 0.1, 0.2, 0.3)
LEAST = 0.1  # IoU below which a box teaches nothing about where to go
TRIES, CALMER = 100, 0.9  # draws of one box, and the factor on its noise after each that failed


def draw_proposals(
    rng: np.random.Generator, box: np.ndarray, count: int, noise: Items[float] = NOISE
) -> np.ndarray:
    """Boxes (count, 4) around a target's, each with an IoU of more than 0.1 with it.

    For each box one deviation is drawn from `noise`; centre, width and height get normal noise of
    this deviation times √(w · h). A box that misses is drawn again with less noise. A side that
    would be below one pixel becomes 0.15 to 0.5 times the target's. (The public code also rounds
    boxes to whole pixels.)

    Args:
        rng: random generator they are drawn from.
        box: (4,) of the target, pixels.
        count: how many.
        noise: deviations to choose from, in roots of the target's area.
    """
    box = np.asarray(box, dtype=np.float64)
    deviation = rng.choice(noise, count) * np.sqrt(box[2] * box[3])  # (count,)
    found = np.repeat(box[None], count, 0)  # (count, 4): the target itself, should all tries miss
    missing = np.arange(count)
    for _ in range(TRIES):
        drawn = to_centre(box) + rng.normal(size=(len(missing), 4)) * deviation[missing, None]
        small = box[2:] * rng.uniform(0.15, 0.5, (len(missing), 2))  # (m, 2)
        drawn[:, 2:] = np.where(drawn[:, 2:] < 1, small, drawn[:, 2:])
        drawn = from_centre(drawn)  # (m, 4)
        hit = iou(drawn, box) > LEAST  # (m,)
        found[missing[hit]] = drawn[hit]
        missing = missing[~hit]
        if not len(missing):
            break
        deviation[missing] *= CALMER
    return found
