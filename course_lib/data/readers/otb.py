"""OTB: `<Name>/img/0001.jpg`, `<Name>/groundtruth_rect.txt` with x, y, w, h counted from 1.

Two targets of one video are annotated in `groundtruth_rect.1.txt` and `.2.txt`. Tags are in
`<Name>/attrs.txt` or `<Name>/attributes.txt` ("IV, SV"), or in one `attributes.txt` for the whole
folder ("Name: IV, SV").
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.otb_names import FRAME_RANGES, OMITTED_AT_START, OTB_LISTS, TWO_TARGETS
from course_lib.data.readers.folders import (
    check_counts,
    list_images,
    missing_names,
    numbered_from,
    read_boxes,
)
from course_lib.data.readers.lists import listed_folders
from course_lib.data.sequence import OTB_ATTRIBUTES, Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_text

REMEDY = "run `python data_scripts/otb.py` or pass --root"


def read_otb(folder: Path) -> list[Sequence]:
    """Every target in an OTB folder, sorted by name.

    Raises MissingDataError if there is none, DataError, naming the file, if a file does not follow
    the layout.
    """
    videos = listed_folders(folder, "*/groundtruth_rect*.txt", REMEDY)
    common = _read_common_attributes(
        folder / "attributes.txt", [path.name for path in folder.iterdir()]
    )
    return [target for video in videos for target in read_video(video, common)]


def read_otb_list(folder: Path, name: str) -> list[Sequence]:
    """The targets of one of OTB's published lists, in its order; "otb" is all that exist.

    Raises MissingDataError, naming those that are missing, and otherwise as `read_otb`.
    """
    targets = {target.name: target for target in read_otb(folder)}
    wanted = OTB_LISTS.get(name, tuple(targets))
    missing = [n for n in wanted if n not in targets]
    if missing:
        raise MissingDataError(
            f"{missing_names(missing, name)} from {folder}: {REMEDY}. "
            f"The benchmark 'otb' uses the {len(targets)} that are there."
        )
    return [targets[n] for n in wanted]


def read_video(folder: Path, common: dict[str, frozenset[str]] | None = None) -> list[Sequence]:
    """The targets of one video: one, or "Jogging.1" and "Jogging.2".

    `common` holds tags by `target_key`, for videos without their own attribute file.
    """
    images = list_images(folder / "img")
    return [_read_target(name, path, images, common or {}) for name, path in _targets(folder)]


def _targets(folder: Path) -> list[tuple[str, Path]]:
    """Names and annotation files; an empty one is skipped (the first of Human4's two)."""
    every = sorted(folder.glob("groundtruth_rect*.txt"))
    if not every:
        raise MissingDataError(f"{folder} has no groundtruth_rect.txt: fetch the sequence again")
    plain = [path for path in every if path.name == "groundtruth_rect.txt"]
    numbered = [path for path in every if re.fullmatch(r"groundtruth_rect\.[0-9]+\.txt", path.name)]
    filled = [path for path in numbered or plain or every if read_text(path).strip()]
    if not filled:
        raise DataError(
            f"{every[0]} is empty; expected one row of x, y, w, h for each frame. Fetch {folder} "
            "again."
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
    default = common.get(target_key(name), common.get(target_key(video), frozenset()))
    attributes = _read_attributes(path.parent, default)
    return Sequence(name, ImageFiles(images), boxes, attributes, omitted=omitted)


def _annotated_images(video: str, images: list[Path], rows: int) -> list[Path]:
    """The images covered by the annotation, which for a few videos is only part of the folder."""
    first, last = FRAME_RANGES.get(video, (0, -1))
    chosen = numbered_from(images, first, last)
    return chosen if len(chosen) == rows else images


def _read_attributes(folder: Path, default: frozenset[str]) -> frozenset[str]:
    for path in (folder / "attrs.txt", folder / "attributes.txt"):
        if path.is_file():
            return _as_attributes(read_text(path), path)
    return default


def _read_common_attributes(path: Path, videos: list[str]) -> dict[str, frozenset[str]]:
    """Tags by `target_key` from lines "Name: IV, SV".

    Names must be those of existing videos, or be in OTB's own lists.
    """
    published = {name for names in OTB_LISTS.values() for name in names}
    known = {target_key(name) for name in [*videos, *TWO_TARGETS, *published]}
    common: dict[str, frozenset[str]] = {}
    for number, line in enumerate(read_text(path).splitlines() if path.is_file() else [], start=1):
        name, colon, tags = line.partition(":")
        key, where = target_key(name.strip()), f"{path}, line {number}"
        if not line.strip():
            continue
        if not colon or not known & {key, key.rpartition(".")[0]}:
            raise DataError(
                f"{where}: {line.strip()[:80]!r}; expected the name of an existing video or of one "
                "in OTB's lists, a colon, and its attributes"
            )
        if key in common:
            raise DataError(f"{where}: {name.strip()} appears a second time; expected each once")
        common[key] = _as_attributes(tags, where)
    return common


def target_key(name: str) -> str:
    """The same key for "Jogging.1", "jogging-1", "Jogging_1" and "Jogging1"."""
    key = re.sub(r"[-_]([0-9]+)$", r".\1", name.lower())
    videos = "|".join(TWO_TARGETS).lower()
    return re.sub(rf"^({videos})([0-9])$", r"\1.\2", key)


def _as_attributes(text: str, where: object) -> frozenset[str]:
    tags = frozenset(re.findall(r"[^,;\s]+", text.upper()))
    unknown = sorted(tags - OTB_ATTRIBUTES.keys())
    if unknown:
        raise DataError(
            f"{where}: unknown attributes {unknown}; expected some of {', '.join(OTB_ATTRIBUTES)}"
        )
    return tags
