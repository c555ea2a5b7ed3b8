"""Patches: axis-aligned rectangles of the frame, for correlation filters.

Coordinates are continuous, as in `windows`: pixel number i covers [i, i + 1] and its centre is
i + 0.5.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike


def patch_matrix(centre: ArrayLike, size: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """(2, 3) affine map from pixel numbers (column, row, 1) of a patch to those of the frame, in
    the form that OpenCV's warps expect.

    Args:
        centre: (x, y) in frame pixels.
        size: (w, h) in frame pixels.
        shape: (h, w) of the patch, pixels.
    """
    size = np.asarray(size, dtype=np.float64)
    step = size / shape[::-1]  # (2,) frame pixels per patch pixel
    left, top = np.asarray(centre) - size / 2 + 0.5 * step - 0.5
    return np.array([[step[0], 0, left], [0, step[1], top]])


def cut_patch(
    frame: np.ndarray, centre: ArrayLike, size: ArrayLike, shape: tuple[int, int]
) -> np.ndarray:
    """A patch (h, w, ...) of a frame (H, W, ...); beyond the frame its border pixels are repeated.

    Args:
        frame: (H, W) or (H, W, C).
        centre: (x, y) in frame pixels.
        size: (w, h) in frame pixels.
        shape: (h, w) of the patch. If it is at most half the size, pixels are averaged, because
            bilinear interpolation alone would skip some.
    """
    reduce = max(1, int(min(np.asarray(size) / shape[::-1])))
    large = (shape[0] * reduce, shape[1] * reduce)
    patch = cv2.warpAffine(
        frame,
        patch_matrix(centre, size, large),
        large[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return patch if reduce == 1 else cv2.resize(patch, shape[::-1], interpolation=cv2.INTER_AREA)
