"""Notebooks read as they arrive: faults are fixed and named, and files that are not notebooks are
refused."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from course_lib.errors import DataError, MissingDataError

ANSWER = re.compile(
    r"""^@(?:\w+\.)*exercise\(\s*(?:name\s*=\s*)?(["'])(?P<name>[\w.]+)\1\s*,?\s*\)""", re.MULTILINE
)
AWARD = re.compile(r"""^\s*award\(\s*["']([\w.]+)["']""", re.MULTILINE)
STUB = "raise NotImplementedError"
LARGEST = 50 * 2**20  # bytes of one notebook
KINDS = ("code", "markdown", "raw")
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SAY = (
    "hand in the .ipynb file itself, saved in JupyterLab, not a printout or a renamed copy of "
    "something "
    "else"
)


@dataclass(frozen=True)
class Problem:
    """Something wrong with a submission.

    Attributes:
        what: a sentence, with the exercise or the cell it is about.
        remedy: what its author can do.
        fixed: whether grading continues as if nothing were wrong.
    """

    what: str
    remedy: str
    fixed: bool


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in a file; raises DataError if it holds none."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(too_large(path.name, path.stat().st_size))
        content = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"{path} does not exist") from None
    return parse_notebook(content, path.name)


def parse_notebook(content: bytes, name: str) -> NotebookNode:
    """The notebook that the bytes of a file called `name` hold; raises DataError if they hold
    none."""
    return read_submission(content, name)[0]


def read_submission(content: bytes, name: str) -> tuple[NotebookNode, list[Problem]]:
    """The notebook in a file's bytes, valid in format 4, and what had to be fixed.

    Raises DataError, naming the remedy, if they hold none.
    """
    if len(content) > LARGEST:
        raise DataError(too_large(name, len(content)))
    problems: list[Problem] = []
    try:
        # bytes: JSON may be UTF-8 with or without a byte order mark, UTF-16 or UTF-32
        data = _speakable(json.loads(content))
        data = _of_format_4(data, problems)
    except DataError as problem:
        raise DataError(f"{name} {problem}") from None
    except Exception as problem:  # nbformat raises many kinds of errors
        what = f"({type(problem).__name__})" if content.strip() else "(it is empty)"
        raise DataError(f"{name} is not a readable notebook {what}; {SAY}") from None
    cells = [_cell(number, cell, problems) for number, cell in enumerate(data["cells"], 1)]
    given = [cell for cell in cells if cell is not None]
    _name_cells(given)
    notebook = {"cells": given, "metadata": _metadata(data.get("metadata"), problems)}
    return nbformat.from_dict({**notebook, "nbformat": 4, "nbformat_minor": 5}), problems


def too_large(name: str, size: int) -> str:
    """The message for a notebook that is too large to be read."""
    return (
        f"{name} holds {size / 2**20:.0f} MB; at most {LARGEST // 2**20} MB are read. Clear its "
        "outputs (menu Edit, Clear "
        "Outputs of All Cells), save it, and hand it in again"
    )


def exercise_of(cell: NotebookNode) -> str | None:
    """The name of the exercise that a cell answers, or None."""
    found = ANSWER.search(cell.source) if cell.cell_type == "code" else None
    return found.group("name") if found else None


def graded_as(cell: NotebookNode) -> str:
    """The name nbgrader knows a cell by, or ""."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def _speakable(data: Any) -> Any:
    """The data with lone surrogates, which no file can hold, replaced by question marks."""
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode("utf-8")
    if isinstance(data, list):
        return [_speakable(value) for value in data]
    if isinstance(data, dict):
        return {_speakable(name): _speakable(value) for name, value in data.items()}
    return data


def _of_format_4(data: Any, problems: list[Problem]) -> dict:
    """The notebook's data in format 4; raises DataError, without the file's name, if invalid."""
    if not isinstance(data, dict) or not ({"cells", "worksheets"} & data.keys()):
        raise DataError(f"is JSON, but not a notebook (it has no cells); {SAY}")
    given = data.get("nbformat")
    if "worksheets" in data or given in (1, 2, 3):
        old = nbformat.reads(json.dumps({**data, "nbformat": 3, "nbformat_minor": 0}), as_version=4)
        data = json.loads(nbformat.writes(old))
    if given != 4:
        remedy = "open it in JupyterLab and save it"
        problems.append(Problem(f"it is in notebook format {given!r}, not 4", remedy, True))
    if not isinstance(data["cells"], list):
        raise DataError(
            f"is JSON, but not a notebook (its cells are a {type(data['cells']).__name__}); {SAY}"
        )
    return data


def _cell(number: int, given: Any, problems: list[Problem]) -> dict | None:
    """One cell in format 4; None if it is nothing like a cell."""

    def fault(what: str) -> None:
        remedy = "check whether something is missing there, save it in JupyterLab, hand it in again"
        problems.append(Problem(f"cell {number} {what}", remedy, True))

    if not isinstance(given, dict):
        fault(f"is {json.dumps(given)[:40]}, not a cell: left out")
        return None
    cell = {"cell_type": given.get("cell_type"), "id": given.get("id")}
    if cell["cell_type"] not in KINDS:
        fault(f"is of the unknown type {cell['cell_type']!r}: kept as raw text")
        cell["cell_type"] = "raw"
    source = given.get("source")
    cell["source"] = "".join(map(str, source)) if isinstance(source, list) else str(source or "")
    if not isinstance(source, (str, list)):
        fault(f"has {json.dumps(source)[:40]} instead of text")
    if not isinstance(given.get("metadata"), dict):
        fault(f"has {json.dumps(given.get('metadata'))[:40]} instead of metadata")
    cell["metadata"] = _cell_metadata(given.get("metadata"))
    if cell["cell_type"] == "code":
        cell |= {
            "outputs": given.get("outputs", []),
            "execution_count": given.get("execution_count"),
        }
    elif "attachments" in given:
        cell["attachments"] = given["attachments"]
    return cell if _is_valid(cell) else _bare(cell, fault)


def _cell_metadata(given: Any) -> dict:
    """Metadata that can be read: nbgrader's is a mapping with a name, or absent."""
    metadata = copy.deepcopy(given) if isinstance(given, dict) else {}
    own = metadata.get("nbgrader")
    if not isinstance(own, dict) or not isinstance(own.get("grade_id", ""), str):
        metadata.pop("nbgrader", None)
    return metadata


def _is_valid(cell: dict) -> bool:
    """Whether nbformat accepts a cell, apart from its id."""
    try:
        wanted = {k: v for k, v in cell.items() if k != "id"}
        nbformat.validate(wanted, ref=f"{cell['cell_type']}_cell", version=4, version_minor=4)
    except Exception:  # several libraries may raise
        return False
    return True


def _bare(cell: dict, fault: Any) -> dict:
    """The cell without outputs, attachments and metadata other than nbgrader's."""
    fault("has invalid outputs, attachments or metadata: left out")
    kept = {k: v for k, v in cell["metadata"].items() if k == "nbgrader"}
    code = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
    return {
        **{k: cell[k] for k in ("cell_type", "source", "id")},
        "metadata": kept,
        **code,
    }


def _name_cells(cells: list[dict]) -> None:
    """Keep each cell's id if it is valid and unique; else give it a new one."""
    seen: set[str] = set()
    for number, cell in enumerate(cells):
        name = cell["id"]
        if not isinstance(name, str) or not ID.fullmatch(name) or name in seen:
            name = next(n for n in _numbered(f"cell-{number}") if n not in seen)
        cell["id"] = name
        seen.add(name)


def _numbered(name: str) -> Any:
    yield name
    yield from (f"{name}-{k}" for k in range(1, 10**6))


def _metadata(given: Any, problems: list[Problem]) -> dict:
    """The notebook's own metadata, empty if invalid."""
    empty = {"cells": [], "nbformat": 4, "nbformat_minor": 5}
    try:
        nbformat.validate({**empty, "metadata": given})
    except Exception:
        remedy = "choose the kernel Python 3 (menu Kernel, Change Kernel) and save"
        problems.append(Problem("its metadata is damaged", remedy, True))
        return {}
    return given
