"""Where LaSOT's toolkit scores differently from OTB's: absent targets, normalised precision."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.report import make_report
from course_lib.evaluation.results import Result, result_path, write_result
from course_lib.evaluation.rules import LASOT, OTB, rule_of
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import to_markdown

WHERE = np.tile([100.0, 100, 40, 20], (10, 1))
TRUTH = WHERE.copy()
TRUTH[6:8] = np.nan  # absent in two of ten frames
PREDICTED = WHERE + np.array([4.0, 0, 0, 0])  # a tenth of the width off: normalised error .1


def test_absent_frames_are_left_out_or_missed_by_hand():
    left_out = score_sequence(PREDICTED, TRUTH)
    missed = score_sequence(PREDICTED, TRUTH, rule=LASOT)
    assert left_out.frames == 8 and missed.frames == 10
    # IoU is 36/44 = .818: above the 17 thresholds 0, .05, … .8; the first box is the true one
    assert left_out.success[16] == 1 and left_out.success[17] == 1 / 8
    assert missed.success[16] == missed.success[0] == pytest.approx(8 / 10)
    assert missed.success[17] == pytest.approx(1 / 10)
    assert left_out.precision[20] == 1 and missed.precision[20] == pytest.approx(8 / 10)
    assert missed.normalised_precision[9] == pytest.approx(1 / 10)
    assert missed.normalised_precision[20] == pytest.approx(8 / 10)
    assert missed.normalised_precision[-1] == pytest.approx(8 / 10)
    assert missed.mean_iou == pytest.approx((1 + 7 * 36 / 44) / 10)


def test_omitted_frames_do_not_count_under_either_rule():
    omitted = np.arange(10) < 6
    assert score_sequence(PREDICTED, TRUTH, omitted).frames == 2
    missed = score_sequence(PREDICTED, TRUTH, omitted, rule=LASOT)
    assert missed.frames == 4 and missed.success[0] == 0.5


def test_normalised_precision_is_a_value_of_the_curve_or_its_area():
    curve = np.linspace(0, 1, 51)
    assert rule_of("lasot").normalised(curve) == pytest.approx(20 / 50)  # at .20 of 0, .01, … .5
    assert rule_of("otb100").normalised(curve) == pytest.approx(0.5)
    assert rule_of("lasot").words and not rule_of("otb100").words


def test_a_report_on_lasot_follows_its_rule_and_says_so(tmp_path):
    sequence = Sequence("cat-1", ArrayFrames(np.zeros((10, 9, 9, 3), np.uint8)), TRUTH)
    rows = {}
    for name in ("lasot", "otb"):
        result = Result(PREDICTED, np.full(10, np.nan))
        write_result(result_path(tmp_path, name, "it", "cat-1"), result)
        report = make_report(tmp_path, Benchmark(name, (sequence,)), ["it"])
        rows[name], text = report.overall()["it"], to_markdown(report)
        assert ("count as missed" in text) == (name == "lasot")
    assert rows["lasot"]["normalised_precision"] == pytest.approx(0.8)
    assert rows["otb"]["normalised_precision"] == pytest.approx((10 / 8 + 41) / 51)
    assert rows["lasot"]["precision20"] == pytest.approx(0.8) and rows["otb"]["precision20"] == 1
    assert rows["lasot"]["auc"] == pytest.approx(rows["otb"]["auc"] * 0.8)


class TestLaSOTsToolkit:
    """Where it differs further: targets at the border, curves that are 0, invalid rows."""

    def test_a_true_box_at_the_border_is_missed_by_success_and_hit_by_precision(self):
        truth = WHERE.copy()
        truth[3, 0], truth[4, 1] = 0, -2  # a left and an upper border
        lost = truth + np.array([500.0, 0, 0, 0])
        apart, usual = score_sequence(lost, truth, rule=LASOT), score_sequence(lost, truth)
        # frame 0 is given; frames 3 and 4 have the error -1, at most any threshold
        assert apart.success[0] == pytest.approx(1 / 10)
        assert apart.precision[0] == apart.normalised_precision[0] == pytest.approx(3 / 10)
        assert usual.precision[-1] == pytest.approx(1 / 10)
        near = score_sequence(truth, truth, rule=LASOT)
        assert near.success[0] == pytest.approx(8 / 10) and near.precision[0] == 1

    def test_a_curve_that_is_0_is_left_out_of_its_own_mean(self):
        curves = [np.zeros(3), np.array([0.0, 0.5, 1]), np.array([0.0, 0.1, 0.2])]
        assert LASOT.mean(curves).tolist() == pytest.approx([0, 0.3, 0.6])
        assert OTB.mean(curves).tolist() == pytest.approx([0, 0.2, 0.4])
        assert LASOT.mean([np.zeros(3)] * 2).tolist() == [0, 0, 0]

    def test_a_row_that_is_no_box_repeats_the_one_before_it(self):
        predicted = WHERE.copy()
        predicted[4], predicted[5, 2] = np.nan, 0
        assert score_sequence(predicted, WHERE, rule=LASOT).success[19] == 1

    def test_it_applies_to_lasot_and_uav123_has_otbs_rule(self):
        assert rule_of("lasot") == rule_of("lasot-train") == LASOT
        assert rule_of("uav123") == OTB and "coordinate of 0 or less" in LASOT.words

    @pytest.mark.parametrize("seed", range(5))
    def test_scores_equal_a_slow_reference(self, seed, tmp_path):
        rng, sequences, results = np.random.default_rng(seed), [], {}
        for i in range(4):
            T = int(rng.integers(5, 40))
            truth = np.concatenate([rng.integers(-1, 9, (T, 2)), rng.integers(4, 30, (T, 2))], 1)
            truth = truth.astype(float)
            truth[0, :2] = (0, 4) if i == 0 else (5, 5)
            truth[1:][rng.random(T - 1) < 0.2] = np.nan
            predicted = np.nan_to_num(truth, nan=7.0) + rng.normal(0, 4, (T, 4))
            predicted[1:][rng.random(T - 1) < 0.1] = np.nan
            if i == 0:
                predicted = np.tile([900.0, 900, 5, 5], (T, 1))  # every frame is missed
            predicted[0] = truth[0]
            name = f"cat-{i}"
            frames = ArrayFrames(np.broadcast_to(np.zeros((9, 9, 3), np.uint8), (T, 9, 9, 3)))
            sequences.append(Sequence(name, frames, truth))
            results[name] = Result(predicted, np.full(T, np.nan))
        report = Report.from_results(Benchmark("lasot", tuple(sequences)), {"it": results})
        row = report.overall()["it"]
        for key, value in slow_lasot(sequences, results).items():
            assert row[key] == pytest.approx(value, abs=1e-12), key


def slow_lasot(sequences, results) -> dict[str, float]:
    """LaSOT's toolkit, frame by frame: success 0 … 1, errors 0 … 50 px and 0 … .5 of the size."""
    curves = {"success": [], "precision": [], "normalised": []}
    for sequence in sequences:
        truth, boxes = sequence.boxes, results[sequence.name].boxes.copy()
        for t in range(1, len(boxes)):
            if np.isnan(boxes[t]).any() or boxes[t, 2] <= 0 or boxes[t, 3] <= 0:
                boxes[t] = boxes[t - 1]
        boxes[0] = truth[0]
        ious, errors, relative = [], [], []
        for (x, y, w, h), (a, b, c, d) in zip(boxes, truth, strict=True):
            if np.isnan(a):
                continue  # absent: removed, while the length stays
            if min(a, b, c, d) <= 0:
                ious.append(-1.0)
                errors.append(-1.0)
                relative.append(-1.0)
                continue
            wide, high = min(x + w, a + c) - max(x, a), min(y + h, b + d) - max(y, b)
            shared = max(wide, 0) * max(high, 0)
            ious.append(shared / (w * h + c * d - shared))
            dx, dy = x + w / 2 - a - c / 2, y + h / 2 - b - d / 2
            errors.append(np.hypot(dx, dy))
            relative.append(np.hypot(dx / c, dy / d))
        T = len(truth)
        curves["success"].append([sum(v > k / 20 for v in ious) / T for k in range(21)])
        curves["precision"].append([sum(v <= k for v in errors) / T for k in range(51)])
        curves["normalised"].append([sum(v <= k / 100 for v in relative) / T for k in range(51)])
    means = {}
    for kind, rows in curves.items():
        kept = [row for row in rows if sum(row) > 0]
        means[kind] = np.mean(kept, axis=0)
    return {
        "auc": means["success"].mean(),
        "success50": means["success"][10],
        "precision20": means["precision"][20],
        "normalised_precision": means["normalised"][20],
    }
