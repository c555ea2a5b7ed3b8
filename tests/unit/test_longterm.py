"""Long-term precision, recall and F, and the quality of the VOTS challenges: hand-worked cases, a
slow reference, and the toolkit's own numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_runs import plain, scripted_benchmark, write_scripted

from course_lib.cli import main
from course_lib.data.sequence import Benchmark
from course_lib.errors import DataError
from course_lib.evaluation.export import export_results
from course_lib.evaluation.longterm import (
    ReportedRun,
    longterm_scores,
    precision_recall,
    read_reported,
    run_reporting,
    thresholds,
    write_reported,
)
from course_lib.evaluation.quality import (
    frame_counts,
    frame_quality,
    quality_scores,
    sequence_quality,
    tracked_overlap,
)
from course_lib.evaluation.report import vot_scores
from course_lib.evaluation.results import read_scores, score_path
from course_lib.trackers import TRACKERS, make_tracker
from course_lib.trackers.base import Tracker, confidence_of


def run(overlaps, scores=None, reported=None, present=None, known=None) -> ReportedRun:
    """A run with these overlaps; the first frame, where nothing is reported, included."""
    o = np.array(overlaps, dtype=float)
    T = len(o)
    given = np.arange(T) > 0 if reported is None else np.array(reported, dtype=bool)
    there = np.ones(T, dtype=bool) if present is None else np.array(present, dtype=bool)
    counts = np.ones(T, dtype=bool) if known is None else np.array(known, dtype=bool)
    s = np.zeros(T) if scores is None else np.array(scores, dtype=float)
    return ReportedRun([], np.full(T, np.nan), s, o, given, there, counts)


class TestThresholds:
    def test_of_few_scores_are_all_of_them_between_the_infinities(self):
        assert thresholds(np.array([0.2, 0.9, 0.2])).tolist() == [np.inf, 0.9, 0.2, 0.2, -np.inf]
        assert len(thresholds(np.arange(98.0))) == 100

    def test_of_many_are_98_at_equal_ranks(self):
        found = thresholds(np.arange(980.0))
        assert len(found) == 100
        # falling 979 … 0; ranks 10 … 970, rounded: neither the best ten nor the last nine
        ranks = np.round(np.linspace(10, 970, 98))
        assert found[1:-1].tolist() == (979 - ranks).tolist() and found[1] == 969 and found[-2] == 9

    def test_of_99_scores_leave_out_the_highest_and_never_the_lowest(self):
        found = thresholds(np.arange(99.0))
        assert (found[1], found[-2]) == (97, 0) and len(found) == 100

    def test_leave_out_scores_that_are_no_number(self):
        assert thresholds(np.array([np.nan, 1.0])).tolist() == [np.inf, 1, -np.inf]


class TestPrecisionAndRecall:
    """Five frames, scores 0 .9 .8 .3 .3, overlaps 0 .8 .6 0 .4; absent in the fourth."""

    made = run([0, 0.8, 0.6, 0, 0.4], [0, 0.9, 0.8, 0.3, 0.3], present=[1, 1, 1, 0, 1])

    def test_count_the_frames_whose_score_reaches_the_threshold(self):
        at = np.array([np.inf, 0.9, 0.8, 0.3, -np.inf])
        precision, recall = precision_recall(self.made, at)
        assert precision.tolist() == pytest.approx([1, 0.8, 0.7, 1.8 / 4, 1.8 / 5])
        assert recall.tolist() == pytest.approx([0, 0.8 / 4, 1.4 / 4, 1.8 / 4, 1.8 / 4])

    def test_f_is_the_highest_over_the_thresholds(self):
        scores = longterm_scores([[self.made]])
        assert scores["f"] == pytest.approx(2 * 0.7 * 0.35 / 1.05)  # .467, against .45 and .4
        assert (scores["precision"], scores["recall"]) == pytest.approx((0.7, 0.35))
        assert scores["threshold"] == 0.8

    def test_the_first_frame_has_overlap_0_and_a_score_of_0(self):
        """Perfect and sure from the second frame on: F at score 1 has precision 1, recall 99 %."""
        sure = longterm_scores([[run([0] + [1] * 99, [0] + [1] * 99)]])
        assert (sure["precision"], sure["recall"], sure["threshold"]) == (1, 0.99, 1)
        without = longterm_scores([[run([0] + [1] * 99)]])  # a tracker that gives no scores
        assert (without["precision"], without["recall"]) == (0.99, 0.99)

    def test_an_absence_that_is_reported_counts_as_overlap_1_and_can_raise_recall_above_1(self):
        made = run([0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 0, 0], [1, 1, 0, 0])
        precision, recall = precision_recall(made, np.array([1.0]))
        assert precision.tolist() == [1] and recall.tolist() == [1.5]

    def test_a_score_that_is_no_number_reaches_no_threshold(self):
        made = run([0, 0.5, 0.5], [0, np.nan, 1])
        assert precision_recall(made, np.array([-np.inf]))[0].tolist() == [0.25]

    def test_f_is_of_the_means_over_sequences_at_shared_thresholds(self):
        """At score 1: a has precision 1 and recall 1/2, b reports nothing: precision 1, recall 0."""
        a, b = run([0, 1], [0, 1]), run([0, 1], [0, 0.5])
        scores = longterm_scores([[a], [b]])
        # at .5: precision 1, 1; recall 1/2, 1/2
        assert scores["f"] == pytest.approx(2 * 0.5 / 1.5) and scores["threshold"] == 0.5

    def test_repetitions_of_a_sequence_are_averaged_first(self):
        twice = [run([0, 1, 1], [0, 1, 1]), run([0, 0, 0], [0, 1, 1])]
        scores = longterm_scores([twice])
        assert (scores["precision"], scores["recall"]) == pytest.approx((0.5, 1 / 3))


def slow_f(sequences):
    """The definition, literally."""
    everything = sorted((s for runs in sequences for r in runs for s in r.scores), reverse=True)
    at = [np.inf, *everything, -np.inf]
    if len(everything) > 98:
        step = len(everything) // 98
        ranks = [round(r) for r in np.linspace(step, len(everything) - step, 98).tolist()]
        at = [np.inf, *[everything[rank] for rank in ranks], -np.inf]
    best = -1.0
    for threshold in at:
        ps, rs = [], []
        for runs in sequences:
            p = r = 0.0
            for one in runs:
                kept = [o for o, s in zip(one.overlaps, one.scores, strict=True) if s >= threshold]
                p += (sum(kept) / len(kept) if kept else 1.0) / len(runs)
                r += sum(kept) / one.present.sum() / len(runs)
            ps.append(p)
            rs.append(r)
        p, r = sum(ps) / len(ps), sum(rs) / len(rs)
        best = max(best, 2 * p * r / (p + r) if p + r else 0.0)
    return best


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(2, 120))
def test_f_equals_a_slow_reference(seed, count, length):
    rng, sequences = np.random.default_rng(seed), []
    for _ in range(count):
        made = []
        for _ in range(rng.integers(1, 3)):
            present = rng.random(length) < 0.8
            present[0] = True
            scores = np.round(rng.normal(size=length), int(rng.integers(0, 3)))
            made.append(run(rng.random(length) * present, scores, present=present))
        sequences.append(made)
    assert longterm_scores(sequences)["f"] == pytest.approx(slow_f(sequences), abs=1e-12)


class TestQuality:
    """Twenty frames: first 0; tracked with .5 in 1–5; drifted in 6, 7; missed in 8; absent 9–19,
    noticed in 9–12, a region invented in 13–19."""

    made = run(
        [0] + [0.5] * 5 + [0] * 3 + [1] * 4 + [0] * 7,
        reported=[0] + [1] * 7 + [0] * 5 + [1] * 7,
        present=[1] * 9 + [0] * 11,
    )

    def test_frames_are_of_five_kinds(self):
        assert frame_counts(self.made) == {
            "tracked": 5,
            "drifted": 2,
            "missed": 2,  # frame 8, and the first, where the toolkit sees no report
            "noticed": 4,
            "invented": 7,
        }

    def test_a_noticed_absence_is_as_good_as_a_perfect_box_and_an_invented_target_worth_nothing(
        self,
    ):
        assert frame_quality(self.made) == pytest.approx((5 * 0.5 + 4) / 20)

    def test_accuracy_is_of_tracked_frames_and_the_first(self):
        assert tracked_overlap(self.made) == pytest.approx(5 * 0.5 / 6)
        assert tracked_overlap(run([0, 0, 0])) == 0

    def test_the_fractions_of_frames_with_a_target_add_up_to_one(self):
        found = sequence_quality([self.made])
        shares = [found[name] for name in ("robustness", "not_reported", "drifted")]
        assert shares == pytest.approx([5 / 9, 2 / 9, 2 / 9]) and sum(shares) == pytest.approx(1)
        assert found["absence"] == pytest.approx(4 / 11)

    def test_absence_needs_more_than_ten_frames(self):
        for frames, has in ((10, False), (11, True)):
            made = run([0] + [1] * frames, reported=[0] * (frames + 1), present=[1] + [0] * frames)
            assert (sequence_quality([made])["absence"] == 1) == has

    def test_an_overlap_of_any_size_is_tracked(self):
        made = run([0, 1e-9, 0])
        assert frame_counts(made)["tracked"] == 1 and frame_counts(made)["drifted"] == 1

    def test_frames_that_the_benchmark_leaves_out_do_not_count(self):
        made = run([0, 1, 0, 0], reported=[0, 1, 1, 1], present=[1, 1, 1, 0], known=[1, 1, 0, 0])
        assert sum(frame_counts(made).values()) == 2 and frame_quality(made) == 0.5

    def test_sequences_weigh_the_same_and_only_those_with_a_measure_count(self):
        short, gone = run([0, 1]), run([0] + [1] * 11, reported=[0] * 12, present=[0] * 12)
        found = quality_scores([[self.made], [short], [gone]])
        assert found["quality"] == pytest.approx((6.5 / 20 + 1 / 2 + 11 / 12) / 3)
        assert found["robustness"] == pytest.approx((5 / 9 + 1 / 2) / 2)  # gone has no target
        assert found["absence"] == pytest.approx((4 / 11 + 1) / 2)
        assert np.isnan(quality_scores([[short]])["absence"])

    def test_repetitions_are_averaged(self):
        found = sequence_quality([run([0, 1]), run([0, 0], reported=[0, 0])])
        assert found["quality"] == 0.25 and found["robustness"] == 0.25
        assert found["not_reported"] == 0.75


@pytest.mark.parametrize("absent", [(0.0,), (0.0, 0, 0, 0)])
def test_scores_equal_the_toolkits_on_the_same_files(tmp_path, absent):
    """vot-toolkit 0.9.0 on the files of `write_scripted`: absence reported by a code or by a
    rectangle of zeros."""
    benchmark = scripted_benchmark()
    write_scripted(tmp_path, benchmark, absent=absent)
    theirs = {
        "longterm": {"f": 0.552964669132, "precision": 0.5851944948, "recall": 0.524099666093},
        "vots": {
            "quality": 0.46107053874,
            "accuracy": 0.687159529742,
            "robustness": 0.687687557407,
            "not_reported": 0.075690369015,
            "drifted": 0.236622073579,
            "absence": 0.427083333333,
        },
    }
    for protocol, scores in theirs.items():
        ours = vot_scores(tmp_path, benchmark, ["fake"], protocol)["fake"]
        assert {name: ours[name] for name in scores} == pytest.approx(scores, abs=1e-9)


class Says(Tracker):
    """Stays; reports no target in frames 5 to 7 and is as sure as the frame's number."""

    name = "says"

    def init(self, frame, box):
        self.box, self.t = np.array(box), 0
        self.last = SimpleNamespace()

    def update(self, frame):
        self.t += 1
        self.last = SimpleNamespace(score=self.t / 3) if self.t > 1 else SimpleNamespace()
        return np.full(4, np.nan) if 5 <= self.t <= 7 else self.box


class TestRuns:
    def test_keep_the_score_of_every_frame_and_what_is_absent(self):
        made = run_reporting(Says(), plain(12))
        assert made.scores.tolist() == [0, 0, *(np.arange(2, 12) / 3)]  # none said: 0
        assert made.reported.tolist() == [False, *[True] * 4, *[False] * 3, *[True] * 4]
        assert np.isfinite(made.seconds).all() and made.known.all()

    def test_come_back_from_files_with_every_digit_of_the_scores(self, tmp_path):
        made, sequence = run_reporting(Says(), plain(12)), plain(12)
        for suffix in (".txt", ".bin"):
            path = tmp_path / f"plain_001{suffix}"
            write_reported(path, made)
            back = read_reported(path, sequence)
            np.testing.assert_array_equal(back.scores, made.scores)
            np.testing.assert_array_equal(back.overlaps, made.overlaps)
            np.testing.assert_array_equal(back.reported, made.reported)

    def test_of_the_toolkit_have_scores_beside_them_and_0_where_a_line_is_empty(self, tmp_path):
        path = tmp_path / "plain_001.txt"
        path.write_text("1\n20,30,20,10\n0\n")
        assert read_reported(path, plain(3)).scores.tolist() == [0, 0, 0]
        (tmp_path / "plain_001_confidence.value").write_text("\n0.25\n-1e-3\n")
        back = read_reported(path, plain(3))
        assert back.scores.tolist() == [0, 0.25, -0.001] and back.reported.tolist() == [0, 1, 0]
        (tmp_path / "plain_001_confidence.value").write_text("\n0.25\n")
        with pytest.raises(DataError, match=r"confidence.value has 2 rows and .* has 3"):
            read_reported(path, plain(3))
        (tmp_path / "plain_001_confidence.value").write_text("\n0.25\nsure\n")
        with pytest.raises(DataError, match="line 3: 'sure'; expected a number"):
            read_reported(path, plain(3))

    def test_that_were_restarted_are_refused(self, tmp_path):
        path = tmp_path / "plain_001.txt"
        path.write_text("1\n2\n0\n")
        with pytest.raises(DataError, match="not a run that was started once"):
            read_reported(path, plain(3))

    def test_are_exported_with_their_scores(self, tmp_path):
        benchmark = scripted_benchmark()
        write_scripted(tmp_path, benchmark)
        for protocol, folder in (("longterm", "longterm"), ("vots", "baseline")):
            target = ("vot", tmp_path / protocol)
            export_results(("course", tmp_path), benchmark, "fake", protocol, target)
            there = tmp_path / protocol / "fake" / folder / "long-1"
            assert sorted(p.name for p in there.iterdir()) == [
                *["long-1_001.bin", "long-1_001_confidence.value", "long-1_001_time.value"]
            ]
            ours = vot_scores(tmp_path, benchmark, ["fake"], protocol)["fake"]
            theirs = vot_scores(tmp_path / protocol, benchmark, ["fake"], protocol, "vot")["fake"]
            assert theirs == pytest.approx(ours, abs=0)


@pytest.mark.parametrize("name", [n for n in TRACKERS if not n.startswith(("siam", "opencv"))])
def test_trackers_say_how_sure_they_are(name):
    """After `init` they do not; the baselines never do."""
    sequence = plain(3)
    tracker = make_tracker(name)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    assert np.isnan(confidence_of(tracker))
    rng = np.random.default_rng(1)
    tracker.update(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8))
    assert np.isfinite(confidence_of(tracker)) == (name not in ("stay-put", "random-walk"))


@pytest.mark.parametrize("protocol", ["longterm", "vots"])
def test_the_command_runs_keeps_and_resumes(tmp_path, monkeypatch, capsys, protocol):
    benchmark = Benchmark("generated-v1", (plain(20, "a"), plain(15, "b")))
    monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: benchmark)
    arguments = ["evaluate", "--tracker", "mosse", "--protocol", protocol, "--workers", "1"]
    arguments += ["--results", str(tmp_path), "--per-sequence"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert f"**generated-v1**, {'VOTS' if protocol == 'vots' else 'VOT long-term'}" in said
    assert "| a | mosse |" in said
    path = tmp_path / "generated-v1" / "mosse" / protocol / "a" / "a_001.txt"
    assert len(read_scores(score_path(path))) == 20
    stamp = path.stat().st_mtime_ns
    assert main(arguments) == 0 and path.stat().st_mtime_ns == stamp
    score_path(path).write_text("0\n" * 20)
    assert main(arguments) == 2 and "a_001_score.txt was changed" in capsys.readouterr().err
