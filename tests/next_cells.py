"""Run a lesson's cells with the first right answer of tests/answers in place of the solutions:

python tests/next_cells.py 02
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).resolve().parents[1]


def with_answer(source: str, name: str, lesson: str) -> str:
    """An exercise's cell whose definition is replaced by the right answer of another style."""
    tree = ast.parse(source)
    for i, node in enumerate(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.decorator_list:
            answer = f'importlib.import_module("answers.lesson{lesson}").RIGHT["{name}"][0]'
            line = f'import importlib\n{node.name} = exercise("{name}")({answer})'
            tree.body[i : i + 1] = ast.parse(line).body
            break
    return ast.unparse(tree)


def main(lesson: str) -> int:
    """Run the cells; 1 with the failing cell's source if one fails."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "lessons" / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    path = next(path for path in build.sources() if path.stem.startswith(lesson))
    shell = InteractiveShell.instance()
    for cell in build.solved(path).cells:
        if cell.cell_type != "code":
            continue
        marks = cell.metadata.get("course", {})
        source = cell.source
        if "exercise" in marks:
            source = with_answer(source, marks["exercise"], lesson)
        result = shell.run_cell(source)
        if not result.success:
            print(f"this cell failed:\n{source}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
