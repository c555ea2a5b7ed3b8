"""Check of lesson 17's interval of a difference, by drawing sequences."""

from __future__ import annotations

import numpy as np

from course_lib.exercises.cases import compare_cases, reads
from course_lib.exercises.core import check
from course_lib.exercises.manners import require_repeatable


def interval(
    ours: np.ndarray, theirs: np.ndarray, picks: np.ndarray, level: float
) -> tuple[float, float]:
    """Lower and upper end of the percentile interval of mean(ours) − mean(theirs).

    Args:
        ours: (S,) a tracker's score on each sequence.
        theirs: (S,) another tracker's on the same ones.
        picks: (B, S) indices of the sequences drawn, a row for each benchmark.
        level: of the interval, as 0.95.
    """
    return _ends((ours - theirs)[picks].mean(1), level)


def _ends(values: np.ndarray, level: float) -> tuple[float, float]:
    """Percentiles of values that leave out the same share on both sides."""
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def _apart(right, ours, theirs, picks, level):
    """The two trackers get different sequences."""
    return _ends(ours[picks].mean(1) - theirs[np.roll(picks, 1, axis=0)].mean(1), level)


def _overlap(right, ours, theirs, picks, level):
    """Each tracker's own interval, subtracted."""
    mine, other = (_ends(of[picks].mean(1), level) for of in (ours, theirs))
    return mine[0] - other[1], mine[1] - other[0]


def _normal(right, ours, theirs, picks, level):
    """Mean and 1.96 deviations of the drawn means."""
    drawn = (ours - theirs)[picks].mean(1)
    return drawn.mean() - 1.96 * drawn.std(), drawn.mean() + 1.96 * drawn.std()


def _once(right, ours, theirs, picks, level):
    """Percentiles over sequences, not over drawn benchmarks."""
    return _ends(ours - theirs, level)


@check(
    "challenge.bootstrap",
    reference=interval,
    learns=False,
    mistakes={
        "{about}: both trackers ran on the *same* sequences, so they share each draw: take the "
        "difference sequence by sequence first": [_apart, _overlap],
        "{about}: this is theirs minus ours": (
            lambda right, a, b, picks, level: right(b, a, picks, level)
        ),
        "{about}: the lower end comes first": lambda right, *given: right(*given)[::-1],
        "{about}: each tail gets *half* of what is left out": (
            lambda right, a, b, picks, level: right(a, b, picks, 2 * level - 1)
        ),
        "{about}: np.percentile takes values up to 100, np.quantile up to 1": [
            lambda right, a, b, picks, level: tuple(
                np.percentile((a - b)[picks].mean(1), [(1 - level) / 2, (1 + level) / 2])
            ),
        ],
        "{about}: this is the interval of one score; return that of the difference": [
            lambda right, a, b, picks, level: right(a, 0 * b, picks, level),
            lambda right, a, b, picks, level: right(b, 0 * a, picks, level),
        ],
        "{about}: these are percentiles over the sequences themselves: how much sequences differ, "
        "not how sure their mean is; take the mean of each row of picks": _once,
        "{about}: the mean over a drawn benchmark goes along its sequences, axis 1": (
            lambda right, a, b, picks, level: _ends((a - b)[picks].mean(0), level)
        ),
        "{about}: the score of a drawn benchmark is the mean over its sequences, not their sum": (
            lambda right, a, b, picks, level: _ends((a - b)[picks].sum(1), level)
        ),
        "{about}: take means, not medians: the leaderboard has means": (
            lambda right, a, b, picks, level: _ends(np.median((a - b)[picks], axis=1), level)
        ),
        "{about}: 1.96 deviations assume a normal distribution; take the percentiles": _normal,
        "{about}: these are the lowest and highest of all drawn means": (
            lambda right, a, b, picks, level: right(a, b, picks, 1.0)
        ),
        "{about}: return the two *ends*, low and high, not the mean and the half width": (
            lambda right, a, b, picks, level: (
                float(np.mean(a - b)),
                (lambda ends: (ends[1] - ends[0]) / 2)(right(a, b, picks, level)),
            )
        ),
    },
)
def examine_bootstrap(answer, rng: np.random.Generator) -> None:
    """Scores of two trackers that find the same sequences hard."""
    cases = []
    for count, level in ((9, 0.95), (15, 0.9), (24, 0.95)):
        hard = rng.uniform(0.2, 0.8, count)
        ours = np.clip(hard + rng.gamma(0.5, 0.1, count), 0, 1)
        theirs = np.clip(hard + rng.normal(0, 0.06, count), 0, 1)
        cases.append((ours, theirs, rng.integers(0, count, (400, count)), level))
    read = reads("the lower end", "the upper end")
    compare_cases(answer, cases, ("the lower end", "the upper end"), read, _about)
    require_repeatable(answer, *cases[:2])


def _about(ours, theirs, picks, level) -> str:
    """What a message calls a case."""
    return f"{len(ours)} sequences, {100 * level:.0f} %"
