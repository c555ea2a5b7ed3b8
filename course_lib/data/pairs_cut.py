"""What pairs of videos and pairs of photographs share: a crop around the target, shifted, scaled
and mirrored at random, and the target's box in it."""

from __future__ import annotations

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
    """Decoded images, the most recently used ones, up to a number of bytes; a small dataset
    decodes once.

    A key says which image it is among all that share the cache: a path or the object that holds
    it, never a bare name, which two datasets may both have.
    """

    def __init__(self, megabytes: float = 1500) -> None:
        self.limit = megabytes * 1e6
        self.held = 0
        self.images: OrderedDict[object, np.ndarray] = OrderedDict()

    def get(self, key: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The image under `key`, or what `read()` gives, which is kept."""
        if key in self.images:
            self.images.move_to_end(key)
            return self.images[key]
        image = self.images[key] = read()
        self.held += image.nbytes
        while self.held > self.limit and len(self.images) > 1:
            self.held -= self.images.popitem(last=False)[1].nbytes
        return image


class CutPairs(PairSource):
    """Pairs that are cut out of whole images.

    Args:
        augmentation: how far the crops are augmented.
        negatives: fraction of pairs whose search image does not show the target.
        cache: decoded images; None decodes every time.
        search: pixels a side of the search image.
    """

    def __init__(
        self,
        augmentation: Augmentation | None = None,
        negatives: float = 0.0,
        cache: FrameCache | None = None,
        search: int = TRAINING_SEARCH,
    ) -> None:
        self.augmentation = augmentation or Augmentation()
        self.negatives, self.cache, self.search = negatives, cache, search
        self.seconds = {"decode": 0.0, "crop": 0.0}

    def _decoded(self, key: object, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The image (H, W, 3) under `key`, from the cache where there is one."""
        with self._timed("decode"):
            return read() if self.cache is None else self.cache.get(key, read)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def _around(
        self, rng: np.random.Generator, box: np.ndarray, size: int, shift: float, mirror: bool
    ) -> AugmentedWindow:
        """What a crop of `size` pixels shows around a box (4,), augmented.

        Args:
            rng: scale, rotation, aspect and shift are drawn from it, in this order.
            box: of the target, in pixels of its image.
            size: pixels a side of the crop.
            shift: crop pixels by which the target may stand beside the centre; the exemplar's is 0.
            mirror: whether left and right change places.
        """
        factor, angle, aspect_change = self.augmentation.draw_geometry(rng)
        side = side_of(box, size) * factor
        cx, cy = shifted_centre(rng, box, shift, size / side)
        return AugmentedWindow(cx, cy, side, size, angle, aspect_change, mirror)


def shifted_centre(
    rng: np.random.Generator, box: np.ndarray, shift: float, scale: float
) -> np.ndarray:
    """A point (2,) beside the centre of a box.

    Args:
        rng: it is drawn from.
        box: (4,) in pixels of its image.
        shift: crop pixels it may lie away each way.
        scale: crop pixels per pixel of the image.
    """
    return box[:2] + box[2:] / 2 + rng.uniform(-shift, shift, 2) / scale


def side_of(box: np.ndarray, size: int) -> float:
    """Side in image pixels of the square around a box (4,) that is shown at `size` pixels, at the
    exemplar's scale."""
    return float(context_side(box[2:])) * size / EXEMPLAR


def box_around(points: ArrayLike) -> np.ndarray:
    """The smallest box (4,) around points (n, 2)."""
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    return np.concatenate([low, high - low])


def check_inside(box: np.ndarray, frame: np.ndarray, what: str) -> None:
    """Refuse a target beside its image: a crop there would show nothing.

    Args:
        box: (4,) of the target.
        frame: (H, W, 3).
        what: frame it is, for the message.

    Raises:
        DataError: box and frame do not overlap.
    """
    H, W = frame.shape[:2]
    x, y, w, h = box
    if not (x < W and y < H and x + w > 0 and y + h > 0):
        raise DataError(
            f"{what}: the target's box {np.round(box, 1).tolist()} lies outside of the image of "
            f"{W}×{H} pixels; correct its annotation, or fetch the image in its own size"
        )
