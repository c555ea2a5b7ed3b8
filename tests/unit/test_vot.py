"""VOT's supervised protocol, its averages, EAO and files: hand-worked runs, a literal slow loop,
the toolkit's bytes.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.eao import (
    eao,
    expected_overlap_curve,
    interval,
    segments,
    supervised_scores,
)
from course_lib.evaluation.region_files import read_regions, write_regions
from course_lib.evaluation.vot import (
    FAILURE,
    INIT,
    SKIPPED,
    TRACKED,
    SupervisedRun,
    accuracy,
    averages_by_length,
    averages_over_frames,
    read_supervised,
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


def sequence(T: int = 20, polygons=None) -> Sequence:
    frames = np.zeros((T, 100, 100, 3), dtype=np.uint8)
    return Sequence(
        "still", ArrayFrames(frames), np.tile([10.0, 10, 20, 20], (T, 1)), polygons=polygons
    )


def test_a_lost_tracker_starts_again_five_frames_later():
    run = run_supervised(lambda: Loses(4), sequence(20))
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
    runs = [
        run_supervised(lambda: Loses(4), sequence(20)),
        run_supervised(lambda: Loses(99), sequence(30)),
    ]
    scores = averages_over_frames([[run] for run in runs])
    assert scores["failures"] == 2 and scores["per_100_frames"] == pytest.approx(4.0)
    assert scores["reliability"] == pytest.approx(np.exp(-30 * 2 / 50))


def made(codes, overlaps) -> SupervisedRun:
    return SupervisedRun(
        np.array(codes), np.full((len(codes), 4), np.nan), np.array(overlaps, dtype=float)
    )


def test_accuracy_leaves_out_ten_frames_from_each_start():
    codes = [INIT] + [TRACKED] * 14
    run = made(codes, [1] + [0.1] * 9 + [0.5, 0.6, 0.7, 0.8, 0.9])  # frames 0 … 9 are burn-in
    assert accuracy([run]) == pytest.approx(0.7)
    assert np.isnan(accuracy([made([INIT, FAILURE], [1, 0])]))


def test_the_two_ways_of_averaging_by_hand():
    """a: 12 frames, two that count, .5 and .7, one failure. b: 40 frames, 30 that count, .9, no
    failure.
    """
    a = made([INIT] + [TRACKED] * 11, [1] + [0] * 9 + [0.5, 0.7])
    a.codes[3] = FAILURE  # in the frames left out: it counts as a failure, not for accuracy
    b = made([INIT] + [TRACKED] * 39, [1] + [0] * 9 + [0.9] * 30)
    assert accuracy([a, b]) == pytest.approx((0.5 + 0.7 + 30 * 0.9) / 32)  # pooled: .88125
    pooled = averages_over_frames([[a], [b]])
    assert pooled["accuracy"] == accuracy([a, b])
    assert pooled["per_100_frames"] == pytest.approx(100 / 52)
    assert pooled["reliability"] == pytest.approx(np.exp(-30 / 52))
    by_length = averages_by_length([[a], [b]])
    assert by_length["accuracy_by_length"] == pytest.approx((12 * 0.6 + 40 * 0.9) / 52)  # .83077
    assert by_length["failures_by_length"] == pytest.approx(12 / 52)
    assert by_length["reliability_by_length"] == pytest.approx(np.exp(-30 * (12 / 52) / 26))


def test_repetitions_are_averaged_and_a_sequence_without_a_counted_frame_has_zero():
    short = made([INIT, TRACKED, TRACKED], [1, 0.9, 0.9])  # 3 frames, all left out
    long = [made([INIT] + [TRACKED] * 11, [1] + [0] * 9 + [v, v]) for v in (0.2, 0.6)]
    found = averages_by_length([[short], long])
    assert found["accuracy_by_length"] == pytest.approx(12 * 0.4 / 15)
    assert found["reliability_by_length"] == 1


def test_a_sequence_counts_by_its_frames_however_often_it_was_run():
    """A runs 3 times without a failure, B 15 times with two: as one run of each."""
    a = made([INIT] + [TRACKED] * 99, [1] + [0.8] * 99)
    b = made([INIT] + [TRACKED] * 99, [1] + [0.3] * 99)
    b.codes[[40, 60]] = FAILURE
    once = supervised_scores([[a], [b]], "vot2018", [100, 100])
    often = supervised_scores([[a] * 3, [b] * 15], "vot2018", [100, 100])
    assert (often["failures"], often["per_100_frames"]) == (2, 1)
    assert often["reliability"] == pytest.approx(np.exp(-30 * 2 / 200))  # .741
    assert often["accuracy"] == pytest.approx((90 * 0.8 + 88 * 0.3) / 178)
    for name in once.keys() - {"eao"}:  # of all segments, as in the toolkit
        assert often[name] == pytest.approx(once[name]), name


def test_runs_that_differ_are_averaged_frame_by_frame_as_in_pysot():
    """12 frames, 10 left out: .2 and .6, .4 and nothing; then a frame of .9 in another sequence."""
    one = made([INIT] + [TRACKED] * 11, [1] + [0] * 9 + [0.2, 0.6])
    two = made([INIT] + [TRACKED] * 10 + [FAILURE], [1] + [0] * 9 + [0.4, 0])
    other = made([INIT] + [TRACKED] * 10, [1] + [0] * 9 + [0.9])
    found = averages_over_frames([[one, two], [other]])
    assert found["accuracy"] == pytest.approx((0.3 + 0.6 + 0.9) / 3)
    assert found["failures"] == 0.5 and found["per_100_frames"] == pytest.approx(50 / 23)


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
    """The definition, literally."""
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
    assert interval("vot2018", [5]) == interval("vot2018-bounding", [5]) == (100, 356)
    assert interval("generated-v1", [10, 20, 30, 40, 50]) == (19, 39)


def test_clips_of_one_length_without_a_failure_score_their_overlap():
    codes = np.array([INIT] + [TRACKED] * 9)
    runs = [SupervisedRun(codes, np.zeros((10, 4)), np.full(10, value)) for value in (0.4, 0.8)]
    assert eao(runs, *interval("generated-v1", [10, 10])) == pytest.approx(0.6)


def test_vot_files_go_out_and_come_back(tmp_path):
    run = run_supervised(lambda: Loses(4), sequence(20))
    write_supervised(tmp_path / "still_001.txt", run)
    assert (tmp_path / "still_001.txt").read_text().splitlines()[3:6] == [
        "10.0000,10.0000,20.0000,20.0000",
        "2",
        "0",
    ]
    back = read_supervised(tmp_path / "still_001.txt", sequence(20))
    assert np.array_equal(back.codes, run.codes)
    np.testing.assert_allclose(back.overlaps, run.overlaps)


# a file of five regions that vot-toolkit 0.9.0 wrote: started, a box, a polygon, failed, skipped
FROM_THE_TOOLKIT = bytes.fromhex(
    "0100050000000001000000010000c03f0000104000004040000080400204000000003f0000803f0000004000004040000080400000a840"
    "0000803f0000803f00020000000000000000"
)
REGIONS = [[1], [1.5, 2.25, 3, 4], [0.5, 1, 2, 3, 4, 5.25, 1, 1], [2], [0]]


def test_the_toolkits_binary_file_is_read_and_written_byte_by_byte(tmp_path):
    path = tmp_path / "car_001.bin"
    path.write_bytes(FROM_THE_TOOLKIT)
    regions = read_regions(path)
    assert [region.tolist() for region in regions] == REGIONS
    write_regions(tmp_path / "ours.bin", regions)
    assert (tmp_path / "ours.bin").read_bytes() == FROM_THE_TOOLKIT
    write_regions(tmp_path / "ours.txt", regions)
    assert [region.tolist() for region in read_regions(tmp_path / "ours.txt")] == REGIONS


def test_a_polygon_in_a_result_is_scored_as_a_polygon(tmp_path):
    """A rotated square: the diamond has 41 pixels of the 25 × 25 of the polygon round (10, 10) to
    (34, 34).
    """
    path = tmp_path / "still_001.txt"
    path.write_text("1\n14,10,18,14,14,18,10,14\n")
    polygons = np.tile([10.0, 10, 34, 10, 34, 34, 10, 34], (2, 1))
    run = read_supervised(path, sequence(2, polygons))
    assert run.overlaps[1] == pytest.approx(41 / 625)
    assert run.boxes[1].tolist() == [10, 10, 8, 8]


def test_runs_in_binary_come_back(tmp_path):
    run = run_supervised(lambda: Loses(4), sequence(20))
    write_supervised(tmp_path / "still_001.bin", run)
    back = read_supervised(tmp_path / "still_001.bin", sequence(20))
    assert np.array_equal(back.codes, run.codes) and np.array_equal(back.overlaps[1:4], [1, 1, 1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1\n7\n", r"still_001\.txt, line 2: '7'; expected 1, 2, 0 or x,y,w,h"),
        ("1\n\n10,10,20,20\n", "line 2: ''"),
        ("1\n-1\n", "line 2: '-1'"),
        ("1\n1,2,3\n", "line 2: '1,2,3'"),
        ("1\n1,2,three,4\n", "line 2"),
        ("1\nnan,nan,nan,nan\n", "line 2"),
        ("1\n1,2,inf,4\n", "line 2"),
        ("1\nm0,0,2,2,0,4\n", "line 2 holds a mask"),
        ("1\n\ufffd\x00\n", "line 2"),
        ("10,10,20,20\n10,10,20,20\n", "line 1 comes before any start"),
        ("0\n2\n", "line 2 comes before any start"),
        ("1\n", "has 1 lines; still has 2 frames"),
        ("", "has 0 lines; still has 2 frames"),
    ],
)
def test_a_broken_text_file_names_its_line(tmp_path, text, words):
    path = tmp_path / "still_001.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_supervised(path, sequence(2))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin like a file of regions"),
        (b"1\n10,10,20,20\n", "does not begin like a file of regions"),
        (FROM_THE_TOOLKIT[:-3], "ends inside region 5 of 5"),
        (FROM_THE_TOOLKIT[:40], "ends inside region 3 of 5"),
        (b"\x01\x00\xff\xff\xff\xff", "ends inside region 1 of 4294967295"),
        (FROM_THE_TOOLKIT + b"\0\0", "has 2 bytes after its 5 regions"),
        (b"\x01\x00\x01\x00\x00\x00\x03" + bytes(10), "region 1 holds a mask"),
        (b"\x01\x00\x01\x00\x00\x00\x04" + bytes(8), "region 1 holds a point"),
        (b"\x01\x00\x01\x00\x00\x00\x09", "region 1 holds a region of unknown kind 9"),
        (b"\x01\x00\x01\x00\x00\x00\x02\x01\x00" + bytes(8), "region 1: .*corners of a polygon"),
        (b"\x01\x00\x01\x00\x00\x00\x01" + b"\xff" * 16, "region 1: .*nan"),
    ],
)
def test_a_broken_binary_file_names_its_region(tmp_path, content, words):
    path = tmp_path / "car_001.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_regions(path)


numbers = st.floats(-1e6, 1e6, width=32)
region = st.one_of(
    st.sampled_from([[0], [1], [2]]),
    st.lists(numbers, min_size=4, max_size=4),
    st.integers(3, 9).flatmap(lambda n: st.lists(numbers, min_size=2 * n, max_size=2 * n)),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(region, max_size=12))
def test_any_regions_go_out_and_come_back(tmp_path, regions):
    for ending, tolerance in ((".bin", 0), (".txt", 6e-5)):
        write_regions(tmp_path / f"a{ending}", [np.array(r, dtype=float) for r in regions])
        back = read_regions(tmp_path / f"a{ending}")
        assert len(back) == len(regions)
        for one, other in zip(back, regions, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=80).map(lambda b: b"\x01\x00" + b) | st.binary(max_size=80),
    st.sampled_from([".bin", ".txt"]),
)
def test_any_bytes_are_regions_or_reported(tmp_path, content, ending):
    path = tmp_path / f"car_001{ending}"
    path.write_bytes(content)
    try:
        assert all(len(r) in (1, 4) or len(r) >= 6 for r in read_regions(path))
    except DataError as problem:
        assert "car_001" in str(problem) and len(str(problem)) < 600


def test_a_tracker_that_returns_no_box_is_named():
    class Gives(Loses):
        def update(self, frame):
            return np.full(4, np.nan)

    with pytest.raises(DataError, match="for frame 1 of still; expected four finite numbers"):
        run_supervised(lambda: Gives(1), sequence(3))


def test_the_two_boxes_of_a_polygon_are_two_benchmarks(tmp_path):
    """A diamond of 8 × 8: pysot's box has its area, 32; VOT's toolkit passes the box around
    it."""
    place = tmp_path / "vot2018" / "ball"
    (place / "color").mkdir(parents=True)
    for t in (1, 2):
        Image.new("RGB", (40, 30)).save(place / "color" / f"{t:08d}.jpg")
    (place / "groundtruth.txt").write_text("4,0,8,4,4,8,0,4\n" * 2)
    (tmp_path / "vot2018" / "list.txt").write_text("ball\n")
    found = {}
    for name in ("vot2018", "vot2018-bounding"):
        benchmark = load_benchmark(name, tmp_path)
        run = run_supervised(lambda: Loses(9), benchmark[0])
        found[benchmark.name] = run.boxes[0], run.overlaps[1]
    side = 32**0.5
    np.testing.assert_allclose(found["vot2018"][0], [4 - side / 2] * 2 + [side] * 2)
    np.testing.assert_array_equal(found["vot2018-bounding"][0], [0, 0, 8, 8])
    # of the diamond's 41 pixels the box (1, 1, 6, 6) has 3 + 5 + 6 + 6 + 6 + 5, (0, 0, 8, 8) all
    # but two tips
    assert found["vot2018"][1] == pytest.approx(31 / 46)
    assert found["vot2018-bounding"][1] == pytest.approx(39 / 66)


@pytest.mark.real_data
def test_mosse_runs_supervised_on_a_real_clip_with_polygons(real_data):
    from course_lib.trackers import make_tracker

    sequence = load_benchmark("vot2014", real_data)["polarbear"].part(0, 60)
    run = run_supervised(lambda: make_tracker("mosse"), sequence)
    assert sequence.polygons is not None and 0 < accuracy([run]) <= 1
