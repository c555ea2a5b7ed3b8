"""Boxes published on OTB-100: the course's numbers against the toolkit's functions and published
scores."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from got10k.experiments.otb import ExperimentOTB
from PIL import Image

from course_lib.cli import main
from course_lib.errors import DataError, MissingDataError
from course_lib.evaluation.metrics import auc
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.otb_published import beside, published_report, read_published
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
    """To 1e-9 where the conventions agree: frames without a true box are removed first."""
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
    # SRDCF: .598 is its authors' published score; the toolkit's functions yield .598 on these files
    # as well
    [("SiamFC-3s", 0.583), ("SRDCF", 0.598), ("KCF", 0.476), ("DSST", 0.471), ("Struck", 0.431)],
)
def test_published_trackers_score_as_published(folder, tracker, expected):
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
    """A report on one tracker, "it", that always returns the same box; `boxes`: truth (T, 4) by
    sequence."""
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


class TestCommand:
    """`report --benchmark otb100_published`: published boxes and the user's results beside them."""

    @pytest.fixture
    def data(self, tmp_path):
        """Published boxes of two trackers on two targets, and the clip of one of them in OTB's
        layout.
        """
        root = tmp_path / "data"
        place = root / "otb100_published"
        rows = "".join(f"{t},11,10,10\n" for t in range(11, 17))
        for folder in ("annotations", "results/KCF", "results/CSK"):
            (place / folder).mkdir(parents=True)
            for name in ("dog", "jogging-1"):
                moved = rows.replace(",11,", ",41,") if folder == "results/CSK" else rows
                (place / folder / f"{name}.txt").write_text(moved)
        (place / "attributes.txt").write_text("dog: IV, SV\n")
        for t in range(1, 7):
            path = root / "otb" / "Dog" / "img" / f"{t:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (60, 50)).save(path)
        (root / "otb" / "Dog" / "groundtruth_rect.txt").write_text(rows)
        return root

    def run(self, data, tmp_path, *arguments):
        common = ["--root", str(data), "--out", str(tmp_path / "out")]
        return main(["report", "--benchmark", "otb100_published", *common, *arguments])

    def test_every_published_tracker_is_the_default(self, data, tmp_path, capsys):
        assert self.run(data, tmp_path) == 0
        said = capsys.readouterr().out
        assert "| KCF | 0.952 |" in said and "| CSK | 0.159 |" in said  # 20/21, and 20/21 of 1 in 6
        stored = json.loads((tmp_path / "out" / "report.json").read_text())
        assert stored["overall"]["KCF"]["fps"] is None and len(stored["sequences"]) == 2
        images = {path.stem for path in (tmp_path / "out").glob("*.png")}
        assert images == {"success", "precision", "normalised_precision", "attributes"}

    def test_only_the_named_ones(self, data, tmp_path, capsys):
        assert self.run(data, tmp_path, "--tracker", "CSK") == 0
        said = capsys.readouterr().out
        assert "| CSK |" in said and "KCF" not in said

    def test_the_users_results_are_shown_beside_them(self, data, tmp_path, capsys):
        results = ["--results", str(tmp_path / "r")]
        assert self.run(data, tmp_path, "--tracker", "stay-put", *results) == 2
        said = capsys.readouterr().err
        assert (
            "stay-put: neither published (there are CSK, KCF)" in said and "--benchmark otb" in said
        )
        evaluate = ["evaluate", "--benchmark", "otb", "--tracker", "stay-put", "--workers", "1"]
        assert main([*evaluate, "--root", str(data), *results]) == 0
        capsys.readouterr()
        assert self.run(data, tmp_path, "--tracker", "stay-put", "KCF", *results) == 0
        said = capsys.readouterr().out
        assert "1 sequences" in said and "| KCF (published) | 0.952 |" in said
        assert "| stay-put | 0." in said and "CSK" not in said
        assert (tmp_path / "out" / "speed.png").is_file()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--protocol", "vot"], "--protocol has no meaning for otb100_published"),
            (["--layout", "otb"], "--layout has no meaning"),
            (["--export", "otb", "x"], "--export has no meaning"),
            (["--tracker", "../KCF"], "expected one plain name"),
        ],
    )
    def test_a_wrong_argument_is_a_sentence(self, data, tmp_path, capsys, arguments, words):
        assert self.run(data, tmp_path, *arguments) == 2
        assert words in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("file", "text", "words"),
        [
            ("results/KCF/dog.txt", None, "dog.txt does not exist"),
            ("results/KCF/dog.txt", "1,2,3\n", "dog.txt, line 1: '1,2,3'; expected 4 numbers"),
            ("results/KCF/dog.txt", "1,2,3,4\n", "has 1 boxes; expected 6"),
            ("results/KCF/dog.txt", "1,2,inf,4\n" * 6, "line 1: '1,2,inf,4'; expected 4 numbers"),
            ("annotations/dog.txt", "<html>", "dog.txt, line 1"),
            ("annotations/dog.txt", "", "boxes; expected 0"),
        ],
    )
    def test_a_damaged_folder_is_named(self, data, tmp_path, capsys, file, text, words):
        path = data / "otb100_published" / file
        path.unlink() if text is None else path.write_text(text)
        assert self.run(data, tmp_path) == 2
        assert words in capsys.readouterr().err

    def test_a_root_without_them_is_named(self, tmp_path, capsys):
        assert self.run(tmp_path, tmp_path) == 2
        assert "0 annotations found" in capsys.readouterr().err
        (tmp_path / "otb100_published" / "annotations").mkdir(parents=True)
        (tmp_path / "otb100_published" / "annotations" / "dog.txt").write_text("1,1,5,5\n")
        assert self.run(tmp_path, tmp_path) == 2
        assert "0 trackers found" in capsys.readouterr().err

    def test_rows_without_a_box_are_reported(self, data, tmp_path, capsys):
        path = data / "otb100_published" / "results" / "KCF" / "dog.txt"
        rows = path.read_text().splitlines()
        path.write_text("\n".join([*rows[:3], "nan,nan,nan,nan", *rows[4:]]))
        assert self.run(data, tmp_path) == 0
        assert "hold no box (NaN, no width or height): KCF 1" in capsys.readouterr().out
