"""VOT's multi-start protocol: anchors, the order and the end of each run, files, the command."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from PIL import Image
from scripted_runs import plain, scripted_benchmark, write_scripted

from course_lib.cli import main
from course_lib.data.frames import ArrayFrames
from course_lib.data.readers.vot import read_vot
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.evaluation.export import export_results
from course_lib.evaluation.multistart import (
    anchors,
    frames_of,
    is_empty,
    overlaps_of,
    read_anchored,
    run_multistart,
    write_anchored,
)
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.regions import exact_overlap, region_overlap
from course_lib.evaluation.report import vot_scores
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker


class Watches(Tracker):
    """Notes what it is started on and shown; returns the box it was started on, or NaN."""

    name = "watches"

    def __init__(self, absent_after: int = 10_000) -> None:
        self.absent_after, self.seen = absent_after, []

    def init(self, frame, box):
        self.box, self.seen = np.array(box), [int(frame[0, 0, 0])]

    def update(self, frame):
        self.seen.append(int(frame[0, 0, 0]))
        return self.box if len(self.seen) <= self.absent_after else np.full(4, np.nan)


def numbered(length: int, anchor: np.ndarray) -> Sequence:
    """A sequence whose frames show their own number."""
    shown = np.repeat(np.arange(length, dtype=np.uint8), 60 * 80 * 3).reshape(length, 60, 80, 3)
    return Sequence("numbered", ArrayFrames(shown), plain(length).boxes, tags={"anchor": anchor})


class TestAnchors:
    def test_are_every_50_frames_and_at_both_ends_and_run_to_the_longer_side(self):
        assert anchors(plain(131)) == {0: 1, 50: 1, 100: -1, 130: -1}
        assert anchors(plain(80)) == {0: 1, 50: -1, 79: -1}
        assert anchors(plain(51)) == {0: 1, 50: -1}  # the last one is no second one
        assert anchors(plain(101))[50] == 1  # both sides are as long
        assert anchors(plain(2)) == {0: 1, 1: -1} and anchors(plain(1)) == {0: 1}

    def test_come_in_the_toolkits_order_forward_ones_first(self):
        tag = np.zeros(40)
        tag[[3, 30]], tag[[10, 39]] = -1, 2
        assert list(anchors(plain(40, tags={"anchor": tag})).items()) == [
            *[(10, 1), (39, 1)],
            *[(3, -1), (30, -1)],
        ]

    def test_move_by_at_most_five_frames_to_a_target_that_is_there(self):
        sequence = plain(101)
        sequence.boxes[48:54] = np.nan  # 47 is three away, 54 four
        sequence.boxes[:6] = np.nan  # six frames: nothing within five of frame 0
        assert anchors(sequence) == {47: 1, 100: -1}
        sequence.boxes[5] = sequence.boxes[6]
        assert anchors(sequence) == {5: 1, 47: 1, 100: -1}

    def test_need_half_the_target_to_be_seen(self):
        seen = np.ones(101)
        seen[49:53] = 0.49
        assert anchors(plain(101, tags={"visible": seen})) == {0: 1, 48: 1, 100: -1}
        eighths = np.full(101, 4)
        eighths[100] = 3
        assert anchors(plain(101, tags={"cover": eighths})) == {0: 1, 50: 1, 99: -1}

    def test_that_are_nowhere_or_without_truth_are_refused(self):
        nothing = plain(30)
        nothing.boxes[:] = np.nan
        with pytest.raises(DataError, match="plain has no frame to start on"):
            anchors(nothing)
        with pytest.raises(DataError, match="plain has no frame to start on"):
            anchors(plain(30, tags={"anchor": np.zeros(30)}))
        blind = plain(30, tags={"anchor": np.eye(30)[7]})
        blind.boxes[7] = np.nan
        with pytest.raises(DataError, match="anchor at frame 7, where there is no true box"):
            anchors(blind)

    def test_of_vots_files_are_read(self, tmp_path):
        for name, lines in {"a": "1\n0\n-1\n", "b": "0\n1.0\n"}.items():
            (tmp_path / name / "color").mkdir(parents=True)
            for t in range(3):
                image = Image.fromarray(np.zeros((40, 60, 3), np.uint8))
                image.save(tmp_path / name / "color" / f"{t + 1:08d}.jpg")
            (tmp_path / name / "groundtruth.txt").write_text("1,2,10,10\n" * 3)
            (tmp_path / name / "anchor.value").write_text(lines)
        (tmp_path / "list.txt").write_text("a\nb\n")
        a, b = read_vot(tmp_path)
        assert anchors(a) == {0: 1, 2: -1} and anchors(b) == {1: 1}  # what is missing is 0
        for wrong in ("0\n1\n0\n0\n", "0\nnan\n"):
            (tmp_path / "a" / "anchor.value").write_text(wrong)
            with pytest.raises(DataError, match=r"anchor.value has \d values for 3 frames"):
                read_vot(tmp_path)


class TestRuns:
    def test_go_forward_to_the_last_and_backward_to_the_first_frame(self):
        made, tag = [], np.zeros(30)
        tag[20], tag[12], tag[29], tag[0] = 1, -1, 1, -1

        def make():
            made.append(Watches())
            return made[-1]

        runs = run_multistart(make, numbered(30, tag))
        assert [tracker.seen for tracker in made] == [
            list(range(20, 30)),
            [29],
            [0],
            list(range(12, -1, -1)),
        ]
        assert [(r.anchor, r.backward, len(r.overlaps)) for r in runs] == [
            *[(20, False, 10), (29, False, 1)],
            *[(0, True, 1), (12, True, 13)],
        ]
        np.testing.assert_array_equal(made[3].box, plain(30).boxes[12])  # started on the truth

    def test_have_overlap_0_on_the_first_frame_and_are_never_restarted(self):
        sequence = plain(60)
        sequence.boxes[30:, 0] += 50  # it jumps; the tracker stays
        (run,) = [r for r in run_multistart(lambda: Watches(), sequence) if r.anchor == 0]
        assert run.overlaps[0] == 0 and run.overlaps[1] == 1
        assert (run.overlaps[30:] == 0).all() and len(run.regions) == 60

    def test_may_report_an_absent_target(self):
        sequence = plain(20)
        sequence.boxes[:, 0] = 20
        sequence.boxes[15:18] = np.nan
        (run,) = [r for r in run_multistart(lambda: Watches(10), sequence) if r.anchor == 0]
        assert [len(region) for region in run.regions] == [1] + [4] * 9 + [1] * 10
        assert run.overlaps.tolist() == [0, *[1] * 9, *[0] * 5, *[1] * 3, *[0] * 2]
        assert run.present.tolist() == [True] * 15 + [False] * 3 + [True] * 2

    def test_of_a_tracker_that_returns_half_a_box_are_refused(self):
        class Half(Watches):
            def update(self, frame):
                return np.array([1.0, 2, np.nan, 4])

        with pytest.raises(DataError, match="watches gave .* for frame 1 of plain"):
            run_multistart(lambda: Half(), plain(20))

    def test_in_real_time_are_those_of_a_tracker_that_may_be_late(self):
        row = PROTOCOLS["multistart-realtime"]
        runs = row.run(lambda: Watches(), plain(20))
        assert [len(run.overlaps) for run in runs] == [20, 20] and row.experiment == "realtime"


def test_overlaps_of_nothing():
    """Two empty regions overlap by 1, as in the toolkit; an empty one and a region by 0."""
    box, absent, code = np.array([1.0, 2, 10, 10]), np.full(4, np.nan), np.array([0.0])
    regions, truth = [box, code, box, code], np.array([box, box, absent, absent])
    assert overlaps_of(regions, truth, (40, 40)).tolist() == [1, 0, 0, 1]
    assert [is_empty(r) for r in (box, code, absent, np.array([1.0, 2, 0, 5]))] == [
        False,
        *[True] * 3,
    ]
    assert is_empty(np.array([1.0, 1, 1, 5, 1, 9])) and not is_empty(np.array([1.0, 1, 4, 5, 1, 9]))


@pytest.mark.parametrize(
    ("region", "overlap"),
    [  # with an absent target, by vot-toolkit 0.9.0's calculate_overlap
        ([0, 0, 0, 0], 1),  # as TraX servers write it, the course's too
        ([0.3, 0.2, 0.1, 0.4], 1),
        ([0, 0, 1, 1], 1),
        ([0, 30, 1, 5], 1),
        ([50, 40, 0, 0], 0),
        ([5, 0, 0, 10], 0),
        ([-5, -5, 3, 3], 0),
        ([0, 0, 20, 20], 0),
        ([0, 0, 0, 7, 0, 3], 1),
        ([0, 0, 5, 7, 0, 3], 0),
    ],
)
def test_a_rectangle_of_zeros_says_that_the_target_is_absent(region, overlap):
    reported, absent, box = np.array(region, float), np.full(4, np.nan), np.array([1.0, 2, 10, 10])
    for of in (region_overlap, exact_overlap):
        assert overlaps_of([reported], [absent], (90, 120), of).tolist() == [overlap]
        assert overlaps_of([np.zeros(1)], [reported], (90, 120), of).tolist() == [overlap]
    assert overlaps_of([np.zeros(4)], [box], (90, 120)).tolist() == [0]


def test_exact_overlaps_are_not_rounded_and_stop_at_the_image():
    a, b = np.array([1.4, 0, 10, 10]), np.array([1.0, 0, 10, 10])
    assert region_overlap(a, b, 40, 40) == 1
    assert exact_overlap(a, b, 40, 40) == pytest.approx(9.6 / 10.4)
    left = np.array([-30.0, 0, 35, 10]), np.array([-5.0, 0, 10, 10])
    assert exact_overlap(*left, 40, 40) == 1  # their parts in the image are one
    square = np.array([0.0, 0, 10, 0, 10, 10, 0, 10])
    assert exact_overlap(b, square, 40, 40) == region_overlap(b, square, 40, 40)


class TestFiles:
    def test_written_as_text_or_binary_are_read_as_the_same_run(self, tmp_path):
        sequence = plain(60)
        sequence.boxes[30:33] = np.nan
        for run in run_multistart(lambda: make_tracker("random-walk"), sequence):
            for suffix, close in ((".txt", 1e-4), (".bin", 1e-5)):
                path = tmp_path / f"plain_{run.anchor:08d}{suffix}"
                write_anchored(path, run)
                back = read_anchored(path, sequence)
                assert (back.anchor, back.backward) == (run.anchor, run.backward)
                np.testing.assert_array_equal(back.overlaps, run.overlaps)
                np.testing.assert_allclose(back.exact, run.exact, atol=close)
                np.testing.assert_array_equal(back.present, run.present)

    def test_of_the_toolkit_are_read_byte_by_byte(self, tmp_path):
        """int16 1, uint32 3, then the code 1, a box of four float32, and the code 0."""
        box = struct.pack("<4f", 20.1, 30, 20, 10)
        content = b"\x01\x00" + b"\x03\x00\x00\x00" + b"\x00\x01\x00\x00\x00" + b"\x01" + box
        path = tmp_path / "plain_00000000.bin"
        path.write_bytes(content + b"\x00\x00\x00\x00\x00")
        run = read_anchored(path, plain(3))
        assert run.overlaps.tolist() == [0, 1, 0] and not run.backward
        assert run.regions[1].tolist() == pytest.approx([20.1, 30, 20, 10], abs=1e-5)

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("plain_00000007", "1\n" + "0\n" * 19, "frame 7 is no anchor of plain"),
            ("plain_00000000", "1\n" + "0\n" * 18, "has 19 regions; a run forward from frame 0"),
            ("plain_00000019", "1\n" + "0\n" * 20, "has 21 regions; a run backward from frame 19"),
            ("plain_00000000", "20,30,20,10\n" * 20, "line 1 is .*expected the code 1"),
            ("plain_00000000", "1\n" + "2\n" * 19, r"line 2 is \[2.0\]; expected a region, or 0"),
        ],
    )
    def test_that_are_no_such_run_are_refused(self, tmp_path, name, text, words):
        path = tmp_path / f"{name}.txt"
        path.write_text(text)
        with pytest.raises(DataError, match=words):
            read_anchored(path, plain(20))

    def test_lie_as_the_toolkits_do_and_come_back(self, tmp_path):
        benchmark = scripted_benchmark()
        write_scripted(tmp_path, benchmark)
        target = ("vot", tmp_path / "ws")
        files = export_results(("course", tmp_path), benchmark, "fake", "multistart", target)
        folder = tmp_path / "ws" / "fake" / "baseline" / "long-0"
        assert {f.name for f in files if f.parent == folder} == {
            f"long-0_{t:08d}{end}" for t in (0, 50, 59) for end in (".bin", "_time.value")
        }
        ours = vot_scores(tmp_path, benchmark, ["fake"], "multistart")["fake"]
        theirs = vot_scores(tmp_path / "ws", benchmark, ["fake"], "multistart", "vot")["fake"]
        for score, value in ours.items():  # single precision moves a box by a millionth
            assert theirs[score] == pytest.approx(value, abs=0 if "exact" not in score else 1e-4)

    def test_missing_at_one_anchor_are_named(self, tmp_path):
        benchmark = scripted_benchmark()
        write_scripted(tmp_path, benchmark)
        Run(tmp_path, benchmark, "fake", benchmark[0], "multistart").files[1].unlink()
        with pytest.raises(MissingDataError, match="no result .*long-0_00000050.txt"):
            vot_scores(tmp_path, benchmark, ["fake"], "multistart")

    def test_of_the_supervised_protocol_beside_them_are_told_apart(self, tmp_path):
        """Both are VOT's baseline; a workspace may hold both."""
        benchmark = Benchmark("little", (plain(60),))
        folder = tmp_path / "it" / "baseline" / "plain"
        folder.mkdir(parents=True)
        (folder / "plain_001.txt").write_text("1\n" + "20,30,20,10\n" * 59)
        for anchor, length in ((0, 60), (50, 51), (59, 60)):
            text = "1\n" + "20,30,20,10\n" * (length - 1)
            (folder / f"plain_{anchor:08d}.txt").write_text(text)
        for protocol in ("vot", "multistart"):
            assert vot_scores(tmp_path, benchmark, ["it"], protocol, "vot")["it"]["eao"] > 0


class TestCommand:
    @pytest.fixture
    def two(self, monkeypatch):
        benchmark = Benchmark("generated-v1", (plain(60, "a"), plain(30, "b")))
        monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: benchmark)
        return benchmark

    def run(self, root, *more: str) -> int:
        arguments = ["--tracker", "stay-put", "--protocol", "multistart", "--results", str(root)]
        return main(["evaluate", *arguments, "--workers", "1", *more])

    def test_runs_keeps_scores_and_resumes(self, tmp_path, two, capsys):
        assert self.run(tmp_path, "--per-sequence") == 0
        said = capsys.readouterr().out
        assert "**generated-v1**, VOT multi-start" in said and "| a | stay-put |" in said
        folder = tmp_path / "generated-v1" / "stay-put"
        kept = sorted((folder / "multistart").rglob("*_????????.txt"))
        assert [path.name for path in kept] == [
            *[f"a_{t:08d}.txt" for t in (0, 50, 59)],
            *[f"b_{t:08d}.txt" for t in (0, 29)],
        ]
        record = json.loads((folder / "records" / "multistart" / "a.json").read_text())
        assert "multistart/a/a_00000050.txt" in record["files"]
        assert "multistart/a/times/a_00000050_time.txt" in record["files"]
        stamps = [path.stat().st_mtime_ns for path in kept]
        kept[4].unlink()  # of b: only b runs again
        assert self.run(tmp_path) == 0
        again = [path.stat().st_mtime_ns for path in kept]
        assert again[:3] == stamps[:3] and again[3] != stamps[3]
        out = str(tmp_path / "out")
        common = ["--tracker", "stay-put", "--protocol", "multistart", "--results", str(tmp_path)]
        assert main(["report", *common, "--out", out]) == 0
        assert "robustness" in (tmp_path / "out" / "report.md").read_text()

    def test_runs_of_other_anchors_are_removed_with_fresh(self, tmp_path, two, monkeypatch):
        assert self.run(tmp_path) == 0
        folder = tmp_path / "generated-v1" / "stay-put" / "multistart" / "b"
        shorter = Benchmark("generated-v1", (plain(60, "a"), plain(25, "b")))
        monkeypatch.setattr("course_lib.data.generated.generated_benchmark", lambda: shorter)
        assert self.run(tmp_path, "--fresh") == 0
        assert sorted(p.name for p in folder.glob("*.txt")) == ["b_00000000.txt", "b_00000024.txt"]

    def test_a_changed_result_is_refused(self, tmp_path, two, capsys):
        assert self.run(tmp_path) == 0
        path = tmp_path / "generated-v1" / "stay-put" / "multistart" / "a" / "a_00000050.txt"
        path.write_text(path.read_text().replace("10.0", "11.0"))
        assert self.run(tmp_path) == 2
        assert "a_00000050.txt was changed" in capsys.readouterr().err


def test_frames_of_a_run_end_with_the_sequence():
    assert list(frames_of(3, True, 9)) == [3, 2, 1, 0] and list(frames_of(6, False, 9)) == [6, 7, 8]
