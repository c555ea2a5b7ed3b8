"""A submission looked over: what would cost its student points though the answers are there, and the remedy for each.

nbgrader knows an exercise by its cell's metadata. A copied cell, a deleted one, an editor that drops metadata: the whole
submission is refused, or points are lost in silence. The course's exercises carry their names in their text,
`@exercise("mosse.psr")`, so all this can be put right from the released notebook.
"""

from __future__ import annotations

import ast
import copy
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_lib.errors import DataError

ANSWER = re.compile(r'^@exercise\("([\w.]+)"\)', re.MULTILINE)
AWARD = re.compile(r'^\s*award\("([\w.]+)"', re.MULTILINE)
STUB = "raise NotImplementedError"


@dataclass(frozen=True)
class Problem:
    """Something wrong with a submission.

    Attributes:
        what: a sentence, with the exercise or the cell it is about.
        remedy: what its author can do.
        mended: whether grading goes on as if it were right.
    """

    what: str
    remedy: str
    mended: bool


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in a file; raises DataError if there is none in it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    return parse_notebook(content, path.name)


def parse_notebook(content: bytes, name: str) -> NotebookNode:
    """The notebook that the bytes of a file called `name` hold; raises DataError if they hold none."""
    try:
        return nbformat.reads(content.decode("utf-8"), as_version=4)
    except Exception as problem:  # nbformat raises many kinds
        raise DataError(
            f"{name} is no notebook that can be read ({type(problem).__name__}); hand in the .ipynb file itself, saved "
            "in JupyterLab, not a print or a renamed copy of something else"
        ) from None


def exercise_of(cell: NotebookNode) -> str | None:
    """The name of the exercise that a cell answers, or None."""
    found = ANSWER.search(cell.source) if cell.cell_type == "code" else None
    return found.group(1) if found else None


def find_release(notebook: NotebookNode, releases: dict[str, NotebookNode]) -> str:
    """The lesson (a file's stem) with whose released notebook a submission shares most exercises; raises DataError if none."""
    names = {exercise_of(cell) for cell in notebook.cells} - {None}
    shared = {stem: len(names & set(answers(release))) for stem, release in releases.items()}
    best = max(shared, key=lambda stem: shared[stem], default=None)
    if best is None or not shared[best]:
        raise DataError(
            f'none of the course\'s exercises is in this notebook (looked for lines like @exercise("mosse.psr")); '
            f"expected a lesson: {', '.join(releases) or 'none is released'}"
        )
    return best


def answers(release: NotebookNode) -> dict[str, NotebookNode]:
    """The answer cells of a released notebook by exercise."""
    named = {
        exercise_of(cell): cell
        for cell in release.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    return {name: cell for name, cell in named.items() if name}


def mend(
    notebook: NotebookNode, release: NotebookNode, stem: str, given_name: str
) -> tuple[NotebookNode, list[Problem]]:
    """The submission as it can be graded, and what was wrong with it.

    Answer cells get the released metadata back; of an exercise answered twice the last answer counts; every award cell is
    the released one, right after its answer; a missing answer becomes the released stub, which earns nothing. All other
    cells stay: an answer may need them.

    Args:
        notebook: as handed in; left as it is.
        release: the released notebook of lesson `stem`.
        given_name: the submission's file name.
    """
    wanted, problems = answers(release), _file_problems(notebook, stem, given_name)
    notebook = copy.deepcopy(notebook)
    _decorate(notebook, wanted, problems)
    kept = _last_answers(notebook, wanted, problems)
    problems += _award_problems(notebook, release, wanted)
    problems += _syntax_problems(notebook)
    awards = {name: _award_of(release, cell) for name, cell in wanted.items()}
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        if _awarded(cell) in wanted:
            continue  # the released one comes after the answer
        name = next((n for n, answer in kept.items() if answer is cell), None)
        cell.metadata.pop("nbgrader", None)
        if name:
            cell.metadata.update(copy.deepcopy(wanted[name].metadata))
        cells.append(cell)
        if name:
            cells.append(copy.deepcopy(awards[name]))
    for name in wanted.keys() - kept.keys():
        cells += [copy.deepcopy(wanted[name]), copy.deepcopy(awards[name])]
    for number, cell in enumerate(cells):
        cell.id = cell.metadata.get("nbgrader", {}).get("grade_id") or f"own-{number}"
    notebook.cells = cells
    notebook.metadata = copy.deepcopy(release.metadata)
    return notebook, problems


def _file_problems(notebook: NotebookNode, stem: str, given_name: str) -> list[Problem]:
    found = []
    if given_name != f"{stem}.ipynb":
        found.append(Problem(f"the file is called {given_name}", f"call it {stem}.ipynb", True))
    kernel = notebook.metadata.get("kernelspec", {}).get("name", "none")
    if kernel != "python3":
        remedy = "choose the kernel Python 3 (menu Kernel, Change Kernel) and save"
        found.append(Problem(f"its kernel is {kernel!r}", remedy, True))
    return found


def _decorate(
    notebook: NotebookNode, wanted: dict[str, NotebookNode], problems: list[Problem]
) -> None:
    """Give answer cells that lost their first line, but not their metadata, the line back."""
    by_id = {cell.metadata.nbgrader.grade_id: name for name, cell in wanted.items()}
    for cell in notebook.cells:
        name = by_id.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if name and cell.cell_type == "code" and exercise_of(cell) is None:
            cell.source = f'@exercise("{name}")\n{cell.source.lstrip()}'
            problems.append(
                Problem(
                    f'the answer to {name} lost its line @exercise("{name}")',
                    "put the line back above it",
                    True,
                )
            )


def _last_answers(
    notebook: NotebookNode, wanted: dict[str, NotebookNode], problems: list[Problem]
) -> dict[str, NotebookNode]:
    """The cell that counts for each exercise: the last one that is no stub, else the last."""
    kept: dict[str, NotebookNode] = {}
    for name, released in wanted.items():
        given = [cell for cell in notebook.cells if exercise_of(cell) == name]
        if not given:
            remedy = f"copy the cell back from a fresh copy of the lesson and write the answer (exercise {name})"
            problems.append(Problem(f"the cell for {name} is gone", remedy, False))
            continue
        written = [cell for cell in given if STUB not in cell.source] or given
        kept[name] = written[-1]
        if len(given) > 1:
            problems.append(
                Problem(
                    f"{name} is answered in {len(given)} cells; the last one counts",
                    "keep one of them",
                    True,
                )
            )
        if (
            kept[name].metadata.get("nbgrader", {}).get("grade_id")
            != released.metadata.nbgrader.grade_id
        ):
            remedy = (
                "nothing to do; work in a copy made by `python -m course_lib start` to avoid it"
            )
            problems.append(Problem(f"the cell for {name} has lost its metadata", remedy, True))
    return kept


def _award_problems(
    notebook: NotebookNode, release: NotebookNode, wanted: dict[str, NotebookNode]
) -> list[Problem]:
    found = []
    for name, cell in wanted.items():
        given = [c for c in notebook.cells if _awarded(c) == name]
        if not given:
            found.append(
                Problem(f"the points cell of {name} is gone", "nothing to do: it is put back", True)
            )
        elif len(given) > 1:
            found.append(
                Problem(
                    f"the points cell of {name} is there {len(given)} times",
                    "delete the copies",
                    True,
                )
            )
        elif given[0].source.strip() != _award_of(release, cell).source.strip():
            found.append(
                Problem(
                    f"the points cell of {name} was changed",
                    "leave it as it was: it is put back",
                    True,
                )
            )
    return found


def _syntax_problems(notebook: NotebookNode) -> list[Problem]:
    found = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        try:
            ast.parse(TransformerManager().transform_cell(cell.source))
        except SyntaxError as problem:
            where = (
                f"the answer to {exercise_of(cell)}" if exercise_of(cell) else f"cell {number + 1}"
            )
            found.append(
                Problem(
                    f"{where} is not Python: {problem.msg}, line {problem.lineno}",
                    "correct it, and run the cell",
                    False,
                )
            )
    return found


def _awarded(cell: NotebookNode) -> str | None:
    """The exercise whose points a cell awards, or None: by its metadata, else by its text."""
    if cell.cell_type != "code" or exercise_of(cell):
        return None
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    if grade_id.endswith("-points"):
        topic, _, rest = grade_id.removesuffix("-points").partition("-")
        return f"{topic}.{rest}"
    found = AWARD.search(cell.source)
    return found.group(1) if found else None


def _award_of(release: NotebookNode, answer: NotebookNode) -> NotebookNode:
    """The released cell that awards an answer's points."""
    wanted = f"{answer.metadata.nbgrader.grade_id}-points"
    return next(
        cell
        for cell in release.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == wanted
    )
