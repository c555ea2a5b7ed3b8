"""A frame of a video: `uint8`, H×W×3, RGB."""

from __future__ import annotations

import numpy as np

from course_lib.errors import DataError


def as_frame(image: np.ndarray) -> np.ndarray:
    """An image as a frame: a grey one (H, W) or (H, W, 1) becomes three equal channels.

    Raises DataError unless the image is uint8 with 1 or 3 channels and at least one pixel.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]  # (H, W, 1)
    if (
        image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] not in (1, 3)
        or image.size == 0
    ):
        raise DataError(
            f"a frame has shape {image.shape} and type {image.dtype}; expected uint8 (height, "
            "width, 3) in RGB, or (height, width) for a grey one. Values in 0…1 need "
            "`(255 * image).astype(np.uint8)`."
        )
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)  # (H, W, 3)
    return image
