"""Objects outlined in photographs, and pieces in the same form made by code.

Training pairs are made from them: an object in its own photograph, or pasted over another (see
`pairs_photo`). Outlines drawn by people come from a folder in COCO's format (see `coco`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from course_lib.data.frames import read_image
from course_lib.data.generated.sources import SCENES, photograph, random_cutout, random_outline
from course_lib.errors import DataError
from course_lib.files import digest

GENERATED_VERSION = 1  # of the objects made by code; increased when a seed's objects change


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph in a file, or in memory.

    Attributes:
        name: its name in its dataset; two datasets may both have a "0.jpg".
        path: its file, if it has one.
        pixels: (H, W, 3) if it has no file.
        size: (width, height) that its outlines were drawn on, if known.
    """

    name: str
    path: Path | None = None
    pixels: np.ndarray | None = None
    size: tuple[int, int] | None = None

    @cached_property
    def key(self) -> object:
        """A key that is unique among the images of all datasets: its file, or the object itself."""
        return self if self.path is None else self.path.resolve()

    def read(self) -> np.ndarray:
        """The frame (H, W, 3).

        Raises DataError if it cannot be read, or does not have the size that its outlines were
        drawn on.
        """
        pixels = read_image(self.path) if self.pixels is None else self.pixels
        H, W = pixels.shape[:2]
        if self.size not in (None, (W, H)):
            raise DataError(
                f"photograph {self.path} has {W}×{H} pixels; its outlines were drawn on "
                f"{self.size[0]}×{self.size[1]}: fetch it again in its original size"
            )
        return pixels


@dataclass(frozen=True, eq=False)
class OutlinedObject:
    """One object in an image.

    Attributes:
        image: the photograph it is in.
        polygons: its outline, one (n, 2) array for each part, x then y in pixels.
        category: objects of the same category are each other's distractors.
        surrounded: False for a piece without surroundings, which is always pasted.
    """

    image: Photograph
    polygons: tuple[np.ndarray, ...]
    category: int
    surrounded: bool = True

    @property
    def box(self) -> np.ndarray:
        """Box (4,) around the outline."""
        points = np.concatenate(self.polygons)  # (n, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])


def pieces_of(images: list[Photograph], each: int = 4, seed: int = 0) -> list[OutlinedObject]:
    """Pieces of every image in outlines made by code: targets for images without annotations.

    Pieces of one image share a category. They are not objects, but no two are alike, and a network
    that is to tell any two things apart needs many.

    Args:
        images: images to cut from; one that cannot be read is left out with a warning.
        each: number of pieces per image.
        seed: seed of their positions, sizes and shapes.
    """
    objects = []
    for number, image in enumerate(images):
        rng = np.random.default_rng([3_000_000, seed, number])
        try:
            W, H = image.size or image.read().shape[1::-1]
        except DataError as problem:
            warnings.warn(f"{problem}. No pieces were cut from it.", stacklevel=2)
            continue
        for _ in range(each):
            half = float(np.exp(rng.uniform(np.log(16), np.log(min(H, W) / 3))))  # pixels
            shape = half * np.array([np.exp(rng.uniform(-0.5, 0.5)), 1.0])  # (2,) wide or tall
            shape = np.minimum(shape, [W / 2.2, H / 2.2])
            centre = rng.uniform(shape, np.array([W, H]) - shape)
            objects.append(
                OutlinedObject(image, (random_outline(rng) * shape + centre,), -2 - number)
            )
    return objects


def generated_objects(
    count: int = 200, seed: int = 0
) -> tuple[list[OutlinedObject], list[Photograph]]:
    """`count` pieces with outlines made by code, and the photographs to paste them over.

    Every second one is a piece of a photograph, in one category with others of that photograph;
    the rest are painted and share a category. Nothing is downloaded; the seeds of textures and
    outlines are not those of the generated benchmarks.
    """
    objects = []
    for k in range(count):
        rng = np.random.default_rng([2_000_000, seed, k])
        photo = None if k % 2 else str(rng.choice(SCENES))
        cutout = random_cutout(rng, photo)
        half = len(cutout.rgb) / 2
        kind = -1 if photo is None else SCENES.index(photo)
        outline = (cutout.outline + 1) * half  # (n, 2) texture pixels
        objects.append(
            OutlinedObject(
                Photograph(f"generated-{k}", pixels=cutout.rgb), (outline,), kind, surrounded=False
            )
        )
    return objects, [Photograph(name, pixels=photograph(name)) for name in SCENES]


def generated_identity(count: int = 200, seed: int = 0) -> str:
    """Identity of `generated_objects` with the same arguments: digest of these and the version."""
    return digest(f"generated objects {GENERATED_VERSION}, {count}, {seed}")
