"""Text files: numbers read with the line named when it is wrong, writes that are whole or not there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from course_lib.errors import DataError


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """The numbers (rows, columns) of a text file with comma, tab or space between them; "nan" is a number.

    Raises DataError naming the file, the line and what stands there.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        words = re.split(r"[,\s]+", line.strip())
        if words == [""]:
            continue
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != columns:
            raise DataError(f"{path}, line {number}: {line.strip()!r}; expected {columns} number{'s' * (columns > 1)}")
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def write_whole(path: Path, text: str) -> None:
    """Write to a temporary name beside `path`, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
