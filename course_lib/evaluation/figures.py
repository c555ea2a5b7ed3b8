"""Plots of a report; each function returns the figure and its alternative text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.data.sequence import ATTRIBUTES, Sequence
from course_lib.evaluation.metrics import (
    NORM_PRECISION_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    auc,
)
from course_lib.evaluation.otb import score_sequence
from course_lib.evaluation.results import Result
from course_lib.evaluation.scores import Report
from course_lib.geometry.boxes import iou

Shown = tuple[Figure, str]
BESIDE = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "fontsize": 9, "frameon": False}

KINDS = {
    "success": (SUCCESS_THRESHOLDS, "auc", "IoU threshold", "fraction of frames above", "Success"),
    "precision": (
        PRECISION_THRESHOLDS,
        "precision20",
        "centre error threshold, pixels",
        "fraction of frames within",
        "Precision",
    ),
    "normalised_precision": (
        NORM_PRECISION_THRESHOLDS,
        "normalised_precision",
        "centre error threshold, in true sizes",
        "fraction of frames within",
        "Normalised precision",
    ),
}


def draw_curves(ax: Axes, report: Report, kind: str = "success") -> str:
    """Draw a curve of every tracker on an axes, with its score in the legend, best first.

    Args:
        ax: where to draw.
        report: the one to draw. A tracker has the same colour in every plot of a report.
        kind: "success", "precision" or "normalised_precision".

    Returns:
        the trackers and their scores from best to worst, for an alternative text.
    """
    thresholds, score, x, y, title = KINDS[kind]
    rows = report.overall()
    looks = {tracker: _look(k) for k, tracker in enumerate(rows)}
    rows = dict(sorted(rows.items(), key=lambda item: -item[1][score]))
    for tracker, values in rows.items():
        label = f"{tracker}  {values[score]:.3f}"
        ax.plot(thresholds, report.curve(tracker, kind), label=label, linewidth=2, **looks[tracker])
    ax.set(xlabel=x, ylabel=y, ylim=(0, 1.02), xlim=(thresholds[0], thresholds[-1]))
    ax.set_title(f"{title} on {_about(report)}", fontsize=10)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return ", ".join(f"{tracker} {values[score]:.3f}" for tracker, values in rows.items())


def curve_plot(report: Report, kind: str = "success") -> Shown:
    """Success, precision or normalised precision of every tracker, as in OTB's papers."""
    figure, axes = plots.new_figure(width=6.4, height=3.8)
    listing = draw_curves(axes[0, 0], report, kind)
    axes[0, 0].legend(**BESIDE)
    return figure, (
        f"{KINDS[kind][-1]} curves on {_about(report)}; scores from best to worst: {listing}."
    )


def success_and_precision(report: Report) -> Shown:
    """The two plots of every tracking paper, side by side."""
    figure, axes = plots.new_figure(width=9, height=3.4, columns=2)
    said = [
        f"{kind} {draw_curves(ax, report, kind)}"
        for ax, kind in zip(axes[0], ("success", "precision"), strict=True)
    ]
    axes[0, 1].set_title("Precision (score: at 20 px)", fontsize=10)
    return figure, (
        f"Success and precision curves on {_about(report)}; scores from best to worst: "
        f"{'; '.join(said)}."
    )


def success_panels(reports: dict[str, Report]) -> Shown:
    """Success curves of several reports side by side, under the titles given."""
    figure, axes = plots.new_figure(width=4.5 * len(reports), height=3.4, columns=len(reports))
    said = []
    for ax, (title, report) in zip(axes[0], reports.items(), strict=True):
        said.append(f"{title}: {draw_curves(ax, report)}")
        ax.set_title(title, fontsize=10)
    return figure, f"Success curves, AUC from best to worst. {'; '.join(said)}."


def attribute_plot(report: Report) -> Shown:
    """AUC of every tracker by attribute, one row each."""
    table, counts = report.by_attribute(), {t: len(n) for t, n in report.tagged().items()}
    trackers = list(report.overall())
    figure, axes = plots.new_figure(width=6.8, height=0.8 + 0.36 * len(table))
    ax = axes[0, 0]
    for k, tracker in enumerate(trackers):
        offset = (k - (len(trackers) - 1) / 2) * 0.55 / max(len(trackers) - 1, 1)
        values = [row[tracker] for row in table.values()]
        look = {"color": plots.CYCLE[k % 8], "label": tracker, "markersize": 6}
        ax.plot(values, np.arange(len(table)) + offset, plots.MARKERS[k % 8], **look)
    labels = [f"{ATTRIBUTES[tag]} ({counts[tag]})" for tag in table]
    ax.set(yticks=range(len(table)), yticklabels=labels, xlabel="success AUC", xlim=(0, 1))
    ax.invert_yaxis()
    ax.grid(alpha=0.3)
    ax.set_title(f"By attribute (number of sequences) on {report.benchmark}", fontsize=10)
    ax.legend(**BESIDE)
    leaders = ", ".join(
        f"{ATTRIBUTES[tag]}: {max(row, key=row.get)} {max(row.values()):.2f}"
        for tag, row in table.items()
    )
    return figure, f"Success AUC by attribute on {report.benchmark}; the best for each: {leaders}."


def failure_gallery(
    sequences: Iterable[Sequence], results: dict[str, Result], count: int = 3
) -> Shown:
    """The sequences a tracker was worst on, each at the moment it loses its target.

    Args:
        sequences: those that were tracked.
        results: the tracker's results by sequence name.
        count: how many are shown, lowest AUC first, three in a row.

    Returns:
        for each, the first frame with an IoU below 0.2, or if there is none, the lowest.
    """
    scores = {s: score_sequence(results[s.name].boxes, s.boxes, s.omitted) for s in sequences}
    worst = sorted(scores, key=lambda s: auc(scores[s].success))[:count]
    columns = min(len(worst), 3)
    rows = -(-len(worst) // columns)
    figure, axes = plots.new_figure(width=9, height=2.7 * rows, rows=rows, columns=columns)
    for ax in axes.flat[len(worst) :]:
        ax.set_axis_off()
    moments = []
    for ax, sequence in zip(axes.flat, worst, strict=False):
        overlap = iou(results[sequence.name].boxes, sequence.boxes)  # (T,)
        lost = np.flatnonzero(overlap < 0.2)
        t = int(lost[0]) if len(lost) else int(np.nanargmin(overlap))
        moment = f"AUC {auc(scores[sequence].success):.2f}, frame {t}"
        moments.append(f"{sequence.name}, {moment}")
        found, title = results[sequence.name].boxes[t], f"{sequence.name}\n{moment}"
        plots.show_frame(ax, sequence.frames[t], title, sequence.boxes[t], found)
    axes.flat[0].plot([], [], color=plots.TRUTH, label="true box")
    axes.flat[0].plot([], [], "--", color=plots.PREDICTION, label="the tracker's")
    plots.legend_below(figure, axes.flat[0])
    return figure, (
        "Frames in which the tracker has just lost its target, or overlaps it least, with the true "
        f"and the tracker's box: {'; '.join(moments)}."
    )


def speed_plot(report: Report) -> Shown:
    """AUC against frames per second on a logarithmic axis."""
    rows = {t: v for t, v in report.overall().items() if np.isfinite(v["fps"])}
    figure, axes = plots.new_figure(width=6.4, height=3.4)
    ax = axes[0, 0]
    for k, values in enumerate(rows.values()):
        place = values["fps"], values["auc"]
        ax.plot(*place, plots.MARKERS[k % 8], color=plots.CYCLE[k % 8], markersize=9)
    ax.set(xscale="log", xlabel="frames per second (tracker's own calls)", ylabel="success AUC")
    ax.set_ylim(0, None)
    ax.margins(x=0.15, y=0.2)
    ax.grid(alpha=0.3, which="both")
    plots.label_points(ax, {t: (values["fps"], values["auc"]) for t, values in rows.items()})
    ax.set_title(f"Accuracy and speed on {report.benchmark}", fontsize=10)
    listing = ", ".join(f"{t} {v['auc']:.3f} at {v['fps']:.0f} fps" for t, v in rows.items())
    return figure, f"Success AUC against speed on {report.benchmark}: {listing}."


def _look(k: int) -> dict[str, Any]:
    """Colour and line of the k-th tracker of a report."""
    return {"color": plots.CYCLE[k % 8], "linestyle": plots.LINES[(k + k // 8) % 8]}


def _about(report: Report) -> str:
    return f"{report.benchmark} ({report.protocol.upper()}, {len(report.names)} sequences)"
