"""Augmented crop windows: squares of an image that may be rotated, mirrored and changed in aspect,
for training.

`windows.CropWindow` is the plain square that trackers use; an augmented window without rotation,
aspect change and mirroring is the same square. Coordinates are continuous: pixel number i covers
[i, i + 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class AugmentedWindow:
    """A square of an image, shown at `size` × `size` pixels.

    Attributes:
        cx, cy: the point of the image shown at the centre.
        side: pixels of the image along one side, the geometric mean of both directions.
        size: pixels per side of the crop.
        angle: rotation of the image in the crop, radians.
        aspect_change: factor by which the crop stretches width relative to height; 1 for none.
        mirror: whether left and right are swapped.
    """

    cx: float
    cy: float
    side: float
    size: int
    angle: float = 0.0
    aspect_change: float = 1.0
    mirror: bool = False

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine map from points of the image to points of the crop."""
        scale = self.size / self.side
        stretch = np.sqrt(self.aspect_change)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        rotation = np.array([[cos, -sin], [sin, cos]])
        diagonal = np.diag([-stretch if self.mirror else stretch, 1 / stretch])
        linear = scale * diagonal @ rotation  # (2, 2)
        centre = np.full(2, self.size / 2) - linear @ [self.cx, self.cy]
        return np.column_stack([linear, centre])

    def to_crop(self, points: ArrayLike) -> np.ndarray:
        """Points (..., 2) of the image in crop coordinates."""
        matrix = self.matrix
        return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]

    def cut(self, image: np.ndarray, fill: ArrayLike | None = None) -> np.ndarray:
        """The crop (size, size, 3) uint8 of an image (H, W, 3); pixels beyond the image get the
        colour `fill` (3,), by default the image's mean."""
        colour = (
            cv2.mean(image) if fill is None else np.asarray(fill, dtype=np.float64).ravel().tolist()
        )
        matrix = self.matrix
        # the warp counts from pixel centres, half a pixel from the corner, in both images
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        return cv2.warpAffine(
            image,
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=colour,
        )
