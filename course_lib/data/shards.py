"""Videos cut to their targets and packed into few large files, for storage where many small ones are slow.

A folder of shards holds tar files, each with the crops of some videos as JPEG, and `index.json`, written last: which
videos stand in which shard, and their boxes. Training reads one shard after the other, whole.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Sequence as Items
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from course_lib.data.frames import Frames
from course_lib.data.pairs import SEARCH, Changes, Pair, PairSource
from course_lib.data.pairs_video import VideoPairs, usable_frames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, MissingDataError
from course_lib.files import write_whole
from course_lib.geometry.windows import CropWindow, search_side

ROOM = 1.25  # sides of the search image that a crop shows, so that shifts and stretches stay inside
PIXELS = 319  # pixels a side of a crop: 255 · ROOM
BLOCK = 2048  # pairs drawn from one shard before the next is read


class JpegFrames(Frames):
    """Frames kept as JPEG in memory, decoded when asked for."""

    def __init__(self, encoded: list[bytes]) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded)

    def _read(self, index: int) -> np.ndarray:
        image = cv2.imdecode(np.frombuffer(self.encoded[index], dtype=np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise DataError(f"crop {index} of a shard does not decode; write the shards again")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def write_shards(
    sequences: Items[Sequence],
    folder: Path,
    per_shard: int = 64,
    every: int = 1,
    progress: bool = True,
) -> Path:
    """Cut and pack the usable frames of videos; returns the index. `every`: keep one frame out of so many.

    A shard that is there is not written again, so a run that was cut off goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index: list[dict] = []
    for number, start in enumerate(
        tqdm(range(0, len(sequences), per_shard), unit="shard", disable=not progress)
    ):
        path = folder / f"{number:05d}.tar"
        kept = [(s, usable_frames(s)[::every]) for s in sequences[start : start + per_shard]]
        kept = [(s, frames) for s, frames in kept if len(frames) >= 2]
        videos = [
            {"name": s.name, "boxes": [_box_in_crop(s.boxes[t]) for t in frames]}
            for s, frames in kept
        ]
        if not path.is_file():
            _write_tar(path, kept)
        index.append({"file": path.name, "bytes": path.stat().st_size, "videos": videos})
    write_whole(folder / "index.json", json.dumps(index) + "\n")
    return folder / "index.json"


def _window(box: np.ndarray) -> CropWindow:
    cx, cy = box[:2] + box[2:] / 2
    return CropWindow(cx, cy, float(search_side(box)) * ROOM, PIXELS)


def _box_in_crop(box: np.ndarray) -> list[float]:
    return [round(float(v), 3) for v in _window(box).box_to_crop(box)]


def _write_tar(path: Path, kept: list[tuple[Sequence, np.ndarray]]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with tarfile.open(part, "w") as tar:
            for sequence, frames in kept:
                for k, t in enumerate(frames):
                    crop = _window(sequence.boxes[t]).cut(sequence.frames[t])  # (319, 319, 3)
                    _, data = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
                    entry = tarfile.TarInfo(f"{sequence.name}/{k:05d}.jpg")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data.tobytes()))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_index(folder: Path) -> list[dict]:
    """The index of a folder of shards, each shard there and of its full size.

    Raises MissingDataError or DataError naming the shard that is missing or cut short.
    """
    path = folder / "index.json"
    if not path.is_file():
        raise MissingDataError(
            f"no shards in {folder} (looked for index.json); run `python data_scripts/shards.py`"
        )
    index = json.loads(path.read_text(encoding="utf-8"))
    for row in index:
        shard = folder / row["file"]
        if not shard.is_file():
            raise MissingDataError(
                f"shard {shard} is missing: {len(index)} are listed in {path}. Run `python data_scripts/shards.py` again "
                "with the same options; shards that are there are kept."
            )
        if shard.stat().st_size != row["bytes"]:
            raise DataError(
                f"shard {shard} has {shard.stat().st_size} bytes, its index says {row['bytes']}; delete it and run "
                "`python data_scripts/shards.py` again"
            )
    return index


def read_shard(folder: Path, row: dict) -> list[Sequence]:
    """The videos of one shard, as sequences of crops."""
    encoded: dict[str, list[bytes]] = {}
    with tarfile.open(folder / row["file"]) as tar:
        for entry in tar:
            encoded.setdefault(entry.name.split("/")[0], []).append(tar.extractfile(entry).read())
    return [
        Sequence(v["name"], JpegFrames(encoded[v["name"]]), np.array(v["boxes"]))
        for v in row["videos"]
    ]


class ShardPairs(PairSource):
    """Pairs of the videos in a folder of shards: `BLOCK` pairs in a row come from one shard, held in memory.

    Args:
        folder: with index.json.
        changes, gap: see VideoPairs; `gap` counts kept frames.
        shards: which of the shards to use, by position; None uses all.
        search: pixels a side of the search image.
    """

    def __init__(
        self,
        folder: Path,
        changes: Changes,
        gap: int = 100,
        shards: Items[int] | None = None,
        search: int = SEARCH,
    ) -> None:
        index = read_index(folder)
        self.folder, self.changes, self.gap, self.search = folder, changes, gap, search
        self.rows = [index[k] for k in (range(len(index)) if shards is None else shards)]
        self.open: tuple[int, VideoPairs] | None = None
        self._seconds = {"decode": 0.0, "crop": 0.0}

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent by stage, in this process, since the shard was opened."""
        return self.open[1].seconds if self.open else self._seconds

    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """A pair of the shard whose turn it is at pair number `index`; every round takes the shards in another order."""
        lap, place = divmod(index // BLOCK, len(self.rows))
        k = int(np.random.default_rng([lap, len(self.rows)]).permutation(len(self.rows))[place])
        if self.open is None or self.open[0] != k:
            self.open = (
                k,
                VideoPairs(
                    read_shard(self.folder, self.rows[k]),
                    self.changes,
                    self.gap,
                    search=self.search,
                ),
            )
        return self.open[1].draw(rng, index)
