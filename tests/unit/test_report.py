"""A report made in memory, one read from its JSON, the table function, and figures."""

import json
import re

import numpy as np
import pytest
from scipy import stats

from course_lib import plots
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError
from course_lib.evaluation import figures
from course_lib.evaluation.intervals import Interval, auc_difference
from course_lib.evaluation.otb import track
from course_lib.evaluation.report import make_report
from course_lib.evaluation.results import Result, write_result
from course_lib.evaluation.scores import Report
from course_lib.evaluation.tables import markdown_table, read_measured, to_json, to_markdown
from course_lib.evaluation.tre_sre import tre
from course_lib.places import RESULTS
from course_lib.trackers import make_tracker

T = 24


def sequence(name: str, step: float, tags: tuple[str, ...] = ("FM",)) -> Sequence:
    """A target that moves right by `step` pixels per frame."""
    boxes = np.tile([10.0, 10, 20, 20], (T, 1))
    boxes[:, 0] += step * np.arange(T)
    return Sequence.in_memory(name, np.zeros((T, 60, 200, 3), np.uint8), boxes, tags)


@pytest.fixture
def benchmark() -> Benchmark:
    return Benchmark("two", (sequence("slow", 0.5, ("SV", "FM")), sequence("fast", 4.0)))


def found(benchmark: Benchmark, shift: float) -> dict[str, Result]:
    """The true boxes, shifted right by `shift` pixels from the second frame on, at 10 frames/s."""
    moved = np.r_[0, np.full(T - 1, shift)][:, None] * [1, 0, 0, 0]
    return {s.name: Result(s.boxes + moved, np.full(T, 0.1)) for s in benchmark}


@pytest.fixture
def report(benchmark) -> Report:
    return Report.from_results(benchmark, {"off": found(benchmark, 8), "near": found(benchmark, 1)})


class TestFromResults:
    def test_it_equals_the_report_from_files(self, report, benchmark, tmp_path):
        for tracker, shift in (("off", 8), ("near", 1)):
            for name, result in found(benchmark, shift).items():
                write_result(tmp_path / "two" / tracker / f"{name}.txt", result)
        assert make_report(tmp_path, benchmark, ["off", "near"]).to_dict() == report.to_dict()

    def test_its_scores_are_the_boxes_own(self, report):
        row = report.overall()["near"]  # IoU 1 in the first frame, then 19 / 21 = 0.905
        assert row["auc"] == pytest.approx((19 + 1 / T) / 21) and row["fps"] == pytest.approx(10)
        assert row["mean_iou"] == pytest.approx((1 + 23 * 19 / 21) / T)

    def test_passes_that_start_later_are_pooled(self, benchmark):
        slow = benchmark["slow"]
        passes = tre(lambda: make_tracker("stay-put"), slow)
        once = track(make_tracker("stay-put"), slow)
        told = Report.from_results([slow], {"TRE": {"slow": passes}, "OPE": {"slow": once}})
        frames = told.trackers["TRE"].sequences["slow"].frames
        assert frames == sum(T - start for start, _ in passes) > T
        assert list(told.overall()) == ["TRE", "OPE"] and told.benchmark == "1 sequences"

    def test_a_result_that_does_not_fit_is_refused(self, benchmark):
        short = {s.name: Result(s.boxes[:5], np.zeros(5)) for s in benchmark}
        with pytest.raises(DataError, match="5 boxes for 24 frames"):
            Report.from_results(benchmark, {"it": short})


class TestFromDict:
    def test_it_is_the_inverse_of_to_dict(self, report):
        kept = json.loads(json.dumps(report.to_dict()))
        again = Report.from_dict(kept)
        assert again.to_dict() == report.to_dict() and list(again.trackers) == ["off", "near"]
        assert to_markdown(again) == to_markdown(report)
        for make in (figures.curve_plot, figures.attribute_plot, figures.success_and_precision):
            assert make(again)[1] == make(report)[1]

    def test_unmeasured_speeds_stay_unknown(self, benchmark):
        results = {s.name: Result(s.boxes, np.full(T, np.nan)) for s in benchmark}
        kept = json.loads(to_json(Report.from_results(benchmark, {"it": results})))
        assert kept["overall"]["it"]["fps"] is None
        assert np.isnan(Report.from_dict(kept).overall()["it"]["fps"])

    @pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
    def test_every_shipped_report_can_be_shown(self, path):
        kept = read_measured(path)
        if "curves" not in kept:
            return
        told = Report.from_dict(kept)
        best = next(iter(kept["overall"]))
        assert f"| {best} | {kept['overall'][best]['auc']:.3f} |" in to_markdown(told)
        assert f"{best} {kept['overall'][best]['auc']:.3f}" in figures.curve_plot(told)[1]
        assert told.by_attribute() == kept["auc_by_attribute"]

    def test_tables_may_be_missing(self):
        row = {"auc": 0.5, "precision20": 0.6}
        kept = {"benchmark": "b", "protocol": "ope", "sequences": ["x", "y"]}
        told = Report.from_dict(
            {**kept, "overall": {"it": row}, "curves": {"it": {"success": [0.5] * 21}}}
        )
        assert told.overall()["it"] == row and told.by_sequence() == told.by_attribute() == {}
        assert figures.curve_plot(told)[1].endswith("it 0.500.")


class TestTrackers:
    def test_some_of_them_under_other_names(self, report):
        assert list(report.only(["near"]).overall()) == ["near"]
        renamed = report.only({"near": "the near one"})
        assert renamed.overall() == {"the near one": report.overall()["near"]}

    def test_two_reports_side_by_side(self, report, benchmark):
        kept = Report.from_dict(report.only({"off": "kept"}).to_dict())
        assert list((report | kept).overall()) == ["near", "off", "kept"]
        other = Report.from_results([benchmark["slow"]], {"it": found(benchmark, 1)})
        with pytest.raises(DataError, match="two .* 2 sequences.* 1 sequences"):
            report | other


class TestTable:
    def test_words_left_numbers_right_dashes_for_missing_values(self):
        rows = {
            "one": {"auc": 0.25, "fps": 12345.6, "note": "good", "frames": 1200},
            "two": {"auc": float("nan"), "fps": None, "note": None, "frames": np.int64(7)},
        }
        assert markdown_table(rows, {"auc": "AUC", "fps": "fps", "note": "note"}) == (
            "| tracker | AUC | fps | note |\n"
            "| --- | ---: | ---: | --- |\n"
            "| one | 0.250 | 12,346 | good |\n"
            "| two | – | – | – |\n"
        )
        assert "| one | 1,200 |" in markdown_table(rows, ["frames"])
        assert "| two | 7 |" in markdown_table(rows, ["frames"], first="")

    def test_records_headings_and_formats(self):
        rows = [
            {"place": "left", "width_multiplier": 0.5, "step": 3},
            {"place": "right", "width_multiplier": 0.25},
        ]
        table = markdown_table(rows, formats={"width_multiplier": ".0%", "step": "+d"})
        assert table.splitlines()[2:] == ["| left | 50% | +3 |", "| right | 25% | – |"]
        assert markdown_table(rows, {"width_multiplier": "a"}, ".1f").splitlines()[0::2] == [
            "| a |",
            "| 0.5 |",
        ]
        assert "| AUC |" in markdown_table([{"auc": 1.0}])


class TestFigures:
    def test_success_and_precision_list_the_best_first_and_keep_colours(self, benchmark):
        far = np.where(np.arange(T) < T // 2, 4.0, 30.0)[:, None] * [1, 0, 0, 0]
        wide = np.tile([-20.0, -20, 40, 40], (T, 1))  # the right centre, three times the side
        results = {
            name: {s.name: Result(s.boxes + change, np.full(T, 0.1)) for s in benchmark}
            for name, change in (("far", far), ("wide", wide))
        }
        figure, alt = figures.success_and_precision(Report.from_results(benchmark, results))
        legends = [
            [text.get_text().split()[0] for text in ax.get_legend().get_texts()]
            for ax in figure.axes
        ]
        assert legends == [["far", "wide"], ["wide", "far"]]
        left, right = (
            {line.get_label().split()[0]: line.get_color() for line in ax.lines}
            for ax in figure.axes
        )
        assert left == right and left["far"] != left["wide"]
        assert "success far 0." in alt and "precision wide 1.000, far 0.500" in alt

    def test_panels_have_their_titles(self, report):
        figure, alt = figures.success_panels({"left": report, "right": report.only(["off"])})
        assert [ax.get_title() for ax in figure.axes] == ["left", "right"]
        assert "left: near" in alt and "right: off" in alt

    def test_the_gallery_shows_the_worst_where_they_are_lost(self, benchmark):
        results = {s.name: track(make_tracker("stay-put"), s) for s in benchmark}
        figure, alt = figures.failure_gallery(benchmark, results, count=1)
        # 4 pixels per frame: 8 / 32 of a box of 20 pixels in frame 3, 4 / 36 in frame 4
        assert len(figure.axes) == 1 and re.search(r"fast, AUC 0\.\d\d, frame 4\.", alt)
        assert "frame 23" in figures.failure_gallery(benchmark, results)[1]


class TestSequences:
    def test_in_memory_is_a_sequence_like_any_other(self):
        made = sequence("it", 1.0)
        assert len(made) == T and made.attributes == {"FM"} and made.frames[3].shape == (60, 200, 3)
        with pytest.raises(DataError, match="24 frames but 2 rows of boxes"):
            Sequence.in_memory("it", made.frames.images, made.boxes[:2])

    def test_loaded_reads_each_frame_once(self, benchmark, monkeypatch):
        read = []
        source = benchmark["slow"].frames
        monkeypatch.setattr(type(source), "_read", lambda self, i: read.append(i) or self.images[i])
        whole = benchmark["slow"].loaded(5)
        assert read == list(range(5)) and len(whole) == 5
        assert [np.asarray(f).shape for f in whole.frames.images] == [(60, 200, 3)] * 5

    def test_a_benchmark_is_thinned_and_cut(self, benchmark):
        few = benchmark.loaded(step=2, length=3)
        assert few.names == ["slow"] and len(few["slow"]) == 3 and few.name == "two"
        assert benchmark.loaded().names == benchmark.names


class TestPlots:
    def test_lines_are_distinguishable_and_listed(self):
        _, axes = plots.new_figure()
        lines = {f"line {k}": np.arange(3) * k for k in range(10)}
        plots.draw_lines(axes[0, 0], lines, x=[1, 2, 4], markers=True, ylabel="height")
        drawn = axes[0, 0].lines
        assert (
            len({(ln.get_color(), ln.get_linestyle(), str(ln._dash_pattern)) for ln in drawn}) == 10
        )
        assert [ln.get_label() for ln in drawn] == list(lines)
        assert drawn[3].get_xdata().tolist() == [1, 2, 4] and axes[0, 0].get_ylabel() == "height"

    def test_a_frame_with_its_true_and_its_predicted_box(self):
        _, axes = plots.new_figure(columns=2)
        frame = np.zeros((20, 30, 3), np.uint8)
        plots.show_frame(axes[0, 0], frame, "frame 3", truth=[1, 2, 3, 4], found=[5, 6, 7, 8])
        truth, found = axes[0, 0].patches
        assert truth.get_xy() == (0.5, 1.5) and found.get_xy() == (4.5, 5.5)
        assert truth.get_linestyle() == "-" and found.get_linestyle() == "--"
        plots.show_frame(axes[0, 1], frame[..., 0], cmap="gray", truth=[np.nan] * 4)
        assert not axes[0, 1].patches and axes[0, 1].images[0].get_cmap().name == "gray"


class TestIntervals:
    """Student's quantile, worked by hand."""

    def test_three_values(self):
        found = Interval.of([1.0, 2.0, 3.0])
        assert (found.mean, found.n) == (2.0, 3)
        assert found.half_width == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
        assert not found.excludes_zero
        assert Interval.of([1.9, 2.0, 2.1]).excludes_zero
        assert str(found) == "+2.000 ± 2.484 (95 %, n = 3)"

    def test_between_two_groups(self):
        """Welch's interval, as scipy computes it."""
        rng = np.random.default_rng(3)
        a, b = rng.normal(0.3, 1, 11), rng.normal(0, 4, 8)
        found = Interval.between(a, b)
        low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
        assert found.mean == pytest.approx((low + high) / 2) and found.n == 19
        assert found.half_width == pytest.approx((high - low) / 2)
        assert np.isnan(Interval.between([1.0], [2.0, 3.0]).half_width)
        assert Interval.between([2.0, 2.0], [1.0, 1.0]) == Interval(1.0, 0.0, 4)

    def test_one_value_says_nothing(self):
        assert np.isnan(Interval.of([0.4]).half_width)
        assert not Interval.of([0.4]).excludes_zero

    def test_a_difference_is_taken_clip_by_clip(self):
        rows = {"a": {"x": 0.5, "y": 0.4}, "b": {"x": 0.7, "y": 0.5}, "c": {"x": 0.6, "y": 0.6}}
        kept = {"benchmark": "b", "protocol": "ope", "sequences": list(rows)}
        kept |= {"overall": {"x": {}, "y": {}}, "curves": {"x": {}, "y": {}}}
        report = Report.from_dict(kept | {"auc_by_sequence": rows})
        found = auc_difference(report, "x", "y")
        assert found.mean == pytest.approx(0.1)
        assert found.half_width == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
        assert auc_difference(report, "y", "x").mean == pytest.approx(-0.1)


def test_a_bar_in_a_heading_or_a_cell_does_not_end_its_column():
    table = markdown_table([{"|log size|": "a|b", "n": 1}]).splitlines()
    assert table[0] == r"| \|log size\| | n |" and table[2].startswith(r"| a\|b | 1")
