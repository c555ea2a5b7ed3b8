"""A student's work carried over to a newer version of a lesson: every line, unchanged or as
comments.

Each cell of the student's copy is one of: the course's own, unchanged (the newer version has its
own); a points cell; an answer, or a try at one; or the student's own, including edited
text cells.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from nbformat import NotebookNode

from course_lib.grading.reading import ANSWER, STUB, exercise_of, graded_as
from course_lib.grading.signature import signature
from course_lib.grading.submission import answers, awarded, block_of, parted

POINTS_LINE = re.compile(r"""\s*award\(["'][\w.]+["'], points=\d+(, hidden=True)?\)\s*""")
START, END = "", "\n"  # before the first and after the last cell; no cell has such an id


@dataclass
class Carried:
    """What happened to the student's work.

    Attributes:
        kept: exercises whose answer is in the new version.
        changed: exercises that have changed; the old answer is below the new cell, as comments.
        gone: exercises that no longer exist; their answers are at the end, or below the cell that
            asks for a function of the same name, as comments.
        own: how many cells of the student's own were carried over.
        notes: sentences on anything else that was moved or turned into comments.
    """

    kept: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    own: int = 0
    notes: list[str] = field(default_factory=list)


def carry_over(mine: NotebookNode, fresh: NotebookNode) -> tuple[NotebookNode, Carried]:
    """The fresh notebook with all that a student wrote in a copy of an older version, and a
    report.

    An answer goes into its cell if the exercise is unchanged, or if the function or class to write
    has the same name and arguments; else below it, as comments. Neither notebook is changed.
    """
    work = _Work(mine, fresh)
    notebook = copy.deepcopy(fresh)
    cells = list(work.beside[START])
    for released in notebook.cells:
        cells += [released, *work.fill(released), *work.beside[released.id]]
    cells += work.beside[END]
    notebook.cells = cells
    _name_cells(cells, {cell.id for cell in fresh.cells})
    work.report.own = sum(cell.id.startswith("own-") for cell in cells) - work.comments
    return notebook, work.report


class _Work:
    """What a student wrote, sorted by where it belongs in the fresh notebook.

    Attributes:
        tries: by exercise, the cells in which the student wrote an answer, in the student's order.
        beside: by the id of a fresh cell (or START), the student's own cells after it.
    """

    def __init__(self, mine: NotebookNode, fresh: NotebookNode) -> None:
        self.report, self.comments = Carried(), 0
        self.wanted = answers(fresh)
        self.names = {graded_as(cell): name for name, cell in self.wanted.items()}
        self.fresh_sources = defaultdict(list)
        for cell in fresh.cells:
            self.fresh_sources[cell.source].append(cell)
        self.places = {cell.id: cell for cell in fresh.cells} | {
            graded_as(cell): cell for cell in fresh.cells if graded_as(cell)
        }
        self.tries: dict[str, list[NotebookNode]] = {}
        self.beside: dict[str, list[NotebookNode]] = defaultdict(list)
        seen: Counter[str] = Counter()
        after = START
        for cell in (part for whole in mine.cells for part in parted(whole)):
            after = self._sort(cell, after, seen)
        for name in [name for name in self.tries if name not in self.wanted]:
            self._leave(name)

    def _sort(self, cell: NotebookNode, after: str, seen: Counter[str]) -> str:
        """Put one cell where it belongs; returns the id of the fresh cell that the student's next
        cells follow."""
        name = self._answered(cell)
        place = self._place(cell, name, seen) or after
        award = awarded(cell) if not name else None
        if name:
            if not self._is_untouched(cell, name):
                self.tries.setdefault(name, []).append(cell)
            return place
        if award:
            self._keep_lines_of_points_cell(cell, award, place)
        elif not self._is_the_courses(cell) and (cell.source.strip() or cell.get("attachments")):
            own = copy.deepcopy(cell)
            own.metadata.pop("nbgrader", None)  # two cells with one name cannot be graded
            own.metadata.pop("course", None)
            own.id = "own"
            self.beside[place].append(own)
        return place

    def _answered(self, cell: NotebookNode) -> str | None:
        """The exercise that a cell answers or tries to, from its line, else from its metadata."""
        name = exercise_of(cell)
        if name is None and cell.cell_type != "code":
            found = ANSWER.match(block_of(cell).strip())
            name = found.group("name") if found else None
        return name or self.names.get(graded_as(cell))

    def _place(self, cell: NotebookNode, name: str | None, seen: Counter[str]) -> str | None:
        """The id of the fresh cell in the place of this one, if there is one."""
        if name:
            return self.wanted[name].id if name in self.wanted else None
        if graded_as(cell) in self.places:
            return self.places[graded_as(cell)].id
        same = self.fresh_sources.get(cell.source, [])
        if same:
            seen[cell.source] += 1
            return same[min(seen[cell.source], len(same)) - 1].id
        return cell.get("id") if cell.get("id") in self.places else None

    def _points_after(self, name: str) -> str | None:
        """The id of the points cell of an exercise, the end of its block; None if there is no such
        exercise."""
        if name not in self.wanted:
            return None
        answer = self.wanted[name]
        points = self.places.get(f"{graded_as(answer)}-points")
        return (points or answer).id

    def _is_untouched(self, cell: NotebookNode, name: str) -> bool:
        """Whether nothing was written in the cell of an exercise: it is as released, now or
        earlier."""
        released = self.wanted[name].source if name in self.wanted else None
        return cell.source == released or _digest(cell) == _released(cell)

    def _is_the_courses(self, cell: NotebookNode) -> bool:
        """Whether the course wrote this cell, in whatever version, and nobody changed it."""
        same = self.fresh_sources.get(cell.source, [])
        if same and (not cell.get("attachments") or cell.attachments == same[0].get("attachments")):
            return True
        # a released cell's id is made from its text, so a cell changed by an update is not mistaken
        # for the student's
        whole = f"{cell.cell_type}\n{cell.source}".encode()
        return cell.get("id", "").split("-")[0] == hashlib.sha256(whole).hexdigest()[:12]

    def _keep_lines_of_points_cell(self, cell: NotebookNode, name: str, place: str) -> None:
        if any(
            line.strip() and not POINTS_LINE.fullmatch(line) for line in cell.source.splitlines()
        ):
            why = f"what you wrote in the points cell of {name}"
            self.beside[place].append(self._comment(cell.source, why))
            self.report.notes.append(f"{why} is below it, as comments")

    def fill(self, released: NotebookNode) -> list[NotebookNode]:
        """Put the student's answer into the released cell; returns the cells to add below it, as
        comments."""
        name = self.names.get(graded_as(released))
        tries = self.tries.pop(name, [])
        if not tries:
            return []
        written = [cell for cell in tries if STUB not in cell.source] or tries
        last = written[-1]
        below = [self._earlier(name, cell) for cell in tries if cell is not last]
        answer = self._as_code(name, last)
        if _released(last) == _released(released) != "" or (
            signature(answer, name) == signature(released.source, name) is not None
        ):
            released.source = answer
            self.report.kept.append(name)
        else:
            why = f"your answer to {name}, which has changed"
            below.append(self._comment(answer, why))
            self.report.changed.append(name)
        return below

    def _as_code(self, name: str, cell: NotebookNode) -> str:
        """An answer's text with its line `@exercise(…)`, even if the cell is no longer code."""
        if cell.cell_type == "code":
            answer = cell.source
        else:
            answer = block_of(cell).strip()
            self.report.notes.append(
                f"your answer to {name} was {cell.cell_type}; it is code again"
            )
        if not ANSWER.search(answer):
            line = f'@exercise("{name}")'
            magics = [x for x in answer.splitlines() if x.startswith("%%")][:1]
            rest = answer.removeprefix(magics[0]).lstrip("\n") if magics else answer.lstrip("\n")
            answer = "\n".join([*magics, line, rest])
            self.report.notes.append(f"your answer to {name} had lost its line {line}; it is back")
        return answer

    def _earlier(self, name: str, cell: NotebookNode) -> NotebookNode:
        self.report.notes.append(f"another attempt of yours at {name} is below it, as comments")
        return self._comment(cell.source, f"another attempt of yours at {name}")

    def _leave(self, name: str) -> None:
        """Keep the answer to an exercise that is gone: below the one that asks for the same
        function now, else at the end."""
        self.report.gone.append(name)
        tries = self.tries.pop(name)
        defined = {found[0] for found in (signature(c.source, name) for c in tries) if found}
        same = [
            new
            for new, cell in self.wanted.items()
            if (found := signature(cell.source, new))
            and found[0] in defined
            and new not in self.tries
        ]
        why = f"your answer to {name}, which is no longer part of the lesson"
        if len(same) == 1:
            why += f"; {same[0]} asks for something of the same name"
        place = self._points_after(same[0]) if len(same) == 1 else END
        self.beside[place] += [self._comment(cell.source, why) for cell in tries]

    def _comment(self, text: str, why: str) -> NotebookNode:
        self.comments += 1
        lines = "\n".join(f"# {line}" for line in text.splitlines())
        return NotebookNode(
            cell_type="code",
            id="own",
            metadata=NotebookNode(),
            outputs=[],
            execution_count=None,
            source=f"# {why}:\n{lines}",
        )


def _digest(cell: NotebookNode) -> str:
    return hashlib.sha256(cell.source.encode()).hexdigest()[:12]


def _released(cell: NotebookNode) -> str:
    """The digest of an answer cell's text as it was released, as recorded by the builder; "" if
    not recorded."""
    course = cell.metadata.get("course")
    found = course.get("released", "") if isinstance(course, dict) else ""
    return found if isinstance(found, str) else ""


def _name_cells(cells: list[NotebookNode], taken: set[str]) -> None:
    """Give the student's cells ids that are stable across updates."""
    for cell in cells:
        if cell.id != "own":
            continue
        whole = f"{cell.cell_type}\n{cell.source}".encode()
        name = f"own-{hashlib.sha256(whole).hexdigest()[:12]}"
        number = 1
        while name in taken:
            number += 1
            name = f"{name.rsplit('_', 1)[0]}_{number}"
        taken.add(name)
        cell.id = name
