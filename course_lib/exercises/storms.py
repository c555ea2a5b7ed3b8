"""Sequences that hold nothing to be followed, so that each step of a tracker shows in its boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.exercises.tracks import ShortSequence, texture
from course_lib.geometry.boxes import to_centre


def make_storm(
    rng: np.random.Generator,
    size: tuple[float, float],
    length: int,
    shape: tuple[int, int],
    centre: tuple[float, float] | None = None,
) -> ShortSequence:
    """A sequence in which each colour of each frame shows another texture: where a response peaks
    depends on all that a tracker has learned and does.

    Args:
        rng: of the textures.
        size: of the box, w and h; they get a random fraction of a tenth of a pixel.
        length: frames.
        shape: of the frames, height and width.
        centre: of the box, x and y, with a random fraction; that of the frame if not given.
    """
    sides = np.array(size) + rng.uniform(-0.04, 0.04, 2)
    beyond = np.array([rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.4)])  # one to be rounded up
    place = np.array(centre or (shape[1] // 2, shape[0] // 2)) + beyond
    box = np.array([*(place - sides / 2), *sides])
    frames = [np.stack([texture(rng, *shape) for _ in range(3)], axis=-1) for _ in range(length)]
    what = "every frame shows another texture"
    return ShortSequence("storm", what, frames, np.tile(box, (length, 1)))


def make_storm_at_border(
    track: Callable[[ShortSequence], np.ndarray],
    rng: np.random.Generator,
    size: tuple[float, float],
    corner: tuple[float, float],
    reach: float,
) -> ShortSequence:
    """A storm in whose frames (60, 70) the box begins at a corner. Its centre leaves the frame, but
    the patch around it does not: there would be nothing in it.

    Args:
        track: (sequence) → the reference's boxes (T − 1, 4).
        rng: of the textures.
        size: of the box, w and h.
        corner: x, y.
        reach: how far the centre may leave the frame, in sides of the box.
    """
    while True:
        storm = make_storm(rng, size, 6, (60, 70), corner)
        centres = to_centre(track(storm))[:, :2]  # (5, 2)
        beyond = np.maximum(-centres, centres - [70, 60])  # (5, 2)
        if beyond.max() > 1 and (beyond < reach * np.array(size)).all():
            return storm
