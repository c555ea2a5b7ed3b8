"""Boxes published on OTB-100: the course's numbers against the toolkit's functions and the figures others found."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from got10k.experiments.otb import ExperimentOTB

from course_lib.errors import DataError, MissingDataError
from course_lib.evaluation.metrics import auc
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.published import beside, published_report, read_published
from course_lib.evaluation.report import Report, TrackerScores
from course_lib.geometry.boxes import is_valid

TOOLKIT = SimpleNamespace(nbins_iou=21, nbins_ce=51)


@pytest.fixture(scope="module")
def folder(request):
    root = request.getfixturevalue("real_data") / "otb100_published"
    if not root.is_dir():
        pytest.skip("needs the folder otb100_published in COURSE_DATA")
    return root


@pytest.mark.real_data
def test_every_sequence_scores_as_in_the_toolkit(folder):
    """To 1e-9 where the conventions agree: frames whose truth is no box are taken out first."""
    truth, results = read_published(folder)
    report = published_report(folder)
    assert len(truth) == 100 and len(results) == 6
    for tracker, boxes in results.items():
        for name, true in truth.items():
            counted = is_valid(true)
            predicted = np.concatenate([true[:1], boxes[name][1:]])
            assert is_valid(predicted).all()
            ious, errors = ExperimentOTB._calc_metrics(TOOLKIT, predicted[counted], true[counted])
            success, precision = ExperimentOTB._calc_curves(TOOLKIT, ious, errors)
            score = report.trackers[tracker].sequences[name]
            np.testing.assert_allclose(score.success, success, atol=1e-9)
            np.testing.assert_allclose(score.precision, precision, atol=1e-9)


@pytest.mark.real_data
def test_two_frames_have_no_true_box_and_the_toolkit_counts_them_as_missed(folder):
    truth, _ = read_published(folder)
    without = [name for name, true in truth.items() if not is_valid(true).all()]
    assert sum((~is_valid(true)).sum() for true in truth.values()) == 2 and len(without) <= 2


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("tracker", "expected"),
    # SRDCF: .598 is its authors' published figure; the toolkit's functions give .598 on these files as well
    [("SiamFC-3s", 0.583), ("SRDCF", 0.598), ("KCF", 0.476), ("DSST", 0.471), ("Struck", 0.431)],
)
def test_published_trackers_score_what_others_found(folder, tracker, expected):
    assert auc(published_report(folder).curve(tracker, "success")) == pytest.approx(
        expected, abs=0.002
    )


def test_a_folder_without_annotations_and_a_short_result_are_named(tmp_path):
    with pytest.raises(MissingDataError, match="0 annotations found"):
        read_published(tmp_path)
    for folder in ("annotations", "results/KCF"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "annotations" / "dog.txt").write_text("1,1,5,5\n2,2,5,5\n")
    (tmp_path / "results" / "KCF" / "dog.txt").write_text("1,1,5,5\n")
    with pytest.raises(DataError, match=r"dog\.txt has 1 boxes; expected 2"):
        read_published(tmp_path)


def test_tiger1_loses_its_first_five_frames(tmp_path):
    for folder in ("annotations", "results/KCF"):
        (tmp_path / folder).mkdir(parents=True)
    rows = [f"{t},1,5,5\n" for t in range(1, 9)]
    (tmp_path / "annotations" / "tiger1.txt").write_text("".join(rows))
    (tmp_path / "results" / "KCF" / "tiger1.txt").write_text("".join(rows[5:]))
    (tmp_path / "attributes.txt").write_text("tiger1: IV, OCC\n")
    report = published_report(tmp_path)
    assert report.overall()["KCF"]["auc"] == pytest.approx(20 / 21) and report.attributes[
        "tiger1"
    ] == {"IV", "OCC"}


def small_report(name, boxes):
    """A report on one tracker, "it", that always says the same box; `boxes`: truth (T, 4) by sequence."""
    scores = {
        n: score_sequence(np.tile([0.0, 0.0, 10.0, 10.0], (len(b), 1)), b) for n, b in boxes.items()
    }
    return Report(
        name,
        "ope",
        {"it": TrackerScores(scores, dict.fromkeys(boxes, 5.0))},
        dict.fromkeys(boxes, frozenset()),
    )


def test_beside_takes_the_sequences_that_both_have():
    hit, miss = np.tile([0.0, 0.0, 10.0, 10.0], (4, 1)), np.tile([90.0, 0.0, 10.0, 10.0], (4, 1))
    ours = small_report("mine", {"Jogging.1": hit, "car": miss})
    theirs = small_report("published", {"jogging-1": miss, "David": hit})
    both = beside(ours, theirs)
    assert both.names == ["Jogging.1"] and list(both.trackers) == ["it", "it (published)"]
    rows = both.overall()
    assert rows["it"]["auc"] > 0.9 and rows["it (published)"]["mean_iou"] < 0.3
    assert rows["it"]["fps"] == 5 and np.isnan(rows["it (published)"]["fps"])


def test_reports_with_nothing_in_common_are_refused():
    hit = np.tile([0.0, 0.0, 10.0, 10.0], (3, 1))
    with pytest.raises(DataError, match="no sequence of mine"):
        beside(small_report("mine", {"car": hit}), small_report("published", {"David": hit}))
