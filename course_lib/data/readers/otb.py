"""OTB: `<Name>/img/0001.jpg`, `<Name>/groundtruth_rect.txt` with x, y, w, h counted from 1.

Two targets of one video stand in `groundtruth_rect.1.txt` and `.2.txt`. Tags stand in `<Name>/attrs.txt` or
`<Name>/attributes.txt` ("IV, SV"), or in `attributes.txt` of the whole folder ("Name: IV, SV").
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.otb_names import FRAME_RANGES, OMITTED_AT_START, TWO_TARGETS
from course_lib.data.readers.folders import check_counts, list_images, listed_folders, read_boxes
from course_lib.data.sequence import OTB_ATTRIBUTES, Sequence
from course_lib.errors import DataError

REMEDY = "run `python data_scripts/otb.py` or pass --root"


def read_otb(folder: Path) -> list[Sequence]:
    """Every target in an OTB folder, sorted by name.

    Raises MissingDataError if there is none, DataError naming the file if one is not as the layout promises.
    """
    common = _read_common_attributes(folder / "attributes.txt")
    videos = listed_folders(folder, "*/groundtruth_rect*.txt", REMEDY)
    return [target for video in videos for target in read_video(video, common)]


def read_video(folder: Path, common: dict[str, frozenset[str]] | None = None) -> list[Sequence]:
    """The targets of one video: one, or "Jogging.1" and "Jogging.2".

    `common` holds tags by lower-case name for videos without an attribute file of their own.
    """
    images = list_images(folder / "img")
    return [_read_target(name, path, images, common or {}) for name, path in _targets(folder)]


def _targets(folder: Path) -> list[tuple[str, Path]]:
    """Names and annotation files; an empty one is passed over (the first of Human4's two)."""
    every = sorted(folder.glob("groundtruth_rect*.txt"))
    numbered = [path for path in every if re.fullmatch(r"groundtruth_rect\.[0-9]+\.txt", path.name)]
    filled = [
        path
        for path in numbered or every
        if path.read_text(encoding="utf-8", errors="replace").strip()
    ]
    if not filled:
        raise DataError(
            f"{every[0]} is empty; expected one row of x, y, w, h for each frame. Fetch {folder} again."
        )
    if len(filled) == 1 and folder.name not in TWO_TARGETS:
        return [(folder.name, filled[0])]
    return [(f"{folder.name}{path.stem.removeprefix('groundtruth_rect')}", path) for path in filled]


def _read_target(
    name: str, path: Path, images: list[Path], common: dict[str, frozenset[str]]
) -> Sequence:
    video = path.parent.name
    boxes = read_boxes(path, first_pixel=1)
    if len(images) != len(boxes):
        images = _annotated_images(video, images, len(boxes))
    check_counts(len(images), len(boxes), path, images[0].parent)
    omitted = np.arange(len(boxes)) < OMITTED_AT_START.get(video, 0)
    attributes = _read_attributes(path.parent, common.get(name.lower(), frozenset()))
    return Sequence(name, ImageFiles(images), boxes, attributes, omitted=omitted)


def _annotated_images(video: str, images: list[Path], rows: int) -> list[Path]:
    """The images that the annotation of a few videos covers, by the numbers in their file names."""
    first, last = FRAME_RANGES.get(video, (0, -1))
    chosen = [path for path in images if path.stem.isdecimal() and first <= int(path.stem) <= last]
    return chosen if len(chosen) == rows else images


def _read_attributes(folder: Path, default: frozenset[str]) -> frozenset[str]:
    for path in (folder / "attrs.txt", folder / "attributes.txt"):
        if path.is_file():
            return _as_attributes(path.read_text(encoding="utf-8", errors="replace"), path)
    return default


def _read_common_attributes(path: Path) -> dict[str, frozenset[str]]:
    """Tags by lower-case sequence name; "jogging-1" and "jogging.1" are the same."""
    lines = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    )
    pairs = [line.partition(":") for line in lines if line.strip()]
    return {
        re.sub(r"-([0-9]+)$", r".\1", name.strip().lower()): _as_attributes(tags, path)
        for name, _, tags in pairs
    }


def _as_attributes(text: str, path: Path) -> frozenset[str]:
    tags = frozenset(re.findall(r"[^,;\s]+", text))
    unknown = sorted(tags - OTB_ATTRIBUTES.keys())
    if unknown:
        raise DataError(
            f"{path}: unknown attributes {unknown}; expected some of {', '.join(OTB_ATTRIBUTES)}"
        )
    return tags
