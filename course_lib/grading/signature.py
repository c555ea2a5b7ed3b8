"""The signature in an answer's cell: the name and arguments that later cells rely on."""

from __future__ import annotations

import ast

from IPython.core.inputtransformer2 import TransformerManager

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def signature(source: str, exercise: str = "") -> tuple | None:
    """Name and arguments of the function in a cell, or of the class and its methods; None if it is
    not Python.

    Of several, it is the one under `@exercise(…)`. IPython's own lines, such as `%time`, are
    allowed.
    """
    lines = source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):  # a cell magic: the rest of the cell is Python
        source = "\n".join(lines[lines.index(first) + 1 :])
    try:
        body = ast.parse(TransformerManager().transform_cell(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    defined = [node for node in body if isinstance(node, (*FUNCTIONS, ast.ClassDef))]
    decorated = [node for node in defined if exercise and _is_for(node, exercise)]
    for node in decorated or defined:
        if isinstance(node, FUNCTIONS):
            return (node.name, ast.dump(node.args))
        methods = [n for n in node.body if isinstance(n, FUNCTIONS) and not n.name.startswith("_")]
        return (node.name, *sorted((m.name, ast.dump(m.args)) for m in methods))
    return None


def _is_for(node: ast.FunctionDef | ast.ClassDef, exercise: str) -> bool:
    return any(
        isinstance(word, ast.Constant) and word.value == exercise
        for decorator in node.decorator_list
        for word in ast.walk(decorator)
    )
