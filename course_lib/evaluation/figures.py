"""Plots of a report; each function gives the figure and the sentence that stands for it where it
cannot be seen."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from course_lib import plots
from course_lib.evaluation.metrics import (
    NORM_PRECISION_THRESHOLDS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
)
from course_lib.evaluation.report import Report

Shown = tuple[Figure, str]

KINDS = {
    "success": (SUCCESS_THRESHOLDS, "auc", "IoU threshold", "share of frames above", "Success"),
    "precision": (
        PRECISION_THRESHOLDS,
        "precision20",
        "centre error threshold, pixels",
        "share of frames within",
        "Precision",
    ),
    "normalised_precision": (
        NORM_PRECISION_THRESHOLDS,
        "normalised_precision",
        "centre error threshold, in true sizes",
        "share of frames within",
        "Normalised precision",
    ),
}


def curve_plot(report: Report, kind: str = "success") -> Shown:
    """Success, precision or normalised precision of every tracker, best first in the legend with
    its score."""
    thresholds, score, x, y, title = KINDS[kind]
    figure, axes = plots.new_figure(width=6.4, height=3.8)
    rows = sorted(report.overall().items(), key=lambda item: -item[1][score])
    for k, (tracker, values) in enumerate(rows):
        style = {"color": plots.CYCLE[k % 8], "linestyle": plots.LINES[(k + k // 8) % 8]}
        axes[0, 0].plot(
            thresholds,
            report.curve(tracker, kind),
            label=f"{tracker}  {values[score]:.3f}",
            linewidth=2,
            **style,
        )
    axes[0, 0].set(xlabel=x, ylabel=y, ylim=(0, 1.02), xlim=(thresholds[0], thresholds[-1]))
    axes[0, 0].set_title(
        f"{title} on {report.benchmark} ({report.protocol.upper()}, {len(report.names)} sequences)",
        fontsize=10,
    )
    axes[0, 0].grid(alpha=0.3)
    axes[0, 0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, frameon=False)
    listing = ", ".join(f"{tracker} {values[score]:.3f}" for tracker, values in rows)
    return (
        figure,
        f"{title} curves on {report.benchmark}, {report.protocol.upper()}; scores from best to "
        f"worst: {listing}.",
    )


def attribute_plot(report: Report) -> Shown:
    """AUC of every tracker by OTB attribute, one row an attribute."""
    table = report.by_attribute()
    trackers = list(report.overall())
    figure, axes = plots.new_figure(width=6.8, height=0.8 + 0.36 * len(table))
    for k, tracker in enumerate(trackers):
        offset = (k - (len(trackers) - 1) / 2) * 0.55 / max(len(trackers) - 1, 1)
        values = [table[tag][tracker] for tag in table]
        marker = "osD^vPX*"[k % 8]
        axes[0, 0].plot(
            values,
            np.arange(len(table)) + offset,
            marker,
            color=plots.CYCLE[k % 8],
            label=tracker,
            markersize=6,
        )
    counts = {tag: sum(tag in tags for tags in report.attributes.values()) for tag in table}
    axes[0, 0].set(
        yticks=range(len(table)),
        yticklabels=[f"{tag} ({counts[tag]})" for tag in table],
        xlabel="success AUC",
        xlim=(0, 1),
    )
    axes[0, 0].invert_yaxis()
    axes[0, 0].grid(alpha=0.3)
    axes[0, 0].set_title(f"By attribute (number of sequences) on {report.benchmark}", fontsize=10)
    axes[0, 0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9, frameon=False)
    leaders = ", ".join(
        f"{tag}: {max(row, key=row.get)} {max(row.values()):.2f}" for tag, row in table.items()
    )
    return figure, f"Success AUC by attribute on {report.benchmark}; the best for each: {leaders}."


def speed_plot(report: Report) -> Shown:
    """AUC against frames per second, which is on a logarithmic axis."""
    rows = {t: v for t, v in report.overall().items() if np.isfinite(v["fps"])}
    figure, axes = plots.new_figure(width=6.4, height=3.4)
    for k, (tracker, values) in enumerate(rows.items()):
        axes[0, 0].plot(
            values["fps"], values["auc"], "osD^vPX*"[k % 8], color=plots.CYCLE[k % 8], markersize=9
        )
        axes[0, 0].annotate(
            tracker,
            (values["fps"], values["auc"]),
            xytext=(8, 4),
            textcoords="offset points",
            fontsize=9,
        )
    axes[0, 0].set(
        xscale="log",
        xlabel="frames per second (tracker's own calls)",
        ylabel="success AUC",
        ylim=(0, None),
    )
    axes[0, 0].margins(x=0.25, y=0.2)
    axes[0, 0].grid(alpha=0.3, which="both")
    axes[0, 0].set_title(f"Accuracy and speed on {report.benchmark}", fontsize=10)
    listing = ", ".join(f"{t} {v['auc']:.3f} at {v['fps']:.0f} fps" for t, v in rows.items())
    return figure, f"Success AUC against speed on {report.benchmark}: {listing}."
