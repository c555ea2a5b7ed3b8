"""What lesson 06's tracker is checked on: sequences, and a network that takes no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises.tracks import HEIGHT, WIDTH, ShortSequence, make_short, run, texture
from course_lib.exercises.words import Wrong
from course_lib.models.runtime import SiamFCRuntime

LENGTH = 12  # frames of a sequence
CELL = 8  # pixels per side of a cell of the stand-in's features
CHANNELS = np.array([1.0, 0.7, 0.4])  # unequal weights: the order of the channels shows


@contextmanager
def quick_network() -> Iterator[None]:
    """Inside the block, every SiamFC network compares mean colours of 8 × 8 pixels. It takes a
    thousandth of the time, and is as particular about what it is shown."""
    own = SiamFCRuntime.features, SiamFCRuntime.respond
    SiamFCRuntime.features, SiamFCRuntime.respond = _features, _respond
    try:
        yield
    finally:
        SiamFCRuntime.features, SiamFCRuntime.respond = own


def _features(self: SiamFCRuntime, crops: np.ndarray) -> Tensor:
    """Mean colours (N, 3, S // 8, S // 8) of crops (N, S, S, 3)."""
    n = crops.shape[1] // CELL
    whole = np.asarray(crops)[:, : n * CELL, : n * CELL]
    small = [
        cv2.resize(crop.astype(np.float32), (n, n), interpolation=cv2.INTER_AREA) for crop in whole
    ]
    means = np.stack(small) * CHANNELS / 255  # (N, n, n, 3)
    return torch.from_numpy(means.astype(np.float32)).permute(0, 3, 1, 2)


def _respond(self: SiamFCRuntime, z: Tensor, crops: np.ndarray) -> np.ndarray:
    """Responses (N, 17, 17), −2 … 6: how close the exemplar's colours are to those at each
    place."""
    x = _features(self, crops)
    z = torch.as_tensor(z).expand(len(x), -1, -1, -1)  # (N, 3, 15, 15)
    shared = torch.cat([F.conv2d(a[None], b[None]) for a, b in zip(x, z, strict=True)])[:, 0]
    area = torch.ones(1, *z.shape[1:])
    apart = F.conv2d(x**2, area)[:, 0] - 2 * shared + (z**2).sum((1, 2, 3))[:, None, None]
    return (8 * torch.exp(-apart / z[0].numel() / 0.02) - 2).numpy()


def sequences(right: type, rng: np.random.Generator) -> list[ShortSequence]:
    """Sequences on which every step of SiamFC shows; the first is one whose target grows.

    Args:
        right: the reference.
        rng: of their textures.
    """
    return [
        _clear(right, lambda: _growing(rng), decided_by_enlarging=True),
        _clear(right, lambda: _at_the_border(rng)),
        *(_clear(right, lambda n=n: make_short(n, rng, LENGTH // 2)) for n in ("alike", "large")),
    ]


def sequence_for(
    right: type, rng: np.random.Generator, settings: dict[str, float]
) -> ShortSequence:
    """A sequence for trackers with other settings: one whose target grows if they have other scales,
    else one at the frame's centre, where a window may grow.

    Args:
        right: the reference.
        rng: of its textures.
        settings: attributes of the trackers.
    """
    make = partial(_growing, rng) if "scales" in settings else partial(make_short, "odd", rng, 8)
    sequence = _clear(lambda: with_settings(right(), settings), make)
    listed = ", ".join(f"{name} {value}" for name, value in settings.items())
    what = f"{sequence.what}, and with other settings ({listed})"
    return replace(sequence, what=what)


def with_settings(tracker: Any, settings: dict[str, float]) -> Any:
    """The tracker with other settings as its own attributes; raises Wrong if it has not got
    them."""
    if missing := [name for name in settings if not hasattr(tracker, name)]:
        raise Wrong(
            f"your class has no attribute `{missing[0]}`: leave the line with the five settings as "
            "it is, since later cells set others"
        )
    tracker.__dict__.update(settings)
    return tracker


def _clear(
    right: Callable[[], Any], make: Callable[[], ShortSequence], **shown: Any
) -> ShortSequence:
    """A sequence, in brown, on which the reference never chooses between two cells, or two scales, that
    are as good as equal: there rounding decides, and a right answer may be half a search pixel off.
    Its centre stays in the frame: whether it may leave it is not said.

    Args:
        right: makes the reference.
        make: draws a sequence.
        shown: attributes that the reference has at its end.
    """
    for _ in range(40):
        sequence = make()
        # three different values as its mean colour
        frames = [(frame * np.array([1, 0.8, 0.55])).astype(np.uint8) for frame in sequence.frames]
        sequence = replace(sequence, frames=frames)
        tracker = right()
        boxes = run(tracker, sequence)
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        inside = (centres > 0).all() and (centres < [WIDTH, HEIGHT]).all()
        shows = all(getattr(tracker, name) == value for name, value in shown.items())
        if tracker.closest > 1e-5 and inside and shows:
            break
    return sequence


def _growing(rng: np.random.Generator) -> ShortSequence:
    """A sequence whose wide target grows by 4 % from frame to frame, at the frame's upper border."""
    scene, target = texture(rng, HEIGHT, WIDTH) // 2 + 40, texture(rng, 25, 47)
    frames, boxes = [], []
    for t in range(LENGTH):
        w, h = (round(side * 1.04**t) for side in (47, 25))
        x, y = 70 + 2 * t, 12 - t
        image = scene.copy()
        image[y : y + h, x : x + w] = cv2.resize(target, (w, h))
        frames.append(np.repeat(image[..., None], 3, axis=2))
        boxes.append([x + 0.4, y + 0.3, w - 0.4, h + 0.2])  # between pixels
    return ShortSequence("growing", "the target grows", frames, np.array(boxes, dtype=float))


def _at_the_border(rng: np.random.Generator) -> ShortSequence:
    """A sequence whose target leaves the frame by half, while the light goes on far away from it: later
    frames have another mean colour than the first."""
    sequence = make_short("border", rng, LENGTH)
    for t, frame in enumerate(sequence.frames):
        frame[:, :55] = 20 if t == 0 else 250
    return replace(
        sequence, what="the target leaves the frame by half, and the frame's mean colour changes"
    )
