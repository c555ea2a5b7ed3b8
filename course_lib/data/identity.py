"""Identity of data: digests that tell one set of videos or photographs from another without
decoding a pixel.

They are stored with everything made from the data (shards, checkpoints, cards) and compared when
that is used again.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Items
from itertools import islice
from pathlib import Path

import numpy as np

from course_lib.data.objects import OutlinedObject, Photograph
from course_lib.data.sequence import Sequence
from course_lib.files import digest

MOST_SIZES = 100_000  # file sizes looked up; of larger sets only every second, third, … file's


def sequences_identity(sequences: Items[Sequence]) -> str:
    """Digest of sequences: their names, boxes, cover and absence labels, and the names and sizes
    of their frames."""
    every = 1 + sum(len(s) for s in sequences) // MOST_SIZES
    return digest(*(part for s in sequences for part in _sequence_parts(s, every)))


def _sequence_parts(sequence: Sequence, every: int) -> list[str | np.ndarray]:
    files = sequence.frames.files
    frames = _stamps(files, every) if files else f"{len(sequence)} frames"
    tags = [part for tag in sorted(sequence.tags) for part in (tag, np.asarray(sequence.tags[tag]))]
    return [sequence.name, sequence.boxes, frames, *tags]


def outlines_identity(objects: Items[OutlinedObject], images: Items[Photograph]) -> str:
    """Digest of outlined objects and of the images they are pasted over: outlines, categories,
    names and sizes."""
    used = list(dict.fromkeys([o.image for o in objects] + list(images)))
    every = 1 + len(used) // MOST_SIZES
    number = {image: k for k, image in enumerate(used)}
    outlines = (_outline_part(o, number[o.image]) for o in objects)
    return digest(*(_image_part(p, k % every == 0) for k, p in enumerate(used)), *outlines)


def _outline_part(target: OutlinedObject, image: int) -> bytes:
    # outlines made by code differ in the last digits from machine to machine
    points = np.round(np.concatenate(target.polygons), 3) + 0.0
    lengths = [len(p) for p in target.polygons]
    return f"{image} {target.category} {lengths} ".encode() + points.tobytes()


def _image_part(image: Photograph, with_size: bool) -> str:
    if image.path is None:
        return f"{image.name} {image.pixels.shape}"
    return f"{image.name} {_size(image.path) if with_size else ''}"


def _stamps(files: Items[Path], every: int) -> str:
    """One line per file: its name, and for every `every`-th its size."""
    sizes: Iterable[object] = (_size(path) for path in islice(files, 0, None, every))
    lines = [path.name for path in files]
    lines[::every] = [f"{name} {size}" for name, size in zip(lines[::every], sizes, strict=True)]
    return "\n".join(lines)


def _size(path: Path) -> object:
    try:
        return path.stat().st_size
    except OSError:
        return "missing"
