"""Box climber: drop a box near a target, and watch it climb the IoU that a judge predicts."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from course_lib import plots
from course_lib.analysis.overlap_slices import (
    NAMES,
    SIDE,
    Judge,
    check_judge,
    draw_slices,
    from_home,
    in_crop,
    predicted_overlap,
    search_image,
    slices,
)
from course_lib.errors import DataError
from course_lib.geometry.anchors import overlaps
from course_lib.geometry.boxes import centre_error, from_centre, to_centre
from course_lib.geometry.windows import CropWindow
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.trackers.base import accept_start
from course_lib.trackers.climbing import Climb, ClimbSettings, best_box, climb, starting_boxes
from course_lib.widgets import canvas
from course_lib.widgets.bench import DPI, Bench, choice, slider
from course_lib.widgets.static import front_end

MOST, PATIENCE, RISE = 60, 8, 0.002  # steps; a climb ends after 8 that gain less than RISE


class BoxClimber(canvas.FrameWidget, Bench):
    """A box that climbs the IoU predicted for it.

    In the page: on the left the search image with the box, to be dropped anywhere by mouse, touch
    or arrow keys. On the right four maps: predicted and true IoU of the same box elsewhere, and of
    other sizes at its place. Enter takes a step, End goes on as long as anything is gained, Home
    returns to where the box was dropped; buttons do the same.

    Boxes and step lengths are in pixels of the search image, as in ATOM; it is cut once, around
    the true target.

    Args:
        frame: (H, W, 3).
        truth: (4,) of the target in it, frame pixels.
        judge: from boxes (P, 4) float32 in frame pixels to their IoU (P,), differentiable; the
            network's unless given.
        first: a frame and the target's box in it: from this the network knows the target.
        runtime: the network; "atom-lite0" unless given.
        box: (4,) dropped at first, frame pixels; beside the target unless given.
        alt: describes the still image.

    Attributes:
        box: where the box was dropped, as a list x, y, w, h; set it to drop another.
        step: how many steps are shown, up to MOST.

    Raises DataError for boxes that cannot start a tracker, for a judge that cannot be climbed, and
    if there is neither a judge nor a first frame.
    """

    _esm = front_end("frames.js", "controls.js", "box_editor.js", "box_climber.js")
    png = traitlets.Bytes().tag(sync=True)  # the maps
    styles = traitlets.List().tag(sync=True)  # of the truth, the box dropped, the others, the box
    truth = traitlets.List().tag(sync=True)
    box = traitlets.List(traitlets.CFloat()).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    # what the page draws: the box dropped, the box now, and all boxes, float32 (K + 1, P, 4)
    shown = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        frame: np.ndarray,
        truth: ArrayLike,
        judge: Judge | None = None,
        first: tuple[np.ndarray, ArrayLike] | None = None,
        runtime: OnlineRuntime | None = None,
        box: ArrayLike | None = None,
        alt: str | None = None,
    ) -> None:
        frame, truth = accept_start(frame, truth)
        self.window = window = search_image(truth)
        judge = judge or _of_network(frame, window, first, runtime)
        self.home, self.crop = window.box_to_crop(truth), window.cut(frame)
        target = torch.from_numpy(self.home)[None].float()  # (1, 4)
        self.judges = partial(in_crop, judge, window), lambda boxes: overlaps(boxes, target)[0]
        check_judge(self.judges[0], target)
        self._climbed: tuple[tuple, Climb] | None = None
        finer = CropWindow(window.cx, window.cy, window.side, 2 * SIDE)
        super().__init__(
            title="Box climber",
            controls=[
                choice("climbed", "what is climbed", list(NAMES)),
                choice("boxes", "boxes", ["the one dropped", "ten, the mean of the best three"]),
                slider("length", "step length", 0.5, 8.0, 0.5),
            ],
            values={"climbed": 0, "boxes": 0, "length": 1.0},
            **vars(canvas.pack_frames([finer.cut(frame)])) | {"sizes": [[SIDE, SIDE]]},
            styles=[
                canvas.style(canvas.TRUTH_LABEL, plots.TRUTH),
                canvas.style("dropped", plots.CYCLE[5], ":"),
                canvas.style("others", plots.CYCLE[5]),
                canvas.style("box", plots.PREDICTION, "--"),
            ],
            truth=self.home.tolist(),
            box=(_beside(self.home) if box is None else window.box_to_crop(box)).tolist(),
            alt=alt
            or "A search image with the target's box and another one that climbs; beside it the "
            "predicted and the true IoU of that box elsewhere and at other sizes.",
        )
        self.on_msg(lambda _widget, content, _buffers: content == "climb" and self.climb())

    @property
    def now(self) -> np.ndarray:
        """The box (4,) after the steps shown: the one dropped, or the mean of the best of ten."""
        path = self.path(self.step)
        best = best_box(path, ClimbSettings().best) if self.step else None
        return (path.boxes[-1, 0] if best is None else best).numpy().astype(float)

    def overlap(self, boxes: ArrayLike) -> np.ndarray:
        """Predicted and true IoU (2, P) of boxes (P, 4) in pixels of the search image."""
        boxes = torch.from_numpy(np.asarray(boxes, dtype=np.float32))
        with torch.no_grad():
            return torch.stack([judge(boxes) for judge in self.judges]).numpy()

    def path(self, steps: int) -> Climb:
        """How the boxes climb in so many steps, under the current values."""
        v, key = self.values, (*self.box, *self.values.values())
        if self._climbed is None or self._climbed[0] != key:
            boxes = starting_boxes(np.array(self.box), np.random.default_rng(0), ClimbSettings())
            boxes = boxes if v["boxes"] else boxes[:1]  # (P, 4)
            self._climbed = key, Climb(boxes[None], boxes.new_zeros(0, len(boxes)))
        path, judge = self._climbed[1], self.judges[int(v["climbed"])]
        while len(path.values) < steps:
            one = climb(lambda b: 2 * judge(b) - 1, path.boxes[-1], 1, float(v["length"]))
            values = torch.cat([path.values, one.values])  # (K, P)
            path = Climb(torch.cat([path.boxes, one.boxes[1:]]), values)
            self._climbed = key, path
        return Climb(path.boxes[: steps + 1], path.values[:steps])

    def climb(self) -> None:
        """Take steps until nothing is gained any more, and show the best."""
        steps = self.step
        best = self.path(steps).values.amax(1)  # (K,) of the box judged best
        while steps < MOST:
            if steps > PATIENCE and best[-PATIENCE:].max() < best[:-PATIENCE].max() + RISE:
                break
            steps += 1
            best = self.path(steps).values.amax(1)
        self.step = int(best.argmax())

    def refresh(self) -> None:
        """Draw and send the maps and the boxes."""
        path = self.path(self.step).boxes
        figure = Figure(figsize=(5.5, 5.2))  # not a constrained layout, which takes longer to draw
        edges = {"left": 0.12, "right": 0.98, "bottom": 0.09, "top": 0.95, "hspace": 0.25}
        self._draw_maps(figure, figure.subplots(2, 2, gridspec_kw=edges))
        with self.hold_sync():  # one message
            self.png = plots.to_png(figure, dpi=DPI)
            self.shown = {
                "start": list(self.box),
                "now": self.now.tolist(),
                "count": path.shape[1],
                "boxes": canvas.pack_floats(path),
            }
            self.readout = self.sentence()

    def sentence(self) -> str:
        """Both IoUs before the first step and now, and how far the target's centre is."""
        now = self.now
        (first, last), (true_first, true_last) = self.overlap([self.box, now])
        return (
            f"dropped: predicted IoU {first:.2f}, true IoU {true_first:.2f}. After {self.step} "
            f"step{'s' * (self.step != 1)}: predicted IoU {last:.2f}, true IoU {true_last:.2f}, "
            f"centre {float(centre_error(now, self.home)):.0f} pixels from the target's"
        )

    def image(self) -> Figure:
        """The search image with the boxes, and the maps."""
        figure, axes = plots.new_figure(10.5, 4.8, rows=2, columns=3, width_ratios=[1.6, 1, 1])
        grid = axes[0, 0].get_gridspec()
        for ax in axes[:, 0]:
            ax.remove()
        view = figure.add_subplot(grid[:, 0])
        plots.show_frame(view, self.crop, "search image")
        for style, box in zip(self.styles, (self.home, self.box, None, self.now), strict=True):
            if box is not None:
                plots.draw_box(view, box, style["colour"], style["label"], style["line"])
        plots.legend_below(figure, view)
        self._draw_maps(figure, axes[:, 1:])
        return figure

    def _draw_maps(self, figure: Figure, axes: np.ndarray) -> None:
        """The four maps on axes (2, 2), with what has climbed."""
        now, home = self.now, self.home
        found = slices(self.overlap, home, now, np.stack([self.box, now]))
        path = from_home(self.path(self.step).boxes.numpy(), home)
        draw_slices(figure, axes, found, path, from_home(now, home))

    @traitlets.validate("box")
    def _a_start(self, proposal: dict) -> list[float]:
        return accept_start(self.crop, proposal["value"])[1].tolist()

    @traitlets.validate("step")
    def _within_steps(self, proposal: dict) -> int:
        return min(max(proposal["value"], 0), MOST)

    @traitlets.observe("box")
    def _dropped(self, _change: dict) -> None:
        if self.step:
            self.step = 0  # draws
        elif self.ready:
            self.refresh()

    @traitlets.observe("step")
    def _stepped(self, _change: dict) -> None:
        if self.ready:
            self.refresh()


def _of_network(
    frame: np.ndarray,
    window: CropWindow,
    first: tuple[np.ndarray, ArrayLike] | None,
    runtime: OnlineRuntime | None,
) -> Judge:
    """The network's judge of boxes in a frame, of which it sees a window."""
    if first is None:
        raise DataError(
            "the network must know the target; give first, a frame and the box in it, or a judge"
        )
    runtime = runtime or OnlineRuntime.load("atom-lite0", "auto", "auto")
    return predicted_overlap(runtime, accept_start(*first), frame, window)


def _beside(home: np.ndarray) -> np.ndarray:
    """A box (4,) beside the target's, wider and lower."""
    cx, cy, w, h = to_centre(home)
    return from_centre(np.array([cx + 0.35 * w, cy - 0.25 * h, 1.3 * w, 0.8 * h]))
