"""VOT: `<name>/color/00000001.jpg` (in older years, images beside the annotation),
`groundtruth.txt`.

A row is a box of four numbers (2013, long-term, 2022's box benchmark), a polygon of eight, or a
mask (the other benchmarks since 2020); where the target is absent, it is NaN, or a single number
such as 0, a code of VOT's toolkit. Trackers need boxes: by
default a polygon is converted by `area_preserving_box`, as in pysot; VOT's toolkit uses
`bounding_box`. A mask has the box around its pixels. `*.tag` and `*.label` hold per-frame tags,
`anchor.value` the anchors of the multi-start protocol, the file `sequence` the frames per second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.readers.folders import (
    check_counts,
    files_like,
    list_images,
    read_fps,
    read_keys,
    read_labels,
)
from course_lib.data.readers.lists import listed_folders
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.files import is_code, read_numbers, read_text, split_row
from course_lib.geometry.boxes import area_preserving_box, is_valid
from course_lib.geometry.mask import Mask


def read_vot(folder: Path, box: Callable = area_preserving_box) -> list[Sequence]:
    """Every sequence of a VOT folder, in the order of its list.txt.

    `box` converts polygons (T, 8) to boxes (T, 4).

    Raises MissingDataError if there is none or a listed one is missing, DataError, naming the file,
    if a file does not follow the layout.
    """
    year = folder.name.removeprefix("vot")
    remedy = f"run `python data_scripts/vot.py {year}` or pass --root"
    paths = listed_folders(folder, "*/groundtruth.txt", remedy)
    return [read_sequence(path, box) for path in paths]


def read_sequence(folder: Path, box: Callable = area_preserving_box) -> Sequence:
    """One VOT sequence. Polygons and masks are kept; `box` converts polygons to the boxes that
    trackers get."""
    images = list_images(folder / "color" if (folder / "color").is_dir() else folder)
    boxes, polygons, masks = _read_regions(folder / "groundtruth.txt", box)
    check_counts(len(images), len(boxes), folder / "groundtruth.txt", images[0].parent)
    return Sequence(
        name=folder.name,
        frames=ImageFiles(images),
        boxes=boxes,
        polygons=polygons,
        masks=masks,
        tags=_read_tags(folder, len(boxes)),
        fps=read_fps(read_keys(folder / "sequence"), "fps"),
    )


Truth = tuple[np.ndarray, np.ndarray | None, tuple[Mask | None, ...] | None]


def _read_regions(path: Path, box: Callable) -> Truth:
    """Boxes (T, 4) and, if the file contains them, polygons (T, 8) or T masks."""
    lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    if any(line.startswith("m") for line in lines):
        masks = _read_masks(path, lines)
        absent = np.full(4, np.nan)
        return np.array([absent if mask is None else mask.box for mask in masks]), None, masks
    columns = _count_columns(path, lines)
    regions = read_numbers(path, columns, codes=True)  # (T, 4) or (T, 8)
    regions[~np.isfinite(regions).all(axis=1)] = np.nan
    boxes = regions if columns == 4 else box(regions)
    boxes[~is_valid(boxes)] = np.nan
    return boxes, None if columns == 4 else regions, None


def _read_masks(path: Path, lines: list[str]) -> tuple[Mask | None, ...]:
    """A mask for each line; None for a code, rows of NaN, and masks without pixels or, as VOT's
    toolkit reads them, one pixel wide."""
    masks: list[Mask | None] = []
    for number, line in enumerate(lines, start=1):
        if is_code(line) or set(line.lower().split(",")) == {"nan"}:
            masks.append(None)
            continue
        try:
            mask = Mask.from_text(line)
        except DataError as problem:
            raise DataError(
                f"{path}, line {number}: {problem}. Fetch the sequence again."
            ) from None
        masks.append(mask if mask.width > 1 else None)
    return tuple(masks)


def _count_columns(path: Path, lines: list[str]) -> int:
    """4 or 8, by the first row that is no code; raises DataError if it has another number."""
    first = next((line for line in lines if line and not is_code(line)), "")
    columns = len(split_row(first))
    separators = {found.strip() for found in re.findall(r"\s*[,;]\s*|\s+", first.rstrip(",;"))}
    if columns == 8 and len(separators) > 1:
        raise DataError(
            f"{path} begins with {first[:80]!r}, which has several kinds of separators; expected "
            "one. A decimal comma turns 4 numbers into 8: use points."
        )
    if columns not in (4, 8):
        raise DataError(
            f"{path} begins with {first[:40]!r}; expected rows of 4 numbers (a box), of 8 (a "
            "polygon), or masks (m10,20,…)"
        )
    return columns


def _read_tags(folder: Path, length: int) -> dict[str, np.ndarray]:
    """Per-frame tags (length,) bool by name; after a file's early end, tags are 0. "anchor", if it
    is there, is above 0 where a run forward starts and below 0 where one backward does."""
    paths = files_like(folder, "*.tag", "*.label")
    tags = {path.stem: read_labels(path, length, pad=True) > 0 for path in paths}
    path = folder / "anchor.value"
    return tags | {"anchor": _read_anchors(path, length)} if path.is_file() else tags


def _read_anchors(path: Path, length: int) -> np.ndarray:
    """A number (length,) for each frame, 0 after the file's early end."""
    values = read_numbers(path, columns=1)[:, 0]
    if len(values) > length or np.isnan(values).any():
        raise DataError(
            f"{path} has {len(values)} values for {length} frames, {np.isnan(values).sum()} of "
            "which are not numbers; expected -1, 0 or 1 for each frame. Fetch the sequence again."
        )
    return np.concatenate([values, np.zeros(length - len(values))])
