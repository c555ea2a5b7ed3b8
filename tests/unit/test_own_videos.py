"""Videos as people have them: each is tracked to its last frame, or refused with a sentence."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from test_live import box_at, frame_at

from course_lib.cli import main
from course_lib.data.video import VideoFile
from course_lib.evaluation.results import read_result
from course_lib.widgets import TrackerBench

pytestmark = pytest.mark.slow

T = 20
MS = Fraction(1, 1000)
UNEVEN = [int(33.3 * t) + 150 * (t > 8) for t in range(T)]  # a phone in the dark skips a few
SIDEWAYS = {"degrees": -90, "hflip": False, "vflip": False}
# name: codec, format of pixels, and the turn that a phone held upright writes down
KINDS = {
    "phone.mp4": ("libx264", "yuv420p", True),
    "phone.mov": ("libx265", "yuv420p", True),
    "ten_bits.mp4": ("libx265", "yuv420p10le", True),
    "browser.webm": ("libvpx-vp9", "yuv420p", False),
    "new.mp4": ("libsvtav1", "yuv420p", False),
    "looping.gif": ("gif", "rgb8", False),
    "edited.mov": ("prores_ks", "yuv422p10le", False),
}


def record(path, codec: str, pix: str, turned: bool):
    """A video of the moving square, with a variable frame rate."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        # as the sensor lies in the phone: the image is stored on its side
        images = [np.rot90(frame_at(t), k=1 if turned else 0) for t in range(T)]
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix
        base = Fraction(1, 100) if codec == "gif" else MS
        stream.time_base = stream.codec_context.time_base = base
        if turned:
            stream.set_display_rotation(**SIDEWAYS)
        for t, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = int(UNEVEN[t] * MS / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(params=KINDS)
def own(request, tmp_path):
    """A video of each kind, where PyAV as installed writes it."""
    codec, pix, turned = KINDS[request.param]
    if codec not in av.codecs_available:
        pytest.skip(f"writes a video with {codec}, which PyAV as installed lacks")
    return record(tmp_path / request.param, codec, pix, turned)


def check(boxes) -> None:
    """The square was followed to the last frame."""
    assert len(boxes) == T
    np.testing.assert_allclose(boxes, [box_at(t) for t in range(T)], atol=2)


def test_by_the_command(own):
    command = ["track", "--video", str(own), "--box", "20,20,24,24", "--tracker", "ncc"]
    assert main([*command, "--quiet"]) == 0
    check(read_result(own.with_name(f"{own.stem}-ncc.txt")).boxes)
    times = VideoFile(own.with_name(f"{own.stem}-ncc.mp4")).times
    np.testing.assert_allclose(
        times, np.array(UNEVEN) / 1000, atol=0.011
    )  # a GIF counts in 1/100 s


def test_by_the_bench(own):
    bench = TrackerBench(video=own)
    bench.reply({"do": "look"}, [])
    start = {"target": 1, "tracker": "ncc", "box": box_at(0)}
    bench.reply({"do": "step", "starts": [start]}, [])
    while "end" not in bench.reply({"do": "step", "next": True}, [])[0]:
        pass
    check(bench.recording.result(1).boxes)
    np.testing.assert_allclose(bench.recording.seconds, np.array(UNEVEN) / 1000, atol=0.011)


def test_a_folder_of_frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for t in range(T):
        cv2.imwrite(str(folder / f"{t}.png"), cv2.cvtColor(frame_at(t), cv2.COLOR_RGB2BGR))
    command = ["track", "--video", str(folder), "--box", "20,20,24,24", "--tracker", "ncc"]
    assert main([*command, "--quiet", "--out", str(tmp_path / "a.mp4")]) == 0
    check(read_result(tmp_path / "a.txt").boxes)


@pytest.mark.parametrize("name", ["holiday.heic", "clip.mp4", "song.mp4"])
def test_what_is_no_video_is_refused(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(200))
    command = ["track", "--video", str(tmp_path / name), "--box", "1,2,3,4"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("track: ") and name in error and "Traceback" not in error
