"""Perceptual inconsistency (Zhang and Peng, 2019, SiamDW): does a network see the same content in
the same way in the exemplar and in the search image?

Without padding, the features φ of a crop are a crop of the features of the image. With padding,
zeros leak into the cells near the border: in the exemplar all around the target, in the search
image only at its edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from course_lib.errors import DataError
from course_lib.geometry.windows import EXEMPLAR


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well the exemplar's features match those of the image it was cropped from.

    Attributes:
        distance: relative L2 distance of the best window, ‖φ(z) − window‖ / ‖window‖; 0 means
            identical.
        place: row and column of the best window's first cell in φ(x).
        cells: (n, n), the same distance cell by cell, for the best window.
    """

    distance: float
    place: tuple[int, int]
    cells: Tensor


@torch.no_grad()
def agreement(network: nn.Module, image: Tensor, offset: int) -> Agreement:
    """Compare φ of a 127 × 127 crop that begins at row and column `offset` with φ of the whole
    image.

    If the offset is not a multiple of the network's stride, the distance is above 0 for every
    network.

    Args:
        network: φ, images (B, 3, S, S) to features (B, C, s, s).
        image: (1, 3, S, S).
        offset: of the crop, pixels.

    Raises:
        DataError: if the crop does not lie inside the image.
    """
    if not 0 <= offset <= image.shape[-1] - EXEMPLAR:
        raise DataError(
            f"offset is {offset}; expected 0 … {image.shape[-1] - EXEMPLAR}, so that the exemplar "
            "lies inside the image"
        )
    network.eval()
    # (C, n, n)
    z = network(image[:, :, offset : offset + EXEMPLAR, offset : offset + EXEMPLAR])[0]
    x = network(image)[0]  # (C, m, m)
    distance, (row, column) = best_window(z, x)
    window = x[:, row : row + z.shape[1], column : column + z.shape[2]]  # (C, n, n)
    cells = torch.linalg.vector_norm(window - z, dim=0) / torch.linalg.vector_norm(
        window, dim=0
    ).clamp(min=1e-6)
    return Agreement(distance, (row, column), cells)


def best_window(z: Tensor, x: Tensor) -> tuple[float, tuple[int, int]]:
    """The window of x (C, m, m) nearest to the map z (C, n, n): its relative distance
    ‖z − window‖ / ‖window‖, and the row and column of its first cell."""
    n = z.shape[-1]
    windows = x.unfold(1, n, 1).unfold(2, n, 1)  # (C, r, r, n, n)
    apart = (windows - z[:, None, None]).square().sum((0, 3, 4))  # (r, r)
    relative = (apart / windows.square().sum((0, 3, 4))).sqrt()  # (r, r)
    row, column = divmod(int(relative.argmin()), relative.shape[1])
    return float(relative[row, column]), (row, column)


def smooth_noise(size: int, seed: int, sigma: float = 2.0) -> Tensor:
    """Blurred Gaussian noise as an image (1, 3, size, size), with mean 0 and standard deviation 1.

    Mean 0 makes zero padding as inconspicuous as possible: a grey border beside grey content.

    Args:
        size: pixels per side.
        seed: of the noise.
        sigma: standard deviation of the blur, pixels.
    """
    noise = np.random.default_rng(seed).normal(size=(size, size, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), sigma)
    noise = (noise - noise.mean()) / noise.std()
    return torch.from_numpy(noise).permute(2, 0, 1)[None]
