"""Window-and-scale bench: one step of SiamFC's search, with adjustable window influence, penalty
and scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.geometry.boxes import centre_error, iou
from course_lib.geometry.windows import SEARCH, CropWindow
from course_lib.models.runtime import SiamFCRuntime
from course_lib.trackers.siamfc import (
    SiamFCSettings,
    SiamFCTracker,
    blend_with_window,
    choose_scale,
    damp,
    enlarge,
    peak_displacement,
    unit_window,
)
from course_lib.widgets.bench import ImageBench, choice, slider

COUNTS = (1, 3, 5)


@dataclass(frozen=True, eq=False)
class Moment:
    """The tracker's input and responses in one frame, before it chose.

    Attributes:
        windows: the five search squares; responses: (5, 17, 17) of the network.
        size: (2,) the target's size before the step; side, first: search side before the step, and
            in frame 0.
    """

    windows: list[CropWindow]
    responses: np.ndarray
    size: np.ndarray
    side: float
    first: float


@dataclass(frozen=True, eq=False)
class Choice:
    """The outcome for one frame under the current settings.

    Attributes:
        box: (4,) the next box; window: the square of the chosen scale; scale: its index among those
            allowed.
        response, blended: (272, 272) before and after the window; peaks: (S,) highest response of
            each scale.
    """

    box: np.ndarray
    window: CropWindow
    scale: int
    response: np.ndarray
    blended: np.ndarray
    peaks: np.ndarray


class WindowBench(ImageBench):
    """SiamFC's choice of peak in one frame of a sequence, under adjustable settings.

    The tracker runs over the sequence once, with five scales and the usual settings. In each frame the
    bench then repeats the step with the current settings, from the tracker's state.

    Args:
        sequence: a sequence with ground truth, best with look-alikes in view.
        runtime: the network.
        max_frames: only so many frames from the start are used.
    """

    def __init__(
        self,
        sequence: Sequence,
        runtime: SiamFCRuntime,
        max_frames: int = 60,
        alt: str | None = None,
    ) -> None:
        self.sequence = sequence.part(0, max_frames)
        self.moments = record(self.sequence, runtime)
        self.stride = runtime.network.stride
        controls = [
            slider("frame", "frame", 1, len(self.sequence) - 1, 1),
            slider("window", "influence of the window", 0.0, 1.0, 0.01),
            slider("penalty", "scale penalty", 0.8, 1.0, 0.005),
            slider("rate", "scale rate", 0.0, 1.0, 0.01),
            choice("scales", "scales", [str(n) for n in COUNTS]),
        ]
        defaults = SiamFCSettings()
        values = {
            "frame": min(10, len(self.sequence) - 1),
            "window": defaults.window,
            "penalty": defaults.scale_penalty,
            "rate": defaults.scale_rate,
            "scales": 1,
        }
        super().__init__(
            title="Window-and-scale bench",
            controls=controls,
            values=values,
            alt=alt
            or f"SiamFC's step in one frame of {sequence.name}: search window, response, and "
            "response with the window.",
        )

    def decide(self, t: int | None = None) -> Choice:
        """The step in frame t, by default the current one, under the current settings."""
        v = self.values
        t = int(v["frame"]) if t is None else t
        moment, count = self.moments[t - 1], COUNTS[int(v["scales"])]
        use = slice(2 - count // 2, 3 + count // 2)
        responses, windows = moment.responses[use], moment.windows[use]
        large = np.stack([enlarge(r, 16) for r in responses])  # (S, 272, 272)
        best = choose_scale(large, v["penalty"])
        blended = blend_with_window(large[best], unit_window(large.shape[-1]), v["window"])
        centre = windows[best].to_frame(peak_displacement(blended, self.stride, 16) + SEARCH / 2)
        factor = windows[best].side / moment.side
        size = moment.size * damp(moment.side, factor, v["rate"], moment.first) / moment.side
        box = np.concatenate([centre - size / 2, size])
        return Choice(box, windows[best], best, large[best], blended, large.max(axis=(1, 2)))

    def draw(self) -> tuple[Figure, str]:
        """The frame with window and box, the response, the blended response, and a sentence."""
        t, chosen = int(self.values["frame"]), self.decide()
        figure, axes = plots.new_figure(10.0, 3.0, columns=3, width_ratios=[1.5, 1, 1])
        view, before, after = axes[0]
        plots.show_frame(view, self.sequence.frames[t], f"frame {t}")
        w = chosen.window
        plots.draw_box(view, (*w.corner, w.side, w.side), plots.NEUTRAL, "search window", ":")
        plots.draw_box(view, self.sequence.boxes[t], plots.TRUTH, "ground truth")
        plots.draw_box(view, chosen.box, plots.PREDICTION, "chosen", "--")
        plots.legend_below(figure, view)
        for ax, title, values in (
            (before, "response", chosen.response),
            (after, "with the window", chosen.blended),
        ):
            plots.show_map(ax, values, title, peak=True)
        peaks = ", ".join(f"{p:.2f}" for p in chosen.peaks)
        truth = self.sequence.boxes[t]
        return figure, (
            f"peaks at the scales, smallest first: {peaks}; scale {chosen.scale + 1} is chosen. "
            f"IoU {float(iou(chosen.box, truth)):.2f}, centre error "
            f"{float(centre_error(chosen.box, truth)):.1f} px"
        )


def record(sequence: Sequence, runtime: SiamFCRuntime) -> list[Moment]:
    """One moment for each frame after the first, of a tracker with five scales and otherwise the
    usual settings."""
    tracker = SiamFCTracker(SiamFCSettings(scales=5), runtime)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    moments = []
    for t in range(1, len(sequence)):
        size, side = tracker.size.copy(), tracker.side
        tracker.update(sequence.frames[t])
        moments.append(
            Moment(tracker.windows, tracker.last.responses, size, side, tracker.first_side)
        )
    return moments
