"""A report as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from course_lib.errors import SettingsError
from course_lib.evaluation.figures import attribute_plot, curve_plot, speed_plot
from course_lib.evaluation.scores import COLUMNS, Report
from course_lib.files import read_json, read_text, whole_file, write_whole
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
VOT_HEADS = {
    "accuracy": "accuracy, pooled",
    "failures": "failures",
    "per_100_frames": "per 100 frames",
    "reliability": "reliability, pooled",
    "accuracy_by_length": "accuracy, by length",
    "failures_by_length": "failures, by length",
    "reliability_by_length": "reliability, by length",
    "eao": "EAO",
    "low": "from",
    "high": "to frames",
}
VOT_NOTE = (
    "Pooled: over the frames of all sequences together, as pysot does. By length: each sequence's "
    "own figure, weighted by its length, as VOT's toolkit does. The two differ; compare like with "
    "like."
)
MARK = "<!-- written by course_lib report -->"


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
    for note in report.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def vot_table(scores: dict[str, dict[str, float]]) -> str:
    """VOT's scores by tracker as a Markdown table, and what its two ways of averaging are."""
    return scores_table(scores, VOT_HEADS) + f"\n{VOT_NOTE}\n"


def scores_table(scores: dict[str, dict[str, float]], heads: dict[str, str] | None = None) -> str:
    """Any scores by tracker as a Markdown table; `heads` of the columns, by default their keys."""
    columns = list(next(iter(scores.values())))
    shown = [(heads or {}).get(column, column) for column in columns]
    lines = ["| tracker | " + " | ".join(shown) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {t} | " + " | ".join(_cell(c, row[c]).removesuffix(".000") for c in columns) + " |"
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


def sequence_table(report: Report) -> str:
    """A row for each sequence and tracker in Markdown: AUC, precision and frames per second."""
    columns = ("auc", "precision20", "fps")
    lines = [
        "By sequence:",
        "",
        "| sequence | tracker | " + " | ".join(HEADS[c] for c in columns) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name in report.names:
        for tracker, scores in report.trackers.items():
            row = scores.over([name])
            cells = " | ".join(_cell(c, row[c]) for c in columns)
            lines.append(f"| {name} | {tracker} | {cells} |")
    return "\n".join(lines) + "\n"


def to_json(report: Report) -> str:
    """Everything, with where and when it was measured. A figure nobody measured is null."""
    return json.dumps(without_nan({**report.to_dict(), "measured": provenance()}), indent=1) + "\n"


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write report.md, report.csv, report.json and the plots; returns the files.

    Raises SettingsError if the folder holds a report.md that is not this function's.
    """
    write_markdown(to_markdown(report), folder)
    texts = {
        "report.csv": to_csv(report),
        "report.json": to_json(report),
    }
    for name, text in texts.items():
        write_whole(folder / name, text)
    pictures = {
        "success": curve_plot(report),
        "precision": curve_plot(report, "precision"),
        "normalised_precision": curve_plot(report, "normalised_precision"),
    }
    if any(math.isfinite(row["fps"]) for row in report.overall().values()):
        pictures["speed"] = speed_plot(report)
    if report.by_attribute():
        pictures["attributes"] = attribute_plot(report)
    for name, (figure, _) in pictures.items():
        with whole_file(folder / f"{name}.png") as part:
            part.write_bytes(to_png(figure, dpi=150))
    names = ["report.md", *texts, *(f"{name}.png" for name in pictures)]
    return [folder / name for name in names]


def write_markdown(text: str, folder: Path) -> Path:
    """Write `text` as report.md of a folder.

    Raises SettingsError rather than replace a file of that name that is another's.
    """
    path = folder / "report.md"
    if path.is_file() and MARK not in read_text(path):
        raise SettingsError(f"{path} is not a report of the course; name another folder with --out")
    write_whole(path, f"{text}\n{MARK}\n")
    return path


def read_measured(path: Path) -> dict:
    """A committed JSON of measured figures.

    Raises MissingDataError if it is not there, DataError if it is damaged.
    """
    return read_json(path, "it holds measured figures and belongs to the course: fetch it again")


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
