"""Curves and scores of one-pass evaluation: success, precision, normalised precision.

Wu, Lim, Yang: Object Tracking Benchmark, PAMI 2015; normalised precision: Müller et al.,
TrackingNet, ECCV 2018. The thresholds are those of the authors' toolkits (`perfPlot.m`,
`metrics.py`).
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
    iou = np.asarray(ious, dtype=np.float64).ravel()  # (T,)
    return _mean(iou[..., None] > thresholds)


def precision_curve(errors: ArrayLike, thresholds: np.ndarray = PRECISION_THRESHOLDS) -> np.ndarray:
    """Fraction of frames whose centre error is at most each threshold: shape (51,).

    `errors` (T,) in pixels; a NaN is a frame that fails at every threshold. No frames give a curve
    of NaN.
    """
    error = np.asarray(errors, dtype=np.float64).ravel()  # (T,)
    return _mean(error[..., None] <= thresholds)


def normalised_precision_curve(errors: ArrayLike) -> np.ndarray:
    """`precision_curve` of errors divided by the true size, at 0, 0.01, …, 0.5: shape (51,)."""
    return precision_curve(errors, NORM_PRECISION_THRESHOLDS)


def auc(curve: ArrayLike) -> float:
    """Area under a curve as OTB takes it: the mean of its values. A perfect tracker has 20/21."""
    return float(np.mean(curve))


def precision_at(curve: ArrayLike, pixels: int = 20) -> float:
    """The value of a precision curve (51,) at a threshold in whole pixels."""
    return float(np.asarray(curve)[pixels])


def _mean(hits: np.ndarray) -> np.ndarray:
    """Mean over the frames of hits (T, K): shape (K,); NaN where there is no frame."""
    return hits.mean(axis=0) if len(hits) else np.full(hits.shape[1], np.nan)
