"""Classifier room: what a classifier that learns while it tracks remembers, and what it sees."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from course_lib import plots
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.geometry.boxes import iou
from course_lib.trackers.atom import ATOMTracker
from course_lib.trackers.localise import HARD, LOST, NORMAL, UNCERTAIN
from course_lib.widgets.bench import ImageBench, choice, slider
from course_lib.widgets.classifier_runs import FIRST, THUMB, Moment, Sample, record

MODES = ("online", "frozen")
COLOURS = {FIRST: plots.EXEMPLAR, NORMAL: plots.PREDICTION, HARD: plots.DISTRACTOR}
# of states in the chart: colour, marker, its size
STATES = {
    NORMAL: (plots.PREDICTION, "o", 3),
    HARD: (plots.DISTRACTOR, "^", 6),
    UNCERTAIN: (plots.CYCLE[4], "s", 5),
    LOST: (plots.CYCLE[6], "X", 6),
}
COLUMNS, ROWS = 15, 2  # of the first frame's samples, and as many of the later ones
HIGH, BAR = 1.42, 0.34  # of a sample with its bar, and of the largest bar, in columns
BOTTOM = 2 * ROWS * HIGH


class ClassifierRoom(ImageBench):
    """ATOM's classifier along a sequence: the score map, its verdict, and the memory it learns from.

    The tracker runs over the sequence when the widget is made, once with a classifier that goes on
    learning and once with one that stays as it was after the first frame. Afterwards the widget
    only shows these runs.

    Args:
        sequence: frames, and the box to start on.
        tracker: its settings, except `frozen`, and its network are used.
        max_frames: only so many frames from the start are used.
        alt: describes the still image.

    Attributes:
        runs: by "online" and "frozen", a moment for each frame after the first.

    Raises DataError if there is no frame to track in.
    """

    def __init__(
        self,
        sequence: Sequence,
        tracker: ATOMTracker,
        max_frames: int = 60,
        alt: str | None = None,
    ) -> None:
        self.sequence = sequence.part(0, max_frames)
        last = len(self.sequence) - 1
        if last < 1:
            raise DataError(f"{sequence.name} has no second frame here; expected at least two")
        self.not_found = tracker.settings.localisation.not_found
        self.runs = dict(zip(MODES, record(self.sequence, tracker), strict=True))
        super().__init__(
            title="Classifier room",
            controls=[
                slider("frame", "frame", 1, last, 1),
                choice("mode", "classifier", list(MODES)),
            ],
            values={"frame": min(10, last), "mode": 0},
            alt=alt
            or f"ATOM in {sequence.name}: the frame, the search image under its score map, scores "
            "and IoU over time, and the samples in the memory with their weights.",
        )

    @property
    def moment(self) -> Moment:
        """The one in view."""
        return self.runs[self.mode][int(self.values["frame"]) - 1]

    @property
    def mode(self) -> str:
        """ "online" or "frozen"."""
        return MODES[int(self.values["mode"])]

    def overlaps(self, mode: str) -> np.ndarray:
        """IoU (T − 1,) with the ground truth."""
        return iou(np.stack([m.box for m in self.runs[mode]]), self.sequence.boxes[1:])

    def draw(self) -> tuple[Figure, str]:
        """The frame, the search image, both charts, the memory, and a sentence."""
        figure = Figure(figsize=(10.5, 7.2))
        # not a constrained layout: it would take longer than all the drawing
        top = {"left": 0.01, "right": 0.99, "bottom": 0.64, "top": 0.96, "wspace": 0.15}
        axes = figure.subplot_mosaic(
            [["frame", "search", "score"], ["frame", "search", "iou"]],
            width_ratios=[1.3, 1, 1.3],
            gridspec_kw=top,
        )
        memory = figure.add_axes((0.01, 0.05, 0.98, 0.52))
        self._draw_frame(axes["frame"])
        self._draw_search(axes["search"])
        scores = {mode: [m.found.score for m in run] for mode, run in self.runs.items()}
        self._draw_chart(axes["score"], scores, "score")
        axes["score"].axhline(self.not_found, color=plots.NEUTRAL, linestyle=":", linewidth=1)
        self._draw_chart(axes["iou"], {mode: self.overlaps(mode) for mode in MODES}, "IoU")
        axes["iou"].set_ylim(-0.05, 1.05)
        axes["iou"].set_xlabel("frame", fontsize=8)
        draw_memory(memory, self.moment)
        handles = [Patch(color=colour, label=kind) for kind, colour in COLOURS.items()]
        handles.append(Patch(fill=False, edgecolor="black", label="new in this frame"))
        figure.legend(handles=handles, loc="lower center", ncols=4, fontsize=8)
        return figure, self.sentence()

    def sentence(self) -> str:
        """The state, what was remembered, and how the weights are divided, in words."""
        m, t = self.moment, int(self.values["frame"])
        found, first = m.found, [sample.kind == FIRST for sample in m.samples]
        kept = "remembered" if m.remembered is not None else "not remembered"
        learned = "the classifier learns" if m.learned else "it does not learn"
        return (
            f"frame {t}, {self.mode}: {found.state}, score {found.score:.2f}, second peak "
            f"{found.other_score:.2f}; IoU with the truth {self.overlaps(self.mode)[t - 1]:.2f}. "
            f"The sample is {kept}, and {learned} in this frame. In the memory are {sum(first)} "
            f"samples of the first frame with {100 * m.weights[first].sum():.0f} % of the weight "
            f"and {len(first) - sum(first)} later ones"
        )

    def _draw_frame(self, ax: Axes) -> None:
        t, m = int(self.values["frame"]), self.moment
        frame, w = self.sequence.frames[t], m.window
        plots.show_frame(ax, frame, f"frame {t}", self.sequence.boxes[t], m.box)
        plots.draw_box(ax, (*w.corner, w.side, w.side), plots.NEUTRAL, style=":")
        H, W = frame.shape[:2]
        ax.set(xlim=(-0.5, W - 0.5), ylim=(H - 0.5, -0.5))
        ax.set_xlabel("solid: ground truth, dashed: found", fontsize=8)

    def _draw_search(self, ax: Axes) -> None:
        m = self.moment
        S = m.window.size
        crop = m.window.cut(self.sequence.frames[int(self.values["frame"])])
        plots.show_frame(ax, crop, f"score map: {m.found.state}")
        high = np.clip(m.fine.astype(float), 0, 1)  # (S / 2, S / 2)
        extent = (-0.5, S - 0.5, S - 0.5, -0.5)
        look = {"cmap": plots.MAP, "vmin": 0, "vmax": 1, "extent": extent}
        ax.imshow(high, alpha=0.25 + 0.5 * high, **look)
        colour = plots.PREDICTION
        ax.plot(*(m.found.point - 0.5), "o", color=colour, markeredgecolor="white", markersize=8)
        ax.plot(*(m.found.other - 0.5), "x", color="white", markersize=8, markeredgewidth=2)
        ax.set_xlabel("○ highest peak, × highest elsewhere", fontsize=8)

    def _draw_chart(self, ax: Axes, values: dict[str, np.ndarray], name: str) -> None:
        """One number of both classifiers over time; the one in view is marked by its state."""
        frames = np.arange(1, len(self.sequence))
        for mode, line in values.items():
            chosen = mode == self.mode
            ax.plot(
                frames,
                line,
                "-" if mode == "online" else "--",
                color="black" if chosen else plots.NEUTRAL,
                linewidth=1.4 if chosen else 0.8,
                label=mode,
            )
        states = np.array([m.found.state for m in self.runs[self.mode]])
        shown = np.asarray(values[self.mode])
        for state, (colour, marker, size) in STATES.items():
            here = states == state
            if here.any():
                ax.plot(
                    frames[here], shown[here], marker, color=colour, markersize=size, label=state
                )
        ax.axvline(int(self.values["frame"]), color=plots.EXEMPLAR, linewidth=1)
        ax.set_ylabel(name, fontsize=8)
        ax.tick_params(labelsize=7)
        if name == "score":
            ax.set_ylim(top=1.5 * max(1.0, *(max(line) for line in values.values())))
            ax.legend(fontsize=6, ncols=3, loc="upper center")


def draw_memory(ax: Axes, moment: Moment) -> None:
    """The samples of the first frame in the upper rows, the later ones with the largest weights in
    the lower ones, each above a bar as high as its weight."""
    first = [k for k, sample in enumerate(moment.samples) if sample.kind == FIRST]
    later = [k for k, sample in enumerate(moment.samples) if sample.kind != FIRST]
    later.sort(key=lambda k: (-moment.weights[k], -moment.samples[k].frame))
    most = COLUMNS * ROWS
    chosen = first[:most] + later[:most]
    cells = [*range(len(first[:most])), *range(most, most + len(later[:most]))]
    ax.imshow(mosaic([moment.samples[k] for k in chosen], cells), extent=(0, COLUMNS, BOTTOM, 0))
    bases = np.array([(cell // COLUMNS + 1) * HIGH for cell in cells]) - 0.06
    heights = BAR * moment.weights[chosen] / moment.weights.max()
    kinds = np.array([moment.samples[k].kind for k in chosen])
    for kind, colour in COLOURS.items():
        here = kinds == kind
        at = np.array(cells)[here] % COLUMNS + 0.5
        ax.bar(at, -heights[here], 0.9, bases[here], color=colour)
    if moment.remembered in chosen:
        cell = cells[chosen.index(moment.remembered)]
        corner = cell % COLUMNS + 0.5, HIGH * (cell // COLUMNS) + 0.5  # draw_box takes half off
        plots.draw_box(ax, (*corner, 1, HIGH - 0.03), "black")
    hidden = len(moment.samples) - len(chosen)
    more = f"; {hidden} more are not shown" if hidden else ""
    ax.set_title(f"the memory: its samples, and bars as high as their weights{more}", fontsize=10)
    ax.set(xlim=(0, COLUMNS), ylim=(BOTTOM, 0), xticks=[], yticks=[], frame_on=False)


def mosaic(samples: list[Sample], cells: list[int]) -> np.ndarray:
    """One image (h, w, 3) of samples, white between them.

    Args:
        samples: N of them.
        cells: (N,) where each lies, counted row by row.
    """
    edge, side = 2, THUMB + 4
    image = np.full((round(BOTTOM * side), COLUMNS * side, 3), 255, np.uint8)
    for sample, cell in zip(samples, cells, strict=True):
        y, x = round(HIGH * side * (cell // COLUMNS)) + edge, side * (cell % COLUMNS) + edge
        image[y : y + THUMB, x : x + THUMB] = sample.image
    return image
