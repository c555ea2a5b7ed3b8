"""Where LaSOT's toolkit scores differently from OTB's: absent targets, normalised precision."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.report import make_report
from course_lib.evaluation.results import Result, result_path, write_result
from course_lib.evaluation.rules import rule_of
from course_lib.evaluation.tables import to_markdown

WHERE = np.tile([100.0, 100, 40, 20], (10, 1))
TRUTH = WHERE.copy()
TRUTH[6:8] = np.nan  # absent in two of ten frames
PREDICTED = WHERE + np.array([4.0, 0, 0, 0])  # a tenth of the width off: normalised error .1


def test_absent_frames_are_left_out_or_missed_by_hand():
    left_out = score_sequence(PREDICTED, TRUTH)
    missed = score_sequence(PREDICTED, TRUTH, absent_missed=True)
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
    missed = score_sequence(PREDICTED, TRUTH, omitted, absent_missed=True)
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
