"""A report as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.evaluation.figures import attribute_plot, curve_plot, speed_plot
from course_lib.evaluation.report import COLUMNS, Report
from course_lib.files import write_whole
from course_lib.plots import to_png
from course_lib.provenance import provenance

HEADS = {
    "auc": "AUC",
    "success50": "success @0.5",
    "precision20": "precision @20 px",
    "normalised_precision": "norm. precision",
    "mean_iou": "mean IoU",
    "fps": "fps",
}


def to_markdown(report: Report) -> str:
    """The overall table and the table by attribute, in Markdown."""
    lines = [
        f"**{report.benchmark}**, {report.protocol.upper()}, {len(report.names)} sequences",
        "",
    ]
    lines += [
        "| tracker | " + " | ".join(HEADS[c] for c in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for tracker, row in report.overall().items():
        lines.append(f"| {tracker} | " + " | ".join(_cell(c, row[c]) for c in COLUMNS) + " |")
    table = report.by_attribute()
    if table:
        trackers = list(report.overall())
        lines += [
            "",
            "AUC by attribute:",
            "",
            "| attribute | " + " | ".join(trackers) + " |",
            "|---" * (len(trackers) + 1) + "|",
        ]
        lines += [
            f"| {tag} | " + " | ".join(f"{row[t]:.3f}" for t in trackers) + " |"
            for tag, row in table.items()
        ]
    return "\n".join(lines) + "\n"


def scores_table(scores: dict[str, dict[str, float]]) -> str:
    """Any scores by tracker as a Markdown table, for VOT's and GOT-10k's."""
    columns = list(next(iter(scores.values())))
    lines = ["| tracker | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {t} | " + " | ".join(f"{row[c]:.3f}".removesuffix(".000") for c in columns) + " |"
        for t, row in scores.items()
    ]
    return "\n".join(lines) + "\n"


def to_csv(report: Report) -> str:
    """One row per tracker and sequence: AUC."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["sequence", *report.trackers])
    writer.writerows(
        [name, *(f"{v:.6f}" for v in row.values())] for name, row in report.by_sequence().items()
    )
    return out.getvalue()


def to_json(report: Report) -> str:
    """Everything, with where and when it was measured. A figure nobody measured is null."""
    return json.dumps(without_nan({**report.to_dict(), "measured": provenance()}), indent=1) + "\n"


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write report.md, report.csv, report.json and the plots; returns the files."""
    texts = {
        "report.md": to_markdown(report),
        "report.csv": to_csv(report),
        "report.json": to_json(report),
    }
    for name, text in texts.items():
        write_whole(folder / name, text)
    pictures = {
        "success": curve_plot(report),
        "precision": curve_plot(report, "precision"),
        "speed": speed_plot(report),
    }
    pictures["normalised_precision"] = curve_plot(report, "normalised_precision")
    if report.by_attribute():
        pictures["attributes"] = attribute_plot(report)
    for name, (figure, _) in pictures.items():
        (folder / f"{name}.png").write_bytes(to_png(figure, dpi=150))
    return [folder / name for name in texts] + [folder / f"{name}.png" for name in pictures]


def read_measured(path: Path) -> dict:
    """A committed JSON of measured figures; raises CourseError if it is not there."""
    if not path.is_file():
        raise CourseError(
            f"no measured figures in {path}; fetch the course again: the file belongs to it"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def _cell(column: str, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if column == "fps" else f"{value:.3f}"


def without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
