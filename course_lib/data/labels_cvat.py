"""Labels in CVAT's XML: "CVAT for video" with tracks, and "CVAT for images" with boxes by image."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from course_lib.data.labels import ABSENT, Label, box_from
from course_lib.errors import DataError

CORNERS = ("xtl", "ytl", "xbr", "ybr")
SHAPES = ("polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton", "tag")


def read_cvat_labels(path: Path) -> list[Label]:
    """The labels of a CVAT file.

    A target of a "CVAT for video" file is its track, "dog-0"; of a "CVAT for images" file its
    attribute `track_id`, or its label. Raises DataError naming the file, the box and the value.
    """
    root = _root(path)
    labels = [*_of_tracks(root, path), *_of_images(root, path)]
    if not labels:
        found = Counter(element.tag for element in root.iter() if element.tag in SHAPES)
        told = ", ".join(f"{count} × {tag}" for tag, count in found.items()) or "none"
        raise DataError(f"{path} holds no boxes (other shapes: {told}); expected rectangles")
    return labels


def _root(path: Path) -> ET.Element:
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # CVAT writes neither; they can grow endlessly
        raise DataError(f"{path} declares a document type; expected CVAT's XML, which has none")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as problem:
        raise DataError(f"{path} is damaged XML ({problem}); export it again") from None
    if root.tag != "annotations":
        raise DataError(f"{path} begins with <{root.tag}>; expected CVAT's <annotations>")
    return root


def _of_tracks(root: ET.Element, path: Path) -> Iterator[Label]:
    for track in root.iter("track"):
        name = f"{track.get('label', 'target')}-{track.get('id', '0')}"
        for box in track.iter("box"):
            frame = box.get("frame", "")
            where = f"{path}, track {track.get('id')}, frame {frame}"
            if not frame.isdecimal():
                raise DataError(f"{where}: frame is {frame!r}; expected a whole number")
            found = ABSENT if box.get("outside") == "1" else _box(box, where)
            yield Label(name, int(frame), found, where)


def _of_images(root: ET.Element, path: Path) -> Iterator[Label]:
    for image in root.iter("image"):
        name = image.get("name", "")
        for k, box in enumerate(image.iter("box"), start=1):
            where = f"{path}, image {name!r}, box {k}"
            if not name:
                raise DataError(f"{where}: the image has no name; expected its file's name")
            track = box.findtext("attribute[@name='track_id']")
            kind = box.get("label", "target")
            target = kind if track is None else f"{kind}-{track.strip()}"
            yield Label(target, name, _box(box, where), where)


def _box(box: ET.Element, where: str) -> np.ndarray:
    """Box (4,) of an element, from its corners."""
    turned = box.get("rotation", "0")
    if turned.strip("0.") and turned != "360.0":
        raise DataError(
            f"{where}: the box is rotated by {turned} degrees; expected upright boxes. Draw it "
            "again without rotation."
        )
    return box_from([box.get(key, "missing") for key in CORNERS], where, corners=True)
