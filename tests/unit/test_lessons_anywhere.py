"""The set-up cell and the links of a lesson that is opened on Colab or Binder."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
import types
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from IPython.core.interactiveshell import InteractiveShell
from test_lessons import LESSONS, ROOT, build

anywhere = build.anywhere
HERE = anywhere.Repository("ada/tracking", "term/2")
BUILT = [
    ROOT / folder / f"{p.stem}.ipynb" for folder in ("notebooks", "solutions") for p in LESSONS
]


def built_cells(path: Path) -> list[dict]:
    """A notebook's cells, each source as one text."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


@pytest.fixture
def shell():
    """IPython whose `%pip` notes what it was given."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.asked = []
    shell.register_magic_function(shell.asked.append, magic_name="pip")
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def without_course(monkeypatch):
    """A Python that finds every module but the course's."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "course_lib" else find(name)
    )


class TestSetUp:
    """The cell, run by IPython."""

    def test_it_does_nothing_where_the_course_is(self, shell, capsys):
        assert shell.run_cell(anywhere.set_up(HERE)).success
        assert shell.asked == [] and capsys.readouterr() == ("", "")

    def test_on_colab_it_installs_the_archive_as_a_package(
        self, shell, without_course, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
        assert shell.run_cell(anywhere.set_up(HERE)).success
        (words,) = map(str.split, shell.asked)
        assert words == ["install", "--quiet", HERE.archive]  # no -e, nothing upgraded, no extra
        assert HERE.archive == "https://github.com/ada/tracking/archive/refs/heads/term/2.zip"

    def test_elsewhere_it_says_where_to_read_on(self, shell, without_course):
        result = shell.run_cell(anywhere.set_up(HERE))
        assert isinstance(result.error_in_exec, ModuleNotFoundError) and shell.asked == []
        assert "https://github.com/ada/tracking" in str(result.error_in_exec)

    def test_a_learner_can_read_it(self):
        lines = anywhere.set_up(anywhere.repository()).splitlines()
        assert len(lines) <= 12 and max(map(len, lines)) <= 100


@pytest.mark.parametrize("path", BUILT, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_lesson_begins_with_its_card_its_links_and_the_set_up_cell(path):
    where = anywhere.repository()
    card, set_up, *others = built_cells(path)
    title, blank, links, _, table = card["source"].splitlines()[:5]
    assert title.startswith(f"# {path.stem[:2]} · ") and not blank and table == "| | |"
    assert re.findall(r"\]\((\S+)\)", links) == [where.colab(path.stem), where.binder(path.stem)]
    assert set_up["cell_type"] == "code" and set_up["source"] == anywhere.set_up(where)
    assert not any("google.colab" in cell["source"] for cell in others)


def test_links_lead_to_the_students_notebook():
    colab, binder = urlsplit(HERE.colab("02_mosse")), urlsplit(HERE.binder("02_mosse"))
    assert colab.path == "/github/ada/tracking/blob/term/2/notebooks/02_mosse.ipynb"
    assert binder.path == "/v2/gh/ada/tracking/term%2F2"
    assert parse_qs(binder.query) == {"labpath": ["notebooks/02_mosse.ipynb"]}


def test_the_repository_is_named_once():
    """Whoever forks the course changes one line."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]
    name = said["repository"]
    text = {p: p.read_text(encoding="utf-8") for p in ROOT.glob("*.*") if p.is_file()}
    text |= {
        p: p.read_text(encoding="utf-8")
        for p in (ROOT / "lessons").rglob("*.*")
        if p.suffix in (".py", ".md", ".html", ".css")
    }
    assert {p.name for p, said in text.items() if name in said} <= {"pyproject.toml", "anywhere.py"}


@pytest.mark.parametrize(
    "said", ["", 'repository = "only"\nbranch = "main"', 'repository = "a/b"\nbranch = "my branch"']
)
def test_what_is_no_repository_is_refused(tmp_path, said):
    project = tmp_path / "pyproject.toml"
    project.write_text(f"[tool.course]\n{said}\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"pyproject\.toml: \[tool\.course\] .* expected the names"
    ):
        anywhere.repository(project)


def test_the_builder_says_so_while_the_repository_is_a_placeholder(monkeypatch, tmp_path, capsys):
    (tmp_path / "lessons" / "pages").mkdir(parents=True)
    (tmp_path / "README.md").write_text("No lessons.\n")
    monkeypatch.setattr(build, "LESSONS", tmp_path / "lessons")
    for name, told in ((anywhere.UNSET, True), ("ada/tracking", False)):
        monkeypatch.setattr(anywhere, "repository", lambda name=name: HERE.__class__(name, "main"))
        assert build.main([]) == 0
        assert ("pyproject.toml" in capsys.readouterr().out) is told
