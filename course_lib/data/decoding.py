"""Decoding for `data.video` with PyAV (FFmpeg): streams, damage, time stamps, orientation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from course_lib.errors import DataError, MissingDataError

USUAL_RATE = Fraction(25)  # frames per second where nothing says
LONGEST_GAP = 10  # seconds between two frames of a broadcast; after a longer gap the clock jumped
# formats that FFmpeg would render from text or bytes, or follow to other files and addresses
NO_VIDEOS = {"tty", "bin", "xbin", "adf", "idf", "concat", "hls", "dash", "sdp", "imf", "webvtt"}
FORMATS = "MP4, MOV, AVI, WebM, MKV, TS or similar"
Matrix = tuple[float, float, float, float]


def open_video(path: Path) -> av.container.InputContainer:
    """Open a video file on this machine; other files it refers to are not followed.

    Raises MissingDataError if there is no such file, DataError if it is not a video.
    """
    _check_is_file(path)
    try:
        # "file:" keeps a name such as "a:b.mp4" from being read as a protocol
        options = {"protocol_whitelist": "file"}
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except av.FFmpegError:
        raise _no_video(path) from None
    if container.format.name in NO_VIDEOS or not len(container.streams):
        container.close()
        raise _no_video(path)
    return container


def best_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The largest video stream, the first if several are equal; the cover image of a music file
    does not count.

    Raises DataError if no stream can be decoded.
    """
    videos = [s for s in container.streams.video if not _is_cover(s)]
    streams = [s for s in videos if s.codec_context is not None]
    if not streams:
        known = "a video in a codec that PyAV does not support here" if videos else "no video"
        kinds = ", ".join(sorted({s.type for s in container.streams if s not in videos}))
        raise DataError(
            f"video {path} holds {known}{f', only {kinds}' * bool(kinds)}; "
            f"expected {FORMATS} with a video in it"
        )
    return max(streams, key=lambda s: (s.width * s.height, -s.index))


def declared_rate(stream: av.VideoStream) -> Fraction:
    """Frames per second in the header; 25 if it has no sensible value."""
    rates = (stream.average_rate, stream.guessed_rate)
    return next(
        (Fraction(r) for r in rates if r and Fraction(1, 1000) <= r <= 480),
        USUAL_RATE,
    )


def promised_end(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Time in seconds at which the stream ends according to the header, or None."""
    if "mp4" in container.format.name and stream.duration:
        return stream.duration * stream.time_base
    try:
        hours, minutes, seconds = map(Fraction, _tag(stream, "duration").strip("\0 ").split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def may_jump(container: av.container.InputContainer) -> bool:
    """Whether the format's clock may jump, as in broadcasts joined without re-encoding."""
    return bool(container.format.flags & av.format.Flags.ts_discont.value)


@dataclass
class Report:
    """What went wrong in one pass over a video.

    Attributes:
        refused: number of packets that the decoder rejected.
        broken: whether reading broke off, or the last packet is incomplete.
        end: time in seconds at which the last frame ends by its own time stamp.
    """

    refused: int = 0
    broken: bool = False
    end: Fraction = Fraction(0)

    def sentence(self, path: Path, times: list[Fraction], promised: Fraction | None) -> str:
        """A warning for the user, or "" if all went well.

        Args:
            path: path of the video.
            times: times of the decoded frames, seconds.
            promised: time at which the video ends according to its header, seconds.
        """
        early = promised is not None and self.end < promised - max(Fraction(1, 10), promised / 50)
        if not (self.refused or self.broken or early):
            return ""
        promise = f" of the {float(promised):.2f} s that its header promises" if early else ""
        pieces = f"; {self.refused} of its packets do not decode" if self.refused else ""
        return (
            f"video {path} is damaged or cut short: {len(times)} frames decode, "
            f"up to {float(times[-1]):.2f} s{promise}{pieces}; the frames that decode are used"
        )


def decoded(
    container: av.container.InputContainer, stream: av.VideoStream, report: Report
) -> Iterator[av.VideoFrame]:
    """Every frame that decodes, in order; packets that do not decode are counted and skipped.

    Args:
        container: the opened file.
        stream: the video stream.
        report: filled in with what goes wrong.
    """
    for packet in _packets(container, stream, report):
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            report.refused += 1
            continue
        for frame in frames:
            if frame.pts is not None:
                end = (frame.pts + (frame.duration or 0)) * stream.time_base
                report.end = max(report.end, end)
            yield frame


def _packets(
    container: av.container.InputContainer, stream: av.VideoStream, report: Report
) -> Iterator[av.Packet | None]:
    """The stream's packets, then None, which makes the decoder return its remaining frames.

    An empty packet is a frame that the camera dropped; the decoder would take it for the end.
    """
    try:
        for packet in container.demux(stream):
            if packet.size:
                report.broken = packet.is_corrupt  # true of the last one if the file ends inside it
                yield packet
    except av.FFmpegError:
        report.broken = True
    yield None


class Clock:
    """Times of frames from their time stamps: they rise from 0, even where videos were joined."""

    def __init__(self, rate: Fraction, may_jump: bool) -> None:
        self.step, self.may_jump = 1 / rate, may_jump
        self.shift, self.last = Fraction(0), None

    def seconds(self, pts: int | None, base: Fraction) -> Fraction:
        """Time of the next frame, whose time stamp is `pts` · `base` seconds if it has one."""
        if self.last is None:
            self.last, self.shift = Fraction(0), -(pts or 0) * base
            return self.last
        time = self.last + self.step if pts is None else pts * base + self.shift
        gap = time - self.last
        backwards = gap <= 0 and (self.may_jump or gap < -2 * self.step)
        if backwards or (self.may_jump and gap > LONGEST_GAP):
            self.shift += self.step - gap
            time = self.last + self.step
        self.last = max(time, self.last + Fraction(1, 10_000))
        return self.last


def to_image(frame: av.VideoFrame, rotation: Matrix | None, path: Path) -> np.ndarray:
    """A decoded frame as an upright image (H, W, 3).

    Args:
        frame: a frame from the decoder; its own display matrix takes precedence.
        rotation: the matrix of the file's "rotate" tag, for a frame without a matrix.
        path: path of the video, for the message.

    Raises:
        DataError: its colours cannot be converted.
    """
    try:
        image = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as problem:
        raise DataError(
            f"video {path}: images in the format {frame.format.name} cannot be converted to RGB "
            f"({problem}); convert the video to H.264 first"
        ) from None
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is not None:
        a, b, _, c, d = np.frombuffer(data, dtype=np.int32)[:5].astype(float)
        return upright(image, (a, b, c, d))
    return upright(image, rotation) if rotation else image


def upright(image: np.ndarray, matrix: Matrix) -> np.ndarray:
    """The image (H, W, 3) rotated and mirrored by a display matrix, to the nearest of the eight
    orientations.

    `matrix` is (a, b, c, d): a step to the right in the stored image is a step (a, b) on the
    screen, a step down is (c, d); y points down.
    """
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.transpose(1, 0, 2), c, b  # (W, H, 3)
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def rotate_tag(stream: av.VideoStream) -> Matrix | None:
    """The display matrix of a legacy "rotate" tag (degrees clockwise), or None."""
    try:
        angle = math.radians(float(_tag(stream, "rotate")))
        return (math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle))
    except ValueError:
        return None


def _tag(stream: av.VideoStream, name: str) -> str:
    return {key.lower(): value for key, value in stream.metadata.items()}.get(name, "")


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _check_is_file(path: Path) -> None:
    if not path.exists():
        raise MissingDataError(f"video {path} does not exist; give the path of a video file")
    if not path.is_file():
        raise DataError(f"video {path} is not a file; expected a video: {FORMATS}")
    with path.open("rb") as file:  # raises PermissionError if the file may not be read
        if not file.read(1):
            raise DataError(f"video {path} is empty (0 bytes); fetch or copy it again")


def _no_video(path: Path) -> DataError:
    return DataError(
        f"video {path} does not open as a video; expected {FORMATS}. If it is one of these, it is "
        "damaged or cut short: fetch or convert it again."
    )
