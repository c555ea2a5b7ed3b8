"""What the layouts share: images in order, rows that belong to them, what is missing in words."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence as Items
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_numbers, read_text, split_row
from course_lib.geometry.boxes import is_valid

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
NOT_DATA = ("__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information")


def by_number(name: str) -> list:
    """Sort key under which "2.jpg" comes before "10.jpg", padded with zeros or not."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]


def is_visible(name: str) -> bool:
    """Whether a name is data: hidden files, work in progress and what systems add are not."""
    return not name.startswith(".") and name not in NOT_DATA


def folders_with(folder: Path, pattern: str) -> list[Path]:
    """Folders that hold a file, such as "*/groundtruth.txt", in the order of their numbers.

    Raises PermissionError where a folder may not be read: no sequence goes missing in silence.
    """
    *levels, marker = pattern.split("/")
    places = [folder] if folder.is_dir() else []
    for _ in levels:
        inner = (entry for place in places for entry in os.scandir(place))
        places = [Path(entry) for entry in inner if is_visible(entry.name) and entry.is_dir()]
    return sorted((p for p in places if _holds(p, marker)), key=lambda path: by_number(path.name))


def _holds(folder: Path, marker: str) -> bool:
    if "*" in marker:
        return any(fnmatch(name, marker) for name in os.listdir(folder))
    try:
        os.stat(folder / marker)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def files_like(folder: Path, *patterns: str) -> list[Path]:
    """Visible files of a folder whose names match a pattern, in the order of their numbers.

    Without the folder there are none. Raises PermissionError where it may not be read.
    """
    entries = os.scandir(folder) if folder.is_dir() else []
    names = [entry.name for entry in entries if is_visible(entry.name) and entry.is_file()]
    fitting = [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]
    return [folder / name for name in sorted(fitting, key=lambda n: (by_number(Path(n).stem), n))]


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their numbers; hidden files are passed over.

    Raises MissingDataError if the folder is missing or holds no image, DataError if two images
    have one number.
    """
    images = [p for p in files_like(folder, "*") if p.name.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        raise MissingDataError(
            f"0 images found in {folder} (looked for *.jpg, *.png, *.bmp): fetch the sequence again"
        )
    for one, other in pairwise(images):
        if by_number(one.stem) == by_number(other.stem):
            raise DataError(
                f"{folder} holds {one.name} and {other.name}, two images of one number; "
                "expected one a frame. Take one of them away."
            )
    return images


def numbered_from(images: Items[Path], first: int, last: int) -> list[Path]:
    """The images whose names are numbers from `first` to `last`.

    Args:
        images: files, in the order of the video.
        first, last: numbers, both included.
    """
    return [p for p in images if p.stem.isdecimal() and first <= int(p.stem) <= last]


def read_boxes(path: Path, first_pixel: int = 0) -> np.ndarray:
    """Boxes (T, 4), 0-based, of a file with x, y, w, h a line; rows with NaN or without area become
    NaN.

    Raises MissingDataError if there is no such file, DataError if it is empty or a row is not four
    numbers.
    """
    if not path.exists():
        raise MissingDataError(f"ground truth {path} does not exist: fetch the sequence again")
    boxes = read_numbers(path, columns=4) - np.array([first_pixel, first_pixel, 0, 0])
    if len(boxes) == 0:
        raise DataError(
            f"{path} is empty; expected one row of x, y, w, h for each frame. Fetch the sequence "
            "again."
        )
    boxes[~is_valid(boxes)] = np.nan
    return boxes


def check_counts(images: int, rows: int, path: Path, folder: Path) -> None:
    """Whether a file has a row for each image of a folder.

    Args:
        images, rows: the two counts.
        path: of the file.
        folder: of the images.

    Raises:
        DataError: naming both counts, if they differ.
    """
    if images != rows:
        raise DataError(
            f"{path} has {rows} rows, but {folder} has {images} images; "
            "expected one row per image. Fetch the sequence again or correct its files."
        )


def frames_and_boxes(
    images: list[Path], path: Path, only_first_row: bool = False
) -> tuple[ImageFiles, np.ndarray]:
    """Frames of images, and the boxes (T, 4) of a file, one row for each.

    Args:
        images: files, in the order of the video.
        path: of the boxes.
        only_first_row: whether the file may also hold the first box alone, as where a benchmark
            withholds its ground truth; the rest is then NaN.
    """
    boxes = read_boxes(path)
    if only_first_row and len(boxes) == 1:
        boxes = np.concatenate([boxes, np.full((len(images) - 1, 4), np.nan)])
    check_counts(len(images), len(boxes), path, images[0].parent)
    return ImageFiles(images), boxes


def read_labels(
    path: Path, length: int, pad: bool = False, highest: int | None = None
) -> np.ndarray:
    """Whole numbers (length,), one per frame, in a column or a row.

    Args:
        path: the file.
        length: how many frames there are.
        pad: whether a shorter file is filled up with 0.
        highest: the largest number that has a meaning, if there is one.

    Raises:
        DataError: naming the file, and the line or both counts, otherwise.
    """
    lines = read_text(path).rstrip().splitlines()
    labels = [
        _label(word, path, number, highest)
        for number, line in enumerate(lines, start=1)
        if line.strip()
        for word in split_row(line)
    ]
    if pad and not all(line.strip() for line in lines):
        pad = False  # after an empty line in between, it is not known whose the next label is
    labels += [0] * (length - len(labels)) if pad else []
    if len(labels) != length:
        raise DataError(
            f"{path} has {len(labels)} values for {length} frames; expected one each. Fetch it "
            "again."
        )
    return np.array(labels, dtype=np.int64)


def _label(word: str, path: Path, line: int, highest: int | None) -> int:
    if not re.fullmatch(r"[0-9]{1,6}(\.0*)?", word):
        raise DataError(
            f"{path} holds {word[:40]!r}; expected whole numbers, one per frame (line {line}). "
            "Fetch the sequence again."
        )
    if highest is not None and float(word) > highest:
        raise DataError(
            f"{path} holds {word}; expected 0 to {highest} (line {line}). Fetch the sequence again."
        )
    return int(float(word))


def read_keys(path: Path) -> dict[str, str]:
    """Lines `key=value` or `key: value` of a settings file; section heads and other lines are
    passed over."""
    lines = read_text(path).splitlines() if path.is_file() else []
    pairs = [re.split(r"\s*[=:]\s*", line.strip(), maxsplit=1) for line in lines]
    return {pair[0].lower(): pair[1] for pair in pairs if len(pair) == 2}


def read_fps(keys: dict[str, str], key: str) -> float | None:
    """Frames per second under `key`: "30", "10Hz", "29,97", "30000/1001"; None without one."""
    number = r"([0-9]+(?:[.,][0-9]+)?)"
    match = re.fullmatch(rf"{number}(?:\s*/\s*{number})?\s*(hz|fps)?", keys.get(key, "").lower())
    if match is None:
        return None
    count, seconds = (float((match[i] or "1").replace(",", ".")) for i in (1, 2))
    return count / seconds if count > 0 and seconds > 0 else None


def nothing_found(folder: Path, pattern: str, remedy: str) -> MissingDataError:
    """The error of a folder without sequences.

    Args:
        folder: where they should be.
        pattern: what was looked for.
        remedy: what to do.
    """
    where = str(folder) if folder.is_dir() else f"{folder}, which does not exist"
    where = f"{folder}, which is no folder" if folder.is_file() else where
    return MissingDataError(f"0 sequences found in {where} (looked for {pattern}): {remedy}")


def missing_names(missing: Items[str], whole: object) -> str:
    """How many are missing and the first of them, in words."""
    few = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    return f"{len(missing)} sequences of {whole} are missing ({few})"
