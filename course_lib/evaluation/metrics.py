"""Curves and scores of one-pass evaluation: success, precision, normalised precision.

Wu, Lim, Yang: Object Tracking Benchmark, PAMI 2015; normalised precision: Müller et al., TrackingNet, ECCV 2018.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

SUCCESS_THRESHOLDS = np.linspace(0, 1, 21)  # IoU
PRECISION_THRESHOLDS = np.arange(51)  # pixels
NORM_PRECISION_THRESHOLDS = np.linspace(0, 0.5, 51)  # in true widths and heights


def success_curve(ious: ArrayLike, thresholds: np.ndarray = SUCCESS_THRESHOLDS) -> np.ndarray:
    """Fraction of frames whose IoU is above each threshold, strictly: shape (21,).

    `ious` (T,); a NaN is a frame that fails at every threshold. No frames give a curve of NaN.
    """
    values = np.asarray(ious, dtype=np.float64).ravel()
    return 1.0 - _share_up_to(np.where(np.isnan(values), -np.inf, values), thresholds, side="right")


def precision_curve(errors: ArrayLike, thresholds: np.ndarray = PRECISION_THRESHOLDS) -> np.ndarray:
    """Fraction of frames whose centre error is at most each threshold: shape (51,).

    `errors` (T,) in pixels; a NaN is a frame that fails at every threshold. No frames give a curve of NaN.
    """
    values = np.asarray(errors, dtype=np.float64).ravel()
    return _share_up_to(np.where(np.isnan(values), np.inf, values), thresholds, side="right")


def normalised_precision_curve(errors: ArrayLike) -> np.ndarray:
    """`precision_curve` of errors divided by the true size, at thresholds 0, 0.01, …, 0.5: shape (51,)."""
    return precision_curve(errors, NORM_PRECISION_THRESHOLDS)


def auc(curve: ArrayLike) -> float:
    """Area under a curve as OTB takes it: the mean of its values. A perfect tracker has 20/21."""
    return float(np.mean(curve))


def precision_at(curve: ArrayLike, pixels: int = 20) -> float:
    """The value of a precision curve (51,) at a threshold in whole pixels."""
    return float(np.asarray(curve)[pixels])


def _share_up_to(values: np.ndarray, thresholds: np.ndarray, side: str) -> np.ndarray:
    """Fraction of values ≤ each threshold, by sorting once: exact, where a histogram rounds its bin edges."""
    if values.size == 0:
        return np.full(len(thresholds), np.nan)
    return np.searchsorted(np.sort(values), thresholds, side=side) / values.size
