"""Frames as JPEG files in memory and in a temporary file: small enough to be sent one by one, and
to be kept by the thousand."""

from __future__ import annotations

import tempfile
import threading

import cv2
import numpy as np

from course_lib.data.frames import Frames, decode_image
from course_lib.errors import DataError
from course_lib.files import digest


def jpeg_of(frame: np.ndarray, scale: float = 1.0, quality: int = 85) -> bytes:
    """A frame as a JPEG file.

    Args:
        frame: (H, W, 3) uint8.
        scale: of the image in the file; 1 or more leaves the frame's size.
        quality: of the JPEG, up to 100.

    Raises:
        DataError: if the frame does not encode.
    """
    H, W = frame.shape[:2]
    if scale < 1:
        size = (max(1, round(W * scale)), max(1, round(H * scale)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    good, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not good:
        raise DataError(
            f"a frame of {W}×{H} pixels does not encode as JPEG; give frames of uint8 (H, W, 3)"
        )
    return jpeg.tobytes()


class JpegFrames(Frames):
    """Frames that were given as JPEG files one by one, and are kept in a temporary file: memory
    does not grow with their number. One thread may add frames while others read them."""

    def __init__(self) -> None:
        # closed, and with it deleted, when this object goes
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._lock = threading.Lock()  # the file has one position, shared by all reads and writes
        self._offsets = [0]  # frame i is in the bytes from number i to number i + 1

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def add(self, jpeg: bytes) -> np.ndarray:
        """Keep one more frame; returns it decoded (H, W, 3).

        Raises DataError, and keeps nothing, if it does not decode.
        """
        image = decode_image(jpeg, f"frame {len(self)}")
        with self._lock:
            self._file.seek(self._offsets[-1])
            self._file.write(jpeg)
            self._offsets.append(self._offsets[-1] + len(jpeg))
        return image

    def jpeg(self, index: int) -> bytes:
        """The file of frame `index`, 0 ≤ index < len, as it was given."""
        start, stop = self._offsets[index : index + 2]
        with self._lock:
            self._file.seek(start)
            return self._file.read(stop - start)

    def _read(self, index: int) -> np.ndarray:
        return decode_image(self.jpeg(index), f"frame {index}")

    def identity(self) -> str:
        """Sum of all the files: these frames have no names."""
        return digest(*(self.jpeg(i) for i in range(len(self))))
