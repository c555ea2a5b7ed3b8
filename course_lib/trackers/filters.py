"""The common parts of correlation filters: the window on their patches, the wanted response, and
the peak-to-sidelobe ratio, a measure of confidence.

Source: Bolme, Beveridge, Draper, Lui: Visual Object Tracking using Adaptive Correlation Filters,
CVPR 2010.
"""

from __future__ import annotations

import numpy as np


def cosine_window(height: int, width: int) -> np.ndarray:
    """Hann window (height, width): 1 at the centre, 0 on the border. The Fourier transform treats a
    patch as periodic; the window removes the edges where opposite sides meet (Bolme et al.,
    2010)."""
    return np.outer(np.hanning(height), np.hanning(width))


def gaussian_target(height: int, width: int, sigma: float) -> np.ndarray:
    """The wanted response (height, width): a Gaussian, peak 1 at (height // 2, width // 2).

    Args:
        height, width: of the patch, pixels.
        sigma: standard deviation, pixels; 2 in the paper.
    """
    rows = np.arange(height)[:, None] - height // 2  # (h, 1)
    columns = np.arange(width)[None, :] - width // 2  # (1, w)
    return np.exp(-(rows**2 + columns**2) / (2 * sigma**2))  # (h, w)


def peak_to_sidelobe(response: np.ndarray, exclude: int = 11) -> float:
    """How many standard deviations the peak of a response (h, w) lies above the mean of its
    sidelobe.

    The sidelobe is everything except an exclude × exclude window around the peak. Without a
    sidelobe, or with a flat one, the result is 0, because the peak cannot be judged.
    """
    row, column = np.unravel_index(response.argmax(), response.shape)
    reach = exclude // 2
    top, left = max(0, row - reach), max(0, column - reach)
    around = response[top : row + reach + 1, left : column + reach + 1]  # (≤ 11, ≤ 11)
    count = response.size - around.size
    if count < 2:
        return 0.0
    # sums over the sidelobe = sums over everything − sums over the window: no mask, no copy
    mean = (float(response.sum()) - float(around.sum())) / count
    squares = float(np.vdot(response, response)) - float(np.vdot(around, around))
    deviation = np.sqrt(max(squares / count - mean * mean, 0.0))
    return float((response[row, column] - mean) / deviation) if deviation > 1e-12 else 0.0
