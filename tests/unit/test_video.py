"""Reading videos: one pass until decoding ends, time stamps, upright images, random access."""

from __future__ import annotations

import itertools
import os
import random
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_files import cut, join, make_music, make_video, number_of, numbered, numbers, trim

from course_lib.data.decoding import Clock, upright
from course_lib.data.frames import ArrayFrames, ImageFiles
from course_lib.data.sequence import Sequence
from course_lib.data.video import VideoFile, find_frames, timed
from course_lib.errors import DataError, MissingDataError, SettingsError

pytestmark = pytest.mark.slow

MS = Fraction(1, 1000)
UNEVEN = [0, 40, 80, 200, 210, 500, 520, 560, 900, 1000, 1040, 1080, 1500, 1501, 1700, 1900]


@pytest.fixture
def make(tmp_path):
    """Videos in the test's own folder: `make("a.mp4", 20, …)`."""
    return lambda name, *rest, **options: make_video(tmp_path / name, *rest, **options)


class TestOnePass:
    """The frames are those that decode, whatever the header says."""

    def test_a_plain_video(self, make):
        video = VideoFile(make("a.mp4"))
        assert numbers(video) == list(range(20)) and len(video) == 20 and video.note == ""
        assert video.fps == 25 and video[3].shape == (48, 64, 3) and video[3].dtype == np.uint8
        np.testing.assert_allclose(video.times, np.arange(20) / 25, atol=1e-9)

    def test_a_trimmed_phone_video_has_the_frames_that_a_player_shows(self, make):
        path = make("phone.mp4", encoder={"bf": "3", "g": "8"})
        trim(path, 5, 10)
        video = VideoFile(path)
        assert video.expected == 20  # the header counts all
        assert numbers(video) == list(range(5, 15)) and len(video) == 10
        np.testing.assert_allclose(video.times, np.arange(10) / 25, atol=1e-9)
        assert video.note == ""

    def test_joined_broadcasts_give_all_their_frames_at_rising_times(self, make):
        path = join(make("a.ts", 20), make("b.ts", 15, first=100))
        video = VideoFile(path)
        assert numbers(video) == [*range(20), *range(100, 115)]
        np.testing.assert_allclose(video.times, np.arange(35) / 25, atol=1e-6)

    def test_a_webm_without_length(self, make):
        options = {"codec": "libvpx", "base": MS, "pts": [40 * i for i in range(20)]}
        video = VideoFile(make("live.webm", muxer={"live": "1"}, **options))
        assert video.expected is None and len(video) == 20 and numbers(video) == list(range(20))

    def test_a_variable_rate_keeps_its_times(self, make):
        video = VideoFile(make("vfr.webm", 16, codec="libvpx", base=MS, pts=UNEVEN))
        assert numbers(video) == list(range(16))
        np.testing.assert_allclose(video.times, np.array(UNEVEN) / 1000, atol=1e-9)
        assert video.fps == pytest.approx(15 / 1.9)

    @pytest.mark.parametrize("name", ["one.mp4", "one.ts", "one.mkv", "one.avi"])
    def test_a_single_frame(self, make, name):
        video = VideoFile(make(name, 1, first=77))
        assert len(video) == 1 and number_of(video[0]) == 77 and list(video.times) == [0]
        assert video.fps > 0

    def test_a_stream_without_time_stamps(self, make):
        video = VideoFile(make("raw.h264", format="h264"))
        assert numbers(video) == list(range(20))
        np.testing.assert_allclose(video.times, np.arange(20) / 25, atol=1e-6)

    def test_frames_that_the_camera_dropped_do_not_end_it(self, make):
        """AVI stores an empty packet for each gap, which FFmpeg's decoders take for the end."""
        video = VideoFile(make("gaps.avi", 5, codec="mjpeg", pix="yuvj420p", pts=[0, 1, 4, 5, 9]))
        assert numbers(video) == list(range(5))
        np.testing.assert_allclose(video.times, np.array([0, 1, 4, 5, 9]) / 25, atol=1e-6)

    def test_a_fragmented_video_and_a_late_start(self, make):
        pieces = make("f.mp4", muxer={"movflags": "frag_keyframe+empty_moov"}, encoder={"g": "5"})
        assert numbers(VideoFile(pieces)) == list(range(20))
        late = VideoFile(make("late.mp4", pts=[12 + i for i in range(20)]))
        assert len(late) == 20 and late.times[0] == 0 and late.note == ""

    def test_frames_may_change_size_on_the_way(self, make):
        video = VideoFile(join(make("a.ts", 5), make("b.ts", 5, size=(96, 80), first=50)))
        assert [f.shape[:2] for f in video] == [(48, 64)] * 5 + [(80, 96)] * 5
        assert numbers(video) == [*range(5), *range(50, 55)]


class TestDamage:
    """A truncated file yields the frames before the cut; one without frames is refused."""

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("cut.mp4", {"muxer": {"movflags": "faststart"}, "encoder": {"bf": "2", "g": "10"}}),
            ("cut.mkv", {"encoder": {"g": "10"}}),
            ("cut.webm", {"codec": "libvpx", "base": MS, "pts": [40 * i for i in range(60)]}),
            ("cut.avi", {"codec": "mjpeg", "pix": "yuvj420p"}),
        ],
    )
    def test_a_cut_file_decodes_up_to_the_cut_and_says_so(self, make, name, options):
        video = VideoFile(cut(make(name, 60, **options), 0.7))
        assert 10 < len(video) < 60
        good = len(video) - 3  # what the cut went through may look like anything
        assert numbers(video)[:good] == list(range(good))
        assert f"{len(video)} frames decode" in video.note and "cut short" in video.note
        assert str(video.path) in video.note

    def test_a_hole_is_skipped_and_named(self, make):
        path = make("hole.mp4", 60, muxer={"movflags": "faststart"}, encoder={"g": "10", "bf": "0"})
        with av.open(str(path)) as container:
            packet = [p for p in container.demux(video=0) if p.size][25]
            where, size = packet.pos, packet.size
        data = bytearray(path.read_bytes())
        data[where : where + size] = bytes(size)
        path.write_bytes(data)
        video = VideoFile(path)
        shown = numbers(video)
        assert shown[:25] == list(range(25)) and shown[-20:] == list(range(40, 60))
        assert "do not decode" in video.note

    def test_a_cut_before_the_index_is_named(self, make):
        with pytest.raises(DataError, match="damaged or cut short"):
            VideoFile(cut(make("cut.mp4", 60), 0.6))

    def test_a_cut_after_the_header_leaves_no_frame(self, make):
        path = make("a.mp4", muxer={"movflags": "faststart"})
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"mdat") + 8])
        with pytest.raises(DataError, match="holds no frame that decodes"):
            len(VideoFile(path))

    def test_an_unknown_codec(self, make):
        path = make("a.mp4")
        path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
        with pytest.raises(DataError, match="codec that PyAV does not support"):
            VideoFile(path)

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("text.mp4", b"hello\n" * 100, "does not open as a video"),
            ("noise.mp4", bytes(random.Random(1).randbytes(5000)), "does not open as a video"),
            ("empty.mp4", b"", r"is empty \(0 bytes\)"),
            ("boxes.txt", b"1,2,3,4\n" * 50, "does not open as a video"),
            ("list.mp4", b"ffconcat version 1.0\nfile a.mp4\n", "does not open as a video"),
            ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n", "does not open"),
        ],
    )
    def test_files_that_are_not_videos_are_named(self, make, tmp_path, name, content, words):
        make("a.mp4", 2)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=words) as caught:
            VideoFile(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)

    def test_paths_that_are_not_files_are_named(self, tmp_path):
        with pytest.raises(MissingDataError, match=r"none.mp4 does not exist; give the path"):
            VideoFile(tmp_path / "none.mp4")
        with pytest.raises(DataError, match="is not a file"):
            VideoFile(tmp_path)

    @pytest.mark.parametrize("cover", [False, True])
    def test_music_is_not_a_video_even_with_a_cover(self, tmp_path, cover):
        with pytest.raises(DataError, match="holds no video, only .*audio"):
            VideoFile(make_music(tmp_path / "song.mp4", cover))


class TestUpright:
    """Images are rotated upright by the camera's tag."""

    @pytest.mark.parametrize("degrees", [0, 90, 180, -90])
    @pytest.mark.parametrize("mirror", ["", "hflip", "vflip"])
    def test_by_the_display_matrix(self, make, degrees, mirror):
        flips = {mirror: True} if mirror else {}
        path = make("a.mp4", 2, first=11, turn={"degrees": degrees, **flips})
        # NumPy's own rotation (counter-clockwise as in the file), then the mirror
        expected = np.rot90(numbered(11), degrees // 90)
        expected = {"hflip": np.fliplr, "vflip": np.flipud}.get(mirror, np.asarray)(expected)
        frame = VideoFile(path)[0]
        assert frame.shape == expected.shape and frame.flags.c_contiguous
        assert np.abs(frame.astype(int) - expected).mean() < 6

    @pytest.mark.parametrize(("tag", "turns"), [("90", -1), ("180", 2), ("270", 1), ("0", 0)])
    def test_by_the_old_tag_clockwise(self, make, tag, turns):
        frame = VideoFile(make("a.mkv", 2, first=11, tags={"rotate": tag}))[0]
        expected = np.rot90(numbered(11), turns)
        assert frame.shape == expected.shape and np.abs(frame.astype(int) - expected).mean() < 6

    @pytest.mark.parametrize("tag", ["upside down", "nan", "inf", ""])
    def test_an_invalid_tag_rotates_nothing(self, make, tag):
        frame = VideoFile(make("a.mkv", 2, first=11, tags={"rotate": tag}))[0]
        assert number_of(frame) == 11

    def test_to_the_nearest_of_eight_ways(self):
        image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        small = np.deg2rad(10)
        about = (np.cos(small), np.sin(small), -np.sin(small), np.cos(small))
        assert np.array_equal(upright(image, about), image)
        # one step right in the file is one step down on the screen, one step down is one to the right
        assert np.array_equal(upright(image, (0, 1, 1, 0)), image.transpose(1, 0, 2))


class TestImages:
    """Colours and depths."""

    @pytest.mark.parametrize(
        ("name", "codec", "pix"),
        [
            ("ten.mkv", "ffv1", "yuv420p10le"),
            ("grey.mkv", "ffv1", "gray"),
            ("grey16.mkv", "ffv1", "gray16le"),
            ("alpha.mkv", "ffv1", "bgra"),
            ("alpha.webm", "libvpx-vp9", "yuva420p"),
            ("full.mkv", "ffv1", "yuv444p"),
            ("motion.avi", "mjpeg", "yuvj420p"),
            ("old.mpg", "mpeg2video", "yuv420p"),
            ("animated.gif", "gif", "rgb8"),
        ],
    )
    def test_every_format_becomes_rgb(self, make, name, codec, pix):
        base = (
            Fraction(1, 100) if name.endswith("gif") else MS if "webm" in name else Fraction(1, 25)
        )
        step = {Fraction(1, 100): 4, MS: 40}.get(base, 1)
        path = make(name, 6, codec=codec, pix=pix, base=base, pts=[step * i for i in range(6)])
        video = VideoFile(path)
        assert numbers(video) == list(range(6))
        assert all(f.shape == (48, 64, 3) and f.dtype == np.uint8 for f in video)
        assert np.abs(video[5].astype(int) - numbered(5)).mean() < 25

    @pytest.mark.parametrize("size", [(33, 47), (1, 1), (7, 200)])
    def test_odd_sizes(self, make, size):
        assert VideoFile(make("odd.mkv", 2, codec="ffv1", pix="yuv444p", size=size))[1].shape == (
            size[1],
            size[0],
            3,
        )

    @pytest.mark.parametrize(("matrix", "number"), [("ITU709", 1), ("ITU601", 6)])
    def test_colours_follow_the_files_matrix(self, tmp_path, matrix, number):
        red = np.full((48, 64, 3), (200, 60, 30), np.uint8)
        with av.open(str(tmp_path / "c.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"qp": "1"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.colorspace, stream.codec_context.color_range = number, 1
            frame = av.VideoFrame.from_ndarray(red, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range="MPEG")
            container.mux([*stream.encode(frame), *stream.encode()])
        assert np.abs(VideoFile(tmp_path / "c.mp4")[0].astype(int) - red).max() <= 3

    def test_the_largest_of_several_videos_in_one_file(self, tmp_path):
        path = tmp_path / "two.mkv"
        with av.open(str(path), "w") as container:
            streams = []
            for size in ((32, 32), (128, 96), (64, 48)):
                stream = container.add_stream("libx264", rate=25)
                (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
                streams.append(stream)
            for i in range(4):
                for stream in streams:
                    image = numbered(i, stream.height, stream.width)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            for stream in streams:
                container.mux(stream.encode())
        video = VideoFile(path)
        assert video[0].shape == (96, 128, 3) and numbers(video) == list(range(4))

    @pytest.mark.parametrize("name", ["a:b.mp4", "100%d.mp4", "ünïcode ✓.mp4", "-v.mp4"])
    def test_names_mean_nothing(self, make, tmp_path, monkeypatch, name):
        os.replace(make("plain.mp4", 3), tmp_path / name)
        monkeypatch.chdir(tmp_path)
        assert len(VideoFile(tmp_path / name)) == len(VideoFile(name)) == 3

    def test_metadata_in_another_encoding(self, tmp_path, make):
        path = make("a.mkv", 3, tags={"title": "ABCD"})
        path.write_bytes(path.read_bytes().replace(b"ABCD", b"A\xff\xe9D"))
        assert len(VideoFile(path)) == 3


KINDS = {
    "b.mp4": {"encoder": {"bf": "3", "g": "8"}},
    "vfr.webm": {
        "codec": "libvpx",
        "base": MS,
        "pts": [UNEVEN[-1] // 2 * i // 8 for i in range(16)],
    },
    "open.ts": {"encoder": {"bf": "2", "g": "6", "x264-params": "open-gop=1"}},
}


class TestRandomAccess:
    """Frame i is the i-th of the single pass, in whatever order frames are read."""

    @pytest.mark.parametrize("name", KINDS)
    def test_any_order_reads_the_same_frames(self, make, name):
        video = VideoFile(make(name, 16, **KINDS[name]))
        once = list(video)
        order = random.Random(3).choices(range(-16, 16), k=40)
        for i in order:
            assert np.array_equal(video[i], once[i]), (i, order)
        with pytest.raises(IndexError, match="frame 16 requested, but there are only 16"):
            video[16]

    def test_a_joined_broadcast_too(self, make):
        video = VideoFile(join(make("a.ts", 8), make("b.ts", 8, first=8)))
        once = list(video)
        for i in (15, 2, 9, 8, 7, 0, 15):
            assert number_of(video[i]) == i and np.array_equal(video[i], once[i])

    def test_reading_in_order_decodes_once(self, make, monkeypatch):
        video = VideoFile(make("a.mp4"))
        passes, decode = [], VideoFile.decode
        monkeypatch.setattr(VideoFile, "decode", lambda v: passes.append(1) or decode(v))
        assert [number_of(video[i]) for i in range(len(video))] == list(range(20))
        assert len(passes) == 2  # one that counts, one that reads
        assert number_of(video[19]) == 19 and len(passes) == 2

    @pytest.mark.skipif(
        not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux lists them"
    )
    def test_a_video_read_to_its_end_is_closed(self, make):
        video = VideoFile(make("a.mp4", 6))
        for i in range(len(video)):
            video[i]
        opened = {os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")}
        assert os.path.realpath(video.path) not in opened

    def test_two_loops_and_an_index_do_not_disturb_each_other(self, make):
        video = VideoFile(make("a.mp4", 6))
        for i, (one, other) in enumerate(zip(video, video, strict=True)):
            assert number_of(one) == number_of(other) == i
            assert number_of(video[5 - i]) == 5 - i

    def test_it_serves_a_sequence(self, make):
        video = VideoFile(make("a.mp4", 8))
        part = Sequence("own", video, np.full((8, 4), 5.0), fps=video.fps).part(2, 6)
        assert len(part) == 4 and [number_of(f) for f in part.frames] == [2, 3, 4, 5]

    def test_a_file_that_shrinks_meanwhile_is_named(self, make):
        video = VideoFile(make("a.mp4", 12))
        assert len(video) == 12
        make("a.mp4", 4)
        with pytest.raises(DataError, match="fewer frames than before"):
            video[11]


class TestClock:
    """Times from time stamps, worked by hand; 25 frames per second."""

    @staticmethod
    def times(stamps, may_jump=False):
        clock = Clock(Fraction(25), may_jump)
        return [float(clock.seconds(s, MS)) for s in stamps]

    def test_from_zero_on(self):
        assert self.times([500, 540, 580]) == [0, 0.04, 0.08]

    def test_missing_stamps_follow_at_the_rate(self):
        assert self.times([0, None, None, 200]) == [0, 0.04, 0.08, 0.2]

    def test_a_repeated_stamp_shifts_nothing_that_follows(self):
        assert self.times([0, 40, 40, 120]) == [0, 0.04, 0.0401, 0.12]

    def test_another_clock_continues_one_frame_later(self):
        assert self.times([0, 40, 80, 120, 0, 40]) == pytest.approx([0.04 * i for i in range(6)])

    def test_a_broadcast_may_jump_either_way(self):
        assert self.times([0, 40, 0, 40], True) == pytest.approx([0, 0.04, 0.08, 0.12])
        assert self.times([0, 40, 99_000, 99_040], True) == pytest.approx([0, 0.04, 0.08, 0.12])
        assert self.times([0, 40, 99_000]) == [0, 0.04, 99]  # in a file a pause is a pause

    @given(st.lists(st.none() | st.integers(-(10**9), 10**9), max_size=30), st.booleans())
    @settings(max_examples=200, deadline=None)
    def test_always_rising(self, stamps, may_jump):
        times = self.times(stamps, may_jump)
        assert all(b > a for a, b in itertools.pairwise(times))
        assert times[:1] in ([], [0.0])


class TestFindFrames:
    """What a user may give: a file, a folder, a pattern, several images."""

    @pytest.fixture
    def folder(self, tmp_path):
        import cv2

        home = tmp_path / "frames"
        home.mkdir()
        for i in range(12):
            cv2.imwrite(str(home / f"{i}.png"), numbered(i)[..., 0])
        (home / "notes.txt").write_text("mine")
        (home / ".7.png").write_bytes(b"what a Mac leaves")
        return home

    @pytest.mark.parametrize("what", ["folder", "pattern", "several"])
    def test_images_come_in_the_order_of_their_numbers(self, folder, what):
        given = {"folder": folder, "pattern": str(folder / "*.png"), "several": None}[what]
        several = sorted(p for p in folder.glob("*.png") if p.name[0] != ".")  # 0, 1, 10, 11, 2 …
        frames = find_frames(several if what == "several" else given)
        assert isinstance(frames, ImageFiles) and numbers(frames) == list(range(12))

    def test_one_image_and_a_pattern_in_a_name(self, folder, make):
        assert len(find_frames(folder / "3.png")) == 1
        os.replace(make("plain.mp4", 3), folder / "clip[1].mp4")
        assert isinstance(find_frames(folder / "clip[1].mp4"), VideoFile)
        assert isinstance(find_frames([str(folder / "*.mp4")]), VideoFile)

    def test_missing_files_are_named(self, folder, tmp_path):
        with pytest.raises(MissingDataError, match=r"nothing matches .*\*.jpg"):
            find_frames(folder / "*.jpg")
        with pytest.raises(MissingDataError, match="contains the folders frames: give one of them"):
            find_frames(tmp_path)
        with pytest.raises(MissingDataError, match="none.png does not exist"):
            find_frames(folder / "none.png")
        with pytest.raises(SettingsError, match=r"notes.txt is not an image; give one video"):
            find_frames(folder / "*")

    def test_times_of_images_are_even(self):
        frames = ArrayFrames([numbered(i) for i in range(3)])
        assert [(f.number, float(f.seconds)) for f in timed(frames, 10)] == [
            (0, 0),
            (1, 0.1),
            (2, 0.2),
        ]
        assert [number_of(f.read()) for f in timed(frames)] == [0, 1, 2]
