"""Bootstrap over sequences: against a slow loop, theory for a mean, and hand-made rankings."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.evaluation.bootstrap import (
    Spread,
    Standing,
    draws,
    rank_correlation,
    ratio,
    reversed_pairs,
)
from course_lib.evaluation.intervals import Interval


class TestDraws:
    def test_have_as_many_clips_as_there_are_and_repeat(self):
        counts = draws(12, 300, seed=4)
        assert counts.shape == (300, 12) and (counts.sum(axis=1) == 12).all()
        assert counts.max() > 1 and (counts == 0).any()
        np.testing.assert_array_equal(counts, draws(12, 300, seed=4))
        assert (counts != draws(12, 300, seed=5)).any()

    def test_leave_out_a_clip_as_often_as_theory_says(self):
        counts = draws(10, 5000)
        assert (counts == 0).mean() == pytest.approx(0.9**10, abs=0.01)
        assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.05)


class TestRatio:
    def test_equals_a_loop_over_drawn_clips(self):
        rng = np.random.default_rng(2)
        totals, weights = rng.random((5, 3)), rng.integers(0, 3, (5, 3)).astype(float)
        weights[:, 2] = 0
        counts = draws(5, 40)
        found = ratio(counts, totals, weights)
        for b in range(40):
            chosen = [s for s in range(5) for _ in range(counts[b, s])]
            for j in range(3):
                below = sum(weights[s, j] for s in chosen)
                expected = sum(totals[s, j] for s in chosen) / below if below else np.nan
                np.testing.assert_allclose(found[b, j], expected, atol=1e-12)
        assert np.isnan(found[:, 2]).all()

    def test_of_a_mean_has_the_width_that_the_normal_interval_has(self):
        values = np.random.default_rng(0).normal(0.5, 0.1, 60)
        spread = Spread.of(values.mean(), ratio(draws(60, 4000), values, np.ones(60)))
        usual = Interval.of(values)
        assert spread.value == pytest.approx(usual.mean)
        assert spread.high - spread.low == pytest.approx(2 * usual.half_width, rel=0.06)


class TestSpread:
    def test_is_between_percentiles_and_leaves_out_what_is_no_number(self):
        drawn = np.concatenate([np.arange(101.0), [np.nan]])
        spread = Spread.of(50, drawn, level=0.9)
        assert (spread.low, spread.high) == pytest.approx((5, 95))
        assert str(Spread(0.4, 0.3, 0.5)) == "0.400, 0.300 to 0.500 (95 %)"


def standing(names: str, rows) -> Standing:
    """Values of single-letter trackers, the first row on the sequences as they are."""
    rows = np.array(rows, dtype=float)
    return Standing(tuple(names), rows[0], rows[1:])


class TestRankings:
    one = standing("abc", [[3, 2, 1], [3, 2, 1], [3, 1, 2]])
    other = standing("xcab", [[9, 1, 2, 3], [9, 1, 2, 3], [9, 1, 3, 2]])

    def test_correlate_over_the_trackers_that_both_have(self):
        """a b c against b a c: one of three pairs is reversed, τ = 1 − 2/3. On the second drawn
        benchmark it is a c b against a b c."""
        tau = rank_correlation(self.one, self.other)
        assert tau.value == pytest.approx(1 / 3)
        assert tau.low == pytest.approx(1 / 3) and tau.high == pytest.approx(1 / 3)
        same = rank_correlation(self.one, self.one)
        assert (same.value, same.low, same.high) == (1, 1, 1)

    def test_name_the_pairs_that_are_reversed_and_how_surely(self):
        assert reversed_pairs(self.one, self.other) == [("a", "b", 1.0, 0.5)]
        assert reversed_pairs(self.one, self.one) == []

    def test_count_a_tie_as_half(self):
        tied = standing("ab", [[1, 1], [1, 1], [2, 1]])
        assert tied.ahead("a", "b") == (False, 0.75)

    def test_give_a_trackers_interval(self):
        spread = self.one.spread("b")
        assert spread.value == 2 and 1 <= spread.low < spread.high <= 2
