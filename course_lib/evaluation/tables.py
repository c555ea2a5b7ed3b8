"""A report as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
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
FORMATS = {"fps": ",.0f"}  # for columns not shown with three decimals
MARK = "<!-- written by course_lib report -->"


def markdown_table(
    rows: Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]],
    columns: Mapping[str, str] | Iterable[str] | None = None,
    formats: str | Mapping[str, str] = FORMATS,
    first: str = "tracker",
) -> str:
    """Rows as a Markdown table: words left-aligned, numbers right-aligned, a dash for no value.

    Args:
        rows: the values of each row by column; or rows by name, and the names are shown too.
        columns: headings by column, or only the columns, with headings from `HEADS` or their own
            names; by default those of the first row.
        formats: format of numbers as in `format(value, ".3f")`: one for all that are not whole, or
            one for each column.
        first: the heading of the rows' names.
    """
    named = isinstance(rows, Mapping)
    records = [{first: name, **row} for name, row in rows.items()] if named else list(rows)
    columns = list(records[0]) if columns is None else columns
    heads = (
        columns if isinstance(columns, Mapping) else {key: HEADS.get(key, key) for key in columns}
    )
    heads = {first: first, **heads} if named else heads
    lines = [
        list(heads.values()),
        ["---:" if any(_is_number(row.get(key)) for row in records) else "---" for key in heads],
        *([_cell(row.get(key), key, formats) for key in heads] for row in records),
    ]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def show_table(
    rows: Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]],
    caption: str,
    columns: Mapping[str, str] | Iterable[str] | None = None,
    formats: str | Mapping[str, str] = FORMATS,
    first: str = "tracker",
) -> None:
    """Show a table in a notebook, below its caption.

    Args:
        rows, columns, formats, first: as in `markdown_table`.
        caption: a sentence that says what the table shows.
    """
    from IPython.display import Markdown, display

    display(Markdown(f"**{caption}**\n\n{markdown_table(rows, columns, formats, first)}"))


def to_markdown(report: Report) -> str:
    """The overall table and the table by attribute, in Markdown."""
    text = f"**{report.benchmark}**, {report.protocol.upper()}, {len(report.names)} sequences\n\n"
    text += markdown_table(report.overall(), COLUMNS)
    by_attribute = report.by_attribute()
    if by_attribute:
        table = markdown_table(by_attribute, list(report.overall()), first="attribute")
        text += f"\nAUC by attribute:\n\n{table}"
    return text + "".join(f"\n{note}\n" for note in report.notes)


def scores_table(scores: dict[str, dict[str, float]], heads: dict[str, str] | None = None) -> str:
    """Any scores by tracker as a Markdown table; `heads` are the headings, by default the keys."""
    rows = {
        tracker: {key: int(v) if float(v).is_integer() else v for key, v in row.items()}
        for tracker, row in scores.items()
    }
    return markdown_table(rows, heads)


def sequence_table(report: Report) -> str:
    """A row for each sequence and tracker in Markdown: AUC, precision and frames per second."""
    rows = [
        {"sequence": name, "tracker": tracker, **scores.over([name])}
        for name in report.names
        for tracker, scores in report.trackers.items()
    ]
    columns = ("sequence", "tracker", "auc", "precision20", "fps")
    return f"By sequence:\n\n{markdown_table(rows, columns)}"


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
    """Everything, with where and when it was measured; null where nothing was measured."""
    return json.dumps(without_nan({**report.to_dict(), "measured": provenance()}), indent=1) + "\n"


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write report.md, report.csv, report.json and the plots; returns the files.

    Raises SettingsError if the folder holds a report.md that this function did not write.
    """
    write_markdown(to_markdown(report), folder)
    texts = {
        "report.csv": to_csv(report),
        "report.json": to_json(report),
    }
    for name, text in texts.items():
        write_whole(folder / name, text)
    images = {
        "success": curve_plot(report),
        "precision": curve_plot(report, "precision"),
        "normalised_precision": curve_plot(report, "normalised_precision"),
    }
    if any(math.isfinite(row["fps"]) for row in report.overall().values()):
        images["speed"] = speed_plot(report)
    if report.by_attribute():
        images["attributes"] = attribute_plot(report)
    for name, (figure, _) in images.items():
        with whole_file(folder / f"{name}.png") as part:
            part.write_bytes(to_png(figure, dpi=150))
    names = ["report.md", *texts, *(f"{name}.png" for name in images)]
    return [folder / name for name in names]


def write_markdown(text: str, folder: Path) -> Path:
    """Write `text` as report.md of a folder.

    Raises SettingsError rather than replace a file that is not the course's.
    """
    path = folder / "report.md"
    if path.is_file() and MARK not in read_text(path):
        raise SettingsError(f"{path} is not a report of the course; name another folder with --out")
    write_whole(path, f"{text}\n{MARK}\n")
    return path


def read_measured(path: Path) -> dict:
    """A committed JSON file of measurements.

    Raises MissingDataError if it is missing, DataError if it is damaged.
    """
    return read_json(path, "it holds measurements and belongs to the course: fetch it again")


def measured_words(kept: dict) -> str:
    """When, at which commit and on what hardware the values of `read_measured` were measured."""
    about = kept["measured"]
    return f"measured {about['date']} at commit {about['commit']} on {about['hardware']}"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _cell(value: Any, column: str, formats: str | Mapping[str, str]) -> str:
    """One value as text."""
    if value is None or (_is_number(value) and not math.isfinite(value)):
        return "–"
    if not _is_number(value):
        return str(value)
    if isinstance(formats, Mapping) and column in formats:
        return format(value, formats[column])
    if isinstance(value, Integral):
        return f"{value:,}"
    return format(value, formats if isinstance(formats, str) else ".3f")


def without_nan(value: Any) -> Any:
    """The value with NaN as None, since JSON has no NaN."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
