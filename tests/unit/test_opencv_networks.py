"""OpenCV's Nano and Vit: which files they get, their boxes and scores; OpenCV's own code is
replaced, since the models are not here."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from course_lib.errors import CourseError, MissingDataError
from course_lib.trackers import make_tracker
from course_lib.trackers.base import confidence_of

FRAME = np.zeros((60, 80, 3), np.uint8)
FILES = {
    "opencv-nano": ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx"),
    "opencv-vit": ("object_tracking_vittrack_2023sep.onnx",),
}


class Fake:
    """Moves right by two pixels a frame and says "lost" in the third."""

    def __init__(self, params):
        self.params, self.t = params, 0

    def init(self, frame, box):
        self.box = box

    def update(self, frame):
        self.t += 1
        x, y, w, h = self.box
        return self.t != 3, (x + 2 * self.t, y, w, h)

    def getTrackingScore(self):
        return 0.75 - self.t / 4


@pytest.fixture
def made(monkeypatch, tmp_path):
    """The trackers that were made, with the models' files in the data root."""
    found = []

    def create(params):
        found.append(Fake(params))
        return found[-1]

    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    for name, files in FILES.items():
        monkeypatch.setattr(cv2, f"Tracker{name[7:].title()}_create", create)
        for file in files:
            (tmp_path / "opencv").mkdir(exist_ok=True)
            (tmp_path / "opencv" / file).touch()
    return found


@pytest.mark.parametrize("name", FILES)
def test_they_get_the_files_below_the_data_root(made, tmp_path, name):
    tracker = make_tracker(name)
    tracker.init(FRAME, [10.4, 20, 15, 12])
    keys = ("backbone", "neckhead") if name == "opencv-nano" else ("net",)
    given = [getattr(made[-1].params, key) for key in keys]
    assert given == [str(tmp_path / "opencv" / file) for file in FILES[name]]


@pytest.mark.parametrize("name", FILES)
def test_they_say_how_sure_they_are_and_keep_the_box_of_a_lost_target(made, name):
    tracker = make_tracker(name)
    tracker.init(FRAME, [10.4, 20, 15, 12])
    assert np.isnan(confidence_of(tracker))
    boxes = [tracker.update(FRAME).tolist() for _ in range(3)]
    assert boxes == [[12, 20, 15, 12], [14, 20, 15, 12], [14, 20, 15, 12]]
    assert confidence_of(tracker) == 0 and not tracker.last.updated


def test_a_file_may_be_named(made, tmp_path):
    own = tmp_path / "own.onnx"
    own.touch()
    tracker = make_tracker("opencv-vit", net=str(own))
    tracker.init(FRAME, [10, 20, 15, 12])
    assert made[-1].params.net == str(own)


def test_without_the_files_or_the_tracker_a_sentence_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(cv2, "TrackerVit_create", lambda params: SimpleNamespace(), raising=False)
    with pytest.raises(MissingDataError, match=r"vittrack.*needs it.*--set opencv-vit.net=PATH"):
        make_tracker("opencv-vit")
    monkeypatch.delattr(cv2, "TrackerVit_create")
    with pytest.raises(CourseError, match="has no Vit tracker; install"):
        make_tracker("opencv-vit")
