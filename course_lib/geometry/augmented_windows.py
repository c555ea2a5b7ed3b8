"""Views: squares of an image that may be turned, squeezed and mirrored, as training draws them.

`windows.CropWindow` is the plain square that trackers look through; a view with no turn, squeeze or
mirror is the same square. Coordinates are continuous: pixel number i covers [i, i + 1].
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
        side: pixels of the image along one side, as geometric mean of the two directions.
        size: pixels a side of the crop.
        angle: by how much the image appears turned, radians.
        aspect_change: the crop shows the image this much wider than high, 1 for neither.
        mirror: whether left and right change places.
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
        """The crop (size, size, 3) uint8; beyond the image stands `fill` (3,), by default its
        mean colour."""
        colour = (
            cv2.mean(image) if fill is None else np.asarray(fill, dtype=np.float64).ravel().tolist()
        )
        matrix = self.matrix
        # the warp counts from pixel centres, half a pixel from the corner in both images
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        return cv2.warpAffine(
            image,
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=colour,
        )
