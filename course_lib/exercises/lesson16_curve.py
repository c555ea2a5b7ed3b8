"""Check of lesson 16's expected-overlap curve, of which EAO is a mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from course_lib.exercises.cases import compare_arrays
from course_lib.exercises.compare import as_array
from course_lib.exercises.core import check
from course_lib.exercises.words import Wrong

Runs = list[tuple[np.ndarray, int]]


def expected_curve(runs: Runs, high: int) -> np.ndarray:
    """Φ(j) for j = 0 … high − 1: (high,); 0 where no run reaches.

    Args:
        runs: overlaps (N,) and progress of each.
        high: length of the curve.
    """
    return _curve(runs, high)


def _curve(
    runs: Runs,
    high: int,
    short: Callable[[int], int] = lambda j: j - 1,
    long: Callable[[int], int] = lambda j: j,
    first: int = 1,
    last: int = 0,
    pads: Callable[[int, int], bool] = lambda P, N: P < N,
    zeros: bool = True,
    stays: bool = False,
    reach: int = 0,
    lasts: Callable[[int, int], int] = lambda P, N: N,
) -> np.ndarray:
    """The curve with a part changed.

    Args:
        runs, high: as of `expected_curve`.
        short, long: j → divisor of a run of at most j frames, and of a longer one.
        first: the first frame that is summed.
        last: frames beyond j that are summed in a run of more than j frames.
        pads: (progress, N) → whether a run that is too short counts on.
        zeros: whether overlaps are 0 from a failure on.
        stays: whether a run that is too short counts with its last mean.
        reach: how many frames more a run reaches.
        lasts: (progress, N) → frames of a run, when it is asked whether they are more than j.
    """
    curve = np.zeros(high)
    for j in range(1, high):
        values = []
        for overlaps, P in runs:
            o, N = overlaps.copy(), len(overlaps)
            if zeros:
                o[P:] = 0
            if lasts(P, N) + reach > j:
                values.append(o[first : j + 1 + last].sum() / max(long(j), 1))
            elif pads(P, N):
                values.append(o[first:].sum() / max(N - 1 if stays else short(j), 1))
        curve[j] = np.mean(values) if values else 0
    return curve


def _with(**changed: Any) -> Callable[..., Any]:
    """A mistake: another part."""
    return lambda right, *given: _curve(*given, **changed)


def _over_all(right, runs, high):
    """Divided by the number of all runs."""
    curve = np.zeros(high)
    for run in runs:
        curve += _curve([run], high) / len(runs)
    return curve


def _values(right, runs, high):
    """The mean overlap in frame j instead of in frames 1 … j."""
    curve = right(runs, high)
    return np.diff(curve * np.arange(high), prepend=0.0)


@check(
    "today.curve",
    reference=expected_curve,
    learns=False,
    mistakes={
        "leave the start frame out of the mean: it is over frames 1 … j": (
            _with(first=0, long=lambda j: j + 1, short=lambda j: j)
        ),
        "Φ(j) is the mean of frames 1 … j: its sum is divided by j, not by j + 1": [
            _with(long=lambda j: j + 1),
            _with(long=lambda j: j + 1, short=lambda j: j + 1),
        ],
        "frame j belongs to frames 1 … j; your sum ends at frame j − 1": _with(last=-1),
        "a failed run of at most j frames is padded, but VOT's toolkit divides its sum by j − 1; "
        "yours is divided by j": _with(short=lambda j: j),
        "only a *padded* run is divided by j − 1": _with(long=lambda j: j - 1),
        "a failed run of at most j frames counts as if zeros followed; yours keeps its mean": (
            _with(stays=True)
        ),
        "a failed run counts for every j; you leave it out beyond its end": (
            _with(pads=lambda P, N: False)
        ),
        "a run that came to the end of its sequence says nothing about longer ones; yours is padded "
        "with zeros too": _with(pads=lambda P, N: True),
        "after a failure the overlaps count as 0, even if the tracker finds the target again": [
            _with(zeros=False)
        ],
        "the mean is over the runs that count at this j, not over all": _over_all,
        "Φ(j) is a mean over frames 1 … j; yours is the overlap in frame j": _values,
        "the curve begins with Φ(0), which means nothing; yours begins with Φ(1)": (
            lambda right, runs, high: right(runs, high + 1)[1:]
        ),
        "a run of N frames has frames 0 … N − 1, so it reaches j < N; yours reaches j = N": (
            _with(reach=1)
        ),
        "whether a run is longer than j depends on its N frames, failed or not; you compare its "
        "progress with j": _with(lasts=lambda P, N: P),
        "a run that failed is padded; yours pads those that did not": (
            _with(pads=lambda P, N: P == N)
        ),
    },
    others={
        "has shape": lambda right, *given: right(*given)[1:],
        "the mean of nothing": lambda right, runs, high: np.where(
            _silent(runs, high), np.nan, right(runs, high)
        ),
        "expected": lambda right, *given: 0.9 * right(*given),
        "your function changes": lambda right, runs, high: (
            right(runs, high),
            runs[0][0].fill(0),
        )[0],
    },
)
def examine_curve(answer: Any, rng: np.random.Generator) -> None:
    """Runs that fail and runs that do not, shorter and longer than the curve."""
    cases = []
    for high, lengths in ((30, (12, 20, 26, 40)), (24, (24, 10, 30)), (20, (8, 12)), (16, (9, 40))):
        runs: Runs = []
        for k, N in enumerate(lengths):
            overlaps = rng.uniform(0.3, 0.9, N)
            overlaps[0] = 0.0
            P = N if k % 2 else int(rng.integers(2, N // 2))
            overlaps[P : N - 2] = 0.05
            runs.append((overlaps, P))
        cases.append((runs, high))
    cases.append(([(o, len(o)) for o, _ in cases[2][0]], 20))  # none fails: 0 beyond the longest
    for runs, high in cases:
        silent = _silent(runs, high)
        compare_arrays(
            answer,
            [(runs, high)],
            "the curve",
            lambda given, silent=silent: _read(given, silent),
            _words,
        )


def _silent(runs: Runs, high: int) -> np.ndarray:
    """Whether no run counts, (high,)."""
    counts = max(len(o) if len(o) == P else high for o, P in runs)
    return np.arange(high) >= counts


def _read(given: Any, silent: np.ndarray) -> np.ndarray:
    """The curve from Φ(1) on; Φ(0) means nothing."""
    curve = as_array(given, silent.shape, "the curve", allow_nan=True)
    if silent.any() and np.array_equal(np.isnan(curve[1:]), silent[1:]):
        raise Wrong(
            "your curve is NaN where no run counts, since the mean of nothing is NaN; there it is 0"
        )
    return as_array(given, silent.shape, "the curve")[1:]


def _words(given: np.ndarray, right: np.ndarray, runs: Runs, high: int) -> str:
    """Where the curves part."""
    j = int(np.flatnonzero(~np.isclose(given, right, rtol=0, atol=1e-6))[0])
    told = ", ".join(f"{len(o)} frames ({'failed' if len(o) > P else 'whole'})" for o, P in runs)
    return (
        f"runs of {told}: Φ({j + 1}) is {given[j]:.4f}, expected {right[j]:.4f} (the first that "
        "differs)"
    )
