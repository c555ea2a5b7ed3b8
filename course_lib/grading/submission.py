"""Checks of a submission: what would cost its student points although the answers are there, and
the remedy for each.

nbgrader knows an exercise by its cell's metadata. If a cell was copied or deleted, or an editor
drops metadata, the whole submission is refused, or points are lost silently. The course's
exercises carry their names in their text, `@exercise("mosse.psr")`, so all this can be fixed
from the released notebook.
"""

from __future__ import annotations

import ast
import copy
import re

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_lib.errors import DataError
from course_lib.grading.reading import ANSWER, AWARD, STUB, Problem, exercise_of, graded_as

FENCE = re.compile(r"\A\s*```\w*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)


def find_release(notebook: NotebookNode, releases: dict[str, NotebookNode]) -> str:
    """The lesson (a file's stem) whose released notebook shares most exercises with a submission;
    raises DataError if none does."""
    names = {f.group("name") for cell in notebook.cells for f in ANSWER.finditer(block_of(cell))}
    ids = {graded_as(cell) for cell in notebook.cells} - {""}
    shared = {
        stem: sum(
            name in names or graded_as(cell) in ids for name, cell in answers(release).items()
        )
        for stem, release in releases.items()
    }
    best = max(shared, key=lambda stem: shared[stem], default=None)
    if best is None or not shared[best]:
        raise DataError(
            "none of the course's exercises is in this notebook (looked for lines like "
            '@exercise("mosse.psr")); '
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


def fix(
    notebook: NotebookNode, release: NotebookNode, stem: str, given_name: str
) -> tuple[NotebookNode, list[Problem]]:
    """The submission in gradable form, and what was wrong with it.

    Answer cells get their type and the released metadata back; of an exercise answered twice, the
    last answer counts; every award cell is the released one, right after its answer; a missing
    answer becomes the released stub, which earns nothing. All other cells stay, as an answer may
    need them.

    Args:
        notebook: as handed in; not modified.
        release: the released notebook of lesson `stem`.
        given_name: the submission's file name.
    """
    wanted, problems = answers(release), _file_problems(notebook, stem, given_name)
    notebook = copy.deepcopy(notebook)
    _back_to_code(notebook, wanted, problems)
    _split(notebook, wanted, problems)
    _decorate(notebook, wanted, problems)
    kept = _last_answers(notebook, wanted, problems)
    problems += _award_problems(notebook, release, wanted)
    problems += _syntax_problems(notebook)
    awards = {name: _award_of(release, cell) for name, cell in wanted.items()}
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        if awarded(cell) in wanted:
            continue  # the released one comes after the answer
        name = next((n for n, answer in kept.items() if answer is cell), None)
        cell.metadata.pop("nbgrader", None)
        cell.metadata.pop("tags", None)  # some tags would keep the cell from running
        if name:
            cell.metadata = copy.deepcopy(wanted[name].metadata)
        cells.append(cell)
        if name:
            cells.append(copy.deepcopy(awards[name]))
    for name in wanted.keys() - kept.keys():
        cells += [copy.deepcopy(wanted[name]), copy.deepcopy(awards[name])]
    for number, cell in enumerate(cells):
        cell.id = cell.metadata.get("nbgrader", {}).get("grade_id") or f"own-{number}"
    notebook.cells = cells
    notebook.metadata = copy.deepcopy(release.metadata)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook, problems


def _file_problems(notebook: NotebookNode, stem: str, given_name: str) -> list[Problem]:
    found = []
    if given_name != f"{stem}.ipynb":
        found.append(Problem(f"the file is called {given_name}", f"call it {stem}.ipynb", True))
    kernel = (notebook.metadata.get("kernelspec") or {}).get("name", "none")
    if kernel != "python3":
        remedy = "choose the kernel Python 3 (menu Kernel, Change Kernel) and save"
        found.append(Problem(f"its kernel is {kernel!r}", remedy, True))
    return found


def block_of(cell: NotebookNode) -> str:
    """A cell's text; for a text cell that is just one block of code, the block."""
    found = FENCE.match(cell.source) if cell.cell_type != "code" else None
    return found.group(1) if found else cell.source


def _back_to_code(
    notebook: NotebookNode, wanted: dict[str, NotebookNode], problems: list[Problem]
) -> None:
    """Turn answer cells that became text back into code, if no code cell answers the exercise."""
    by_id = {graded_as(cell): name for name, cell in wanted.items()}
    answered = {exercise_of(cell) or by_id.get(graded_as(cell)) for cell in _code(notebook)}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            continue
        found = ANSWER.match(block_of(cell).lstrip())
        name = by_id.get(graded_as(cell)) or (found.group("name") if found else None)
        if name not in wanted or name in answered:
            continue
        what = f"the cell for {name} was turned into {cell.cell_type}, which is not run"
        problems.append(Problem(what, "make it code again (press Escape, then Y)", True))
        cell.source, cell.cell_type = block_of(cell).strip(), "code"
        cell.outputs, cell.execution_count = [], None
        cell.pop("attachments", None)


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _split(
    notebook: NotebookNode, wanted: dict[str, NotebookNode], problems: list[Problem]
) -> None:
    """Give each of several answers in one cell its own cell."""
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        parts = parted(cell)
        cells += parts
        if len(parts) > 1:
            what = f"{' and '.join(exercise_of(part) for part in parts)} are answered in one cell"
            problems.append(Problem(what, "give each its own cell", True))
    notebook.cells = cells


def parted(cell: NotebookNode) -> list[NotebookNode]:
    """A cell that answers several exercises as several cells; any other unchanged."""
    found = list(ANSWER.finditer(cell.source)) if cell.cell_type == "code" else []
    if len({one.group("name") for one in found}) < 2:
        return [cell]
    starts = [0, *(one.start() for one in found[1:])]
    parts = [copy.deepcopy(cell) for _ in starts]
    for part, start, end in zip(parts, starts, [*starts[1:], len(cell.source)], strict=True):
        part.source = cell.source[start:end].strip("\n")
    for part in parts[1:]:
        part.metadata.pop("nbgrader", None)
        part.metadata.pop("course", None)
    return parts


def _decorate(
    notebook: NotebookNode, wanted: dict[str, NotebookNode], problems: list[Problem]
) -> None:
    """Restore the first line of answer cells that lost it but kept their metadata."""
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
    """The cell that counts for each exercise: the last one that is not a stub, else the last."""
    kept: dict[str, NotebookNode] = {}
    for name, released in wanted.items():
        given = [cell for cell in notebook.cells if exercise_of(cell) == name]
        if not given:
            remedy = (
                "copy the cell back from a fresh copy of the lesson and write the answer "
                f"(exercise {name})"
            )
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
        given = [c for c in notebook.cells if awarded(c) == name]
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
        except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
            where = (
                f"the answer to {exercise_of(cell)}" if exercise_of(cell) else f"cell {number + 1}"
            )
            found.append(
                Problem(
                    f"{where} is not Python: {_where(problem)}",
                    "correct it, and run the cell",
                    False,
                )
            )
    return found


def _where(problem: Exception) -> str:
    if isinstance(problem, SyntaxError):
        return f"{problem.msg}, line {problem.lineno}"
    return str(problem) or type(problem).__name__


def awarded(cell: NotebookNode) -> str | None:
    """The exercise whose points a cell awards, or None: by its metadata, else by its text."""
    if cell.cell_type != "code" or exercise_of(cell):
        return None
    grade_id = graded_as(cell)
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
