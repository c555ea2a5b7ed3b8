"""Frames: `uint8`, H×W×3, RGB, read on demand.

A source of frames has a length and an index. Its frames may differ in size: nothing in the course
assumes that they are equal.
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

DEPTHS = (8, 10, 12, 14, 16)  # bits per value that cameras use
SAMPLE = 16  # frames of a video from which its depth is estimated


def read_image(path: Path | str) -> np.ndarray:
    """Frame (H, W, 3) from an image file; a grey image gets three equal channels.

    JPEG files are rotated by their EXIF orientation, as in OpenCV and the public toolkits; an alpha
    channel is dropped. Values stored in 16 bits are scaled to 8 by the image's own depth (see
    `depth_of`), or in a video by the depth of all its frames (see `ImageFiles`).

    Raises MissingDataError if there is no such file, DataError if it cannot be read or does not
    decode.
    """
    image = _decode(Path(path))
    return image if image.dtype == np.uint8 else _scaled(image, depth_of([image]), Path(path))


def depth_of(images: Iterable[np.ndarray]) -> int:
    """Bits that images stored in 16 bits really use: the smallest of 8, 10, 12, 14 and 16 that
    holds all their values.

    A file does not record that its camera delivered 12 bits, so the values must tell.
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
            "short, damaged, or in a format that OpenCV does not read: fetch the sequence again, "
            "or convert it to PNG"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"frame {path} holds values of type {image.dtype}; expected unsigned 8 or 16 bits: "
            "convert it to PNG"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def decode_image(encoded: bytes, what: str) -> np.ndarray:
    """Frame (H, W, 3) from the bytes of an image file of 8 bits, such as a JPEG.

    Raises DataError, which says `what` did not decode.
    """
    image = _decoded(np.frombuffer(encoded, np.uint8))
    if image is None or image.dtype != np.uint8:
        raise DataError(
            f"{what} ({len(encoded)} bytes) does not decode as an image of 8 bits; expected a whole "
            "JPEG or PNG file"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decoded(encoded: np.ndarray) -> np.ndarray | None:
    """BGR (H, W, 3) of an encoded image, or None."""
    try:
        return (
            cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if encoded.size else None
        )
    except cv2.error:  # for example, the header declares more pixels than OpenCV will allocate
        return None


def _scaled(image: np.ndarray, depth: int, path: Path) -> np.ndarray:
    """A uint16 image (H, W, 3) of `depth` bits as uint8: 0 stays 0, the highest value becomes
    255."""
    _say_depth(path.parent, depth)
    if image.max() >= 2**depth:
        _say_too_bright(path, depth)
    return cv2.convertScaleAbs(image, alpha=255 / (2**depth - 1))  # rounds, and saturates at 255


@cache  # warns once per folder
def _say_depth(folder: Path, depth: int) -> None:
    warnings.warn(
        f"the images in {folder} are stored in 16 bits and use {depth}: every value is multiplied "
        f"by 255 / {2**depth - 1} and rounded, to make 8-bit frames",
        stacklevel=2,
    )


@cache
def _say_too_bright(path: Path, depth: int) -> None:
    warnings.warn(
        f"frame {path} is brighter than the {depth} bits that {SAMPLE} others of its video use; "
        "brighter values are clipped to white. Convert the video to 8 bits to choose the scale "
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
        """The file of each frame; empty if the frames are not files."""
        return []

    def __getitem__(self, index: int) -> np.ndarray:
        T = len(self)
        if isinstance(index, slice):
            raise TypeError(
                "frames are read one by one, frames[t]; frames.part(1) leaves out the first"
            )
        if not -T <= index < T:
            raise IndexError(f"frame {index} requested, but there are only {T}")
        return self._read(index % T)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._read(i) for i in range(len(self)))

    def part(self, start: int, stop: int | None = None) -> Frames:
        """Frames start … stop − 1, still read on demand."""
        return PartOfFrames(self, range(len(self))[start:stop])

    def identity(self) -> str:
        """A SHA-256 sum that tells these frames from others without decoding any.

        Files contribute their names and sizes. Frames drawn by code contribute only their class and
        number: their content is identified by a name and a version elsewhere.
        """
        path = getattr(self, "path", None)  # set for a video
        whole = f"{type(self).__name__} {len(self)}" if path is None else stamps([path])
        return digest(whole)


def stamps(paths: Items[Path]) -> str:
    """Names and sizes of files, in order; size −1 if a file is missing."""
    return "".join(f"{path.name}\n{_size(path)}\n" for path in paths)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:  # reading the frame will raise, and then for this sequence alone
        return -1


class ImageFiles(Frames):
    """One image file per frame. `paths` (T) are in the order of the video.

    Frames stored in 16 bits are all scaled to 8 by one factor, so that the video does not flicker:
    by the depth of up to `SAMPLE` frames spread evenly over it.
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
        """Sum of the files' names and sizes, as they were when first requested."""
        return digest(self._stamps)

    @cached_property
    def depth(self) -> int:
        """Bits that frames stored in 16 bits use."""
        return depth_of(self._spread())

    def _spread(self) -> Iterator[np.ndarray]:
        for k in np.unique(np.linspace(0, len(self.paths) - 1, SAMPLE).round().astype(int)):
            with suppress(DataError):  # reading that frame itself will raise
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
        """Sum of the whole source's identity and the indices of these frames."""
        return digest(self.whole.identity(), np.asarray(self.indices, dtype=np.int64))
