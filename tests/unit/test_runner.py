"""Running and resuming, reports with hand-worked scores, and the commands around them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from course_lib.cli import main
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.data.video import VideoFile
from course_lib.errors import CourseError, DataError, MissingDataError
from course_lib.evaluation import figures, runner
from course_lib.evaluation.report import got10k_scores, make_report, vot_scores
from course_lib.evaluation.results import Result, read_result, result_path, write_result
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.evaluation.tables import scores_table, to_csv, to_json, to_markdown, write_report

pytestmark = pytest.mark.slow

STAY = TrackerSpec("stay-put")


def still(name, T=6, step=0.0, tags=()):
    """A target that moves `step` px right per frame, 10 × 10 px."""
    boxes = np.column_stack([20 + step * np.arange(T), np.full(T, 30.0), np.full((T, 2), 10.0)])
    return Sequence(name, ArrayFrames(np.zeros((T, 80, 200, 3), np.uint8)), boxes, frozenset(tags))


@pytest.fixture
def benchmark():
    return Benchmark(
        "little",
        (still("calm", tags=("OCC",)), still("quick", step=20.0, tags=("FM", "OCC"))),
        first_pixel=1,
    )


def test_results_go_out_as_the_toolkits_store_them_and_come_back(tmp_path, benchmark):
    files = evaluate([STAY], benchmark, tmp_path, progress=False)
    assert files == [tmp_path / "little" / "stay-put" / f"{n}.txt" for n in ("calm", "quick")]
    assert (
        files[0].read_text().splitlines()[0] == "21.0000,31.0000,10.0000,10.0000"
    )  # this benchmark counts from 1
    result = read_result(files[0], first_pixel=1)
    assert np.array_equal(result.boxes, benchmark["calm"].boxes) and (result.seconds > 0).all()
    assert (tmp_path / "little" / "stay-put" / "times" / "calm_time.txt").is_file()


def test_scores_by_hand(tmp_path, benchmark):
    """calm: perfect, 20/21. quick: only frame 0 overlaps, errors 0, 20, 40, … 100 px."""
    evaluate([STAY], benchmark, tmp_path, progress=False)
    report = make_report(tmp_path, benchmark, ["stay-put"])
    assert report.by_sequence()["calm"]["stay-put"] == pytest.approx(20 / 21)
    assert report.by_sequence()["quick"]["stay-put"] == pytest.approx(20 / 21 / 6)
    row = report.overall()["stay-put"]
    assert row["auc"] == pytest.approx((20 / 21) * (1 + 1 / 6) / 2)
    assert row["precision20"] == pytest.approx((1 + 2 / 6) / 2) and row[
        "mean_iou"
    ] == pytest.approx((1 + 1 / 6) / 2)
    assert report.by_attribute() == {
        "OCC": {"stay-put": pytest.approx(row["auc"])},
        "FM": {"stay-put": pytest.approx(20 / 21 / 6)},
    }


def test_an_interrupted_run_resumes_where_it_stopped(tmp_path, benchmark, monkeypatch):
    asked = []
    whole = runner.run_one

    def breaks_at_the_second(spec, run):
        asked.append(run.sequence.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        whole(spec, run)

    monkeypatch.setattr(runner, "run_one", breaks_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        evaluate([STAY], benchmark, tmp_path, progress=False)
    evaluate([STAY], benchmark, tmp_path, progress=False)
    assert asked == ["calm", "quick", "quick"]
    assert not list(tmp_path.rglob("*.part"))


def test_one_failing_sequence_does_not_stop_the_others_and_is_named(tmp_path, benchmark):
    broken = Sequence(
        "broken", ArrayFrames([np.zeros((9, 9, 3))] * 3), np.tile([1.0, 1, 3, 3], (3, 1))
    )
    both = Benchmark("little", (broken, *benchmark.sequences))
    with pytest.raises(
        CourseError,
        match=r"1 of 3 runs failed: stay-put on broken: a frame has shape .*the others are kept",
    ):
        evaluate([STAY], both, tmp_path, progress=False)
    assert result_path(tmp_path, "little", "stay-put", "quick").is_file()
    with pytest.raises(MissingDataError, match="no ope results .* for stay-put on broken"):
        make_report(tmp_path, both, ["stay-put"])


def test_results_of_other_settings_are_not_mixed_in(tmp_path, benchmark):
    evaluate([TrackerSpec("ncc")], benchmark, tmp_path, progress=False)
    with pytest.raises(
        CourseError,
        match=r"of calm, quick that are not .*: search was 2\.0, is now 3\.0\. .*--label.*--fresh",
    ):
        evaluate([TrackerSpec("ncc", {"search": "3"})], benchmark, tmp_path, progress=False)
    evaluate(
        [TrackerSpec("ncc", {"search": "3"}, label="ncc-wide")], benchmark, tmp_path, progress=False
    )


@pytest.mark.parametrize("protocol", ["tre", "sre"])
def test_tre_and_sre_are_stored_resumed_and_pooled(tmp_path, protocol):
    benchmark = Benchmark("little", (still("calm", 30),))
    first = evaluate([STAY], benchmark, tmp_path, protocol, progress=False)
    assert len(first) == (11 if protocol == "tre" else 12)  # 30 frames leave 11 possible starts
    stamps = [f.stat().st_mtime_ns for f in first]
    assert [
        f.stat().st_mtime_ns
        for f in evaluate([STAY], benchmark, tmp_path, protocol, progress=False)
    ] == stamps
    row = make_report(tmp_path, benchmark, ["stay-put"], protocol).overall()["stay-put"]
    assert row["auc"] == pytest.approx(20 / 21) if protocol == "tre" else 0.5 < row["auc"] < 0.9


def test_vot_and_real_time_runs_are_stored_resumed_and_scored(tmp_path):
    """calm: never lost. quick: lost in frame 1, restarted in frame 6, which is its last."""
    benchmark = Benchmark("little", (still("calm", 30), still("quick", 7, step=20.0)))
    files = evaluate([STAY], benchmark, tmp_path, "vot", progress=False)
    assert files[1] == tmp_path / "little" / "stay-put" / "baseline" / "quick" / "quick_001.txt"
    assert files[1].read_text().split() == ["1", "2", "0", "0", "0", "0", "1"]
    row = vot_scores(tmp_path, benchmark, ["stay-put"])["stay-put"]
    assert (
        row["accuracy"] == 1
        and row["failures"] == 1
        and row["per_100_frames"] == pytest.approx(100 / 37)
    )
    stamps = [f.stat().st_mtime_ns for f in files]
    assert [
        f.stat().st_mtime_ns for f in evaluate([STAY], benchmark, tmp_path, "vot", progress=False)
    ] == stamps
    late = evaluate([STAY], benchmark, tmp_path, "vot-realtime", progress=False)
    assert late[1] == tmp_path / "little" / "stay-put" / "realtime" / "quick" / "quick_001.txt"
    assert late[1].read_text() == files[1].read_text()  # a tracker that takes no time is never late
    late[1].write_text("1\n" + "0.0000,0.0000,1.0000,1.0000\n" * 6)
    assert (
        vot_scores(tmp_path, benchmark, ["stay-put"], "vot-realtime")["stay-put"]["failures"] == 0
    )
    assert vot_scores(tmp_path, benchmark, ["stay-put"])["stay-put"]["failures"] == 1
    assert len(evaluate([STAY], benchmark, tmp_path, "realtime", progress=False)) == 2
    assert make_report(tmp_path, benchmark, ["stay-put"], "realtime").by_sequence()["calm"][
        "stay-put"
    ] == pytest.approx(20 / 21)


def test_got10k_scores_come_from_one_pass_results(tmp_path, benchmark):
    evaluate([STAY], benchmark, tmp_path, progress=False)
    row = got10k_scores(tmp_path, benchmark, ["stay-put"])["stay-put"]
    assert row == {
        "ao": 0.5,
        "sr50": 0.5,
        "sr75": 0.5,
    }  # five frames each, the first left out: all right, all wrong
    assert "| stay-put | 0.500 | 0.500 | 0.500 |" in scores_table({"stay-put": row})


@pytest.mark.slow
def test_boxes_do_not_depend_on_the_number_of_workers(tmp_path):
    from course_lib.data.benchmarks import load_benchmark

    chosen = load_benchmark("generated-v1").only(["gen-01-plain", "gen-15-fast", "gen-23-small"])
    one = evaluate([TrackerSpec("mosse")], chosen, tmp_path / "one", workers=1, progress=False)
    two = evaluate([TrackerSpec("mosse")], chosen, tmp_path / "two", workers=2, progress=False)
    assert [f.read_bytes() for f in one] == [f.read_bytes() for f in two]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3,4\n1,2,three,4\n", r"calm\.txt, line 2: '1,2,three,4'; expected 4 numbers"),
        ("1,2,3,4\n1,2,3\n", r"calm\.txt, line 2"),
        ("1,2,3,4\n", "has 1 boxes, sequence calm 6 frames"),
    ],
)
def test_a_damaged_result_is_named(tmp_path, benchmark, text, words):
    evaluate([STAY], benchmark, tmp_path, progress=False)
    path = result_path(tmp_path, "little", "stay-put", "calm")
    path.write_text(text)
    (path.parent / "times" / "calm_time.txt").unlink()
    with pytest.raises(DataError, match=words):
        make_report(tmp_path, benchmark, ["stay-put"])


def test_results_of_a_toolkit_are_read_with_any_separator(tmp_path):
    path = tmp_path / "dog.txt"
    for text in ("1,2,3,4\n5,6,7,8\n", "1\t2\t3\t4\n5 6 7 8\n", "1, 2, 3, 4\n\n5,6,7,8"):
        path.write_text(text)
        assert read_result(path, first_pixel=1).boxes.tolist() == [[0, 1, 3, 4], [4, 5, 7, 8]]


def test_a_result_without_times_has_no_speed(tmp_path):
    write_result(tmp_path / "dog.txt", Result(np.ones((2, 4)), np.full(2, np.nan)))
    assert (
        np.isnan(read_result(tmp_path / "dog.txt").seconds).all()
        and not (tmp_path / "times").exists()
    )


def test_a_report_as_markdown_csv_json_and_images(tmp_path, benchmark):
    evaluate([STAY, TrackerSpec("random-walk")], benchmark, tmp_path, progress=False)
    report = make_report(tmp_path, benchmark, ["random-walk", "stay-put"])
    assert (
        to_markdown(report).splitlines()[4].startswith("| stay-put | 0.5")
    )  # the best comes first
    assert (
        to_csv(report).splitlines()[0] == "sequence,random-walk,stay-put"
        and len(to_csv(report).splitlines()) == 3
    )
    stored = json.loads(to_json(report))
    assert stored["overall"]["stay-put"]["auc"] == pytest.approx(
        report.overall()["stay-put"]["auc"]
    )
    assert {"date", "commit", "hardware", "opencv"} <= stored["measured"].keys()
    files = write_report(report, tmp_path / "out")
    assert all(f.stat().st_size > 30 for f in files) and {f.suffix for f in files} == {
        ".md",
        ".csv",
        ".json",
        ".png",
    }


def test_a_figure_comes_with_its_alternative_text(tmp_path, benchmark):
    evaluate([STAY], benchmark, tmp_path, progress=False)
    report = make_report(tmp_path, benchmark, ["stay-put"])
    for make in (figures.curve_plot, figures.attribute_plot, figures.speed_plot):
        figure, alt = make(report)
        assert figure.axes and "stay-put" in alt and len(alt) > 30


class TestCommands:
    """Every command: what it writes, and its message when used wrongly."""

    def test_evaluate_and_report(self, tmp_path, capsys):
        common = ["--tracker", "stay-put", "ncc", "--results", str(tmp_path / "r")]
        extra = [
            "--sequences",
            "gen-01-plain,gen-23-small",
            "--workers",
            "1",
            "--set",
            "ncc.search=1.5",
        ]
        assert main(["evaluate", *common, *extra]) == 0
        assert "| ncc |" in capsys.readouterr().out
        record = tmp_path / "r" / "generated-v1" / "ncc" / "records" / "ope" / "gen-01-plain.json"
        assert json.loads(record.read_text())["made_by"]["settings"] == {"search": 1.5}
        assert (
            main(["report", *common, "--out", str(tmp_path / "out")]) == 2
        )  # only two of the 24 sequences were run
        assert "no ope results" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["evaluate", "--tracker", "moose"], "Did you mean 'mosse'"),
            (["evaluate", "--tracker", "mosse", "--set", "rate=1"], "as in mosse.key=1"),
            (["evaluate", "--tracker", "mosse", "--set", "mosse.rat=1"], "did you mean 'rate'"),
            (
                ["evaluate", "--tracker", "mosse", "--benchmark", "otb10"],
                "there is no benchmark 'otb10'",
            ),
            (["evaluate", "--tracker", "mosse", "--sequences", "nope"], "has no sequence 'nope'"),
            (["evaluate", "--tracker", "mosse", "--workers", "0"], "--workers is 0"),
            (["evaluate", "--tracker", "mosse", "ncc", "--label", "x"], "for a single tracker"),
            (["demo", "--sequence", "gen-99"], "there is no sequence 'gen-99'"),
            (["track", "--video", "missing.mp4", "--box", "1,2,3,4"], "missing.mp4 does not exist"),
            (["track", "--video", "missing.mp4", "--box", "1,2,3"], "expected four numbers"),
            (["start", "77"], "there is no lesson '77'"),
        ],
    )
    def test_a_wrong_argument_is_answered_in_one_sentence(
        self, tmp_path, capsys, monkeypatch, arguments, words
    ):
        monkeypatch.setattr("course_lib.cli.evaluate.RUNS", tmp_path)
        assert (
            main(arguments + (["--results", str(tmp_path)] if arguments[0] == "evaluate" else []))
            == 2
        )
        captured = capsys.readouterr()
        assert words in captured.err and "Traceback" not in captured.err

    def test_demo_writes_a_video_that_plays_and_its_scores(self, tmp_path, capsys):
        assert main(["demo", "--sequence", "gen-23-small", "--out", str(tmp_path)]) == 0
        video = VideoFile(tmp_path / "gen-23-small.mp4")
        assert len(video) == 80 and video[79].shape == (240, 320, 3)
        assert 0 <= json.loads((tmp_path / "gen-23-small.json").read_text())["auc"] <= 20 / 21

    def test_track_follows_a_target_in_a_users_video(self, tmp_path, capsys):
        from course_lib.data.generated import SPECS, make_sequence
        from course_lib.evaluation.video import write_video
        from course_lib.geometry.boxes import iou

        sequence = make_sequence(SPECS[0])
        write_video(tmp_path / "mine.mp4", sequence.frames.part(5, 30), 25)
        box = ",".join(f"{v:.1f}" for v in sequence.boxes[7])
        assert (
            main(["track", "--video", str(tmp_path / "mine.mp4"), "--box", box, "--start", "2"])
            == 0
        )
        boxes = read_result(tmp_path / "mine-mosse.txt").boxes
        assert iou(boxes, sequence.boxes[7:30]).min() > 0.5
        assert len(VideoFile(tmp_path / "mine-mosse.mp4")) == 23
        for wrong, words in (
            (["--start", "99"], "has frames 0 to 24"),
            (["--out", "x.avi"], "ends in .mp4"),
        ):
            assert main(["track", "--video", str(tmp_path / "mine.mp4"), "--box", box, *wrong]) == 2
            assert words in capsys.readouterr().err
        (tmp_path / "text.mp4").write_text("no video")
        assert main(["track", "--video", str(tmp_path / "text.mp4"), "--box", box]) == 2
        assert "does not open as a video" in capsys.readouterr().err

    def test_start_copies_once_and_never_overwrites(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr("course_lib.cli.start.PROJECT", tmp_path)
        monkeypatch.setattr("course_lib.cli.start.NOTEBOOKS", tmp_path / "notebooks")
        (tmp_path / "notebooks").mkdir()
        for name in ("01_the_tracking_problem", "02_mosse"):
            (tmp_path / "notebooks" / f"{name}.ipynb").write_text(name)
        assert main(["start", "mosse"]) == 0
        mine = tmp_path / "my_work" / "02_mosse.ipynb"
        mine.write_text("my answers")
        assert main(["start", "2"]) == 2 and "--again" in capsys.readouterr().err
        assert main(["start", "02", "--again"]) == 0
        assert (
            mine.read_text() == "my answers"
            and (tmp_path / "my_work" / "02_mosse_2.ipynb").read_text() == "02_mosse"
        )
        assert main(["start", "e"]) == 2 and "matches several" in capsys.readouterr().err

    def test_doctor_names_each_fault_with_its_remedy(self, capsys, monkeypatch, tmp_path):
        from course_lib.cli import doctor

        monkeypatch.setenv("COURSE_DATA", str(tmp_path))
        assert main(["doctor", "--json"]) == 0
        findings = json.loads(capsys.readouterr().out)
        assert any(f["what"].startswith("torch ") and f["level"] == "ok" for f in findings)
        assert all(
            f["remedy"] for f in findings if f["level"] == "note" and "is not in" in f["what"]
        )
        assert (
            doctor._package("torch", "99.0").level == "lack"
            and "make lab" in doctor._package("torch", "99.0").remedy
        )
        assert doctor._package("no-such-package", "1.0").level == "lack"
        monkeypatch.setattr(doctor, "packages", lambda: [doctor.Finding("lack", "x", "y")])
        assert main(["doctor"]) == 1
