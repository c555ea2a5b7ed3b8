"""Box picker: draw a box on a frame by mouse, touch or keyboard and see how well it fits the ground
truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import traitlets
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import as_boxes, centre_error, iou, is_valid
from course_lib.trackers.base import accept_start
from course_lib.widgets import canvas
from course_lib.widgets.static import front_end


class BoxPicker(canvas.FrameWidget):
    """Draw the initial box of a sequence.

    In the page: drag on the image to draw, inside the box to move, at a corner to resize; by
    keyboard, arrow keys move and Shift with arrow keys resizes; or type the four numbers. IoU and
    centre error against the ground truth update at once, without the kernel.

    Args:
        source: a Sequence, or one frame (H, W[, 3]) uint8, which has no ground truth.
        frame: number of the frame to draw on.
        box: (4,) where the box starts; beside the ground truth if not given.
        alt: alternative text; made from the sequence's name if not given.

    Attributes:
        box: the box in the page as a list of four floats: x, y, w, h in frame pixels. Set it to
            move the box.
        show_truth: whether the ground truth is drawn.

    Raises DataError for a frame that does not exist and for a box that cannot start a tracker:
    NaN, without area, or wholly outside the frame.
    """

    _esm = front_end("frames.js", "box_editor.js", "box_picker.js")
    styles = traitlets.List().tag(sync=True)  # of the truth and of the box that is drawn
    truth = traitlets.List(allow_none=True, default_value=None).tag(sync=True)
    show_truth = traitlets.Bool(True).tag(sync=True)
    box = traitlets.List(traitlets.CFloat()).tag(sync=True)

    def __init__(
        self,
        source: Sequence | np.ndarray,
        frame: int = 0,
        box: ArrayLike | None = None,
        alt: str | None = None,
    ) -> None:
        sequence = canvas.as_sequence(source)
        if not 0 <= frame < len(sequence):
            raise DataError(
                f"frame {frame} of {sequence.name} does not exist; expected 0 … {len(sequence) - 1}"
            )
        self.shown = sequence.frames[frame]
        truth = sequence.boxes[frame]
        packed = canvas.pack_frames([self.shown])
        super().__init__(
            **vars(packed),
            styles=canvas.box_styles([canvas.TRUTH_LABEL, "your box"]),
            truth=truth.tolist() if is_valid(truth) else None,
            box=_start_beside(truth, self.shown) if box is None else as_boxes(box).tolist(),
            alt=alt or f"Frame {frame} of {sequence.name} with the box you draw.",
        )

    @property
    def iou(self) -> float:
        """IoU of the box with the ground truth; NaN where there is none."""
        return float(iou(self.box, self._truth()))

    @property
    def centre_error(self) -> float:
        """Distance of the box's centre from the ground truth's in pixels; NaN where there is
        none."""
        return float(centre_error(self.box, self._truth()))

    def on_change(self, callback: Callable[[np.ndarray], None]) -> None:
        """Call `callback(box)` with the box (4,) float64 whenever it changes."""
        self.observe(
            lambda change: callback(np.array(change["new"], dtype=np.float64)), names="box"
        )

    def _truth(self) -> np.ndarray:
        return np.full(4, np.nan) if self.truth is None else np.array(self.truth, dtype=np.float64)

    @traitlets.validate("box")
    def _a_start(self, proposal: dict) -> list[float]:
        return accept_start(self.shown, proposal["value"])[1].tolist()

    def image(self) -> Figure:
        """The frame with the box and, unless it is hidden, the ground truth."""
        figure, axes = plots.new_figure(5.2, 4.2)
        plots.show_frame(axes[0, 0], self.shown, "")
        for style, box in zip(self.styles, (self._truth(), self.box), strict=True):
            if style["label"] != canvas.TRUTH_LABEL or self.show_truth:
                plots.draw_box(axes[0, 0], box, style["colour"], style["label"], style["line"])
        if axes[0, 0].patches:
            figure.legend(loc="outside lower center", ncols=2, fontsize=9)
        return figure


def _start_beside(truth: np.ndarray, image: np.ndarray) -> list[float]:
    """An initial box: the truth shifted by a quarter of its size, inside the frame; a central box
    if there is no truth."""
    H, W = image.shape[:2]
    x, y, w, h = truth if is_valid(truth) else (W / 4, H / 4, W / 2, H / 2)
    w, h = min(w, W), min(h, H)
    dx = w / 4 if x + w * 1.25 <= W else -w / 4
    dy = h / 4 if y + h * 1.25 <= H else -h / 4
    if not is_valid(truth):
        dx = dy = 0
    return [float(v) for v in (np.clip(x + dx, 0, W - w), np.clip(y + dy, 0, H - h), w, h)]
