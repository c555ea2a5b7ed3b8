"""UAV123: `data_seq/UAV123/<folder>/000001.jpg`, `anno/UAV123/<name>.txt`; NaN where the target is
absent; attributes in `anno/UAV123/att/<name>.txt`.

Several sequences may be parts of one video. A table, `uav123.json`, lists their frame ranges:

    {"UAV123": {"<name>": {"folder_name": "<folder>", "start_frame": 1, "end_frame": 200}, …}}

Without the table, only sequences that are whole videos can be read.
"""

from __future__ import annotations

import sys
from pathlib import Path

from course_lib.data.frames import ImageFiles
from course_lib.data.readers.attributes import UAV123, read_attributes
from course_lib.data.readers.folders import (
    check_counts,
    files_like,
    list_images,
    nothing_found,
    numbered_from,
    read_boxes,
)
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.files import plain_name, read_json

REMEDY = "run `python data_scripts/uav123.py` or pass --root"


def read_uav123(folder: Path) -> list[Sequence]:
    """Every sequence of a UAV123 folder, sorted by name.

    Raises MissingDataError if there is none, or the table is needed and missing; DataError, naming
    the file, if a file does not follow the layout.
    """
    annotations = files_like(folder / "anno" / "UAV123", "*.txt")
    if not annotations:
        raise nothing_found(folder, "anno/UAV123/*.txt", REMEDY)
    table = _read_table(folder / "uav123.json")
    return [_read_sequence(folder, path, table) for path in annotations]


def _read_table(path: Path) -> dict[str, tuple[str, int, int]]:
    """Folder, first and last frame number by sequence name; empty if there is no file."""
    if not path.is_file():
        return {}
    table = read_json(path, "fetch the table again: the GOT-10k toolkit ships it")
    try:
        return {
            n: (plain_name(r["folder_name"], "a folder_name"), _whole(r, "start"), _whole(r, "end"))
            for n, r in table["UAV123"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not UAV123's table ({type(error).__name__}: {error}); "
            'expected {"UAV123": {name: {"folder_name", "start_frame", "end_frame"}}}'
        ) from error


def _whole(row: dict, which: str) -> int:
    """Number of the start or end frame; raises ValueError unless it is a whole number."""
    number = row[f"{which}_frame"]
    if isinstance(number, bool) or int(number) != float(number):
        raise ValueError(f"{which}_frame is {number!r}")
    return int(number)


def _read_sequence(
    folder: Path, annotation: Path, table: dict[str, tuple[str, int, int]]
) -> Sequence:
    name, boxes = annotation.stem, read_boxes(annotation)
    video, first, last = table.get(name, (name, 0, sys.maxsize))
    video = folder / "data_seq" / "UAV123" / video
    if name not in table and not video.is_dir():
        raise _table_needed(name, folder, f"there is no {video}")
    images = numbered_from(list_images(video), first, last)
    if name not in table and len(images) != len(boxes):
        raise _table_needed(
            name, folder, f"{annotation} has {len(boxes)} rows, {video} has {len(images)} images"
        )
    check_counts(len(images), len(boxes), annotation, video)
    found = read_attributes(annotation.parent / "att" / annotation.name, UAV123)
    return Sequence(name, ImageFiles(images), boxes, found)


def _table_needed(name: str, folder: Path, why: str) -> MissingDataError:
    return MissingDataError(
        f"the frame range of UAV123's sequence {name} is not known ({why}): put the table of "
        f"frame ranges at {folder / 'uav123.json'}; the GOT-10k toolkit ships it as "
        "got10k/datasets/uav123.json"
    )
