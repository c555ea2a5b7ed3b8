"""Frames: `uint8`, H×W×3, RGB, read when they are asked for.

A source of frames has a length and gives frame i. Frames of one source may differ in size:
nothing in the course assumes that they do not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from collections.abc import Sequence as Items
from pathlib import Path

import cv2
import numpy as np

from course_lib.errors import DataError, MissingDataError


def as_frame(image: np.ndarray) -> np.ndarray:
    """An image as a frame: a grey one (H, W) or (H, W, 1) becomes three equal channels.

    Raises DataError unless the image is uint8 with 1 or 3 channels and at least one pixel.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if (
        image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] not in (1, 3)
        or image.size == 0
    ):
        raise DataError(
            f"a frame has shape {image.shape} and type {image.dtype}; expected uint8 (height, width, 3) in RGB, "
            "or (height, width) for a grey one. Values in 0…1 need `(255 * image).astype(np.uint8)`."
        )
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    return image


def read_image(path: Path | str) -> np.ndarray:
    """Frame (H, W, 3) from an image file; a grey file gives three equal channels.

    Raises MissingDataError if there is no such file, DataError if it does not decode.
    """
    path = Path(path)
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError:
        raise MissingDataError(f"frame {path} does not exist; fetch the sequence again") from None
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if image is None:
        raise DataError(
            f"frame {path} ({encoded.size} bytes) does not decode as an image; "
            "it is probably cut short: fetch the sequence again"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class Frames(ABC):
    """T frames with a length and an index; negative indices and `for` loops work as on a list."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _read(self, index: int) -> np.ndarray:
        """Frame `index`, 0 ≤ index < len."""

    def __getitem__(self, index: int) -> np.ndarray:
        T = len(self)
        if not -T <= index < T:
            raise IndexError(f"frame {index} asked for, but there are {T}")
        return self._read(index % T)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._read(i) for i in range(len(self)))

    def part(self, start: int, stop: int | None = None) -> Frames:
        """Frames start … stop − 1, still read when asked for."""
        return PartOfFrames(self, range(len(self))[start:stop])


class ImageFiles(Frames):
    """One image file a frame. `paths` (T) are in the order of the video."""

    def __init__(self, paths: Items[Path | str]) -> None:
        self.paths = [Path(p) for p in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def _read(self, index: int) -> np.ndarray:
        return read_image(self.paths[index])


class ArrayFrames(Frames):
    """Frames already in memory: an array (T, H, W, 3) or a list of images."""

    def __init__(self, images: np.ndarray | Items[np.ndarray]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def _read(self, index: int) -> np.ndarray:
        return as_frame(self.images[index])


class PartOfFrames(Frames):
    """Some frames of another source."""

    def __init__(self, whole: Frames, indices: Items[int]) -> None:
        self.whole, self.indices = whole, indices

    def __len__(self) -> int:
        return len(self.indices)

    def _read(self, index: int) -> np.ndarray:
        return self.whole[self.indices[index]]


class VideoFile(Frames):
    """Frames of a video file, decoded in order; going backwards seeks.

    Raises MissingDataError if there is no such file, DataError if it does not decode.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise MissingDataError(
                f"video {self.path} does not exist; give the path of a video file"
            )
        self._capture = cv2.VideoCapture(str(self.path))
        self._length = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if not self._capture.isOpened() or self._length < 1:
            raise DataError(
                f"video {self.path} does not open as a video; expected MP4, AVI, MOV, WebM or similar"
            )
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS)) or None
        self._next = 0

    def __len__(self) -> int:
        return self._length

    def _read(self, index: int) -> np.ndarray:
        if index != self._next:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        good, image = self._capture.read()
        self._next = index + 1
        if not good:
            raise DataError(
                f"video {self.path}: frame {index} of {self._length} does not decode; "
                "the file is probably cut short. Convert it again or use the frames before."
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
