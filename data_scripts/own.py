"""Turn your own frames and labels into sequences to evaluate and to train on.

python data_scripts/own.py make dog.mp4 dog.csv --dataset pets
python data_scripts/own.py make frames/ instances.json --dataset pets --name cat
python data_scripts/own.py check data/own/pets

`make` takes a video or a folder of images, and labels as CSV, COCO's JSON or CVAT's XML, and writes
<root>/own/<dataset>/<name>/img/00000001.jpg … and groundtruth.txt, a sequence for each target.
`check` (and `make`, at its end) draws boxes onto some frames of each sequence: look at them before
you measure anything.
"""

from __future__ import annotations

import argparse
import glob
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from _script import parsed, run
from _workplace import workplace

from course_lib.data.frames import ImageFiles
from course_lib.data.label_sheet import label_sheet
from course_lib.data.labels import boxes_by_target, read_labels_of
from course_lib.data.readers.folders import IMAGE_SUFFIXES
from course_lib.data.readers.own import read_own
from course_lib.data.sequence import Sequence
from course_lib.data.video import VideoFile, find_frames
from course_lib.errors import CourseError, DataError
from course_lib.files import NOT_IN_NAMES, plain_name, whole_file
from course_lib.places import RUNS, data_root
from course_lib.plots import to_png

QUALITY = 95  # of the JPEG files that a video's frames become
FEW = 0.5  # fraction of labelled frames below which probably not all were labelled
Frames = VideoFile | ImageFiles


def main(argv: list[str] | None = None) -> None:
    """Make sequences, or check those there are."""
    arguments = parsed(_parser(), argv)
    if arguments.command == "check":
        folder = arguments.folder.expanduser()
        _draw(read_own(folder).sequences, folder.resolve().name)
        return
    folder = arguments.root / "own" / plain_name(arguments.dataset, "--dataset")
    made = make(
        find_frames(arguments.frames), arguments.labels.expanduser(), folder, _name(arguments),
        arguments.first_frame, arguments.first_pixel, arguments.only_labelled,
    )  # fmt: skip
    _draw([s for s in read_own(folder, 0) if s.name in made], folder.name)
    print(
        f"to evaluate: python -m course_lib evaluate --benchmark folder:{folder} --tracker mosse\n"
        f'to train on them: sources: ["videos:folder:{folder}"] in a recipe'
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--root", type=Path, default=data_root(), help="data root (default: COURSE_DATA, or data/)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    option = commands.add_parser("make", help="frames and labels → sequences").add_argument
    option("frames", help="a video, a folder of images, or a pattern in quotes")
    option("labels", type=Path, help=".csv, .json (COCO) or .xml (CVAT)")
    option(
        "--dataset", default="clips", help="the sequences' folder in <root>/own (default: clips)"
    )
    option("--name", help="of the sequence (default: the video's or the folder's)")
    option("--first-frame", type=int, default=0, help="number of the first frame (default: 0)")
    option(
        "--first-pixel",
        type=int,
        choices=(0, 1),
        default=0,
        help="number of the top-left pixel in the labels (default: 0)",
    )
    option("--only-labelled", action="store_true", help="leave out frames without a label")
    checked = commands.add_parser("check", help="draw the boxes of a folder of sequences")
    checked.add_argument("folder", type=Path, help="as for --benchmark folder:PATH")
    return parser


def _name(arguments: argparse.Namespace) -> str:
    """The sequence's name: as given, or after the frames."""
    path = Path(arguments.frames).expanduser().resolve()
    if path.is_file():
        name = path.stem
    else:  # a pattern is named after its folder, as that folder would be
        name = path.parent.name if glob.has_magic(path.name) and not path.is_dir() else path.name
    return plain_name(arguments.name or name, "--name")


def make(
    frames: Frames,
    path: Path,
    folder: Path,
    name: str,
    first_frame: int = 0,
    first_pixel: int = 0,
    only_labelled: bool = False,
) -> list[str]:
    """Write a sequence for each target; returns their names.

    Args:
        frames: of the video.
        path: the file of labels.
        folder: the dataset's.
        name: of the sequence; several targets get their own names behind it.
        first_frame: number of the first frame in the labels.
        first_pixel: number of the top-left pixel in the labels.
        only_labelled: whether frames without a label are left out.

    Raises:
        CourseError: a sequence of that name exists.
        DataError: frames and labels do not fit.
    """
    names = len(frames) if isinstance(frames, VideoFile) else [p.name for p in frames.paths]
    found = boxes_by_target(read_labels_of(path), names, first_frame, first_pixel)
    kept = {target: frames_of(boxes, only_labelled) for target, boxes in found.items()}
    empty = [target for target, of in kept.items() if not len(of)]
    if empty:
        raise DataError(
            f"{path}: target {empty[0]!r} is absent in every frame; expected a box in at least one"
        )
    called = {t: f"{name}-{_plain(t)}" if len(found) > 1 else name for t in found}
    _check_free(folder, called.values(), path)
    with workplace(folder, name) as place:
        for target, own in called.items():
            (place / own / "img").mkdir(parents=True)
            rows = found[target][kept[target]]  # (T, 4)
            lines = "".join(",".join(f"{v:.10g}" for v in row) + "\n" for row in rows)
            (place / own / "groundtruth.txt").write_text(lines, encoding="utf-8")
        _write_frames(frames, {place / called[t] / "img": kept[t] for t in found}, found, path)
        for own in called.values():
            os.rename(place / own, folder / own)
    for target, own in called.items():
        _say(own, found[target], kept[target], only_labelled)
    return list(called.values())


def frames_of(boxes: np.ndarray, only_labelled: bool) -> np.ndarray:
    """Numbers (N,) of the frames that make a sequence of boxes (T, 4): from the first with a box
    on, or only those with one."""
    labelled = np.flatnonzero(np.isfinite(boxes[:, 0]))
    return labelled if only_labelled or not len(labelled) else np.arange(labelled[0], len(boxes))


def _plain(target: str) -> str:
    """A target's name as part of a folder's."""
    return NOT_IN_NAMES.sub("-", target).strip(" .") or "target"


def _check_free(folder: Path, names: Iterable[str], path: Path) -> None:
    """Raise CourseError if a sequence would replace something, or two of them have one name."""
    seen: set[str] = set()
    for name in names:
        plain_name(name, "the sequence's name")
        if name.casefold() in seen:
            raise CourseError(f"{path}: two targets would both be the sequence {name}; rename one")
        seen.add(name.casefold())
        if os.path.lexists(folder / name):
            raise CourseError(
                f"{folder / name} exists already; move it away, or give another --name or --dataset"
            )


def _write_frames(
    frames: Frames, places: dict[Path, np.ndarray], found: dict[str, np.ndarray], path: Path
) -> None:
    """Write each frame into the folders of the sequences that it is part of."""
    for t, frame in enumerate(frames):
        for target, boxes in found.items():
            _check_inside(boxes[t], frame.shape, f"{path}: target {target!r}, frame {t}")
        written: Path | None = None
        for place, numbers in places.items():
            k = int(np.searchsorted(numbers, t))
            if k == len(numbers) or numbers[k] != t:
                continue
            if written is None:
                written = _write_frame(frame, frames, t, place / f"{k + 1:08d}")
            else:
                _link(written, (place / f"{k + 1:08d}").with_suffix(written.suffix))


def _check_inside(box: np.ndarray, shape: tuple[int, ...], where: str) -> None:
    """Raise DataError unless a box (4,) overlaps a frame of this shape and is no larger than twice
    it; an absent one may be anywhere."""
    H, W = shape[:2]
    x, y, w, h = box
    if x >= W or y >= H or x + w <= 0 or y + h <= 0 or w > 2 * W or h > 2 * H:
        raise DataError(
            f"{where} (counted from 0): the box is {x:g}, {y:g}, {w:g}, {h:g} in a frame of "
            f"{W}×{H} pixels; expected one that overlaps it. Were the labels drawn on the video in "
            "another size, or do they hold corners instead of sizes?"
        )


def _write_frame(frame: np.ndarray, frames: Frames, t: int, path: Path) -> Path:
    """A copy of an image file, or a frame (H, W, 3) of a video as JPEG; returns where it is."""
    if isinstance(frames, ImageFiles) and frames.paths[t].suffix.lower() in IMAGE_SUFFIXES:
        target = path.with_suffix(frames.paths[t].suffix.lower())
        shutil.copyfile(frames.paths[t], target)
        return target
    kind, quality = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if isinstance(frames, ImageFiles):  # a format that the reader of sequences does not take
        kind, quality = ".png", []
    encoded = cv2.imencode(kind, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), quality)[1]
    target = path.with_suffix(kind)
    target.write_bytes(encoded.tobytes())
    return target


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _say(name: str, boxes: np.ndarray, kept: np.ndarray, only_labelled: bool) -> None:
    """What became of one target's frames."""
    labelled = int(np.isfinite(boxes[:, 0]).sum())
    print(f"{name}: {len(kept)} frames, {labelled} with a box", end="")
    left = len(boxes) - len(kept)
    print(f"; {left} left out, before the first box or without one" if left else "")
    if not only_labelled and labelled < FEW * len(kept):
        print(
            f"  {len(kept) - labelled} frames without a box count as absent. If you labelled only "
            "some frames, add --only-labelled."
        )


def _draw(sequences: Iterable[Sequence], name: str) -> None:
    for path in sheets(sequences, RUNS / "own" / name):
        print(f"look at {path}")


def sheets(sequences: Iterable[Sequence], folder: Path) -> Iterator[Path]:
    """Write the sheet of each sequence to a folder."""
    for sequence in sequences:
        path = folder / f"{sequence.name}.png"
        with whole_file(path) as part:
            part.write_bytes(to_png(label_sheet(sequence)))
        yield path


if __name__ == "__main__":
    sys.exit(run(main))
