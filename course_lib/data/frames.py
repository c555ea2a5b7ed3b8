"""Frames: `uint8`, H×W×3, RGB, read when they are asked for.

A source of frames has a length and gives frame i. Frames of one source may differ in size:
nothing in the course assumes that they do not.
"""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Items
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from course_lib.errors import DataError, MissingDataError, os_error_in_words
from course_lib.files import digest
from course_lib.geometry.frame import as_frame

DEPTHS = (8, 10, 12, 14, 16)  # bits a value, as cameras give them
SAMPLE = 16  # frames of a video looked at to find out its depth


def read_image(path: Path | str) -> np.ndarray:
    """Frame (H, W, 3) from an image file; a grey file gives three equal channels.

    JPEG is turned as its EXIF orientation says, as OpenCV and the public toolkits do; an alpha
    channel is left out. Values stored in 16 bits are scaled to 8 by the image's own depth (see
    `depth_of`); of a video, by that of all its frames (see `ImageFiles`).

    Raises MissingDataError if there is no such file, DataError if it cannot be read or does not
    decode.
    """
    image = _decode(Path(path))
    return image if image.dtype == np.uint8 else _scaled(image, depth_of([image]), Path(path))


def depth_of(images: Iterable[np.ndarray]) -> int:
    """Bits that images stored in 16 bits really have: the fewest of 8, 10, 12, 14 and 16 that hold
    them all.

    A file does not say that its camera gave 12 bits, so its values have to.
    """
    highest = max((int(image.max()) for image in images if image.dtype == np.uint16), default=65535)
    return next(bits for bits in DEPTHS if highest < 2**bits)


def _decode(path: Path) -> np.ndarray:
    """RGB (H, W, 3) as stored, uint8 or uint16."""
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError:
        raise MissingDataError(f"frame {path} does not exist; fetch the sequence again") from None
    except OSError as problem:
        raise DataError(f"frame {path} cannot be read: {os_error_in_words(problem)}") from None
    image = _decoded(encoded)
    if image is None:
        raise DataError(
            f"frame {path} ({encoded.size} bytes) does not decode as an image; it is probably cut "
            "short, damaged, or of a kind that OpenCV does not read: fetch the sequence again, or "
            "convert it to PNG"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"frame {path} holds values of type {image.dtype}; expected 8 or 16 bits without a "
            "sign: convert it to PNG"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decoded(encoded: np.ndarray) -> np.ndarray | None:
    """BGR (H, W, 3) of an encoded image, or None."""
    try:
        return (
            cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if encoded.size else None
        )
    except cv2.error:  # such as a header that promises more pixels than OpenCV will make room for
        return None


def _scaled(image: np.ndarray, depth: int, path: Path) -> np.ndarray:
    """An image (H, W, 3) uint16 of so many bits as uint8: 0 stays 0, the highest value becomes
    255."""
    _say_depth(path.parent, depth)
    if image.max() >= 2**depth:
        _say_too_bright(path, depth)
    return cv2.convertScaleAbs(image, alpha=255 / (2**depth - 1))  # rounds, and stops at 255


@cache  # one sentence a folder
def _say_depth(folder: Path, depth: int) -> None:
    warnings.warn(
        f"the images in {folder} are stored in 16 bits and use {depth}: every value is multiplied "
        f"by 255 / {2**depth - 1} and rounded, to make frames of 8 bits",
        stacklevel=2,
    )


@cache
def _say_too_bright(path: Path, depth: int) -> None:
    warnings.warn(
        f"frame {path} is brighter than the {depth} bits that {SAMPLE} others of its video use; "
        "what is above is shown as white. Convert the video to 8 bits to choose the scale "
        "yourself.",
        stacklevel=2,
    )


class Frames(ABC):
    """T frames with a length and an index; negative indices and `for` loops work as on a list."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _read(self, index: int) -> np.ndarray:
        """Frame `index`, 0 ≤ index < len."""

    @property
    def files(self) -> list[Path]:
        """The file of each frame, where each has one; else nothing."""
        return []

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

    def identity(self) -> str:
        """A SHA-256 sum that tells these frames from others without decoding one.

        Files count by name and size. Of frames that code draws only kind and number count: what
        they show has a name and a version of its own.
        """
        path = getattr(self, "path", None)  # of a video
        whole = f"{type(self).__name__} {len(self)}" if path is None else stamps([path])
        return digest(whole)


def stamps(paths: Items[Path]) -> str:
    """Names and sizes of files, in order; size −1 of one that is not there."""
    return "".join(f"{path.name}\n{_size(path)}\n" for path in paths)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # whoever reads the frame says so, for this sequence alone
        return -1


class ImageFiles(Frames):
    """One image file a frame. `paths` (T) are in the order of the video.

    Frames stored in 16 bits are all scaled to 8 by one factor, so that a video does not flicker:
    by the depth of up to `SAMPLE` frames evenly spread over it.
    """

    def __init__(self, paths: Items[Path | str]) -> None:
        self.paths = [Path(p) for p in paths]

    @property
    def files(self) -> list[Path]:
        """The paths, in the order of the video."""
        return self.paths

    @cached_property
    def _stamps(self) -> str:
        return stamps(self.paths)

    def identity(self) -> str:
        """Sum of the files' names and sizes, as they were when it was first asked for."""
        return digest(self._stamps)

    @cached_property
    def depth(self) -> int:
        """Bits that frames stored in 16 bits use."""
        return depth_of(self._spread())

    def _spread(self) -> Iterator[np.ndarray]:
        for k in np.unique(np.linspace(0, len(self.paths) - 1, SAMPLE).round().astype(int)):
            with suppress(DataError):  # a frame that is asked for says so itself
                yield _decode(self.paths[k])

    def __len__(self) -> int:
        return len(self.paths)

    def _read(self, index: int) -> np.ndarray:
        image = _decode(self.paths[index])
        return image if image.dtype == np.uint8 else _scaled(image, self.depth, self.paths[index])


class ArrayFrames(Frames):
    """Frames already in memory: an array (T, H, W, 3) or a list of images."""

    def __init__(self, images: np.ndarray | Items[np.ndarray]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def _read(self, index: int) -> np.ndarray:
        return as_frame(self.images[index])

    def identity(self) -> str:
        """Sum of the pixels: frames in memory have no names."""
        return digest(*(np.asarray(image) for image in self.images))


class PartOfFrames(Frames):
    """Some frames of another source."""

    def __init__(self, whole: Frames, indices: Items[int]) -> None:
        self.whole, self.indices = whole, indices

    @property
    def files(self) -> list[Path]:
        """The files of these frames."""
        files = self.whole.files
        return [files[i] for i in self.indices] if files else []

    def __len__(self) -> int:
        return len(self.indices)

    def _read(self, index: int) -> np.ndarray:
        return self.whole[self.indices[index]]

    def identity(self) -> str:
        """Sum of the whole source and of which frames of it these are."""
        return digest(self.whole.identity(), np.asarray(self.indices, dtype=np.int64))
