"""Labels in COCO's JSON: images with ids, and boxes that name their image.

A target is told from the others by `track_id`, at the annotation or among its `attributes` (as CVAT
writes it), else by its category.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course_lib.data.labels import Label, box_from
from course_lib.errors import DataError
from course_lib.files import read_json

EXPECTED = 'expected COCO\'s {"images": […], "annotations": […], "categories": […]}'


def read_coco_labels(path: Path) -> list[Label]:
    """The labels of a COCO file; frames by the names of their image files.

    Raises DataError naming the file, the annotation and the value.
    """
    content = read_json(path, "export it again")
    images = {
        row.get("id"): _name(row, f"{path}, image {k + 1}")
        for k, row in enumerate(_rows(content, "images", path))
    }
    kinds = {
        row.get("id"): str(row.get("name", row.get("id")))
        for row in _rows(content, "categories", path, needed=False)
    }
    labels = []
    for k, note in enumerate(_rows(content, "annotations", path)):
        where = f"{path}, annotation {note.get('id', k + 1)}"
        image = note.get("image_id")
        if image not in images:
            raise DataError(f"{where}: image_id is {image!r}, but no image has that id")
        box = note.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            raise DataError(
                f"{where}: bbox is {str(box)[:40]}; expected four numbers x, y, w, h. Masks alone "
                "are not enough: export boxes as well."
            )
        labels.append(Label(_target(note, kinds), images[image], box_from(box, where), where))
    return labels


def _rows(content: dict, key: str, path: Path, needed: bool = True) -> list[dict[str, Any]]:
    rows = content.get(key, None if needed else [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: {key!r} is {str(rows)[:40]}; {EXPECTED}")
    return rows


def _name(row: dict[str, Any], where: str) -> str:
    name = row.get("file_name")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{where}: file_name is {name!r}; expected the name of a frame's file")
    return name


def _target(note: dict[str, Any], kinds: dict[Any, str]) -> str:
    """The target's name, such as "dog-3"."""
    kind = kinds.get(note.get("category_id"), "")
    more = note.get("attributes")
    track = note.get("track_id", more.get("track_id") if isinstance(more, dict) else None)
    return kind if track is None else f"{kind or 'target'}-{track}"
