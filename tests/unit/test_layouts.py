"""Results in the toolkits' layouts, both ways: paths of files, their contents, damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_lib.cli import main
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, DataError, MissingDataError, SettingsError
from course_lib.evaluation.export import export_results
from course_lib.evaluation.layouts import LAYOUTS, read_passes, run_paths
from course_lib.evaluation.records import Run
from course_lib.evaluation.region_files import read_regions
from course_lib.evaluation.report import got10k_scores, make_report, vot_scores
from course_lib.evaluation.results import Result, result_path, write_result
from course_lib.evaluation.vot import run_supervised, write_supervised
from course_lib.trackers import make_tracker

T = 8


def sequence(name: str) -> Sequence:
    """A target of 10 × 10 px that moves 2 px per frame."""
    boxes = np.column_stack([20 + 2.0 * np.arange(T), np.full(T, 30.0), np.full((T, 2), 10.0)])
    return Sequence(name, ArrayFrames(np.zeros((T, 80, 200, 3), np.uint8)), boxes)


def run_of(root, benchmark, tracker, protocol="ope"):
    """A run on the first sequence."""
    return Run(root, benchmark, tracker, benchmark[0], protocol)


@pytest.fixture
def benchmark():
    return Benchmark("little", (sequence("calm"), sequence("quick")), first_pixel=1)


@pytest.fixture
def results(tmp_path, benchmark):
    """One pass and supervised runs of "still" in the course's layout."""
    root = tmp_path / "results"
    for s in benchmark:
        result = Result(np.tile(s.boxes[0], (T, 1)), np.full(T, 0.01))
        write_result(result_path(root, "little", "still", s.name), result, first_pixel=1)
        run = run_supervised(lambda: make_tracker("stay-put"), s)
        write_supervised(Run(root, benchmark, "still", s, "vot").files[0], run)
    return root


@pytest.mark.parametrize(
    ("layout", "boxes", "times"),
    [
        ("otb", "still/calm.txt", "still/times/calm_time.txt"),
        ("got10k", "still/calm/calm_001.txt", "still/calm/calm_time.txt"),
        ("vot", "still/unsupervised/calm/calm_001.bin", "still/unsupervised/calm/calm_001_time.value"),
        ("vot-text", "still/unsupervised/calm/calm_001.txt", "still/unsupervised/calm/calm_001_time.value"),
    ],
)  # fmt: skip
def test_one_pass_goes_out_and_comes_back_with_the_same_scores(
    tmp_path, benchmark, results, layout, boxes, times
):
    folder = tmp_path / layout
    files = export_results(("course", results), benchmark, "still", "ope", (layout, folder))
    assert len(files) == 4 and {folder / boxes, folder / times} <= set(files)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 4
    ours = make_report(results, benchmark, ["still"]).overall()["still"]
    theirs = make_report(folder, benchmark, ["still"], layout=layout).overall()["still"]
    assert theirs == pytest.approx(ours) and ours["fps"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("layout", "file"),
    [("vot", "baseline/calm/calm_001.bin"), ("vot-text", "baseline/calm/calm_001.txt")],
)
def test_supervised_runs_go_out_and_come_back(tmp_path, benchmark, results, layout, file):
    files = export_results(("course", results), benchmark, "still", "vot", (layout, tmp_path / "v"))
    assert files[0] == tmp_path / "v" / "still" / file
    # lost in frame 5, where the target has moved by its width
    assert [len(r) for r in read_regions(files[0])] == [1, 4, 4, 4, 4, 1, 1, 1]
    ours = vot_scores(results, benchmark, ["still"])
    theirs = vot_scores(tmp_path / "v", benchmark, ["still"], layout=layout)
    assert theirs["still"] == pytest.approx(ours["still"], nan_ok=True)
    assert ours["still"]["failures"] == 2


def test_files_hold_what_the_toolkits_write(tmp_path, benchmark, results):
    for layout in ("otb", "got10k", "vot-text"):
        export_results(("course", results), benchmark, "still", "ope", (layout, tmp_path / layout))
    rows = (tmp_path / "got10k/still/calm/calm_001.txt").read_text().splitlines()
    assert rows == ["21.0000,31.0000,10.0000,10.0000"] * T  # from 1, as in the benchmark
    assert (tmp_path / "otb/still/calm.txt").read_text().splitlines() == rows
    assert (tmp_path / "got10k/still/calm/calm_time.txt").read_text() == "0.01000000\n" * T
    rows[0] = "1"
    assert (tmp_path / "vot-text/still/unsupervised/calm/calm_001.txt").read_text().split() == rows


def repeated(folder, name="calm"):
    """Three runs in GOT-10k's layout: right, 2 px off, never right; seconds in three columns."""
    place = folder / "three" / name
    place.mkdir(parents=True)
    for run, shift in enumerate((0, 2, 90), start=1):
        rows = [f"{21 + 2 * t + shift},31,10,10\n" for t in range(T)]
        (place / f"{name}_{run:03d}.txt").write_text("".join(rows))
    (place / f"{name}_time.txt").write_text("0.01,0.02,0.04\n" * T)
    return place


def test_every_repetition_counts(tmp_path):
    benchmark = Benchmark("little", (sequence("calm"),), first_pixel=1)
    place = repeated(tmp_path)
    passes = read_passes("got10k", run_of(tmp_path, benchmark, "three"))
    assert [p.seconds[0] for p in passes] == [0.01, 0.02, 0.04]
    row = got10k_scores(tmp_path, benchmark, ["three"], layout="got10k")["three"]
    assert row["ao"] == pytest.approx((1 + 80 / 120 + 0) / 3)  # 2 px off: 8 of 12 columns
    assert row["sr75"] == pytest.approx(1 / 3)
    report = make_report(tmp_path, benchmark, ["three"], layout="got10k").overall()["three"]
    assert report["mean_iou"] == pytest.approx((1 + (1 + 7 * 2 / 3) / 8 + 1 / 8) / 3)
    assert report["fps"] == pytest.approx((100 + 50 + 25) / 3)
    export_results(("got10k", tmp_path), benchmark, "three", "ope", ("vot", tmp_path / "vot"))
    assert len(run_paths("vot", run_of(tmp_path / "vot", benchmark, "three"))) == 3
    again = tmp_path / "again"
    export_results(("vot", tmp_path / "vot"), benchmark, "three", "ope", ("got10k", again))
    assert (again / "three/calm/calm_time.txt").read_text().split()[0] == (
        "0.01000000,0.02000000,0.04000000"
    )
    assert np.loadtxt(again / "three/calm/calm_002.txt", delimiter=",")[3].tolist() == [
        29, 31, 10, 10,
    ]  # fmt: skip
    with pytest.raises(SettingsError, match="three has 3 runs on calm; layout 'otb' has a place"):
        export_results(("got10k", tmp_path), benchmark, "three", "ope", ("otb", tmp_path / "o"))
    (place / "calm_time.txt").write_text("0.01\n" * T)
    with pytest.raises(DataError, match=r"calm_time\.txt, line 1: '0.01'; expected 3 numbers"):
        read_passes("got10k", run_of(tmp_path, benchmark, "three"))


def test_text_is_preferred_to_binary_as_in_vots_toolkit(tmp_path, benchmark, results):
    folder = tmp_path / "v"
    (first, *_) = export_results(("course", results), benchmark, "still", "vot", ("vot", folder))
    first.with_suffix(".txt").write_text("1\n2\n" + "0\n" * (T - 2))
    assert run_paths("vot", run_of(folder, benchmark, "still", "vot")) == [
        first.with_suffix(".txt")
    ]


def test_supervised_repetitions_are_averaged(tmp_path, benchmark, results):
    folder = tmp_path / "v"
    files = export_results(("course", results), benchmark, "still", "vot", ("vot-text", folder))
    files[0].with_name("calm_002.txt").write_text(files[0].read_text())
    files[1].with_name("quick_002.txt").write_text("1\n" + "20,30,30,10\n" * (T - 1))  # no failure
    row = vot_scores(folder, benchmark, ["still"], layout="vot-text")["still"]
    assert row["failures"] == 1.5 and row["failures_by_length"] == 0.75
    assert row["per_100_frames"] == pytest.approx(100 * 3 / 32)


def test_no_existing_file_is_replaced(tmp_path, benchmark, results):
    taken = tmp_path / "g" / "still" / "quick" / "quick_time.txt"
    taken.parent.mkdir(parents=True)
    taken.write_text("mine")
    with pytest.raises(SettingsError, match=r"quick_time\.txt exists already"):
        export_results(("course", results), benchmark, "still", "ope", ("got10k", tmp_path / "g"))
    assert taken.read_text() == "mine" and not (tmp_path / "g" / "still" / "calm").exists()


@pytest.mark.parametrize("name", ["../x", "/etc", "", ".", "a/b"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tracker_is_one_plain_name(tmp_path, benchmark, name, layout):
    with pytest.raises(SettingsError, match="expected one plain name"):
        run_paths(layout, run_of(tmp_path, benchmark, name))
    with pytest.raises(SettingsError, match="expected one plain name"):
        make_report(tmp_path, benchmark, [name], "sre")


@pytest.mark.parametrize(
    ("layout", "protocol"), [("otb", "vot"), ("got10k", "vot-realtime"), ("vot", "tre")]
)
def test_a_protocol_that_a_layout_has_no_place_for(tmp_path, benchmark, layout, protocol):
    with pytest.raises(SettingsError, match="this layout has no place for results of protocol"):
        run_paths(layout, run_of(tmp_path, benchmark, "still", protocol))


DAMAGED = {
    "a word": ("1,2,3,4\n1,2,three,4\n", "line 2: '1,2,three,4'; expected 4 numbers"),
    "three numbers": ("1,2,3\n" * T, "line 1"),
    "five numbers": ("1,2,3,4,5\n" * T, "line 1"),
    "cut inside a row": ("1,2,3,4\n" * (T - 1) + "1,2", f"line {T}"),
    "a row too few": ("1,2,3,4\n" * (T - 1), f"has {T - 1} boxes"),
    "a row too many": ("1,2,3,4\n" * (T + 1), f"has {T + 1} boxes"),
    "empty": ("", "has 0 boxes"),
    "infinite": (
        "1,2,3,4\n" * (T - 1) + "1,2,inf,4\n",
        f"line {T}: '1,2,inf,4'; expected 4 numbers",
    ),
    "binary": ("\x00\x01\ufffd" * 40, "line 1"),
    "a page of the web": ("<html><body>404</body></html>", "line 1"),
}


@pytest.mark.parametrize("layout", ["course", "otb", "got10k"])
@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_result_is_named(tmp_path, benchmark, results, layout, case):
    folder, (text, words) = results, DAMAGED[case]
    if layout != "course":
        folder = tmp_path / layout
        export_results(("course", results), benchmark, "still", "ope", (layout, folder))
    (path,) = run_paths(layout, run_of(folder, benchmark, "still"))
    path.write_text(text)
    with pytest.raises(DataError, match=rf"{path.name}.*{words}"):
        make_report(folder, benchmark, ["still"], layout=layout)
    with pytest.raises(DataError, match=rf"{path.name}.*{words}"):
        got10k_scores(folder, benchmark, ["still"], layout=layout)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.01\n" * (T - 3), f"has {T - 3} rows and .* has {T}; expected the same number"),
        ("0.01\n" * (T - 1) + "slow", f"line {T}: 'slow'"),
        ("-0.01\n" * T, "holds -0.01 seconds"),
        ("inf\n" * T, "line 1: 'inf'; expected 1 number"),
        ("0.01,0.01\n" * T, "line 1"),
    ],
)
@pytest.mark.parametrize("layout", ["course", "got10k", "vot"])
def test_damaged_times_are_named(tmp_path, benchmark, results, layout, text, words):
    folder = results
    if layout != "course":
        folder = tmp_path / layout
        export_results(("course", results), benchmark, "still", "ope", (layout, folder))
    times = next(path for path in sorted(folder.rglob("calm*time*")))
    times.write_text(text)
    with pytest.raises(DataError, match=words):
        make_report(folder, benchmark, ["still"], layout=layout)
    times.write_text("nan\n" * T)  # not measured
    row = make_report(folder, benchmark, ["still"], layout=layout).overall()["still"]
    assert row["fps"] == pytest.approx(100)  # of the other sequence


def test_rows_without_a_box_are_counted_and_reported(benchmark, results):
    path = result_path(results, "little", "still", "calm")
    rows = path.read_text().splitlines()
    rows[2], rows[5] = "nan,nan,nan,nan", "21,31,0,10"
    path.write_text("\n".join(rows))
    report = make_report(results, benchmark, ["still"])
    assert report.trackers["still"].empty == 2
    assert "hold no box (NaN, no width or height): still 2" in report.notes[0]
    # as in OTB, the box before stands in: the same here, where every box is the first
    assert report.overall()["still"]["auc"] > 0.2
    # in GOT-10k's scores such a frame overlaps nothing: of 14 frames, 2, 4, 6, 8 px off, then more
    ious = [8 / 12, 6 / 14, 4 / 16, 2 / 18, 0, 0, 0]
    row = got10k_scores(results, benchmark, ["still"])["still"]
    assert row["ao"] == pytest.approx((sum(ious) + sum(ious) - ious[1]) / 14)


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.lists(st.floats(), min_size=4, max_size=4), min_size=T, max_size=T).map(
            lambda rows: "\n".join(",".join(map(str, row)) for row in rows)
        ),
    )
)
def test_any_text_is_a_result_or_reported(benchmark, results, text):
    """Even with boxes beyond all bounds a score is a number from 0 to 1, or the file is named."""
    path = result_path(results, "little", "still", "calm")
    path.write_text(text, errors="replace")
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            row = make_report(results, benchmark, ["still"]).overall()["still"]
            row |= got10k_scores(results, benchmark, ["still"])["still"]
        del row["fps"]
        assert all(0 <= value <= 1 for value in row.values())
    except DataError as problem:
        assert "calm.txt" in str(problem)


def test_all_missing_runs_are_named(tmp_path, benchmark, results):
    result_path(results, "little", "still", "calm").unlink()
    with pytest.raises(MissingDataError, match="for still on calm, gone on calm, gone on quick"):
        make_report(results, benchmark, ["still", "gone"])
    with pytest.raises(MissingDataError, match=r"no result .*gone_or_not.*check --layout"):
        got10k_scores(tmp_path, benchmark, ["gone_or_not"], layout="got10k")
    with pytest.raises(MissingDataError, match=r"no result .*baseline/calm/calm_001\.bin"):
        vot_scores(tmp_path, benchmark, ["still"], layout="vot")


@pytest.mark.parametrize(
    "text", ["{}", "[", '["x.txt"]', "[7]", '["../x.txt"]', "[]", '["calm.tre-00000.txt"]']
)
def test_passes_come_from_the_sequence_and_not_from_a_list(results, text):
    benchmark = Benchmark("little", (sequence("calm"),), first_pixel=1)
    (results / "little" / "still" / "calm.tre.json").write_text(text)
    with pytest.raises(CourseError, match=r"no tre results .* for still on calm"):
        make_report(results, benchmark, ["still"], "tre")


def test_a_benchmark_without_truth_is_not_scored(results):
    withheld = sequence("calm")
    withheld.boxes[1:] = np.nan
    benchmark = Benchmark("got10k-test", (withheld,))
    for score in (make_report, got10k_scores):
        with pytest.raises(DataError, match="got10k-test has no true boxes after the first frames"):
            score(results, benchmark, ["still"])


class TestCommand:
    """`report` with --layout and --export."""

    @pytest.fixture(autouse=True)
    def little(self, benchmark, monkeypatch):
        monkeypatch.setattr("course_lib.cli.report.load_benchmark", lambda name, root: benchmark)

    def test_export_then_report(self, tmp_path, results, capsys):
        ours = ["report", "--benchmark", "little", "--tracker", "still", "--results", str(results)]
        folder = str(tmp_path / "g")
        assert main([*ours, "--export", "got10k", folder]) == 0
        assert "wrote 4 files of still" in capsys.readouterr().out
        theirs = [
            *ours[:5],
            "--results",
            folder,
            "--layout",
            "got10k",
            "--out",
            str(tmp_path / "o"),
        ]
        assert main(theirs) == 0
        assert "| still | 0." in capsys.readouterr().out
        assert main([*ours, "--export", "got10k", folder]) == 2
        assert "exists already" in capsys.readouterr().err

    def test_supervised_tables_name_both_ways_of_averaging(self, tmp_path, results, capsys):
        common = ["report", "--benchmark", "little", "--tracker", "still", "--protocol", "vot"]
        assert main([*common, "--results", str(results), "--out", str(tmp_path / "o")]) == 0
        said = capsys.readouterr().out
        assert "accuracy, pooled" in said and "accuracy, by length" in said
        assert "as pysot does" in said and "as VOT's toolkit does" in said
        assert "by length" in (tmp_path / "o" / "report.md").read_text()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "no --tracker is given"),
            (["--tracker", "still", "--layout", "vot"], "--layout vot needs --results"),
            (["--tracker", "still", "--export", "course", "x"], "not a toolkit's layout; expected one of otb"),
            (["--tracker", "still", "--export", "coco", "x"], "not a toolkit's layout"),
            (["--tracker", "../still"], "expected one plain name"),
            (["--tracker", "still", "--protocol", "tre", "--export", "vot", "x"], "this layout has no place for results of protocol"),
            (["--tracker", "gone", "--results", "nowhere", "--export", "vot", "x"], "no result nowhere"),
            (["--tracker", "still", "--results", "r", "--layout", "got10k", "--protocol", "sre"], "from the course's own results"),
        ],
    )  # fmt: skip
    def test_a_wrong_argument_is_a_sentence(self, tmp_path, capsys, monkeypatch, arguments, words):
        monkeypatch.chdir(tmp_path)
        assert main(["report", "--benchmark", "little", *arguments]) == 2
        said = capsys.readouterr().err
        assert words in said and "Traceback" not in said and not any(tmp_path.iterdir())

    def test_a_users_own_report_is_not_replaced(self, tmp_path, results, capsys):
        (tmp_path / "report.md").write_text("# My report\n")
        common = [
            "report",
            "--benchmark",
            "little",
            "--tracker",
            "still",
            "--results",
            str(results),
        ]
        for protocol in ("ope", "vot"):
            assert main([*common, "--protocol", protocol, "--out", str(tmp_path)]) == 2
            assert "is not a report of the course" in capsys.readouterr().err
        assert (tmp_path / "report.md").read_text() == "# My report\n"
        assert main([*common, "--out", str(tmp_path / "o")]) == 0
        assert main([*common, "--out", str(tmp_path / "o")]) == 0  # it replaces its own
