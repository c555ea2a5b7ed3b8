"""The commands `track` and `demo`: their arguments, what they write, and what they leave alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import cut, join, make_video, trim

from course_lib.cli import main
from course_lib.cli.track import parse_box, parse_start, starting_at
from course_lib.data.frames import ArrayFrames
from course_lib.data.video import VideoFile, timed
from course_lib.errors import DataError, SettingsError
from course_lib.evaluation.results import read_result
from course_lib.evaluation.video import write_video
from course_lib.trackers import TRACKER_NAMES, make_tracker, tracker_class

BOX = ["--box", "10,12,16,16"]
OURS = [n for n in TRACKER_NAMES if not n.startswith("opencv")]


def square(t: int) -> np.ndarray:
    """A bright square of 16 px with a pattern, moving 2 px right per frame from x = 10, y = 12."""
    rng = np.random.default_rng(0)
    image = np.full((64, 96, 3), 60, np.uint8)
    image[12:28, 10 + 2 * t : 26 + 2 * t] = (
        rng.integers(120, 255, (4, 4, 3)).repeat(4, 0).repeat(4, 1)
    )
    return image


@pytest.fixture
def film(tmp_path):
    """The square over twelve frames."""
    write_video(tmp_path / "film.mp4", [square(t) for t in range(12)], 25)
    return tmp_path / "film.mp4"


def listing(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class TestBox:
    """`--box`."""

    @pytest.mark.parametrize(
        "text",
        [
            "-5,80,40,40",
            "-5, 80, 40, 40",
            "-5 80 40 40",
            "(-5,80,40,40)",
            "[-5, 80, 40, 40]",
            "-5;80;40;40",
            "−5,80,40,40",
            "-5.0,80.,4e1,40",
            " -5,80,40,40 ",
        ],
    )
    def test_ways_to_write_it(self, text):
        assert parse_box(text).tolist() == [-5, 80, 40, 40]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ",",
            "1,2,3",
            "1,2,3,4,5",
            "1,2,3,",
            "1x2x30x40",
            "40x60+1+2",
            "1,2,3,four",
            "nan,1,2,3",
        ]
        + [
            "inf,1,2,3",
            "1,2,3,1e999",
            "1_0,2,3,4",
            "٣,2,3,4",
            "1,2,3,4px",
            "(1,2,3,4",
            "0x1,2,3,4",
        ],
    )
    def test_an_invalid_box_is_quoted(self, text):
        with pytest.raises(SettingsError, match="--box is .*; expected four numbers"):
            parse_box(text)

    @pytest.mark.parametrize("text", ["1,2,0,5", "1,2,5,-3"])
    def test_no_area(self, text):
        with pytest.raises(SettingsError, match="expected both above 0.*not two corners"):
            parse_box(text)

    @pytest.mark.parametrize(
        "given",
        [
            ["--box", "-4,12,16,16"],
            ["--box=-4,12,16,16"],
            ["--box", "-4", "12", "16", "16"],
            ["--box", "-4,", "12,", "16,", "16"],
            ["--box", "-4.0,12,16,16", "--quiet"],
        ],
    )
    def test_a_negative_first_number_on_the_command_line(self, film, given):
        assert main(["track", "--video", str(film), "--tracker", "stay-put", *given]) == 0
        assert read_result(film.with_name("film-stay-put.txt")).boxes[0].tolist() == [
            -4,
            12,
            16,
            16,
        ]

    @pytest.mark.parametrize("first", ["-.5", "-1e1", "-inf", "-nan"])
    def test_argparse_never_calls_it_missing(self, film, capsys, first):
        code = main(
            ["track", "--video", str(film), "--box", f"{first},12,16,16", "--tracker", "stay-put"]
        )
        assert code == (0 if first[1] in ".1" else 2)
        assert "expected at least one argument" not in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("box", "words"),
        [
            ("500,12,16,16", "wholly outside the frame of 96×64"),
            ("10,12,16,40000000", "16 wide and 40000000 high in a frame of 96×64"),
            ("10,12,193,16", "expected sides of at least 0.001 and at most 2 times"),
            ("10,12,0.0005,16", "expected sides of at least 0.001"),
        ],
    )
    def test_a_box_that_does_not_fit_the_frame_leaves_nothing(self, film, capsys, box, words):
        before = listing(film.parent)
        assert (
            main(["track", "--video", str(film), "--box", box, "--out", f"{film.parent}/n/o.mp4"])
            == 2
        )
        assert words in capsys.readouterr().err
        assert listing(film.parent) == before and not (film.parent / "n").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
class TestFirstBoxOfEveryTracker:
    """The limits that `accept_start` sets, at both ends."""

    FRAME = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)

    @pytest.mark.parametrize("box", [[-25, -20, 100, 80], [20, 20, 0.001, 0.001]])
    def test_within(self, name, box):
        tracker = make_tracker(name)
        tracker.init(self.FRAME, box)
        assert np.isfinite(tracker.update(self.FRAME)).all()

    @pytest.mark.parametrize(
        "box",
        [
            [0, 0, 100.1, 10],
            [0, 0, 10, 80.1],
            [0, 0, 10, 4e7],
            [5, 5, 0.0009, 5],
            [5, 5, 5, 1e-300],
        ],
    )
    def test_beyond(self, name, box):
        with pytest.raises(DataError, match="expected sides of at least 0.001 and at most 2 times"):
            make_tracker(name).init(self.FRAME, box)


class TestStart:
    """`--start`."""

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0", 0),
            ("12", 12),
            ("2.5s", Fraction(5, 2)),
            ("3s", Fraction(3)),
            ("1:02.5", Fraction(125, 2)),
            ("1:00:01", Fraction(3601)),
            ("0:07", Fraction(7)),
        ],
    )
    def test_frames_and_times(self, text, value):
        assert parse_start(text) == value and isinstance(parse_start(text), type(value))

    @pytest.mark.parametrize(
        "text", ["-1", "1.5", "nan", "", "s", "1:2:3:4", "1e3", "9" * 30, "-1s"]
    )
    def test_an_invalid_start_is_quoted(self, text):
        with pytest.raises(SettingsError, match="--start is .*; expected the number of a frame"):
            parse_start(text)

    @pytest.mark.parametrize(
        ("start", "first"),
        [(0, 0), (3, 3), (9, 9), (Fraction(0), 0), (Fraction("0.3"), 3), (Fraction("0.299"), 3)]
        + [(Fraction("0.297"), 2), (Fraction("0.35"), 3), (Fraction("0.9"), 9)],
    )
    def test_the_frame_on_the_screen_at_that_time(self, start, first):
        moments = timed(ArrayFrames(np.zeros((10, 4, 4, 3), np.uint8)), 10)
        assert [m.number for m in starting_at(moments, start, "x")] == list(range(first, 10))

    @pytest.mark.parametrize("start", [10, Fraction(2)])
    def test_past_the_end(self, start):
        moments = timed(ArrayFrames(np.zeros((10, 4, 4, 3), np.uint8)), 10)
        with pytest.raises(SettingsError, match="has frames 0 to 9, the last at 0.90 s"):
            list(starting_at(moments, start, "x"))


class TestTrack:
    """The command's output."""

    def test_it_follows_the_square_and_says_what_was_run(self, film, capsys):
        code = main(["track", "--video", str(film), "--box", "14,12,16,16", "--start", "2"])
        assert code == 0
        boxes = read_result(film.with_name("film-mosse.txt")).boxes
        expected = [[10 + 2 * t, 12, 16, 16] for t in range(2, 12)]
        assert np.abs(boxes - expected).max() <= 1.5
        video = VideoFile(film.with_name("film-mosse.mp4"))
        np.testing.assert_allclose(video.times, np.arange(10) / 25, atol=1e-4)
        record = json.loads(film.with_name("film-mosse.json").read_text())
        assert (record["first_frame"], record["frames"], record["tracker"]) == (2, 10, "mosse")
        assert "film-mosse.mp4" in capsys.readouterr().out
        assert not list(film.parent.glob("**/times"))

    @pytest.mark.parametrize(
        ("name", "count"), [("phone.mp4", 8), ("joined.ts", 24), ("live.webm", 12), ("one.mp4", 1)]
    )
    def test_headers_that_are_wrong(self, tmp_path, name, count):
        path = tmp_path / name
        if name == "phone.mp4":
            trim(make_video(path, 20), 6, 8)
        elif name == "joined.ts":
            join(make_video(path, 12), make_video(tmp_path / "b.ts", 12))
        elif name == "live.webm":
            stamps = [0, 40, 90, 100, 400, 420, 440, 800, 1000, 1001, 1002, 1500]
            ms = {"base": Fraction(1, 1000), "pts": stamps, "codec": "libvpx"}
            make_video(path, 12, muxer={"live": "1"}, **ms)
        else:
            make_video(path, 1)
        source = VideoFile(path).times
        assert main(["track", "--video", str(path), *BOX]) == 0
        out = path.with_name(f"{path.stem}-mosse.mp4")
        assert len(read_result(out.with_suffix(".txt"))) == count
        np.testing.assert_allclose(
            VideoFile(out).times, source, atol=1e-4
        )  # in step with the input

    def test_a_truncated_video_keeps_what_decodes_and_says_how_far(self, tmp_path, capsys):
        path = make_video(tmp_path / "c.mp4", 60, muxer={"movflags": "faststart"})
        assert main(["track", "--video", str(cut(path, 0.7)), *BOX]) == 0
        boxes = read_result(tmp_path / "c-mosse.txt").boxes
        assert 10 < len(boxes) < 60
        assert f"{len(boxes)} frames decode" in capsys.readouterr().err
        assert "cut short" in json.loads((tmp_path / "c-mosse.json").read_text())["notes"][0]

    @pytest.mark.parametrize("given", ["folder", "pattern", "several"])
    def test_images_in_the_order_of_their_numbers(self, tmp_path, given, capsys):
        home = tmp_path / "frames"
        home.mkdir()
        for t in range(12):
            cv2.imwrite(str(home / f"{t}.png"), square(t)[..., 0])  # grey
        what = {"folder": [home], "pattern": [home / "*.png"], "several": sorted(home.glob("*"))}
        assert main(["track", *BOX, "--video", *map(str, what[given])]) == 0
        boxes = read_result(tmp_path / "frames-mosse.txt").boxes
        assert np.abs(boxes - [[10 + 2 * t, 12, 16, 16] for t in range(12)]).max() <= 1.5

    @pytest.mark.slow
    @pytest.mark.parametrize("name", OURS)
    def test_every_tracker_on_a_grey_video(self, tmp_path, name):
        path = make_video(tmp_path / "grey.mkv", 3, codec="ffv1", pix="gray")
        out = tmp_path / "out.mp4"
        settings = ["--device", "cpu"] if hasattr(tracker_class(name).Settings, "device") else []
        assert (
            main(
                ["track", "--video", str(path), *BOX, "--tracker", name, "--out", str(out)]
                + settings
            )
            == 0
        )
        assert len(read_result(out.with_suffix(".txt"))) == len(VideoFile(out)) == 3

    @pytest.mark.slow
    def test_settings_recipe_and_weights_arrive(self, film, project, tmp_path):
        recipe = project / "recipes" / "kcf_grey.yaml"
        common = ["track", "--video", str(film), *BOX, "--quiet"]
        assert (
            main([*common, "--tracker", "kcf", "--recipe", str(recipe), "--set", "kcf.rate=0.1"])
            == 0
        )
        mine = tmp_path / "it's: mine.safetensors"  # a name that YAML would misread
        mine.write_bytes((project / "weights" / "siamfc.safetensors").read_bytes())
        mine.with_suffix(".json").write_bytes((project / "weights" / "siamfc.json").read_bytes())
        assert (
            main(
                [
                    *common,
                    "--tracker",
                    "siamfc",
                    "--weights",
                    str(mine),
                    "--out",
                    str(tmp_path / "w.mp4"),
                ]
            )
            == 0
        )
        assert json.loads((tmp_path / "w.json").read_text())["weights"] == str(mine)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["--tracker", "moose"], "Did you mean 'mosse'"),
            (["--set", "rat=1"], "did you mean 'rate'"),
            (["--set", "rate"], "not of the form key=value"),
            (["--set", "name=x"], "mosse has no such setting"),
            (["--set", "recipe=x"], "mosse has no such setting"),
            (
                ["--weights", "siamfc"],
                "trackers with a network (siamfc, siammargin, siamrpn, atom, onestream); mosse has none",
            ),
            (["--device", "cpu"], "mosse has none"),
            (["--tracker", "siamfc", "--weights", "none.pth"], "there are no weights 'none.pth'"),
            (["--recipe", "none.yaml"], "none.yaml does not exist"),
            (["--tracker", "stay-put", "--recipe", "none.yaml"], "none.yaml does not exist"),
            (["--tracker", "random-walk", "--set", "deviation=abc"], "deviation is 'abc'"),
            (["--tracker", "random-walk", "--set", "deviation=-1"], "deviation is -1"),
            (["--out", "x.avi"], "expected a name that ends in .mp4, or a folder"),
            (["--out", ".mp4"], "expected a name that ends in .mp4"),
            (["--start", "soon"], "--start is 'soon'"),
            (["--start", "12"], "has frames 0 to 11"),
        ],
    )
    def test_a_wrong_argument_is_a_sentence_and_leaves_nothing(self, film, capsys, given, words):
        before = listing(film.parent)
        assert main(["track", "--video", str(film), *BOX, *given]) == 2
        captured = capsys.readouterr()
        assert words in captured.err and "Traceback" not in captured.err and captured.out == ""
        assert listing(film.parent) == before

    @pytest.mark.parametrize(
        "given", [[""], ["none.mp4"], ["none/*.png"], ["a.mp4", "b.mp4"], ["."]]
    )
    def test_an_invalid_video(self, tmp_path, monkeypatch, capsys, given):
        monkeypatch.chdir(tmp_path)
        assert main(["track", *BOX, "--video", *given]) == 2
        assert capsys.readouterr().err.startswith("track: ")

    def test_arguments_are_checked_before_anything_is_decoded(self, film, monkeypatch, capsys):
        monkeypatch.setattr(VideoFile, "decode", lambda video: pytest.fail("decoded too early"))
        film.with_name("film-mosse.txt").write_text("mine")
        assert main(["track", "--video", str(film), *BOX]) == 2

    def test_a_progress_bar_only_in_a_terminal(self, film, monkeypatch, capsys):
        assert main(["track", "--video", str(film), *BOX]) == 0
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert main(["track", "--video", str(film), *BOX]) == 0
        assert "12/12" in capsys.readouterr().err
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert main(["track", "--video", str(film), *BOX, "--quiet"]) == 0
        assert capsys.readouterr().err == ""


class TestOut:
    """What `--out` may name."""

    def go(self, film, *given):
        return main(
            ["track", "--video", str(film), *BOX, "--tracker", "stay-put", *map(str, given)]
        )

    def test_its_own_files_may_be_replaced(self, film):
        for start in ("0", "5"):
            assert self.go(film, "--start", start) == 0
        assert len(read_result(film.with_name("film-stay-put.txt"))) == 7

    @pytest.mark.parametrize("suffix", [".mp4", ".txt", ".json"])
    def test_files_beside_it_are_left_alone(self, film, capsys, suffix):
        mine = film.with_name(f"notes{suffix}")
        mine.write_text("mine")
        before = listing(film.parent)
        assert self.go(film, "--out", film.with_name("notes.mp4")) == 2
        error = capsys.readouterr().err
        assert f"notes{suffix} exists already" in error and "give another --out" in error
        assert listing(film.parent) == before

    def test_the_input_is_left_alone_under_every_name(self, film, capsys):
        for name in ("link.mp4", "hard.mp4"):
            (os.symlink if name == "link.mp4" else os.link)(film, film.with_name(name))
        before = listing(film.parent)
        for name in ("film.mp4", "link.mp4", "hard.mp4", "../" + film.parent.name + "/film.mp4"):
            assert self.go(film, "--out", film.parent / name) == 2
            assert "is the input itself" in capsys.readouterr().err
        assert listing(film.parent) == before

    def test_its_own_result_as_input_is_left_alone(self, film, capsys):
        assert self.go(film) == 0
        own = film.with_name("film-stay-put.mp4")
        assert self.go(own, "--out", own) == 2
        assert "is the input itself" in capsys.readouterr().err

    def test_a_suffix_in_capitals_a_folder_and_a_new_folder(self, film):
        assert self.go(film, "--out", film.with_name("A.MP4")) == 0
        assert film.with_name("A.MP4").is_file() and film.with_name("A.txt").is_file()
        (film.parent / "there").mkdir()
        assert self.go(film, "--out", film.parent / "there") == 0
        assert self.go(film, "--out", f"{film.parent}/new/") == 0
        assert self.go(film, "--out", film.parent / "newer" / "a.mp4") == 0
        for name in ("there/film-stay-put.mp4", "new/film-stay-put.mp4", "newer/a.mp4"):
            assert (film.parent / name).is_file()

    def test_a_file_where_a_folder_belongs(self, film, capsys):
        assert self.go(film, "--out", film / "a.mp4") == 2
        assert "is used as a folder, but a part of that path is a file" in capsys.readouterr().err

    def test_a_folder_without_permission_is_reported_as_such(self, film, monkeypatch, capsys):
        def refuse(dir):
            raise PermissionError(13, "Permission denied", f"{dir}/tmpx")

        monkeypatch.setattr("course_lib.cli.outputs.tempfile.TemporaryFile", refuse)
        assert self.go(film) == 2
        error = capsys.readouterr().err
        assert f"no permission to read or write {film.parent}" in error and "encoder" not in error

    def test_a_full_disk_leaves_nothing(self, film, monkeypatch, capsys):
        before = listing(film.parent)

        def full(*rest):
            raise OSError(28, "No space left on device", "record")

        monkeypatch.setattr(
            "course_lib.cli.track.record_of", full
        )  # the last thing that is written
        assert self.go(film) == 2
        assert "no room left" in capsys.readouterr().err
        assert listing(film.parent) == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_stopping_by_hand_leaves_whole_files_and_a_sentence(tmp_path, project):
    home = tmp_path / "long"
    home.mkdir()
    cv2.imwrite(str(home / "0.png"), square(0))
    for t in range(1, 4000):
        os.link(home / "0.png", home / f"{t}.png")
    command = [sys.executable, "-m", "course_lib", "track", "--video", str(home), *BOX]
    command += ["--tracker", "ncc", "--out", str(tmp_path / "a.mp4")]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=project)
    while run.poll() is None and not any(p.stat().st_size for p in tmp_path.glob(".a*.mp4")):
        time.sleep(0.01)  # until the video has begun
    run.send_signal(signal.SIGINT)
    error = run.communicate(timeout=60)[1]
    assert "Traceback" not in error
    if run.returncode == 0:
        pytest.skip("it was done before the signal came")
    boxes = read_result(tmp_path / "a.txt").boxes
    assert run.returncode == 130 and f"the {len(boxes)} frames tracked so far are kept" in error
    assert len(VideoFile(tmp_path / "a.mp4")) == len(boxes) < 4000
    assert not list(tmp_path.glob(".a*"))


@pytest.mark.slow
class TestDemo:
    """The first command a newcomer runs."""

    def go(self, folder, *given):
        return main(["demo", "--sequence", "gen-23-small", "--out", str(folder), *given])

    def test_video_and_scores(self, tmp_path, capsys):
        assert self.go(tmp_path) == 0
        scores = json.loads((tmp_path / "gen-23-small.json").read_text())
        assert {"clip", "tracker", "auc", "precision20", "mean_iou", "fps"} <= set(scores)
        assert 0 <= scores["auc"] <= 20 / 21 and scores["tracker"] == "mosse"
        video = VideoFile(tmp_path / "gen-23-small.mp4")
        assert len(video) == 80 and video[0].shape == (240, 320, 3)
        captured = capsys.readouterr()
        assert "mosse on gen-23-small: AUC" in captured.out and captured.err == ""

    def test_another_tracker_replaces_its_own_files(self, tmp_path):
        assert self.go(tmp_path) == 0 == self.go(tmp_path, "--tracker", "stay-put")
        assert json.loads((tmp_path / "gen-23-small.json").read_text())["tracker"] == "stay-put"

    @pytest.mark.parametrize("name", ["gen-23-small.mp4", "gen-23-small.json"])
    def test_files_of_others_are_left_alone(self, tmp_path, capsys, name):
        (tmp_path / name).write_text("mine")
        assert self.go(tmp_path) == 2
        assert f"{name} exists already" in capsys.readouterr().err
        assert listing(tmp_path) == {name: b"mine"}

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["--sequence", "gen-99"], "there is no sequence 'gen-99'"),
            (["--tracker", "moose"], "'mosse'"),
        ],
    )
    def test_wrong_arguments(self, tmp_path, capsys, given, words):
        assert self.go(tmp_path, *given) == 2
        assert words in capsys.readouterr().err and listing(tmp_path) == {}

    def test_a_file_as_its_folder(self, tmp_path, capsys):
        (tmp_path / "a").write_text("mine")
        assert self.go(tmp_path / "a") == 2
        assert "is used as a folder" in capsys.readouterr().err
