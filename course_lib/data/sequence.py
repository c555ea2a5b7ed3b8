"""A sequence: frames and boxes of one target. A benchmark: a named list of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from course_lib.data.frames import ArrayFrames, Frames
from course_lib.errors import DataError
from course_lib.files import digest
from course_lib.geometry.boxes import as_boxes
from course_lib.geometry.mask import Mask

# The eleven attributes of OTB, in the order of its tables.
OTB_ATTRIBUTES = {
    "IV": "illumination variation",
    "SV": "scale variation",
    "OCC": "occlusion",
    "DEF": "deformation",
    "MB": "motion blur",
    "FM": "fast motion",
    "IPR": "in-plane rotation",
    "OPR": "out-of-plane rotation",
    "OV": "out of view",
    "BC": "background clutter",
    "LR": "low resolution",
}
# All that a sequence may have: OTB's, and those that LaSOT and UAV123 tell apart.
ATTRIBUTES = {
    **OTB_ATTRIBUTES,
    "POC": "partial occlusion",
    "FOC": "full occlusion",
    "ROT": "rotation",
    "ARC": "aspect ratio change",
    "VC": "viewpoint change",
    "CM": "camera motion",
    "SOB": "similar object",
}


@dataclass(frozen=True, eq=False)
class Sequence:
    """Frames and boxes of one target.

    Attributes:
        name: unique within its benchmark, for example "Jogging.1".
        frames: T images, read on demand.
        boxes: (T, 4) float64, x, y, w, h in pixels, 0-based; NaN rows where the target is absent
            or the ground truth is withheld.
        attributes: tags of the whole sequence, a subset of ATTRIBUTES.
        polygons: (T, 8) corner coordinates where the benchmark gives them (VOT), else None.
        masks: T masks where the benchmark gives them (VOT since 2020), else None; one is None
            where the target is absent.
        tags: per-frame arrays of length T by name, for example "occlusion" (bool) or "cover" (0–8).
        omitted: (T,) bool, frames that the benchmark's protocol leaves out of every score.
        fps: frames per second of the video if its metadata contain them, else None.

    Raises DataError if the lengths do not match or an attribute is unknown.
    """

    name: str
    frames: Frames
    boxes: np.ndarray
    attributes: frozenset[str] = frozenset()
    polygons: np.ndarray | None = None
    masks: tuple[Mask | None, ...] | None = None
    tags: Mapping[str, np.ndarray] = field(default_factory=dict)
    omitted: np.ndarray | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        boxes = as_boxes(self.boxes)
        object.__setattr__(self, "boxes", boxes)
        object.__setattr__(self, "attributes", frozenset(self.attributes))
        if self.omitted is None:
            object.__setattr__(self, "omitted", np.zeros(len(boxes), dtype=bool))
        lengths = {"boxes": len(boxes), "omitted": len(self.omitted)}
        lengths |= {f"tag {name!r}": len(values) for name, values in self.tags.items()}
        for what in ("polygons", "masks"):
            if getattr(self, what) is not None:
                lengths[what] = len(getattr(self, what))
        for what, length in lengths.items():
            if length != len(self.frames):
                raise DataError(
                    f"sequence {self.name}: {len(self.frames)} frames but {length} rows of {what}; "
                    "expected one per frame. Fetch the sequence again or correct its files."
                )
        unknown = self.attributes - ATTRIBUTES.keys()
        if unknown:
            raise DataError(
                f"sequence {self.name}: unknown attributes {sorted(unknown)}; expected some of "
                f"{', '.join(ATTRIBUTES)}"
            )

    @classmethod
    def in_memory(
        cls,
        name: str,
        frames: np.ndarray | Items[np.ndarray],
        boxes: ArrayLike,
        attributes: Iterable[str] = (),
    ) -> Sequence:
        """A sequence from images that are already in memory.

        Args:
            name: unique within its benchmark.
            frames: (T, H, W, 3) uint8, RGB, or a list of such images, which may differ in size.
            boxes: (T, 4), x, y, w, h in pixels.
            attributes: of ATTRIBUTES.
        """
        return cls(name, ArrayFrames(frames), boxes, frozenset(attributes))

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Sequence({self.name!r}, {len(self)} frames, attributes={sorted(self.attributes)})"

    def identity(self) -> dict[str, Any]:
        """The values that distinguish this sequence from any other, ready for JSON; no frame is
        decoded.

        "truth" is a sum of boxes, polygons, omitted frames and masks, rounded to four decimals as
        in files, so that the last bit of a sine on another machine does not change it.
        """
        truth = [self.boxes] if self.polygons is None else [self.boxes, self.polygons]
        masks = [str(mask) for mask in self.masks or ()]
        rounded = [np.where(np.isnan(a), np.nan, np.round(a, 4) + 0.0) for a in truth]
        return {
            "sequence": self.name,
            "frames": len(self.boxes),
            "truth": digest(*rounded, np.asarray(self.omitted, dtype=bool), *masks),
            "images": self.frames.identity(),
        }

    def part(self, start: int, stop: int | None = None) -> Sequence:
        """Frames start … stop − 1 as a new sequence with the same name."""
        cut = slice(start, stop)
        return Sequence(
            name=self.name,
            frames=self.frames.part(start, stop),
            boxes=self.boxes[cut],
            attributes=self.attributes,
            polygons=None if self.polygons is None else self.polygons[cut],
            masks=None if self.masks is None else self.masks[cut],
            tags={name: values[cut] for name, values in self.tags.items()},
            omitted=self.omitted[cut],
            fps=self.fps,
        )

    def loaded(self, length: int | None = None) -> Sequence:
        """The sequence, or its first `length` frames, with all frames read into memory."""
        part = self.part(0, length)
        return replace(part, frames=ArrayFrames(list(part.frames)))


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A named list of sequences, indexed by position or by name.

    Attributes:
        name: part of every result's path, for example "otb100" or "generated-v1".
        sequences: its sequences, in the benchmark's own order.
        first_pixel: coordinate of the top-left pixel in its files, and so in its result files: 1
            for OTB, else 0. Boxes in memory are always 0-based.
        source: the name from which `load_benchmark` makes it in another process; by default `name`.
    """

    name: str
    sequences: tuple[Sequence, ...]
    first_pixel: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sequences", tuple(self.sequences))
        object.__setattr__(self, "source", self.source or self.name)
        names = [s.name for s in self.sequences]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise DataError(f"benchmark {self.name}: duplicate sequence names: {', '.join(twice)}")

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    def __getitem__(self, key: int | str) -> Sequence:
        if isinstance(key, str):
            for sequence in self.sequences:
                if sequence.name == key:
                    return sequence
            raise KeyError(
                f"benchmark {self.name} has no sequence {key!r}; it has {', '.join(self.names)}"
            )
        return self.sequences[key]

    @property
    def names(self) -> list[str]:
        """The sequences' names, in order."""
        return [s.name for s in self.sequences]

    def only(self, names: Items[str]) -> Benchmark:
        """The same benchmark with the named sequences only, in the given order."""
        return replace(self, sequences=tuple(self[name] for name in names))

    def loaded(self, step: int = 1, length: int | None = None) -> Benchmark:
        """Every `step`-th sequence, or its first `length` frames, with frames read into memory."""
        return replace(self, sequences=tuple(s.loaded(length) for s in self.sequences[::step]))

    def identity(self, sequence: Sequence) -> dict[str, Any]:
        """The values that distinguish a sequence of this benchmark from any other, see
        `Sequence.identity`."""
        return {"benchmark": self.name, "first_pixel": self.first_pixel, **sequence.identity()}
