"""The trackers that the course names, by year and family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from course_lib.plots import EXEMPLAR, NEUTRAL, new_figure

LETTER = 0.105  # width in years


def roadmap(found: Mapping[str, Any]) -> tuple[Figure, str]:
    """Trackers over their years, a row for each family: filled and blue those that the course
    builds, with the lessons' numbers, hollow and grey the others.

    Args:
        found: the table of `results/roadmap_published.json`: "families", from top to bottom, and
            "trackers" with "tracker", "year", "family" and "built" (lessons, or None).

    Returns:
        The figure and its alternative text.
    """
    figure, axes = new_figure(width=10, height=3.6)
    ax, top, centres, told = axes[0, 0], 0.0, [], []
    by_year = sorted(found["trackers"], key=lambda row: row["year"])
    for family in found["families"]:
        ends: list[float] = []  # of the last name in each line
        names = []
        for row in (row for row in by_year if row["family"] == family):
            year, lessons = row["year"], f" ({row['built']})" if row["built"] else ""
            words, colour = row["tracker"] + lessons, EXEMPLAR if lessons else NEUTRAL
            names.append(f"{row['tracker']} {year}{lessons}")
            line = next((k for k, end in enumerate(ends) if end <= year), len(ends))
            ends[line:] = [year + 0.2 + LETTER * len(words), *ends[line + 1 :]]
            y = top - 0.8 - line
            ax.plot(year, y, "o", color=colour, markerfacecolor=colour if lessons else "white")
            ax.text(year + 0.13, y, words, color=colour, size=8.5, va="center")
        centres.append(top - 0.3 - len(ends) / 2)
        top -= len(ends) + 0.6
        ax.axhline(top, color=NEUTRAL, linewidth=0.5)
        told.append(f"{family}: {', '.join(names)}")
    first, last = by_year[0]["year"], by_year[-1]["year"]
    ax.set(xlim=(first - 0.4, last + 2.2), ylim=(top, 0))
    ax.set_xticks(range(first, last + 1))
    ax.set_yticks(centres, found["families"])
    ax.grid(axis="x", alpha=0.3)
    return figure, (
        f"Trackers by family and year, in brackets the lessons that build them. {'; '.join(told)}."
    )
