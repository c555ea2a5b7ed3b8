"""How sure is the difference of two arms of a study, each trained with a few seeds and tracked on
the same clips?

Other clips would have given another difference, and so would other seeds. What clips do shows in
the difference itself, clip by clip. Two seeds say next to nothing of how far seeds lie apart; the
seeds of all arms together do, if they are about as far apart in each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from course_lib.evaluation.intervals import Interval

Run = Mapping[str, Any]  # "arm", "seed", and "clips": group → clip → score


def by_sequence(runs: Iterable[Run], arm: str, group: str) -> np.ndarray:
    """Scores (seeds, clips) of an arm on the clips that every run of the study has, in the order of
    their names; (0, 0) without a run.

    Args:
        runs: of the study.
        arm: its name.
        group: of clips.
    """
    runs = list(runs)
    names = set.intersection(*(set(r["clips"][group]) for r in runs)) if runs else set()
    rows = [[r["clips"][group][n] for n in sorted(names)] for r in runs if r["arm"] == arm]
    return np.array(rows) if rows else np.empty((0, 0))


def spread_of_seeds(runs: Iterable[Run], group: str) -> tuple[float, int]:
    """The variance of a run's mean over clips from seed to seed, of all arms together, and its
    degrees of freedom; infinite while no arm has two seeds."""
    runs = list(runs)
    means = [by_sequence(runs, arm, group).mean(1) for arm in {r["arm"] for r in runs}]
    freedom = sum(len(of) - 1 for of in means)
    squares = sum(float(((of - of.mean()) ** 2).sum()) for of in means)
    return (squares / freedom, freedom) if freedom else (math.inf, 1)


def arm_difference(runs: Iterable[Run], arm: str, other: str, group: str) -> Interval | None:
    """The score of one arm minus another's, with its interval for other clips and other seeds:
    without end while there is one clip, or no arm with two seeds. None while one of them has no
    run.

    Args:
        runs: of the study.
        arm, other: names.
        group: of clips.
    """
    runs = list(runs)
    mine, theirs = by_sequence(runs, arm, group), by_sequence(runs, other, group)
    if not (mine.size and theirs.size):
        return None
    apart = mine.mean(0) - theirs.mean(0)  # (clips,)
    count, (variance, freedom) = len(apart), spread_of_seeds(runs, group)
    if math.isinf(variance) or count < 2:
        return Interval(float(apart.mean()), math.inf, count)
    sources = [
        (float(np.var(apart, ddof=1)) / count, count - 1),
        (variance * (1 / len(mine) + 1 / len(theirs)), freedom),
    ]
    return Interval.of_sources(float(apart.mean()), sources, count)
