"""Pairs from videos: two frames of one target, at most `gap` frames apart (SiamFC: 100)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence as Items
from dataclasses import replace
from functools import cached_property

import numpy as np

from course_lib.data.identity import sequences_identity
from course_lib.data.pairs import TRAINING_SEARCH, Augmentation, Pair
from course_lib.data.pairs_cut import CutPairs, FrameCache, box_around, check_inside
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.windows import EXEMPLAR


def usable_frames(
    sequence: Sequence, smallest: float = 8.0, least_cover: float = 0.3
) -> np.ndarray:
    """Indices (n,) of the frames suitable for training: the target is present, with an aspect ratio
    of at most four to one.

    Args:
        sequence: a sequence with boxes, and with cover labels if its dataset has them (GOT-10k).
        smallest: least width and height of the target, pixels.
        least_cover: fraction of the sequence's highest cover label that a frame must exceed.
    """
    boxes = sequence.boxes
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = boxes[:, 2] / boxes[:, 3]
        good = (boxes[:, 2:].min(axis=1) >= smallest) & (ratio >= 0.25) & (ratio <= 4)
    if "cover" in sequence.tags:
        cover = np.asarray(sequence.tags["cover"])
        good &= cover > max(1, least_cover * cover.max())
    return np.flatnonzero(good)


def sample_two_frames(rng: np.random.Generator, valid: np.ndarray, gap: int) -> tuple[int, int]:
    """Indices of two frames of a video; the second may precede the first. They differ unless no
    other frame is within reach.

    Args:
        rng: random generator they are drawn from.
        valid: (n,) indices of the frames suitable for training, sorted.
        gap: largest distance between the two, frames.
    """
    first = int(rng.choice(valid))
    near = valid[(np.abs(valid - first) <= gap) & (valid != first)]
    return first, int(rng.choice(near)) if len(near) else first


class VideoPairs(CutPairs):
    """Pairs of two frames of one video.

    Args:
        sequences: videos; those with fewer than two usable frames are left out with a warning.
        augmentation: how far the crops are augmented. Rotation is not applied: the box of a rotated
            target cannot be computed from its box.
        gap: largest distance between the two frames.
        negatives: fraction of pairs whose search image comes from another video.
        cache: decoded frames; None decodes every time.
        search: side of the search image, pixels.
        exemplar: side of the exemplar, pixels.
        factor: of the exemplar's square, see `CutPairs`.

    Raises:
        DataError: no sequence is usable.
    """

    def __init__(
        self,
        sequences: Items[Sequence],
        augmentation: Augmentation | None = None,
        gap: int = 100,
        negatives: float = 0.0,
        cache: FrameCache | None = None,
        search: int = TRAINING_SEARCH,
        exemplar: int = EXEMPLAR,
        factor: float | None = None,
    ) -> None:
        super().__init__(augmentation, negatives, cache, search, exemplar, factor)
        usable = [(s, usable_frames(s)) for s in sequences]
        self.videos = [(s, valid) for s, valid in usable if len(valid) >= 2]
        if not self.videos:
            raise DataError(
                f"none of {len(usable)} videos has two usable frames; check their boxes and "
                "cover labels"
            )
        self._say_left_out([s.name for s, valid in usable if len(valid) < 2], len(usable))
        self.gap = gap

    @staticmethod
    def _say_left_out(names: list[str], of: int) -> None:
        if names:
            few = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            warnings.warn(
                f"{len(names)} of {of} videos have fewer than two frames suitable for training "
                "(target in view, sides of at least 8 pixels, aspect ratio of at most four to one) "
                f"and are left out: {few}",
                stacklevel=3,
            )

    @cached_property
    def identity(self) -> str:
        """Digest of the videos used: names, boxes, frames' names and sizes."""
        return sequences_identity([sequence for sequence, _ in self.videos])

    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """Draw two frames of a random video; all videos are equally likely, whatever their
        length."""
        sequence, valid = self.videos[int(rng.integers(len(self.videos)))]
        first, second = sample_two_frames(rng, valid, self.gap)
        other, positive = sequence, True
        if self.negatives and len(self.videos) > 1 and rng.random() < self.negatives:
            while other is sequence:
                other, others = self.videos[int(rng.integers(len(self.videos)))]
            second, positive = int(rng.choice(others)), False
        mirror = bool(rng.random() < self.augmentation.mirror)
        exemplar, own = self._crop(rng, (sequence, first), self.exemplar, None, mirror)
        search, box = self._crop(rng, (other, second), self.search, self.augmentation.shift, mirror)
        source = f"{sequence.name}, frame {first}, and {other.name}, frame {second}"
        return Pair(
            exemplar, search, own, box, positive, self.augmentation.draw_jitter(rng), source
        )

    def _crop(
        self,
        rng: np.random.Generator,
        which: tuple[Sequence, int],
        size: int,
        shift: float | None,
        mirror: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """A crop (size, size, 3) of a frame and the target's box (4,) in it; see `_around`."""
        sequence, index = which
        frame = self._decoded((sequence.frames, index), lambda: sequence.frames[index])
        box = sequence.boxes[index]
        check_inside(box, frame, f"{sequence.name}, frame {index}")
        with self._timed("crop"):
            window = replace(self._around(rng, box, size, shift, mirror), angle=0.0)
            corners = window.to_crop([box[:2], box[:2] + box[2:]])  # (2, 2)
            return window.cut(frame, self.beyond), box_around(corners)
