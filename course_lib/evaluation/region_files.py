"""Files of regions as VOT's toolkit writes them: a code, a box or a polygon for each frame.

Text: one line per frame, a single number (a code), x,y,w,h or x1,y1,x2,y2,…. Binary, little-endian,
as in the toolkit's `vot/region/io.py` (version 0.9.0): int16 1, uint32 number of regions, then for
each a byte for its kind: 0 and a uint32 code, 1 and four float32 for a box, 2, a uint16 N and 2N
float32 for a polygon. Kinds 3 (a mask) and 4 (a point) are refused: the course's trackers report
boxes, which are scored against true masks, too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_text, whole_file, write_whole

CODE, BOX, POLYGON = 0, 1, 2  # kinds of regions in a binary file
HEADER, VERSION = struct.Struct("<hI"), 1
REMEDY = "Run the tracker again, or fetch its results again."


def read_regions(path: Path) -> list[np.ndarray]:
    """The regions of a file, float64: a code (1,), a box (4,) or a polygon (2N,) each.

    Raises MissingDataError if there is no such file, DataError naming the line or region that is
    none of these.
    """
    if not path.is_file():
        raise MissingDataError(f"no result {path}; run the tracker on this sequence")
    return _read_binary(path) if path.suffix == ".bin" else _read_lines(path)


def write_regions(path: Path, regions: Iterable[np.ndarray]) -> None:
    """Write codes (1,), boxes (4,) and polygons (2N,): text, or binary if the name ends in .bin."""
    if path.suffix != ".bin":
        write_whole(path, "".join(_as_line(region) + "\n" for region in regions))
        return
    packed = [_packed(region) for region in regions]
    with whole_file(path) as part:
        part.write_bytes(HEADER.pack(VERSION, len(packed)) + b"".join(packed))


def place(path: Path, index: int) -> str:
    """Where the region of frame `index` (from 0) is, for a message."""
    return f"{path}, {'region' if path.suffix == '.bin' else 'line'} {index + 1}"


def _as_line(region: np.ndarray) -> str:
    return str(int(region[0])) if len(region) == 1 else ",".join(f"{v:.4f}" for v in region)


def _packed(region: np.ndarray) -> bytes:
    if len(region) == 1:
        return struct.pack("<BI", CODE, int(region[0]))
    if len(region) == 4:
        return struct.pack("<B4f", BOX, *region)
    return struct.pack(f"<BH{len(region)}f", POLYGON, len(region) // 2, *region)


def _read_lines(path: Path) -> list[np.ndarray]:
    lines = read_text(path).rstrip().splitlines()
    return [_parsed(line.strip(), place(path, i)) for i, line in enumerate(lines)]


def _parsed(line: str, where: str) -> np.ndarray:
    if line.startswith("m"):
        raise DataError(f"{where} holds a mask; only boxes and polygons are scored as results")
    try:
        region = np.array([float(word) for word in re.split(r"[,\s]+", line.rstrip(","))])
    except ValueError:
        region = np.empty(0)
    return _checked(region, where, line)


def _read_binary(path: Path) -> list[np.ndarray]:
    content = path.read_bytes()
    if len(content) < HEADER.size or HEADER.unpack_from(content)[0] != VERSION:
        raise DataError(f"{path} does not begin like a file of regions (int16 1, uint32). {REMEDY}")
    count, at, regions = HEADER.unpack_from(content)[1], HEADER.size, []
    for i in range(count):
        try:
            region, at = _unpacked(content, at, place(path, i))
        except struct.error:
            raise DataError(
                f"{path} ends inside region {i + 1} of {count}; it is truncated. {REMEDY}"
            ) from None
        regions.append(region)
    if at != len(content):
        raise DataError(f"{path} has {len(content) - at} bytes after its {count} regions. {REMEDY}")
    return regions


def _unpacked(content: bytes, at: int, where: str) -> tuple[np.ndarray, int]:
    """The region whose kind is at byte `at`, and where the next one begins."""
    kind = struct.unpack_from("<B", content, at)[0]
    form = {CODE: "<I", BOX: "<4f"}.get(kind)
    at += 1
    if kind == POLYGON:
        form, at = f"<{2 * struct.unpack_from('<H', content, at)[0]}f", at + 2
    if form is None:
        what = {3: "a mask", 4: "a point"}.get(kind, f"a region of unknown kind {kind}")
        raise DataError(f"{where} holds {what}; only boxes and polygons are scored as results")
    region = np.array(struct.unpack_from(form, content, at), dtype=np.float64)
    return _checked(region, where, region.tolist()), at + struct.calcsize(form)


def _checked(region: np.ndarray, where: str, shown: object) -> np.ndarray:
    known = len(region) in (1, 4) or (len(region) >= 6 and len(region) % 2 == 0)
    if not known or not np.isfinite(region).all():
        raise DataError(
            f"{where}: {shown!r:.80}; expected 1, 2, 0 or x,y,w,h or the corners of a polygon. "
            f"{REMEDY}"
        )
    return region
