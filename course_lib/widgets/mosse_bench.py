"""MOSSE bench: change the tracker's settings and watch its filter, its response and its PSR along a
sequence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import traitlets
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import iou
from course_lib.trackers.base import accept_start
from course_lib.trackers.mosse import MOSSE, MOSSESettings, MOSSEState
from course_lib.widgets import canvas
from course_lib.widgets.bench import slider
from course_lib.widgets.static import front_end

SETTINGS = ("rate", "sigma", "regulariser")
# `log`: whether the slider moves in powers of ten
SLIDERS = (
    slider("rate", "learning rate η", 0.0, 1.0, 0.005) | {"log": False},
    slider("sigma", "target response σ", 0.5, 10.0, 0.1) | {"log": False},
    slider("regulariser", "regulariser λ", 1e-5, 1e1, 0.1) | {"log": True},
)


@dataclass(frozen=True)
class Run:
    """One run of MOSSE over T frames.

    Attributes:
        boxes: (T, 4) x, y, w, h in frame pixels; row 0 is the box it started from.
        moments: T states of the tracker, one after each frame: response, PSR, filter.
    """

    boxes: np.ndarray
    moments: list[MOSSEState]

    @property
    def psr(self) -> np.ndarray:
        """Peak-to-sidelobe ratio (T,); NaN in frame 0, where there is no search."""
        return np.array([moment.psr for moment in self.moments], dtype=np.float64)

    @property
    def learned(self) -> np.ndarray:
        """Whether the filter learned from each frame (T,)."""
        return np.array([moment.updated for moment in self.moments], dtype=bool)

    def maps(self, t: int) -> dict[str, np.ndarray]:
        """Filter and response after frame t, (h, w) each; frame 0 has no response, which
        is shown as zeros."""
        kernel, response = self.moments[t].filter, self.moments[t].response
        return {
            "filter": kernel,
            "response": np.zeros_like(kernel) if response is None else response,
        }


def run_mosse(frames: list[np.ndarray], box: np.ndarray, settings: MOSSESettings) -> Run:
    """MOSSE over a sequence.

    Args:
        frames: T images (H, W, 3).
        box: (4,) x, y, w, h in the first of them, pixels.
        settings: of the tracker.
    """
    tracker = MOSSE(settings)
    tracker.init(frames[0], box)
    boxes, moments = [np.asarray(box)], [tracker.last]
    for frame in frames[1:]:
        boxes.append(tracker.update(frame))
        moments.append(tracker.last)
    return Run(np.array(boxes), moments)


class MosseBench(canvas.PlayedWidget):
    """MOSSE on a sequence with sliders for learning rate, sigma and regulariser.

    Each change runs the tracker over the whole sequence again. In the page: the frame with truth and
    box, the filter, the response, and PSR and IoU along the sequence with the threshold; frames in
    which the target is occluded are shaded.

    Args:
        sequence: a Sequence whose first frame has ground truth; its frames are kept in memory.
        max_frames: only so many frames from the start are used.
        threshold: PSR drawn as a line; frames below it are counted.
        settings: where the sliders start; MOSSE's own defaults if not given.
        alt: alternative text; made from the sequence's name if not given.

    Attributes:
        rate, sigma, regulariser: the current settings; set them to move the sliders. Values beyond
            a slider's ends are set to the nearer end.
        frame: number of the frame in view.
        run: the Run with these settings.

    Raises DataError if there is no ground truth to start on.
    """

    _esm = front_end("frames.js", "transport.js", "mosse_bench.js")
    styles = traitlets.List().tag(sync=True)  # of the truth and of the tracker's box
    sliders = traitlets.List().tag(sync=True)
    palette = traitlets.Bytes().tag(sync=True)  # 256 RGB triples for the maps
    truth = traitlets.Bytes().tag(sync=True)  # float32 (T, 4)
    occluded = traitlets.List().tag(sync=True)  # T booleans, or none
    threshold = traitlets.Float().tag(sync=True)
    rate = traitlets.Float().tag(sync=True)
    sigma = traitlets.Float().tag(sync=True)
    regulariser = traitlets.Float().tag(sync=True)
    tracked = traitlets.Bytes().tag(sync=True)  # float32 (T, 7): x, y, w, h, PSR, IoU, learned
    # filter and response of one frame: {"frame", "shapes", "pixels"}
    maps = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        sequence: Sequence,
        max_frames: int = 100,
        threshold: float = 7.0,
        settings: MOSSESettings | None = None,
        alt: str | None = None,
    ) -> None:
        sequence = canvas.as_sequence(sequence)
        self.sequence = sequence.part(0, max(1, max_frames))
        self.base = settings or MOSSESettings()
        self._frames = list(self.sequence.frames)
        accept_start(self._frames[0], self.sequence.boxes[0])  # before the page gets anything
        self._ran_with: MOSSESettings | None = None
        packed = canvas.pack_frames(self._frames, longest_side=480)
        super().__init__(
            **vars(packed),
            styles=canvas.box_styles([canvas.TRUTH_LABEL, "MOSSE"]),
            sliders=list(SLIDERS),
            palette=canvas.palette(),
            truth=canvas.pack_floats(self.sequence.boxes),
            occluded=np.asarray(self.sequence.tags.get("occlusion", []), dtype=bool).tolist(),
            threshold=threshold,
            fps=float(self.sequence.fps or 25.0),
            frame=min(1, len(self._frames) - 1),  # the first that has a response
            alt=alt
            or f"MOSSE on {sequence.name}: frame with box, filter, response, and PSR along the "
            "sequence.",
            **{name: float(getattr(self.base, name)) for name in SETTINGS},
        )
        self._recompute()

    @traitlets.validate(*SETTINGS)
    def _within_slider(self, proposal: dict) -> float:
        spec, value = SLIDERS[SETTINGS.index(proposal["trait"].name)], proposal["value"]
        if not np.isfinite(value):
            raise DataError(
                f"{spec['name']} is {value}; expected {spec['low']:g} … {spec['high']:g}"
            )
        return min(max(value, spec["low"]), spec["high"])

    @traitlets.observe(*SETTINGS)
    def _setting_changed(self, _change: dict) -> None:
        # traits are set one by one while the widget is made; the first run waits for all of them
        if self._ran_with is not None:
            self._recompute()

    @traitlets.observe("frame")
    def _frame_changed(self, _change: dict) -> None:
        if self._ran_with is not None:
            self.maps = self._maps_of(self.frame)

    def _recompute(self) -> None:
        """Run the sequence with the current settings, unless it just ran with them."""
        settings = replace(self.base, **{name: getattr(self, name) for name in SETTINGS})
        if settings == self._ran_with:
            return
        self.run = run_mosse(self._frames, self.sequence.boxes[0], settings)
        self._ran_with = settings
        with self.hold_sync():  # one message
            overlaps = iou(self.run.boxes, self.sequence.boxes)
            numbers = [self.run.boxes, self.run.psr, overlaps, self.run.learned]
            self.tracked = canvas.pack_floats(np.column_stack(numbers))
            self.maps = self._maps_of(self.frame)

    def _maps_of(self, t: int) -> dict:
        """Filter and response after frame t as bytes, each scaled to its own range."""
        pair = [small_map(values) for values in self.run.maps(t).values()]
        return {
            "frame": t,
            "shapes": [list(m.shape) for m in pair],
            "pixels": b"".join(m.tobytes() for m in pair),
        }

    def image(self) -> Figure:
        """The frame in view with boxes, the filter, the response, and PSR along the sequence."""
        figure, axes = plots.new_figure(10.0, 2.8, columns=4, width_ratios=[1.6, 1, 1, 2.2])
        view, left, right, chart = axes[0]
        plots.show_frame(view, self._frames[self.frame], f"frame {self.frame}")
        for style, box in zip(
            self.styles, (self.sequence.boxes[self.frame], self.run.boxes[self.frame]), strict=True
        ):
            plots.draw_box(view, box, style["colour"], style["label"], style["line"])
        view.legend(loc="lower right", fontsize=7)
        for ax, (title, values) in zip(
            (left, right), self.run.maps(self.frame).items(), strict=True
        ):
            plots.show_map(ax, small_map(values), title)
        chart.plot(self.run.psr, color="black")
        chart.axhline(self.threshold, color=plots.NEUTRAL, linestyle="--")
        chart.set(xlabel="frame", ylabel="PSR", ylim=(0, None))
        return figure


def small_map(values: np.ndarray, longest_side: int = 96) -> np.ndarray:
    """A map (h, w) as uint8, its lowest value 0 and its highest 255, subsampled beyond
    `longest_side`."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64))
    step = 1 + (max(values.shape) - 1) // longest_side  # one step for both axes
    values = values[::step, ::step]
    low, high = values.min(), values.max()
    return np.round(255 * (values - low) / (high - low or 1.0)).astype(np.uint8)
