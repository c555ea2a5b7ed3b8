"""Build notebooks/ (for students) and solutions/ from lessons/NN_name.py, the one source of both.

    python lessons/build.py            build all lessons
    python lessons/build.py --check    write nothing; fail if a notebook differs from its source

A lesson is a Python file in the percent format. What it may use beyond that format:

* its header (`jupyter:`) names `course: {run: [2]}`; `{{minutes}}`, `{{points}}` and `{{exercises}}` in the text are filled in;
* `{{part}}`, `{{figure}}` and `{{see name}}` in the text are numbered, see reading.py;
* `{{evidence name above}}` becomes the interval that a conclusion rests on, see borne_out.py;
* `# %% exercise="mosse.psr" points=5 stars=2 minutes=10` marks the cell with the answer, which stands between
  `### BEGIN SOLUTION` and `### END SOLUTION`; `{{exercise}}` in the text above it becomes its stars, points and minutes;
* a cell that awards the points is put behind every exercise;
* links to Colab and Binder stand below the title, and the first cell of code brings the course there, see anywhere.py;
* `{{words}}` becomes links to the glossary's entries for the words that the lesson introduces.

README's table of lessons gets their minutes and numbers of exercises.

Pages without code, the glossary and the notation, are lessons/pages/*.md; `[07]` in them becomes a link to lesson 07.

Building twice gives the same bytes: cell ids come from the exercise's name or the cell's text.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions
from traitlets.config import Config

LESSONS = Path(__file__).resolve().parent
sys.path.insert(0, str(LESSONS))  # tests load this file by its path
import anywhere
import borne_out
import reading

STUB = "# Write your answer here, in place of the next line.\nraise NotImplementedError"
ENTRY = re.compile(r"^## (.+)\n((?:(?!^## ).*\n?)+)", re.MULTILINE)
LINK = re.compile(r"\[(\d\d)\](?!\()")
MARKS = ("exercise", "points", "stars", "minutes")


class LessonError(Exception):
    """A lesson's source breaks a rule of the format; the message names the file and the cell."""


def sources() -> list[Path]:
    """The lessons' sources in order: lessons/00_….py, lessons/01_….py, …"""
    return sorted(LESSONS.glob("[0-9][0-9]_*.py"))


def pages() -> list[Path]:
    """The pages without code: glossary and notation."""
    return sorted((LESSONS / "pages").glob("*.md"))


def read_lesson(path: Path) -> NotebookNode:
    """The lesson as a notebook without ids, exercise markers in each cell's metadata."""
    notebook = jupytext.read(path, fmt="py:percent")
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's own note on blank lines
    header = notebook.metadata.get("course")
    if not header or "run" not in header:
        raise LessonError(f"{path.name}: its header has no `jupyter: course: {{run: […]}}`")
    return notebook


def solved(path: Path) -> NotebookNode:
    """The instructor's notebook: answers and hidden tests in place."""
    source = read_lesson(path)
    exercises = [cell.metadata for cell in source.cells if "exercise" in cell.metadata]
    for marks in exercises:
        if sorted(marks) != sorted(MARKS):
            raise LessonError(
                f"{path.name}: exercise {marks['exercise']!r} has {sorted(marks)}; expected {sorted(MARKS)}"
            )
    try:
        where = anywhere.repository()
        minutes = reading.minutes_by_part(source)
        texts = [cell for cell in source.cells if cell.cell_type == "markdown"]
        numbered = reading.numbered([c.source for c in texts], int(path.stem[:2]), minutes)
        evidence = borne_out.evidence_of(path.stem[:2])
        numbered = [borne_out.with_evidence(text, evidence) for text in numbered]
    except ValueError as problem:
        raise LessonError(f"{path.name}: {problem}") from None
    for cell, text in zip(texts, numbered, strict=True):
        cell.source = text
    totals = {
        "minutes": reading.time_in_words(minutes),
        "points": sum(marks.points for marks in exercises),
        "exercises": len(exercises),
        "words": new_words(path.stem[:2]),
    }
    cells = []
    for position, cell in enumerate(source.cells):
        if cell.cell_type == "markdown":
            following = (
                source.cells[position + 1].metadata if position + 1 < len(source.cells) else {}
            )
            cells.append(_text(path, cell, totals, following))
        elif "exercise" in cell.metadata:
            cells += [_answer(cell), _award(cell)]
        else:
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata))
    card = cells[0]
    card.source = anywhere.with_links(card.source, path.stem, where)
    cells.insert(1, nbformat.v4.new_code_cell(anywhere.set_up(where)))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=_metadata())
    _name_cells(notebook)
    return notebook


def for_students(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with answers and hidden tests taken out by nbgrader's own preprocessors."""
    config = Config()
    config.ClearSolutions.code_stub = {"python": STUB}
    config.ClearSolutions.enforce_metadata = False  # helper cells may show a solved example
    student = copy.deepcopy(notebook)
    for step in (ClearSolutions, ClearHiddenTests):
        student, _ = step(config=config).preprocess(student, {})
    for cell in student.cells:
        cell.metadata.get("nbgrader", {}).pop("checksum", None)
        if "course" in cell.metadata:  # tells an update whether anything was written in it
            cell.metadata.course["released"] = hashlib.sha256(cell.source.encode()).hexdigest()[
                :12
            ]
    return student


def to_text(notebook: NotebookNode) -> str:
    """The notebook file's text; raises nbformat's error if it is not a valid notebook."""
    nbformat.validate(notebook)
    return (
        nbformat.writes(notebook, version=4, indent=1, ensure_ascii=False, sort_keys=True)
        + "\n"
    )


def built_page(path: Path) -> dict[Path, str]:
    """What the page at `path` becomes: one notebook, a cell for every heading, lesson numbers as links."""
    files = {source.stem[:2]: f"{source.stem}.ipynb" for source in sources()}

    def link(found: re.Match) -> str:
        if found[1] not in files:
            raise LessonError(f"{path.name}: there is no lesson {found[1]}")
        return f"[{found[1]}]({files[found[1]]})"

    text = LINK.sub(link, path.read_text(encoding="utf-8"))
    parts = re.split(r"\n(?=##)", text)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(part.strip()) for part in parts],
        metadata=_metadata(),
    )
    _name_cells(notebook)
    return {LESSONS.parent / "notebooks" / f"{path.stem}.ipynb": to_text(notebook)}


def glossary() -> dict[str, dict[str, str]]:
    """Word → meaning, by the lesson that introduces it; raises LessonError for a word without a lesson."""
    words: dict[str, dict[str, str]] = {}
    text = (LESSONS / "pages" / "glossary.md").read_text(encoding="utf-8")
    for word, meaning in ENTRY.findall(text):
        lessons = LINK.findall(meaning)
        if len(lessons) != 1:
            raise LessonError(
                f"glossary.md: {word!r} names {len(lessons)} lessons; expected one, like [07]"
            )
        words.setdefault(lessons[0], {})[word] = LINK.sub("", meaning).strip()
    return words


def new_words(number: str) -> str:
    """Links to the words that a lesson introduces, each with its meaning as a tip.

    They lead to the same page from a copy of the lesson in my_work/.
    """
    page, links = "../notebooks/glossary.ipynb", []
    for word, meaning in glossary().get(number, {}).items():
        # headings become anchors with hyphens for spaces, in JupyterLab and on the site alike
        tip = re.sub(r"[*`]", "", meaning).replace('"', "”")
        links.append(f'[{word}]({page}#{word.replace(" ", "-")} "{tip}")')
    return " · ".join(
        [*links, f"[all words]({page})", "[symbols](../notebooks/notation.ipynb)"]
    )


def built(path: Path) -> dict[Path, str]:
    """What the lesson at `path` becomes: file → its whole text."""
    root, name = LESSONS.parent, f"{path.stem}.ipynb"
    whole = solved(path)
    return {
        root / "solutions" / name: to_text(whole),
        root / "notebooks" / name: to_text(for_students(whole)),
    }


def counted(readme: str) -> str:
    """README with each lesson's minutes and number of exercises in its table's row."""
    for path in sources():
        source = read_lesson(path)
        minutes = sum(reading.minutes_by_part(source))
        exercises = sum("exercise" in cell.metadata for cell in source.cells)
        row = re.compile(
            rf"^(\|.*notebooks/{path.stem}\.ipynb\) \|) \d+ \| \d+ \|", re.MULTILINE
        )
        if row.search(readme) is None:
            raise LessonError(
                f"README.md has no row | [{path.stem}](notebooks/{path.stem}.ipynb) | minutes | exercises |"
            )
        readme = row.sub(rf"\1 {minutes} | {exercises} |", readme)
    return readme


def _text(path: Path, cell: NotebookNode, totals: dict, following: dict) -> NotebookNode:
    """A markdown cell with its {{placeholders}} filled in."""
    text = cell.source
    if "exercise" in following:
        stars = "★" * following["stars"] + "☆" * (3 - following["stars"])
        badge = (
            f"*{stars} · {following['points']} points · about {following['minutes']} minutes*"
        )
        text = text.replace("{{exercise}}", badge)
    for name, value in totals.items():
        text = text.replace("{{" + name + "}}", str(value))
    if "{{" in text:
        raise LessonError(
            f"{path.name}: nothing fills the placeholder in {text[text.index('{{') :][:40]!r}"
        )
    return nbformat.v4.new_markdown_cell(text)


def _answer(cell: NotebookNode) -> NotebookNode:
    """The cell a student writes in."""
    marks = cell.metadata
    grading = _grading(marks.exercise, solution=True, locked=False, grade=False)
    return nbformat.v4.new_code_cell(
        cell.source, metadata={"course": dict(marks), "nbgrader": grading}
    )


def _award(cell: NotebookNode) -> NotebookNode:
    """The cell that awards an exercise's points; its second half is the instructor's alone."""
    marks = cell.metadata
    call = f'award("{marks.exercise}", points={marks.points}'
    # imported again: a notebook may have given the name another meaning
    hidden = f"from course_lib.exercises import award\n{call}, hidden=True)"
    source = f"{call})\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
    grading = _grading(f"{marks.exercise}-points", solution=False, locked=True, grade=True) | {
        "points": marks.points
    }
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": grading})


def _grading(name: str, **flags: bool) -> dict:
    return {"grade_id": name.replace(".", "-"), "schema_version": 3, "task": False, **flags}


def _metadata() -> dict:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"kernelspec": kernel, "language_info": {"name": "python"}}


def _name_cells(notebook: NotebookNode) -> None:
    """Give each cell an id that stays while its text, or its exercise's name, stays."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name is None:
            name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def main(argv: list[str] | None = None) -> int:
    """Build or check all lessons; 0 if everything is as it should be."""
    parser = argparse.ArgumentParser(description="Build the notebooks from lessons/.")
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, fail if a notebook is not its source's",
    )
    only_check = parser.parse_args(argv).check
    try:
        wanted = {file: text for path in sources() for file, text in built(path).items()}
        wanted |= {file: text for path in pages() for file, text in built_page(path).items()}
        readme = LESSONS.parent / "README.md"
        wanted |= {readme: counted(readme.read_text(encoding="utf-8"))}
    except LessonError as problem:
        print(problem, file=sys.stderr)
        return 1
    there = {readme} | {
        f
        for folder in ("notebooks", "solutions")
        for f in (LESSONS.parent / folder).glob("*.ipynb")
    }
    stale = {
        f
        for f, text in wanted.items()
        if f not in there or f.read_text(encoding="utf-8") != text
    }
    for file in sorted(stale | (there - wanted.keys())):
        print(
            f"{'differs from' if only_check else 'built from'} lessons/: {file.relative_to(LESSONS.parent)}"
        )
        if only_check:
            continue
        if file not in wanted:
            file.unlink()  # its lesson is gone or has another name
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(wanted[file], encoding="utf-8", newline="\n")
    if not only_check and anywhere.repository().name == anywhere.UNSET:
        print(
            "links to Colab and Binder lead nowhere yet: set [tool.course] repository in pyproject.toml"
        )
    if only_check and stale | (there - wanted.keys()):
        print("run `make notebooks`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
