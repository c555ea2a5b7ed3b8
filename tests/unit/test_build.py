"""The builder: one source, two notebooks, the same bytes every time."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import nbformat
import pytest

spec = importlib.util.spec_from_file_location(
    "build", Path(__file__).resolve().parents[2] / "lessons" / "build.py"
)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

SOURCE = '''# ---
# jupyter:
#   course: {run: [12]}
# ---

# %% [markdown]
# # 98 · A lesson
# {{minutes}}, {{points}} points, {{exercises}} exercises

# %%
import numpy as np

# %% [markdown]
# ### Exercise
# {{exercise}}

# %% exercise="try.twice" points=5 stars=2 minutes=10
@exercise("try.twice")
def twice(x):
    """Twice x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %%
import numpy as np
'''


@pytest.fixture
def lesson(tmp_path) -> Path:
    path = tmp_path / "98_try.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def cells(text: str) -> list[dict]:
    return json.loads(text)["cells"]


def both(path: Path) -> tuple[list[dict], list[dict]]:
    solution, student = build.built(path).values()
    return cells(solution), cells(student)


def test_building_twice_gives_the_same_bytes(lesson):
    assert build.built(lesson) == build.built(lesson)


def test_the_answer_is_in_the_solution_alone(lesson):
    solution, student = both(lesson)
    assert "return 2 * x" in "".join(solution[4]["source"])
    text = "".join(student[4]["source"])
    assert "2 * x" not in text and "raise NotImplementedError" in text and '"""Twice x."""' in text


def test_the_hidden_half_of_the_points_cell_is_in_the_solution_alone(lesson):
    solution, student = both(lesson)
    assert 'award("try.twice", points=5, hidden=True)' in "".join(solution[5]["source"])
    assert "".join(student[5]["source"]) == 'award("try.twice", points=5)'


def test_placeholders_and_badge_are_filled_in(lesson):
    solution, _ = both(lesson)
    assert "22 minutes, 5 points, 1 exercises" in "".join(solution[0]["source"])
    assert "★★☆ · 5 points · about 10 minutes" in "".join(solution[3]["source"])


def test_nbgrader_finds_its_metadata(lesson):
    _, student = both(lesson)
    answer, points = student[4]["metadata"]["nbgrader"], student[5]["metadata"]["nbgrader"]
    assert answer["solution"] and not answer["grade"] and answer["grade_id"] == "try-twice"
    assert points["grade"] and points["locked"] and points["points"] == 5


def test_ids_stay_when_a_cell_is_put_in_front_and_differ_between_equal_cells(lesson):
    before = [c["id"] for c in both(lesson)[0]]
    assert len(set(before)) == len(before)
    lesson.write_text(
        SOURCE.replace("# %%\nimport", "# %%\nnew = 1\n\n# %%\nimport", 1), encoding="utf-8"
    )
    after = [c["id"] for c in both(lesson)[0]]
    assert [i for i in after if i in before] == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("#   course: {run: [12]}", "#   course: {}", "run"),
        (" stars=2", "", "expected"),
        ("{{points}} points", "{{pionts}} points", "pionts"),
    ],
)
def test_a_broken_source_is_named(lesson, old, new, words):
    lesson.write_text(SOURCE.replace(old, new), encoding="utf-8")
    with pytest.raises(build.LessonError, match=rf"98_try\.py.*{words}"):
        build.built(lesson)


def test_check_finds_stale_missing_and_orphaned_notebooks(lesson, tmp_path, monkeypatch, capsys):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    source = lesson.rename(lessons / lesson.name)
    (lessons / "pages").mkdir()
    (lessons / "pages" / "glossary.md").write_text("# Glossary\n", encoding="utf-8")
    monkeypatch.setattr(build, "LESSONS", lessons)
    readme = tmp_path / "README.md"
    readme.write_text("| [98 try](notebooks/98_try.ipynb) | 1 | 0 | twice |\n")
    assert build.main(["--check"]) == 1  # nothing built yet
    assert build.main([]) == 0 and build.main(["--check"]) == 0
    student = tmp_path / "notebooks" / "98_try.ipynb"
    student.write_text(student.read_text().replace("Twice x", "Thrice x"))
    assert build.main(["--check"]) == 1
    assert "notebooks/98_try.ipynb" in capsys.readouterr().out
    build.main([])
    assert readme.read_text() == "| [98 try](notebooks/98_try.ipynb) | 22 | 1 | twice |\n"
    source.rename(lessons / "97_other.py")
    assert build.main(["--check"]) == 1
    assert "README.md has no row | [97_other]" in capsys.readouterr().err
    readme.write_text("| [97 other](notebooks/97_other.ipynb) | 10 | 2 | twice |\n")
    assert build.main(["--check"]) == 1
    assert "lessons/: README.md\n" in capsys.readouterr().out
    build.main([])
    assert not student.exists()


def test_a_page_becomes_a_notebook_with_links_and_a_cell_for_every_heading(
    lesson, tmp_path, monkeypatch
):
    monkeypatch.setattr(build, "LESSONS", tmp_path)
    page = tmp_path / "pages" / "glossary.md"
    page.parent.mkdir()
    page.write_text(
        "# Words\n\nFirst.\n\n## old name\nA thing. [98]\n\n## other\nSee [98](x.md). [98]\n"
    )
    lesson.write_text(SOURCE.replace("{{points}}", "{{words}} {{points}}"), encoding="utf-8")
    ((path, text),) = build.built_page(page).items()
    assert path == tmp_path.parent / "notebooks" / "glossary.ipynb"
    cells = nbformat.reads(text, as_version=4).cells
    assert [cell.source for cell in cells] == [
        "# Words\n\nFirst.",
        "## old name\nA thing. [98](98_try.ipynb)",
        "## other\nSee [98](x.md). [98](98_try.ipynb)",
    ]
    link = '[old name](../notebooks/glossary.ipynb#old-name "A thing.")'
    assert all(
        link in nbformat.reads(text, as_version=4).cells[0].source
        for text in build.built(lesson).values()
    )
    page.write_text("# Words\n\n## homeless\nA thing.\n")
    with pytest.raises(build.LessonError, match="'homeless' names 0 lessons"):
        build.built(lesson)


def test_students_answer_cells_say_what_they_were_released_as(lesson):
    """An update can tell a cell in which nothing was written, of whatever version, from a student's work."""
    solution, student = both(lesson)
    stub = next(c for c in student if "course" in c["metadata"])
    text = "".join(stub["source"])
    assert "raise NotImplementedError" in text
    assert stub["metadata"]["course"]["released"] == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert not any("released" in c["metadata"].get("course", {}) for c in solution)
