"""Annotated videos: boxes and a line of text drawn into every frame of an MP4."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from course_lib.errors import CourseError
from course_lib.plots import PREDICTION, TRUTH


def annotate(
    frame: np.ndarray, predicted: np.ndarray, truth: np.ndarray | None = None, text: str = ""
) -> np.ndarray:
    """A copy of a frame (H, W, 3) with the true box (solid green), the tracker's (dashed vermilion), a line of text."""
    picture = np.ascontiguousarray(frame.copy())
    if truth is not None and np.isfinite(truth).all():
        x, y, w, h = (round(float(v)) for v in truth)
        cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), _rgb(TRUTH), 2)
    _dashed(picture, predicted, _rgb(PREDICTION))
    if text:
        cv2.putText(
            picture, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA
        )
        cv2.putText(
            picture, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
        )
    return picture


def write_video(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write frames (H, W, 3) as MP4; the file appears under its name only when it is whole.

    Every frame is scaled to the size of the first. Raises CourseError if there is no frame or OpenCV cannot write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part.mp4")
    writer, size = None, (0, 0)
    try:
        for frame in frames:
            if writer is None:
                size = (
                    frame.shape[1] // 2 * 2,
                    frame.shape[0] // 2 * 2,
                )  # the codec wants even sides
                writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
                if not writer.isOpened():
                    raise CourseError(
                        f"OpenCV cannot write {path}: its build has no MP4 encoder. Install opencv-python from its wheel."
                    )
            fitting = frame if (frame.shape[1], frame.shape[0]) == size else cv2.resize(frame, size)
            writer.write(cv2.cvtColor(fitting, cv2.COLOR_RGB2BGR))
        if writer is None:
            raise CourseError(f"no frame to write into {path}")
        writer.release()
        os.replace(temporary, path)
    finally:
        if writer is not None:
            writer.release()
        temporary.unlink(missing_ok=True)


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _dashed(
    picture: np.ndarray, box: np.ndarray, colour: tuple[int, int, int], dash: int = 6
) -> None:
    """Draw a box (4,) with dashes of `dash` pixels."""
    if not np.isfinite(box).all():
        return
    x, y, w, h = (round(float(v)) for v in box)
    right, bottom = x + w - 1, y + h - 1
    for start in range(x, right + 1, 2 * dash):
        end = min(start + dash, right)
        for row in (y, bottom):
            cv2.line(picture, (start, row), (end, row), colour, 2)
    for start in range(y, bottom + 1, 2 * dash):
        end = min(start + dash, bottom)
        for column in (x, right):
            cv2.line(picture, (column, start), (column, end), colour, 2)
