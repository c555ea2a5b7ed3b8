"""Checkpoints: everything a run needs to go on as if it had never stopped, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from course_lib.errors import CourseError, DataError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` beside `path` under another name, flush it to the disk, then rename.

    Whatever happens on the way, `path` is the old checkpoint or the new one. Raises CourseError naming the file if
    the disk is full or does not take it; the old one is then still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    # torch reports a disk that fills up while it writes as RuntimeError
    except (OSError, RuntimeError) as problem:
        kept = f"{path} of an earlier step is kept" if path.is_file() else "there is no earlier one"
        raise CourseError(
            f"checkpoint {path} could not be written ({problem}); {kept}. "
            "Make room on the disk and run the same command again: training goes on from the last checkpoint."
        ) from problem
    finally:
        part.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state stored in `path`, or None if there is no such file. Only tensors and plain values are read.

    Raises DataError naming the file if it is damaged.
    """
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        raise DataError(
            f"checkpoint {path} ({path.stat().st_size} bytes) cannot be read ({type(problem).__name__}: {problem}); "
            "delete it to start the run anew"
        ) from problem
