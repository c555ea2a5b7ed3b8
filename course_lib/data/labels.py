"""Boxes that somebody drew, from the files of labelling programs: CSV here, COCO's JSON and CVAT's
XML in `labels_coco` and `labels_cvat`.

Each label is one target in one frame. `boxes_by_target` puts them in the order of the frames, and
refuses what cannot be right, naming the place in the file.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_text
from course_lib.lookup import load

# by suffix, what reads a file of labels
READERS = {
    ".csv": "course_lib.data.labels:read_csv",
    ".txt": "course_lib.data.labels:read_csv",
    ".json": "course_lib.data.labels_coco:read_coco_labels",
    ".xml": "course_lib.data.labels_cvat:read_cvat_labels",
}
# columns of a CSV file by what is meant: corner and size, or two corners
SIZED = {"x": "x left", "y": "y top", "w": "w width", "h": "h height"}
CORNERS = {"x1": "x1 xmin", "y1": "y1 ymin", "x2": "x2 xmax", "y2": "y2 ymax"}
FRAME, TARGET = "frame image file filename", "target track track_id id object label"
ABSENT = np.full(4, np.nan)
COLUMNS = (
    "expected columns frame, x, y, w, h (or x1, y1, x2, y2), and target if there are several; or "
    "no header and one line x,y,w,h for each frame"
)


@dataclass(frozen=True, eq=False)
class Label:
    """One target in one frame.

    Attributes:
        target: its name, "" if the file names none.
        frame: number of the frame as the file counts, or the name of its image file.
        box: (4,) x, y, w, h in pixels as the file counts them; NaN where it says "absent".
        where: place in the file, for messages.
        lines: number of lines in a file with one for each frame; None where labels name frames.
    """

    target: str
    frame: int | str
    box: np.ndarray
    where: str
    lines: int | None = None


def read_labels_of(path: Path) -> list[Label]:
    """The labels in a file, by its suffix.

    Raises MissingDataError if there is no such file, DataError if it is not understood.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no file of labels {path}; check the path")
    if path.suffix.lower() not in READERS:
        more = " Unpack it, and give the file inside." if path.suffix.lower() == ".zip" else ""
        raise DataError(
            f"{path} is not a known kind of label file; expected .csv or .txt (x,y,w,h), .json "
            f"(COCO) or .xml (CVAT).{more}"
        )
    labels = load(READERS[path.suffix.lower()])(path)
    if not labels:
        raise DataError(f"{path} holds no box; expected one for each frame with the target")
    return labels


def read_csv(path: Path) -> list[Label]:
    """Labels of a CSV file, with commas, semicolons or tabs, with or without a header.

    Empty lines are skipped below a header. Without one the number of the line is that of the frame,
    so an empty line before the last box is refused.

    Raises DataError naming file, line and value.
    """
    lines = read_text(path).splitlines()
    numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        return []
    sign = max(",;\t", key=numbered[0][1].count)
    rows = [
        (f"{path}, line {n}", [word.strip() for word in next(csv.reader([line], delimiter=sign))])
        for n, line in numbered
    ]
    if all(_is_number(word) for word in rows[0][1]):
        _refuse_gap(path, [n for n, _ in numbered])
        return [_plain(where, row, t, len(rows)) for t, (where, row) in enumerate(rows)]
    columns = _columns(*rows[0])
    return [_row(where, row, columns, len(rows[0][1])) for where, row in rows[1:]]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _refuse_gap(path: Path, numbers: list[int]) -> None:
    """Raise DataError unless the lines with a box, counted from 1, are the first of the file."""
    empty = next((n for n, found in enumerate(numbers, start=1) if n != found), None)
    if empty is not None:
        raise DataError(
            f"{path}, line {empty}: it is empty, so it is unclear which frame the next line belongs "
            "to; expected x,y,w,h, or nan,nan,nan,nan for an absent target"
        )


def _plain(where: str, row: list[str], t: int, lines: int) -> Label:
    if len(row) != 4:
        raise DataError(f"{where}: {','.join(row)[:80]!r} has {len(row)} fields; {COLUMNS}")
    return Label("", t, box_from(row, where), where, lines)


def _columns(where: str, header: list[str]) -> dict[str, int]:
    """Index of each column by what is meant; raises DataError unless frame and box are there."""
    names = [word.strip('"').lower() for word in header]
    found = {}
    for meant, known in {"frame": FRAME, "target": TARGET, **SIZED, **CORNERS}.items():
        fitting = [i for i, name in enumerate(names) if name in known.split()]
        if len(fitting) > 1:
            raise DataError(
                f"{where}: the columns {' and '.join(names[i] for i in fitting)} both mean "
                f"{meant}; expected one of them"
            )
        found |= {meant: fitting[0]} if fitting else {}
    boxed = [kind for kind in (SIZED, CORNERS) if kind.keys() <= found.keys()]
    if "frame" not in found or len(boxed) != 1:
        raise DataError(f"{where}: the columns are {', '.join(names)}; {COLUMNS}")
    return {k: found[k] for k in ("frame", "target", *boxed[0]) if k in found}


def _row(where: str, row: list[str], columns: dict[str, int], count: int) -> Label:
    if len(row) != count:
        raise DataError(f"{where}: {len(row)} fields; expected {count}, as in the header")
    said = {meant: row[i] for meant, i in columns.items()}
    kind = CORNERS if "x2" in said else SIZED
    box = box_from([said[k] for k in kind], where, corners=kind is CORNERS)
    frame = said["frame"]
    return Label(said.get("target", ""), int(frame) if frame.isdecimal() else frame, box, where)


def box_from(words: Items[object], where: str, corners: bool = False) -> np.ndarray:
    """Box (4,) from four numbers or their texts; four that are empty or NaN are an absent target.

    Args:
        words: x, y, w, h.
        where: place in the file, for messages.
        corners: whether they are x1, y1, x2, y2.

    Raises:
        DataError: if they are not numbers, or the box has no area.
    """
    shown = ", ".join(str(word)[:20] for word in words)
    if all(str(word).strip().lower() in ("", "nan") for word in words):
        return ABSENT.copy()
    numbers = [float(word) if _is_number(str(word)) else math.nan for word in words]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise DataError(
            f"{where}: the box is {shown}; expected four numbers, or four times nan for an absent "
            "target"
        )
    box = np.array(numbers)
    box[2:] -= box[:2] if corners else 0
    if (box[2:] <= 0).any():
        told = "x2 above x1 and y2 above y1" if corners else "w and h above 0"
        raise DataError(f"{where}: the box is {shown}; expected {told}")
    return box


def boxes_by_target(
    labels: Iterable[Label],
    frames: Items[str] | int,
    first_frame: int = 0,
    first_pixel: int = 0,
) -> dict[str, np.ndarray]:
    """Boxes (T, 4) of each target, counted from 0; NaN where it has no label.

    Args:
        labels: in any order.
        frames: names of the T image files in order, or T for a video.
        first_frame: number of the first frame in the file.
        first_pixel: number of the top-left pixel in the file.

    Raises:
        DataError: a frame does not exist, two labels are of one target in one frame, or a file that
            should have one line for each frame has more or fewer.
    """
    count = frames if isinstance(frames, int) else len(frames)
    places = {} if isinstance(frames, int) else {name: t for t, name in enumerate(frames)}
    found: dict[str, np.ndarray] = {}
    given: dict[tuple[str, int], str] = {}
    for label in labels:
        if label.lines not in (None, count):
            raise DataError(
                f"{label.where}: the file has no header, so each of the {count} frames needs a "
                f"line, but it has {label.lines}; write nan,nan,nan,nan where the target is absent"
            )
        t = _place(label, places, count, first_frame)
        if (label.target, t) in given:
            name = f"target {label.target!r}" if label.target else "the target"
            raise DataError(
                f"{label.where}: a second box of {name} in frame {label.frame} (the first: "
                f"{given[label.target, t]}); expected one, or a name for each target"
            )
        given[label.target, t] = label.where
        boxes = found.setdefault(label.target, np.full((count, 4), np.nan))  # (T, 4)
        boxes[t] = label.box - [first_pixel, first_pixel, 0, 0]
    return found


def _place(label: Label, places: dict[str, int], count: int, first_frame: int) -> int:
    """Index of a label's frame."""
    if isinstance(label.frame, str) and places:
        name = re.split(r"[/\\]", label.frame)[-1]
        if name not in places:
            some = ", ".join(islice(places, 3))
            raise DataError(
                f"{label.where}: there is no frame {label.frame!r}; the {count} images are {some}"
                ", …"
            )
        return places[name]
    number = label.frame if isinstance(label.frame, int) else number_in(label.frame)
    if number is None or not 0 <= number - first_frame < count:
        last = first_frame + count - 1
        raise DataError(
            f"{label.where}: the frame is {label.frame!r}; expected {first_frame} to {last}. If "
            f"the file counts from {1 - first_frame}, add --first-frame {1 - first_frame}."
        )
    return number - first_frame


def number_in(name: str) -> int | None:
    """The last number in a file's name, 12 in "frame_000012.PNG"; None if there is none."""
    found: Iterator[str] = iter(re.findall(r"[0-9]{1,9}", Path(name).stem)[-1:])
    return next((int(digits) for digits in found), None)
