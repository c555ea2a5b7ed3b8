"""Written videos: H.264 that browsers play, whole or not at all; one pass; a command's files."""

from __future__ import annotations

import errno
import json
import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from video_files import numbered, numbers

from course_lib.cli.outputs import check_outputs, record_of
from course_lib.data.frames import ArrayFrames
from course_lib.data.video import VideoFile, timed
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.evaluation import video as writing
from course_lib.evaluation.follow import follow, write_steps
from course_lib.evaluation.video import VideoWriter, annotate, write_video
from course_lib.plots import PREDICTION
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker

GREY = np.full((60, 80, 3), 90, np.uint8)
NO_BOX = np.full(4, np.nan)


class TestWriting:
    """The file that is written."""

    def test_it_is_what_browsers_play(self, tmp_path):
        write_video(tmp_path / "a.mp4", [numbered(i) for i in range(12)], 25)
        with av.open(str(tmp_path / "a.mp4")) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert stream.average_rate == 25
        data = (tmp_path / "a.mp4").read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")  # plays before it is fully loaded
        assert numbers(VideoFile(tmp_path / "a.mp4")) == list(range(12))

    @pytest.mark.parametrize("fps", [10, 25, 29.97, 30, 59.94])
    def test_an_even_rate_is_kept(self, tmp_path, fps):
        write_video(tmp_path / "a.mp4", [numbered(i) for i in range(8)], fps)
        np.testing.assert_allclose(
            VideoFile(tmp_path / "a.mp4").times, np.arange(8) / fps, atol=1e-4
        )

    def test_uneven_times_are_kept(self, tmp_path):
        times = [0, Fraction(1, 30), 0.5, 0.51, 2, 2.04]
        with VideoWriter(tmp_path / "a.mp4") as video:
            for i, seconds in enumerate(times):
                video.add(numbered(i), seconds)
        read = VideoFile(tmp_path / "a.mp4")
        np.testing.assert_allclose(read.times, np.array(times, float), atol=1e-4)
        assert numbers(read) == list(range(6))

    def test_times_that_do_not_rise_lose_no_frame(self, tmp_path):
        with VideoWriter(tmp_path / "a.mp4") as video:
            for i in range(4):
                video.add(numbered(i), 0)
        with av.open(str(tmp_path / "a.mp4")) as container:
            stamps = [frame.pts for frame in container.decode(video=0)]
        assert len(set(stamps)) == 4 and stamps == sorted(stamps)
        assert numbers(VideoFile(tmp_path / "a.mp4")) == [0, 1, 2, 3]

    @pytest.mark.parametrize("size", [(33, 47), (64, 47), (1, 1), (201, 2)])
    def test_an_odd_side_gets_a_copy_of_its_last_line(self, tmp_path, size):
        image = np.full((size[1], size[0], 3), 30, np.uint8)
        image[-1], image[:, -1] = 220, 220
        write_video(tmp_path / "a.mp4", [image] * 3, 25)
        frame = VideoFile(tmp_path / "a.mp4")[2]
        assert frame.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
        assert frame[-1, -1].min() > 180

    def test_images_of_other_sizes_are_scaled_to_the_first(self, tmp_path):
        write_video(
            tmp_path / "a.mp4", [numbered(1), numbered(2, 96, 128), numbered(3, 24, 32)], 25
        )
        video = VideoFile(tmp_path / "a.mp4")
        assert numbers(video) == [1, 2, 3] and {f.shape for f in video} == {(48, 64, 3)}

    def test_colours_come_back(self, tmp_path):
        image = np.full((48, 64, 3), (200, 60, 30), np.uint8)
        write_video(tmp_path / "a.mp4", [image] * 3, 25)
        assert np.abs(VideoFile(tmp_path / "a.mp4")[1].astype(int) - image).max() <= 5

    def test_memory_does_not_hold_the_frames(self, tmp_path):
        """A generator is asked for one frame at a time, each after the one before was taken."""
        asked = []

        def frames():
            for i in range(60):
                asked.append(i)
                yield numbered(i)

        with VideoWriter(tmp_path / "a.mp4") as video:
            for frame in frames():
                assert video.count == len(asked) - 1
                video.add(frame)


class TestFaults:
    """Whole or not at all, and the cause is named."""

    def fails(self, tmp_path, words, kind=CourseError, frames=(GREY,)):
        out = tmp_path / "a.mp4"
        out.write_bytes(b"the old one")
        with pytest.raises(kind, match=words) as caught:
            write_video(out, frames, 25)
        assert out.read_bytes() == b"the old one" and os.listdir(tmp_path) == ["a.mp4"]
        return caught.value

    def test_no_frame(self, tmp_path):
        self.fails(tmp_path, "no frame to write into .*a.mp4", frames=())

    def test_no_encoder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(writing, "ENCODERS", ("no-such-encoder",))
        self.fails(tmp_path, r"a.mp4 cannot be written: PyAV .* has no H.264 encoder \(looked for")

    def test_another_encoder_replaces_a_missing_one(self, tmp_path, monkeypatch):
        monkeypatch.setattr(writing, "ENCODERS", ("no-such-encoder", "libx264rgb", "libx264"))
        monkeypatch.setattr(av, "codecs_available", {"libx264"})
        write_video(tmp_path / "a.mp4", [GREY] * 2, 25)
        assert len(VideoFile(tmp_path / "a.mp4")) == 2

    def test_images_that_no_encoder_takes(self, tmp_path):
        wide = np.zeros((2, 20_000, 3), np.uint8)
        self.fails(tmp_path, r"a.mp4 cannot be written: the H.264 encoder says", frames=[wide])

    def test_an_error_among_the_frames(self, tmp_path):
        def frames():
            yield from [GREY] * 30
            raise DataError("the fifth wheel")

        self.fails(tmp_path, "the fifth wheel", frames=frames())

    @pytest.mark.parametrize("when", ["mux", "close"])
    def test_a_full_disk(self, tmp_path, monkeypatch, when):
        """At whatever moment the disk is full; the container is a stand-in that cannot write."""
        full = av.error.OSError(errno.ENOSPC, "No space left on device", "part")
        opened = av.open

        class Full:
            def __init__(self, *given, **options):
                self.inner = opened(*given, **options)

            def __getattr__(self, name):
                return self.say if name == when else getattr(self.inner, name)

            def say(self, *rest):
                self.inner.close()
                raise full

        monkeypatch.setattr(av, "open", Full)
        problem = self.fails(tmp_path, "No space left", OSError, [GREY] * 100)
        assert problem.errno == errno.ENOSPC and problem.filename == str(tmp_path / "a.mp4")


class TestDrawing:
    """Boxes and text on a copy of the frame."""

    def test_the_frame_is_unchanged_and_the_box_is_in_its_place(self):
        frame = GREY.copy()
        drawn = annotate(frame, NO_BOX, np.array([10.0, 20, 30, 25]))
        assert np.array_equal(frame, GREY)
        rows, columns = np.nonzero((drawn != GREY).any(-1))
        # lines are 2 px wide, about first and last pixel of the box: 10 … 39 and 20 … 44
        assert (columns.min(), columns.max()) in {(9, 39), (9, 40), (10, 40)}
        assert (rows.min(), rows.max()) in {(19, 44), (19, 45), (20, 45)}

    @pytest.mark.parametrize(
        "box",
        [
            [1, 1, 5e7, 4e7],
            [-4e15, -4e15, 8e15, 8e15],
            [1e300, 1e300, 1, 1],
            [5, 5, 1e-3, 1e-3],
            [-30, 5, 20, 20],
            [np.nan] * 4,
            [np.inf, 0, 1, 1],
        ],
    )
    def test_any_box_is_drawn_in_no_time(self, monkeypatch, box):
        """The number of strokes is bounded by the image, not by the box."""
        strokes, line = [], cv2.line
        monkeypatch.setattr(cv2, "line", lambda *rest: strokes.append(1) or line(*rest))
        assert annotate(GREY, np.array(box, float), np.array(box, float), "7").shape == GREY.shape
        assert len(strokes) < 100

    def test_a_box_around_everything_is_not_seen_at_any_edge(self):
        box = np.array([-100.0, -100, 500, 500])
        assert np.array_equal(annotate(GREY, box, box), GREY)

    def test_the_trackers_box_is_dashed(self):
        drawn = annotate(GREY, np.array([10.0, 10, 60, 40]))
        colour = [int(PREDICTION[i : i + 2], 16) for i in (1, 3, 5)]
        top = (drawn[10, 10:70] == colour).all(-1)
        assert 0.3 < top.mean() < 0.9


class Wanders(Tracker):
    """Moves one pixel right per frame; `fail` is raised on a frame's number."""

    name = "wanders"

    def __init__(self, fail=None, on=-1):
        self.fail, self.on = fail, on

    def init(self, frame, box):
        self.box, self.frames = np.array(box, float), 0

    def update(self, frame):
        self.frames += 1
        if self.frames == self.on:
            raise self.fail
        self.box[0] += 1
        return self.box.copy()


class Torn(ArrayFrames):
    """Frames of which the one numbered `hole` cannot be read."""

    def __init__(self, images, hole, fault):
        super().__init__(images)
        self.hole, self.fault = hole, fault

    def _read(self, index):
        if index == self.hole:
            raise self.fault
        return super()._read(index)


class TestFollow:
    """Track, draw and write each frame before the next."""

    BOX = np.array([5.0, 5, 10, 10])

    def go(self, tmp_path, tracker, frames, said):
        steps = follow(tracker, timed(frames), self.BOX, said)
        with VideoWriter(tmp_path / "a.mp4") as writer:
            return write_steps(writer, steps, lambda s: (None, str(s.moment.number)), said)

    def test_boxes_frames_and_times_belong_together(self, tmp_path):
        said = []
        result = self.go(tmp_path, Wanders(), ArrayFrames([GREY] * 6), said)
        assert np.array_equal(result.boxes, self.BOX + np.outer(range(6), [1, 0, 0, 0]))
        assert len(VideoFile(tmp_path / "a.mp4")) == 6 and said == []
        assert (result.seconds > 0).all() and result.seconds.shape == (6,)

    def test_a_tracker_may_go_on_changing_the_array_that_it_returned(self, tmp_path):
        class InPlace(Wanders):
            def init(self, frame, box):
                self.box = np.array(box)

            def update(self, frame):
                self.box[0] += 1
                return self.box

        result = self.go(tmp_path, InPlace(), ArrayFrames([GREY] * 6), [])
        assert np.array_equal(result.boxes, self.BOX + np.outer(range(6), [1, 0, 0, 0]))

    def test_a_frame_is_not_read_before_the_one_before_is_drawn(self, tmp_path):
        read = []

        class Watched(ArrayFrames):
            def _read(self, index):
                read.append(index)
                return super()._read(index)

        steps = follow(Wanders(), timed(Watched([GREY] * 5)), self.BOX, [])
        for k, _ in enumerate(steps):
            assert read == list(range(k + 1))

    @pytest.mark.parametrize("fault", [DataError("frame 4 is torn"), OSError(5, "I/O error", "x")])
    def test_a_break_in_the_middle_keeps_what_was_tracked(self, tmp_path, fault):
        said = []
        result = self.go(tmp_path, Wanders(), Torn([GREY] * 9, 4, fault), said)
        assert len(result) == len(VideoFile(tmp_path / "a.mp4")) == 4
        assert len(said) == 1 and said[0].startswith("the frames from 4 on are left out: ")

    def test_a_first_frame_that_cannot_be_read_is_an_error(self, tmp_path):
        with pytest.raises(DataError, match="torn"):
            self.go(tmp_path, Wanders(), Torn([GREY] * 9, 0, DataError("torn")), [])

    def test_stopping_by_hand_keeps_what_was_tracked(self, tmp_path):
        said = []
        tracker = Wanders(KeyboardInterrupt(), on=5)
        result = self.go(tmp_path, tracker, ArrayFrames([GREY] * 9), said)
        assert len(result) == len(VideoFile(tmp_path / "a.mp4")) == 5
        assert said == ["stopped by hand; the 5 frames tracked so far are kept"]

    def test_an_error_of_the_tracker_is_not_hidden(self, tmp_path):
        with pytest.raises(DataError, match="lost my way"):
            self.go(tmp_path, Wanders(DataError("lost my way"), 3), ArrayFrames([GREY] * 9), [])

    def test_the_trackers_own_first_box_is_the_one_given(self, tmp_path):
        result = self.go(tmp_path, make_tracker("stay-put"), ArrayFrames([GREY] * 2), [])
        assert np.array_equal(result.boxes, [self.BOX, self.BOX])


class TestOwnFiles:
    """A command replaces nothing that it did not make."""

    @pytest.fixture
    def left(self, tmp_path):
        """The files of a run: a file and its record."""
        file, record = tmp_path / "a.txt", tmp_path / "a.json"
        file.write_text("boxes")
        record.write_text(record_of("track", {file: file}, {"box": [1, 2, 3, 4]}))
        return record, [file]

    def test_its_own_may_be_replaced(self, left):
        check_outputs("track", *left, [])

    def test_the_record_says_what_was_run(self, left):
        content = json.loads(left[0].read_text())
        assert content["made_by"] == "track" and content["box"] == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        "change",
        [
            lambda record, file: file.write_text("boxes, corrected by hand"),
            lambda record, file: record.unlink(),
            lambda record, file: record.write_text(record.read_text().replace("[", "[0, ")),
            lambda record, file: record.write_text("{}"),
            lambda record, file: record.write_text("[1, 2]"),
            lambda record, file: record.write_text('{"made_by": "track", "files": 3, "sum": 1}'),
            lambda record, file: record.write_bytes(b"\xff\xfe"),
            lambda record, file: record.write_text(record_of("demo", {file: file}, {})),
            lambda record, file: (file.unlink(), file.mkdir()),
            lambda record, file: (file.unlink(), file.symlink_to(record)),
            lambda record, file: (file.unlink(), file.symlink_to("nowhere")),
            lambda record, file: (file.rename(file.with_name("b")), file.symlink_to("b")),
        ],
    )
    def test_anything_else_stays(self, left, change):
        record, (file,) = left
        change(record, file)
        with pytest.raises(SettingsError, match="exists already.*move it, delete it"):
            check_outputs("track", record, [file], [])

    def test_the_input_is_never_written_to(self, left, tmp_path):
        record, (file,) = left
        link, hard = tmp_path / "link.mp4", tmp_path / "hard.mp4"
        link.symlink_to(file)
        os.link(file, hard)
        for out, given in ((file, file), (link, file), (file, link), (hard, file)):
            with pytest.raises(SettingsError, match="which is the input itself"):
                check_outputs("track", record, [out], [given])

    def test_a_new_folder_is_made_only_when_written_to(self, tmp_path):
        check_outputs("track", tmp_path / "new" / "er" / "a.json", [tmp_path / "new" / "a"], [])
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
    def test_a_folder_that_takes_no_files_is_named(self, tmp_path, monkeypatch, number):
        def refuse(dir):
            raise OSError(number, os.strerror(number), f"{dir}/tmpx")

        monkeypatch.setattr("course_lib.cli.outputs.tempfile.TemporaryFile", refuse)
        with pytest.raises(OSError) as caught:
            check_outputs("track", tmp_path / "a.json", [], [])
        assert caught.value.errno == number and caught.value.filename == str(tmp_path)
