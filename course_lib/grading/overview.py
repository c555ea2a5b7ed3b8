"""The home of the course: every lesson with its image, what it needs, its minutes, and the points
that a student's own copies show.

The cards are read from the lessons' notebooks, the points from what the cells in my_work/ printed
when they last ran; nothing is kept elsewhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_lib.errors import CourseError
from course_lib.grading.reading import read_notebook

CHAPTERS = {  # heading → lessons
    "First steps": ("00", "01"),
    "Correlation filters": ("02", "03"),
    "Siamese networks": ("04", "05", "06"),
    "Proposals": ("07", "08", "09"),
    "Deeper, wider, further apart": ("10", "11"),
    "Boxes that climb, filters that learn": ("12", "13"),
    "Attention": ("14", "15"),
    "The challenge": ("16", "17"),
}
IMAGES = {  # what the images show
    "00": "a target in its frame",
    "01": "a true box and a predicted one that overlap",
    "02": "a filter that has learned a target",
    "03": "a row of pixels and all its cyclic shifts",
    "04": "a search image with its score map",
    "05": "a loss that falls",
    "06": "a cosine window with search regions of three scales",
    "07": "anchors of five shapes on a target",
    "08": "the best proposals and the chosen one",
    "09": "channels of a template's features",
    "10": "what one cell of a deep network sees",
    "11": "targets and background on a line, with a margin between them",
    "12": "boxes that have climbed to where a target is",
    "13": "the score map of a classifier that has learned its target",
    "14": "a search image divided into squares, and the heat map of its target",
    "15": "a search image without the squares that are not needed to find its target",
    "16": "runs from many frames of a sequence, coloured by overlap, with their failures",
    "17": "a target that has been lost, and the places where it is looked for",
}
FIELDS = {
    "aim": "You will be able to",
    "needs": "You need",
    "minutes": "Time",
    "points": "Points",
}
AWARDED = re.compile(r"^(\d+) of (\d+) points \((?:right|wrong|not attempted)\)", re.MULTILINE)
BAR = 10  # squares


@dataclass(frozen=True)
class LessonCard:
    """What the first cell of a lesson says.

    Attributes:
        name: file name without its ending.
        title: number and title.
        aim, needs: what one learns, and what comes before.
        minutes: in words.
        points: in all.
    """

    name: str
    title: str
    aim: str
    needs: str
    minutes: str
    points: int


def lesson_cards(notebooks: Path) -> dict[str, LessonCard]:
    """The cards of all lessons in a folder, by number.

    Raises:
        CourseError: if a lesson's first cell is no card.
    """
    cards = {}
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        text = read_notebook(path).cells[0].source
        found = {
            name: re.search(rf"\| \*\*{head}\*\* \| (.+?) \|$", text, re.MULTILINE)
            for name, head in FIELDS.items()
        }
        title = re.match(r"# (.+)", text)
        if title is None or None in found.values():
            raise CourseError(f"{path}: its first cell is no card; run `make notebooks`")
        words = {name: match[1] for name, match in found.items()}
        minutes = re.sub(r"^about | on a laptop.*$", "", words["minutes"])
        points = int(re.match(r"\d+", words["points"])[0])
        cards[path.stem[:2]] = LessonCard(
            path.stem, title[1], words["aim"], words["needs"], minutes, points
        )
    return cards


def points_shown(notebook: NotebookNode) -> int:
    """Points that a notebook's cells printed when they last ran."""
    got = 0
    for cell in notebook.cells:
        if not cell.get("metadata", {}).get("nbgrader", {}).get("grade"):
            continue
        text = "".join("".join(o.get("text", "")) for o in cell.get("outputs", []))  # str or lines
        got += sum(int(points) for points, _ in AWARDED.findall(text))
    return got


def points_of(mine: Path) -> dict[str, int | None]:
    """Points by lesson number, from the copies in `mine`; None for a copy that cannot be read. Of
    several copies of a lesson the best counts."""
    points: dict[str, int | None] = {}
    for path in sorted(mine.glob("[0-9][0-9]_*.ipynb")):
        number = path.stem[:2]
        try:
            shown = points_shown(read_notebook(path))
        except CourseError:
            points.setdefault(number, None)
            continue
        points[number] = max(shown, points.get(number) or 0)
    return points


def chapters(cards: dict[str, LessonCard]) -> dict[str, list[str]]:
    """Numbers of the lessons that are there, by heading; what no chapter names comes last."""
    told = {n for numbers in CHAPTERS.values() for n in numbers}
    every = CHAPTERS | {"Further on": tuple(n for n in cards if n not in told)}
    found = {head: [n for n in numbers if n in cards] for head, numbers in every.items()}
    return {head: numbers for head, numbers in found.items() if numbers}


def table(
    cards: dict[str, LessonCard],
    numbers: list[str],
    image: Callable[[str, str], str],
    points: dict[str, int | None] | None = None,
    folder: str = "",
) -> str:
    """Lessons as a Markdown table.

    Args:
        cards: of all lessons.
        numbers: of those to show.
        image: (number, what it shows) → an image in Markdown or HTML.
        points: a student's own; None for a page without them.
        folder: of the lessons, as the page addresses it, with a "/" at its end.
    """
    heads = ["", "lesson", "you need", "time", "points" if points is None else "your points"]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for number in numbers:
        card = cards[number]
        shown = image(number, IMAGES.get(number, card.title))
        told = str(card.points) if points is None else progress_bar(points.get(number, 0), card)
        lesson = f"**[{card.title}]({folder}{card.name}.ipynb)**<br>{card.aim}"
        rows.append(f"| {shown} | {lesson} | {card.needs} | {card.minutes} | {told} |")
    return "\n".join(rows)


def _attached(number: str, alt: str) -> str:
    """An image that is attached to its cell; a table's column shrinks to its least width."""
    look = 'width="150" style="min-width:150px"'
    return f'<img src="attachment:{number}.jpg" alt="{alt}" {look}>'


def progress_bar(points: int | None, card: LessonCard) -> str:
    """Points in squares and in words."""
    if points is None:
        return "your copy cannot be read"
    full = round(BAR * points / card.points) if card.points else 0
    return f"{'■' * full}{'□' * (BAR - full)}<br>{points} of {card.points}"


def next_lesson(cards: dict[str, LessonCard], points: dict[str, int | None]) -> str | None:
    """Number of the first lesson whose points are not all there; None when all are."""
    return next((n for n, card in cards.items() if (points.get(n) or 0) < card.points), None)


def home_notebook(notebooks: Path, mine: Path) -> NotebookNode:
    """The home page as a notebook to lie in `mine`, with a student's points.

    Args:
        notebooks: folder of the lessons.
        mine: folder of the student's copies; its links lead to files in it.
    """
    cards, points = lesson_cards(notebooks), points_of(mine)
    whole, got = sum(c.points for c in cards.values()), sum(p or 0 for p in points.values())
    following = next_lesson(cards, points)
    go_on = (
        "You have them all."
        if following is None
        else f"Go on with [{cards[following].title}]({cards[following].name}.ipynb)."
    )
    cells = [
        nbformat.v4.new_markdown_cell(
            "# A course in visual object tracking\n\n"
            f"You have **{got} of {whole} points**. {go_on} A lesson's link opens your own copy, "
            "and makes it when there is none. Close this page and open it again to see new points: "
            "they are read from your saved notebooks."
        )
    ]
    for head, numbers in chapters(cards).items():
        cell = nbformat.v4.new_markdown_cell(
            f"## {head}\n\n" + table(cards, numbers, _attached, points)
        )
        images = {n: notebooks / "images" / f"{n}.jpg" for n in numbers}
        cell["attachments"] = {
            f"{n}.jpg": {"image/jpeg": base64.b64encode(path.read_bytes()).decode()}
            for n, path in images.items()
            if path.is_file()
        }
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"home-{number}"
    return notebook
