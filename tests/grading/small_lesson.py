"""A lesson of four exercises, small enough to be graded often, and all kinds of submissions."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("lesson_builder", ROOT / "lessons" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

STEM = "97_small"
ANSWERS = {
    "mosse.window": "def window(height, width):\n    return np.outer(np.hanning(height), np.hanning(width))",
    "mosse.target": (
        "def target(height, width, sigma):\n"
        "    i, j = np.arange(height)[:, None] - height // 2, np.arange(width)[None] - width // 2\n"
        "    return np.exp(-(i**2 + j**2) / (2 * sigma**2))"
    ),
    "kcf.displacement": (
        "def displacement(response):\n"
        "    h, w = response.shape\n"
        "    row, column = np.unravel_index(response.argmax(), response.shape)\n"
        "    return helper(int(column), w), helper(int(row), h)"
    ),
    "kcf.size": (
        "def best_size(responses, weight):\n"
        "    peaks = responses.max((1, 2))\n"
        "    return int(np.argmax([peaks[0], *(weight * peaks[1:])]))"
    ),
}
POINTS = {"mosse.window": 3, "mosse.target": 4, "kcf.displacement": 3, "kcf.size": 4}
TOTAL = sum(POINTS.values())
REFERENCES = {
    "mosse.window": "mosse.cosine_window",
    "mosse.target": "mosse.gaussian_target",
    "kcf.displacement": "kernels.displacement",
    "kcf.size": "kcf.best_size",
}


def source() -> str:
    """The lesson in the percent format."""
    parts = [
        "# ---\n# jupyter:\n#   course: {run: [5]}\n# ---\n\n# %% [markdown]\n# # 97 · A small lesson\n",
        "# %%\nimport numpy as np\n\nfrom course_lib.exercises import award, exercise, progress\n",
        "# %%\ndef helper(v, n):\n    return (v + n // 2) % n - n // 2\n",
    ]
    for name, answer in ANSWERS.items():
        first, *rest = answer.splitlines()
        body = "\n".join(rest)
        parts.append(f"# %% [markdown]\n# ### {name}\n# {{{{exercise}}}}\n")
        parts.append(
            f'# %% exercise="{name}" points={POINTS[name]} stars=1 minutes=2\n@exercise("{name}")\n{first}\n'
            f"    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION\n"
        )
    return "\n\n".join([*parts, "# %%\nprogress()\n"])


def answer_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell that answers an exercise."""
    return next(c for c in notebook.cells if c.source.startswith(f'@exercise("{name}")'))


def award_cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell that awards its points."""
    return next(c for c in notebook.cells if c.source.startswith(f'award("{name}"'))


def answered(release: NotebookNode, *names: str) -> NotebookNode:
    """A submission with right answers to the named exercises, or to all."""
    notebook = copy.deepcopy(release)
    for name in names or ANSWERS:
        answer_cell(notebook, name).source = f'@exercise("{name}")\n{ANSWERS[name]}'
    return notebook


def submissions(release: NotebookNode) -> dict[str, tuple[str, NotebookNode, float]]:
    """Fourteen kinds of submission by student: file name, notebook, and the points it must get."""
    made: dict[str, tuple[str, NotebookNode, float]] = {}
    name = f"{STEM}.ipynb"

    def add(student: str, notebook: NotebookNode, points: float, file: str = name) -> NotebookNode:
        made[student] = (file, notebook, points)
        return notebook

    add("complete", answered(release), TOTAL)
    add("untouched", copy.deepcopy(release), 0)
    constants = add("constants", copy.deepcopy(release), 0)
    for exercise in ANSWERS:
        answer_cell(
            constants, exercise
        ).source = f'@exercise("{exercise}")\ndef answer(*given):\n    return 1'
    overwritten = add("overwritten", answered(release, "mosse.window"), POINTS["mosse.window"])
    for exercise in ANSWERS:
        award_cell(overwritten, exercise).source = 'print("all points")'
    deleted = add("deleted", answered(release), TOTAL)
    deleted.cells = [c for c in deleted.cells if not c.source.startswith('award("mosse.target"')]
    duplicated = add("duplicated", answered(release), TOTAL)
    again = [
        copy.deepcopy(award_cell(duplicated, "kcf.size")),
        copy.deepcopy(answer_cell(duplicated, "kcf.size")),
    ]
    duplicated.cells += again
    bare = add("bare", answered(release), TOTAL)
    for cell in bare.cells:
        cell.metadata = NotebookNode()
    add("renamed", answered(release), TOTAL, "my homework (final) 2.ipynb")
    looping = add("looping", answered(release), TOTAL - POINTS["mosse.target"])
    answer_cell(
        looping, "mosse.target"
    ).source = '@exercise("mosse.target")\ndef f(h, w, s):\n    while True:\n        pass'
    # an answer that calls an earlier one, which is missing: the course's own stands in for it
    later = add("later", answered(release, "mosse.target"), POINTS["mosse.target"])
    cell = answer_cell(later, "mosse.target")
    cell.source = cell.source.replace("return np.exp", "return 0 * window(height, width) + np.exp")
    killed = add("killed", answered(release), TOTAL - POINTS["kcf.displacement"])
    killing = '@exercise("kcf.displacement")\ndef f(response):\n    import os\n    os._exit(1)'
    answer_cell(killed, "kcf.displacement").source = killing
    equal = add("equal", copy.deepcopy(release), 0)
    for exercise in ANSWERS:
        answer_cell(equal, exercise).source = (
            "class Anything(float):\n    __eq__ = lambda self, other: True\n    __ne__ = lambda self, other: False\n"
            f'\n\n@exercise("{exercise}")\ndef answer(*given):\n    return Anything(3)'
        )
    forged = add("forged", copy.deepcopy(release), 0)
    forging = "award = lambda *given, **more: print('all points')"
    forged.cells.insert(
        3, nbformat.v4.new_code_cell(forging)
    )  # after the cell that imports the real one
    calls = add("calls", copy.deepcopy(release), 0)
    for exercise, reference in REFERENCES.items():
        answer_cell(calls, exercise).source = (
            f'from course_lib.trackers import kcf, kernels, mosse\n\n\n@exercise("{exercise}")\ndef answer(*given):\n'
            f"    return {reference}(*given)"
        )
    return made


def write(folder: Path, made: dict[str, tuple[str, NotebookNode, float]]) -> None:
    """Lay submissions out as a learning platform's archive has them: one folder per student."""
    for student, (file, notebook, _) in made.items():
        (folder / student).mkdir(parents=True)
        nbformat.write(notebook, folder / student / file)
