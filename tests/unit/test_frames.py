"""Frames: what is read, when it is read, and the sentences for what does not decode."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from course_lib.data.frames import ArrayFrames, ImageFiles, VideoFile, as_frame, read_image
from course_lib.errors import DataError, MissingDataError


def picture(seed: int, height: int = 12, width: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), picture(i)[..., ::-1])
    return paths


def test_an_image_file_is_read_as_rgb(files):
    np.testing.assert_array_equal(read_image(files[2]), picture(2))
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    path = files[0].with_name("rot ü.png")
    cv2.imencode(".png", red[..., ::-1])[1].tofile(path)
    np.testing.assert_array_equal(read_image(path), red)


def test_a_grey_file_has_three_equal_channels(tmp_path):
    grey = picture(1)[..., 0]
    cv2.imwrite(str(tmp_path / "g.png"), grey)
    frame = read_image(tmp_path / "g.png")
    assert frame.shape == (12, 16, 3)
    assert (frame == grey[..., None]).all()


def test_length_index_loop_and_part(files):
    frames = ImageFiles(files)
    assert len(frames) == 4
    np.testing.assert_array_equal(frames[-1], picture(3))
    assert [int(f.sum()) for f in frames] == [int(picture(i).sum()) for i in range(4)]
    part = frames.part(1, 3)
    assert len(part) == 2
    np.testing.assert_array_equal(part[1], picture(2))
    with pytest.raises(IndexError, match="frame 4 asked for, but there are 4"):
        frames[4]


def test_nothing_is_decoded_before_it_is_asked_for(files):
    files[1].write_bytes(b"not an image")
    frames = ImageFiles(files)
    np.testing.assert_array_equal(frames[0], picture(0))
    with pytest.raises(DataError, match=rf"{files[1].name} \(12 bytes\) does not decode"):
        frames[1]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.98])
def test_a_file_cut_short_is_named_and_never_half_a_frame(tmp_path, share, suffix):
    path = tmp_path / f"0001{suffix}"
    encoded = cv2.imencode(suffix, picture(0, 60, 80))[1].tobytes()
    path.write_bytes(encoded[: int(len(encoded) * share)])
    with pytest.raises(
        DataError,
        match=rf"0001{suffix} \([0-9]+ bytes\) does not decode .* fetch the sequence again",
    ):
        read_image(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"0001.jpg does not exist; fetch"):
        read_image(tmp_path / "0001.jpg")


def test_frames_may_change_size_and_be_grey():
    frames = ArrayFrames([picture(0), picture(1, 5, 7), picture(2)[..., 0]])
    assert [f.shape for f in frames] == [(12, 16, 3), (5, 7, 3), (12, 16, 3)]


@pytest.mark.parametrize("image", [
    np.zeros((4, 4, 3)),
    np.zeros((4, 4, 4), dtype=np.uint8),
    np.zeros((0, 4, 3), dtype=np.uint8),
    np.zeros(4, dtype=np.uint8),
])  # fmt: skip
def test_what_is_no_frame_is_refused(image):
    with pytest.raises(DataError, match=r"expected uint8 \(height, width, 3\)"):
        as_frame(image)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no MJPG video")
    for i in range(6):
        writer.write(np.full((48, 64, 3), 40 * i, dtype=np.uint8))
    writer.release()
    return path


def test_a_video_is_read_forwards_backwards_and_again(video):
    frames = VideoFile(video)
    assert len(frames) == 6 and frames.fps == 20
    for i in [0, 1, 2, 5, 3, 0, 0, -1]:
        assert abs(float(frames[i].mean()) - 40 * (i % 6)) < 4, i
    assert [round(float(f.mean()) / 40) for f in frames] == [0, 1, 2, 3, 4, 5]


def test_what_is_no_video_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"none.mp4 does not exist; give the path"):
        VideoFile(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(DataError, match=r"text.mp4 does not open as a video; expected MP4"):
        VideoFile(tmp_path / "text.mp4")
