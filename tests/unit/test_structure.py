"""The house: floors, sizes, docstrings, what may be committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "course_lib").rglob("*.py"))
FLOORS = {
    "geometry": 1,
    "models": 2,
    "data": 2,
    "trackers": 3,
    "analysis": 3,
    "training": 4,
    "evaluation": 4,
    "grading": 4,
    "exercises": 5,
    "widgets": 5,
    "cli": 5,
}
TOP = {
    *(
        "lessons",
        "notebooks",
        "solutions",
        "course_lib",
        "data_scripts",
        "recipes",
        "results",
        "weights",
        "benchmarks",
    ),
    *(
        "tests",
        "environment.yml",
        "pyproject.toml",
        "constraints.txt",
        "Makefile",
        "README.md",
        ".ci",
        ".gitignore",
        "LICENSE",
        "LICENSE-text",
        "CONTRIBUTING.md",
        "CITATION.cff",
        "CHANGELOG.md",
        "CODE_OF_CONDUCT.md",
        ".github",
        ".devcontainer",
        ".binder",
        "Dockerfile",
        ".dockerignore",
        "hatch_build.py",
    ),
}


def room(module: str) -> str:
    """The folder of course_lib that a module belongs to; "" for the house-wide files of floor 0."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


def imported(source: str) -> set[str]:
    """Every module of course_lib that the source imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "course_lib"
            }
    return {name for name in found if name.split(".")[0] == "course_lib"}


def faults(own: str, source: str) -> list[str]:
    """Imports that go up, or sideways into another room of the same floor."""
    return [
        name
        for name in sorted(imported(source))
        if room(name) and room(name) != own and FLOORS[room(name)] >= FLOORS.get(own, 0)
    ]


# what a machine for training may lack: only what is asked for videos, widgets and grading needs them
ASKED_FOR = ("av", "anywidget", "ipywidgets", "nbgrader", "tensorboard", "optuna", "skimage")
WORK = ("training.loop", "training.trained_weights", "evaluation.runner", "trackers.siammargin")


def test_training_and_evaluation_import_nothing_that_only_people_need():
    code = f"""
import importlib, sys
for name in {WORK!r}:
    importlib.import_module("course_lib." + name)
print(*(name for name in {ASKED_FOR!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def tracked() -> list[Path]:
    """The files git tracks, or nothing outside a checkout."""
    try:
        listing = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
class TestEveryFile:
    """What holds for each file of the library."""

    def test_imports_go_down_the_floors_only(self, path):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.name not in ("__main__.py",):
            assert faults(room(module), path.read_text()) == []

    def test_is_short_enough_to_read(self, path):
        assert len(path.read_text().splitlines()) <= 400

    def test_public_names_have_docstrings_and_types(self, path):
        missing = []
        tree = ast.parse(path.read_text())
        if path.read_text().strip() and not ast.get_docstring(tree):
            missing.append("module")
        for node in tree.body:
            inner = (
                node.body
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
                else []
            )
            for item in [node, *inner]:
                if not isinstance(item, (ast.FunctionDef, ast.ClassDef)) or item.name.startswith(
                    "_"
                ):
                    continue
                if not ast.get_docstring(item):
                    missing.append(item.name)
                if isinstance(item, ast.FunctionDef) and "exercises/lesson" not in path.as_posix():
                    untyped = [
                        a.arg
                        for a in item.args.args
                        if a.annotation is None and a.arg not in ("self", "cls")
                    ]
                    missing += [f"{item.name}({name})" for name in untyped]
        assert missing == []


def test_the_floor_rule_catches_what_it_should():
    assert faults("geometry", "from course_lib.data.frames import read_image") == [
        "course_lib.data.frames"
    ]
    assert faults("data", "def f():\n    from course_lib.models.alexnet import AlexNet")
    assert faults("trackers", "import course_lib.training.loop")
    assert faults("training", "from course_lib.evaluation import report")
    assert faults("", "from course_lib import trackers")
    assert not faults(
        "trackers",
        "from course_lib.data.frames import read_image\nfrom course_lib.trackers import base",
    )


@pytest.mark.parametrize(
    "name",
    [
        "trackers/mosse",
        "trackers/template",
        "trackers/siamfc",
        "models/alexnet",
        "models/correlation",
        "models/losses",
    ],
)
def test_code_that_computes_has_shape_comments(name):
    """At least 15 for every 1,000 lines."""
    for path in [ROOT / "course_lib" / f"{name}.py"]:
        lines = path.read_text().splitlines()
        shapes = sum(bool(re.search(r"#.*\([^)]*[a-zA-Z0-9].*\)", line)) for line in lines)
        assert shapes / len(lines) >= 0.015


# but not dict[str, Tensor]: tensors by name are of any shape
ARRAY = re.compile(r"(?<!dict\[str, )\b(ndarray|Tensor|ArrayLike)\b")
# (B, 3, 127, 127), (N, h // 2 + 1), (2,), () but neither calls nor (Somebody et al., 2016)
SHAPE = re.compile(
    r"\((?![^()]*\b(?:19|20)\d\d\))[\w ·+−*/≤….-]+(?:,[\w ·+−*/≤….-]*)+\)|(?<!\w)\((?:\.\.\.)?\)"
)
COMPUTING = [
    path for path in FILES if path.relative_to(ROOT).parts[1] in ("models", "trackers", "analysis")
]


def says_shapes(source: str) -> list[tuple[str, bool]]:
    """Each function that takes or gives arrays, and whether its docstring or a comment in it says a
    shape."""
    lines, found = source.splitlines(), []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        given = [a.annotation for a in (*node.args.args, *node.args.kwonlyargs)]
        if any(ARRAY.search(ast.unparse(kind)) for kind in (*given, node.returns) if kind):
            comments = [line.partition("#")[2] for line in lines[node.lineno - 1 : node.end_lineno]]
            text = " ".join([*(ast.get_docstring(node) or "").split(), *comments])
            found.append((node.name, bool(SHAPE.search(text))))
    return found


@pytest.mark.parametrize("path", COMPUTING, ids=lambda p: str(p.relative_to(ROOT)))
def test_functions_of_arrays_say_shapes(path):
    """In every file of models, trackers and analysis, at least three of four."""
    found = says_shapes(path.read_text(encoding="utf-8"))
    silent = [name for name, says in found if not says]
    assert len(silent) <= len(found) / 4, silent


def test_shapes_are_seen():
    source = (
        'def a(x: Tensor) -> Tensor:\n    """Of (B, C, h, w)."""\n'
        "def b(x: np.ndarray) -> float:\n    return f(x, x)  # (N, h // 2 + 1)\n"
        'def c(x: Tensor) -> float:\n    """Somebody (Li et al., 2018)."""\n    return f(x, 1)\n'
        'def d(x: Tensor) -> float:\n    """As (Zhang and Peng, 2019) have it."""\n'
        "def e(x: int) -> int: ...\n"
    )
    assert says_shapes(source) == [("a", True), ("b", True), ("c", False), ("d", False)]


def test_the_top_level_holds_what_it_should():
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP


def test_large_files_are_weights_only():
    large = [
        str(p.relative_to(ROOT))
        for p in tracked()
        if p.stat().st_size > 100_000 and "weights" not in p.parts
    ]
    assert [name for name in large if not name.startswith(("notebooks/", "solutions/"))] == []


def test_no_place_of_one_machine_and_no_package_server_is_named():
    words = re.compile(
        "|".join(
            [
                "/wor" + "k/",
                "/tmp/ba" + "sh_jobs",
                "--index-" + "url",
                "--find-" + "links",
                "pypi" + r"\.org",
            ]
        )
    )
    named = []
    for path in tracked():
        if path.suffix in (".png", ".safetensors"):
            continue
        if words.search(path.read_text(encoding="utf-8", errors="replace")):
            named.append(str(path.relative_to(ROOT)))
    assert named == []


def test_contributing_names_files_and_tables_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:course_lib|tests|lessons|recipes|data_scripts)/[\w/.]+)`", text)
    named = [path for path in paths if not re.search(r"mine|NN", path)]
    assert len(named) > 25 and not [path for path in named if not (ROOT / path).exists()]
    tables = re.findall(r"`([A-Z_]{4,})` in `([\w/.]+)`", text)
    assert len(tables) >= 9
    for table, path in tables:
        assert re.search(rf"^{table}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_public_functions_of_three_arguments_explain_them():
    """With `Args:`, in their own docstring or, a constructor, in its class's: at least 19 of 20."""
    silent, count = [], 0
    for path in sorted((ROOT / "course_lib").rglob("*.py")):
        for owner in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(owner, ast.Module | ast.ClassDef):
                continue
            for node in owner.body:
                if not isinstance(node, ast.FunctionDef) or not explained(node, owner):
                    continue
                count += 1
                told = ast.get_docstring(node) or ""
                if node.name == "__init__":
                    told += ast.get_docstring(owner) or ""
                if not re.search(r"^\s*Args:", told, re.MULTILINE):
                    silent.append(f"{path.name}: {node.name}")
    assert count > 200 and len(silent) <= count / 20, silent


def explained(node: ast.FunctionDef, owner: ast.Module | ast.ClassDef) -> bool:
    """Whether a function is public and takes three arguments or more, besides `self` or `cls`."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    own = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    private = (node.name.startswith("_") and node.name != "__init__") or (
        isinstance(owner, ast.ClassDef) and owner.name.startswith("_")
    )
    return len(own) >= 3 and not private
