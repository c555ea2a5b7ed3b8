"""How much a reader has to open: no import circles, and reading one tracker or the training loop
means reading its own files, not the whole course."""

from __future__ import annotations

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

import pytest

from course_lib.trackers import TRACKERS

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef
UNCOUNTED = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENDMARKER,
}


def modules(root: Path) -> dict[str, Path]:
    """Every module of the library by its dotted name; a package by its own."""
    names = {}
    for path in (root / "course_lib").rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules(ROOT)


def named(source: str, inside_functions: bool) -> set[str]:
    """What a source imports when it runs: not what is for type checkers alone, and what stands
    inside functions only if asked for."""
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, FUNCTIONS) and not inside_functions:
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                found.update(f"{child.module}.{alias.name}" for alias in child.names)
            walk(child)

    walk(ast.parse(source))
    return found


def module_of(name: str) -> str:
    """The module that a dotted name is in, or ""."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@cache
def imports(module: str, inside_functions: bool = False) -> frozenset[str]:
    """The modules of the library that one imports."""
    found = named(MODULES[module].read_text(encoding="utf-8"), inside_functions)
    return frozenset({module_of(name) for name in found} - {"", module})


def closure(module: str) -> set[str]:
    """A module and all that is read when it is imported, their packages included."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name and name not in seen:
            seen.add(name)
            waiting += [*imports(name), name.rpartition(".")[0]]
    return seen


def circle(graph: dict[str, frozenset[str]]) -> list[str]:
    """Modules that import each other in a ring, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name not in done:
            for other in sorted(graph[name]):
                if ring := visit(other, [*path, name]):
                    return ring
            done.add(name)
        return []

    return next((ring for name in sorted(graph) if (ring := visit(name, []))), [])


def code_lines(path: Path) -> int:
    """Lines of a file that hold code: not blank, no comment, no docstring."""
    source = path.read_text(encoding="utf-8")
    said: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and ast.get_docstring(node):
            said |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in UNCOUNTED:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - said)


def all_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_import_closes_a_circle():
    """Not inside functions either: an import put there only hides the circle."""
    assert circle({name: imports(name, inside_functions=True) for name in MODULES}) == []


def test_a_circle_would_be_seen():
    graph = {"a": frozenset("b"), "b": frozenset("cd"), "c": frozenset(), "d": frozenset("a")}
    assert circle(graph) == ["a", "b", "d"]
    assert circle(graph | {"d": frozenset("c")}) == []


def test_what_is_counted():
    source = (
        "from typing import TYPE_CHECKING\nimport numpy as np\n"
        "if TYPE_CHECKING:\n    from course_lib.models.siamfc import SiamFC\n"
        "def f():\n    from course_lib import plots\n"
    )
    assert named(source, inside_functions=False) == {"typing.TYPE_CHECKING", "numpy"}
    assert "course_lib.plots" in named(source, inside_functions=True)
    assert module_of("course_lib.geometry.boxes.iou") == "course_lib.geometry.boxes"
    assert module_of("numpy.linalg") == ""
    assert {"course_lib", "course_lib.geometry", "course_lib.geometry.boxes"} <= closure(
        "course_lib.trackers.mosse"
    )


def test_code_is_told_from_comments_and_docstrings(tmp_path):
    path = tmp_path / "some.py"
    path.write_text(
        '"""Says\nwhat."""\n\n# why\nx = [\n    1,  # one\n]\n\n\ndef f():\n    """Of."""\n'
    )
    assert (code_lines(path), all_lines(path)) == (4, 11)


PLACES = sorted({place.partition(":")[0] for place in TRACKERS.values()})
DEEP = {
    f"course_lib.trackers.{name}"
    for name in ("siamfc", "siammargin", "siamrpn", "atom", "onestream")
}
LIMIT, TRAINING_LIMIT = 1710, 3400
# two evenings: a classifier that is learned online, and boxes that climb
LONGER = {"course_lib.trackers.atom": 2200}


@pytest.mark.parametrize("module", PLACES)
def test_a_tracker_is_read_in_an_evening(module):
    """With all that it imports; a network is loaded by its name, and is another evening."""
    read = closure(module)
    limit = LONGER.get(module, LIMIT)
    assert sum(code_lines(MODULES[name]) for name in read) <= limit, sorted(read)
    if module not in DEEP:  # with their comments and docstrings too
        assert sum(all_lines(MODULES[name]) for name in read) <= LIMIT, sorted(read)


def test_the_training_loop_is_read_in_a_weekend():
    read = closure("course_lib.training.loop")
    assert sum(code_lines(MODULES[name]) for name in read) <= TRAINING_LIMIT, sorted(read)
