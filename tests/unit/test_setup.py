"""One set of dependencies in three files, and what the Makefile and the README promise."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from course_lib.cli.doctor import numbers

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = {
    *PROJECT["dependencies"],
    *EXTRAS["lab"],
    *EXTRAS["test"],
    *EXTRAS["grading"],
    *EXTRAS["site"],
}
PINNED = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("requirement", sorted(DECLARED))
def test_every_dependency_is_pinned_and_installed_at_its_bound_or_above(requirement):
    name, bound = requirement.split(">=")
    pins = {canonical(n): v for n, v in PINNED.items()}
    assert numbers(pins[canonical(name)]) >= numbers(bound)
    assert numbers(importlib.metadata.version(name)) >= numbers(bound)


def test_what_drives_the_browser_is_pinned():
    """It is installed by `make browser` alone."""
    pins = {canonical(n): v for n, v in PINNED.items()}
    for name, bound in (requirement.split(">=") for requirement in EXTRAS["browser"]):
        assert numbers(pins[canonical(name)]) >= numbers(bound)


def test_constraints_hold_nothing_but_versions():
    assert all(
        re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+_-]+", f"{n}=={v}") for n, v in PINNED.items()
    )
    assert PINNED["torch"] != "2.13.0"  # its torchvision does not import


def test_the_conda_file_lists_the_same_dependencies():
    import yaml

    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(entry["pip"] for entry in listed if isinstance(entry, dict))
    expected = {*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["test"], *EXTRAS["site"]}
    assert (
        set(pip) - {"--editable ."} == expected and f"python{PROJECT['requires-python']}" in listed
    )


def test_every_import_of_the_library_is_declared():
    """A fresh environment has what is declared and nothing else."""
    import ast
    import sys

    modules = {
        "cv2": "opencv-python",
        "skimage": "scikit-image",
        "yaml": "pyyaml",
        "PIL": "matplotlib",
        "IPython": "ipywidgets",
    }
    modules |= {"traitlets": "ipywidgets", "nbclient": "nbgrader"}
    declared = {canonical(r.split(">=")[0]) for r in PROJECT["dependencies"]}
    grading = {canonical(r.split(">=")[0]) for r in EXTRAS["grading"]}
    for path in (ROOT / "course_lib").rglob("*.py"):
        there = (
            declared | grading if path.name == "execute.py" else declared
        )  # loaded by nbgrader itself
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += (
                [node.module]
                if isinstance(node, ast.ImportFrom) and node.module and not node.level
                else []
            )
            for name in (n.split(".")[0] for n in names):
                if name not in sys.stdlib_module_names and name != "course_lib":
                    assert canonical(modules.get(name, name)) in there, (
                        f"{path.name} imports {name}"
                    )


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_help_lists_the_commands_the_readme_names():
    help_text = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for command in ("lab", "test", "check", "notebooks", "reference", "bench"):
        assert f"make {command}" in help_text
    promised = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert all(f"make {command} " in help_text for command in promised)


def test_the_readme_lists_every_lesson_with_its_minutes():
    readme = (ROOT / "README.md").read_text()
    for path in sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py")):
        minutes = re.search(r"minutes: (\d+)", path.read_text()).group(1)
        assert re.search(rf"\| \[?{path.stem[:2]}\b.*\| {minutes} \|", readme), path.stem


def test_the_files_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", (ROOT / "README.md").read_text())
    assert links and [name for name in links if not (ROOT / name).exists()] == []
