"""LaSOT: `<class>/<class>-<n>/img/00000001.jpg`, `groundtruth.txt`, `full_occlusion.txt`,
`out_of_view.txt`.

A target that is fully occluded or out of view is absent: its row is NaN. LaSOT's own toolkit counts
such a frame as a miss, and so does a report on "lasot" (see `evaluation/rules.py`); other toolkits
leave it out. Attributes are read from `att/<class>-<n>.txt` if they are there: LaSOT's evaluation
toolkit ships them in `annos/att`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from course_lib.data.readers.attributes import LASOT, read_attributes
from course_lib.data.readers.folders import (
    by_number,
    folders_with,
    frames_and_boxes,
    list_images,
    nothing_found,
    read_labels,
)
from course_lib.data.readers.lists import chosen
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, MissingDataError

REMEDY = "run `python data_scripts/lasot.py` or pass --root"
LISTS = "put LaSOT's own list there, fetch what is missing, or delete the lines of missing videos"


def read_lasot(folder: Path) -> list[Sequence]:
    """Every sequence of a LaSOT folder, or those named in its testing_set.txt if it has one.

    Sequences may be in folders by class, or all in one folder. Raises MissingDataError if there is
    none or a listed one is missing, DataError, naming the file, if a file does not follow the
    layout.
    """
    found, tested = _videos(folder), folder / "testing_set.txt"
    videos = chosen(found, tested, REMEDY) if os.path.lexists(tested) else found
    return [read_sequence(path, folder) for path in videos]


def read_lasot_train(folder: Path) -> list[Sequence]:
    """The sequences named in training_set.txt if it exists, else all not in testing_set.txt.

    Test videos must not be trained on. Raises MissingDataError if there is no sequence, no
    testing_set.txt, or a listed video is missing; DataError if a line of a list is not understood
    or a video is in both lists.
    """
    found, tested = _videos(folder), folder / "testing_set.txt"
    if not os.path.lexists(tested):
        raise MissingDataError(f"{tested} does not exist; put LaSOT's list of test sequences there")
    apart = set(chosen(found, tested, LISTS))
    rest = _to_train_on(found, apart, folder)
    if not rest:
        raise MissingDataError(
            f"all {len(found)} sequences in {folder} are test sequences: fetch others as well"
        )
    return [read_sequence(path, folder) for path in rest]


def _to_train_on(found: list[Path], apart: set[Path], folder: Path) -> list[Path]:
    path = folder / "training_set.txt"
    if not os.path.lexists(path):
        return [video for video in found if video not in apart]
    listed = chosen(found, path, LISTS)
    both = [video.name for video in listed if video in apart]
    if both:
        raise DataError(
            f"{path} names {', '.join(both[:5])}, which testing_set.txt names too; expected no "
            "video in both lists: fetch the lists again"
        )
    return listed


def _videos(folder: Path) -> list[Path]:
    """Folders of sequences, all in one folder or in folders by class."""
    patterns = ("*/groundtruth.txt", "*/*/groundtruth.txt")
    found = [path for pattern in patterns for path in folders_with(folder, pattern)]
    if not found:
        raise nothing_found(folder, " and ".join(patterns), REMEDY)
    return sorted(found, key=lambda path: by_number(path.name))


def read_sequence(folder: Path, top: Path | None = None) -> Sequence:
    """One LaSOT sequence, with the attributes that `top`, the dataset's folder, has for it.

    Tags: "full_occlusion", "out_of_view", and "absent" for either of them.
    """
    frames, boxes = frames_and_boxes(list_images(folder / "img"), folder / "groundtruth.txt")
    tags = {
        name: _read_flags(folder / f"{name}.txt", len(boxes))
        for name in ("full_occlusion", "out_of_view")
    }
    tags["absent"] = tags["full_occlusion"] | tags["out_of_view"]
    boxes[tags["absent"]] = np.nan
    found = read_attributes((top or folder) / "att" / f"{folder.name}.txt", LASOT)
    return Sequence(folder.name, frames, boxes, found, tags=tags)


def _read_flags(path: Path, length: int) -> np.ndarray:
    if not path.is_file():
        raise MissingDataError(
            f"{path} does not exist; LaSOT's scores need it. Fetch the sequence again."
        )
    return read_labels(path, length, highest=1) > 0
