"""LaSOT: `<class>/<class>-<n>/img/00000001.jpg`, `groundtruth.txt`, `full_occlusion.txt`, `out_of_view.txt`.

A target that is fully occluded or out of view is absent: its row is NaN. LaSOT's own toolkit counts
such a frame as missed, and so does a report on "lasot" (see `evaluation/rules.py`); other toolkits leave it out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from course_lib.data.readers.folders import (
    frames_and_boxes,
    list_images,
    listed_folders,
    read_labels,
)
from course_lib.data.sequence import Sequence
from course_lib.errors import MissingDataError

REMEDY = "run `python data_scripts/lasot.py` or pass --root"


def read_lasot(folder: Path) -> list[Sequence]:
    """Every sequence of a LaSOT folder, or those named in its testing_set.txt if it has one.

    Sequences may stand in folders of their class or all beside each other. Raises MissingDataError if there is
    none or a listed one is missing, DataError naming the file if one is not as the layout promises.
    """
    flat = any(folder.glob("*/groundtruth.txt"))
    pattern = "*/groundtruth.txt" if flat else "*/*/groundtruth.txt"
    return [
        read_sequence(path) for path in listed_folders(folder, pattern, REMEDY, "testing_set.txt")
    ]


def read_lasot_train(folder: Path) -> list[Sequence]:
    """Every sequence of a LaSOT folder that its testing_set.txt does not name.

    Raises MissingDataError if there is none, or no testing_set.txt: nothing must be trained on that is tested on.
    """
    flat = any(folder.glob("*/groundtruth.txt"))
    pattern = "*/groundtruth.txt" if flat else "*/*/groundtruth.txt"
    found = listed_folders(folder, pattern, REMEDY, list_name="")
    if not (folder / "testing_set.txt").is_file():
        raise MissingDataError(
            f"{folder / 'testing_set.txt'} does not exist; put LaSOT's list of test sequences there"
        )
    tested = set((folder / "testing_set.txt").read_text(encoding="utf-8").split())
    return [read_sequence(path) for path in found if path.name not in tested]


def read_sequence(folder: Path) -> Sequence:
    """One LaSOT sequence. Tags: "full_occlusion", "out_of_view" and "absent", which is either of them."""
    frames, boxes = frames_and_boxes(list_images(folder / "img"), folder / "groundtruth.txt")
    tags = {
        name: _read_flags(folder / f"{name}.txt", len(boxes))
        for name in ("full_occlusion", "out_of_view")
    }
    tags["absent"] = tags["full_occlusion"] | tags["out_of_view"]
    boxes[tags["absent"]] = np.nan
    return Sequence(folder.name, frames, boxes, tags=tags)


def _read_flags(path: Path, length: int) -> np.ndarray:
    if not path.is_file():
        raise MissingDataError(
            f"{path} does not exist; LaSOT's scores need it. Fetch the sequence again."
        )
    return read_labels(path, length) > 0
