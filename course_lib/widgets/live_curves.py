"""Live curves: the loss, the validation and its score maps while a network trains in the
notebook."""

from __future__ import annotations

import time

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.training.monitor import maps_over_images, smooth
from course_lib.training.progress import Progress
from course_lib.widgets.bench import ImageBench


class LiveCurves(ImageBench):
    """An image that follows a training run: show it in one cell, pass it to `train` as a watcher
    in the next.

    Args:
        every: minimum seconds between two images.
    """

    def __init__(self, every: float = 2.0) -> None:
        self.every, self.drawn_at = every, -np.inf
        self.progress: Progress | None = None
        super().__init__(
            title="Live curves",
            alt="Training loss and validation of a run, and its latest score maps.",
        )

    def __call__(self, progress: Progress) -> None:
        """Draw the state of `progress`, unless the last image is younger than `every` seconds."""
        self.progress = progress
        done = progress.step >= progress.steps
        if done or time.monotonic() - self.drawn_at >= self.every:
            self.refresh()
            self.drawn_at = time.monotonic()

    def draw(self) -> tuple[Figure, str]:
        """Loss, validation, and up to four score maps over their search images."""
        p = self.progress
        figure, axes = plots.new_figure(10.0, 2.8, columns=6, width_ratios=[2.2, 2.2, 1, 1, 1, 1])
        loss, hits, *search_images = axes[0]
        loss.set(xlabel="step", ylabel="loss", title="training", ylim=(0, None))
        hits.set(xlabel="step", ylabel="fraction", title="peak within the radius", ylim=(0, 1.02))
        for ax in search_images:
            ax.set_axis_off()
        if p is None:
            return figure, "waiting for the first step"
        if p.curve:
            steps, losses = np.array(p.curve, dtype=float).T
            loss.plot(steps, losses, color=plots.NEUTRAL, alpha=0.4)
            loss.plot(steps, smooth(losses, 0.8), color=plots.PREDICTION, label="training")
        if p.validation:
            steps = [row["step"] for row in p.validation]
            loss.plot(
                steps,
                [row["loss"] for row in p.validation],
                "o--",
                color=plots.TRUTH,
                label="validation",
            )
            hits.plot(
                steps, [row.get("hits", np.nan) for row in p.validation], "o--", color=plots.TRUTH
            )
            loss.legend(fontsize=8)
        if p.maps is not None:
            images = (
                maps_over_images(p.maps, p.map_place, p.search_images).permute(0, 2, 3, 1).numpy()
            )  # (n, S, S, 3)
            for ax, image in zip(search_images, images, strict=False):
                ax.imshow(image)
        left = p.seconds_left
        rest = f", about {left:.0f} s left" if np.isfinite(left) and left > 0 else ""
        return (
            figure,
            f"step {p.step} of {p.steps}, {p.loss_in_words}, {p.pairs_per_second:.0f} "
            f"pairs/s{rest}",
        )
