"""Tracker race: several trackers on one sequence, side by side, with a line for each along the sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import iou
from course_lib.trackers.base import Tracker, accept_start, confidence_of
from course_lib.widgets import canvas
from course_lib.widgets.static import front_end

MOST = 6  # trackers; each has a colour and a dash of its own


@dataclass(frozen=True, eq=False)
class Lap:
    """One tracker's pass over T frames.

    Attributes:
        boxes: (T, 4) frame pixels; row 0 is the box it started from.
        scores: (T,) how sure it was, in units of its own; NaN where it does not say.
    """

    boxes: np.ndarray
    scores: np.ndarray

    def fails_at(self, truth: ArrayLike) -> int | None:
        """The first frame in which the box misses the true one of (T, 4), their IoU being 0, or
        None. Frames without a true box do not count."""
        missed = np.flatnonzero(iou(self.boxes, np.asarray(truth)) == 0)
        return int(missed[0]) if len(missed) else None


def run_lap(tracker: Tracker, sequence: Sequence) -> Lap:
    """One pass of a tracker over a sequence, started on the first true box."""
    tracker.init(sequence.frames[0], sequence.boxes[0].copy())
    boxes, scores = [sequence.boxes[0]], [np.nan]
    for frame in sequence.frames.part(1):
        boxes.append(np.array(tracker.update(frame)))  # a tracker may go on changing its own
        scores.append(confidence_of(tracker))
    return Lap(np.array(boxes, dtype=np.float64), np.array(scores))


class TrackerRace(canvas.PlayedWidget):
    """Trackers side by side on one sequence.

    In the page: the frame once for each tracker, with its box and the true one; below, IoU with
    the truth, or how sure each tracker was, along the sequence. Click or drag in the chart, or play and
    step. No kernel is needed for that: everything is sent at once.

    Args:
        sequence: a Sequence whose first frame has ground truth.
        racers: by label; a Tracker, which is run here, or boxes (T, 4).
        max_frames: only so many frames from the start are used.
        alt: alternative text; made from the names if not given.

    Attributes:
        frame: number of the frame in view.
        laps: by label, one `Lap` for each.

    Raises DataError if there is no ground truth to start on, for no tracker or too many, and for
    boxes with another number of rows.
    """

    _esm = front_end("frames.js", "transport.js", "race.js")
    styles = traitlets.List().tag(sync=True)  # of the truth, then of each tracker
    truth = traitlets.Bytes().tag(sync=True)  # float32 (T, 4)
    tracked = traitlets.Bytes().tag(sync=True)  # float32 (trackers, T, 4)
    ious = traitlets.Bytes().tag(sync=True)  # float32 (trackers, T)
    scores = traitlets.Bytes().tag(sync=True)  # float32 (trackers, T), of each 1 at its highest

    def __init__(
        self,
        sequence: Sequence,
        racers: Mapping[str, Tracker | ArrayLike],
        max_frames: int = 200,
        alt: str | None = None,
    ) -> None:
        if not 1 <= len(racers) <= MOST:
            raise DataError(f"{len(racers)} trackers were given; expected 1 to {MOST}")
        self.sequence = sequence.part(0, max(1, max_frames)).loaded()
        accept_start(self.sequence.frames[0], self.sequence.boxes[0])
        self.laps = {str(k): self._lap(sequence, str(k), racer) for k, racer in racers.items()}
        super().__init__(
            **vars(canvas.pack_frames(self.sequence.frames, longest_side=400)),
            styles=canvas.box_styles([canvas.TRUTH_LABEL, *self.laps]),
            truth=canvas.pack_floats(self.sequence.boxes),
            tracked=canvas.pack_floats([lap.boxes for lap in self.laps.values()]),
            ious=canvas.pack_floats([self.overlap(label) for label in self.laps]),
            scores=canvas.pack_floats([_relative(lap.scores) for lap in self.laps.values()]),
            fps=float(self.sequence.fps or 25.0),
            frame=min(1, len(self.sequence) - 1),
            alt=alt or f"{', '.join(self.laps)} side by side on {sequence.name}.",
        )

    def overlap(self, label: str) -> np.ndarray:
        """IoU (T,) of a tracker's boxes with the truth; NaN where the target is absent."""
        return iou(self.laps[label].boxes, self.sequence.boxes)

    @property
    def failures(self) -> dict[str, int | None]:
        """For each tracker the first frame in which its box misses the target, or None."""
        return {k: lap.fails_at(self.sequence.boxes) for k, lap in self.laps.items()}

    def image(self) -> Figure:
        """The frame in view once for each tracker, and the IoU along the sequence."""
        count = len(self.laps)
        figure, axes = plots.new_figure(
            max(7.0, 2.6 * count), 4.4, rows=2, columns=count, height_ratios=[1.5, 1]
        )
        grid = axes[0, 0].get_gridspec()
        for ax in axes[1]:
            ax.remove()
        truth, *styles = self.styles
        for ax, style, lap in zip(axes[0], styles, self.laps.values(), strict=True):
            plots.show_frame(ax, self.sequence.frames[self.frame], style["label"])
            plots.draw_box(ax, self.sequence.boxes[self.frame], truth["colour"])
            plots.draw_box(ax, lap.boxes[self.frame], style["colour"], "", style["line"])
        self._chart(figure.add_subplot(grid[1, :]), styles)
        return figure

    def _chart(self, ax: Axes, styles: list[dict]) -> None:
        """IoU of each tracker along the sequence."""
        for style, label in zip(styles, self.laps, strict=True):
            ax.plot(self.overlap(label), color=style["colour"], ls=style["line"], label=label)
        ax.axvline(self.frame, color=plots.NEUTRAL)
        ax.set(xlabel="frame", ylabel="IoU", ylim=(-0.02, 1.02))
        ax.legend(fontsize=8, ncols=3)

    def _lap(self, whole: Sequence, label: str, racer: Tracker | ArrayLike) -> Lap:
        """A tracker's pass, run here, or one whose boxes are given."""
        T = len(self.sequence)
        if isinstance(racer, Tracker):
            return run_lap(racer, self.sequence)
        boxes = canvas.stack_boxes(whole, {label: racer}, T)[label]
        return Lap(boxes, np.full(T, np.nan))


def _relative(scores: np.ndarray) -> np.ndarray:
    """Scores (T,) divided by their highest: each tracker has a unit of its own."""
    known = scores[np.isfinite(scores)]
    highest = float(known.max()) if len(known) else 0.0
    return scores / highest if highest > 0 else np.full(len(scores), np.nan)
