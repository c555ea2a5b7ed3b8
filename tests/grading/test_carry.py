"""An update of a lesson keeps what a student wrote."""

from __future__ import annotations

import copy

import nbformat
import pytest
import small_lesson as small

from course_lib.cli import main
from course_lib.cli import start as start_command
from course_lib.grading.carry import carry_over
from course_lib.grading.signature import signature


def built(tmp_path, text):
    path = tmp_path / f"{small.STEM}.py"
    path.write_text(text, encoding="utf-8")
    return small.build.for_students(small.build.solved(path))


@pytest.fixture
def old(tmp_path):
    return built(tmp_path, small.source())


@pytest.fixture
def mine(old):
    """Two answers, one cell of my own after the first, and an untouched rest."""
    notebook = small.answered(old, "mosse.window", "kcf.size")
    place = notebook.cells.index(small.award_cell(notebook, "mosse.window")) + 1
    notebook.cells.insert(place, nbformat.v4.new_code_cell("print('my own trial')"))
    return notebook


def test_nothing_new_changes_nothing(old, mine):
    kept = copy.deepcopy(mine)
    notebook, report = carry_over(mine, old)
    assert [c.source for c in notebook.cells] == [c.source for c in mine.cells] and mine == kept
    assert (report.kept, report.changed, report.gone, report.own) == (
        ["mosse.window", "kcf.size"],
        [],
        [],
        1,
    )
    assert [c.metadata for c in notebook.cells if "nbgrader" in c.metadata] == [
        c.metadata for c in old.cells if "nbgrader" in c.metadata
    ]


def test_an_editor_that_makes_new_ids_does_not_double_the_lesson(old, mine):
    for k, cell in enumerate(mine.cells):
        cell.id = f"x{k}"
    notebook, report = carry_over(mine, old)
    assert report.own == 1 and len(notebook.cells) == len(mine.cells)


def test_new_text_arrives_and_answers_stay(tmp_path, mine):
    fresh = built(
        tmp_path,
        small.source().replace(
            "# # 97 · A small lesson", "# # 97 · A small lesson, second edition"
        ),
    )
    notebook, report = carry_over(mine, fresh)
    assert "second edition" in notebook.cells[0].source and len(report.kept) == 2
    assert (
        sum("A small lesson" in c.source for c in notebook.cells) == 1
    )  # the old text is not mistaken for the student's own
    own = next(i for i, c in enumerate(notebook.cells) if "my own trial" in c.source)
    assert notebook.cells[own - 1].source.startswith('award("mosse.window"')


def test_a_changed_signature_keeps_both(tmp_path, mine):
    fresh = built(
        tmp_path, small.source().replace("def window(height, width):", "def window(width, height):")
    )
    notebook, report = carry_over(mine, fresh)
    assert report.changed == ["mosse.window"] and report.kept == ["kcf.size"]
    cell = small.answer_cell(notebook, "mosse.window")
    assert "raise NotImplementedError" in cell.source and "def window(width, height)" in cell.source
    below = notebook.cells[notebook.cells.index(cell) + 1].source
    assert "which has changed" in below and "#     return np.outer(np.hanning(height)" in below


def test_a_removed_exercise_leaves_its_answer(tmp_path, mine):
    parts = small.source().split("# %% [markdown]\n# ### kcf.size")
    fresh = built(tmp_path, parts[0] + "# %%\nprogress()\n")
    notebook, report = carry_over(mine, fresh)
    assert report.gone == ["kcf.size"] and "best_size" in notebook.cells[-1].source
    assert all(line.startswith("#") for line in notebook.cells[-1].source.splitlines())


def test_signatures():
    assert signature("@exercise('a')\ndef f(x, y=1):\n    return 1") == signature(
        "def f(x, y=1):\n    return 2"
    )
    assert (
        signature("def f(x):\n    pass")
        != signature("def f(x, y):\n    pass")
        != signature("def g(x):\n    pass")
    )
    one = "class A:\n    def init(self, a): ...\n    def _help(self): ..."
    assert signature(one) == signature("class A:\n    name = 'mine'\n    def init(self, a): ...")
    assert signature(one) != signature("class A:\n    def init(self, b): ...")
    assert signature("def f(") is None and signature("x = 1") is None


def test_the_command_keeps_the_old_copy(tmp_path, monkeypatch, old, mine, capsys):
    monkeypatch.setattr(start_command, "PROJECT", tmp_path)
    monkeypatch.setattr(start_command, "NOTEBOOKS", tmp_path / "notebooks")
    for folder in ("notebooks", "my_work"):
        (tmp_path / folder).mkdir()
    nbformat.write(old, tmp_path / "notebooks" / f"{small.STEM}.ipynb")
    nbformat.write(mine, tmp_path / "my_work" / f"{small.STEM}.ipynb")
    before = (tmp_path / "my_work" / f"{small.STEM}.ipynb").read_bytes()
    assert main(["start", "97", "--update"]) == 0
    assert (tmp_path / "my_work" / f"{small.STEM}_before.ipynb").read_bytes() == before
    said = capsys.readouterr().out
    assert "answers carried over: mosse.window, kcf.size; cells of your own: 1" in said
    now = nbformat.read(tmp_path / "my_work" / f"{small.STEM}.ipynb", 4)
    assert [c.source for c in now.cells] == [c.source for c in mine.cells]
