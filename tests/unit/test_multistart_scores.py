"""Accuracy, robustness and EAO of multi-start runs: each peculiarity of VOT's toolkit by hand, a
slow reference, and the toolkit's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_runs import scripted_benchmark, write_scripted

from course_lib.evaluation.multistart import AnchoredRun
from course_lib.evaluation.multistart_scores import (
    accuracy_robustness,
    exact,
    expected_overlap_curve,
    interval,
    multistart_scores,
    progress,
)
from course_lib.evaluation.regions import exact_overlap, region_overlap
from course_lib.evaluation.report import vot_scores


def made(overlaps, present=None, anchor: int = 0) -> AnchoredRun:
    """A run forward with these overlaps; `present` is where there is a target."""
    o = np.array(overlaps, dtype=float)
    there = np.ones(len(o), dtype=bool) if present is None else np.array(present, dtype=bool)
    return AnchoredRun(anchor, False, [], np.full(len(o), np.nan), o, o, there)


def perfect(length: int) -> AnchoredRun:
    return made([0] + [1] * (length - 1))


def failing(at: int, length: int) -> AnchoredRun:
    """Perfect until frame `at`, lost from there on."""
    return made([0] + [1] * (at - 1) + [0] * (length - at))


class TestProgress:
    """A run fails at the first of ten frames in a row with an overlap of at most .1."""

    def test_ten_bad_frames_in_a_row_are_a_failure_and_nine_are_not(self):
        for bad, P in ((9, 40), (10, 20)):
            overlaps = np.array([0.5] * 20 + [0.05] * bad + [0.5] * (20 - bad))
            assert progress(overlaps, np.ones(40, dtype=bool)) == P

    def test_ten_bad_frames_at_the_very_end_are_a_failure(self):
        assert progress(np.array([0.5] * 20 + [0.0] * 10), np.ones(30, dtype=bool)) == 20
        assert progress(np.array([0.5] * 20 + [0.0] * 9), np.ones(29, dtype=bool)) == 29

    def test_an_overlap_of_exactly_a_tenth_is_bad(self):
        for overlap, P in ((0.1, 5), (0.1001, 20)):
            assert progress(np.array([0.5] * 5 + [overlap] * 15), np.ones(20, dtype=bool)) == P

    def test_bad_frames_that_a_good_one_interrupts_do_not_add_up(self):
        overlaps = np.array([0.5, *[0.0] * 9, 0.5, *[0.0] * 9, 0.5])
        assert progress(overlaps, np.ones(21, dtype=bool)) == 21

    def test_a_frame_without_truth_ends_the_row_of_bad_frames(self):
        overlaps, present = np.zeros(25), np.ones(25, dtype=bool)
        overlaps[:3] = 0.5
        present[10] = False  # seven bad ones before it, fourteen after: the row begins anew at 11
        assert progress(overlaps, present) == 11
        assert progress(overlaps, np.ones(25, dtype=bool)) == 3

    def test_a_long_absence_is_no_failure(self):
        present = np.array([True] * 5 + [False] * 40)
        assert progress(np.array([0.5] * 5 + [0.0] * 40), present) == 45

    def test_the_start_frame_is_the_first_bad_one_of_a_tracker_lost_at_once(self):
        assert progress(np.zeros(30), np.ones(30, dtype=bool)) == 0
        # nine more make the ten; with eight and a good one there is no failure
        assert progress(np.array([0.0] * 9 + [0.5] * 21), np.ones(30, dtype=bool)) == 30


class TestAccuracyAndRobustness:
    def test_the_start_frame_counts_with_overlap_0(self):
        scores = accuracy_robustness([[perfect(200)]], [200])
        assert scores["accuracy"] == pytest.approx(199 / 200) and scores["robustness"] == 1

    def test_accuracy_counts_frames_before_the_failure_only(self):
        scores = accuracy_robustness([[failing(100, 200)]], [200])
        assert scores["accuracy"] == pytest.approx(99 / 100) and scores["robustness"] == 0.5

    def test_accuracy_counts_frames_without_truth_as_0(self):
        run = made([0] + [1] * 9 + [0] * 5, [True] * 10 + [False] * 5)
        assert accuracy_robustness([[run]], [15])["accuracy"] == pytest.approx(9 / 15)

    def test_runs_of_a_sequence_are_pooled_by_their_frames(self):
        """P 50 of 100 and 300 of 300: R 350 / 400; A (49 + 299) / 350."""
        scores = accuracy_robustness([[failing(50, 100), perfect(300)]], [300])
        assert scores["robustness"] == pytest.approx(350 / 400)
        assert scores["accuracy"] == pytest.approx(348 / 350)
        assert scores["runs"] == 2 and scores["failed"] == 1

    def test_robustness_is_weighted_by_length_and_accuracy_by_robust_frames(self):
        """a: 100 frames, three runs that fail at 25; b: 300 frames, one perfect run."""
        a, b = [made([0] + [0.4] * 24 + [0] * 75)] * 3, [perfect(300)]
        scores = accuracy_robustness([a, b], [100, 300])
        assert scores["robustness"] == pytest.approx((100 * 0.25 + 300 * 1) / 400)
        # a: 3 · 24 · .4 over 75 frames, b: 299 over 300; each times its robust frames
        assert scores["accuracy"] == pytest.approx((3 * 24 * 0.4 + 299) / (75 + 300))

    def test_a_tracker_lost_from_every_start_has_no_accuracy(self):
        scores = accuracy_robustness([[made([0] * 30)]], [30])
        assert np.isnan(scores["accuracy"]) and scores["robustness"] == 0 and scores["failed"] == 1


class TestExpectedOverlap:
    def test_the_curve_leaves_out_the_start_frame(self):
        curve = expected_overlap_curve([made([0, 0.8, 0.4, 0.6])], 4)
        assert curve.tolist() == pytest.approx([0, 0.8, 0.6, 0.6])

    def test_a_failed_run_counts_as_0_after_its_failure(self):
        """Overlaps after the failure do not count, even where it finds the target again."""
        run = made([0] + [1] * 9 + [0] * 10 + [1] * 20)
        assert expected_overlap_curve([run], 40)[39] == pytest.approx(9 / 39)

    def test_a_failed_run_that_has_ended_is_divided_by_one_frame_fewer(self):
        """Perfect, lost at 100 of 200: Φ(199) = 99 / 199, Φ(200) the same, Φ(201) = 99 / 200."""
        curve = expected_overlap_curve([failing(100, 200)], 300)
        assert curve[199] == curve[200] == 99 / 199 and curve[201] == 99 / 200

    def test_a_run_without_a_failure_ends_where_it_ends(self):
        """Φ(3) is of both runs, Φ(4) of the longer one alone."""
        curve = expected_overlap_curve([made([0, 1, 1, 1]), made([0] + [0.5] * 9)], 10)
        assert curve[3] == 0.75 and curve[4] == 0.5

    def test_where_no_run_reaches_the_curve_is_0_and_counts(self):
        curve = expected_overlap_curve([perfect(101)], 201)
        assert curve[100] == 1 and (curve[101:] == 0).all()
        scores = multistart_scores([[perfect(101)]], "x", [101], bounds=(51, 201))
        assert scores["eao"] == pytest.approx(50 / 150)  # Φ(51) … Φ(100) of Φ(51) … Φ(200)

    def test_the_upper_end_does_not_count(self):
        """Φ(115) … Φ(754): a run of 755 frames reaches them all, one of 754 misses the last."""
        whole = multistart_scores([[perfect(755)]], "vot2022", [755])
        assert whole["eao"] == 1 and (whole["low"], whole["high"]) == (115, 754)
        short = multistart_scores([[perfect(754)]], "vot2020", [754])
        assert short["eao"] == pytest.approx(639 / 640)

    def test_runs_of_all_sequences_are_pooled(self):
        three = [made([0] + [v] * 9) for v in (0.2, 0.4, 0.9)]
        scores = multistart_scores([three[:2], three[2:]], "x", [10, 10], bounds=(3, 9))
        assert scores["eao"] == pytest.approx(0.5)  # not the mean of .3 and .9

    def test_its_interval_is_published_or_from_the_runs(self):
        assert interval("vot2021", []) == interval("vot2022-bounding", []) == (115, 755)
        runs = [perfect(n) for n in (11, 21, 31, 41, 51)]
        assert interval("generated-v1", runs) == (20, 41)  # Φ(20) … Φ(40)
        assert multistart_scores([runs], "generated-v1", [51])["eao"] == 1


def slow_scores(sequences, lengths, low, high):
    """The definitions, literally, from lists."""
    acc = rob = weight = 0.0
    everything = []
    for runs, length in zip(sequences, lengths, strict=True):
        P_all, N_all, summed = 0, 0, 0.0
        for run in runs:
            o, there = run.overlaps.tolist(), run.present.tolist()
            N = P = len(o)
            for t in range(N):
                if t >= 9 and all(o[k] <= 0.1 and there[k] for k in range(t - 9, t + 1)):
                    P = t - 9
                    break
            P_all, N_all, summed = P_all + P, N_all + N, summed + sum(o[:P])
            everything.append((o[:P] + [0.0] * (N - P), P < N))
        acc, weight, rob = acc + summed, weight + P_all, rob + length * P_all / N_all
    phi = []
    for j in range(low, high):
        values = []
        for o, failed in everything:
            if len(o) > j:
                values.append(sum(o[1 : j + 1]) / j)
            elif failed:
                values.append(sum(o[1:]) / (j - 1))
        phi.append(sum(values) / len(values) if values else 0.0)
    return acc / weight if weight else np.nan, rob / sum(lengths), sum(phi) / len(phi)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(2, 40), st.integers(1, 30))
def test_scores_equal_a_slow_reference(seed, count, low, more):
    rng, sequences, lengths = np.random.default_rng(seed), [], []
    for _ in range(count):
        runs = []
        for _ in range(rng.integers(1, 4)):
            N = int(rng.integers(1, 60))
            good = np.repeat(rng.random(10) < 0.6, 6)[:N]
            overlaps = np.where(good, rng.random(N), rng.random(N) * 0.1)
            overlaps[0] = 0
            runs.append(made(overlaps, np.arange(N) % 17 < rng.integers(14, 19)))
        sequences.append(runs)
        lengths.append(int(rng.integers(60, 90)))
    A, R, E = slow_scores(sequences, lengths, low, low + more)
    found = multistart_scores(sequences, "x", lengths, bounds=(low, low + more))
    got = [found[name] for name in ("accuracy", "robustness", "eao")]
    np.testing.assert_allclose(got, [A, R, E], atol=1e-12)


@pytest.mark.parametrize("absent", [(0.0,), (0.0, 0, 0, 0)])
def test_scores_equal_the_toolkits_on_the_same_files(tmp_path, absent):
    """vot-toolkit 0.9.0 on the files of `write_scripted`, its bounds 115 and 755: absence reported
    by a code or by a rectangle of zeros."""
    benchmark = scripted_benchmark()
    write_scripted(tmp_path, benchmark, absent=absent)
    scores = vot_scores(tmp_path, benchmark, ["fake"], "multistart")["fake"]
    assert scores["accuracy"] == pytest.approx(0.641759504871, abs=1e-9)
    assert scores["robustness"] == pytest.approx(0.616324809785, abs=1e-9)
    assert scores["eao"] == pytest.approx(0.108260121546, abs=1e-9)


def test_exact_overlaps_are_scored_by_the_same_rules():
    run = made([0] + [1] * 19)
    half = AnchoredRun(0, False, [], run.seconds, run.overlaps, run.overlaps / 2, run.present)
    scores = multistart_scores([[half]], "x", [20], bounds=(5, 10))
    assert scores["accuracy_exact"] == scores["accuracy"] / 2 and scores["eao_exact"] == 0.5
    assert accuracy_robustness([[half]], [20], exact)["accuracy"] == scores["accuracy_exact"]


def test_rounding_to_pixels_moves_single_overlaps_but_hardly_their_mean():
    rng = np.random.default_rng(8)
    a = np.concatenate([rng.uniform(0, 60, (3000, 2)), rng.uniform(30, 60, (3000, 2))], axis=1)
    b = a + rng.normal(0, 4, a.shape)
    pairs = list(zip(a, b, strict=True))
    rounded = np.array([region_overlap(x, y, 120, 160) for x, y in pairs])
    unrounded = np.array([exact_overlap(x, y, 120, 160) for x, y in pairs])
    assert np.abs(rounded - unrounded).max() > 0.02
    assert abs((rounded - unrounded).mean()) < 0.002
