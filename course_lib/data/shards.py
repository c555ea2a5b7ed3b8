"""Videos cut to their targets and packed into a few large files, for storage on which many small
files are slow.

A folder of shards contains tar files, each with the crops of some videos as JPEG, and `index.json`,
written last: what they were made of, which videos are in which shard, and their boxes. Each shard
ends with a `shard.json` that records the same about itself, so shards made of other data, or with
other options, are never mistaken for these. Training reads one whole shard after the other.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import tarfile
import warnings
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from course_lib.data.faults import Unreadable
from course_lib.data.frames import Frames
from course_lib.data.pairs import TRAINING_SEARCH, Augmentation, Pair, PairSource
from course_lib.data.pairs_cut import farthest
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.remote import faults_in_words, size_of
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.files import digest, read_json
from course_lib.geometry.windows import EXEMPLAR, SEARCH

# side of a crop in pixels of the search image, as in pysot: the largest shift and stretch of most
# recipes stay inside
PIXELS = 511
BLOCK = 2048  # pairs drawn from one shard before the next is read
FORMAT = 3  # of the folder; 1 did not say what it was made of, 2 where the frames end in the crops
READABLE = (2, FORMAT)
NOTE = "shard.json"  # the last file in each tar
AGAIN = "run `python data_scripts/shards.py DATASET --fresh` to make the shards again"


class JpegFrames(Frames):
    """Crops held in memory as JPEG and decoded on demand.

    Args:
        encoded: one for each crop.
        name: for messages.
        inside: for each crop x0, y0, x1, y1 of the part that the frame covers, crop pixels; beyond
            it becomes black. None leaves the colour that was packed, the frame's mean.
    """

    def __init__(
        self,
        encoded: list[bytes],
        name: str = "a shard",
        inside: Items[Items[int]] | None = None,
    ) -> None:
        self.encoded, self.name, self.inside = encoded, name, inside

    def __len__(self) -> int:
        return len(self.encoded)

    def _read(self, index: int) -> np.ndarray:
        data = np.frombuffer(self.encoded[index], dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            raise DataError(f"crop {index} of {self.name} does not decode; {AGAIN}")
        crop = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        if self.inside is None:
            return crop
        x0, y0, x1, y1 = self.inside[index]
        crop[:y0] = crop[y1:] = crop[:, :x0] = crop[:, x1:] = 0
        return crop


def crop_name(video: str, number: int) -> str:
    """File name of a video's crop in a shard."""
    return f"{video}/{number:05d}.jpg"


def read_index(folder: Path) -> list[dict]:
    """A row (file, bytes, videos) for each shard of a folder, all of which exist in full size.

    Raises MissingDataError or DataError, naming the index or the shard that is missing, damaged,
    cut short or in another format, or the store that does not answer.
    """
    return _read_whole_index(folder)[1]


def _read_whole_index(folder: Path) -> tuple[dict, list[dict]]:
    """What the shards were made of, and their rows; raises as `read_index`."""
    with faults_in_words(folder):
        return _contents(folder)


def _contents(folder: Path) -> tuple[dict, list[dict]]:
    path = folder / "index.json"
    if size_of(path) is None:
        raise MissingDataError(
            f"no shards in {folder} (looked for index.json); run `python data_scripts/shards.py "
            f"{folder.name}`"
        )
    index = read_json(path, AGAIN)
    made_of = index.get("made_of")
    good = isinstance(made_of, dict) and isinstance(made_of.get("room"), int | float)
    if not good or made_of.get("format") not in READABLE:
        raise DataError(
            f"{path} does not say what its shards were made of: it is in an older format, or "
            f"another program's; {AGAIN}"
        )
    rows = index.get("shards")
    if not isinstance(rows, list) or not rows or not all(_is_row(row) for row in rows):
        raise DataError(f"{path} is damaged (it lists no shards with their videos); {AGAIN}")
    for row in rows:
        _check_size(folder / row["file"], row["bytes"], len(rows))
    return made_of, rows


def _is_row(row: Any) -> bool:
    keys = {"file": str, "bytes": int, "videos": list}
    good = isinstance(row, dict) and all(isinstance(row.get(k), kind) for k, kind in keys.items())
    return good and re.fullmatch(r"[0-9]{5}\.tar", row["file"]) is not None


def _check_size(shard: Path, size: int, count: int) -> None:
    found = size_of(shard)
    if found is None:
        raise MissingDataError(
            f"shard {shard} is missing: {count} are listed in {shard.with_name('index.json')}. Run "
            "`python data_scripts/shards.py` again with the same options; existing shards are kept."
        )
    if found != size:
        raise DataError(
            f"shard {shard} has {found} bytes, its index says {size}; delete it and "
            "run `python data_scripts/shards.py` again"
        )


def read_shard(folder: Path, row: dict, black: bool = False) -> list[Sequence]:
    """The videos of one shard, as sequences of crops.

    Args:
        folder: of the shards.
        row: of the index.
        black: whether the crops are black beyond the frame, instead of its mean colour; shards in
            the older format do not know where that is.

    Raises:
        Unreadable: the shard, which is named, is missing, damaged, or does not match the index.
    """
    path = folder / row["file"]
    try:
        with faults_in_words(folder):
            content = path.read_bytes()
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            files = {e.name: tar.extractfile(e).read() for e in tar if e.isfile()}
        videos = json.loads(files[NOTE])["videos"]
        sequences = [_sequence(v, files, path, black) for v in row["videos"]]
    except Unreadable:
        raise
    except (tarfile.TarError, OSError, EOFError, LookupError, TypeError, ValueError) as problem:
        raise Unreadable(
            f"shard {path} cannot be read ({type(problem).__name__}: {problem}); delete it and run "
            "`python data_scripts/shards.py` again with the same options"
        ) from None
    if videos != row["videos"]:
        raise Unreadable(f"shard {path} does not hold the videos that its index lists; {AGAIN}")
    return sequences


def _sequence(video: dict, files: dict[str, bytes], path: Path, black: bool) -> Sequence:
    crops = [files[crop_name(video["name"], k)] for k in range(len(video["boxes"]))]
    inside = video.get("inside") if black else None
    frames = JpegFrames(crops, f"{video['name']} in shard {path}", inside)
    return Sequence(video["name"], frames, np.array(video["boxes"]))


class ShardPairs(PairSource):
    """Pairs from the videos in a folder of shards: `BLOCK` pairs in a row come from one shard, held
    in memory.

    Args:
        folder: the folder with index.json.
        augmentation: see `VideoPairs`.
        gap: see `VideoPairs`; counts packed frames.
        shards: positions of the shards to use; None uses all.
        search: side of the search image, pixels.
        exemplar: side of the exemplar, pixels.
        factor: of the exemplar's square, see `CutPairs`.
        negatives: fraction of pairs whose search image comes from another video of the same shard;
            a shard of one video has none.

    Raises:
        SettingsError: the crops are too small for such search images.
        MissingDataError, DataError: as in `read_index`.
    """

    def __init__(
        self,
        folder: Path,
        augmentation: Augmentation,
        gap: int = 100,
        shards: Items[int] | None = None,
        search: int = TRAINING_SEARCH,
        exemplar: int = EXEMPLAR,
        factor: float | None = None,
        negatives: float = 0.0,
    ) -> None:
        made_of, index = _read_whole_index(folder)
        self.folder, self.augmentation, self.gap = folder, augmentation, gap
        self.negatives = negatives
        self.sizes = {"search": search, "exemplar": exemplar, "factor": factor}
        self._check_room(float(made_of["room"]))
        if factor is not None and made_of["format"] < FORMAT:
            warnings.warn(
                f"the shards in {folder} are in an older format: beyond the frame they show its "
                f"mean colour, where `factor` asks for black; {AGAIN}",
                stacklevel=2,
            )
        self.rows = [index[k] for k in (range(len(index)) if shards is None else shards)]
        self.open: tuple[int, VideoPairs] | None = None
        with faults_in_words(folder):
            index_file = (folder / "index.json").read_bytes()
        self.identity = digest(hashlib.sha256(index_file).digest())  # wherever the folder is

    def _check_room(self, room: float) -> None:
        """Raise SettingsError if a pair's crops would reach beyond the packed ones, which are `room`
        search images wide: what is missing there would tell on which side the target is."""
        there = room * SEARCH / 2
        needed = farthest(self.augmentation, **self.sizes)
        if needed > there:
            a = self.augmentation
            raise SettingsError(
                f"the crops in {self.folder} reach {there:.0f} pixels from the target; with search "
                f"{self.sizes['search']}, shift {a.shift:g} and stretch {a.stretch:g} a pair "
                f"reaches {math.ceil(needed)}. Lower them, or run `python data_scripts/shards.py "
                f"DATASET --pixels {2 * math.ceil(needed) + 1} --fresh`"
            )

    @property
    def seconds(self) -> dict[str, float]:
        """Time spent on each stage, in this process, since the shard was opened."""
        return self.open[1].seconds if self.open else {}

    def draw(self, rng: np.random.Generator, index: int = 0) -> Pair:
        """A pair from the shard that pair number `index` falls in; each round visits the shards in
        another order."""
        lap, place = divmod(index // BLOCK, len(self.rows))
        k = int(np.random.default_rng([lap, len(self.rows)]).permutation(len(self.rows))[place])
        if self.open is None or self.open[0] != k:
            black = self.sizes["factor"] is not None
            videos = read_shard(self.folder, self.rows[k], black)
            extras = self.augmentation, self.gap, self.negatives
            self.open = k, VideoPairs(videos, *extras, **self.sizes)
        return self.open[1].draw(rng, index)
