"""Colab's own packages satisfy the course, so that installing it there replaces none of them.

No network: Colab's versions are those of tests/colab.txt, and what a package requires is read from
the installed one.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
import types
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COLAB = dict(
    line.split("==")
    for line in (ROOT / "tests" / "colab.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
PYTHON = {"python_version": "3.12", "python_full_version": "3.12.12", "extra": ""}


def changes(requirements: list[str], colab: dict[str, str]) -> tuple[set[str], set[str]]:
    """What installing `requirements` would add to Colab, and what it would replace there: names."""
    added, replaced, waiting = set(), set(), list(requirements)
    while waiting:
        wanted = Requirement(waiting.pop())
        name = canonicalize_name(wanted.name)
        if wanted.marker and not wanted.marker.evaluate(PYTHON):
            continue
        if name in colab:
            if not wanted.specifier.contains(colab[name], prereleases=True):
                replaced.add(name)
        elif name not in added:
            added.add(name)
            waiting += importlib.metadata.requires(name) or []
    return added, replaced


def test_only_video_and_tuning_are_added_and_nothing_is_replaced():
    assert changes(PROJECT["dependencies"], COLAB) == ({"av", "colorlog", "optuna"}, set())


def test_a_bound_that_colab_does_not_meet_would_be_seen():
    assert changes(["numpy>=2.1"], COLAB) == (set(), {"numpy"})
    assert changes(["optuna>=4.0"], COLAB | {"sqlalchemy": "1.4.1"})[1] == {"sqlalchemy"}


def test_the_extra_for_jupyterlab_would_replace_colabs_widgets():
    """The reason that the set-up cell installs the course without an extra."""
    assert "ipywidgets" in changes(PROJECT["optional-dependencies"]["lab"], COLAB)[1]


def test_colabs_python_is_one_that_the_course_runs_on():
    bounds = Requirement(f"course{PROJECT['requires-python']}").specifier
    assert PYTHON["python_full_version"] in bounds
    assert any(c.endswith(f":: {PYTHON['python_version']}") for c in PROJECT["classifiers"])


def test_a_widget_asks_colab_for_its_manager_of_widgets(monkeypatch):
    """anywidget does it, so that the set-up cell need not."""
    import numpy as np

    from course_lib.data.frames import ArrayFrames
    from course_lib.data.sequence import Sequence
    from course_lib.widgets import SequencePlayer

    asked = []
    output = types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append(True)
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    frames = ArrayFrames([np.zeros((20, 30, 3), np.uint8)] * 2)
    SequencePlayer(Sequence("grey", frames, np.array([[2.0, 3, 8, 9]] * 2)))
    assert asked
