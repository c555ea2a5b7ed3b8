"""Make lessons/figures/overview.jpg, the figure in the README: a target, its response, the PSR.

python lessons/figures/overview.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from course_lib import plots
from course_lib.data.benchmarks import load_benchmark
from course_lib.trackers import make_tracker


def main() -> None:
    """Track an occluded sequence and draw three of its frames above the PSR along the sequence."""
    sequence = load_benchmark("generated-v1")["gen-03-occlusion"]
    tracker = make_tracker("mosse")
    tracker.init(sequence.frames[0], sequence.boxes[0])
    boxes, psr = [sequence.boxes[0]], [np.nan]
    for frame in sequence.frames.part(1):
        boxes.append(tracker.update(frame))
        psr.append(tracker.last.psr)
    hidden = sequence.tags["visible"] < 0.5
    chosen = [4, int(np.flatnonzero(hidden)[0]) + 2, int(np.flatnonzero(hidden)[-1]) + 8]

    figure, axes = plots.new_figure(
        width=9, height=4.2, rows=2, columns=3, height_ratios=[2.2, 1]
    )
    for ax, t in zip(axes[0], chosen, strict=True):
        plots.show_frame(ax, sequence.frames[t], f"frame {t}")
        plots.draw_box(ax, sequence.boxes[t])
        plots.draw_box(ax, boxes[t], colour=plots.PREDICTION, style="--")
    for ax in axes[1]:
        ax.remove()
    wide = figure.add_subplot(axes[1, 0].get_gridspec()[1, :])
    wide.plot(psr, color=plots.EXEMPLAR)
    wide.axhline(7, color=plots.NEUTRAL, linestyle=":")
    wide.fill_between(
        range(len(sequence)),
        0,
        1,
        where=hidden,
        transform=wide.get_xaxis_transform(),
        color=plots.NEUTRAL,
        alpha=0.25,
    )
    wide.set(
        xlabel="frame (grey: target mostly hidden)", ylabel="PSR", xlim=(0, len(sequence) - 1)
    )
    figure.savefig(Path(__file__).with_name("overview.jpg"), dpi=90, pil_kwargs={"quality": 80})


if __name__ == "__main__":
    main()
