"""Conclusions of the lessons: each names its figure and its interval, and the results carry it.

`pytest -v` on this file lists them.
"""

from __future__ import annotations

import re

import pytest
from test_lesson_rules import RETOLD
from test_lessons import LESSONS, build, cells

from course_lib.evaluation.intervals import Interval

borne_out = build.borne_out
HEADING = "## What the figures say"
DRAWN = [path for path in RETOLD if path.stem[:2] >= "07"]  # from these on, networks compete
# words that compare trackers, networks or settings
COMPARES = re.compile(
    r"\b(?:better|worse|more accurate|less accurate|outperforms?|helps?|hurts?|beats?"
    r"|(?:is|are|was|were|falls?|stays?|comes?) (?:\w+ )?(?:ahead|behind))\b",
    re.IGNORECASE,
)
CARRIED = re.compile(
    r"\{\{(?:see|figure|evidence)\b|published|in the paper|paper's|report|Predict|by definition"
)


def text_of(path) -> str:
    """All text of a lesson."""
    return "\n\n".join(c.source for c in cells(path) if c.cell_type == "markdown")


def conclusions(text: str) -> list[str]:
    """The bullets under HEADING."""
    part = text.partition(HEADING + "\n")[2]
    part = re.split(r"^#", part, maxsplit=1, flags=re.MULTILINE)[0]
    return [b.strip() for b in re.split(r"^\* ", part, flags=re.MULTILINE)[1:]]


def uncarried(text: str) -> list[str]:
    """Paragraphs that compare and name neither figure nor evidence."""
    return [
        paragraph[:80]
        for paragraph in re.split(r"\n\s*\n", text)
        if COMPARES.search(paragraph) and not CARRIED.search(paragraph)
    ]


LISTED = [
    pytest.param(bullet, id=f"{path.stem[:2]}: {borne_out.MARK.sub('', bullet)[:90]}")
    for path in DRAWN
    for bullet in conclusions(text_of(path))
]


@pytest.mark.parametrize("bullet", LISTED)
def test_a_conclusion_names_its_figure_and_its_interval(bullet):
    assert re.search(r"\{\{see [\w-]+\}\}", bullet)
    assert borne_out.MARK.search(bullet)


@pytest.mark.parametrize("path", DRAWN, ids=lambda p: p.stem)
class TestLessons:
    """The lessons in which networks are compared."""

    def test_it_says_what_the_figures_say(self, path):
        assert len(conclusions(text_of(path))) >= 2

    def test_no_comparison_stands_alone(self, path):
        assert uncarried(text_of(path)) == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_no_evidence_is_unused(path):
    used = {found[0] for found in borne_out.MARK.findall(text_of(path))}
    assert used == set(borne_out.evidence_of(path.stem[:2]))


class TestEvidence:
    """The marks themselves."""

    rise, fall = Interval(0.05, 0.02, 22), Interval(-0.05, 0.02, 22)
    none = Interval(0.01, 0.02, 22)

    def test_a_mark_becomes_the_interval(self):
        text = "It is ahead {{evidence gap above}}."
        assert borne_out.with_evidence(text, {"gap": lambda: self.rise}) == (
            "It is ahead (+0.050 ± 0.020, 95 %, n = 22)."
        )

    @pytest.mark.parametrize(
        ("interval", "verdict"), [(rise, "above"), (fall, "below"), (none, "open")]
    )
    def test_only_the_right_verdict_is_built(self, interval, verdict):
        for said in borne_out.VERDICTS:
            text = f"First. It is ahead {{{{evidence gap {said}}}}}."
            if said == verdict:
                borne_out.with_evidence(text, {"gap": lambda: interval})
                continue
            with pytest.raises(ValueError, match=f"said to be {said}.*{verdict}.*'It is ahead'"):
                borne_out.with_evidence(text, {"gap": lambda: interval})

    def test_unknown_names_and_verdicts_are_refused(self):
        with pytest.raises(ValueError, match="no evidence 'gap'; there is a, b"):
            borne_out.with_evidence("{{evidence gap above}}", {"b": None, "a": None})
        with pytest.raises(ValueError, match="'higher' is no verdict"):
            borne_out.with_evidence("{{evidence gap higher}}", {"gap": lambda: self.rise})

    def test_one_value_has_no_verdict_but_open(self):
        assert borne_out.verdict_of(Interval.of([0.3])) == "open"

    def test_the_rules(self):
        text = f"{HEADING}\n\n* One.\n* Two\n  lines.\n\n## Next\n\n* Not this."
        assert conclusions(text) == ["One.", "Two\n  lines."]
        assert uncarried("KCF is better.\n\nKCF is better (published).") == ["KCF is better."]

    def test_what_was_not_measured_is_open_and_says_so(self):
        nothing = Interval(0.0, float("inf"), 0)
        text = borne_out.with_evidence("Not told {{evidence gap open}}.", {"gap": lambda: nothing})
        assert text == "Not told (not measured yet)."
