"""Does a tracker's score know that the target is lost? Its ROC curve, and the area under it.

As for any detector (Fawcett, "An introduction to ROC analysis", 2006): here what is to be found are
the frames without the target, and a frame is called lost if its score is at most a threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from course_lib.errors import DataError


def roc(scores: ArrayLike, lost: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve of a score as the sign of a lost target.

    One point for each threshold, from the one that calls no frame lost, (0, 0), to the one that
    calls all of them lost, (1, 1). Frames with the same score change sides together.

    Args:
        scores: (T,) of the frames; the lower, the more likely the target is lost.
        lost: (T,) whether it is.

    Returns:
        Arrays (K + 1,), for K different scores: which fraction of the other frames is called lost,
        and which fraction of the lost ones. NaN where there are no such frames.

    Raises:
        DataError: if the two have different lengths, or a score is NaN.
    """
    scores, lost = _checked(scores, lost)
    values, which = np.unique(scores, return_inverse=True)  # (K,), (T,)
    called = [
        np.concatenate([[0], np.bincount(which[kind], minlength=len(values)).cumsum()])
        for kind in (~lost, lost)
    ]
    with np.errstate(invalid="ignore"):
        false_alarm, found = (counts / counts[-1] for counts in called)  # (K + 1,) each
    return false_alarm, found


def area(scores: ArrayLike, lost: ArrayLike) -> float:
    """The area under the ROC curve: how often a lost frame has a lower score than one that is not,
    over all pairs of such frames, where a tie counts one half.

    1 for a score that tells all frames apart, 0.5 for one that says nothing. From the ranks of the
    scores, since their sum counts the pairs (Mann and Whitney, 1947).

    Args:
        scores: (T,) of the frames.
        lost: (T,) whether the target is lost.

    Returns:
        0…1; NaN if all frames are of one kind.

    Raises:
        DataError: if the two have different lengths, or a score is NaN.
    """
    scores, lost = _checked(scores, lost)
    n, m = int(lost.sum()), int((~lost).sum())
    if not n or not m:
        return float("nan")
    # the ranks of the other frames, from 1; among themselves they are 1 … m
    above = rankdata(scores)[~lost].sum() - m * (m + 1) / 2
    return float(above / (n * m))


def _checked(scores: ArrayLike, lost: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays (T,)."""
    scores, lost = np.asarray(scores, float), np.asarray(lost, bool)
    if scores.ndim != 1 or scores.shape != lost.shape:
        raise DataError(
            f"scores have shape {scores.shape}, lost has {lost.shape}; expected a score and a truth "
            "value for each frame"
        )
    if np.isnan(scores).any():
        raise DataError(
            f"{int(np.isnan(scores).sum())} of {len(scores)} scores are NaN; leave out the frames "
            "without a score, such as the first of a sequence"
        )
    return scores, lost
