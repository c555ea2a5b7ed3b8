"""VOT's scores, above all the expected average overlap (EAO): how well a tracker is expected to do
on a short sequence.

Kristan et al.: The Visual Object Tracking VOT2015 challenge results. A run is cut into segments at
its starts. A segment that ends in a failure counts as zero from then on; one that ends with its
sequence counts only as far as it goes. Φ(N) is the mean, over the segments that reach N, of the
mean overlap in frames 1 … N after the start; EAO is the mean of Φ(N) over N = low … high, both
included. (Toolkits differ by one at either end.)
"""

from __future__ import annotations

import numpy as np

from course_lib.data.benchmarks import BOUNDING
from course_lib.evaluation.vot import (
    FAILURE,
    INIT,
    SupervisedRun,
    averages_by_length,
    averages_over_frames,
)

# Lengths of typical short sequences, as the challenges published them.
INTERVALS = {
    "vot2015": (108, 371),
    "vot2016": (108, 371),
    "vot2017": (100, 356),
    "vot2018": (100, 356),
    "vot2019": (46, 291),
}


def segments(run: SupervisedRun) -> list[tuple[np.ndarray, bool]]:
    """For each start: the overlaps (n,) up to a failure or the end, and whether it failed.

    The frame of the failure is the last of its segment, with overlap 0. Frames without truth count
    as 0.
    """
    parts = []
    for start in np.flatnonzero(run.codes == INIT):
        after = run.codes[start + 1 :]
        failures = np.flatnonzero(after == FAILURE)
        length = int(failures[0]) + 1 if len(failures) else len(after)
        parts.append(
            (np.nan_to_num(run.overlaps[start + 1 : start + 1 + length]), bool(len(failures)))
        )
    return parts


def curve_sums(runs: list[SupervisedRun], longest: int) -> tuple[np.ndarray, np.ndarray]:
    """What Φ is made of, for N = 1 … `longest`: the sum over the segments that reach N, and how
    many do: (longest,) each. Both add up over sequences."""
    total, count = np.zeros(longest), np.zeros(longest)
    for overlaps, failed in (part for run in runs for part in segments(run)):
        reach = longest if failed else min(len(overlaps), longest)
        padded = np.zeros(reach)
        padded[: min(len(overlaps), reach)] = overlaps[:reach]
        total[:reach] += np.cumsum(padded) / np.arange(1, reach + 1)  # mean overlap of frames 1 … N
        count[:reach] += 1
    return total, count


def expected_overlap_curve(runs: list[SupervisedRun], longest: int | None = None) -> np.ndarray:
    """Φ(N) for N = 1 … `longest`, by default the longest segment: shape (longest,).

    NaN where no segment reaches N.
    """
    lengths = [len(overlaps) for run in runs for overlaps, _ in segments(run)]
    longest = longest or max(lengths, default=0)
    total, count = curve_sums(runs, longest)
    return np.divide(total, count, out=np.full(longest, np.nan), where=count > 0)


def interval(benchmark: str, lengths: list[int]) -> tuple[int, int]:
    """(low, high) for a benchmark: as published, or else from its sequences' `lengths`.

    Where VOT published none, the course has its own rule: the range that holds the middle half of
    the lengths, counted after the first frame. (If that frame counted, a range could reach a length
    at which all runs without a failure have ended and only failed ones count.) Say so beside the
    number.
    """
    year = benchmark.removesuffix(BOUNDING)
    if year in INTERVALS:
        return INTERVALS[year]
    low, high = np.percentile(lengths, [25, 75]) - 1
    return max(int(low), 1), max(int(high), 1)


def eao(runs: list[SupervisedRun], low: int, high: int) -> float:
    """Expected average overlap over a range of lengths, except those that no segment reaches.

    Args:
        runs: one or more for each sequence.
        low: the shortest length, in frames after the start.
        high: the longest; both count.
    """
    curve = expected_overlap_curve(runs, longest=high)[low - 1 : high]  # (high - low + 1,)
    return float(np.nanmean(curve)) if np.isfinite(curve).any() else float("nan")


def supervised_scores(
    sequences: list[list[SupervisedRun]], benchmark: str, lengths: list[int]
) -> dict[str, float]:
    """All of VOT's scores of one tracker; the repetitions on a sequence are averaged.

    EAO has no value for one sequence: as in the toolkit, the segments of all runs weigh the same.

    Args:
        sequences: its runs on each sequence, one or more.
        benchmark: the name of the benchmark.
        lengths: number of frames of each sequence, see `interval`.

    Returns:
        Accuracy, failures and reliability pooled over frames (`averages_over_frames`) and weighted
        by length (`averages_by_length`), EAO and its interval of lengths.
    """
    runs = [run for repeated in sequences for run in repeated]
    low, high = interval(benchmark, lengths)
    return {
        **averages_over_frames(sequences),
        **averages_by_length(sequences),
        "eao": eao(runs, low, high),
        "low": low,
        "high": high,
    }
