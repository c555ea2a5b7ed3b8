"""Sequence player: play, stop and step through a sequence, with the boxes of truth and trackers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import traitlets
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import iou
from course_lib.widgets import canvas
from course_lib.widgets.static import front_end


class SequencePlayer(canvas.PlayedWidget):
    """Play a sequence with its ground truth and any other boxes.

    All frames go to the page once; playing and stepping then need no kernel. In the page:
    Play/Pause, a slider over the frames (arrow keys step), speed, and the IoU of each box.

    Args:
        sequence: a Sequence, frames, or a list of images; frames may be grey and may differ in
            size.
        boxes: (T, 4) boxes by label, one row per frame, NaN where there is none.
        max_frames: only so many frames from the start are sent; the page says so.
        alt: alternative text; made from the sequence's name and labels if not given.

    Attributes:
        frame: number of the frame in view, 0 … shown − 1; set it to jump there.

    Raises DataError for boxes with another number of rows or a sequence without frames.
    """

    _esm = front_end("frames.js", "transport.js", "sequence_player.js")
    layers = traitlets.List().tag(sync=True)
    layer_boxes = traitlets.Bytes().tag(sync=True)  # float32 (layers, T, 4)
    layer_ious = traitlets.Bytes().tag(sync=True)  # float32 (layers, T)
    total = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        sequence: Sequence,
        boxes: Mapping[str, ArrayLike] | None = None,
        max_frames: int = 200,
        alt: str | None = None,
    ) -> None:
        self.sequence = canvas.as_sequence(sequence)
        if max_frames < 1:
            raise DataError(f"max_frames is {max_frames}; expected at least 1")
        self.shown = min(len(self.sequence), max_frames)
        self.boxes = canvas.stack_boxes(self.sequence, boxes or {}, self.shown)
        self.styles = canvas.box_styles(list(self.boxes))
        packed = canvas.pack_frames(self.sequence.frames.part(0, self.shown))
        super().__init__(
            **vars(packed),
            layers=self.styles,
            layer_boxes=canvas.pack_floats(list(self.boxes.values())),
            layer_ious=canvas.pack_floats([self.overlap(label) for label in self.boxes]),
            total=len(self.sequence),
            fps=float(self.sequence.fps or 25.0),
            alt=alt or self._describe(),
        )

    def overlap(self, label: str) -> np.ndarray:
        """IoU (shown,) of the boxes called `label` with the ground truth; NaN where either is
        absent."""
        return iou(self.boxes[label], self.sequence.boxes[: self.shown])

    def _describe(self) -> str:
        labels = ", ".join(self.boxes) or "no boxes"
        return (
            f"Sequence {self.sequence.name}, {self.shown} of {len(self.sequence)} frames, with "
            f"{labels}."
        )

    def image(self) -> Figure:
        """The first, middle and last frame with their boxes."""
        moments = sorted({0, self.shown // 2, self.shown - 1})
        figure, axes = plots.new_figure(3.2 * len(moments), 2.8, columns=len(moments))
        for ax, t in zip(axes[0], moments, strict=True):
            plots.show_frame(ax, self.sequence.frames[t], f"frame {t}")
            for style, rows in zip(self.styles, self.boxes.values(), strict=True):
                plots.draw_box(ax, rows[t], style["colour"], style["label"], style["line"])
        if self.styles:
            figure.legend(
                handles=_handles(self.styles), loc="outside lower center", ncols=4, fontsize=9
            )
        return figure


def _handles(styles: list[dict]) -> list:
    """One line for each style: a legend independent of the boxes that a frame happens to show."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=s["colour"], linestyle=s["line"], linewidth=2, label=s["label"])
        for s in styles
    ]
