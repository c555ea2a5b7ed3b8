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


@pytest.mark.parametrize("extra", ["browser", "demo", "export", "remote"])
def test_what_only_some_need_is_pinned(extra):
    """It is not installed by `make test`."""
    pins = {canonical(n): v for n, v in PINNED.items()}
    for name, bound in (requirement.split(">=") for requirement in EXTRAS[extra]):
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
        "IPython": "anywidget",  # which brings ipywidgets, IPython and traitlets
    }
    modules |= {"traitlets": "anywidget", "nbclient": "nbgrader", "jupyter_server": "jupyterlab"}
    modules |= {"tornado": "jupyterlab", "jupyter_core": "jupyterlab"}
    modules |= {"sqlalchemy": "nbgrader", "upath": "universal-pathlib"}
    declared = {canonical(r.split(">=")[0]) for r in PROJECT["dependencies"]}
    grading = {canonical(r.split(">=")[0]) for r in EXTRAS["grading"]}
    lab = {canonical(r.split(">=")[0]) for r in EXTRAS["lab"]}
    # loaded by nbgrader and JupyterLab themselves; doctor checks whether they are installed
    more = {"execute.py": grading, "lab.py": lab, "lab_files.py": lab, "doctor.py": lab}
    more |= {"autograde.py": grading}
    for file, extra in (("remote.py", "remote"), ("export.py", "export")):
        more[file] = {canonical(r.split(">=")[0]) for r in EXTRAS[extra]}
    for path in (ROOT / "course_lib").rglob("*.py"):
        there = declared | more.get(path.name, set())
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


def test_every_pin_installs_on_the_oldest_python_that_is_promised():
    """Debian 12 has 3.11.2. A package's requirement is read from the installed one if it is the
    pinned one."""
    from packaging.specifiers import SpecifierSet

    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    refuse, looked_at = [], 0
    for name, version in PINNED.items():
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if found.version == version:
            looked_at += 1
            if oldest not in SpecifierSet(found.metadata.get("Requires-Python") or ""):
                refuse.append(f"{name}=={version} wants Python {found.metadata['Requires-Python']}")
    assert refuse == []
    assert looked_at > 100
    assert numbers(PINNED["soupsieve"]) < (4,)  # 4.0 and newer require 3.11.5


def test_nothing_but_jupyterlab_asks_for_ipywidgets():
    """Colab has 7.7.1: our own bound would put another version beside its front end."""
    assert not any(r.startswith("ipywidgets") for r in PROJECT["dependencies"])
    assert "ipywidgets>=8.1" in EXTRAS["lab"]
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "course_lib").rglob("*.py")]
    assert not any(re.search(r"^\s*(import|from) ipywidgets", s, re.MULTILINE) for s in sources)


def test_the_licences_are_complete_and_named():
    code, text = ((ROOT / name).read_text(encoding="utf-8") for name in PROJECT["license-files"])
    assert "Apache License\n                           Version 2.0, January 2004" in code
    assert "END OF TERMS AND CONDITIONS" in code and len(code.split()) == 1581
    assert text.startswith("Attribution 4.0 International\n")
    assert all(f"\nSection {n} -- " in text for n in range(1, 9))
    assert text.endswith("Creative Commons may be contacted at creativecommons.org.\n")
    assert PROJECT["license"] == "Apache-2.0 AND CC-BY-4.0"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "[Apache-2.0](LICENSE)" in readme and "[CC BY 4.0](LICENSE-text)" in readme
    for place in ("lessons/00_welcome.py", "lessons/site/license.html"):
        said = (ROOT / place).read_text(encoding="utf-8")
        assert "Apache-2.0" in said and "CC BY 4.0" in said


def test_git_ignores_what_a_course_leaves_behind():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    left = [
        *(
            "my_work/02_mosse.ipynb",
            "runs/demo/x.mp4",
            "data/otb/x",
            "build/lib/x.py",
            "dist/x.whl",
        ),
        *(
            "site/html/x",
            ".venv/x",
            "my_work/.ipynb_checkpoints/x",
            "notebooks/.ipynb_checkpoints/x",
        ),
        *(".virtual_documents/x", "tracking_course.egg-info/x", "course_lib/__pycache__/x"),
    ]
    said = subprocess.run(
        ["git", "check-ignore", *left], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert said == left


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_help_lists_the_commands_the_readme_names():
    help_text = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for command in ("lab", "test", "check", "notebooks", "reference", "bench"):
        assert f"make {command}" in help_text
    assert help_text.split()[:2] == ["make", "lab"]  # what a student wants comes first
    promised = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert all(f"make {command} " in help_text for command in promised)


def test_the_files_the_readme_links_to_exist():
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", (ROOT / "README.md").read_text())
    assert links and [name for name in links if not (ROOT / name).exists()] == []
