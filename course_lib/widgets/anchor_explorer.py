"""Anchor explorer: the anchors of one cell over a search image, and the labels that the
thresholds assign to all anchors."""

from __future__ import annotations

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.geometry.anchors import match, overlaps, place_anchors, siamrpn_anchor_sizes
from course_lib.widgets.bench import ImageBench, slider

COLOURS = {1: plots.EXEMPLAR, 0: plots.NEUTRAL, -1: plots.DISTRACTOR}
WORDS = {1: "positive", 0: "negative", -1: "not counted"}


class AnchorExplorer(ImageBench):
    """SiamRPN's anchors on a search image with a target's box.

    Args:
        search: (S, S, 3) uint8; box: (4,) of the target in it.
        stride: pixels from cell to cell; cells: the map has cells × cells.
    """

    def __init__(
        self,
        search: np.ndarray,
        box: np.ndarray,
        stride: int = 8,
        cells: int = 17,
        alt: str | None = None,
    ) -> None:
        self.search, self.box, self.stride = search, np.asarray(box, dtype=float), stride
        # (k, n, n, 4)
        self.anchors = place_anchors(siamrpn_anchor_sizes(), cells, stride, len(search) / 2)
        controls = [
            slider("row", "row of the cell", 0, cells - 1, 1),
            slider("column", "column of the cell", 0, cells - 1, 1),
            slider("high", "positive above an IoU of", 0.3, 0.95, 0.01),
            slider("low", "negative below an IoU of", 0.0, 0.6, 0.01),
        ]
        _, row, column = np.unravel_index(self._overlaps().argmax(), self.anchors.shape[:3])
        super().__init__(
            title="Anchor explorer",
            help=(
                "Click a cell on the left image, or drag there to draw the target's box anew. By "
                "keyboard, the sliders choose the cell."
            ),
            controls=controls,
            values={"row": int(row), "column": int(column), "high": 0.6, "low": 0.3},
            can_draw=True,
            alt=alt
            or "A search image with the target's box, the anchors of one cell, and the labels of "
            "all anchors.",
        )

    @property
    def labels(self) -> np.ndarray:
        """Labels (k, n, n) of all anchors under the current thresholds; `low` never exceeds
        `high`."""
        high = float(self.values["high"])
        self.overlap = self._overlaps()  # (k, n, n)
        return match(
            torch.from_numpy(self.overlap), high, min(float(self.values["low"]), high)
        ).numpy()

    def _overlaps(self) -> np.ndarray:
        """IoU (k, n, n) of all anchors with the target's box."""
        flat = overlaps(
            torch.from_numpy(self.anchors.reshape(-1, 4)), torch.from_numpy(self.box[None])
        )
        return flat.numpy().reshape(self.anchors.shape[:3])

    @traitlets.observe("drawn")
    def _pointed(self, change: dict) -> None:
        """A click chooses a cell, a drag draws the target's box."""
        left, bottom, width, height = self.left_axes  # in fractions of the image, from the bottom
        x0, y0, x1, y1 = change["new"]
        S = len(self.search)
        xs = np.clip((np.array([x0, x1]) - left) / width * S, 0, S)
        ys = np.clip((np.array([y0, y1]) - (1 - bottom - height)) / height * S, 0, S)
        if np.ptp(xs) >= 8 and np.ptp(ys) >= 8:
            self.box = np.array([xs.min(), ys.min(), np.ptp(xs), np.ptp(ys)])
            self.refresh()
            return
        n = self.anchors.shape[1]
        column, row = (
            (np.array([xs.mean(), ys.mean()]) - S / 2) / self.stride + (n - 1) / 2
        ).round()
        self.set(row=float(row), column=float(column))

    def draw(self) -> tuple[Figure, str]:
        """The anchors of the chosen cell, the labels of all, and a sentence."""
        labels = self.labels
        row, column = int(self.values["row"]), int(self.values["column"])
        figure, axes = plots.new_figure(8.6, 4.1, columns=2)
        left, right = axes[0]
        for ax, title in ((left, "the five anchors of one cell"), (right, "all anchors")):
            # labels must be readable
            pale = self.search if ax is left else 255 - (255 - self.search) // 3
            plots.show_frame(ax, pale, title)
            plots.draw_box(ax, self.box, plots.TRUTH, "target")
        for k in range(len(self.anchors)):
            label = int(labels[k, row, column])
            style = {1: "-", 0: ":", -1: "--"}[label]
            plots.draw_box(left, self.anchors[k, row, column], COLOURS[label], WORDS[label], style)
        centres = self.anchors[..., :2] + self.anchors[..., 2:] / 2  # (k, n, n, 2)
        spread = np.linspace(-2.4, 2.4, len(self.anchors))  # the shapes of a cell side by side
        for label, marker, size in ((0, ".", 3), (-1, "x", 9), (1, "o", 14)):
            k, i, j = np.nonzero(labels == label)
            if len(k):
                place = centres[k, i, j] + np.stack([spread[k], 0 * spread[k]], 1) - 0.5
                right.scatter(*place.T, s=size, marker=marker, color=COLOURS[label], linewidths=0.9)
        plots.legend_below(figure, left, columns=4)
        figure.draw_without_rendering()  # places the axes: a click is measured on them
        self.left_axes = left.get_position().bounds
        ious = ", ".join(f"{self.overlap[k, row, column]:.2f}" for k in range(len(self.anchors)))
        counts = {word: int((labels == label).sum()) for label, word in WORDS.items()}
        return figure, (
            f"cell ({row}, {column}): IoU of its anchors, widest first: {ious}. Of {labels.size} "
            f"anchors {counts['positive']} are positive, {counts['not counted']} do not count, "
            f"{counts['negative']} are negative"
        )
