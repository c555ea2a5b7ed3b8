"""A score as the sign of a lost target: ROC curve and the area under it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from course_lib.errors import DataError
from course_lib.evaluation.lost import area, roc

# by hand: lost .1 and .4, not lost .4, .6, .9; of the 6 pairs 5 are in order and one is a tie
SCORES, LOST = [0.4, 0.1, 0.9, 0.4, 0.6], [True, True, False, False, False]


def by_pairs(scores, lost):
    """The definition, pair by pair."""
    pairs = [(a, b) for a in scores[lost] for b in scores[~lost]]
    return sum(1.0 if a < b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def test_a_curve_by_hand():
    false_alarm, found = roc(SCORES, LOST)
    assert false_alarm == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])  # above .1, .4, .6, .9
    assert found == pytest.approx([0, 0.5, 1, 1, 1])


def test_an_area_by_hand():
    assert area(SCORES, LOST) == pytest.approx(5.5 / 6)


def test_the_ends_of_the_scale():
    lost = np.array([True, True, False, False])
    assert area([1, 2, 3, 4], lost) == 1
    assert area([4, 3, 2, 1], lost) == 0
    assert area([7, 7, 7, 7], lost) == 0.5
    assert [list(part) for part in roc([7, 7, 7, 7], lost)] == [[0, 1], [0, 1]]


def test_only_the_order_of_scores_counts():
    rng = np.random.default_rng(0)
    scores, lost = rng.normal(size=60), rng.random(60) < 0.3
    assert area(np.exp(3 * scores), lost) == pytest.approx(area(scores, lost))
    assert area(-scores, lost) == pytest.approx(1 - area(scores, lost))
    assert area(scores, ~lost) == pytest.approx(1 - area(scores, lost))


@pytest.mark.parametrize("seed", range(5))
def test_ranks_count_pairs_and_the_curve_encloses_them(seed):
    rng = np.random.default_rng(seed)
    lost = rng.random(80) < rng.uniform(0.1, 0.6)
    scores = rng.normal(size=80).round(rng.integers(0, 2))  # many ties
    assert area(scores, lost) == pytest.approx(by_pairs(scores, lost))
    false_alarm, found = roc(scores, lost)
    enclosed = (np.diff(false_alarm) * (found[1:] + found[:-1]) / 2).sum()
    assert enclosed == pytest.approx(by_pairs(scores, lost))
    assert len(found) == len(set(scores)) + 1 and found[-1] == false_alarm[-1] == 1


def test_a_point_is_what_its_threshold_says():
    rng = np.random.default_rng(3)
    scores, lost = rng.integers(0, 9, 50), rng.random(50) < 0.4
    for k, threshold in enumerate(sorted(set(scores)), start=1):
        called = scores <= threshold
        assert roc(scores, lost)[0][k] == pytest.approx((called & ~lost).sum() / (~lost).sum())
        assert roc(scores, lost)[1][k] == pytest.approx((called & lost).sum() / lost.sum())


@pytest.mark.parametrize("kind", [True, False])
def test_frames_of_one_kind_say_nothing(kind):
    assert math.isnan(area([0.2, 0.3], [kind, kind]))
    empty = roc([0.2, 0.3], [kind, kind])[0 if kind else 1]
    assert np.isnan(empty).all()


def test_what_is_no_score_is_refused():
    with pytest.raises(DataError, match="1 of 2 scores are NaN"):
        area([0.1, float("nan")], [True, False])
    with pytest.raises(DataError, match=r"\(2,\), lost has \(3,\)"):
        roc([0.1, 0.2], [True, False, False])
