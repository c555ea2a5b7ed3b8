"""What the layouts share: images in order, rows that belong to them, and sentences for what is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence as Items
from pathlib import Path

import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_numbers
from course_lib.geometry.boxes import is_valid

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def by_number(name: str) -> list:
    """Sort key under which "2.jpg" comes before "10.jpg", padded with zeros or not."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in the order of their numbers; hidden files are passed over.

    Raises MissingDataError if the folder is missing or holds no image.
    """
    names = os.listdir(folder) if folder.is_dir() else []
    images = sorted(
        (n for n in names if n.lower().endswith(IMAGE_SUFFIXES) and not n.startswith(".")),
        key=by_number,
    )
    if not images:
        raise MissingDataError(
            f"0 images found in {folder} (looked for *.jpg, *.png, *.bmp): fetch the sequence again"
        )
    return [folder / name for name in images]


def read_boxes(path: Path, first_pixel: int = 0) -> np.ndarray:
    """Boxes (T, 4), 0-based, of a file with x, y, w, h a line; rows with NaN or without area become NaN.

    Raises MissingDataError if there is no such file, DataError if it is empty or a row is not four numbers.
    """
    if not path.is_file():
        raise MissingDataError(f"ground truth {path} does not exist: fetch the sequence again")
    boxes = read_numbers(path, columns=4) - np.array([first_pixel, first_pixel, 0, 0])
    if len(boxes) == 0:
        raise DataError(
            f"{path} is empty; expected one row of x, y, w, h for each frame. Fetch the sequence again."
        )
    boxes[~is_valid(boxes)] = np.nan
    return boxes


def check_counts(images: int, rows: int, path: Path, folder: Path) -> None:
    """Raise DataError, naming both counts, unless `path` has a row for each image of `folder`."""
    if images != rows:
        raise DataError(
            f"{path} has {rows} rows, but {folder} has {images} images; "
            "expected one row per image. Fetch the sequence again or correct its files."
        )


def frames_and_boxes(
    images: list[Path], path: Path, only_first_row: bool = False
) -> tuple[ImageFiles, np.ndarray]:
    """Frames of the images and the boxes (T, 4) of the file `path`, one row for each.

    With `only_first_row` the file may also hold the first box alone, as where a benchmark withholds its
    ground truth; the rest is then NaN.
    """
    boxes = read_boxes(path)
    if only_first_row and len(boxes) == 1:
        boxes = np.concatenate([boxes, np.full((len(images) - 1, 4), np.nan)])
    check_counts(len(images), len(boxes), path, images[0].parent)
    return ImageFiles(images), boxes


def read_labels(path: Path, length: int, pad: bool = False) -> np.ndarray:
    """Whole numbers (length,), one per frame, in a column or a row.

    With `pad` a shorter file is filled up with 0. Raises DataError naming the file and both counts otherwise.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    words = re.split(r"[,\s]+", text.strip().strip(",")) if text.strip() else []
    strange = next((word for word in words if not re.fullmatch(r"[0-9]+(\.0*)?", word)), None)
    if strange is not None:
        raise DataError(
            f"{path} holds {strange!r}; expected whole numbers, one per frame. Fetch the sequence again."
        )
    labels = np.array([float(word) for word in words]).astype(np.int64)
    if pad and len(labels) < length:
        labels = np.pad(labels, (0, length - len(labels)))
    if len(labels) != length:
        raise DataError(
            f"{path} has {len(labels)} values for {length} frames; expected one each. Fetch it again."
        )
    return labels


def read_keys(path: Path) -> dict[str, str]:
    """Lines `key=value` or `key: value` of a settings file; section heads and other lines are passed over."""
    lines = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    )
    pairs = [re.split(r"\s*[=:]\s*", line.strip(), maxsplit=1) for line in lines]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def read_fps(keys: dict[str, str], key: str) -> float | None:
    """Frames per second under `key`, such as "30" or "10Hz"; None where it is not given."""
    number = re.match(r"[0-9]+(\.[0-9]+)?", keys.get(key, ""))
    return float(number[0]) if number and float(number[0]) > 0 else None


def listed_folders(
    folder: Path, pattern: str, remedy: str, list_name: str = "list.txt"
) -> list[Path]:
    """Sequence folders of a benchmark: the names in its list file if it has one, else every match of `pattern`.
    An empty `list_name` asks for every match.

    `pattern` leads to a file or folder that each sequence must hold, such as "*/groundtruth.txt". Raises
    MissingDataError with `remedy`, what to do, if there are none or listed ones are missing.
    """
    found = sorted(
        {path.parent for path in folder.glob(pattern)}, key=lambda path: by_number(path.name)
    )
    if not found:
        raise nothing_found(folder, pattern, remedy)
    if not list_name or not (folder / list_name).is_file():
        return found
    names = (folder / list_name).read_text(encoding="utf-8", errors="replace").split()
    by_name = {path.name: path for path in found}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise MissingDataError(
            f"{missing_names(missing, folder / list_name)} in {folder}: {remedy}"
        )
    return [by_name[name] for name in names]


def nothing_found(folder: Path, pattern: str, remedy: str) -> MissingDataError:
    """The error of a folder without sequences: where, what was looked for, what to do."""
    where = str(folder) if folder.is_dir() else f"{folder}, which does not exist"
    return MissingDataError(f"0 sequences found in {where} (looked for {pattern}): {remedy}")


def missing_names(missing: Items[str], whole: object) -> str:
    """How many are missing and the first of them, in words."""
    few = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    return f"{len(missing)} sequences of {whole} are missing ({few})"
