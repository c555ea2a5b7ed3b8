"""GOT-10k: `<split>/<name>/00000001.jpg`, `groundtruth.txt`, `absence.label`, `cover.label`,
`meta_info.ini`.

Rows marked in `absence.label` are NaN. Tags: "absent" and "cut_by_image" (bool), "cover" (0–8,
visible eighths). The test split contains the first box only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from course_lib.data.readers.folders import (
    frames_and_boxes,
    list_images,
    read_fps,
    read_keys,
    read_labels,
)
from course_lib.data.readers.lists import listed_folders
from course_lib.data.sequence import Sequence

SPLITS = ("train", "val", "test")


def read_got10k(folder: Path) -> list[Sequence]:
    """Every sequence of one split, the folder `train`, `val` or `test`, in the order of its
    list.txt.

    Raises MissingDataError if there is none or a listed one is missing, DataError, naming the file,
    if a file does not follow the layout.
    """
    withheld = folder.name == "test"
    remedy = f"run `python data_scripts/got10k.py --split {folder.name}` or pass --root"
    return [
        read_sequence(path, withheld)
        for path in listed_folders(folder, "*/groundtruth.txt", remedy)
    ]


def read_sequence(folder: Path, withheld: bool = False) -> Sequence:
    """One GOT-10k sequence; `withheld` if its ground truth may end after the first row."""
    frames, boxes = frames_and_boxes(
        list_images(folder), folder / "groundtruth.txt", only_first_row=withheld
    )
    tags = _read_tags(folder, len(frames))
    if "absent" in tags:
        boxes[tags["absent"]] = np.nan
    fps = read_fps(read_keys(folder / "meta_info.ini"), "anno_fps")
    return Sequence(folder.name, frames, boxes, tags=tags, fps=fps)


def _read_tags(folder: Path, length: int) -> dict[str, np.ndarray]:
    files = {
        "absent": "absence.label",
        "cover": "cover.label",
        "cut_by_image": "cut_by_image.label",
    }
    tags = {
        tag: read_labels(folder / name, length, highest=8 if tag == "cover" else 1)
        for tag, name in files.items()
        if (folder / name).is_file()
    }
    return {tag: values if tag == "cover" else values > 0 for tag, values in tags.items()}
