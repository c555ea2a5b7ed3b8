"""Curves and scores of one-pass evaluation: success, precision, normalised precision.

Wu, Lim, Yang: Object Tracking Benchmark, PAMI 2015; normalised precision: Müller et al.,
TrackingNet, ECCV 2018.
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
    values = np.where(np.isnan(values), -np.inf, values)
    return 1.0 - _one_curve(values, thresholds)


def precision_curve(errors: ArrayLike, thresholds: np.ndarray = PRECISION_THRESHOLDS) -> np.ndarray:
    """Fraction of frames whose centre error is at most each threshold: shape (51,).

    `errors` (T,) in pixels; a NaN is a frame that fails at every threshold. No frames give a curve
    of NaN.
    """
    values = np.asarray(errors, dtype=np.float64).ravel()
    return _one_curve(np.where(np.isnan(values), np.inf, values), thresholds)


def normalised_precision_curve(errors: ArrayLike) -> np.ndarray:
    """`precision_curve` of errors divided by the true size, at thresholds 0, 0.01, …, 0.5: shape
    (51,)."""
    return precision_curve(errors, NORM_PRECISION_THRESHOLDS)


def auc(curve: ArrayLike) -> float:
    """Area under a curve as OTB takes it: the mean of its values. A perfect tracker has 20/21."""
    return float(np.mean(curve))


def precision_at(curve: ArrayLike, pixels: int = 20) -> float:
    """The value of a precision curve (51,) at a threshold in whole pixels."""
    return float(np.asarray(curve)[pixels])


def share_up_to(
    values: np.ndarray, thresholds: np.ndarray, owner: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Fraction of each owner's values that are at most each threshold: shape (S, K).

    Args:
        values: (n,); thresholds: (K,), rising in equal steps from 0; owner: (n,) integers 0 … S -
            1; counts: (S,) values of each owner.

    Each value is put into the cell between two thresholds once, then cells are added up: comparing
    every value with every threshold takes K times the work. The comparison is numpy's own `value <=
    threshold`, ties included.
    """
    K = len(thresholds)
    cell = _thresholds_below(values, thresholds)  # (n,)
    cells = np.bincount(owner * (K + 1) + cell, minlength=len(counts) * (K + 1)).reshape(
        len(counts), K + 1
    )
    return np.cumsum(cells[:, :K], axis=1) / counts[:, None]


def _thresholds_below(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many thresholds lie below each value (n,): as `np.searchsorted`, in half the time on an
    even grid.

    Dividing by the step gives the answer but for rounding; comparing with the two thresholds beside
    it mends that.
    """
    K, step = len(thresholds), thresholds[1] - thresholds[0]
    cell = np.ceil(np.clip(values / step, 0, K)).astype(np.int64)  # (n,)
    fence = np.concatenate([[np.nan], thresholds, [np.inf]])  # nothing is below the first cell
    cell += values > fence[cell + 1]
    cell -= values <= fence[cell]
    return cell


def _one_curve(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return share_up_to(
            values, thresholds, np.zeros(values.size, dtype=int), np.array([values.size])
        )[0]
