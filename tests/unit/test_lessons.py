"""Rules that every lesson keeps, and that notebooks are what their sources say."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from pathlib import Path

import pytest

from course_lib.exercises import core

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("build", ROOT / "lessons" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
LESSONS = build.sources()
NOTEBOOKS = sorted([*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("solutions/*.ipynb")])
CARD = ("You will be able to", "You need", "Time", "Points", "Follows", "Words")


def cells(path: Path) -> list:
    return build.read_lesson(path).cells


def code(path: Path) -> list[str]:
    return [c.source for c in cells(path) if c.cell_type == "code"]


def figure_faults(source: str) -> list[str]:
    """Calls that put a figure on the page without words, or behind plots.show's back."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called.endswith("plt.show") or called == "pyplot.show":
            faults.append(f"bare {called}()")
        elif called in ("plots.show", "show") and not (
            len(node.args) > 1
            or any(isinstance(arg, ast.Starred) for arg in node.args)  # a figure and its words
            or any(k.arg == "alt" for k in node.keywords)
        ):
            faults.append(f"{called} without alt")
    return faults


def hand_made_columns(source: str) -> list[str]:
    """Values padded to a width, as in f"{name:12}{auc:8.3f}": the column of a table made by
    hand."""
    specs = [
        ast.unparse(node.format_spec).strip("f'\"")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None
    ]
    return [spec for spec in specs if re.match(r"[<>^]?[1-9]\d*", spec)]


def exercise_faults(path: Path) -> list[str]:
    """What an exercise of the lesson lacks: solution, two hints, points line, signature with
    docstring, check."""
    faults, found = [], cells(path)
    for before, cell in zip([None, *found], found, strict=False):
        name = cell.metadata.get("exercise")
        if name is None:
            continue
        text = before.source if before is not None and before.cell_type == "markdown" else ""
        if text.count("<details>") < 2:
            faults.append(f"{name}: fewer than two folded hints in the text above")
        if "{{exercise}}" not in text:
            faults.append(f"{name}: no {{{{exercise}}}} line in the text above")
        if f'@exercise("{name}")' not in cell.source:
            faults.append(f"{name}: no @exercise line of that name")
        if not re.search(r"### BEGIN SOLUTION\n(?s:.+?)### END SOLUTION", cell.source):
            faults.append(f"{name}: no solution between its marks")
        if not ast.get_docstring(ast.parse(cell.source).body[0]):
            faults.append(f"{name}: no docstring with shapes and units")
        if name not in core.CHECKS:
            faults.append(f"{name}: no check in course_lib/exercises")
    return faults


def test_there_are_lessons():
    assert len(LESSONS) >= 3


def test_notebooks_are_built_from_their_sources():
    assert build.main(["--check"]) == 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_notebook_carries_no_output_and_no_widget_state(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
class TestEveryLesson:
    """CURRICULUM's seven points, as far as a machine can read them."""

    def test_exercises_are_whole(self, path):
        core.all_checks()
        assert exercise_faults(path) == []

    def test_figures_have_words(self, path):
        assert [f for source in code(path) for f in figure_faults(source)] == []
        for cell in cells(path):
            assert not re.search(r"!\[\s*\]\(", cell.source)
            assert all("alt=" in tag for tag in re.findall(r"<img[^>]*>", cell.source))

    def test_tables_are_the_library_s(self, path):
        assert [f for source in code(path) for f in hand_made_columns(source)] == []

    def test_it_opens_with_its_card(self, path):
        card = cells(path)[0].source
        assert [line for line in CARD if f"**{line}" not in card] == []

    def test_it_shows_something_within_three_cells_of_code(self, path):
        opening = "\n".join(code(path)[:3])
        assert "plots.show(" in opening or re.search(
            r"(SequencePlayer|Bench|Race|Explorer|LiveCurves)\(", opening
        )

    def test_it_closes_with_questions(self, path):
        text = "\n".join(c.source for c in cells(path)[-6:] if c.cell_type == "markdown")
        assert text.count("<details>") >= 3 and "Classic mistakes" in text and "Read next" in text

    def test_at_most_a_screen_of_prose_between_two_things_to_run(self, path):
        run = 0
        for cell in cells(path):
            visible = re.sub(r"(?s)<details>.*?</details>", "", cell.source)
            run = run + len(visible.split()) if cell.cell_type == "markdown" else 0
            assert run <= 400, f"{run} words in a row near {cell.source[:60]!r}"


def test_every_check_belongs_to_an_exercise():
    core.all_checks()
    asked = {
        c.metadata["exercise"] for path in LESSONS for c in cells(path) if "exercise" in c.metadata
    }
    assert asked == set(core.CHECKS)


class TestGlossaryAndNotation:
    """The two pages that lessons link to."""

    @staticmethod
    def said(number: str) -> str:
        """All that a lesson says, in one line of small letters."""
        path = next(path for path in LESSONS if path.stem.startswith(number))
        return re.sub(r"\s+", " ", " ".join(cell.source for cell in cells(path))).lower()

    def test_a_word_stands_in_the_lesson_that_introduces_it(self):
        words = build.glossary()
        assert sum(map(len, words.values())) >= 60
        assert [
            (n, w)
            for n, of in words.items()
            for w in of
            if w.lower().removesuffix("s") not in self.said(n)
        ] == []

    def test_words_are_in_order_and_none_stands_twice(self):
        words = re.findall(
            r"^## (.+)$", (ROOT / "lessons/pages/glossary.md").read_text(encoding="utf-8"), re.M
        )
        assert words == sorted(set(words), key=str.lower)

    def test_a_symbol_stands_in_the_lesson_that_introduces_it(self):
        lines = (ROOT / "lessons/pages/notation.md").read_text(encoding="utf-8").splitlines()
        rows = [
            found
            for found in (re.match(r"\| (.+?) \| .+ \| \[(\d\d)\] \|$", line) for line in lines)
            if found
        ]
        assert len(rows) >= 35
        for symbols, number in (row.groups() for row in rows):
            for symbol in re.findall(r"\$(.+?)\$", symbols):
                parts = [symbol] if "(" in symbol else symbol.split(", ")
                assert [part for part in parts if part.lower() not in self.said(number)] == [], (
                    number
                )

    @pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}/{p.stem}")
    def test_every_link_to_a_file_leads_somewhere(self, path):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "markdown":
                continue
            for target in re.findall(
                r"\]\(([^)#\s]+\.\w+)(?:#[^)\s]*)?(?: \"[^\"]*\")?\)", "".join(cell["source"])
            ):
                assert "://" in target or (path.parent / target).exists(), target

    def test_every_link_to_a_word_leads_to_its_entry(self):
        page = json.loads((ROOT / "notebooks/glossary.ipynb").read_text(encoding="utf-8"))
        # JupyterLab's rule for a heading's anchor
        heads = [
            "".join(c["source"]).splitlines()[0]
            for c in page["cells"]
            if "".join(c["source"]).startswith("## ")
        ]
        anchors = {head.removeprefix("## ").replace(" ", "-") for head in heads}
        text = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
        linked = set(re.findall(r"glossary\.ipynb#([^)\s]+) ", text))
        assert linked == anchors


class TestTheRulesThemselves:
    """A rule that cannot fail is none: each is shown a lesson that breaks it."""

    def test_figures(self):
        assert figure_faults("plt.show()") and figure_faults("plots.show(figure)")
        assert not figure_faults('plots.show(figure, alt="x")') and not figure_faults(
            "plots.show(figure, alt)"
        )

    def test_a_page_that_names_no_such_lesson(self, tmp_path):
        path = tmp_path / "page.md"
        path.write_text("# Page\n\nA word. [99]\n")
        with pytest.raises(build.LessonError, match="no lesson 99"):
            build.built_page(path)

    def test_exercises(self, tmp_path):
        path = tmp_path / "99_bad.py"
        path.write_text(
            "# ---\n# jupyter:\n#   course: {run: [1]}\n# ---\n# %% [markdown]\n# text\n"
            '# %% exercise="no.such" points=1 stars=1 minutes=1\ndef f(x):\n    return x\n'
        )
        assert len(exercise_faults(path)) == 6
