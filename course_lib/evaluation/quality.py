"""The measures of the VOTS challenges (2023 and later): quality, with absence counted, and its
parts.

Kristan et al.: The First Visual Object Tracking Segmentation VOTS2023 Challenge Results, ICCVW
2023; details as in VOT's toolkit (0.9.0, `vot/analysis/accuracy.py` and `longterm.py`). The
challenges score masks of several targets; here it is one target and its box. In the first frame,
where the target is given, the toolkit sees no report: it counts as overlap 0 and as not reported.
"""

from __future__ import annotations

import numpy as np

from course_lib.evaluation.longterm import ReportedRun

ABSENT_FRAMES = 10  # a sequence with at most so many says nothing about the detection of absence


def frame_counts(run: ReportedRun) -> dict[str, int]:
    """How many frames of a run are of each kind.

    Returns:
        Of those with a target, "tracked" (the regions overlap), "drifted" (they do not) and
        "missed" (none is reported); of those without, "noticed" (none is reported) and "invented".
    """
    there, given, hit = run.present & run.known, run.reported, run.overlaps > 0
    gone = ~run.present & run.known
    return {
        "tracked": int((there & hit).sum()),
        "drifted": int((there & ~hit & given).sum()),
        "missed": int((there & ~hit & ~given).sum()),
        "noticed": int((gone & ~given).sum()),
        "invented": int((gone & given).sum()),
    }


def frame_quality(run: ReportedRun) -> float:
    """Mean over all frames of the overlap, which is 1 for an absence that is noticed, 0 for one
    that is not, and 0 for a target that is not reported."""
    return float(run.overlaps[run.known].mean())


def tracked_overlap(run: ReportedRun) -> float:
    """Mean overlap of the frames in which the regions overlap, and, as in the toolkit, of the first
    frame, where it is 0."""
    counted = run.known & run.present & (run.overlaps > 0)
    counted[0] = run.known[0] and run.present[0]
    return float(run.overlaps[counted].mean()) if counted.any() else 0.0


def sequence_quality(runs: list[ReportedRun]) -> dict[str, float]:
    """All measures on one sequence, from one run or several; NaN for one that has no frames.

    Returns:
        "quality" (`frame_quality`), "accuracy" (`tracked_overlap`); of the frames with a target,
        "robustness", "not_reported" and "drifted": the fractions tracked, missed and drifted; of
        those without, "absence", the fraction noticed, if there are more than ten.
    """
    counted = [frame_counts(run) for run in runs]
    mean = {kind: float(np.mean([c[kind] for c in counted])) for kind in counted[0]}
    there = mean["tracked"] + mean["drifted"] + mean["missed"]
    gone = mean["noticed"] + mean["invented"]
    share = {kind: mean[kind] / there if there else float("nan") for kind in mean}
    return {
        "quality": float(np.mean([frame_quality(run) for run in runs])),
        "accuracy": float(np.mean([tracked_overlap(run) for run in runs])),
        "robustness": share["tracked"],
        "not_reported": share["missed"],
        "drifted": share["drifted"],
        "absence": mean["noticed"] / gone if gone > ABSENT_FRAMES else float("nan"),
    }


def quality_scores(sequences: list[list[ReportedRun]]) -> dict[str, float]:
    """The measures of one tracker: means over the sequences that have them, equally weighted.

    Args:
        sequences: its runs on each sequence, one or more.

    Returns:
        Those of `sequence_quality`; NaN for one that no sequence has.
    """
    rows = [sequence_quality(runs) for runs in sequences]
    means = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        means[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return means
