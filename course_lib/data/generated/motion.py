"""Motion in generated sequences: smooth random curves, and the pose of a piece in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline


def smooth_curve(
    rng: np.random.Generator, length: int, dimensions: int, period: float
) -> np.ndarray:
    """A smooth random curve (length, dimensions) within about ±1 that starts at 0.

    Args:
        rng: random generator of its course.
        length: number of frames.
        dimensions: number of values per frame.
        period: frames between two turning points.
    """
    knots = max(int(np.ceil(length / period)) + 1, 3)
    values = rng.uniform(-1, 1, (knots, dimensions))  # (knots, dimensions)
    values[0] = 0
    # the target would stand still between knots that nearly coincide: mirror those
    for k in range(1, knots):
        close = np.abs(values[k] - values[k - 1]) < 0.5
        values[k] = np.where(
            close, np.clip(values[k - 1] - np.sign(values[k - 1] + 1e-9) * 0.9, -1, 1), values[k]
        )
    times = np.arange(knots) * period
    return np.clip(CubicSpline(times, values, bc_type="natural")(np.arange(length)), -1.15, 1.15)


@dataclass(frozen=True, eq=False)
class Poses:
    """Position and shape of a piece in each of T frames.

    Attributes:
        centre: (T, 2) x, y in frame pixels.
        half: (T, 2) half width and half height of the texture in pixels, before rotation.
        angle: (T,) radians, clockwise on the screen.
        bend: (T, n) factors on the radius of each contour point.
    """

    centre: np.ndarray
    half: np.ndarray
    angle: np.ndarray
    bend: np.ndarray

    def matrix(self, t: float) -> np.ndarray:
        """Affine map (2, 3) from the texture's units (±1) to the frame at time t, which may lie
        between frames."""
        centre, half, angle = (
            _between(values, t) for values in (self.centre, self.half, self.angle)
        )
        c, s = np.cos(angle), np.sin(angle)
        linear = np.array([[c, -s], [s, c]]) * half  # (2, 2): stretch, then rotate
        return np.column_stack([linear, centre])  # (2, 3)

    def contour(self, outline: np.ndarray, t: float) -> np.ndarray:
        """The outline (n, 2) in frame pixels at time t."""
        matrix = self.matrix(t)
        return (outline * _between(self.bend, t)[:, None]) @ matrix[:, :2].T + matrix[:, 2]


def _between(values: np.ndarray, t: float) -> np.ndarray:
    """Values (T, …) at time t by linear interpolation; beyond either end, the nearest."""
    t = float(np.clip(t, 0, len(values) - 1))
    low = int(t)
    weight = t - low
    return values[low] if weight == 0 else (1 - weight) * values[low] + weight * values[low + 1]
