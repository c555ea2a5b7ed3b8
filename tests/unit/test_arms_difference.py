"""The difference of two arms: worked by hand, and how often its interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from course_lib.evaluation.arms import (
    arm_difference,
    by_sequence,
    score_difference,
    spread_of_seeds,
)


def runs_of(scores: dict[str, list[list[float]]]) -> list[dict]:
    """Runs from arm → scores (seeds, sequences)."""
    return [
        {"arm": arm, "seed": seed, "clips": {"g": {f"c{k}": v for k, v in enumerate(of)}}}
        for arm, rows in scores.items()
        for seed, of in enumerate(rows)
    ]


def mean_of(run: dict) -> float:
    """A run's mean over its sequences."""
    return float(np.mean(list(run["clips"]["g"].values())))


def test_seeds_of_all_arms_give_the_spread():
    """Means .5 and .7, .2 and .2: squares .02 and 0 about them, two degrees of freedom."""
    runs = runs_of({"a": [[0.4, 0.6], [0.6, 0.8]], "b": [[0.1, 0.3], [0.3, 0.1]]})
    assert spread_of_seeds(runs, mean_of) == (pytest.approx(0.01), 2)
    assert by_sequence(runs, "b", "g").tolist() == [[0.1, 0.3], [0.3, 0.1]]


def test_a_difference_adds_what_clips_and_seeds_do():
    """Sequence by sequence .3 and .5: variance .02, of their mean .01 with one degree of freedom; seeds .01
    times (1/2 + 1/2) with two. Together .02, with .0004 / (.0001 + .00005) degrees."""
    runs = runs_of({"a": [[0.4, 0.6], [0.6, 0.8]], "b": [[0.1, 0.3], [0.3, 0.1]]})
    found = arm_difference(runs, "a", "b", "g")
    assert (found.mean, found.n) == (pytest.approx(0.4), 2)
    expected = student.ppf(0.975, 0.0004 / 0.00015) * math.sqrt(0.02)
    assert found.half_width == pytest.approx(expected)


def test_one_seed_of_each_leaves_it_open():
    runs = runs_of({"a": [[0.9, 0.9]], "b": [[0.1, 0.1]]})
    assert not arm_difference(runs, "a", "b", "g").excludes_zero
    assert arm_difference(runs, "a", "c", "g") is None


def test_without_clips_the_seeds_are_the_only_source():
    """.6 minus .2; .01 times (1/2 + 1/2), with two degrees of freedom."""
    runs = runs_of({"a": [[0.4, 0.6], [0.6, 0.8]], "b": [[0.1, 0.3], [0.3, 0.1]]})
    found = score_difference(runs, "a", "b", mean_of)
    assert (found.mean, found.n) == (pytest.approx(0.4), 4)
    assert found.half_width == pytest.approx(student.ppf(0.975, 2) * 0.1)
    assert score_difference(runs, "a", "c", mean_of) is None
    assert math.isinf(score_difference([runs[0], runs[2]], "a", "b", mean_of).half_width)


def test_it_holds_the_truth_as_often_as_it_says():
    """Eight arms that are equal, two seeds, twenty sequences: of 95 % intervals some 5 % exclude zero.
    With sequences as the only source it would be most of them."""
    rng = np.random.default_rng(0)
    missed = narrow = 0
    for _ in range(400):
        seeds = rng.normal(0, 0.05, (8, 2, 1)) + rng.normal(0, 0.05, (8, 2, 20))
        runs = runs_of({str(arm): of.tolist() for arm, of in enumerate(seeds)})
        missed += arm_difference(runs, "0", "1", "g").excludes_zero
        apart = seeds[0].mean(0) - seeds[1].mean(0)  # (20,)
        narrow += abs(apart.mean()) > 2.09 * apart.std(ddof=1) / math.sqrt(20)
    assert missed / 400 < 0.09 and narrow / 400 > 0.5


def test_clips_that_some_run_lacks_do_not_count():
    runs = runs_of({"a": [[0.4, 0.6], [0.6, 0.8]], "b": [[0.1, 0.3], [0.3, 0.1]]})
    runs[0]["clips"]["g"] = {"other": 9.0} | runs[0]["clips"]["g"]
    del runs[3]["clips"]["g"]["c1"]
    assert by_sequence(runs, "a", "g").tolist() == [[0.4], [0.6]]
    assert arm_difference(runs, "a", "b", "g").mean == pytest.approx(0.3)
