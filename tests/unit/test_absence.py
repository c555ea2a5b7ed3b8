"""A tracker that reports absence: where its score is low, in protocols that count it, by the
command line."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scripted_runs import plain

import course_lib.trackers as trackers
from course_lib.cli import main
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, SettingsError
from course_lib.evaluation.multistart import run_multistart
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.quality import sequence_quality
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import vot_scores
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.trackers.absence import ReportsAbsence
from course_lib.trackers.base import Tracker


class Fading(Tracker):
    """Stays where it started; its score falls by 1 a frame from 0, and is NaN in frame 3."""

    name = "fading"

    def __init__(self, settings=None):
        pass

    def init(self, frame, box):
        self.box, self.t = np.array(box, dtype=float), 0
        self.last = SimpleNamespace(score=np.nan)

    def update(self, frame):
        self.t += 1
        self.last = SimpleNamespace(score=np.nan if self.t == 3 else -float(self.t))
        return self.box.copy()


@pytest.fixture
def gone(monkeypatch) -> Benchmark:
    """A target that is there for five frames and then absent for fifteen."""
    monkeypatch.setitem(trackers.TRACKERS, "fading", f"{__name__}:Fading")
    whole = plain(20, "a")
    boxes = whole.boxes.copy()
    boxes[:5], boxes[5:] = boxes[0], np.nan
    return Benchmark("generated-v1", (Sequence("a", whole.frames, boxes),))


def test_a_target_is_absent_where_the_score_is_lower_and_not_where_it_is_equal_or_no_number(gone):
    tracker = ReportsAbsence(Fading(), below=-2)
    tracker.init(gone[0].frames[0], gone[0].boxes[0])
    absent = [bool(np.isnan(tracker.update(frame)).all()) for frame in gone[0].frames.part(1)]
    assert absent[:5] == [False, False, False, True, True]  # scores -1, -2, NaN, -4, -5
    assert tracker.last.score == -19 and tracker.name == "fading"


def test_quality_counts_what_is_noticed(gone):
    """Present in 0 to 4, absent in 5 to 19; reported absent from frame 5 on, below -4."""
    row = PROTOCOLS["vots"]
    for below, quality, absence in ((None, 4 / 20, 0), (-4, 19 / 20, 1), (0, 16 / 20, 1)):
        spec = TrackerSpec("fading", absent_below=below)
        scores = sequence_quality(row.run(spec.make, gone[0]))
        assert scores["quality"] == pytest.approx(quality), below
        assert scores["absence"] == pytest.approx(absence), below


def test_long_term_and_multi_start_runs_take_it_too(gone):
    spec = TrackerSpec("fading", absent_below=-4)
    (run,) = PROTOCOLS["longterm"].run(spec.make, gone[0])
    assert run.reported.tolist() == [False] + [True] * 4 + [False] * 15
    assert run.overlaps.tolist() == [0] + [1] * 19
    started = run_multistart(spec.make, gone[0])
    assert started[0].overlaps.tolist() == [0] + [1] * 19
    assert {name for name, row in PROTOCOLS.items() if row.absence} == {
        *("multistart", "multistart-realtime", "longterm", "vots")
    }


def test_the_command_takes_it_and_results_remember_it(gone, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: gone)
    common = ["evaluate", "--tracker", "fading", "--results", str(tmp_path), "--workers", "1"]
    assert main([*common, "--protocol", "vots", "--absent-below", "-4"]) == 0
    assert "0.950" in capsys.readouterr().out
    assert main([*common, "--protocol", "vots"]) == 2
    assert "score below which a target is absent was -4.0" in capsys.readouterr().err
    assert main([*common, "--protocol", "ope", "--absent-below", "-4"]) == 2
    said = capsys.readouterr().err
    assert "wants a box in every frame" in said and "longterm" in said
    two = [*common[:3], "ncc", *common[3:], "--protocol", "vots", "--absent-below", "-4"]
    assert main(two) == 2
    assert "--absent-below are for a single tracker" in capsys.readouterr().err
    assert vot_scores(tmp_path, gone, ["fading"], "vots")["fading"]["quality"] == 0.95


def test_kept_results_of_another_threshold_are_refused(gone, tmp_path):
    spec = TrackerSpec("fading", absent_below=-4)
    evaluate([spec], gone, tmp_path, "vots", progress=False)
    stamp = Run(tmp_path, gone, "fading", gone[0], "vots").files[0].stat().st_mtime_ns
    evaluate([spec], gone, tmp_path, "vots", progress=False)
    assert Run(tmp_path, gone, "fading", gone[0], "vots").files[0].stat().st_mtime_ns == stamp
    with pytest.raises(CourseError, match=r"was -4.0, is now -3.0"):
        other = TrackerSpec("fading", absent_below=-3)
        evaluate([other], gone, tmp_path, "vots", progress=False)
    with pytest.raises(SettingsError, match="wants a box in every frame"):
        evaluate([spec], gone, tmp_path / "b", "vot", progress=False)
