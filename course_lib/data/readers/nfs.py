"""NfS (Need for Speed): `<video>/30/<video>/00001.jpg` and `<video>/30/<video>.txt`, the same with
240 for the camera's own 240 frames per second.

Kiani Galoogahi et al.: Need for Speed: A Benchmark for Higher Frame Rate Object Tracking, ICCV
2017. A row of a text file is one frame, as the annotation tool VATIC writes it: track, xmin, ymin,
xmax, ymax, frame, lost, occluded, generated, "label". The files of the 30 fps version still have
the rows of all 240: every eighth counts. Some videos have one row or one image more; the last one
is left out. A target that is lost is absent; other toolkits score its box all the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.readers.folders import (
    by_number,
    files_like,
    folders_with,
    list_images,
    nothing_found,
)
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.files import read_text
from course_lib.geometry.boxes import is_valid

REMEDY = "fetch NfS from its site and unpack its videos there, or pass --root"
RATIO = 8  # rows for each image of the 30 fps version


def read_nfs30(folder: Path) -> list[Sequence]:
    """Every sequence of NfS at 30 frames per second, sorted by name; see `read_nfs`."""
    return read_nfs(folder, 30)


def read_nfs240(folder: Path) -> list[Sequence]:
    """Every sequence of NfS at 240 frames per second, sorted by name; see `read_nfs`."""
    return read_nfs(folder, 240)


def read_nfs(folder: Path, fps: int) -> list[Sequence]:
    """Every sequence of an NfS folder at a frame rate, 30 or 240.

    Tags: "lost", "occluded". Raises MissingDataError if there is none, DataError, naming the file,
    if a file does not follow the layout.
    """
    places = [p for p in folders_with(folder, "*/*/*.txt") if p.name == str(fps)]
    notes = [path for place in places for path in files_like(place, "*.txt")]
    found = [path for path in notes if path.with_suffix("").is_dir()]  # with images of that name
    if not found:
        raise nothing_found(folder, f"*/{fps}/*.txt and the images beside it", REMEDY)
    return [read_sequence(path, fps) for path in sorted(found, key=lambda p: by_number(p.stem))]


def read_sequence(path: Path, fps: int) -> Sequence:
    """The sequence of an annotation file, at 30 or 240 frames per second."""
    images, rows = list_images(path.parent / path.stem), _read_rows(path)  # rows are (T, 7)
    if fps == 30 and len(rows) > len(images) + 1:
        rows = rows[::RATIO]
    length = min(len(images), len(rows))
    if max(len(images), len(rows)) - length > 1:
        raise DataError(
            f"{path} has {len(rows)} rows for the {len(images)} images in {path.parent / path.stem}"
            "; expected one per image, one more in all, or, at 30 frames per second, eight per "
            "image. Fetch the sequence again."
        )
    boxes = rows[:length, :4].copy()  # (T, 4) xmin, ymin, xmax, ymax
    boxes[:, 2:] -= boxes[:, :2]
    lost, occluded = rows[:length, 5] > 0, rows[:length, 6] > 0  # (T,)
    boxes[lost | ~is_valid(boxes)] = np.nan
    tags = {"lost": lost, "occluded": occluded}
    return Sequence(path.stem, ImageFiles(images[:length]), boxes, tags=tags, fps=float(fps))


def _read_rows(path: Path) -> np.ndarray:
    """Corners, frame, lost and occluded (T, 7) of the rows, in the order of their frames."""
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            rows.append(_row(line, f"{path}, line {number}"))
    if not rows:
        raise DataError(f"{path} is empty; expected one row for each frame. Fetch it again.")
    table = np.array(rows)  # (T, 8): track first
    if (table[:, 0] != table[0, 0]).any() or (np.diff(table[:, 5]) != 1).any():
        raise DataError(
            f"{path} has rows of several tracks, or not one for each frame in order; expected one "
            "track and every frame once. Fetch it again."
        )
    return table[:, 1:]


def _row(line: str, where: str) -> list[float]:
    words = line.partition('"')[0].split()
    try:
        numbers = [float(word) for word in words[:8]]
    except ValueError:
        numbers = []
    if len(numbers) < 8 or not np.isfinite(numbers).all():
        raise DataError(
            f"{where}: {line.strip()[:80]!r}; expected track, xmin, ymin, xmax, ymax, frame, lost, "
            "occluded, …"
        )
    return numbers
