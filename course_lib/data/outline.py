"""Masks from outlines, with soft edges."""

from __future__ import annotations

from collections.abc import Sequence as Items

import cv2
import numpy as np

SUBPIXEL = 4  # bits of cv2.fillPoly's fixed-point coordinates
# factor of the resolution at which outlines are filled: fillPoly paints half a pixel too much
FINER = 4


def soft_mask(outlines: Items[np.ndarray], height: int, width: int) -> np.ndarray:
    """Mask (height, width) uint8, 255 inside the outlines.

    Outlines are filled one by one, so overlapping parts form their union.

    Args:
        outlines: each (n, 2), x and y in continuous pixels.
        height, width: of the mask, pixels.
    """
    fine = np.zeros((height * FINER, width * FINER), dtype=np.uint8)
    for outline in outlines:
        # pixel k has its centre at k + 0.5
        points = np.rint((outline * FINER - 0.5) * 2**SUBPIXEL).astype(np.int32)
        cv2.fillPoly(fine, [points], 255, shift=SUBPIXEL)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
