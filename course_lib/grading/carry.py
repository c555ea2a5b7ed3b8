"""A student's answers carried over to a newer version of a lesson."""

from __future__ import annotations

import ast
import copy
import hashlib
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode

from course_lib.grading.submission import STUB, exercise_of


@dataclass
class Carried:
    """What became of each answer.

    Attributes:
        kept: exercises whose answer stands in the new version.
        changed: exercises that are asked for otherwise now; the old answer stands below the new cell, as comments.
        gone: exercises that are no longer there; their answers stand at the end, as comments.
        own: how many cells of the student's own were carried over.
    """

    kept: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    own: int = 0


def carry_over(mine: NotebookNode, fresh: NotebookNode) -> tuple[NotebookNode, Carried]:
    """The fresh notebook with the answers, and the cells of their own, of a student's copy of an older version.

    An answer is carried over where the function or class to write has the same name and arguments as before. Neither
    notebook is changed.
    """
    written = {
        exercise_of(c): c.source for c in mine.cells if exercise_of(c) and STUB not in c.source
    }
    report, cells = Carried(), []
    beside = _own_cells(mine, fresh)
    cells += beside.pop(None, [])
    for released in fresh.cells:
        cell = copy.deepcopy(released)
        cells.append(cell)
        name = exercise_of(cell)
        if name in written:
            answer = written.pop(name)
            if signature(answer) == signature(cell.source):
                cell.source = answer
                report.kept.append(name)
            else:
                cells.append(
                    _comment(answer, f"your answer to {name}, which is asked for otherwise now")
                )
                report.changed.append(name)
        award = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if award.endswith("-points"):
            cells += beside.pop(award.removesuffix("-points"), [])
    cells += [c for left in beside.values() for c in left]
    report.own = sum(c.id.startswith("own-") for c in cells)
    for name, answer in written.items():
        cells.append(
            _comment(answer, f"your answer to {name}, which is not part of the lesson any more")
        )
        report.gone.append(name)
    notebook = copy.deepcopy(fresh)
    notebook.cells = cells
    return notebook, report


def signature(source: str) -> tuple | None:
    """Name and arguments of the function in a cell, or of the class and its methods; None if it is not Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    for node in body:
        if isinstance(node, ast.FunctionDef):
            return (node.name, ast.dump(node.args))
        if isinstance(node, ast.ClassDef):
            methods = [
                n
                for n in node.body
                if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")
            ]
            return (node.name, *sorted((m.name, ast.dump(m.args)) for m in methods))
    return None


def _own_cells(mine: NotebookNode, fresh: NotebookNode) -> dict[str | None, list[NotebookNode]]:
    """Cells that the course did not write, by the exercise (its grade id) they stand after; None: before the first.

    A released cell's id is made from its text, so one that an update changed or dropped is not taken for the student's.
    """
    known = {cell.source for cell in fresh.cells}
    after: str | None = None
    own: dict[str | None, list[NotebookNode]] = {}
    for cell in mine.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id or exercise_of(cell):
            after = (grade_id or exercise_of(cell).replace(".", "-")).removesuffix("-points")
        elif cell.source.strip() and cell.source not in known and not _released(cell):
            copied = copy.deepcopy(cell)
            copied.id = (
                f"own-{hashlib.sha256(f'{after}{len(own)}{cell.source}'.encode()).hexdigest()[:12]}"
            )
            own.setdefault(after, []).append(copied)
    return own


def _released(cell: NotebookNode) -> bool:
    """Whether the course wrote this cell, in whatever version, and nobody changed it."""
    written = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    return cell.get("id", "").split("-")[0] == written


def _comment(answer: str, why: str) -> NotebookNode:
    lines = "\n".join(f"# {line}" for line in answer.splitlines())
    return nbformat.v4.new_code_cell(f"# {why}:\n{lines}")
