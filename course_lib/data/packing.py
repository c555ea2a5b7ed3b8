"""Writing shards: videos are cut to their targets and packed; each shard records its sources.

An interrupted run resumes where it stopped; shards of other data, or made with other options, are
refused.
"""

from __future__ import annotations

import io
import json
import tarfile
import warnings
from collections.abc import Sequence as Items
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from course_lib.data.faults import FEW, MOST_SKIPPED
from course_lib.data.identity import sequences_identity
from course_lib.data.pairs_cut import check_inside
from course_lib.data.pairs_video import usable_frames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.data.shards import FORMAT, NOTE, PIXELS, crop_name
from course_lib.errors import DataError, SettingsError
from course_lib.files import whole_file, write_whole
from course_lib.geometry.windows import SEARCH, CropWindow, search_side

QUALITY = 95  # of the JPEG


@dataclass(frozen=True)
class MadeOf:
    """Data and options that shards were made with; if equal, two folders hold the same crops."""

    dataset: str
    identity: str  # of the videos, see `identity.sequences_identity`
    every: int
    per_shard: int
    pixels: int = PIXELS
    room: float = PIXELS / SEARCH  # a crop's side in sides of the search image
    quality: int = QUALITY
    format: int = FORMAT


def write_shards(
    sequences: Items[Sequence],
    folder: Path,
    per_shard: int = 64,
    every: int = 1,
    progress: bool = True,
    dataset: str = "videos",
    fresh: bool = False,
    pixels: int = PIXELS,
) -> Path:
    """Cut and pack the usable frames of videos.

    Existing shards are not written again, so an interrupted run resumes. Frames that cannot be read
    are left out and named, up to the fraction that training tolerates.

    Args:
        sequences: videos to pack; those with fewer than two usable frames are left out.
        folder: where to write the shards.
        per_shard: videos per shard.
        every: keep every `every`-th usable frame.
        progress: whether to show a progress bar.
        dataset: name of the dataset.
        fresh: replace shards of other data or options instead of refusing.
        pixels: side of the crops, in pixels of the search image.

    Returns:
        The path of the index.

    Raises:
        SettingsError: the folder holds shards of other data or options.
        DataError: no video can be used, or too many frames cannot be read.
    """
    if per_shard < 1 or every < 1 or pixels < 1:
        raise SettingsError(
            f"per_shard is {per_shard}, every is {every} and pixels is {pixels}; expected at least "
            "1 for each"
        )
    identity = sequences_identity(sequences)
    made_of = MadeOf(dataset, identity, every, per_shard, pixels, pixels / SEARCH)
    kept = _choose(sequences, every)
    rows = _prepare(folder, made_of, fresh)
    packer = Packer(folder, made_of)
    starts = range(0, len(kept), per_shard)
    for number, start in enumerate(tqdm(starts, unit="shard", disable=not progress)):
        name = f"{number:05d}.tar"
        if name not in rows:
            rows[name] = packer.write(name, kept[start : start + per_shard])
    shards = [rows[name] for name in sorted(rows) if rows[name]["videos"]]
    index = {"made_of": asdict(made_of), "shards": shards}
    write_whole(folder / "index.json", json.dumps(index) + "\n")
    return folder / "index.json"


def _choose(sequences: Items[Sequence], every: int) -> list[tuple[Sequence, np.ndarray]]:
    """The videos with at least two frames to keep, and the indices of those frames."""
    # refuses duplicate names, since crops are found by name
    Benchmark("to pack", tuple(sequences))
    kept = [(s, usable_frames(s)[::every]) for s in sequences]
    kept = [(s, frames) for s, frames in kept if len(frames) >= 2]
    if not kept:
        raise DataError(
            f"none of {len(sequences)} videos has two frames to keep; check their boxes and "
            f"cover labels, or keep more than one frame in {every}"
        )
    return kept


def _prepare(folder: Path, made_of: MadeOf, fresh: bool) -> dict[str, dict]:
    """Rows of the existing shards with the same `made_of`; others are refused, or removed with
    `fresh`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for path in sorted(folder.glob("[0-9]" * 5 + ".tar")):
        note = _note(path)
        if note and note["made_of"] == asdict(made_of):
            rows[path.name] = _row(path, note)
        elif fresh:
            (folder / "index.json").unlink(missing_ok=True)  # it lists shards about to be removed
            path.unlink()
        else:
            raise SettingsError(
                f"{path} {_difference(note, made_of)}. To resume, give the options it was made "
                "with (delete it if it is damaged); to make all shards again, run the same command "
                "with --fresh."
            )
    return rows


def _difference(note: dict | None, made_of: MadeOf) -> str:
    """How a shard differs from those to be made, in words."""
    if note is None:
        return (
            "is damaged, in an older format or another program's: it does not say what it was "
            "made of"
        )
    theirs, mine = note["made_of"], asdict(made_of)
    changed = [key for key in mine if theirs.get(key) != mine[key]]
    words = {key: f"with {key} {theirs.get(key)!r}, now {mine[key]!r}" for key in changed}
    if "identity" in words:
        words["identity"] = "of frames, boxes or labels that differ from the present ones"
    return f"was made {', '.join(words.values())}"


def _note(path: Path) -> dict | None:
    """A shard's own note, or None if it is damaged, cut short or another program's."""
    try:
        with tarfile.open(path) as tar:
            note = json.load(tar.extractfile(tar.getmember(NOTE)))
    except (tarfile.TarError, KeyError, ValueError, EOFError, AttributeError):
        return None
    good = isinstance(note, dict) and isinstance(note.get("made_of"), dict)
    return note if good and isinstance(note.get("videos"), list) else None


def _row(path: Path, note: dict) -> dict:
    return {"file": path.name, "bytes": path.stat().st_size, "videos": note["videos"]}


class Packer:
    """Writes shards into a folder and counts the frames that cannot be read."""

    def __init__(self, folder: Path, made_of: MadeOf) -> None:
        self.folder, self.made_of = folder, made_of
        self.frames = 0
        self.faults: list[str] = []

    def write(self, name: str, kept: list[tuple[Sequence, np.ndarray]]) -> dict:
        """Write one shard of the chosen frames of videos; returns its row of the index."""
        path = self.folder / name
        with whole_file(path) as part, tarfile.open(part, "w") as tar:
            packed = [self._pack(tar, sequence, frames) for sequence, frames in kept]
            videos = [video for video in packed if len(video["boxes"]) >= 2]
            note = {"made_of": asdict(self.made_of), "videos": videos}
            _add(tar, NOTE, json.dumps(note).encode())
        return _row(path, note)

    def _pack(self, tar: tarfile.TarFile, sequence: Sequence, frames: np.ndarray) -> dict:
        """Pack one video; returns its name, its boxes in the crops, and `inside`, see
        `JpegFrames`."""
        boxes: list[list[float]] = []
        inside: list[list[int]] = []
        for t in frames:
            try:
                frame = sequence.frames[t]
                check_inside(sequence.boxes[t], frame, f"{sequence.name}, frame {t}")
            except DataError as problem:
                self._left_out(problem)
                continue
            self.frames += 1
            window = _window(sequence.boxes[t], self.made_of)
            crop = window.cut(frame)  # (pixels, pixels, 3)
            quality = [cv2.IMWRITE_JPEG_QUALITY, self.made_of.quality]
            data = cv2.imencode(".jpg", crop[..., ::-1], quality)[1].tobytes()
            _add(tar, crop_name(sequence.name, len(boxes)), data)
            boxes.append([round(float(v), 3) for v in window.box_to_crop(sequence.boxes[t])])
            inside.append(_inside(window, frame))
        return {"name": sequence.name, "boxes": boxes, "inside": inside}

    def _left_out(self, problem: DataError) -> None:
        """Warn that a frame is left out; raise DataError if there are too many."""
        self.faults.append(str(problem))
        if len(self.faults) > max(FEW, MOST_SKIPPED * self.frames):
            raise DataError(
                f"{len(self.faults)} of {self.frames + len(self.faults)} frames could not be read, "
                f"the last: {problem}. Repair the dataset and run the same command again; finished "
                "shards are kept."
            )
        warnings.warn(f"{problem}. The frame is left out of the shards.", stacklevel=2)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _window(box: np.ndarray, made_of: MadeOf) -> CropWindow:
    cx, cy = box[:2] + box[2:] / 2
    return CropWindow(cx, cy, float(search_side(box)) * made_of.room, made_of.pixels)


def _inside(window: CropWindow, frame: np.ndarray) -> list[int]:
    """x0, y0, x1, y1 of the part of the window that the frame (H, W, 3) covers, crop pixels."""
    H, W = frame.shape[:2]
    corners = window.to_crop([[0, 0], [W, H]])  # (2, 2)
    return np.rint(corners).clip(0, window.size).astype(int).ravel().tolist()
