"""Data for a canvas: frames as JPEG bytes, sent once, and boxes as floats with their styles."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass

import matplotlib
import numpy as np
import traitlets
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.data.frames import ArrayFrames, Frames
from course_lib.data.jpegs import jpeg_of
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import as_boxes
from course_lib.geometry.frame import as_frame
from course_lib.widgets.static import ImageWidget

TRUTH_LABEL = "ground truth"


@dataclass(frozen=True)
class PackedFrames:
    """T frames in the form that the page receives.

    Attributes:
        jpegs: the JPEG files of all frames, one after the other.
        offsets: (T + 1) places in `jpegs`; frame i is `jpegs[offsets[i]:offsets[i + 1]]`.
        sizes: (T) pairs [width, height] of the original frames; boxes are in these pixels, however
            small the JPEGs are.
    """

    jpegs: bytes
    offsets: list[int]
    sizes: list[list[int]]


def as_sequence(source: Sequence | Frames | np.ndarray | Items[np.ndarray]) -> Sequence:
    """A sequence unchanged; frames, a list of images or one image (H, W[, 3]) as a sequence
    without ground truth.

    Raises DataError if there is no frame in it.
    """
    if not isinstance(source, Sequence):
        if isinstance(source, np.ndarray) and source.ndim < 4:
            # an array with three axes is one colour frame, or ambiguous if the last is not a
            # colour: as_frame says so
            source = [as_frame(source)]
        frames = source if isinstance(source, Frames) else ArrayFrames(source)
        source = Sequence("unnamed", frames, np.full((len(frames), 4), np.nan))
    if len(source) == 0:
        raise DataError(f"sequence {source.name} has no frame; expected at least one")
    return source


def pack_frames(
    frames: Frames | Items[np.ndarray], longest_side: int = 640, quality: int = 85
) -> PackedFrames:
    """The frames as JPEG bytes.

    Args:
        frames: T images (H, W, 3) uint8; they may differ in size.
        longest_side: pixels; larger frames are shrunk to it.
        quality: of the JPEG, up to 100.

    Raises:
        DataError: if a frame does not encode.
    """
    parts, sizes = [], []
    for frame in frames:
        H, W = frame.shape[:2]
        sizes.append([W, H])
        parts.append(jpeg_of(frame, longest_side / max(H, W), quality))
    offsets = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    return PackedFrames(b"".join(parts), offsets, sizes)


def pack_floats(values: ArrayLike) -> bytes:
    """Numbers as little-endian float32 bytes: NaN, which JSON lacks, survives."""
    return np.asarray(values).astype("<f4").tobytes()


def palette() -> bytes:
    """256 RGB triples, from the lowest to the highest value of a map."""
    return matplotlib.colormaps[plots.MAP](np.arange(256), bytes=True)[:, :3].tobytes()


def dash_pattern(style: str | tuple) -> list[float]:
    """A matplotlib line style as the dash lengths, in pixels, of a canvas; [] is a solid line."""
    named = {"-": [], "--": [9, 5], "-.": [9, 4, 2, 4], ":": [2, 4]}
    return list(named[style]) if isinstance(style, str) else [2.0 * length for length in style[1]]


def style(label: str, colour: str, line: str | tuple = "-") -> dict:
    """The style of a box.

    Args:
        label: its name in the legend.
        colour: as matplotlib and the page know it.
        line: a matplotlib line style; the page gets it as dash lengths as well.
    """
    return {"label": label, "colour": colour, "line": line, "dash": dash_pattern(line)}


def box_styles(labels: Items[str]) -> list[dict]:
    """A style for each label; up to seven are all different.

    The ground truth has its own colour and a solid line; the first other box is drawn as the
    prediction.
    """
    free = [plots.PREDICTION, *(c for c in plots.CYCLE if c not in (plots.PREDICTION, plots.TRUTH))]
    styles, taken = [], 0
    for label in labels:
        if label == TRUTH_LABEL:
            colour, line = plots.TRUTH, "-"
        else:
            colour, line = free[taken % len(free)], plots.LINES[1:][taken % (len(plots.LINES) - 1)]
            taken += 1
        styles.append(style(label, colour, line))
    return styles


def stack_boxes(
    sequence: Sequence, boxes: Mapping[str, ArrayLike], shown: int
) -> dict[str, np.ndarray]:
    """Boxes (shown, 4) by label: the ground truth first, where there is any, then `boxes`.

    Args:
        sequence: the frames and the ground truth.
        boxes: by label; one row per frame of the sequence, or one per frame that is shown.
        shown: how many frames are shown.

    Raises:
        DataError: if boxes have another number of rows.
    """
    layers = {} if np.isnan(sequence.boxes).all() else {TRUTH_LABEL: sequence.boxes[:shown]}
    for label, rows in boxes.items():
        rows = as_boxes(rows)
        if rows.ndim != 2 or len(rows) not in (len(sequence), shown):
            raise DataError(
                f"boxes {label!r} have shape {rows.shape}, but {sequence.name} has {len(sequence)} "
                "frames; expected one row x, y, w, h per frame, NaN where there is no box"
            )
        layers[str(label)] = rows[:shown]
    return layers


class FrameWidget(ImageWidget):
    """Base of the widgets that draw on frames. They are sent once: give `**vars(pack_frames(…))`.

    Attributes:
        jpegs, offsets, sizes: see `PackedFrames`.
    """

    jpegs = traitlets.Bytes().tag(sync=True)
    offsets = traitlets.List().tag(sync=True)
    sizes = traitlets.List().tag(sync=True)


class PlayedWidget(FrameWidget):
    """Base of the widgets that play their frames, with the buttons of `transport.js`.

    Attributes:
        frame: number of the frame in view; one beyond the ends becomes the nearer end.
        fps: frames a second at speed 1.
    """

    fps = traitlets.Float(25.0).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("frame")
    def _inside(self, proposal: dict) -> int:
        return min(max(proposal["value"], 0), len(self.sizes) - 1)
