"""The figure of trackers by year says what its table says."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from test_lessons import LESSONS, cells

from course_lib.analysis.roadmap import roadmap
from course_lib.evaluation.tables import read_measured
from course_lib.places import RESULTS

FOUND = read_measured(RESULTS / "roadmap_published.json")


def test_every_tracker_is_drawn_and_told():
    figure, alt = roadmap(FOUND)
    drawn = {text.get_text() for text in figure.axes[0].texts}
    for row in FOUND["trackers"]:
        lessons = f" ({row['built']})" if row["built"] else ""
        assert row["tracker"] + lessons in drawn
        assert f"{row['tracker']} {row['year']}{lessons}" in alt


def test_a_place_is_its_year_and_no_names_overlap():
    figure, _ = roadmap(FOUND)
    ax, canvas = figure.axes[0], FigureCanvasAgg(figure)
    canvas.draw()
    years = sorted(row["year"] for row in FOUND["trackers"])
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert sorted(dots) == years
    extents = [text.get_window_extent(canvas.get_renderer()) for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
    assert all(extent.x1 <= ax.get_window_extent().x1 for extent in extents)


@pytest.mark.parametrize(
    "row", [r for r in FOUND["trackers"] if r["built"]], ids=lambda r: r["tracker"]
)
def test_the_lessons_that_build_a_tracker_name_it(row):
    for number in re.findall(r"\d\d", row["built"]):
        path = next(path for path in LESSONS if path.stem.startswith(number))
        assert row["tracker"] in " ".join(cell.source for cell in cells(path))


def test_sources_are_named():
    for row in FOUND["trackers"]:
        assert f"({row['from']})" in FOUND["source"] and row["family"] in FOUND["families"]
