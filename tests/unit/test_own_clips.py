"""A folder of the user's sequences: every layout, both ways of counting, and invalid folders."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from course_lib.cli import main
from course_lib.data.benchmarks import load_benchmark
from course_lib.data.readers.own import read_own
from course_lib.errors import CourseError, DataError, MissingDataError
from course_lib.evaluation.results import read_result

T = 4
ROWS = "11,21,30,20\n12,21,30,20\nnan,nan,nan,nan\n14\t21 30,20\n"


def images(folder, count=T, ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(count):
        cv2.imwrite(str(folder / f"{t}.{ending}"), np.full((60, 80, 3), 60 * t, np.uint8))


def video(path, count=T):
    path.parent.mkdir(parents=True, exist_ok=True)
    out = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (80, 60))
    for t in range(count):
        out.write(np.full((60, 80, 3), 60 * t, np.uint8))
    out.release()


def sequence(folder, name="dog", below="", truth="groundtruth.txt", rows=ROWS):
    images(folder / name / below)
    (folder / name / truth).write_text(rows)
    return folder / name


@pytest.mark.parametrize("below", ["", "img", "color"])
@pytest.mark.parametrize(("truth", "first"), [("groundtruth.txt", 0), ("groundtruth_rect.txt", 1)])
def test_images_in_each_layout_and_both_ways_of_counting(tmp_path, below, truth, first):
    sequence(tmp_path, "dog", below, truth)
    benchmark = load_benchmark(f"folder:{tmp_path}")
    dog = benchmark["dog"]
    assert benchmark.names == ["dog"] and benchmark.first_pixel == first
    expected = np.array([[11, 21, 30, 20], [12, 21, 30, 20], [np.nan] * 4, [14, 21, 30, 20]])
    np.testing.assert_array_equal(dog.boxes, expected - [first, first, 0, 0])
    assert [int(frame[0, 0, 0]) for frame in dog.frames] == [0, 60, 120, 180]


@pytest.mark.parametrize("asked", [0, 1])
@pytest.mark.parametrize("truth", ["groundtruth.txt", "groundtruth_rect.txt"])
def test_the_first_pixel_can_be_specified(tmp_path, asked, truth):
    sequence(tmp_path, truth=truth)
    benchmark = load_benchmark(f"folder{asked}:{tmp_path}")
    assert benchmark["dog"].boxes[0, 0] == 11 - asked and benchmark.first_pixel == asked


def test_a_video_file_instead_of_images(tmp_path):
    video(tmp_path / "cat" / "holiday.avi")
    (tmp_path / "cat" / "groundtruth.txt").write_text(ROWS)
    cat = load_benchmark(f"folder:{tmp_path}")["cat"]
    assert len(cat) == T and cat.frames[3].shape == (60, 80, 3) and cat.fps == pytest.approx(20)
    before = cat.identity()
    with (tmp_path / "cat" / "holiday.avi").open("ab") as file:
        file.write(b"0")
    assert load_benchmark(f"folder:{tmp_path}")["cat"].identity() != before


def test_two_targets_of_one_clip_and_the_order_of_clips(tmp_path):
    for name in ("clip10", "clip2", ".hidden"):
        sequence(tmp_path, name)
    both = sequence(tmp_path, "pair", truth="groundtruth_rect.1.txt")
    (both / "groundtruth_rect.2.txt").write_text(ROWS)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("no clip")
    names = load_benchmark(f"folder1:{tmp_path}").names
    assert names == ["clip2", "clip10", "pair.1", "pair.2"]


def test_a_single_clip_is_a_benchmark_of_one(tmp_path):
    assert load_benchmark(f"folder:{sequence(tmp_path)}").names == ["dog"]


def test_two_folders_with_one_name_have_separate_results(tmp_path, monkeypatch):
    for top in ("a", "b"):
        sequence(tmp_path / top / "my clips")
    a, b = (load_benchmark(f"folder:{tmp_path / top / 'my clips'}") for top in "ab")
    assert a.name != b.name and a.name.startswith("folder-my clips-")
    monkeypatch.chdir(tmp_path / "a")
    assert load_benchmark("folder:my clips").name == a.name
    assert load_benchmark("folder:../a/./my clips/").name == a.name


def test_a_folder_is_found_by_its_source_and_joined(tmp_path, monkeypatch):
    sequence(tmp_path / "c++ and folder:x", truth="groundtruth_rect.txt")
    monkeypatch.chdir(tmp_path)
    own = load_benchmark("folder:c++ and folder:x")
    monkeypatch.chdir("/")
    again = load_benchmark(own.source)
    assert (again.name, again.first_pixel, again.names) == (own.name, 1, ["dog"])
    assert again.identity(again["dog"]) == own.identity(own["dog"])
    sequence(tmp_path / "vot2013")
    joined = load_benchmark(f"vot2013+{own.source}", tmp_path)
    assert joined.names == ["vot2013-dog", f"{own.name}-dog"]
    assert load_benchmark(joined.source, tmp_path).name == joined.name == f"vot2013+{own.name}"


def broken(case, folder):
    """A folder of sequences with one fault."""
    dog = sequence(folder)
    truth = dog / "groundtruth.txt"
    if case == "first box alone":
        truth.write_text("11,21,30,20\n")
    elif case == "too few":
        truth.write_text("11,21,30,20\n" * 3)
    elif case == "too many":
        truth.write_text("11,21,30,20\n" * 5)
    elif case == "empty":
        truth.write_text("\n")
    elif case == "words":
        truth.write_text("left,top,w,h\n" + ROWS)
    elif case == "no truth":
        truth.unlink()
    elif case == "no frames":
        for path in dog.glob("*.png"):
            path.unlink()
    elif case == "two truths":
        (dog / "groundtruth_rect.txt").write_text(ROWS)
    elif case == "two ways":
        sequence(folder, "cat", truth="groundtruth_rect.txt")
    elif case == "images and video":
        video(dog / "dog.avi")
    elif case == "two videos":
        for path in dog.glob("*.png"):
            path.unlink()
        video(dog / "a.avi")
        video(dog / "b.avi")
    elif case == "no video":
        for path in dog.glob("*.png"):
            path.unlink()
        (dog / "a.mp4").write_text("no video")
    elif case == "no clips":
        shutil.rmtree(dog)


@pytest.mark.parametrize(("case", "words"), [
    ("first box alone", r"groundtruth.txt has only the first frame's box, for 4 frames: a score needs"),
    ("too few", r"groundtruth.txt has 3 lines for the 4 frames in .*dog; expected one line per frame"),
    ("too many", r"groundtruth.txt has 5 lines for the 4 frames"),
    ("empty", r"groundtruth.txt is empty"),
    ("words", r"groundtruth.txt, line 1: 'left,top,w,h'; expected 4 numbers"),
    ("no truth", r"dog has no ground truth \(looked for groundtruth.txt"),
    ("no frames", r"dog contains neither images nor a video; expected images or one video"),
    ("two truths", r"counts pixels from 1 and .* from 0; rename one kind, or give one --first-pixel"),
    ("two ways", r"cat.groundtruth_rect.txt counts pixels from 1 .*dog.groundtruth.txt from 0"),
    ("images and video", r"dog contains images and dog.avi; expected images or one video file"),
    ("two videos", r"dog contains a.avi and b.avi; expected"),
    ("no video", r"a.mp4"),
    ("no clips", r"0 sequences found in .*; expected a folder for each sequence, with images or one video"),
])  # fmt: skip
def test_an_invalid_folder_is_reported_in_a_sentence(tmp_path, capsys, case, words):
    broken(case, tmp_path / "clips")
    with pytest.raises(CourseError, match=words):
        read_own(tmp_path / "clips")
    results = tmp_path / "results"
    call = ["evaluate", "--tracker", "stay-put", "--benchmark", f"folder:{tmp_path / 'clips'}"]
    assert main([*call, "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error and "\n" not in error.strip() and not results.exists()


def test_two_kinds_of_truth_in_one_clip_are_not_guessed(tmp_path):
    broken("two truths", tmp_path)
    with pytest.raises(
        DataError, match="dog contains groundtruth.txt, groundtruth_rect.txt; expected"
    ):
        read_own(tmp_path, first_pixel=0)


def test_a_folder_that_does_not_exist(tmp_path):
    for path in (tmp_path / "gone", tmp_path / "file"):
        (tmp_path / "file").write_text("")
        with pytest.raises(MissingDataError, match=f"there is no folder {path}; expected a folder"):
            read_own(path)


class TestCommand:
    """`evaluate` and `report` on the user's folder."""

    def go(self, folder, results, *more, command="evaluate", tracker="stay-put"):
        call = [command, "--tracker", tracker, "--benchmark", f"folder:{folder}"]
        return main([*call, "--results", str(results), *more])

    def test_scores_by_clip_are_those_worked_by_hand(self, tmp_path, capsys):
        """dog: the box moves 1 and 3 px right; IoU 1, 29/31, 27/33, all within 20 px.

        Success above 0, .05, … 1: the three overlaps pass 20, 19 and 17 of the 21 thresholds.
        """
        sequence(tmp_path / "clips")
        results = tmp_path / "results"
        assert self.go(tmp_path / "clips", results, "--workers", "1", "--per-sequence") == 0
        out = capsys.readouterr().out
        auc = (20 + 19 + 17) / 3 / 21
        assert f"| dog | stay-put | {auc:.3f} | 1.000 | " in out and "By sequence:" in out
        more = ["--out", str(tmp_path / "out"), "--per-sequence"]
        assert self.go(tmp_path / "clips", results, *more, command="report") == 0
        assert f"| dog | stay-put | {auc:.3f} | 1.000 | " in capsys.readouterr().out

    def test_results_count_pixels_as_the_clips_do(self, tmp_path):
        sequence(tmp_path / "clips")
        for first in ("0", "1"):
            results = tmp_path / f"results{first}"
            assert (
                self.go(tmp_path / "clips", results, "--first-pixel", first, "--workers", "1") == 0
            )
            (path,) = results.glob("*/stay-put/dog.txt")
            assert read_result(path).boxes[0].tolist() == [11, 21, 30, 20]

    def test_first_pixel_belongs_to_a_folder(self, tmp_path, capsys):
        call = ["evaluate", "--tracker", "stay-put", "--benchmark", "otb", "--first-pixel", "0"]
        assert main([*call, "--results", str(tmp_path)]) == 2
        assert "--first-pixel is for a folder of your own sequences" in capsys.readouterr().err

    def test_a_corrected_ground_truth_is_noticed(self, tmp_path, capsys):
        dog = sequence(tmp_path / "clips")
        results = tmp_path / "results"
        assert self.go(tmp_path / "clips", results, "--workers", "1") == 0
        (dog / "groundtruth.txt").write_text(ROWS.replace("12,", "15,"))
        for command in ("evaluate", "report"):
            more = ["--out", str(tmp_path / "out")] if command == "report" else []
            assert self.go(tmp_path / "clips", results, *more, command=command) == 2
            error = capsys.readouterr().err
            assert "the checksum of the ground truth was" in error and "--fresh" in error
        assert not (tmp_path / "out").exists()
        assert self.go(tmp_path / "clips", results, "--fresh", "--workers", "1") == 0
        assert (
            self.go(tmp_path / "clips", results, "--out", str(tmp_path / "out"), command="report")
            == 0
        )

    def test_boxes_put_there_by_hand_are_shown_as_of_unknown_origin(self, tmp_path, capsys):
        sequence(tmp_path / "clips")
        name = load_benchmark(f"folder:{tmp_path / 'clips'}").name
        folder = tmp_path / "results" / name / "theirs"
        folder.mkdir(parents=True)
        (folder / "dog.txt").write_text("11,21,30,20\n" * T)
        more = ["--out", str(tmp_path / "out")]
        go = self.go
        assert (
            go(tmp_path / "clips", tmp_path / "results", *more, command="report", tracker="theirs")
            == 0
        )
        out = capsys.readouterr().out
        assert "| theirs | 0.889 |" in out
        assert "Of unknown origin: 1 of 1 results of theirs have no record" in out
