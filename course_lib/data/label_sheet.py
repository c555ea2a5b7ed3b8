"""A sheet of frames with their boxes, to see at a glance whether the labels are right."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import Sequence

COLUMNS = 4
SUSPECTS = 2  # frames shown for each kind of jump


def suspects(boxes: np.ndarray, count: int = SUSPECTS) -> dict[int, str]:
    """Frames whose label is most likely wrong, and why: where the box (T, 4) moves farthest,
    measured in its own sides, and where its size changes most, compared with the frame before."""
    sides = np.sqrt(boxes[:, 2] * boxes[:, 3])  # (T,)
    centres = boxes[:, :2] + boxes[:, 2:] / 2  # (T, 2)
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1) / sides[:-1]  # (T - 1,)
    growth = np.exp(np.abs(np.diff(np.log(sides))))  # (T - 1,)
    found: dict[int, str] = {}
    kinds = ((steps, 0, "moves by {:.1f} sides"), (growth, 1, "size × or ÷ {:.2f}"))
    for values, still, words in kinds:
        known = np.nan_to_num(values, nan=-1)
        for t in np.argsort(-known, kind="stable")[:count]:
            if known[t] > still:
                found.setdefault(int(t) + 1, words.format(values[t]))
    return found


def frames_to_show(boxes: np.ndarray, count: int = 12) -> dict[int, str]:
    """At most `count` (6 or more) frames of a sequence with boxes (T, 4), in order, and what to say of
    each: the suspects, and others evenly spaced from the first to the last."""
    shown = suspects(boxes)
    for t in np.linspace(0, len(boxes) - 1, max(count - len(shown), 2)).round().astype(int):
        shown.setdefault(int(t), "absent" if np.isnan(boxes[t]).any() else "")
    return dict(sorted(shown.items()))


def label_sheet(sequence: Sequence, count: int = 12) -> Figure:
    """A figure of some frames of a sequence with their boxes; see `frames_to_show`."""
    shown = frames_to_show(sequence.boxes, count)
    rows = -(-len(shown) // COLUMNS)
    height, width = sequence.frames[0].shape[:2]
    tall = 12 / COLUMNS * height / width + 0.3  # inches of a row
    figure, axes = plots.new_figure(12, 0.5 + rows * tall, rows, COLUMNS)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (t, words) in zip(axes.flat, shown.items(), strict=False):
        title = f"frame {t}{': ' * bool(words)}{words}"
        plots.show_frame(ax, sequence.frames[t], title, truth=sequence.boxes[t])
    absent = int(np.isnan(sequence.boxes[:, 0]).sum())
    figure.suptitle(f"{sequence.name}: {len(sequence)} frames, absent in {absent}")
    return figure
