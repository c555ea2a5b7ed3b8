"""`python -m course_lib home`: the points you have, lesson by lesson, and the course's home page,
my_work/home.ipynb, made anew."""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat

from course_lib.files import write_whole
from course_lib.grading.overview import home_notebook, lesson_cards, points_of
from course_lib.places import MY_WORK, NOTEBOOKS

NAME = "home.ipynb"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(arguments: argparse.Namespace) -> int:
    """Print the points and write the page."""
    cards, points = lesson_cards(NOTEBOOKS), points_of(MY_WORK)
    for number, card in cards.items():
        got = points.get(number, 0)
        print(f"{card.title}: {'? (unreadable)' if got is None else got} of {card.points} points")
    whole = sum(card.points for card in cards.values())
    print(f"in all: {sum(p or 0 for p in points.values())} of {whole} points")
    print(f"wrote {write_home(NOTEBOOKS, MY_WORK)}; `tracking-course lab` opens it")
    return 0


def write_home(notebooks: Path, mine: Path) -> Path:
    """Write the home page into the folder of the student's copies; returns its path.

    Args:
        notebooks: folder of the lessons.
        mine: folder of the copies, made if there is none.
    """
    page = mine / NAME
    text = nbformat.writes(home_notebook(notebooks, mine)) + "\n"
    mine.mkdir(exist_ok=True)
    write_whole(page, text)
    return page
