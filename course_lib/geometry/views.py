"""Views: squares of a picture that may be turned, squeezed and mirrored, as training draws them.

`windows.CropWindow` is the plain square that trackers look through; a view with no turn, squeeze or
mirror is the same square. Coordinates are continuous: pixel number i covers [i, i + 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class View:
    """A square of a picture, shown at `size` × `size` pixels.

    Attributes:
        cx, cy: the point of the picture shown in the middle.
        side: pixels of the picture along one side, as geometric mean of the two directions.
        size: pixels a side of the crop.
        angle: by how much the picture appears turned, radians.
        squeeze: the crop shows the picture this much wider than high, 1 for neither.
        mirror: whether left and right change places.
    """

    cx: float
    cy: float
    side: float
    size: int
    angle: float = 0.0
    squeeze: float = 1.0
    mirror: bool = False

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine map from points of the picture to points of the crop."""
        scale = self.size / self.side
        stretch = np.sqrt(self.squeeze)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        diagonal = np.diag([-stretch if self.mirror else stretch, 1 / stretch])
        linear = scale * diagonal @ turn  # (2, 2)
        middle = np.full(2, self.size / 2) - linear @ [self.cx, self.cy]
        return np.column_stack([linear, middle])

    def to_crop(self, points: ArrayLike) -> np.ndarray:
        """Points (..., 2) of the picture in crop coordinates."""
        matrix = self.matrix
        return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]

    def cut(self, picture: np.ndarray, fill: ArrayLike | None = None) -> np.ndarray:
        """The crop (size, size, 3) uint8; beyond the picture stands `fill` (3,), by default its
        mean colour."""
        colour = (
            cv2.mean(picture)
            if fill is None
            else np.asarray(fill, dtype=np.float64).ravel().tolist()
        )
        matrix = self.matrix
        # the warp counts from pixel centres, half a pixel from the corner in both pictures
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        return cv2.warpAffine(
            picture,
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=colour,
        )
