"""Figure of a multi-start protocol's runs on one sequence."""

from __future__ import annotations

from collections.abc import Sequence as Items

import numpy as np
from matplotlib.axes import Axes

from course_lib import plots
from course_lib.evaluation.multistart import AnchoredRun, frames_of
from course_lib.evaluation.multistart_scores import Rule, progress


def draw_runs(ax: Axes, runs: Items[AnchoredRun], length: int, rule: Rule = progress) -> str:
    """Draw every run as a bar over the frames, coloured by its overlap, 0 to 1. A triangle
    marks its start and points in its direction, a cross marks its failure; from there on the bar is
    thin.

    Args:
        ax: where to draw.
        runs: of one tracker, the first at the top.
        length: frames of the sequence.
        rule: when a run fails.

    Returns:
        a sentence with where each run starts and fails.
    """
    told = []
    for row, run in enumerate(runs):
        frames = np.array(frames_of(run.anchor, run.backward, length))  # (N,)
        before = rule(run.overlaps, run.present)
        thick = np.where(np.arange(len(frames)) < before, 0.7, 0.16)
        colours = _colours(run.overlaps)
        ax.bar(frames, thick, width=1.0, bottom=row - thick / 2, color=colours, linewidth=0)
        mark = "<" if run.backward else ">"
        ax.plot(run.anchor, row, mark, color="black", markeredgecolor="white", markersize=9)
        way = "backward" if run.backward else "forward"
        if before < len(frames):
            look = {"color": plots.PREDICTION, "markeredgewidth": 2.5, "markersize": 10}
            ax.plot(frames[before], row, "x", **look)
            told.append(f"from frame {run.anchor} {way}, failed after {before} of {len(frames)}")
        else:
            told.append(f"from frame {run.anchor} {way}, all {len(frames)} frames")
    ax.set(xlim=(-4, length + 3), ylim=(len(runs) - 0.4, -0.6), xlabel="frame", yticks=[])
    return "; ".join(told)


def _colours(overlaps: np.ndarray) -> np.ndarray:
    """Colours (N, 4) of overlaps (N,)."""
    from matplotlib import colormaps

    return colormaps[plots.MAP](np.clip(overlaps, 0, 1))


def overlap_bar(ax: Axes) -> None:
    """A colour bar for `draw_runs` beside its axes."""
    from matplotlib.cm import ScalarMappable

    bar = ScalarMappable(cmap=plots.MAP)
    bar.set_clim(0, 1)
    ax.figure.colorbar(bar, ax=ax, label="overlap", fraction=0.03, pad=0.01)
