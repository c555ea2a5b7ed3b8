"""Rules of a lesson's story: a figure is read, a prediction is answered, minutes add up, a
difference is called one only beside its interval."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

import pytest
from test_lessons import LESSONS, build, cells

SHOWS = re.compile(r"(?:^|\.)(?:show|figure_row|shown)$")
PREDICT = re.compile(r"\*\*Predict")
ANSWER = re.compile(r"<summary>What (?:came|comes) of it</summary>")
# words that claim a difference
CLAIMS = re.compile(
    r"\b(?:significant(?:ly)?|considerabl[ey]|substantial(?:ly)?|far (?:better|worse|more accurate)"
    r"|much (?:better|worse|more accurate)|clearly (?:better|worse|more|less))\b",
    re.IGNORECASE,
)
INTERVAL = re.compile(r"±|interval|95 %|by definition|published|in the paper")
RETOLD = LESSONS


def shows_figure(source: str) -> bool:
    """Whether a cell puts a figure on the page (widgets are not figures)."""
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "plots.show"
        for node in ast.walk(ast.parse(source))
    )


def unread_figures(found: list) -> list[str]:
    """Cells whose figure is not followed by a text that begins with {{figure}}, and such texts
    without a figure."""
    faults = []
    for before, cell in pairwise([*found, found[-1]]):
        code = before.cell_type == "code"
        read = cell is not before and cell.cell_type == "markdown"
        read = read and cell.source.startswith("{{figure")
        if code and shows_figure(before.source) and not read:
            faults.append(f"not read: {before.source[-60:]!r}")
        if read and not (code and shows_figure(before.source)):
            faults.append(f"no figure above {cell.source[:60]!r}")
    return faults


def unanswered(found: list) -> list[str]:
    """Predictions without a fold that says what came of it, before the next heading or
    prediction."""
    text = "\n".join(c.source for c in found if c.cell_type == "markdown")
    asked = PREDICT.split(text)
    return [
        part[:60]
        for part in asked[1:]
        if not ANSWER.search(re.split(r"^## ", part, maxsplit=1, flags=re.MULTILINE)[0])
    ]


def bare_claims(found: list) -> list[str]:
    """Paragraphs that call a difference large without an interval beside it."""
    return [
        paragraph[:80]
        for cell in found
        if cell.cell_type == "markdown"
        for paragraph in re.split(r"\n\s*\n", cell.source)
        if CLAIMS.search(paragraph) and not INTERVAL.search(paragraph)
    ]


@pytest.mark.parametrize("path", RETOLD, ids=lambda p: p.stem)
class TestStory:
    """The rules, lesson by lesson."""

    def test_every_figure_is_read(self, path):
        assert unread_figures(cells(path)) == []

    def test_every_prediction_is_answered(self, path):
        assert unanswered(cells(path)) == []

    def test_a_difference_stands_beside_its_interval(self, path):
        assert bare_claims(cells(path)) == []

    def test_a_fault_is_planted_and_something_is_left_open(self, path):
        text = "\n".join(c.source for c in cells(path))
        if path.stem[:2] != "00":
            assert "### Find the fault" in text
            assert "## An open task" in text and "**Stretch goal" in text


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_minutes_add_up_and_no_part_is_longer_than_an_hour(path):
    lesson = build.read_lesson(path)
    parts = build.reading.minutes_by_part(lesson)
    assert max(parts) <= 60
    whole = sum(c.metadata.get("minutes", 0) for c in lesson.cells)
    assert sum(parts) >= whole + sum(lesson.metadata.course["run"])


class TestTheRulesThemselves:
    """Each is shown a lesson that breaks it."""

    @staticmethod
    def lesson(*sources: str) -> list:
        """Cells: code if it begins with `plots`, else text."""
        new = build.nbformat.v4
        return [
            new.new_code_cell(s) if s.startswith("plots") else new.new_markdown_cell(s)
            for s in sources
        ]

    def test_figures(self):
        assert unread_figures(self.lesson("plots.show(f, alt='')", "Text."))
        assert unread_figures(self.lesson("Text.", "{{figure}} It rises."))
        assert unread_figures(self.lesson("Text.", "plots.show(f, alt='')"))
        assert not unread_figures(self.lesson("plots.show(f, alt='')", "{{figure}} It rises."))

    def test_predictions(self):
        fold = "<details><summary>What came of it</summary>Up.</details>"
        assert unanswered(self.lesson("**Predict:** up?", "## Next", fold))
        assert unanswered(self.lesson("**Predict:** up?", "**Predict first:** down?", fold))
        assert not unanswered(self.lesson("**Predict:** up?", fold, "## Next"))

    def test_claims(self):
        assert bare_claims(self.lesson("KCF is far better."))
        assert not bare_claims(self.lesson("KCF is far better (.12 ± .03)."))

    def test_minutes(self):
        lesson = self.lesson("{{part}} " + "word " * 359, "plots.show(f, alt='')", "{{figure}} Up.")
        minutes = build.reading.minutes_of(lesson, 3)
        assert minutes == round(362 / 180 + 1 + 3)
        numbered = build.reading.numbered(
            ["{{part}} {{see b}}", "{{figure}}", "{{figure b}}"], 2, [7]
        )
        assert numbered == [
            "*Part 1 of 1 · about 7 minutes* figure 2.2",
            "**Figure 2.1.**",
            "**Figure 2.2.**",
        ]
        with pytest.raises(ValueError, match="no figure 'c'"):
            build.reading.numbered(["{{see c}}"], 2, [7])
