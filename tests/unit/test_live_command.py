"""`live` and `track --select`: a camera, a window, or neither."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
from test_live import box_at, frame_at

from course_lib.cli import main, window
from course_lib.data.video import VideoFile
from course_lib.evaluation.results import read_result
from course_lib.evaluation.video import write_video

BOX = ["--box", "20,20,24,24"]


class Screen:
    """OpenCV's windows, and a camera that shows the moving square for a dozen frames."""

    def __init__(self, keys="", drawn=(20, 20, 24, 24), backend="QT"):
        self.keys, self.drawn, self.backend = list(keys), list(drawn), backend
        self.shown, self.asked, self.count = [], 0, 0

    def install(self, monkeypatch):
        monkeypatch.setenv("DISPLAY", ":9")
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: self)
        for name in ("imshow", "waitKey", "selectROI", "getWindowProperty", "currentUIFramework"):
            monkeypatch.setattr(cv2, name, getattr(self, name), raising=False)
        for name in ("destroyWindow", "destroyAllWindows"):
            monkeypatch.setattr(cv2, name, lambda *rest: None)
        return self

    def isOpened(self):
        return True

    def set(self, *rest):
        return True

    def release(self):
        self.released = True

    def read(self):
        self.count += 1
        return self.count <= 12, cv2.cvtColor(frame_at(self.count - 1), cv2.COLOR_RGB2BGR)

    def imshow(self, name, image):
        self.shown.append(image)

    def waitKey(self, milliseconds):
        return ord(self.keys.pop(0)) if self.keys else -1

    def selectROI(self, name, image, showCrosshair=True):
        self.asked += 1
        return tuple(self.drawn)

    def getWindowProperty(self, *rest):
        return 1.0

    def currentUIFramework(self):
        return self.backend


@pytest.fixture
def screen(monkeypatch):
    return Screen().install(monkeypatch)


@pytest.fixture
def film(tmp_path):
    write_video(tmp_path / "film.mp4", [frame_at(t) for t in range(12)], 25)
    return tmp_path / "film.mp4"


class TestLive:
    """A camera of this machine."""

    def test_in_a_window(self, screen, capsys):
        assert main(["live", "--select", "--tracker", "ncc"]) == 0
        assert len(screen.shown) == 12 and screen.asked == 1 and screen.released
        assert screen.shown[0].shape == (90, 160, 3)
        assert "ncc on 12 frames of camera 0" in capsys.readouterr().out

    def test_a_tracker_that_cannot_be_unsure_says_so_once(self, screen, capsys):
        words = "no threshold says whether siamfc is sure with these weights"
        command = ["live", *BOX, "--frames", "2", "--tracker"]
        assert main([*command, "ciresnet22"]) == 0
        assert capsys.readouterr().err.count(words) == 1
        assert main([*command, "ncc"]) == 0 and not capsys.readouterr().err

    def test_colours_on_the_screen_are_blue_first(self, screen):
        assert main(["live", *BOX, "--tracker", "ncc", "--frames", "1"]) == 0
        inside = screen.shown[0][24:40, 24:40].astype(int)
        expected = cv2.cvtColor(frame_at(0), cv2.COLOR_RGB2BGR)[24:40, 24:40]
        assert (np.abs(inside - expected).max(-1) == 0).mean() > 0.5

    def test_keys(self, monkeypatch):
        screen = Screen(keys="xsxq").install(monkeypatch)
        assert main(["live", *BOX, "--tracker", "ncc"]) == 0
        assert len(screen.shown) == 4  # q was pressed over the fourth
        assert screen.asked == 1  # s asks for a box in the next frame

    def test_a_box_asked_for_and_not_drawn_changes_nothing(self, monkeypatch, tmp_path):
        screen = Screen(keys="xxs", drawn=(0, 0, 0, 0)).install(monkeypatch)
        out = tmp_path / "a.mp4"
        assert main(["live", *BOX, "--tracker", "ncc", "--output", str(out)]) == 0
        rows = list(csv.DictReader(out.with_suffix(".csv").open()))
        assert screen.asked == 1 and len(rows) == 12
        assert [row["state"] for row in rows].count("drawn") == 1
        assert main(["live", "--select", "--tracker", "ncc"]) == 2  # the first one is needed

    def test_headless_into_a_video_and_a_table(self, monkeypatch, tmp_path):
        Screen().install(monkeypatch)
        monkeypatch.delenv("DISPLAY")
        out = tmp_path / "a.mp4"
        command = ["live", "--headless", *BOX, "--tracker", "ncc", "--set", "search=3"]
        assert main([*command, "--output", str(out), "--frames", "9"]) == 0
        rows = list(csv.DictReader(out.with_suffix(".csv").open()))
        assert len(rows) == len(VideoFile(out)) == 9 and rows[0]["state"] == "drawn"
        last = [float(rows[8][k]) for k in "xywh"]
        np.testing.assert_allclose(last, box_at(8), atol=2)
        facts = json.loads(out.with_suffix(".json").read_text())
        assert (facts["frames"], facts["settings"]) == (9, ["search=3"])
        Screen().install(monkeypatch)
        assert main([*command, "--out", str(out), "--redetect"]) == 0  # its own files
        assert len(VideoFile(out)) == 12

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["--headless", *BOX], "give --box x,y,w,h and --out FILE.mp4"),
            (["--headless", "--select", "--out", "a.mp4"], "no window to draw a box in"),
            ([*BOX, "--frames", "0"], "--frames is 0"),
            ([*BOX, "--out", "a.avi"], "--out is a.avi"),
            ([*BOX, "--tracker", "moose"], "'mosse'"),
            ([*BOX, "--tracker", "mosse", "--set", "rat=1"], "did you mean 'rate'"),
            (["--box", "1,2,3"], "--box is '1,2,3'"),
            (["--box", "900,2,3,4"], "outside the frame"),
        ],
    )
    def test_a_wrong_argument_is_a_sentence(self, screen, capsys, given, words):
        assert main(["live", *given]) == 2
        captured = capsys.readouterr()
        assert words in captured.err and "Traceback" not in captured.err

    def test_without_a_camera(self, screen, monkeypatch, capsys):
        monkeypatch.setattr(screen, "isOpened", lambda: False)
        assert main(["live", *BOX]) == 2
        assert "live: camera 0 does not open" in capsys.readouterr().err

    def test_without_a_screen_it_is_said_before_the_camera_starts(self, monkeypatch, capsys):
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: pytest.fail("started"))
        monkeypatch.setattr(window.sys, "platform", "linux")
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        assert main(["live", *BOX]) == 2
        assert "there is no screen here" in capsys.readouterr().err
        Screen(backend="").install(monkeypatch)
        assert main(["live", *BOX]) == 2
        assert "shows no windows; give --headless" in capsys.readouterr().err


class TestSelect:
    """`track --select`."""

    def test_the_box_is_drawn_on_the_frame_tracking_starts_in(self, screen, film, monkeypatch):
        seen = []
        monkeypatch.setattr(
            cv2, "selectROI", lambda name, image, **_: seen.append(image) or (26, 23, 24, 24)
        )
        command = ["track", "--video", str(film), "--select", "--start", "3", "--tracker", "ncc"]
        assert main(command) == 0
        boxes = read_result(film.with_name("film-ncc.txt")).boxes
        assert len(seen) == 1 and len(boxes) == 9
        np.testing.assert_allclose(boxes, [box_at(t) for t in range(3, 12)], atol=1.5)
        shown = cv2.cvtColor(seen[0], cv2.COLOR_BGR2RGB)
        assert np.abs(shown.astype(int) - VideoFile(film)[3]).max() == 0

    def test_no_box_no_screen_or_both(self, monkeypatch, film, capsys):
        Screen(drawn=(0, 0, 0, 0)).install(monkeypatch)
        command = ["track", "--video", str(film)]
        assert main([*command, "--select"]) == 2
        assert "no box was drawn" in capsys.readouterr().err
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.setattr(window.sys, "platform", "linux")
        assert main([*command, "--select"]) == 2
        assert "give the box with --box" in capsys.readouterr().err
        for given in ([], ["--select", *BOX]):
            with pytest.raises(SystemExit):
                main([*command, *given])
            assert "--select" in capsys.readouterr().err
        assert [p.name for p in film.parent.iterdir()] == ["film.mp4"]
