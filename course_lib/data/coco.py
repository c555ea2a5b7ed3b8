"""Still photographs with outlined objects: any folder in COCO's format, and pieces made by code in the same shape.

COCO: one JSON with "images" (id, file_name, width, height), "annotations" (image_id, category_id, bbox, segmentation
as polygons, iscrowd) and "categories". Masks given as run lengths (crowds) are left out: they outline no one object.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.data.frames import read_image
from course_lib.data.generated.sources import SCENES, photograph, random_cutout, random_outline
from course_lib.errors import DataError, MissingDataError


@dataclass(frozen=True, eq=False)
class Picture:
    """A photograph in a file, or in memory."""

    name: str
    path: Path | None = None
    pixels: np.ndarray | None = None

    def read(self) -> np.ndarray:
        """The frame (H, W, 3)."""
        return read_image(self.path) if self.pixels is None else self.pixels


@dataclass(frozen=True, eq=False)
class OutlinedObject:
    """One object of a picture.

    Attributes:
        picture: the photograph it stands in.
        polygons: its outline, one (n, 2) array a part, x then y in pixels.
        category: its kind; objects of one kind are each other's distractors.
        surrounded: False for a piece without surroundings of its own, which is only ever pasted.
    """

    picture: Picture
    polygons: tuple[np.ndarray, ...]
    category: int
    surrounded: bool = True

    @property
    def box(self) -> np.ndarray:
        """Box (4,) around the outline."""
        points = np.concatenate(self.polygons)  # (n, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        return np.concatenate([low, high - low])


def read_coco(
    folder: Path, annotations: str = "instances.json", images: str = "images", smallest: float = 16
) -> tuple[list[OutlinedObject], list[Picture]]:
    """The objects of a COCO-format folder with both sides at least `smallest` pixels, and all its pictures.

    Raises MissingDataError if the folder or its JSON is not there, DataError naming the file if it is not COCO's format.
    """
    path = folder / annotations
    if not path.is_file():
        raise MissingDataError(
            f"no photographs in {folder} (looked for {annotations}); put a COCO-format folder there or leave it out of the recipe"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pictures = {
            image["id"]: Picture(image["file_name"], folder / images / image["file_name"])
            for image in content["images"]
        }
        objects = [
            _object(pictures[note["image_id"]], note)
            for note in content["annotations"]
            if _has_outline(note)
        ]
    except (KeyError, TypeError, ValueError) as problem:
        raise DataError(
            f"{path} is not in COCO's format ({type(problem).__name__}: {problem}); expected images, annotations with "
            "image_id, category_id and segmentation, and categories. Fetch it again."
        ) from None
    return [o for o in objects if min(o.box[2:]) >= smallest], list(pictures.values())


def _has_outline(note: dict) -> bool:
    polygons = note["segmentation"]
    return (
        not note.get("iscrowd")
        and isinstance(polygons, list)
        and any(len(p) >= 6 for p in polygons)
    )


def _object(picture: Picture, note: dict) -> OutlinedObject:
    polygons = [
        np.array(p, dtype=np.float64).reshape(-1, 2) for p in note["segmentation"] if len(p) >= 6
    ]
    return OutlinedObject(picture, tuple(polygons), int(note["category_id"]))


def pieces_of(pictures: list[Picture], each: int = 4, seed: int = 0) -> list[OutlinedObject]:
    """`each` pieces of every picture in outlines made by code: targets where nobody drew one.

    Pieces of one picture are of one kind. They are objects of no sort, but no two are alike, and a network that is to tell
    any thing from any other needs many.
    """
    objects = []
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng([3_000_000, seed, number])
        H, W = picture.read().shape[:2]
        for _ in range(each):
            half = float(np.exp(rng.uniform(np.log(16), np.log(min(H, W) / 3))))  # pixels
            shape = half * np.array([np.exp(rng.uniform(-0.5, 0.5)), 1.0])  # (2,) wider or higher
            shape = np.minimum(shape, [W / 2.2, H / 2.2])
            centre = rng.uniform(shape, np.array([W, H]) - shape)
            objects.append(
                OutlinedObject(picture, (random_outline(rng) * shape + centre,), -2 - number)
            )
    return objects


def generated_objects(
    count: int = 200, seed: int = 0
) -> tuple[list[OutlinedObject], list[Picture]]:
    """`count` pieces with outlines made by code, and the photographs to paste them over.

    Every second one is a piece of a photograph, of one kind with the others from there; the rest are painted, all of
    one kind. Nothing to download; the textures' and outlines' seeds are others than the generated benchmark's.
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
                Picture(f"generated-{k}", pixels=cutout.rgb), (outline,), kind, surrounded=False
            )
        )
    return objects, [Picture(name, pixels=photograph(name)) for name in SCENES]
