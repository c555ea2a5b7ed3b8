"""The measures of VOT's multi-start protocol: accuracy, robustness, expected average overlap (EAO).

Kristan et al.: The Eighth Visual Object Tracking VOT2020 Challenge Results, ECCVW 2020; details as
in the toolkit (0.9.0, `vot/analysis/multistart.py`), its peculiarities included:

* The start frame has overlap 0, and it counts: in the accuracy, and as the first of the bad frames.
* A frame without a true region is never bad; it ends a row of bad ones.
* In Φ(j), the sum of a failed run of at most j frames is divided by j − 1, of a longer run by j.
* Where no run reaches j, Φ(j) is 0 and counts; and the last Φ that counts is the one before `high`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from course_lib.data.benchmarks import BOUNDING
from course_lib.evaluation.multistart import AnchoredRun

FAILED_AT = 0.1  # overlap up to which a frame is bad
GRACE = 10  # bad frames in a row that make a failure
PUBLISHED = {"vot2020": (115, 755), "vot2021": (115, 755), "vot2022": (115, 755)}
Overlaps = Callable[[AnchoredRun], np.ndarray]
Rule = Callable[[np.ndarray, np.ndarray], int]  # (overlaps, present) → frames before a failure


def rounded(run: AnchoredRun) -> np.ndarray:
    """Overlaps (N,) as the toolkit counts them, in whole pixels."""
    return run.overlaps


def exact(run: AnchoredRun) -> np.ndarray:
    """Overlaps (N,) of boxes that are not rounded."""
    return run.exact


def progress(
    overlaps: np.ndarray, present: np.ndarray, grace: int = GRACE, failed_at: float = FAILED_AT
) -> int:
    """Frames (of N) before a run fails: the index of the first of `grace` bad frames in a row.

    Args:
        overlaps: (N,) of the run, the start frame included.
        present: (N,) bool, whether there is a true region; a frame without one is not bad.
        grace: bad frames in a row that make a failure.
        failed_at: overlap up to which a frame is bad.

    Returns:
        N for a run without a failure; 0 for one that is lost from the second frame on.
    """
    row = 0
    for t, bad in enumerate((overlaps <= failed_at) & present):
        row = row + 1 if bad else 0
        if row == grace:
            return t + 1 - grace
    return len(overlaps)


def accuracy_robustness(
    sequences: list[list[AnchoredRun]],
    lengths: list[int],
    overlaps: Overlaps = rounded,
    rule: Rule = progress,
) -> dict[str, float]:
    """Accuracy and robustness over sequences, from the runs on each.

    On a sequence, accuracy is the mean overlap of all frames before a failure, robustness their
    share of all frames. Over sequences, accuracy is weighted by those frames and robustness by the
    length of the sequence, however many runs it has and however long they are.

    Args:
        sequences: runs from every anchor of each sequence.
        lengths: frames of each sequence.
        overlaps: which overlaps of a run are used.
        rule: when a run fails.

    Returns:
        "accuracy", NaN if every run is lost from its start; "robustness"; "runs" and "failed",
        how many there are.
    """
    kept, summed, shares, failed = 0, 0.0, [], 0
    for runs in sequences:
        before = [rule(overlaps(run), run.present) for run in runs]
        frames = [len(run.overlaps) for run in runs]
        kept += sum(before)
        summed += sum(overlaps(run)[:P].sum() for run, P in zip(runs, before, strict=True))
        shares.append(sum(before) / sum(frames))
        failed += sum(np.less(before, frames))
    return {
        "accuracy": float(summed / kept) if kept else float("nan"),
        "robustness": float(np.average(shares, weights=lengths)),
        "runs": sum(map(len, sequences)),
        "failed": int(failed),
    }


def curve_sums(
    runs: list[AnchoredRun], high: int, overlaps: Overlaps = rounded, rule: Rule = progress
) -> tuple[np.ndarray, np.ndarray]:
    """What Φ is made of, for j = 0 … high − 1: the sum over the runs that count, and how many do:
    (high,) each. Both add up over sequences.

    A run of more than j frames has the mean of its overlaps in frames 1 … j, which are 0 from a
    failure on. A shorter run counts only if it failed, with the sum of its overlaps divided by
    j − 1.

    Args:
        runs: of one sequence or several.
        high: length of the curve.
        overlaps: which overlaps of a run are used.
        rule: when a run fails.
    """
    total, count = np.zeros(high), np.zeros(high)
    j = np.arange(high, dtype=np.float64)
    for run in runs:
        values, N = overlaps(run).copy(), len(run.overlaps)
        P = rule(values, run.present)
        values[P:] = 0
        reach = min(N, high)  # Φ(j) for j < reach
        total[1:reach] += np.cumsum(values[1:reach]) / j[1:reach]
        count[1:reach] += 1
        if P < N:
            total[reach:] += values[1:].sum() / (j[reach:] - 1)
            count[reach:] += 1
    return total, count


def expected_overlap_curve(
    runs: list[AnchoredRun], high: int, overlaps: Overlaps = rounded, rule: Rule = progress
) -> np.ndarray:
    """Φ(j) for j = 0 … high − 1, the mean over runs, see `curve_sums`: shape (high,). Φ(0) is 0 and
    means nothing.

    Args:
        runs: of all sequences together.
        high: length of the curve.
        overlaps: which overlaps of a run are used.
        rule: when a run fails.
    """
    total, count = curve_sums(runs, high, overlaps, rule)
    return np.divide(total, count, out=np.zeros(high), where=count > 0)


def interval(benchmark: str, runs: list[AnchoredRun]) -> tuple[int, int]:
    """(low, high) of EAO for a benchmark: as published, or else from the lengths of its runs.

    Φ counts from `low` up to `high` − 1. Where VOT published no interval, the course has its own
    rule, as in `eao.interval`: the middle half of the runs' lengths.
    """
    year = benchmark.removesuffix(BOUNDING)
    if year in PUBLISHED:
        return PUBLISHED[year]
    low, high = np.percentile([len(run.overlaps) for run in runs], [25, 75]) - 1
    return max(int(low), 1), max(int(high), 1) + 1


def multistart_scores(
    sequences: list[list[AnchoredRun]],
    benchmark: str,
    lengths: list[int],
    bounds: tuple[int, int] | None = None,
) -> dict[str, float]:
    """All scores of one tracker.

    Args:
        sequences: its runs from every anchor of each sequence.
        benchmark: the name of the benchmark.
        lengths: frames of each sequence.
        bounds: (low, high) of EAO; by default those of `interval`.

    Returns:
        Those of `accuracy_robustness`, EAO with its bounds, and the same from exact overlaps.
    """
    runs = [run for started in sequences for run in started]
    low, high = bounds or interval(benchmark, runs)

    def expected(overlaps: Overlaps) -> float:
        return float(expected_overlap_curve(runs, high, overlaps)[low:high].mean())

    unrounded = accuracy_robustness(sequences, lengths, exact)
    return {
        **accuracy_robustness(sequences, lengths),
        "eao": expected(rounded),
        "low": low,
        "high": high - 1,
        "accuracy_exact": unrounded["accuracy"],
        "robustness_exact": unrounded["robustness"],
        "eao_exact": expected(exact),
    }
