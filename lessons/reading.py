"""Minutes, parts and figure numbers of a lesson, counted from its cells.

* The time on a lesson's card is the sum of its parts: reading (180 words a minute, hints left out), a minute for a figure,
  three for a widget, the minutes of each exercise, and the minutes that its cells run, which the header names for each part
  (`course: {run: [1, 2]}`, measured in the laptop profile).
* A part begins where the text says `{{part}}`, which becomes its number and minutes; no part is longer than an hour.
* The text under a figure begins with `{{figure}}`, or `{{figure rates}}` where other text refers to it by `{{see rates}}`.
"""

from __future__ import annotations

import re

from nbformat import NotebookNode

WORDS_A_MINUTE, FIGURE_MINUTES, WIDGET_MINUTES = 180, 1, 3
WIDGET = re.compile(
    r"^[\w.= ]*\b\w*(?:Player|Bench|Explorer|Picker|LiveCurves|Loop|Climber|Room)\(",
    re.MULTILINE,
)
FIGURE = re.compile(r"\{\{figure(?: ([\w-]+))?\}\}")
SEE = re.compile(r"\{\{see ([\w-]+)\}\}")
FOLD = re.compile(r"(?s)<details>\s*<summary>[^<]*[Hh]int.*?</details>")


def parts_of(cells: list[NotebookNode]) -> list[list[NotebookNode]]:
    """The cells of each part; a lesson without `{{part}}` is one part. What stands before the first mark belongs to it."""
    parts: list[list[NotebookNode]] = [[]]
    marks = 0
    for cell in cells:
        if cell.cell_type == "markdown" and "{{part}}" in cell.source:
            marks += 1
            if marks > 1:
                parts.append([])
        parts[-1].append(cell)
    return parts


def minutes_of(cells: list[NotebookNode], run: float) -> int:
    """Minutes that a part takes, `run` minutes of waiting for its cells included."""
    minutes = float(run)
    for cell in cells:
        if cell.cell_type == "markdown":
            minutes += len(FOLD.sub("", cell.source).split()) / WORDS_A_MINUTE
            minutes += FIGURE_MINUTES * len(FIGURE.findall(cell.source))
        elif "exercise" in cell.metadata:
            minutes += cell.metadata["minutes"]
        elif WIDGET.search(cell.source):
            minutes += WIDGET_MINUTES
    return round(minutes)


def minutes_by_part(lesson: NotebookNode) -> list[int]:
    """Minutes of each part; raises ValueError if the header does not name each part's run time."""
    parts = parts_of(lesson.cells)
    run = lesson.metadata.course.get("run")
    if not isinstance(run, list) or len(run) != len(parts):
        raise ValueError(
            f"its header names run: {run}; expected minutes for {len(parts)} parts, like run: [1]"
        )
    return [minutes_of(part, waiting) for part, waiting in zip(parts, run, strict=True)]


def time_in_words(minutes: list[int]) -> str:
    """The card's entry: the sum, and the parts if there are several."""
    if len(minutes) == 1:
        return f"{minutes[0]} minutes"
    return f"{sum(minutes)} minutes, in {len(minutes)} parts of {', '.join(map(str, minutes[:-1]))} and {minutes[-1]}"


def numbered(texts: list[str], chapter: int, minutes: list[int]) -> list[str]:
    """The texts of a lesson's cells with figures, references to them, and parts numbered.

    Args:
        texts: of the markdown cells, in order.
        chapter: number of the lesson.
        minutes: of each part.

    Raises:
        ValueError: if a reference names no figure, or two figures have one name.
    """
    names: dict[str, int] = {}
    found = [figure[1] for text in texts for figure in FIGURE.finditer(text)]
    for position, name in enumerate(found, start=1):
        if name in names:
            raise ValueError(f"two figures are named {name!r}")
        if name:
            names[name] = position
    figures = parts = 0

    def figure(found: re.Match) -> str:
        nonlocal figures
        figures += 1
        return f"**Figure {chapter}.{figures}.**"

    def part(found: re.Match) -> str:
        nonlocal parts
        parts += 1
        return f"*Part {parts} of {len(minutes)} · about {minutes[parts - 1]} minutes*"

    def see(found: re.Match) -> str:
        if found[1] not in names:
            raise ValueError(
                f"there is no figure {found[1]!r}; there are {', '.join(sorted(names))}"
            )
        return f"figure {chapter}.{names[found[1]]}"

    return [
        re.sub(r"\{\{part\}\}", part, FIGURE.sub(figure, SEE.sub(see, text))) for text in texts
    ]
