"""VOT's supervised protocol and EAO: hand-worked runs, a literal slow loop, polygons against the GOT-10k toolkit."""

from __future__ import annotations

import numpy as np
import pytest
from got10k.utils.metrics import poly_iou
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.eao import eao, expected_overlap_curve, interval, segments
from course_lib.evaluation.vot import (
    FAILURE,
    INIT,
    SKIPPED,
    TRACKED,
    SupervisedRun,
    accuracy,
    read_supervised,
    region_overlap,
    robustness,
    run_supervised,
    write_supervised,
)
from course_lib.trackers.base import Tracker


class Loses(Tracker):
    """Is right until `when` updates after its start, then far away."""

    def __init__(self, when: int) -> None:
        self.when = when

    def init(self, frame, box):
        self.box, self.count = np.array(box), 0

    def update(self, frame):
        self.count += 1
        return self.box if self.count < self.when else np.array([80.0, 80, 5, 5])


def clip(T: int = 20, polygons=None) -> Sequence:
    frames = np.zeros((T, 100, 100, 3), dtype=np.uint8)
    return Sequence(
        "still", ArrayFrames(frames), np.tile([10.0, 10, 20, 20], (T, 1)), polygons=polygons
    )


def test_a_lost_tracker_starts_again_five_frames_later():
    run = run_supervised(lambda: Loses(4), clip(20))
    # started at 0, lost at 4; started at 9, lost at 13; started at 18
    expected = [
        INIT,
        *[TRACKED] * 3,
        FAILURE,
        *[SKIPPED] * 4,
        INIT,
        *[TRACKED] * 3,
        FAILURE,
        *[SKIPPED] * 4,
        INIT,
        TRACKED,
    ]
    assert run.codes.tolist() == expected
    assert run.failures == 2
    assert np.isnan(run.overlaps[5:9]).all() and run.overlaps[4] == 0 and run.overlaps[3] == 1


def test_robustness_in_its_three_ways():
    runs = [run_supervised(lambda: Loses(4), clip(20)), run_supervised(lambda: Loses(99), clip(30))]
    scores = robustness(runs)
    assert scores["failures"] == 2 and scores["per_100_frames"] == pytest.approx(4.0)
    assert scores["reliability"] == pytest.approx(np.exp(-30 * 2 / 50))


def made(codes, overlaps) -> SupervisedRun:
    return SupervisedRun(
        np.array(codes), np.full((len(codes), 4), np.nan), np.array(overlaps, dtype=float)
    )


def test_accuracy_leaves_out_ten_frames_from_each_start_on():
    codes = [INIT] + [TRACKED] * 14
    run = made(codes, [1] + [0.1] * 9 + [0.5, 0.6, 0.7, 0.8, 0.9])  # frames 0 … 9 are burn-in
    assert accuracy([run]) == pytest.approx(0.7)
    assert np.isnan(accuracy([made([INIT, FAILURE], [1, 0])]))


def test_expected_overlap_by_hand():
    # one segment of overlaps .8 .4 that runs to the end; one of .6 then a failure: .6 0 0 0 …
    runs = [
        made([INIT, TRACKED, TRACKED], [1, 0.8, 0.4]),
        made([INIT, TRACKED, FAILURE, SKIPPED], [1, 0.6, 0, np.nan]),
    ]
    curve = expected_overlap_curve(runs, longest=4)
    assert curve == pytest.approx(
        [(0.8 + 0.6) / 2, (0.6 + 0.3) / 2, 0.2, 0.15]
    )  # from 3 on only the failed one
    assert eao(runs, 2, 3) == pytest.approx((0.45 + 0.2) / 2)


def slow_curve(runs, longest):
    """The definition word for word."""
    values = []
    for N in range(1, longest + 1):
        means = []
        for run in runs:
            for overlaps, failed in segments(run):
                if failed or len(overlaps) >= N:
                    means.append(
                        sum(overlaps[k] if k < len(overlaps) else 0.0 for k in range(N)) / N
                    )
        values.append(np.mean(means) if means else np.nan)
    return np.array(values)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 25), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 2**31),
)
def test_cumulative_sums_equal_the_literal_loop(parts, seed):
    rng, runs = np.random.default_rng(seed), []
    for length, failed in parts:
        codes = [INIT, *[TRACKED] * length] + ([FAILURE] if failed else [])
        runs.append(made(codes, [1, *rng.uniform(0, 1, length)] + ([0] if failed else [])))
    np.testing.assert_allclose(expected_overlap_curve(runs, 30), slow_curve(runs, 30), atol=1e-12)


def test_interval_is_published_or_from_the_lengths():
    assert interval("vot2018", [5]) == (100, 356)
    assert interval("generated-v1", [10, 20, 30, 40, 50]) == (19, 39)


def test_clips_of_one_length_without_a_failure_score_their_overlap():
    codes = np.array([INIT] + [TRACKED] * 9)
    runs = [SupervisedRun(codes, np.zeros((10, 4)), np.full(10, value)) for value in (0.4, 0.8)]
    assert eao(runs, *interval("generated-v1", [10, 10])) == pytest.approx(0.6)


def test_overlap_of_whole_boxes_is_the_same_by_pixels_and_by_areas():
    a, b = np.array([10.0, 10, 20, 20]), np.array([20.0, 10, 20, 20])
    assert region_overlap(a, b, 100, 100) == pytest.approx(1 / 3)
    assert region_overlap(a, b, 100, 100, exact=True) == pytest.approx(1 / 3)


def test_overlap_counts_inside_the_image_only():
    assert region_overlap(np.array([-10.0, 0, 20, 10]), np.array([0.0, 0, 10, 10]), 50, 50) == 1
    assert region_overlap(np.array([-30.0, 0, 20, 10]), np.array([0.0, 0, 10, 10]), 50, 50) == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31))
def test_polygons_overlap_as_in_the_toolkit(seed):
    rng = np.random.default_rng(seed)
    box = np.array([*rng.uniform(10, 40, 2), *rng.uniform(20, 50, 2)])
    turn, half = rng.uniform(0, np.pi), rng.uniform(10, 30, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    c, s = np.cos(turn), np.sin(turn)
    polygon = (corners @ np.array([[c, s], [-s, c]]) + 50).ravel()
    theirs = float(np.ravel(poly_iou(polygon[None], box[None]))[0])
    assert region_overlap(box, polygon, 200, 200, exact=True) == pytest.approx(theirs, abs=2e-3)
    assert region_overlap(box, polygon, 200, 200) == pytest.approx(
        theirs, abs=0.08
    )  # pixels, rounded corners


def test_vot_files_go_out_and_come_back(tmp_path):
    run = run_supervised(lambda: Loses(4), clip(20))
    write_supervised(tmp_path / "still_001.txt", run)
    assert (tmp_path / "still_001.txt").read_text().splitlines()[3:6] == [
        "10.0000,10.0000,20.0000,20.0000",
        "2",
        "0",
    ]
    back = read_supervised(tmp_path / "still_001.txt", clip(20))
    assert np.array_equal(back.codes, run.codes)
    np.testing.assert_allclose(back.overlaps, run.overlaps)


def test_a_broken_vot_file_names_its_line(tmp_path):
    path = tmp_path / "still_001.txt"
    path.write_text("1\n7\n")
    with pytest.raises(DataError, match=r"still_001\.txt, line 2: '7'"):
        read_supervised(path, clip(2))
    with pytest.raises(DataError, match="has 2 lines; still has 3 frames"):
        read_supervised(path, clip(3))


@pytest.mark.real_data
def test_mosse_runs_supervised_on_a_real_clip_with_polygons(real_data):
    from course_lib.data.benchmarks import load_benchmark
    from course_lib.trackers import make_tracker

    sequence = load_benchmark("vot2014", real_data)["polarbear"].part(0, 60)
    run = run_supervised(lambda: make_tracker("mosse"), sequence)
    assert sequence.polygons is not None and 0 < accuracy([run]) <= 1
