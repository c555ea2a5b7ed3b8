"""TrackingNet: `TEST/frames/<id>/0.jpg`, `TEST/anno/<id>.txt`; numbers start at 0 and are not
padded.

The test split contains the first box only. Ids may begin with "-" or "_".
"""

from __future__ import annotations

from pathlib import Path

from course_lib.data.readers.folders import (
    by_number,
    files_like,
    frames_and_boxes,
    list_images,
    nothing_found,
)
from course_lib.data.sequence import Sequence

REMEDY = "unpack TrackingNet there or pass --root"


def read_trackingnet(folder: Path) -> list[Sequence]:
    """Every sequence of one split, a folder such as `TEST` or `TRAIN_0`, sorted by id.

    Raises MissingDataError if there is none, DataError, naming the file, if a file does not follow
    the layout.
    """
    withheld = folder.name == "TEST"
    annotations = sorted(files_like(folder / "anno", "*.txt"))
    if not annotations:
        raise nothing_found(folder, "anno/*.txt", REMEDY)
    return [_read_sequence(folder / "frames" / path.stem, path, withheld) for path in annotations]


def read_trackingnet_train(folder: Path) -> list[Sequence]:
    """Every sequence of those splits `TRAIN_0` … `TRAIN_11` that exist.

    Raises MissingDataError if there is none.
    """
    found = (path for path in folder.glob("TRAIN_*") if path.is_dir())
    splits = sorted(found, key=lambda path: by_number(path.name))
    if not splits:
        raise nothing_found(folder, "TRAIN_*/anno/*.txt", REMEDY)
    return [sequence for split in splits for sequence in read_trackingnet(split)]


def _read_sequence(folder: Path, annotation: Path, withheld: bool) -> Sequence:
    frames, boxes = frames_and_boxes(list_images(folder), annotation, only_first_row=withheld)
    return Sequence(annotation.stem, frames, boxes)
