"""How sure is the difference between two arms of a study, each trained with a few seeds and tracked
on the same sequences?

Other sequences would have given another difference, and so would other seeds. What other sequences
would do shows in the difference itself, sequence by sequence. Two seeds say next to nothing about
how far seeds lie apart; the seeds of all arms together say more, if they are about as far apart in
each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from course_lib.evaluation.intervals import Interval

Run = Mapping[str, Any]  # "arm", "seed", and "clips": group → sequence → score


def common_clips(runs: Iterable[Run], group: str) -> list[str]:
    """The names of a group's sequences that every run of the study has, in order."""
    found = [set(run["clips"][group]) for run in runs]
    return sorted(set.intersection(*found)) if found else []


def by_sequence(runs: Iterable[Run], arm: str, group: str) -> np.ndarray:
    """Scores (seeds, sequences) of an arm on the `common_clips`; (0, 0) without a run.

    Args:
        runs: of the study.
        arm: its name.
        group: of sequences.
    """
    runs = list(runs)
    names = common_clips(runs, group)
    rows = [[r["clips"][group][name] for name in names] for r in runs if r["arm"] == arm]
    return np.array(rows) if rows else np.empty((0, 0))


def spread_of_seeds(runs: Iterable[Run], score: Callable[[Run], float]) -> tuple[float, int]:
    """The variance of a score from seed to seed, of all arms together, and its degrees of freedom;
    infinite while no arm has two seeds.

    Args:
        runs: of the study.
        score: run → score.
    """
    tries: dict[str, list[float]] = {}
    for run in runs:
        tries.setdefault(run["arm"], []).append(score(run))
    freedom = sum(len(of) - 1 for of in tries.values())
    squares = sum(float(((np.array(of) - np.mean(of)) ** 2).sum()) for of in tries.values())
    return (squares / freedom, freedom) if freedom else (math.inf, 1)


def score_difference(
    runs: Iterable[Run], arm: str, other: str, score: Callable[[Run], float]
) -> Interval | None:
    """A score of one arm minus another's, with its interval for other seeds: infinitely wide
    while no arm has two. None while either arm has no run.

    Args:
        runs: of the study.
        arm, other: names.
        score: run → score.
    """
    runs = list(runs)
    mine, theirs = ([score(r) for r in runs if r["arm"] == name] for name in (arm, other))
    if not (mine and theirs):
        return None
    variance, freedom = spread_of_seeds(runs, score)
    mean, count = float(np.mean(mine) - np.mean(theirs)), len(mine) + len(theirs)
    if math.isinf(variance):
        return Interval(mean, math.inf, count)
    source = (variance * (1 / len(mine) + 1 / len(theirs)), freedom)
    return Interval.of_sources(mean, [source], count)


def arm_difference(runs: Iterable[Run], arm: str, other: str, group: str) -> Interval | None:
    """The score of one arm minus another's, with its interval for other sequences and other seeds:
    infinitely wide while there is only one sequence, or no arm with two seeds. None while either
    arm has no run.

    Args:
        runs: of the study.
        arm, other: names.
        group: of sequences.
    """
    runs = list(runs)
    mine, theirs = by_sequence(runs, arm, group), by_sequence(runs, other, group)
    if not (mine.size and theirs.size):
        return None
    apart = mine.mean(0) - theirs.mean(0)  # (sequences,)
    count, names = len(apart), common_clips(runs, group)
    variance, freedom = spread_of_seeds(
        runs, lambda run: float(np.mean([run["clips"][group][name] for name in names]))
    )
    if math.isinf(variance) or count < 2:
        return Interval(float(apart.mean()), math.inf, count)
    sources = [
        (float(np.var(apart, ddof=1)) / count, count - 1),
        (variance * (1 / len(mine) + 1 / len(theirs)), freedom),
    ]
    return Interval.of_sources(float(apart.mean()), sources, count)
