"""VOT's supervised protocol (2013 to 2019): a tracker that loses its target is restarted five
frames later.

Kristan et al.: A Novel Performance Evaluation Methodology for Single-Target Trackers, PAMI 2016.
Where the toolkit (0.9.0, `vot/analysis/supervised.py`) and pysot average differently, both ways are
here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.otb import checked_box
from course_lib.evaluation.region_files import place, read_regions, write_regions
from course_lib.evaluation.regions import Region, is_known, region_overlap
from course_lib.geometry.boxes import bounding_box
from course_lib.trackers.base import Tracker

INIT, FAILURE, SKIPPED, TRACKED = 1, 2, 0, -1  # the first three are VOT's codes


@dataclass(frozen=True, eq=False)
class SupervisedRun:
    """One supervised run on one sequence of T frames.

    Attributes:
        codes: (T,) INIT, FAILURE, SKIPPED or TRACKED.
        boxes: (T, 4) the tracker's boxes, 0-based pixels; NaN where there is none.
        overlaps: (T,) overlap with the truth: 1 where it started, 0 where it failed, NaN where
        it was skipped.
    """

    codes: np.ndarray
    boxes: np.ndarray
    overlaps: np.ndarray

    @property
    def failures(self) -> int:
        """How often the tracker lost its target."""
        return int((self.codes == FAILURE).sum())


def run_supervised(make: Callable[[], Tracker], sequence: Sequence, skip: int = 5) -> SupervisedRun:
    """Run a fresh tracker; where it fails (overlap 0), start another one `skip` frames later.

    Frames without a true box are skipped when starting, and are not failures when tracking. The
    tracker is initialised with `sequence.boxes`; where the truth is a polygon, that is a box made
    from it (see `readers.vot`).

    Args:
        make: makes a fresh tracker.
        sequence: what to run on.
        skip: frames from a failure to the next start; 5 in VOT's toolkit.

    Raises:
        DataError: naming sequence and frame, if the tracker gives anything but four finite numbers.
    """
    T = len(sequence)
    codes, boxes, overlaps = np.full(T, SKIPPED), np.full((T, 4), np.nan), np.full(T, np.nan)
    regions = true_regions(sequence)  # T
    tracker, waiting = None, 0
    for t, frame in enumerate(sequence.frames):
        there = is_known(regions[t]) and is_known(sequence.boxes[t])
        if tracker is None:
            if waiting > 0 or not there:
                waiting -= 1
                continue
            tracker = make()
            tracker.init(frame, sequence.boxes[t].copy())
            codes[t], boxes[t], overlaps[t] = INIT, sequence.boxes[t], 1.0
            continue
        boxes[t], codes[t] = checked_box(tracker.update(frame), tracker, sequence, t), TRACKED
        if not there:
            continue
        overlaps[t] = region_overlap(boxes[t], regions[t], *frame.shape[:2])
        if overlaps[t] <= 0:
            codes[t], overlaps[t], boxes[t] = FAILURE, 0.0, np.nan
            tracker, waiting = None, skip - 1
    return SupervisedRun(codes, boxes, overlaps)


def true_regions(sequence: Sequence) -> list[Region]:
    """What a run is scored against, T regions: masks if there are any, else polygons (8,), else
    boxes (4,); NaN where the target is absent."""
    if sequence.masks is not None:
        return [np.full(4, np.nan) if mask is None else mask for mask in sequence.masks]
    return list(sequence.boxes if sequence.polygons is None else sequence.polygons)


def counted_overlaps(run: SupervisedRun, burn_in: int = 10) -> np.ndarray:
    """Overlaps (T,) of tracked frames; NaN elsewhere and in `burn_in` frames from each start."""
    counted = run.codes == TRACKED  # (T,)
    for start in np.flatnonzero(run.codes == INIT):
        counted[start : start + burn_in] = False
    return np.where(counted, run.overlaps, np.nan)


def accuracy(runs: list[SupervisedRun], burn_in: int = 10) -> float:
    """Mean overlap of the frames that count, pooled over all sequences, with one run on each.

    For repetitions see `averages_over_frames`. VOT's toolkit weights sequences instead: see
    `averages_by_length`.
    """
    return _mean_over_frames([[run] for run in runs], burn_in)


def averages_over_frames(
    sequences: list[list[SupervisedRun]], burn_in: int = 10, sensitivity: float = 30.0
) -> dict[str, float]:
    """The averages of pysot: over the runs on each sequence, then over all frames together.

    So a sequence counts by its frames, however often it was run: VOT's toolkit tracks it three
    times if the runs are equal, otherwise up to fifteen times.

    Source: pysot, `toolkit/evaluation/ar_benchmark.py`.

    Args:
        sequences, burn_in, sensitivity: as in `averages_by_length`.

    Returns:
        "accuracy", mean overlap of the frames that count, each the mean of the runs in which it
        does; "failures", their number in one run on each sequence; "per_100_frames", 100 · failures
        / frames; "reliability", exp(−S · failures / frames), the fraction of runs of S frames
        expected to go without a failure.
    """
    failures = sum(float(np.mean([run.failures for run in runs])) for runs in sequences)
    frames = sum(len(runs[0].codes) for runs in sequences)
    return {
        "accuracy": _mean_over_frames(sequences, burn_in),
        "failures": failures,
        "per_100_frames": 100.0 * failures / frames,
        "reliability": float(np.exp(-sensitivity * failures / frames)),
    }


def _mean_over_frames(sequences: list[list[SupervisedRun]], burn_in: int) -> float:
    """Mean overlap of the frames of all sequences that count in at least one run; NaN if none."""
    pooled = [np.empty(0)]
    for runs in sequences:
        overlaps = np.array([counted_overlaps(run, burn_in) for run in runs])  # (R, T)
        total, counted = np.nansum(overlaps, axis=0), np.isfinite(overlaps).sum(axis=0)  # (T,) each
        nowhere = np.full(len(total), np.nan)
        pooled.append(np.divide(total, counted, out=nowhere, where=counted > 0))
    values = np.concatenate(pooled)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def averages_by_length(
    sequences: list[list[SupervisedRun]], burn_in: int = 10, sensitivity: float = 30.0
) -> dict[str, float]:
    """The averages of VOT's toolkit: each sequence's own value, weighted by its length.

    Source: version 0.9.0, `vot/analysis/supervised.py`.

    Args:
        sequences: the runs on each sequence: one, or several if the tracker is not deterministic.
        burn_in: frames left out from each start.
        sensitivity: S of the reliability.

    Returns:
        "accuracy_by_length", where a sequence without counted frames has 0; "failures_by_length",
        a mean number of failures per sequence; "reliability_by_length", exp(−S · that number / mean
        length).
    """
    lengths = np.array([len(runs[0].codes) for runs in sequences], dtype=np.float64)  # (S,)
    accuracies = [
        np.mean([np.nan_to_num(accuracy([run], burn_in)) for run in runs]) for runs in sequences
    ]
    failures = np.average(
        [np.mean([run.failures for run in runs]) for runs in sequences], weights=lengths
    )
    return {
        "accuracy_by_length": float(np.average(accuracies, weights=lengths)),
        "failures_by_length": float(failures),
        "reliability_by_length": float(np.exp(-sensitivity * failures / lengths.mean())),
    }


def write_supervised(path: Path, run: SupervisedRun) -> None:
    """Write a run as VOT does, as text or `.bin`: 1 start, 2 failure, 0 skipped, or the box."""
    write_regions(
        path,
        (
            box if code == TRACKED else np.array([code])
            for code, box in zip(run.codes, run.boxes, strict=True)
        ),
    )


def read_supervised(path: Path, sequence: Sequence) -> SupervisedRun:
    """Read a run in VOT's format, text or `.bin`, and compute its overlaps with the truth.

    A polygon is scored as a polygon; `boxes` then holds the box around it.

    Args:
        path: the file of regions.
        sequence: the sequence it was run on.

    Raises:
        MissingDataError: if there is no file.
        DataError: naming the line or region that is neither a code nor a region, or comes before
            any start.
    """
    regions, T = read_run(path, sequence), len(sequence)
    codes, boxes, overlaps = np.full(T, SKIPPED), np.full((T, 4), np.nan), np.full(T, np.nan)
    truth = true_regions(sequence)  # T
    (height, width), started = sequence.frames[0].shape[:2], False
    for t, region in enumerate(regions):
        codes[t] = _code(region, place(path, t), started)
        started = started or codes[t] == INIT
        if codes[t] == TRACKED:
            boxes[t] = region if len(region) == 4 else bounding_box(region)
            if is_known(truth[t]):
                overlaps[t] = region_overlap(region, truth[t], height, width)
        else:
            overlaps[t] = {INIT: 1.0, FAILURE: 0.0}.get(codes[t], np.nan)
            boxes[t] = sequence.boxes[t] if codes[t] == INIT else np.nan
    return SupervisedRun(codes, boxes, overlaps)


def read_run(path: Path, sequence: Sequence) -> list[np.ndarray]:
    """The regions and codes of a run, one for each frame; DataError if there are more or fewer."""
    regions = read_regions(path)
    if len(regions) != len(sequence):
        raise DataError(
            f"{path} has {len(regions)} {'regions' if path.suffix == '.bin' else 'lines'}; "
            f"{sequence.name} has {len(sequence)} frames. Run the tracker again."
        )
    return regions


def _code(region: np.ndarray, where: str, started: bool) -> int:
    """What a region of a file says about its frame: one of VOT's codes, or TRACKED."""
    code = TRACKED if len(region) > 1 else region[0]
    if code not in (INIT, FAILURE, SKIPPED, TRACKED) or (len(region) == 1 and code == TRACKED):
        raise DataError(f"{where}: {f'{code:g}'!r}; expected 1, 2, 0 or x,y,w,h")
    if code in (FAILURE, TRACKED) and not started:
        raise DataError(
            f"{where} comes before any start (1): are these the results of one pass? "
            "Expected those of the supervised protocol"
        )
    return int(code)
