"""Frames from what a user has: a video file, a folder of images, a file pattern.

A video is decoded in one pass, in order, until decoding ends, whatever its header says: counts and
rates in headers are guesses, or date from before the video was trimmed, joined or cut. Frame i is
the i-th image that decodes, and its time is its own time stamp. Images are rotated upright by the
camera's orientation tag; their pixels are the stored ones (an interlaced image keeps its two
fields, an anamorphic one its stored width).
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from course_lib.data import decoding
from course_lib.data.frames import Frames, ImageFiles
from course_lib.data.readers.folders import IMAGE_SUFFIXES, by_number
from course_lib.errors import DataError, MissingDataError, SettingsError

IMAGES = (*IMAGE_SUFFIXES, ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".jp2")


@dataclass(frozen=True)
class TimedFrame:
    """A frame that is converted to an image only on demand.

    Attributes:
        number: counted from 0.
        seconds: time since the first frame; larger than the previous frame's.
        read: returns the image (H, W, 3).
    """

    number: int
    seconds: Fraction
    read: Callable[[], np.ndarray]


class VideoFile(Frames):
    """Frames of a video file.

    Reading in order, in a loop or by increasing index, decodes once. Going backwards decodes again
    from the start: seeking would be faster, but is not exact in every format. The length is known
    after one full pass, made when it is first needed.

    Attributes:
        expected: number of frames promised by the header, for a progress bar, or None.
        rate: frames per second in the header; 25 if it has no sensible value.
        note: after a full pass, a warning if part of the file did not decode, else "".

    Raises MissingDataError if there is no such file, DataError if it does not decode as a video.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.note = ""
        self._times: np.ndarray | None = None  # (T,) after a full pass
        self._pass: Iterator[TimedFrame] = iter(())
        self._at: TimedFrame | None = None
        with decoding.open_video(self.path) as container:
            stream = decoding.best_stream(container, self.path)
            self.expected = stream.frames or None
            self.rate = decoding.declared_rate(stream)

    def decode(self) -> Iterator[TimedFrame]:
        """One pass over the file: every frame that decodes, in order.

        Raises DataError if none does.
        """
        times: list[Fraction] = []
        report = decoding.Report()
        with decoding.open_video(self.path) as container:
            stream = decoding.best_stream(container, self.path)
            clock = decoding.Clock(self.rate, decoding.may_jump(container))
            rotation = decoding.rotate_tag(stream)
            for frame in decoding.decoded(container, stream, report):
                times.append(clock.seconds(frame.pts, stream.time_base))
                read = partial(decoding.to_image, frame, rotation, self.path)
                yield TimedFrame(len(times) - 1, times[-1], read)
            promised = decoding.promised_end(container, stream)
        if not times:
            raise DataError(
                f"video {self.path} holds no frame that decodes: it is damaged, encrypted or cut "
                "short; fetch or convert it again"
            )
        self._times = np.array(times, dtype=np.float64)
        self.note = report.sentence(self.path, times, promised)

    @property
    def times(self) -> np.ndarray:
        """Times (T,) of the frames in seconds, starting at 0."""
        if self._times is None:
            for _ in self.decode():
                pass
        return self._times

    @property
    def fps(self) -> float:
        """Average frames per second: the header's if the time stamps agree with it, else theirs."""
        declared, times = float(self.rate), self.times
        measured = (len(times) - 1) / times[-1] if len(times) > 1 else declared
        return declared if abs(measured / declared - 1) < 0.02 else float(measured)

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (frame.read() for frame in self.decode())

    def _read(self, index: int) -> np.ndarray:
        if self._at is None or index < self._at.number:
            self._pass, self._at = self.decode(), None
        while self._at is None or self._at.number < index:
            self._at = next(self._pass, None)
            if self._at is None:
                raise DataError(
                    f"video {self.path} has fewer frames than before: the file has changed; open "
                    "it again"
                )
        if index == len(self) - 1:
            self._pass = iter(())  # closes the file
        return self._at.read()


def timed(frames: Frames, fps: float | Fraction = decoding.USUAL_RATE) -> Iterator[TimedFrame]:
    """Frames with their times in one pass: a video's own times, else `fps` frames per second."""
    if isinstance(frames, VideoFile):
        yield from frames.decode()
        return
    for i in range(len(frames)):
        yield TimedFrame(i, i / Fraction(fps), partial(frames.__getitem__, i))


def find_frames(given: Path | str | Items[Path | str]) -> VideoFile | ImageFiles:
    """The frames that a user asks for; images are in the order of their numbers, 2 before 10.

    Args:
        given: a video file, a folder of images, a pattern such as "frames/*.png", or several
            images.

    Raises:
        MissingDataError: nothing was found.
        DataError, SettingsError: it is not a video.
    """
    several = [given] if isinstance(given, (str, Path)) else list(given)
    if len(several) > 1:
        return _images(several, f"{several[0]} … {several[-1]}")
    path = Path(several[0]).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.exists() or not glob.has_magic(str(path)):
        return ImageFiles([path]) if _is_image(path) and path.exists() else VideoFile(path)
    matches = glob.glob(str(path), recursive=True)
    if not matches:
        raise MissingDataError(
            f"nothing matches {path}; give a video file, a folder of images, or a pattern such as "
            "'frames/*.png'"
        )
    if len(matches) == 1 and not _is_image(matches[0]):
        return VideoFile(matches[0])
    return _images(matches, str(path))


def _folder(folder: Path) -> ImageFiles:
    """The images of a folder; hidden files are skipped."""
    images = [p for p in folder.iterdir() if _is_image(p) and not p.name.startswith(".")]
    if not images:
        inner = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())[:5])
        raise MissingDataError(
            f"0 images found in the folder {folder} (looked for *{', *'.join(IMAGES)})"
            + (
                f"; it contains the folders {inner}: give one of them"
                if inner
                else "; give another"
            )
        )
    return _images(images, str(folder))


def _images(paths: Items[Path | str], what: str) -> ImageFiles:
    strange = next((p for p in paths if not _is_image(p)), None)
    if strange is not None:
        raise SettingsError(
            f"{what}: of these {len(paths)} files, {strange} is not an image; give one video, or "
            "images only"
        )
    return ImageFiles(sorted(map(Path, paths), key=lambda p: by_number(str(p))))


def _is_image(path: Path | str) -> bool:
    return Path(path).suffix.lower() in IMAGES
