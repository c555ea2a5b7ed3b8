"""ImageNet-VID: `Data/VID/train/ILSVRC2015_VID_train_000k/<video>/000000.JPEG`,
`Annotations/VID/…/000000.xml`.

One XML file per frame, with every object in view under its track number; a sequence here is one
track of one video. Corners are the first and last pixel, so a width is xmax − xmin + 1. Tracks with
fewer than two boxes are left out.

A million small files take minutes to read, so their boxes are cached in `tracks.json` beside them
and read from there as long as name, size and modification time of the XML files are unchanged.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.readers.folders import nothing_found
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.files import digest, read_json, read_text, write_whole

REMEDY = "unpack ILSVRC2015-VID there or pass --root"
PARTS = ("train", "val")
OBJECT = re.compile(r"<object>(.*?)</object>", re.DOTALL)
XML_NAME = re.compile(r"[0-9]+\.xml")
NUMBER = r"-?[0-9]+(?:\.[0-9]*)?"
FORMAT = 2  # of tracks.json; 1 did not say what it was made of

Tracks = dict[str, dict[str, dict[str, list[float]]]]  # video → track → frame → box
Files = dict[Path, list[os.DirEntry]]  # video's folder of annotations → its XML files


def read_vid(folder: Path) -> list[Sequence]:
    """Every track of train and val, named `<video>.<track>`; frames in which a track is not
    annotated are NaN.

    Raises MissingDataError if there is none, DataError, naming the file, if a file does not follow
    the layout.
    """
    files = _annotations(folder)
    identity = _identity(files)
    tracks = _cached(folder / "tracks.json", identity if files else None)
    if tracks is None:
        tracks = _read_all(folder, files)
        content = {"format": FORMAT, "made_of": identity, "sum": _sum(tracks), "tracks": tracks}
        with suppress(OSError):  # on a read-only disk, they are read again the next time
            write_whole(folder / "tracks.json", json.dumps(content) + "\n")
    return [
        _sequence(folder, video, track, boxes)
        for video, by in tracks.items()
        for track, boxes in by.items()
    ]


def _annotations(folder: Path) -> Files:
    """The XML files of each video, in order; no file is opened."""
    notes = folder / "Annotations" / "VID"
    found = {}
    for part in PARTS:
        for video in _folders(notes / part):
            entries = [e for e in os.scandir(video) if XML_NAME.fullmatch(e.name)]
            if any(e.name == "000000.xml" for e in entries):
                found[video] = sorted(entries, key=lambda e: e.name)
    return dict(sorted(found.items()))


def _folders(folder: Path) -> Iterator[Path]:
    """Folders one and two levels down: train's videos are in four subfolders, val's in none."""
    for depth in ("*/", "*/*/"):
        yield from folder.glob(depth)


def _identity(files: Files) -> str:
    """Digest of the XML files' names, sizes and modification times."""
    return digest(*(f"{video} {_stamps(entries)}" for video, entries in files.items()))


def _stamps(entries: list[os.DirEntry]) -> str:
    stats = [(e.name, e.stat()) for e in entries]
    return " ".join(f"{name} {s.st_size} {s.st_mtime_ns}" for name, s in stats)


def _sum(tracks: Tracks) -> str:
    return digest(json.dumps(tracks))


def _cached(path: Path, identity: str | None) -> Tracks | None:
    """The tracks cached in a file, if it is undamaged and made from these annotations; without
    annotations (None) any cache is accepted."""
    try:
        content = read_json(path, "")
    except (DataError, OSError):
        return None
    good = (
        content.get("format") == FORMAT
        and identity in (None, content.get("made_of"))
        and _sum(content.get("tracks")) == content.get("sum")
    )
    return content["tracks"] if good else None


def _read_all(folder: Path, files: Files) -> Tracks:
    if not files:
        raise nothing_found(folder, "Annotations/VID/train/**/000000.xml", REMEDY)
    tracks: Tracks = {}
    for video, entries in files.items():
        by: dict[str, dict[str, list[float]]] = {}
        for entry in entries:
            for track, box in _read_frame(Path(entry.path)):
                by.setdefault(track, {})[entry.name.removesuffix(".xml")] = box
        name = video.relative_to(folder / "Annotations" / "VID").as_posix()
        tracks[name] = {track: boxes for track, boxes in by.items() if len(boxes) >= 2}
    return tracks


def _read_frame(path: Path) -> list[tuple[str, list[float]]]:
    """Track and box of each object in one XML file."""
    text = read_text(path)
    objects = OBJECT.findall(text)
    if not text.strip() or text.count("<object>") != len(objects):
        raise DataError(f"{path} is empty or cut short. Unpack the archive again.")
    found = []
    for inner in objects:
        numbers = [
            re.search(rf"<{tag}>\s*({NUMBER})\s*</{tag}>", inner)
            for tag in ("trackid", "xmin", "ymin", "xmax", "ymax")
        ]
        if None in numbers:
            raise DataError(
                f"{path}: an object without trackid or bndbox; expected both. Unpack the archive "
                "again."
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
