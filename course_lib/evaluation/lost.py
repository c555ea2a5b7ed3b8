"""Does a tracker know that it is lost? The ROC curve of its score, as a detector of lost targets.

Fawcett, "An introduction to ROC analysis", 2006. A frame is called lost where the score is at most a
threshold; each threshold finds some of the frames that are lost, and raises some false alarms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from course_lib.errors import DataError


def _checked(scores: ArrayLike, lost: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays (T,); raises DataError if they do not fit, or a score is not finite."""
    scores, lost = np.asarray(scores, dtype=np.float64), np.asarray(lost, dtype=bool)
    if scores.ndim != 1 or scores.shape != lost.shape:
        raise DataError(
            f"scores have shape {scores.shape}, lost has {lost.shape}; expected (T,) both, a value "
            "for each frame"
        )
    if not np.isfinite(scores).all():
        raise DataError(
            f"{np.sum(~np.isfinite(scores))} of {len(scores)} scores are not finite; leave these "
            "frames out, as the first, or decide what they mean"
        )
    return scores, lost


def roc(scores: ArrayLike, lost: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Two fractions (K + 1,), for a threshold below all K different scores, and then at each of
    them, rising: of the frames that are not lost, those called lost (false alarms), and of the
    frames that are, those called lost (found). NaN if there are none.

    `scores` (T,) in any unit, the lower the more likely lost; `lost` (T,) whether the target is.
    Raises DataError if their lengths differ, or a score is not finite.
    """
    scores, lost = _checked(scores, lost)
    levels = np.unique(scores)  # (K,)
    curves = []
    for group in (scores[~lost], scores[lost]):
        called = np.searchsorted(np.sort(group), levels, side="right")  # (K,)
        curves.append(np.concatenate([[0], called]) / (len(group) or np.nan))
    return curves[0], curves[1]


def area(scores: ArrayLike, lost: ArrayLike) -> float:
    """Area under the curve of `roc`: how often a lost frame has a lower score than one that is not,
    ties counting half. 1 is perfect, 0.5 says nothing; NaN if all frames are lost, or none is.

    By ranks (Mann and Whitney, 1947): with n frames not lost, of ranks r among all T frames, it is
    (Σ r − n · (n + 1) / 2) / (n · (T − n)).
    """
    scores, lost = _checked(scores, lost)
    n = int((~lost).sum())
    if n in (0, len(scores)):
        return float("nan")
    above = rankdata(scores)[~lost].sum() - n * (n + 1) / 2
    return float(above / (n * (len(scores) - n)))
