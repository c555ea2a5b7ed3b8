"""Curves and scores against numpy, the GOT-10k toolkit and hand-worked cases; each disagreement of
toolkits has a test."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from got10k.experiments.otb import ExperimentOTB
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from course_lib.errors import DataError
from course_lib.evaluation.metrics import (
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    auc,
    normalised_precision_curve,
    precision_at,
    precision_curve,
    success_curve,
)
from course_lib.evaluation.otb import carry_forward, pool, score_sequence, score_sequences
from course_lib.evaluation.rules import Rule
from course_lib.geometry.boxes import centre_error, iou, is_valid, normalised_centre_error

TOOLKIT = SimpleNamespace(nbins_iou=21, nbins_ce=51)


def toolkit_curves(predicted, truth):
    """The GOT-10k toolkit's own functions, on copies: they work in place."""
    ious, errors = ExperimentOTB._calc_metrics(TOOLKIT, predicted.copy(), truth.copy())
    return ExperimentOTB._calc_curves(TOOLKIT, ious, errors)


def random_track(seed, T=200):
    rng = np.random.default_rng(seed)
    truth = np.column_stack([rng.uniform(0, 200, (T, 2)), rng.uniform(10, 80, (T, 2))])
    return truth + rng.normal(0, 12, (T, 4)).clip(-9, 30), truth


def test_a_perfect_tracker_scores_20_of_21():
    _, truth = random_track(0)
    score = score_sequence(truth, truth)
    assert auc(score.success) == pytest.approx(20 / 21) and score.success[-1] == 0
    assert precision_at(score.precision) == 1 and score.mean_iou == 1


@pytest.mark.parametrize("seed", range(5))
def test_curves_equal_the_toolkits(seed):
    predicted, truth = random_track(seed)
    predicted[0] = truth[0]
    success, precision = toolkit_curves(predicted, truth)
    score = score_sequence(predicted, truth)
    np.testing.assert_allclose(score.success, success, atol=1e-9)
    np.testing.assert_allclose(score.precision, precision, atol=1e-9)


@settings(deadline=None)
@given(
    arrays(
        np.float64,
        st.integers(1, 60),
        elements=st.sampled_from([*np.linspace(0, 1, 21), 0.05 * 3, 0.3, 0.15]),
    )
)
def test_ties_at_a_threshold_are_decided_as_numpy_decides_them(ious):
    assert np.array_equal(success_curve(ious), [np.mean(ious > t) for t in SUCCESS_THRESHOLDS])


@settings(deadline=None)
@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 100)))
def test_precision_counts_errors_up_to_the_threshold(errors):
    curve = precision_curve(errors)
    assert np.array_equal(curve, [np.mean(errors <= t) for t in PRECISION_THRESHOLDS])
    assert (np.diff(curve) >= 0).all() and curve.min() >= 0 and curve.max() <= 1
    assert np.array_equal(curve, precision_curve(errors[::-1]))


@settings(deadline=None)
@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)))
def test_success_falls_and_ignores_the_order_of_frames(ious):
    curve = success_curve(ious)
    assert (np.diff(curve) <= 0).all() and np.array_equal(curve, success_curve(np.sort(ious)))


def test_success_and_precision_use_otbs_inequalities():
    assert success_curve([0.5])[10] == 0 and success_curve([0.5])[9] == 1  # strictly above
    assert precision_curve([20.0])[20] == 1 and precision_curve([20.0])[19] == 0  # up to
    assert success_curve([0.0])[0] == 0  # no overlap fails even at threshold 0


def test_a_nan_fails_at_every_threshold_and_no_frames_give_nan():
    assert success_curve([np.nan, 1.0])[0] == 0.5 and precision_curve([np.nan, 0.0])[-1] == 0.5
    assert np.isnan(success_curve([])).all() and np.isnan(precision_curve([])).all()


def test_normalised_precision_by_hand():
    truth = np.array([[0.0, 0, 100, 50]] * 2)
    predicted = np.array(
        [[0.0, 0, 100, 50], [30.0, 20, 100, 50]]
    )  # off by .3 widths and .4 heights: .5
    curve = score_sequence(predicted, truth).normalised_precision
    assert curve[49] == 0.5 and curve[50] == 1
    assert np.array_equal(curve, normalised_precision_curve([0, 0.5]))


class TestWhereToolkitsDisagree:
    """What other toolkits do, and what the course does instead."""

    def test_a_frame_without_a_true_box_is_left_out_here_but_a_miss_in_the_toolkit(self):
        truth = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 0, 0], [0, 0, 10, 10]])
        ours, (theirs, _) = score_sequence(truth, truth), toolkit_curves(truth, truth)
        assert ours.frames == 3 and ours.success[10] == 1 and theirs[10] == 0.75

    def test_an_invalid_prediction_is_the_box_before_here_but_a_miss_in_the_toolkit(self):
        truth = np.tile([0.0, 0, 10, 10], (4, 1))
        predicted = truth.copy()
        predicted[2] = 0
        assert score_sequence(predicted, truth).success[10] == 1
        assert toolkit_curves(predicted, truth)[0][10] == 0.75

    def test_a_nan_in_the_prediction_too(self):
        truth = np.tile([0.0, 0, 10, 10], (4, 1))
        predicted = truth.copy()
        predicted[2:] = np.nan
        assert score_sequence(predicted, truth).mean_iou == 1

    def test_the_first_frame_counts_as_right_everywhere(self):
        truth = np.tile([0.0, 0, 10, 10], (4, 1))
        far = truth + [500, 0, 0, 0]
        assert score_sequence(far, truth).success[0] == 0.25

    def test_omitted_frames_do_not_count(self):
        predicted, truth = random_track(3, 10)
        omitted = np.arange(10) < 5
        score = score_sequence(predicted, truth, omitted)
        assert score.frames == 5
        np.testing.assert_allclose(score.success, success_curve(_ious(predicted[5:], truth[5:])))


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.lists(st.integers(1, 30), min_size=1, max_size=8), st.booleans()
)
def test_many_passes_at_once_score_as_each_alone_by_the_plain_curves(seed, lengths, lasot):
    """Ties at thresholds, invalid predictions, absent targets, passes without counted frames."""
    rng = np.random.default_rng(seed)
    predicted, truth, omitted = [], [], []
    for T in lengths:
        true = np.tile([0.0, 0, 20, 20], (T, 1))
        # whole pixels, so that IoUs and errors hit thresholds
        boxes = true + np.column_stack([rng.integers(-20, 21, (T, 2)), np.zeros((T, 2))])
        boxes[rng.random(T) < 0.2] = np.nan
        true[rng.random(T) < rng.choice([0.1, 1.0])] = np.nan
        true[0] = np.where(np.isnan(true[0]), [0, 0, 20, 20], true[0])  # the tracker starts there
        predicted.append(boxes), truth.append(true), omitted.append(rng.random(T) < 0.2)
    many = score_sequences(predicted, truth, omitted, Rule(absent_missed=lasot))
    for score, boxes, true, out in zip(many, predicted, truth, omitted, strict=True):
        boxes[0] = true[0]
        boxes, counted = carry_forward(boxes), (lasot | is_valid(true)) & ~out
        errors = np.where(is_valid(true), centre_error(boxes, true), np.nan)[counted]
        success = success_curve(iou(boxes, true)[counted])  # NaN where there is no true box
        relative = normalised_centre_error(boxes, true)[counted]
        assert score.frames == counted.sum()
        for fast, plain in (
            (score.success, success),
            (score.precision, precision_curve(errors)),
            (score.normalised_precision, normalised_precision_curve(relative)),
        ):
            # as many frames at each threshold; 1 − a/n and b/n may differ in the last bit
            hits = [np.rint(curve * score.frames) for curve in (fast, plain)]
            np.testing.assert_array_equal(*hits)
            np.testing.assert_allclose(fast, plain, rtol=0, atol=2.3e-16)


def _ious(a, b):
    from got10k.utils.metrics import rect_iou

    return rect_iou(a.copy(), b.copy())


def test_carry_forward_by_hand():
    rows = np.array([[1.0, 1, 2, 2], [np.nan] * 4, [3, 3, 2, 0], [4, 4, 2, 2]])
    assert carry_forward(rows)[:, 0].tolist() == [1, 1, 1, 4]


def test_pooling_weighs_runs_by_their_frames():
    predicted, truth = random_track(1, 30)
    whole = score_sequence(predicted, truth)
    assert (
        np.allclose(pool([whole, whole]).success, whole.success)
        and pool([whole, whole]).frames == 60
    )
    long, short = (
        score_sequence(truth, truth),
        score_sequence(truth[:10] + [900, 0, 0, 0], truth[:10]),
    )
    assert pool([long, short]).success[10] == pytest.approx((30 + 1) / 40)


def test_lengths_that_differ_are_named():
    predicted, truth = random_track(1, 30)
    with pytest.raises(DataError, match="29 boxes for 30 frames"):
        score_sequence(predicted[1:], truth)
