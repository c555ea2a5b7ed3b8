"""Shared by pairs from videos and from photographs: a randomly augmented crop around the target,
and the target's box in it."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.pairs import TRAINING_SEARCH, Augmentation, PairSource
from course_lib.errors import DataError
from course_lib.geometry.augmented_windows import AugmentedWindow
from course_lib.geometry.windows import EXEMPLAR, context_side


class FrameCache:
    """The most recently used decoded images, up to a total size; a small dataset is decoded only
    once.

    A key must be unique among all images in the cache: a path or the object that holds the image,
    never a bare name, which two datasets may share.
    """

    def __init__(self, megabytes: float = 1500) -> None:
        self.limit = megabytes * 1e6
        self.held = 0
        self.images: OrderedDict[object, np.ndarray] = OrderedDict()

    def get(self, key: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The image stored under `key`; if there is none, `read()` is called and its result
        stored."""
        if key in self.images:
            self.images.move_to_end(key)
            return self.images[key]
        image = self.images[key] = read()
        self.held += image.nbytes
        while self.held > self.limit and len(self.images) > 1:
            self.held -= self.images.popitem(last=False)[1].nbytes
        return image


class CutPairs(PairSource):
    """Base class of the pairs that are cut from whole images.

    Args:
        augmentation: how far the crops are augmented.
        negatives: fraction of pairs whose search image does not show the target.
        cache: decoded images; None decodes every time.
        search: side of the search image, pixels.
        exemplar: side of the exemplar, pixels; a larger one shows more of the surroundings.
        factor: side of the exemplar's square in √(w · h) of the target, with black beyond the
            frame, as in OSTrack; None for SiamFC's square, with the frame's mean beyond it.
    """

    def __init__(
        self,
        augmentation: Augmentation | None = None,
        negatives: float = 0.0,
        cache: FrameCache | None = None,
        search: int = TRAINING_SEARCH,
        exemplar: int = EXEMPLAR,
        factor: float | None = None,
    ) -> None:
        self.factor, self.beyond = factor, None if factor is None else (0, 0, 0)
        self.augmentation = augmentation or Augmentation()
        self.negatives, self.cache = negatives, cache
        self.search, self.exemplar = search, exemplar
        self.seconds = {"decode": 0.0, "crop": 0.0}

    def _decoded(self, key: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The image (H, W, 3) under `key`, from the cache if there is one."""
        with self._timed("decode"):
            return read() if self.cache is None else self.cache.get(key, read)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def _side(self, box: np.ndarray, size: int) -> float:
        """Side in image pixels of the square around a box (4,) that is shown at `size` pixels at
        the exemplar's scale."""
        if self.factor is None:
            return side_of(box, size)
        return float(np.sqrt(box[2:].prod())) * self.factor * size / self.exemplar

    def _around(
        self,
        rng: np.random.Generator,
        box: np.ndarray,
        size: int,
        shift: float | None,
        mirror: bool,
    ) -> AugmentedWindow:
        """The augmented window around a box (4,) that is shown at `size` pixels.

        Args:
            rng: scale, rotation, aspect change and shift are drawn from it, in this order.
            box: box of the target, in pixels of its image.
            size: side of the crop, pixels.
            shift: largest offset of the target from the centre, crop pixels; None for an exemplar,
                which is centred and varies less, see `Augmentation.exemplar`.
            mirror: whether the crop is mirrored left to right.
        """
        strength = self.augmentation.exemplar if shift is None else 1.0
        factor, angle, aspect_change = self.augmentation.draw_geometry(rng, strength)
        side = self._side(box, size) * factor
        cx, cy = shifted_centre(rng, box, shift or 0.0, size / side)
        return AugmentedWindow(cx, cy, side, size, angle, aspect_change, mirror)


def shifted_centre(
    rng: np.random.Generator, box: np.ndarray, shift: float, scale: float
) -> np.ndarray:
    """A random point (2,) near the centre of a box.

    Args:
        rng: random generator it is drawn from.
        box: (4,) in pixels of its image.
        shift: largest offset along each axis, crop pixels.
        scale: crop pixels per image pixel.
    """
    return box[:2] + box[2:] / 2 + rng.uniform(-shift, shift, 2) / scale


def side_of(box: np.ndarray, size: int) -> float:
    """Side in image pixels of the square around a box (4,) that is shown at `size` pixels at the
    exemplar's scale."""
    return float(context_side(box[2:])) * size / EXEMPLAR


def farthest(
    augmentation: Augmentation, search: int, exemplar: int, factor: float | None = None
) -> float:
    """How far from the target's centre a crop of a pair may reach along an axis, in pixels at
    the scale at which its SiamFC square is `EXEMPLAR` wide. For crops of videos, which are not
    rotated.

    Args:
        augmentation: how far the crops are augmented.
        search: side of the search image, pixels.
        exemplar: side of the exemplar, pixels.
        factor: of the exemplar's square, see `CutPairs`.
    """
    a = augmentation
    # √(w · h) is at most half of SiamFC's square, where the target is a square itself
    unit = 1.0 if factor is None else factor / exemplar * EXEMPLAR / 2
    widest = math.sqrt(1 + a.aspect_change)
    of_search = (search / 2 * widest + a.shift) * (1 + a.stretch)
    of_exemplar = exemplar / 2 * (widest * (1 + a.stretch)) ** a.exemplar
    return unit * max(of_search, of_exemplar)


def box_around(points: ArrayLike) -> np.ndarray:
    """The smallest box (4,) around points (n, 2)."""
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    return np.concatenate([low, high - low])


def check_inside(box: np.ndarray, frame: np.ndarray, what: str) -> None:
    """Refuse a target outside its image: a crop there would show nothing.

    Args:
        box: (4,) box of the target.
        frame: (H, W, 3).
        what: name of the frame, for the message.

    Raises:
        DataError: box and frame do not overlap.
    """
    H, W = frame.shape[:2]
    x, y, w, h = box
    if not (x < W and y < H and x + w > 0 and y + h > 0):
        raise DataError(
            f"{what}: the target's box {np.round(box, 1).tolist()} lies outside the image of "
            f"{W}×{H} pixels; correct its annotation, or fetch the image in its original size"
        )
