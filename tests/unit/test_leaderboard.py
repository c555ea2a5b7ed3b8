"""The leaderboard: what is kept, which scores it has, and that the bootstrap's sums are the
scores."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from scripted_runs import plain

from course_lib.data.sequence import Benchmark
from course_lib.evaluation.bootstrap import Standing
from course_lib.evaluation.leaderboard_figures import (
    accuracy_against_speed,
    against_published,
    ranks_plot,
    standings_plot,
)
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.places import PROJECT
from course_lib.trackers import TRACKERS

CLIPS = Benchmark("vot2022", (plain(40, "a"), plain(60, "b"), plain(55, "c")))


@pytest.fixture
def board(monkeypatch, tmp_path):
    """The script, with two baselines that have been through three sequences."""
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    script = importlib.import_module("leaderboard")
    monkeypatch.setattr(script, "KEPT", tmp_path)
    for label in ("stay-put", "ncc"):
        script.measure([label], CLIPS, script.MEASURED)
    return script


@pytest.mark.parametrize("protocol", ["ope", "vot", "multistart"])
def test_sums_over_the_clips_as_they_are_give_the_score(board, protocol):
    for label in ("stay-put", "ncc"):
        scores, value, drawn = board.OUTCOMES[protocol](label, CLIPS, np.ones((1, 3)))
        assert drawn == pytest.approx([value], abs=1e-12)
        assert value == scores["auc" if protocol == "ope" else "eao"]


@pytest.mark.parametrize("protocol", ["vot", "multistart"])
def test_sums_over_drawn_clips_give_the_score_on_them(board, protocol):
    """Sequence b twice and c once, the bounds of all three sequences."""
    scores, _, drawn = board.OUTCOMES[protocol]("ncc", CLIPS, np.array([[0, 2, 1]]))
    runs = board.runs_of("ncc", CLIPS, protocol)
    chosen = [run for k in (1, 1, 2) for run in runs[k]]
    module = {"vot": board.eao, "multistart": board.multistart_scores}[protocol]
    if protocol == "vot":
        expected = module.eao(chosen, scores["low"], scores["high"])
    else:
        curve = module.expected_overlap_curve(chosen, scores["high"] + 1)
        expected = curve[scores["low"] :].mean()
    assert drawn == pytest.approx([expected], abs=1e-12)


def test_networks_are_measured_in_single_precision(board):
    for label in ("siamfc", "siamrpnpp", "atom", "onestream"):
        assert board.ROWS[label].settings["precision"] == "fp32"
    assert "precision" not in board.ROWS["kcf"].settings


def test_the_table_has_what_is_kept_and_names_what_is_not(board, capsys):
    found = board.table(CLIPS, samples=50)
    assert list(found["trackers"]) == ["stay-put", "ncc"]
    assert found["not_measured"]["ncc"] == ["vot-realtime", "fps"]
    assert "ope" in found["not_measured"]["mosse"]
    low, high = found["trackers"]["ncc"]["multistart"]["interval"]
    assert low <= found["trackers"]["ncc"]["multistart"]["eao"] <= high
    assert found["rankings"] == {}  # of two trackers there is no ranking to compare
    board.print_table(found)
    assert "| ncc |" in capsys.readouterr().out


def test_protocols_are_compared_where_three_trackers_are_there(board):
    evaluate([TrackerSpec("random-walk", {}, None, "mosse")], CLIPS, board.KEPT, "ope")
    evaluate([TrackerSpec("random-walk", {}, None, "mosse")], CLIPS, board.KEPT, "vot")
    row = board.table(CLIPS, samples=50)["rankings"]["ope, vot"]
    assert row["trackers"] == 3 and row["interval"][0] <= row["tau"] <= row["interval"][1]


def test_the_order_is_compared_with_the_published_one(board, monkeypatch):
    """The first walker is behind stay-put on these sequences and ahead of it as published; what is
    published does not move with the sequences drawn."""
    for label, deviation in (("mosse", 0.05), ("kcf", 0.5)):
        walker = TrackerSpec("random-walk", {"deviation": deviation}, None, label)
        for protocol in board.MEASURED:
            evaluate([walker], CLIPS, board.KEPT, protocol)
    ours = {t: r["ope"]["auc"] for t, r in board.table(CLIPS, 50)["trackers"].items()}
    assert ours["kcf"] < ours["mosse"] < ours["stay-put"]
    theirs = {"mosse": 0.4, "stay-put": 0.3, "atom": 0.2, "kcf": 0.1}
    monkeypatch.setattr(
        board, "published_scores", lambda: dict.fromkeys(board.PUBLISHED.values(), theirs)
    )
    row = board.table(CLIPS, samples=50)["published"]["ope, OTB-2015 AUC"]
    assert row["trackers"] == 3 and row["tau"] == pytest.approx(1 / 3)
    (pair,) = row["reversed"]
    assert (pair["ahead"], pair["behind"], pair["OTB-2015 AUC"]) == ("stay-put", "mosse", 1.0)


def test_what_lateness_costs_is_of_the_same_drawn_clips(board):
    """0.3 less on the sequences as they are; on drawn ones 0.2 less each time."""
    whole = Standing(("other", "slow"), np.array([0.1, 0.8]), np.array([[0.1, 0.5], [0.2, 0.9]]))
    late = Standing(("slow", "new"), np.array([0.5, 0.4]), np.array([[0.3, 0.1], [0.7, 0.1]]))
    found = board.cost_of_lateness({"vot": whole, "vot-realtime": late})
    assert found == {"slow": {"minus": pytest.approx(-0.3), "interval": pytest.approx([-0.2] * 2)}}
    assert board.cost_of_lateness({"vot": whole}) == {}


def test_a_tracker_that_is_not_there_is_named_and_the_others_go_on(board, capsys, monkeypatch):
    monkeypatch.setattr("course_lib.trackers.opencv.find_factory", lambda kind: None)
    board.measure(["opencv-csrt", "stay-put"], CLIPS, ["ope"])
    assert "has no CSRT tracker" in capsys.readouterr().out


def test_speeds_are_added_to_those_that_are_kept(board, monkeypatch):
    monkeypatch.setattr(board, "SEQUENCE", "a")
    monkeypatch.setattr(board, "FRAMES", 5)
    board.measure_speeds(["stay-put"], CLIPS)
    board.measure_speeds(["ncc"], CLIPS)
    assert set(board.kept_speeds()) == {"stay-put", "ncc"}
    assert board.table(CLIPS, samples=10)["trackers"]["ncc"]["fps"] > 0


def test_every_row_is_a_tracker_of_the_table(board):
    assert {spec.name for spec in board.ROWS.values()} <= TRACKERS.keys()


def test_figures_show_every_tracker_and_protocol_that_is_there(board, monkeypatch):
    monkeypatch.setattr(board, "SEQUENCE", "a")
    monkeypatch.setattr(board, "FRAMES", 5)
    board.measure_speeds(["ncc"], CLIPS)
    found = board.table(CLIPS, samples=20)
    figure, alt = standings_plot(found)
    assert len(figure.axes) == 3 and "multi-start: " in alt and "stay-put" in alt
    figure, alt = accuracy_against_speed(found, "multistart")
    assert "ncc" in alt and "stay-put" not in alt  # its speed was not measured
    assert figure.axes[0].get_xscale() == "log"


def test_a_tracker_has_one_row_in_all_panels(board):
    """Also where another one, the best of the first panel, is missing."""
    rows = {
        "ope": {"auc": 0.9, "interval": [0.8, 1.0]},
        "vot": {"eao": 0.4, "interval": [0.3, 0.5]},
    }
    low = {"ope": {"auc": 0.2, "interval": [0.1, 0.3]}, "vot": rows["vot"]}
    found = {
        "ranked_by": {"ope": "auc", "vot": "eao"},
        "trackers": {"a": low, "b": {"ope": rows["ope"]}},
    }
    figure, _ = standings_plot(found)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    dots = [ax.lines[1].get_ydata()[0] for ax in figure.axes]
    assert dots == [0, 0] and figure.axes[0].get_yticklabels()[0].get_text() == "a"


def test_the_ranks_are_of_those_who_went_through_all_protocols(board):
    evaluate([TrackerSpec("random-walk", {}, None, "mosse")], CLIPS, board.KEPT, "ope")
    figure, alt = ranks_plot(board.table(CLIPS, samples=20))
    assert "stay-put 1, " in alt and "ncc 2, " in alt and "mosse" not in alt
    assert len(figure.axes[0].lines) == 2


def test_each_system_stands_over_its_published_score(board):
    for name, label in (("stay-put", "kcf"), ("ncc", "siamfc"), ("random-walk", "atom")):
        evaluate([TrackerSpec(name, {}, None, label)], CLIPS, board.KEPT, "ope")
    figure, alt = against_published(board.table(CLIPS, samples=20))
    (ax,) = figure.axes
    places = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert places == pytest.approx([0.477, 0.582, 0.663], abs=1e-3)
    assert "siamfc 0.582, here 0." in alt and "ncc" not in alt
