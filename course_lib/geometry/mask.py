"""A mask: the pixels of an image that belong to a target, as VOT gives them since 2020.

The text of a mask is the toolkit's (0.9.0, `vot/region/io.py`): "m", then left, top, width and
height of a window, then the lengths of runs of pixels, row by row: outside, inside, outside, …
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_lib.errors import DataError


@dataclass(frozen=True, eq=False)
class Mask:
    """The pixels of a target, in the smallest window that holds them.

    Attributes:
        left, top: column and row of the window's first pixel.
        width, height: of the window, pixels; 0 for a mask without pixels.
        runs: (n,) lengths of runs of pixels, row by row, the first one outside the target; kept
            instead of the pixels, of which they are a small part.
    """

    left: int
    top: int
    width: int
    height: int
    runs: np.ndarray

    @classmethod
    def from_pixels(cls, pixels: np.ndarray, left: int = 0, top: int = 0) -> Mask:
        """The mask of the pixels (h, w) bool of a window whose first pixel is at left, top."""
        rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return cls(0, 0, 0, 0, np.zeros(0, dtype=int))
        inside = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # (h', w')
        flat = np.concatenate([[False], inside.ravel()])
        changes = np.flatnonzero(np.diff(flat))  # where a run begins, the first one outside
        runs = np.diff(np.concatenate([[0], changes, [inside.size]]))
        return cls(left + int(columns[0]), top + int(rows[0]), *inside.shape[::-1], runs)

    @classmethod
    def from_text(cls, text: str) -> Mask:
        """A mask as VOT writes it, "m10,20,2,2,1,3"; raises DataError if it is none."""
        try:
            left, top, width, height, *runs = (int(word) for word in text[1:].split(","))
        except ValueError:
            left, top, width, height, runs = 0, 0, -1, -1, []
        if text[:1] != "m" or min(width, height, *runs, 0) < 0 or sum(runs) > width * height:
            raise DataError(
                f"{text[:40]!r} is no mask; expected m, then left, top, width, height, and lengths "
                "of runs that add up to width · height"
            )
        flat = np.zeros(width * height, dtype=bool)
        flat[: sum(runs)] = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return cls.from_pixels(flat.reshape(height, width), left, top)

    def __str__(self) -> str:
        """The text that `from_text` reads."""
        return "m" + ",".join(str(v) for v in (*self.corner_and_size, *self.runs))

    @property
    def corner_and_size(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the window, in whole pixels."""
        return self.left, self.top, self.width, self.height

    @property
    def box(self) -> np.ndarray:
        """The box (4,) around the pixels, float64; NaN if there are none."""
        return np.array(self.corner_and_size if self.width else [np.nan] * 4, dtype=np.float64)

    def within(self, left: int, top: int, right: int, bottom: int) -> np.ndarray:
        """The pixels in these columns and rows of the image, the last ones included: bool (bottom −
        top + 1, right − left + 1).

        Args:
            left, top: the first column and row.
            right, bottom: the last ones.
        """
        flat = np.repeat(np.arange(len(self.runs)) % 2 == 1, self.runs)
        pixels = flat.reshape(self.height, self.width)
        canvas = np.zeros((bottom - top + 1, right - left + 1), dtype=bool)
        x, y = max(self.left, left), max(self.top, top)
        part = pixels[y - self.top : max(bottom + 1 - self.top, 0)]
        part = part[:, x - self.left : max(right + 1 - self.left, 0)]
        canvas[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]] = part
        return canvas
