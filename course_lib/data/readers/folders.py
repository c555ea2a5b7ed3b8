"""Shared by all layouts: images in order, the rows that belong to them, messages about missing
data."""

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
    """Whether a name is data: hidden files, partial downloads and system folders are not."""
    return not name.startswith(".") and name not in NOT_DATA


def folders_with(folder: Path, pattern: str) -> list[Path]:
    """Folders that contain a file such as "*/groundtruth.txt", in the order of their numbers.

    Raises PermissionError if a folder may not be read, so that no sequence goes missing silently.
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

    Empty if the folder does not exist. Raises PermissionError if it may not be read.
    """
    entries = os.scandir(folder) if folder.is_dir() else []
    names = [entry.name for entry in entries if is_visible(entry.name) and entry.is_file()]
    fitting = [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]
    return [folder / name for name in sorted(fitting, key=lambda n: (by_number(Path(n).stem), n))]


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their numbers; hidden files are skipped.

    Raises MissingDataError if the folder is missing or contains no image, DataError if two images
    have the same number.
    """
    images = [p for p in files_like(folder, "*") if p.name.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        raise MissingDataError(
            f"0 images found in {folder} (looked for *.jpg, *.png, *.bmp): fetch the sequence again"
        )
    for one, other in pairwise(images):
        if by_number(one.stem) == by_number(other.stem):
            raise DataError(
                f"{folder} contains {one.name} and {other.name}, two images with the same number; "
                "expected one per frame. Remove one of them."
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
    """Boxes (T, 4), 0-based, from a file with x, y, w, h per line; rows with NaN or without area
    become NaN.

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
    """Check that a file has one row for each image of a folder.

    Args:
        images, rows: the two counts.
        path: path of the file.
        folder: folder of the images.

    Raises:
        DataError: the counts, which are named, differ.
    """
    if images != rows:
        raise DataError(
            f"{path} has {rows} rows, but {folder} has {images} images; "
            "expected one row per image. Fetch the sequence again or correct its files."
        )


def frames_and_boxes(
    images: list[Path], path: Path, only_first_row: bool = False
) -> tuple[ImageFiles, np.ndarray]:
    """Frames of image files, and the boxes (T, 4) of an annotation file, one row per frame.

    Args:
        images: files, in the order of the video.
        path: path of the annotation file.
        only_first_row: whether the file may hold the first box only, because the benchmark
            withholds its ground truth; the other rows are then NaN.
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
        path: path of the file.
        length: number of frames.
        pad: whether a shorter file is padded with 0.
        highest: the largest valid number, if there is one.

    Raises:
        DataError: a label is not valid or their number is wrong; the message names the file, and
            the line or both counts.
    """
    lines = read_text(path).rstrip().splitlines()
    labels = [
        _label(word, path, number, highest)
        for number, line in enumerate(lines, start=1)
        if line.strip()
        for word in split_row(line)
    ]
    if pad and not all(line.strip() for line in lines):
        pad = False  # after an empty line, it is unclear which frame the next label belongs to
    labels += [0] * (length - len(labels)) if pad else []
    if len(labels) != length:
        raise DataError(
            f"{path} has {len(labels)} values for {length} frames; expected one per frame. Fetch "
            "it again."
        )
    return np.array(labels, dtype=np.int64)


def _label(word: str, path: Path, line: int, highest: int | None) -> int:
    if not re.fullmatch(r"[0-9]{1,6}(\.0*)?", word):
        raise DataError(
            f"{path} contains {word[:40]!r}; expected whole numbers, one per frame (line {line}). "
            "Fetch the sequence again."
        )
    if highest is not None and float(word) > highest:
        raise DataError(
            f"{path} contains {word}; expected 0 to {highest} (line {line}). Fetch the sequence "
            "again."
        )
    return int(float(word))


def read_keys(path: Path) -> dict[str, str]:
    """Lines `key=value` or `key: value` of a settings file; section headings and other lines are
    skipped."""
    lines = read_text(path).splitlines() if path.is_file() else []
    pairs = [re.split(r"\s*[=:]\s*", line.strip(), maxsplit=1) for line in lines]
    return {pair[0].lower(): pair[1] for pair in pairs if len(pair) == 2}


def read_fps(keys: dict[str, str], key: str) -> float | None:
    """Frames per second under `key`: "30", "10Hz", "29,97", "30000/1001"; None if there are
    none."""
    number = r"([0-9]+(?:[.,][0-9]+)?)"
    match = re.fullmatch(rf"{number}(?:\s*/\s*{number})?\s*(hz|fps)?", keys.get(key, "").lower())
    if match is None:
        return None
    count, seconds = (float((match[i] or "1").replace(",", ".")) for i in (1, 2))
    return count / seconds if count > 0 and seconds > 0 else None


def nothing_found(folder: Path, pattern: str, remedy: str) -> MissingDataError:
    """The error for a folder without sequences.

    Args:
        folder: where they should be.
        pattern: the file pattern that was looked for.
        remedy: what to do about it.
    """
    where = str(folder) if folder.is_dir() else f"{folder}, which does not exist"
    where = f"{folder}, which is not a folder" if folder.is_file() else where
    return MissingDataError(f"0 sequences found in {where} (looked for {pattern}): {remedy}")


def missing_names(missing: Items[str], whole: object) -> str:
    """How many names are missing and the first few of them, in words."""
    few = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    return f"{len(missing)} sequences of {whole} are missing ({few})"
