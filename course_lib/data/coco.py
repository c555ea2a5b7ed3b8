"""Still photographs with outlined objects: any folder in COCO's format.

COCO: one JSON with "images" (id, file_name, width, height), "annotations" (image_id, category_id,
bbox, segmentation as polygons, iscrowd) and "categories". Run-length masks (crowds) are left out:
they do not outline a single object.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from course_lib.data.objects import OutlinedObject, Photograph
from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_json

REMEDY = "correct the file or fetch it again"
EXPECTED = (
    "expected a folder in COCO's format: instances.json, and the photographs it names in images/. "
    "No script fetches one, but COCO's own val2017 will do: put its images into {folder}/images "
    "and save its instances_val2017.json as {folder}/instances.json"
)


def read_coco(
    folder: Path,
    annotations: str = "instances.json",
    subfolder: str = "images",
    smallest: float = 16,
) -> tuple[list[OutlinedObject], list[Photograph]]:
    """The objects of a COCO-format folder, and all its images.

    Crowds and small objects are skipped; faulty annotations are left out, counted and reported.

    Args:
        folder: contains the JSON file and the folder of images.
        annotations: name of the JSON file.
        subfolder: name of the folder of images.
        smallest: least width and height of an object, pixels.

    Raises:
        MissingDataError: the folder, its JSON file or the folder of images is missing.
        DataError: the JSON file, which is named, is not in COCO's format, gives two images the
            same id or file, or names files outside its folder.
    """
    path = folder / annotations
    if not path.is_file() or not (folder / subfolder).is_dir():
        missing = subfolder if path.is_file() else annotations
        raise MissingDataError(
            f"no photographs in {folder} (looked for {missing}): {EXPECTED.format(folder=folder)}"
        )
    content = read_json(path, REMEDY)
    images = _images(path, _rows(content, "images", path), folder / subfolder)
    objects, faults = [], Counter[str]()
    for note in _rows(content, "annotations", path):
        if not isinstance(note, dict) or not note.get("iscrowd"):
            found = _object(note, images)
            if isinstance(found, str):
                faults[found] += 1
            else:
                objects.append(found)
    _say_left_out(path, faults)
    return [o for o in objects if min(o.box[2:]) >= smallest], list(images.values())


def _rows(content: dict, key: str, path: Path) -> list:
    if not isinstance(content.get(key), list):
        raise DataError(
            f"{path} is not in COCO's format (it has no list {key!r}); expected images, "
            f"annotations with image_id, category_id and segmentation, and categories: {REMEDY}"
        )
    return content[key]


def _images(path: Path, rows: list, folder: Path) -> dict[Any, Photograph]:
    """The images by their id; each id and each file must belong to one image only."""
    images: dict[Any, Photograph] = {}
    files: set[str] = set()
    for number, row in enumerate(rows):
        try:
            key, name, file = row["id"], row["file_name"], _inside(row["file_name"])
            if key in images or file in files:
                raise ValueError(f"id {key!r} or file_name {name!r} already belongs to another")
            images[key] = Photograph(name, folder / name, size=_declared_size(row))
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            what = f"it has no {problem}" if isinstance(problem, KeyError) else str(problem)
            raise DataError(
                f"{path} is not in COCO's format (image {number} of its list: {what}); expected "
                "a unique id and file_name for each image, so that no image gets another's "
                f"outlines: {REMEDY}"
            ) from None
        files.add(file)
    if not images:
        raise DataError(f"{path} lists no images; {REMEDY}")
    return images


def _declared_size(row: dict) -> tuple[int, int] | None:
    size = int(row.get("width") or 0), int(row.get("height") or 0)
    return size if min(size) > 0 else None


def _inside(name: Any) -> str:
    """A file name in its plainest form; it may be in a subfolder.

    Raises ValueError if it leads out of the folder.
    """
    # Windows' rules accept both kinds of slash and recognise drives
    plain = PureWindowsPath(name) if isinstance(name, str) else PureWindowsPath()
    if not plain.parts or plain.anchor or ".." in plain.parts or "\0" in name:
        raise ValueError(f"file_name is {name!r}, which does not lead to a file inside the folder")
    os.fsencode(name)  # a name that no file can have is a ValueError too
    return plain.as_posix()


def _object(note: Any, images: dict[Any, Photograph]) -> OutlinedObject | str:
    """The object of an annotation, or what is wrong with it."""
    try:
        image, kind, outline = note["image_id"], int(note["category_id"]), note["segmentation"]
        if isinstance(outline, dict):
            return "outlined by run lengths"
        polygons = [np.array(p, dtype=np.float64).ravel() for p in outline]
        image = images.get(image)
    except (KeyError, TypeError, ValueError, OverflowError):
        return "without image_id, category_id or segmentation, or with one that is malformed"
    if image is None:
        return "whose image is not listed"
    if any(len(p) % 2 or not np.isfinite(p).all() for p in polygons):
        return "with an odd number of coordinates, or one that is not finite"
    parts = tuple(p.reshape(-1, 2) for p in polygons if len(p) >= 6)
    if not parts:
        return "with fewer than three points"
    target = OutlinedObject(image, parts, kind)
    return target if _in_view(target) else "outside their image"


def _in_view(target: OutlinedObject) -> bool:
    """Whether part of the object is inside its image; true where the image's size is not known."""
    (x, y, w, h), size = target.box, target.image.size
    return size is None or bool(x < size[0] and y < size[1] and x + w > 0 and y + h > 0)


def _say_left_out(path: Path, faults: Counter[str]) -> None:
    if faults:
        each = ", ".join(f"{count} {what}" for what, count in faults.most_common())
        warnings.warn(f"{path}: {faults.total()} annotations were left out: {each}", stacklevel=3)
