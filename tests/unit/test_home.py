"""The course's home: cards read from the lessons, points from what a student's cells printed."""

from __future__ import annotations

import json

import nbformat
import pytest

from course_lib.cli import home, main
from course_lib.errors import CourseError
from course_lib.grading import overview
from course_lib.places import NOTEBOOKS

CARDS = overview.lesson_cards(NOTEBOOKS)


def award(text: str, graded: bool = True):
    """An award's cell with what it printed."""
    cell = nbformat.v4.new_code_cell("award('a.b', points=3)")
    cell.metadata = {"nbgrader": {"grade": graded}}
    cell.outputs = [nbformat.v4.new_output("stream", text=text)]
    return cell


def copy(folder, name: str, *cells):
    """A student's copy of a lesson."""
    folder.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), folder / name)


def test_every_lesson_has_its_card_its_picture_and_its_chapter():
    told = [n for numbers in overview.CHAPTERS.values() for n in numbers]
    assert list(CARDS) == sorted(told) == list(overview.IMAGES)
    for number, card in CARDS.items():
        assert card.title.startswith(number) and card.aim and card.needs and card.points > 0
        assert card.minutes.split()[1].startswith("minutes")
        assert (NOTEBOOKS / "images" / f"{number}.jpg").stat().st_size < 20_000


def test_points_are_those_that_cells_printed(tmp_path):
    copy(
        tmp_path,
        "02_mosse.ipynb",
        award("3 of 3 points (right)\n"),
        award("0 of 4 points (wrong)\n"),
        award("9 of 9 points (right)\n", graded=False),
        award("I have 5 of 5 points (right)\n"),
    )
    copy(tmp_path, "02_mosse_2.ipynb", award("3 of 3 points (right)\n5 of 5 points (right)\n"))
    (tmp_path / "03_kernels.ipynb").write_text("{")
    assert overview.points_of(tmp_path) == {"02": 8, "03": None}
    lines = json.loads((tmp_path / "02_mosse.ipynb").read_text())
    assert isinstance(lines["cells"][0]["outputs"][0]["text"], list)  # as JupyterLab saves it


def test_the_page_says_what_is_done_and_what_is_next(tmp_path):
    copy(tmp_path, "00_welcome.ipynb", award(f"{CARDS['00'].points} of 3 points (right)\n"))
    page = overview.home_notebook(NOTEBOOKS, tmp_path)
    nbformat.validate(page)
    text = page.cells[0].source
    assert f"**3 of {sum(c.points for c in CARDS.values())} points**" in text
    assert f"Go on with [{CARDS['01'].title}]({CARDS['01'].name}.ipynb)" in text
    tables = "\n".join(cell.source for cell in page.cells)
    assert "■■■■■■■■■■<br>3 of 3" in tables
    assert f"□□□□□□□□□□<br>0 of {CARDS['11'].points}" in tables
    images = {name for cell in page.cells for name in cell.get("attachments", {})}
    assert images == {f"{n}.jpg" for n in CARDS}


def test_all_points_leave_nothing_to_go_on_with():
    points = {n: card.points for n, card in CARDS.items()}
    assert overview.next_lesson(CARDS, points) is None
    assert overview.next_lesson(CARDS, points | {"03": None}) == "03"


def test_a_bar_shows_the_fraction():
    card = CARDS["02"]
    assert overview.progress_bar(0, card).startswith("□" * 10)
    assert overview.progress_bar(card.points // 2, card).count("■") == 5
    assert "cannot be read" in overview.progress_bar(None, card)


def test_a_lesson_no_chapter_names_comes_last():
    found = overview.chapters(CARDS | {"99": CARDS["00"]})
    assert list(found)[-1] == "Further on" and found["Further on"] == ["99"]


def test_a_first_cell_that_is_no_card_is_named(tmp_path):
    copy(tmp_path, "02_mosse.ipynb", nbformat.v4.new_markdown_cell("# 02 · MOSSE"))
    with pytest.raises(CourseError, match=r"02_mosse\.ipynb: its first cell is no card"):
        overview.lesson_cards(tmp_path)


def test_the_command_prints_points_and_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(home, "MY_WORK", tmp_path / "my_work")
    assert main(["home"]) == 0
    said = capsys.readouterr().out
    assert (
        f"{CARDS['02'].title}: 0 of {CARDS['02'].points} points" in said and "in all: 0 of" in said
    )
    assert nbformat.read(tmp_path / "my_work" / "home.ipynb", as_version=4).cells
