"""Live sessions: what is said of each target, what is recorded, and that it can be repeated."""

from __future__ import annotations

import csv
import threading
import tracemalloc
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from course_lib.data.camera import Camera
from course_lib.data.jpegs import JpegFrames, jpeg_of
from course_lib.data.video import VideoFile
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.live import (
    Followed,
    LiveSession,
    live_names,
    make_live,
    repeat,
    thresholds_of,
)
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.recording import Recording
from course_lib.models.concat_broadcast import SiamBroadcastRPN, SiamConcatRPN
from course_lib.models.device import choose_placement
from course_lib.models.runtime import ProposalRuntime
from course_lib.trackers import ALL_NAMES, make_tracker
from course_lib.trackers.base import Tracker
from course_lib.trackers.redetection import RedetectionSettings
from course_lib.trackers.siamrpn import SiamRPNTracker

pytestmark = pytest.mark.slow

SQUARE = cv2.GaussianBlur(
    np.random.default_rng(7).integers(0, 255, (24, 24, 3), dtype=np.uint8), (0, 0), 1.5
)


def frame_at(t: int, hidden: bool = False) -> np.ndarray:
    """A textured square of 24 pixels that moves by (2, 1) pixels per frame."""
    image = np.full((90, 160, 3), 90, np.uint8)
    if not hidden:
        image[20 + t : 44 + t, 20 + 2 * t : 44 + 2 * t] = SQUARE
    return image


def box_at(t: int) -> list[float]:
    return [20.0 + 2 * t, 20.0 + t, 24.0, 24.0]


class Scripted(Tracker):
    """Its box is the number of its updates, its score what a list says."""

    name = "scripted"

    def __init__(self, scores=()):
        self.scores = list(scores)

    def init(self, frame, box):
        self.count, self.first, self.last = 0, np.array(box, float), None

    def update(self, frame):
        self.count += 1
        score = self.scores.pop(0) if self.scores else 0.5
        self.last = SimpleNamespace(score=score)
        return self.first + [self.count, 0, 0, 0]


def session_with(*starts, frames=12, make=make_live) -> LiveSession:
    """A recorded session over the moving square; starts are (frame, target, tracker)."""
    session = LiveSession(make, Recording())
    for t in range(frames):
        session.see_jpeg(jpeg_of(frame_at(t), quality=95), t / 25)
        for when, target, name in starts:
            if when == t:
                session.start(target, name, box_at(t))
    return session


class TestSession:
    """Frames in, boxes out."""

    def test_a_target_is_followed(self):
        record = session_with((0, 1, "kcf")).recording
        truth = np.array([box_at(t) for t in range(12)])
        assert np.abs(record.result(1).boxes - truth).max() < 4  # one cell of its features
        assert np.isnan(record.scores(1)[0]) and (record.scores(1)[1:] > 0.25).all()

    def test_several_targets_each_with_its_own_tracker(self):
        session = session_with((0, 1, "mosse"), (3, 2, "ncc"))
        assert {k: a.tracker for k, a in session.answers.items()} == {1: "mosse", 2: "ncc"}
        two = session.recording.result(2)
        assert np.isnan(two.boxes[:3]).all() and np.isfinite(two.boxes[3:]).all()
        assert np.isnan(two.seconds[:3]).all() and (two.seconds[3:] > 0).all()

    def test_a_box_drawn_again_starts_its_tracker_anew(self):
        session = LiveSession(lambda name: Scripted(), Recording())
        for t in range(6):
            session.see_jpeg(jpeg_of(frame_at(t)), t)
            if t in (0, 3):
                session.start(1, "scripted", [10 * t + 1, 5, 8, 8])
        x = session.recording.result(1).boxes[:, 0]
        assert x.tolist() == [1, 2, 3, 31, 32, 33]  # frame 3 holds the box drawn, not the tracked
        assert [a[1].drawn for a in session.recording.answers] == [True, False, False] * 2

    def test_a_dropped_target_is_followed_no_longer(self):
        session = session_with((0, 1, "ncc"), (0, 2, "ncc"), frames=3)
        session.drop(1)
        session.drop(7)  # was never there
        session.see_jpeg(jpeg_of(frame_at(3)), 3 / 25)
        assert list(session.answers) == [2]
        assert np.isnan(session.recording.result(1).boxes[2:]).all()

    def test_what_cannot_start(self):
        session = LiveSession(recording=Recording())
        with pytest.raises(DataError, match="before any frame"):
            session.start(1, "kcf", [1, 2, 3, 4])
        session.see_jpeg(jpeg_of(frame_at(0)), 0)
        with pytest.raises(DataError, match="outside the frame"):
            session.start(1, "kcf", [500, 2, 30, 40])
        with pytest.raises(SettingsError, match="'mosse'"):
            session.start(1, "moose", box_at(0))
        assert session.answers == {} and session.recording.events == []

    def test_a_frame_that_does_not_decode_is_not_recorded(self):
        session = session_with(frames=2)
        for bytes_ in (b"", b"no image", jpeg_of(frame_at(0))[:40]):
            with pytest.raises(DataError, match="frame 2 .* does not decode"):
                session.see_jpeg(bytes_, 1)
        assert len(session.recording) == len(session.recording.frames) == 2
        assert len(session.recording.seconds) == 2

    def test_without_a_recording_it_takes_images(self):
        session = LiveSession()
        session.see(frame_at(0))
        session.start(1, "ncc", box_at(0))
        session.see(frame_at(1))
        np.testing.assert_allclose(session.answers[1].box, box_at(1), atol=1)
        with pytest.raises(DataError, match="see_jpeg"):
            LiveSession(recording=Recording()).see(frame_at(0))


class TestSurety:
    """Sure, unsure, lost."""

    def test_by_thresholds_and_patience(self):
        settings = RedetectionSettings(sure=0.5, found=0.9, patience=2)
        scores = [0.9, 0.4, 0.5, 0.4, 0.4, 0.4, 0.4, float("nan"), 0.1]
        followed = Followed("scripted", Scripted(), settings)
        followed.tracker.init(None, [0, 0, 1, 1])
        said = [followed.surety(score) for score in scores]
        assert said == ["sure", "unsure", "sure", "unsure", "unsure", "lost", "lost"] + [
            "sure",  # a tracker that does not say counts as sure
            "unsure",
        ]

    def test_a_tracker_is_called_what_was_chosen(self):
        session = session_with((0, 1, "ciresnet22"), (0, 2, "kcf-redetection"), frames=2)
        assert [a.tracker for a in session.answers.values()] == ["ciresnet22", "kcf-redetection"]
        session = session_with((0, 1, "kcf"), frames=2, make=lambda name: Scripted())
        assert session.answers[1].tracker == "scripted"  # something else was made from the name

    def test_without_thresholds_there_is_only_the_score(self):
        assert thresholds_of(make_live("stay-put")) is thresholds_of(Scripted()) is None
        session = session_with((0, 1, "stay-put"), frames=2)
        assert session.answers[1].surety == "" and np.isnan(session.answers[1].score)

    def test_those_of_the_recipes(self):
        for name in ("kcf", "kcf-redetection"):
            assert thresholds_of(make_live(name)).sure == 0.25
        assert thresholds_of(make_live("siamfc")).sure == 1
        assert thresholds_of(make_live("ciresnet22")) is None  # the same tracker, another network
        names = live_names()
        assert set(ALL_NAMES) < set(names) and len(names) == len(set(names))
        assert {"kcf-redetection", "siamfc-redetection"} <= set(names)
        assert "stay-put-redetection" not in names

    def test_a_target_that_hides_is_lost_and_with_redetection_found_again(self):
        session = LiveSession(recording=Recording())
        for t in range(34):
            hidden = 8 <= t < 20
            session.see_jpeg(jpeg_of(frame_at(t, hidden), quality=95), t / 25)
            if t == 0:
                session.start(1, "ncc", box_at(0))
                session.start(2, "ncc-redetection", box_at(0))
        states = {k: [a[k].surety for a in session.recording.answers] for k in (1, 2)}
        for k in (1, 2):
            assert set(states[k][:8]) == {"sure"}
            assert states[k][8] == "unsure" and states[k][19] == "lost"
        assert states[2][-1] == "sure"
        np.testing.assert_allclose(session.answers[2].box, box_at(33), atol=2)


class TestScoreMap:
    """What each tracker shows beside the frame."""

    @pytest.mark.parametrize("name", ["mosse", "kcf", "ncc", "siamfc", "siamrpn", "atom"])
    def test_every_tracker_that_compares_places_has_one(self, name):
        tracker = make_tracker(name)
        tracker.init(frame_at(0), box_at(0))
        assert tracker.score_map() is None  # nothing was compared yet
        tracker.update(frame_at(1))
        values = tracker.score_map()
        assert values.ndim == 2 and min(values.shape) > 8 and np.isfinite(values).all()

    def test_of_proposals_the_best_in_each_cell(self):
        tracker = make_tracker("siamrpn")
        tracker.init(frame_at(0), box_at(0))
        tracker.update(frame_at(1))
        values, scores = tracker.score_map(), tracker.last.scores
        n = len(values)
        assert values.shape == (n, n) and len(scores) % (n * n) == 0
        centres = tracker.anchors[:, :2] + tracker.anchors[:, 2:] / 2
        k = int(scores.argmax())
        columns, rows = (np.unique(centres[:, i]) for i in (0, 1))
        cell = np.searchsorted(rows, centres[k, 1]), np.searchsorted(columns, centres[k, 0])
        assert values[cell] == scores.max() == values.max()

    @pytest.mark.parametrize("network", [SiamBroadcastRPN, SiamConcatRPN])
    def test_of_proposals_on_several_maps_the_first(self, network):
        tracker = SiamRPNTracker(
            runtime=ProposalRuntime(network().eval(), choose_placement("cpu", "fp32"))
        )
        tracker.init(frame_at(0), box_at(0))
        tracker.update(frame_at(1))
        values, scores = tracker.score_map(), tracker.last.scores
        n = len(values)
        assert values.shape == (n, n) == (network.maps[0][0],) * 2
        k = len(tracker.runtime.network.sizes)
        assert values[3, 5] == max(scores[i * n * n + 3 * n + 5] for i in range(k))

    def test_a_tracker_that_does_not_look_has_none(self):
        tracker = make_tracker("stay-put")
        tracker.init(frame_at(0), box_at(0))
        tracker.update(frame_at(1))
        assert tracker.score_map() is None
        again = make_live("ncc-redetection")
        again.init(frame_at(0), box_at(0))
        again.update(frame_at(1))
        np.testing.assert_array_equal(again.score_map(), again.tracker.last.response)


class TestRecording:
    """Repeated, scored, exported."""

    def test_repeated_with_the_same_trackers_it_is_the_same(self):
        session = session_with((0, 1, "kcf"), (4, 2, "mosse"), (8, 1, "ncc"))
        session.drop(2)
        again = repeat(session.recording)
        for target in (1, 2):
            np.testing.assert_array_equal(
                again.result(target).boxes, session.recording.result(target).boxes
            )
        assert [(e.frame, e.target) for e in again.events] == [(0, 1), (4, 2), (8, 1), (11, 2)]
        assert [a.keys() for a in again.answers] == [a.keys() for a in session.recording.answers]

    def test_repeated_with_another_tracker(self):
        record = session_with((0, 1, "kcf"), (4, 2, "mosse")).recording
        by_name, by_maker = repeat(record, "stay-put"), repeat(record, lambda: Scripted())
        assert (by_name.result(2).boxes[4:] == box_at(4)).all()
        assert by_maker.result(1).boxes[:, 0].tolist() == [20 + t for t in range(12)]
        assert record.answers[5][1].tracker == "kcf"  # the recording itself stays

    def test_scored_against_truth(self):
        record = session_with((2, 1, "kcf")).recording
        truth = [box_at(t) for t in range(12)]
        sequence = record.sequence(1, truth)
        assert len(sequence) == 10 and sequence.boxes[0].tolist() == box_at(2)
        good = score_sequence(record.result(1).boxes[2:], sequence.boxes)
        bad = score_sequence(repeat(record, "stay-put").result(1).boxes[2:], sequence.boxes)
        assert good.mean_iou > 0.7 > bad.mean_iou + 0.2

    def test_unless_given_the_drawn_boxes_are_the_truth(self):
        sequence = session_with((2, 1, "kcf"), (6, 1, "kcf")).recording.sequence(1)
        assert np.flatnonzero(~sequence.omitted).tolist() == [0, 4]
        assert sequence.boxes[4].tolist() == box_at(6) and np.isnan(sequence.boxes[1]).all()
        assert sequence.frames[0].shape == (90, 160, 3)

    def test_what_was_never_drawn(self):
        record = session_with((0, 2, "ncc"), frames=2).recording
        with pytest.raises(DataError, match="target 1 was never drawn; drawn were: 2"):
            record.result(1)
        with pytest.raises(DataError, match=r"shape \(3, 4\); expected \(2, 4\)"):
            record.sequence(2, [box_at(0)] * 3)

    def test_as_a_table(self, tmp_path):
        record = session_with((0, 1, "ncc"), (1, 2, "mosse"), frames=3).recording
        record.write_csv(tmp_path / "a.csv")
        rows = list(csv.DictReader((tmp_path / "a.csv").open()))
        assert [(r["frame"], r["target"], r["tracker"]) for r in rows] == [
            ("0", "1", "ncc"),
            *(("1", "1", "ncc"), ("1", "2", "mosse")),
            *(("2", "1", "ncc"), ("2", "2", "mosse")),
        ]
        assert rows[0]["state"] == "drawn" and rows[1]["state"] == "sure"
        assert float(rows[1]["x"]) == pytest.approx(22, abs=1) and float(rows[4]["seconds"]) == 0.08

    def test_as_a_video_at_its_own_times(self, tmp_path):
        session = LiveSession(recording=Recording())
        times = [5.0, 5.04, 5.3, 5.34]
        for t, seconds in enumerate(times):
            session.see_jpeg(jpeg_of(frame_at(t)), seconds)
            if t == 0:
                session.start(1, "ncc", box_at(0))
        session.recording.write_video(tmp_path / "a.mp4")
        video = VideoFile(tmp_path / "a.mp4")
        np.testing.assert_allclose(video.times, np.array(times) - 5, atol=1e-3)
        with av.open(str(tmp_path / "a.mp4")) as container:
            assert container.streams.video[0].start_time == 0  # no black before the first frame
        drawn = np.abs(video[1].astype(int) - frame_at(1)).max(-1) > 60
        assert drawn[20:46, 21:48].any()  # the box

    def test_memory_stays_over_2000_frames(self):
        jpeg = jpeg_of(np.random.default_rng(0).integers(0, 255, (180, 320, 3), dtype=np.uint8))
        session = LiveSession(lambda name: Scripted(), Recording())
        session.see_jpeg(jpeg, 0)
        session.start(1, "scripted", [10, 10, 30, 30])
        tracemalloc.start()
        for t in range(1, 2001):
            session.see_jpeg(jpeg, t / 25)
            if t == 200:
                before = tracemalloc.get_traced_memory()[0]
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert len(session.recording) == 2001 and len(jpeg) > 40_000
        assert grown < 0.05 * 1800 * len(jpeg)  # what is kept of a frame is its answer
        assert grown < 3e6


class TestJpegs:
    """Frames in a temporary file."""

    def test_any_order(self):
        frames = JpegFrames()
        images = [np.full((8 + t, 10, 3), 20 * t, np.uint8) for t in range(6)]
        for t, image in enumerate(images):
            assert frames.add(jpeg_of(image)).shape == image.shape
            assert frames[0].max() < 4 and len(frames) == t + 1
        for t in (5, 0, 3):
            assert frames[t].shape == images[t].shape
            assert np.abs(frames[t].astype(int) - images[t]).max() <= 3
            assert frames.jpeg(t) == jpeg_of(images[t])
        assert frames.part(2, 4)[1].shape == images[3].shape

    def test_read_while_another_thread_adds(self):
        frames, wrong = JpegFrames(), []
        images = [np.full((16, 16, 3), 25 * k, np.uint8) for k in range(10)]
        files = [jpeg_of(image) for image in images]

        def add():
            for k in range(3000):
                frames.add(files[k % 10])

        frames.add(files[9])
        thread = threading.Thread(target=add)
        thread.start()
        while thread.is_alive():
            known = range(min(40, len(frames)))
            wrong += [k for k in known if frames.jpeg(k) != files[(k - 1) % 10]]
        thread.join()
        assert wrong == [] and len(frames) == 3001

    def test_identity_is_that_of_the_files(self):
        one, two, other = JpegFrames(), JpegFrames(), JpegFrames()
        for frames, values in ((one, (1, 90)), (two, (1, 90)), (other, (90, 1))):
            for value in values:
                frames.add(jpeg_of(np.full((8, 8, 3), value, np.uint8)))
        assert one.identity() == two.identity() != other.identity()

    def test_shrunk_but_never_enlarged(self):
        frames = JpegFrames()
        image = np.zeros((60, 80, 3), np.uint8)
        assert frames.add(jpeg_of(image, 0.5)).shape == (30, 40, 3)
        assert frames.add(jpeg_of(image, 2.0)).shape == (60, 80, 3)


class Device:
    """A camera of OpenCV's that delivers so many frames."""

    def __init__(self, count, opens=True):
        self.count, self.opens, self.released = count, opens, False

    def isOpened(self):
        return self.opens

    def set(self, *rest):
        return False

    def read(self):
        self.count -= 1
        blue = np.zeros((6, 8, 3), np.uint8)
        blue[..., 0] = 200
        return self.count >= 0, blue

    def release(self):
        self.released = True


class TestCamera:
    """A camera of this machine."""

    def test_frames_are_rgb_and_their_times_rise(self, monkeypatch):
        device = Device(3)
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: device)
        camera = Camera(1)
        moments = list(camera.moments())
        assert [m.number for m in moments] == [0, 1, 2] and moments[0].seconds == 0
        assert moments[0].seconds < moments[1].seconds < moments[2].seconds
        assert moments[1].read()[0, 0].tolist() == [0, 0, 200]
        camera.close()
        assert device.released

    def test_one_that_is_not_there_or_is_dead(self, monkeypatch):
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: Device(0, opens=False))
        with pytest.raises(MissingDataError, match="camera 4 does not open"):
            Camera(4)
        monkeypatch.setattr(cv2, "VideoCapture", lambda number: Device(0))
        with pytest.raises(DataError, match="camera 4 opens but delivers no frame"):
            list(Camera(4).moments())
