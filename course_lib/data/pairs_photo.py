"""Pairs from still photographs with outlines: two crops of one object, or the object pasted over
other photographs.

A distractor is another object of the same category pasted beside the target (IoU below 0.3); a
negative pair shows another object of the same category instead of the target. Both teach the
network to tell similar objects apart.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from functools import cached_property

import numpy as np

from course_lib.data.identity import outlines_identity
from course_lib.data.objects import OutlinedObject, Photograph
from course_lib.data.outline import soft_mask
from course_lib.data.pairs import TRAINING_SEARCH, Augmentation, Pair
from course_lib.data.pairs_cut import CutPairs, FrameCache, box_around, check_inside
from course_lib.errors import DataError
from course_lib.geometry.augmented_windows import AugmentedWindow
from course_lib.geometry.boxes import iou
from course_lib.geometry.windows import EXEMPLAR

MOST_OVERLAP = 0.3  # IoU of a distractor's box with the target's


class PhotoPairs(CutPairs):
    """Pairs of crops of outlined objects.

    Args:
        objects: possible targets.
        backgrounds: images to paste over.
        augmentation: how far the crops are augmented.
        paste: fraction of pairs whose object is pasted over two other photographs instead of shown
            in its own.
        distractors: fraction of pairs with an object of the same category pasted beside the target.
        negatives: fraction of pairs whose search image shows another object of the same category
            instead.
        cache: decoded images; None decodes every time.
        search: side of the search image, pixels.
        exemplar: side of the exemplar, pixels.
        made_of: identity of objects made by code, whose pixels may differ in the last digit between
            machines; None computes a digest of the objects and backgrounds.
        factor: of the exemplar's square, see `CutPairs`.

    Raises:
        DataError: there are no objects or no backgrounds.
    """

    def __init__(
        self,
        objects: Items[OutlinedObject],
        backgrounds: Items[Photograph],
        augmentation: Augmentation | None = None,
        paste: float = 0.45,
        distractors: float = 0.0,
        negatives: float = 0.0,
        cache: FrameCache | None = None,
        search: int = TRAINING_SEARCH,
        exemplar: int = EXEMPLAR,
        made_of: str | None = None,
        factor: float | None = None,
    ) -> None:
        if not objects or not backgrounds:
            raise DataError(
                f"{len(objects)} outlined objects and {len(backgrounds)} backgrounds; expected at "
                "least one of each"
            )
        super().__init__(augmentation, negatives, cache, search, exemplar, factor)
        self.objects, self.backgrounds = list(objects), list(backgrounds)
        self.paste, self.distractors, self.made_of = paste, distractors, made_of
        self.alike: dict[int, list[OutlinedObject]] = {}
        for o in self.objects:
            self.alike.setdefault(o.category, []).append(o)

    @cached_property
    def identity(self) -> str:
        """Digest of objects and backgrounds: outlines, categories, images' names and sizes."""
        return self.made_of or outlines_identity(self.objects, self.backgrounds)

    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """Draw an object at random and make a pair of it."""
        target = self.objects[int(rng.integers(len(self.objects)))]
        pasted = not target.surrounded or rng.random() < self.paste
        shown, positive = target, True
        if rng.random() < self.negatives:
            other = self._another(rng, target)
            shown, positive = other or target, other is None
        mirror = bool(rng.random() < self.augmentation.mirror)
        exemplar, own = self._crop(rng, (target, pasted), self.exemplar, None, mirror)
        which = shown, pasted or not shown.surrounded
        search, box = self._crop(rng, which, self.search, self.augmentation.shift, mirror)
        if rng.random() < self.distractors:
            search = self._with_distractor(rng, search, box, target)
        source = (
            f"{target.image.name}"
            + ("" if positive else f" and {shown.image.name}")
            + (", pasted" if pasted else "")
        )
        return Pair(
            exemplar, search, own, box, positive, self.augmentation.draw_jitter(rng), source
        )

    def _read(self, photo: Photograph) -> np.ndarray:
        return self._decoded(photo.key, photo.read)

    def _another(self, rng: np.random.Generator, target: OutlinedObject) -> OutlinedObject | None:
        others = self.alike[target.category]
        if len(others) < 2:
            return None
        k = int(rng.integers(len(others) - 1))
        return others[k] if others[k] is not target else others[-1]

    def _crop(
        self,
        rng: np.random.Generator,
        which: tuple[OutlinedObject, bool],
        size: int,
        shift: float | None,
        mirror: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """A crop (size, size, 3) of an object, pasted over a background or in its own photograph,
        and the box (4,) around its outline in the crop; see `_around`."""
        target, pasted = which
        photo = self._read(target.image)
        check_inside(target.box, photo, f"photograph {target.image.path or target.image.name}")
        with self._timed("crop"):
            window = self._around(rng, target.box, size, shift, mirror)
            if not pasted:
                return window.cut(photo, self.beyond), outline_box(target, window)
            crop = paste(self._backdrop(rng, size), photo, target.polygons, window)
            return crop, outline_box(target, window)

    def _backdrop(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """A square crop (size, size, 3) of a background drawn at random."""
        photo = self._read(self.backgrounds[int(rng.integers(len(self.backgrounds)))])
        H, W = photo.shape[:2]
        side = min(H, W) * float(rng.uniform(0.4, 1.0))
        cx, cy = rng.uniform(side / 2, W - side / 2), rng.uniform(side / 2, H - side / 2)
        return AugmentedWindow(cx, cy, side, size, mirror=bool(rng.random() < 0.5)).cut(photo)

    def _with_distractor(
        self, rng: np.random.Generator, search: np.ndarray, box: np.ndarray, target: OutlinedObject
    ) -> np.ndarray:
        """The search image (S, S, 3) with an object of the target's category pasted beside the box
        (4,), if room is found."""
        other = self._another(rng, target)
        if other is None:
            return search
        side = self._side(other.box, self.search) * float(rng.uniform(0.85, 1.2))
        for _ in range(8):
            # (2,) pixels of the distractor's image, from the centre of the crop
            away = rng.uniform(-1, 1, 2) * side * 0.42
            centre = other.box[:2] + other.box[2:] / 2 + away
            window = AugmentedWindow(
                centre[0],
                centre[1],
                side,
                self.search,
                float(rng.uniform(-0.2, 0.2)),
                mirror=bool(rng.random() < 0.5),
            )
            if float(iou(outline_box(other, window), box)) < MOST_OVERLAP:
                return paste(search, self._read(other.image), other.polygons, window)
        return search


def outline_box(target: OutlinedObject, window: AugmentedWindow) -> np.ndarray:
    """Box (4,) around an object's outline in the window's crop; it may reach beyond the crop."""
    return box_around(window.to_crop(np.concatenate(target.polygons)))


def paste(
    crop: np.ndarray, photo: np.ndarray, polygons: Items[np.ndarray], window: AugmentedWindow
) -> np.ndarray:
    """The crop (S, S, 3) with the outlined part of a photograph pasted over it.

    Args:
        crop: (S, S, 3) background.
        photo: (H, W, 3).
        polygons: outline, (n, 2) each, in pixels of the photograph.
        window: the square of the photograph that is laid over the crop.
    """
    mask = soft_mask([window.to_crop(p) for p in polygons], *crop.shape[:2])  # (S, S)
    opacity = mask[..., None].astype(np.float32) / 255  # (S, S, 1)
    return np.rint(crop + opacity * (window.cut(photo).astype(np.float32) - crop)).astype(np.uint8)
