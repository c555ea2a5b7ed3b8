"""A tracker's run along a sequence with all that its classifier saw and remembered, for display."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import cv2
import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.geometry.windows import CropWindow
from course_lib.trackers.atom import ATOMTracker
from course_lib.trackers.first_samples import first_samples
from course_lib.trackers.localise import HARD, NORMAL, Localisation

FIRST = "first frame"
THUMB = 56  # pixels per side of a sample's image


@dataclass(frozen=True, eq=False)
class Sample:
    """What is kept of a sample for display.

    Attributes:
        image: (THUMB, THUMB, 3) its crop, small.
        kind: "first frame", "found" or "hard negative".
        frame: where it is from.
    """

    image: np.ndarray
    kind: str
    frame: int


@dataclass(frozen=True, eq=False)
class Moment:
    """A tracker after one frame.

    Attributes:
        box: (4,) found; window: the square searched; found: what the score map says.
        fine: (S / 2, S / 2) the score map over that square.
        samples: those in the memory, and weights: (n,) theirs.
        remembered: the number of the sample that is new, if any.
        learned: whether the classifier has learned.
    """

    box: np.ndarray
    window: CropWindow
    found: Localisation
    fine: np.ndarray
    samples: tuple[Sample, ...]
    weights: np.ndarray
    remembered: int | None
    learned: bool


def record(sequence: Sequence, tracker: ATOMTracker) -> tuple[list[Moment], list[Moment]]:
    """The moments of a sequence, one for each frame after the first: with a classifier that goes on
    learning, and with one that stays as it was. Both have learned from the first frame together.

    Args:
        sequence: frames, and the box to start on.
        tracker: its settings and its network are used; it is left as it is.
    """
    tracker = copy.copy(tracker)
    frame, box = sequence.frames[0], np.asarray(sequence.boxes[0], dtype=float)
    tracker.init(frame, box)
    settings = tracker.settings.samples
    crops = list(first_samples(frame, box, tracker.last.window, settings).crops)
    crops += crops[:1] * settings.dropouts  # the plain one, without some of its channels
    samples = [Sample(_small(crop), FIRST, 0) for crop in crops]
    return tuple(_run(sequence, _twin(tracker, frozen), samples) for frozen in (False, True))


def _twin(tracker: ATOMTracker, frozen: bool) -> ATOMTracker:
    """A tracker in the same state that goes its own way, with a classifier that is frozen or is
    not."""
    twin = copy.copy(tracker)
    twin.rng, twin.classifier = copy.deepcopy((tracker.rng, tracker.classifier))
    twin.classifier.settings = replace(tracker.classifier.settings, frozen=frozen)
    return twin


def _run(sequence: Sequence, tracker: ATOMTracker, samples: list[Sample]) -> list[Moment]:
    """The moments of a tracker that has begun, with the samples in its memory."""
    moments, samples = [], list(samples)
    for t in range(1, len(sequence)):
        box = tracker.update(sequence.frames[t])
        last, memory, place = tracker.last, tracker.classifier.memory, None
        if last.state in (NORMAL, HARD) and not tracker.classifier.settings.frozen:
            place, sample = memory.newest, Sample(_small(last.crop), last.state, t)
            samples[place : place + 1] = [sample]  # another's place, or the next
        fine = last.fine[::2, ::2].astype(np.float16)
        weights = memory.weights.numpy().copy()
        state = last.found, fine, tuple(samples), weights, place, last.learned
        moments.append(Moment(box, last.window, *state))
    return moments


def _small(crop: np.ndarray) -> np.ndarray:
    return cv2.resize(crop, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
