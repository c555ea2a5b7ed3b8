"""Small videos made by PyAV for tests: every frame shows its own number as eight bars."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from course_lib.data.frames import ImageFiles
from course_lib.data.video import VideoFile


def numbered(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """An image (H, W, 3) that shows a number below 256: its bits, the highest at the left."""
    bars = np.array([(number >> (7 - k)) & 1 for k in range(8)])
    row = np.repeat(bars, -(-width // 8))[:width]  # (W,)
    return np.repeat(np.repeat(np.uint8(20 + 210 * row)[None, :, None], height, 0), 3, 2)


def number_of(image: np.ndarray) -> int:
    """The number that an image shows."""
    width = image.shape[1]
    bar = -(-width // 8)
    centres = [min(k * bar + bar // 2, width - 1) for k in range(8)]
    bits = image[image.shape[0] // 2, centres].mean(-1) > 125
    return int("".join("01"[int(b)] for b in bits), 2)


def numbers(frames: VideoFile | ImageFiles) -> list[int]:
    """The numbers that all frames show, in one pass."""
    return [number_of(frame) for frame in frames]


def make_video(
    path: Path,
    count: int = 20,
    *,
    codec: str = "libx264",
    pix: str = "yuv420p",
    pts: list[int] | None = None,
    base: Fraction = Fraction(1, 25),
    size: tuple[int, int] = (64, 48),
    format: str | None = None,
    muxer: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
    first: int = 0,
    turn: dict | None = None,
    tags: dict[str, str] | None = None,
) -> Path:
    """A video of `count` frames numbered from `first` on, shown at `pts` · `base` seconds."""
    with av.open(str(path), "w", format=format, options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=25, options=encoder or {})
        (stream.width, stream.height), stream.pix_fmt = size, pix
        stream.time_base = stream.codec_context.time_base = base
        stream.metadata.update(tags or {})
        if turn is not None:
            stream.set_display_rotation(**turn)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(numbered(first + i, *size[::-1]), format="rgb24")
            frame.pts, frame.time_base = (i if pts is None else pts[i]), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def trim(path: Path, first: int, count: int) -> None:
    """Trim an MP4 of 25 frames a second as a phone does: by its edit list; all frames stay."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12  # after version, flags and the number of entries
    _, media_time = struct.unpack(">Ii", data[at : at + 8])
    data[at : at + 8] = struct.pack(">Ii", 40 * count, media_time + 512 * first)
    path.write_bytes(data)


def cut(path: Path, share: float) -> Path:
    """Truncate a file to a fraction of its length."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def join(*parts: Path) -> Path:
    """Append files to the first one."""
    data = b"".join(part.read_bytes() for part in parts)
    parts[0].write_bytes(data)
    return parts[0]


def make_music(path: Path, cover: bool = False) -> Path:
    """A second of silence, optionally with a cover image."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        silent = np.zeros((1, 1024), np.float32)
        image = None
        if cover:
            image = container.add_stream("png", rate=1)
            (image.width, image.height), image.pix_fmt = (640, 480), "rgb24"
            image.disposition = av.stream.Disposition.attached_pic
        for i in range(8):
            frame = av.AudioFrame.from_ndarray(silent, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, 1024 * i
            container.mux(sound.encode(frame))
        if image is not None:
            sleeve = av.VideoFrame.from_ndarray(numbered(1, 480, 640), format="rgb24")
            sleeve.pts = 0
            container.mux([*image.encode(sleeve), *image.encode()])
        container.mux(sound.encode())
    return path
