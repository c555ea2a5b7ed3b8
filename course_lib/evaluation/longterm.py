"""One pass in which a tracker also says how sure it is and when the target is absent, and what VOT
measures of it over long sequences: precision, recall and F.

Lukežič et al.: Performance Evaluation Methodology for Long-Term Single-Object Tracking, IEEE
Transactions on Cybernetics 2021; details as in VOT's toolkit (0.9.0, `vot/analysis/longterm.py`).
`quality.py` scores the same kind of run as the VOTS challenges do.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.evaluation.multistart import (
    check_codes,
    is_empty,
    overlaps_of,
    reported_region,
)
from course_lib.evaluation.region_files import write_regions
from course_lib.evaluation.results import (
    check_length,
    read_scores,
    score_path,
    time_path,
    write_columns,
    write_scores,
)
from course_lib.evaluation.vot import INIT, read_run, true_regions
from course_lib.trackers.base import Tracker, confidence_of

RESOLUTION = 100  # thresholds of the score, −∞ and ∞ included


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """One pass over T frames, with what the tracker reported.

    Attributes:
        regions: T regions or codes: INIT first, then a box or polygon each, SKIPPED for "absent".
        seconds: (T,) that the tracker took; NaN where nobody measured.
        scores: (T,) how sure the tracker was; 0 where it did not say.
        overlaps: (T,) with the truth; 0 for the first frame, 1 where the target is absent and
            reported absent.
        reported: (T,) bool, whether a region was reported; not so for the first frame.
        present: (T,) bool, whether there is a true region.
        known: (T,) bool, whether the frame counts; the benchmark may leave some out.
    """

    regions: list[np.ndarray]
    seconds: np.ndarray
    scores: np.ndarray
    overlaps: np.ndarray
    reported: np.ndarray
    present: np.ndarray
    known: np.ndarray


def run_reporting(tracker: Tracker, sequence: Sequence) -> ReportedRun:
    """One pass in which four NaN mean "absent", with the tracker's `confidence_of` each box.

    Raises DataError, naming sequence and frame, if the tracker gives anything else but four finite
    numbers.
    """
    seconds, scores = np.empty(len(sequence)), np.zeros(len(sequence))
    regions = [np.array([float(INIT)])]
    for t, frame in enumerate(sequence.frames):
        began = time.perf_counter()
        if t == 0:
            tracker.init(frame, sequence.boxes[0].copy())
        else:
            given = tracker.update(frame)
        seconds[t] = time.perf_counter() - began
        if t > 0:
            regions.append(reported_region(given, tracker, sequence, t))
            scores[t] = np.nan_to_num(confidence_of(tracker))
    return with_overlaps(regions, seconds, scores, sequence)


def with_overlaps(
    regions: list[np.ndarray], seconds: np.ndarray, scores: np.ndarray, sequence: Sequence
) -> ReportedRun:
    """A run with its overlaps.

    Args:
        regions, seconds, scores: as in `ReportedRun`.
        sequence: what it was run on.
    """
    truth = true_regions(sequence)  # T
    return ReportedRun(
        regions,
        seconds,
        scores,
        overlaps_of(regions, truth, sequence.frames[0].shape[:2]),
        np.array([not is_empty(region) for region in regions]),
        np.array([not is_empty(region) for region in truth]),
        ~np.asarray(sequence.omitted, dtype=bool),
    )


def write_reported(path: Path, run: ReportedRun) -> None:
    """Write regions as VOT does, text or `.bin`, seconds and scores beside them."""
    if np.isfinite(run.seconds).any():
        write_columns(time_path(path), run.seconds[:, None])
    write_scores(score_path(path), run.scores)
    write_regions(path, run.regions)


def read_reported(path: Path, sequence: Sequence) -> ReportedRun:
    """Read a run in VOT's format with its scores, the course's or the toolkit's
    `_confidence.value`.

    Args:
        path: the file of regions.
        sequence: what it was run on.

    Raises:
        MissingDataError: if there is no file.
        DataError: if it is not one pass over the sequence.
    """
    regions = read_run(path, sequence)
    check_codes(path, regions)
    unmeasured = np.full(len(regions), np.nan)
    return with_overlaps(regions, unmeasured, _scores_beside(path, len(regions)), sequence)


def _scores_beside(path: Path, length: int) -> np.ndarray:
    """Scores (length,) of a run; 0, as in the toolkit, for frames or runs that have none."""
    for found in (score_path(path), path.with_name(f"{path.stem}_confidence.value")):
        if found.is_file():
            scores = read_scores(found)
            check_length(found, len(scores), path, length)
            return scores
    return np.zeros(length)


def thresholds(scores: np.ndarray, resolution: int = RESOLUTION) -> np.ndarray:
    """Thresholds of the score (n,) of all sequences: falling, from ∞ to −∞, (≤ resolution,).

    Between the two stands every score if there are few; else `resolution` − 2 of the sorted scores,
    evenly spread by rank. At either end the toolkit leaves out as many scores as lie between two
    thresholds, so neither the highest nor the lowest is one, and equal scores may be repeated.
    """
    falling = np.sort(scores[~np.isnan(scores)])[::-1]
    inner = resolution - 2
    if len(falling) > inner:
        step = len(falling) // inner
        ranks = np.round(np.linspace(step, len(falling) - step, inner)).astype(int)
        falling = falling[ranks]
    return np.concatenate([[np.inf], falling, [-np.inf]])


def precision_recall(run: ReportedRun, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tracking precision and recall (K,) of one run at K thresholds of the score.

    Precision is the mean overlap of the frames with at least that score, 1 if there are none;
    recall is their summed overlap divided by the number of frames with a true region. A frame
    without a true region lowers the precision, unless it is reported absent: then it has overlap 1.
    """
    chosen = run.scores[None] >= at[:, None]  # (K, T)
    count, overlap = chosen.sum(axis=1), (chosen * run.overlaps).sum(axis=1)  # (K,) each
    precision = np.divide(overlap, count, out=np.ones(len(at)), where=count > 0)
    return precision, overlap / max(int(run.present.sum()), 1)


def longterm_scores(sequences: list[list[ReportedRun]]) -> dict[str, float]:
    """Precision, recall and F of one tracker at the threshold where F is highest.

    The curves are averaged over the runs on a sequence, then over sequences, at thresholds that all
    share; F is computed from the averages.

    Args:
        sequences: its runs on each sequence, one or more.

    Returns:
        "f", "precision", "recall" and the "threshold".
    """
    at = thresholds(np.concatenate([run.scores for runs in sequences for run in runs]))
    curves = [
        np.mean([precision_recall(run, at) for run in runs], axis=0)  # (2, K)
        for runs in sequences
    ]
    precision, recall = np.mean(curves, axis=0)
    total = precision + recall
    f = np.divide(2 * precision * recall, total, out=np.zeros(len(at)), where=total > 0)
    best = int(f.argmax())
    return {
        "f": float(f[best]),
        "precision": float(precision[best]),
        "recall": float(recall[best]),
        "threshold": float(at[best]),
    }
