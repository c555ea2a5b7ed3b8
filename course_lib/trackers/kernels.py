"""Ridge regression on all cyclic shifts of a patch, which takes only a few divisions.

Henriques, Caseiro, Martins, Batista: High-Speed Tracking with Kernelized Correlation Filters, PAMI
2015. The small functions are the steps that lesson 03 asks for. Patches are real, (..., C, h, w);
spectra come from `spectrum`, over the last two axes, (..., C, h, w // 2 + 1): for a real patch the
other half is redundant.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from course_lib.errors import SettingsError
from course_lib.trackers.filters import gaussian_target

KERNELS = ("linear", "polynomial", "gaussian")


def spectrum(patch: np.ndarray) -> np.ndarray:
    """Half spectrum (..., h, w // 2 + 1) of real patches (..., h, w), all channels in one call."""
    return fft.rfft2(patch, axes=(-2, -1))


def in_space(half: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The real maps (..., h, w) of half spectra (..., h, w // 2 + 1); `shape` is (h, w)."""
    return fft.irfft2(half, s=shape, axes=(-2, -1))


def data_matrix(signal: np.ndarray) -> np.ndarray:
    """All cyclic shifts of a signal (n,) as rows (n, n): row i is the signal moved i places to the
    right."""
    n = len(signal)
    return signal[(np.arange(n)[None] - np.arange(n)[:, None]) % n]


def ridge_weights(signal: np.ndarray, target: np.ndarray, regulariser: float) -> np.ndarray:
    """Weights w (n,) that minimise |X w − y|² + λ |w|², with X the data matrix of the signal.

    The data matrix is diagonal in the Fourier domain, so the system decouples into n divisions
    (Henriques et al., 2015).

    Args:
        signal: (n,).
        target: y (n,), the wanted output for each shift.
        regulariser: λ.
    """
    x, y = np.fft.fft(signal), np.fft.fft(target)  # (n,) each
    return np.fft.ifft(x * y / (np.abs(x) ** 2 + regulariser)).real  # (n,)


def displacement(response: np.ndarray) -> tuple[int, int]:
    """Displacement (dx, dy) of the peak of a response (h, w) from cell (0, 0), in whole cells.

    Shifts are cyclic: the last column means one cell to the left. If both directions are equally
    far, the negative one is taken.
    """
    h, w = response.shape
    row, column = divmod(int(response.argmax()), w)
    return (column + w // 2) % w - w // 2, (row + h // 2) % h - h // 2


def subcell(response: np.ndarray) -> tuple[float, float]:
    """`displacement` of a response (h, w), refined in each direction to a fraction of a cell by a
    parabola through the peak and its two neighbours."""
    (h, w), (dx, dy) = response.shape, displacement(response)
    row, column = dy % h, dx % w
    along = response[row, (column - 1) % w], response[row, column], response[row, (column + 1) % w]
    down = response[(row - 1) % h, column], response[row, column], response[(row + 1) % h, column]
    return dx + _vertex(*along), dy + _vertex(*down)


def _vertex(before: float, peak: float, after: float) -> float:
    """Where the parabola through three adjacent values peaks, −0.5 … 0.5 from the middle one."""
    bend = before + after - 2 * peak
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def gaussian_labels(height: int, width: int, sigma: float) -> np.ndarray:
    """Wanted response (height, width) to each shift: a Gaussian with peak 1 at (0, 0), no shift.

    Args:
        height, width: of the grid, cells.
        sigma: standard deviation, cells.
    """
    return fft.ifftshift(gaussian_target(height, width, sigma))


def correlate(X: np.ndarray, Z: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Inner product of x with z at every shift (..., h, w), summed over channels. If z is x shifted
    right by 3, the peak is in column 3.

    Args:
        X, Z: spectra (..., C, h, w // 2 + 1).
        shape: (h, w).
    """
    return in_space((np.conj(X) * Z).sum(-3), shape)


def energy(X: np.ndarray, width: int) -> np.ndarray:
    """Sum of squares (...) of patches (..., C, h, width), from their half spectra
    (..., C, h, width // 2 + 1).

    Parseval's identity: every column of the half spectrum counts twice, except the first, and the
    last if `width` is even.
    """
    power = (X.real**2 + X.imag**2).sum((-3, -2))  # (..., width // 2 + 1)
    once = power[..., 0] + (power[..., -1] if width % 2 == 0 else 0)
    return (2 * power.sum(-1) - once) / (X.shape[-2] * width)


def gaussian_correlation(
    X: np.ndarray, Z: np.ndarray, shape: tuple[int, int], bandwidth: float
) -> np.ndarray:
    """Gaussian kernel of x with z at every shift, (..., h, w): exp(−|x shifted − z|² / (σ² N))
    (Henriques et al., 2015).

    Args:
        X, Z: spectra (..., C, h, w // 2 + 1).
        shape: (h, w).
        bandwidth: σ; the squared distance is divided by the number of values, N = C · h · w, as in
            the authors' own code.
    """
    N = X.shape[-3] * shape[0] * shape[1]
    both = energy(X, shape[1]) + energy(Z, shape[1])  # (...)
    distance = np.maximum(both[..., None, None] - 2 * correlate(X, Z, shape), 0)  # (..., h, w)
    return np.exp(-distance / (bandwidth**2 * N))


def kernel_correlation(
    X: np.ndarray,
    Z: np.ndarray,
    shape: tuple[int, int],
    kernel: str = "gaussian",
    bandwidth: float = 0.5,
    offset: float = 1.0,
    degree: int = 9,
) -> np.ndarray:
    """Kernel of x with z at every shift (..., h, w): linear x·z / N, polynomial (x·z / N +
    offset)^degree, or Gaussian; N = C · h · w.

    Args:
        X, Z: spectra (..., C, h, w // 2 + 1).
        shape: (h, w).
        kernel: one of KERNELS.
        bandwidth: σ of the Gaussian.
        offset: of the polynomial.
        degree: of the polynomial.

    Raises:
        SettingsError: for any other kernel.
    """
    if kernel == "gaussian":
        return gaussian_correlation(X, Z, shape, bandwidth)
    if kernel not in KERNELS:
        raise SettingsError(f"kernel is {kernel!r}; expected one of {', '.join(KERNELS)}")
    products = correlate(X, Z, shape) / (X.shape[-3] * shape[0] * shape[1])  # (..., h, w)
    return products if kernel == "linear" else (products + offset) ** degree


def gaussian_kernel(x: np.ndarray, z: np.ndarray, bandwidth: float) -> np.ndarray:
    """`gaussian_correlation` (h, w) of patches in space.

    Args:
        x, z: (C, h, w).
        bandwidth: σ.
    """
    return gaussian_correlation(spectrum(x), spectrum(z), x.shape[-2:], bandwidth)


def dual_weights(kernel: np.ndarray, labels: np.ndarray, regulariser: float) -> np.ndarray:
    """`train_dual` in space: the weight α (h, w) of each shift of the patch.

    Args:
        kernel: k(x, x) at every shift (h, w).
        labels: the wanted response to each shift (h, w).
        regulariser: λ.
    """
    return in_space(train_dual(kernel, labels, regulariser), labels.shape)


def train_dual(kernel: np.ndarray, labels: np.ndarray, regulariser: float) -> np.ndarray:
    """Half spectrum (h, w // 2 + 1) of the dual weights α.

    α = (K + λ I)⁻¹ y, with K (hw, hw) the kernel between any two shifts. K is circulant, so one
    division solves it (Henriques et al., 2015).

    Args:
        kernel: k(x, x) at every shift, in space (h, w).
        labels: y, the wanted response to each shift, in space (h, w).
        regulariser: λ.
    """
    return spectrum(labels) / (spectrum(kernel) + regulariser)


def respond(kernel: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Response (..., h, w) at every shift, Σ α_i κ(x shifted by i, z shifted), from k(x, z)
    (..., h, w) and the half spectrum of α (Henriques et al., 2015)."""
    return in_space(spectrum(kernel) * alpha, kernel.shape[-2:])
