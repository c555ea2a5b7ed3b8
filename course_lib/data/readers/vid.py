"""ImageNet-VID: `Data/VID/train/ILSVRC2015_VID_train_000k/<video>/000000.JPEG`, `Annotations/VID/…/000000.xml`.

One XML a frame, with every object in view under its track number; a sequence here is one track of one video. Corners are
the first and last pixel, so a width is xmax − xmin + 1. Tracks with fewer than two boxes are left out.

A million small files take minutes to read: their boxes are kept in `tracks.json` beside them and read from there.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.readers.folders import nothing_found
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.files import write_whole

REMEDY = "unpack ILSVRC2015-VID there or pass --root"
PARTS = ("train", "val")
OBJECT = re.compile(r"<object>(.*?)</object>", re.DOTALL)

Tracks = dict[str, dict[str, dict[str, list[float]]]]  # video → track → frame → box


def read_vid(folder: Path) -> list[Sequence]:
    """Every track of train and val, named `<video>.<track>`; frames in which a track is not annotated are NaN.

    Raises MissingDataError if there is none, DataError naming the file if one is not as the layout promises.
    """
    kept = folder / "tracks.json"
    tracks = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else _read_all(folder)
    if not kept.is_file():
        with suppress(OSError):  # on a disk one may not write to they are read again the next time
            write_whole(kept, json.dumps(tracks) + "\n")
    return [
        _sequence(folder, video, track, boxes)
        for video, by in tracks.items()
        for track, boxes in by.items()
    ]


def _read_all(folder: Path) -> Tracks:
    notes = folder / "Annotations" / "VID"
    videos = sorted(
        {path.parent for part in PARTS for path in (notes / part).glob("**/000000.xml")}
    )
    if not videos:
        raise nothing_found(folder, "Annotations/VID/train/**/000000.xml", REMEDY)
    tracks: Tracks = {}
    for video in videos:
        by: dict[str, dict[str, list[float]]] = {}
        for path in sorted(video.glob("*.xml")):
            for track, box in _read_frame(path):
                by.setdefault(track, {})[path.stem] = box
        tracks[video.relative_to(notes).as_posix()] = {
            track: boxes for track, boxes in by.items() if len(boxes) >= 2
        }
    return tracks


def _read_frame(path: Path) -> list[tuple[str, list[float]]]:
    """Track and box of each object in one XML."""
    found = []
    for text in OBJECT.findall(path.read_text(encoding="utf-8", errors="replace")):
        numbers = [
            re.search(rf"<{tag}>\s*(-?[0-9.]+)\s*</{tag}>", text)
            for tag in ("trackid", "xmin", "ymin", "xmax", "ymax")
        ]
        if None in numbers:
            raise DataError(
                f"{path}: an object without trackid or bndbox; expected both. Unpack the archive again."
            )
        track, x0, y0, x1, y1 = (float(n[1]) for n in numbers)
        found.append((str(int(track)), [x0, y0, x1 - x0 + 1, y1 - y0 + 1]))
    return found


def _sequence(folder: Path, video: str, track: str, by_frame: dict[str, list[float]]) -> Sequence:
    """The frames from a track's first to its last box."""
    first, last = int(min(by_frame)), int(max(by_frame))
    names = [f"{k:06d}" for k in range(first, last + 1)]
    boxes = np.array([by_frame.get(name, [np.nan] * 4) for name in names])
    frames = ImageFiles([folder / "Data" / "VID" / video / f"{name}.JPEG" for name in names])
    return Sequence(f"{Path(video).name}.{track}", frames, boxes)
