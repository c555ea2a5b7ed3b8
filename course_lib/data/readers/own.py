"""A folder of your own sequences: one subfolder each, with images or one video and a ground truth.

    clips/dog/0001.jpg …  (or clips/dog/img/…, clips/dog/color/…, or one file, clips/dog/dog.mp4)
    clips/dog/groundtruth.txt        x,y,w,h per line, the top-left pixel is 0
    clips/dog/groundtruth_rect.txt   the same in OTB's convention, the top-left pixel is 1

Two targets of one sequence are annotated in `groundtruth_rect.1.txt` and `groundtruth_rect.2.txt`. A
frame in which the target is absent has the line nan,nan,nan,nan.
"""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.data.frames import Frames, ImageFiles
from course_lib.data.readers.folders import (
    IMAGE_SUFFIXES,
    by_number,
    files_like,
    list_images,
    read_boxes,
)
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.files import LONGEST_NAME, NOT_IN_NAMES, digest

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".webm", ".mkv", ".m4v", ".mpg", ".mpeg", ".ts")
TRUTH = re.compile(r"groundtruth(_rect(\.[0-9]+)?)?\.txt")
LAYOUT = (
    "expected a folder for each sequence, with images or one video and groundtruth.txt "
    "(x,y,w,h per line, counted from 0) or groundtruth_rect.txt (counted from 1)"
)


def read_own(folder: Path, first_pixel: int | None = None) -> Benchmark:
    """The sequences in a folder as a benchmark; a folder that is itself a sequence is a benchmark of one.

    Args:
        folder: where the sequences' folders are.
        first_pixel: number of the top-left pixel in the box files, 0 or 1; None: 1 for
            `groundtruth_rect*.txt` as in OTB, 0 for `groundtruth.txt`.

    Returns:
        The benchmark. Its name contains the folder's name and a sum of its path, so that the
        results of two folders with the same name are kept apart.

    Raises:
        MissingDataError: there is no sequence.
        DataError: a file, which is named, does not follow the layout.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise MissingDataError(f"there is no folder {folder}; {LAYOUT}")
    folders = [folder] if _truths(folder) else _sequences(folder)
    if not folders:
        raise MissingDataError(f"0 sequences found in {folder}; {LAYOUT}")
    first = _first_pixel(folders, first_pixel)
    sequences = [target for sequence in folders for target in _read_sequence(sequence, first)]
    return Benchmark(_name(folder), tuple(sequences), first, f"folder{first}:{folder}")


def _name(folder: Path) -> str:
    """A name safe for paths: "clips" becomes "folder-clips-1a2b3c4d"."""
    plain = NOT_IN_NAMES.sub("-", folder.name).encode("ascii", "replace").decode().replace("?", "-")
    return f"folder-{plain[: LONGEST_NAME - 20]}-{digest(str(folder))[:8]}"


def _sequences(folder: Path) -> list[Path]:
    """The subfolders that contain a ground truth, images or a video, in the order of their
    numbers."""
    inner = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    found = [p for p in inner if _truths(p) or _images(p) or _videos(p)]
    return sorted(found, key=lambda p: by_number(p.name))


def _truths(sequence: Path) -> list[Path]:
    return [path for path in files_like(sequence, "*.txt") if TRUTH.fullmatch(path.name)]


def _images(sequence: Path) -> Path | None:
    """The folder that contains a sequence's images, or None."""
    for place in (sequence / "img", sequence / "color", sequence):
        if _with_suffix(place, IMAGE_SUFFIXES):
            return place
    return None


def _videos(sequence: Path) -> list[Path]:
    return _with_suffix(sequence, VIDEO_SUFFIXES)


def _with_suffix(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return [path for path in files_like(folder, "*") if path.suffix.lower() in suffixes]


def _first_pixel(sequences: list[Path], asked: int | None) -> int:
    """What all box files call the top-left pixel; raises DataError if their names disagree."""
    names = [path for sequence in sequences for path in _truths(sequence)]
    if asked is not None:
        return asked
    one = [path for path in names if path.name != "groundtruth.txt"]
    if one and len(one) < len(names):
        zero = next(path for path in names if path.name == "groundtruth.txt")
        raise DataError(
            f"by their names, {one[0]} counts pixels from 1 and {zero} from 0; rename one kind, or "
            "give one --first-pixel for all"
        )
    return int(bool(one))


def _read_sequence(sequence: Path, first_pixel: int) -> list[Sequence]:
    """The targets of one sequence: one, or "dog.1" and "dog.2"."""
    truths = _truths(sequence)
    if not truths:
        raise MissingDataError(
            f"{sequence} has no ground truth (looked for groundtruth.txt, groundtruth_rect.txt): "
            "write one line x,y,w,h for each frame. To track without scores, use "
            "`python -m course_lib track`."
        )
    frames = _read_frames(sequence)
    numbered = [path for path in truths if path.name.count(".") == 2]
    if len(truths) > 1 and numbered != truths:
        raise DataError(
            f"{sequence} contains {', '.join(path.name for path in truths)}; expected one, "
            "or groundtruth_rect.1.txt, groundtruth_rect.2.txt, … for several targets"
        )
    return [_read_target(sequence, path, frames, first_pixel) for path in truths]


def _read_target(sequence: Path, path: Path, frames: Frames, first_pixel: int) -> Sequence:
    boxes = read_boxes(path, first_pixel)
    if len(boxes) == 1 < len(frames):
        raise DataError(
            f"{path} has only the first frame's box, for {len(frames)} frames: a score needs one "
            "line for each frame (nan,nan,nan,nan where the target is absent). To track without "
            "scores, use `python -m course_lib track --video FILE --box x,y,w,h`."
        )
    if len(boxes) != len(frames):
        raise DataError(
            f"{path} has {len(boxes)} lines for the {len(frames)} frames in {sequence}; "
            "expected one line per frame (nan,nan,nan,nan where the target is absent)"
        )
    end = path.name.removeprefix("groundtruth").removeprefix("_rect").removesuffix(".txt")
    fps = getattr(frames, "fps", None)
    return Sequence(f"{sequence.name}{end}", frames, boxes, fps=fps)


def _read_frames(sequence: Path) -> Frames:
    """The frames of a sequence: its images or its one video; raises DataError if it has both, several
    videos or neither."""
    images, videos = _images(sequence), _videos(sequence)
    if len(videos) + bool(images) != 1:
        found = [*(["images"] if images else []), *(path.name for path in videos)]
        raise DataError(
            f"{sequence} contains {' and '.join(found) or 'neither images nor a video'}; "
            "expected images or one video file"
        )
    return ImageFiles(list_images(images)) if images else _open_video(videos[0])


def _open_video(path: Path) -> Frames:
    # imported only if there is a video, so machines without PyAV can still train and evaluate
    from course_lib.data.video import VideoFile

    return VideoFile(path)
