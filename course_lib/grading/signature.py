"""The signature in an answer's cell: the name and arguments that later cells rely on."""

from __future__ import annotations

import ast

from IPython.core.inputtransformer2 import TransformerManager

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
STUB = "def {}(*given, **more):\n    raise NotImplementedError"


def signature(source: str, exercise: str = "") -> tuple | None:
    """Name and arguments of the function in a cell, or of the class and its methods; None if it is
    not Python.

    Of several, it is the one under `@exercise(…)`. IPython's own lines, such as `%time`, are
    allowed.
    """
    body = _statements(source)
    if body is None:
        return None
    defined = [node for node in body if isinstance(node, (*FUNCTIONS, ast.ClassDef))]
    decorated = [node for node in defined if exercise and _is_for(node, exercise)]
    for node in decorated or defined:
        if isinstance(node, FUNCTIONS):
            return (node.name, ast.dump(node.args))
        methods = [n for n in node.body if isinstance(n, FUNCTIONS) and not n.name.startswith("_")]
        return (node.name, *sorted((m.name, ast.dump(m.args)) for m in methods))
    return None


def unwritten(source: str) -> str:
    """The exercises that a cell answers, with their functions' or classes' names, as if none of
    them were written; empty for any other cell."""
    stubs = []
    for node in _statements(source) or []:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            for name in _exercises(node):
                stub = "class {}:\n    pass" if isinstance(node, ast.ClassDef) else STUB
                stubs.append(f"@exercise({name!r})\n{stub.format(node.name)}\n\n\n")
    return "".join(stubs)


def _statements(source: str) -> list[ast.stmt] | None:
    """The statements of a cell, in which IPython's own lines are allowed; None if it is not
    Python."""
    lines = source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):  # a cell magic: the rest of the cell is Python
        source = "\n".join(lines[lines.index(first) + 1 :])
    try:
        return ast.parse(TransformerManager().transform_cell(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _exercises(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The names in a definition's decorators `@exercise("…")`."""
    return [
        word.value
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "exercise"
        for word in decorator.args
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    ]


def _is_for(node: ast.FunctionDef | ast.ClassDef, exercise: str) -> bool:
    return any(
        isinstance(word, ast.Constant) and word.value == exercise
        for decorator in node.decorator_list
        for word in ast.walk(decorator)
    )
