"""Annotated videos: boxes and text drawn into every frame, as H.264 in MP4, which browsers play."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from course_lib.errors import CourseError
from course_lib.files import whole_file
from course_lib.plots import CYCLE, PREDICTION, TRUTH

ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")  # whichever PyAV brings
CLOCK = 90_000  # ticks per second; at 24, 25, 30 and 29.97 fps a frame lasts a whole number of them
BT709 = 1  # FFmpeg's number of the colours that browsers take for granted


def annotate(
    frame: np.ndarray, predicted: np.ndarray, truth: np.ndarray | None = None, text: str = ""
) -> np.ndarray:
    """A copy of a frame with boxes and a line of text.

    Args:
        frame: (H, W, 3).
        predicted: (4,) the tracker's box, dashed vermilion.
        truth: (4,) the true box, solid green, if it is known.
        text: the line.
    """
    image = np.ascontiguousarray(frame.copy())
    if truth is not None and np.isfinite(truth).all():
        x1, y1, x2, y2 = _corners(truth, image)
        cv2.rectangle(image, (x1, y1), (x2, y2), _rgb(TRUTH), 2)
    if np.isfinite(predicted).all():
        _dashed(image, _corners(predicted, image), _rgb(PREDICTION))
    return _with_text(image, text, (6, 18))


def annotate_targets(
    frame: np.ndarray, boxes: Mapping[int, np.ndarray], text: str = ""
) -> np.ndarray:
    """A copy of a frame with the boxes of several targets and a line of text.

    Args:
        frame: (H, W, 3).
        boxes: (4,) by the target's number, counted from 1; NaN for an absent one. Each has its
            number beside it and the colour of that number in `plots.CYCLE`.
        text: the line.
    """
    image = np.ascontiguousarray(frame.copy())
    for number, box in boxes.items():
        if np.isfinite(box).all():
            corners = _corners(box, image)
            _dashed(image, corners, _rgb(CYCLE[(number - 1) % len(CYCLE)]))
            _with_text(image, str(number), (corners[0] + 4, corners[1] + 16))
    return _with_text(image, text, (6, 18))


def _with_text(image: np.ndarray, text: str, place: tuple[int, int]) -> np.ndarray:
    """The image itself, with white text on a dark rim drawn into it."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        if text:
            cv2.putText(image, text, place, font, 0.5, colour, thickness, cv2.LINE_AA)
    return image


class VideoWriter:
    """Writes images as H.264 in MP4 one by one; memory use does not grow with their number.

    Every image is scaled to the size of the first; an odd side gets one more row or column, a
    copy of the last, because the codec wants even ones. Each frame is shown at the time given with
    it.

    Args:
        path: the file; see `write_video` and `files.whole_file` for writing it whole or not at all.
        fps: images per second where no times are given.
        name: the final name of the file, for messages.

    Raises CourseError if there is no encoder or it does not take the images, OSError if the file
    cannot be written.
    """

    def __init__(self, path: Path, fps: float | Fraction = 25, name: Path | None = None) -> None:
        self.path, self.name, self.count = path, name or path, 0
        self.rate = Fraction(fps).limit_denominator(1001)
        self.codec = next((c for c in ENCODERS if c in av.codecs_available), None)
        if self.codec is None:
            raise CourseError(
                f"{self.name} cannot be written: PyAV {av.__version__} as installed has no H.264 "
                f"encoder "
                f"(looked for {', '.join(ENCODERS)}). Install it from its wheel: `pip install "
                f"--force-reinstall av`."
            )
        self._container = self._stream = None
        self._last = -1  # ticks

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        if kind is None:
            self.close()
        elif self._container is not None:  # what was written is discarded
            with suppress(av.FFmpegError):
                self._container.close()

    def add(self, image: np.ndarray, seconds: float | Fraction | None = None) -> None:
        """Write an image (H, W, 3) shown `seconds` after the start; by default in turn at `fps`."""
        seconds = self.count / self.rate if seconds is None else seconds
        with _in_words(self.name):
            if self._container is None:
                self._open(image.shape[0] + image.shape[0] % 2, image.shape[1] + image.shape[1] % 2)
            frame = av.VideoFrame.from_ndarray(self._fitted(image), format="rgb24")
            frame = frame.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            self._last = max(round(seconds * CLOCK), self._last + 1)
            frame.pts, frame.time_base = self._last, Fraction(1, CLOCK)
            self._container.mux(self._stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Write what the encoder holds back, and the end of the file."""
        if self._container is None:
            raise CourseError(f"no frame to write into {self.name}")
        with _in_words(self.name):
            try:
                self._container.mux(self._stream.encode())
            finally:
                self._container.close()

    def _open(self, height: int, width: int) -> None:
        self._size = (width, height)
        # the index comes first, so that a browser can start before it has everything
        self._container = av.open(
            str(self.path), "w", format="mp4", options={"movflags": "faststart"}
        )
        options = {"preset": "veryfast", "crf": "20"} if self.codec == "libx264" else {}
        stream = self._container.add_stream(self.codec, rate=self.rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK)
        for kind in ("colorspace", "color_primaries", "color_trc", "color_range"):
            setattr(stream.codec_context, kind, BT709)  # for the range, 1 means limited
        self._stream = stream

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        """The image at the video's size."""
        width, height = self._size
        right, bottom = width - image.shape[1], height - image.shape[0]
        if right in (0, 1) and bottom in (0, 1):
            return cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def write_video(path: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write a video as H.264 in MP4; the file appears when it is complete.

    Args:
        path: the file.
        frames: (H, W, 3) each.
        fps: frames per second.

    Raises:
        CourseError: if there is no frame or no encoder.
        OSError: if the file cannot be written.
    """
    with whole_file(path) as part, VideoWriter(part, fps, path) as video:
        for frame in frames:
            video.add(frame)


@contextmanager
def _in_words(name: Path) -> Iterator[None]:
    """FFmpeg's errors as errors that name the file: the system's as they are, others in words."""
    try:
        yield
    except av.FFmpegError as problem:
        if isinstance(problem, OSError):
            raise OSError(problem.errno, problem.strerror, str(name)) from None
        raise CourseError(
            f"{name} cannot be written: the H.264 encoder says {problem.strerror!r}; it takes "
            f"images of up to "
            "16,384 pixels per side"
        ) from None


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _corners(box: np.ndarray, image: np.ndarray) -> tuple[int, int, int, int]:
    """First and last pixel of a box (4,): x1, y1, x2, y2; coordinates far outside are clipped."""
    height, width = image.shape[:2]
    x, y, w, h = np.asarray(box, dtype=np.float64)
    near = np.clip([x, y, x + w, y + h], -8, [width + 8, height + 8, width + 8, height + 8])
    x1, y1, x2, y2 = (round(float(v)) for v in near)
    return x1, y1, x2 - 1, y2 - 1


def _dashed(
    image: np.ndarray,
    corners: tuple[int, int, int, int],
    colour: tuple[int, int, int],
    dash: int = 6,
) -> None:
    """Draw a rectangle with dashes of `dash` pixels."""
    x1, y1, x2, y2 = corners
    for start in range(x1, x2 + 1, 2 * dash):
        end = min(start + dash, x2)
        for row in (y1, y2):
            cv2.line(image, (start, row), (end, row), colour, 2)
    for start in range(y1, y2 + 1, 2 * dash):
        end = min(start + dash, y2)
        for column in (x1, x2):
            cv2.line(image, (column, start), (column, end), colour, 2)
