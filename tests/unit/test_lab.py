"""`lab` opens the student's copy, and JupyterLab never saves over a lesson."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import course_lib.cli.lab as lab
import course_lib.cli.lab_files as lab_files
import course_lib.cli.start as start
from course_lib.errors import CourseError, MissingDataError

LESSONS = ("00_welcome", "02_mosse")
EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture
def course(tmp_path, monkeypatch) -> Path:
    """A project with two lessons and the glossary, its path with a blank and an umlaut in it."""
    project = tmp_path / "my courses ä"
    (project / "notebooks").mkdir(parents=True)
    for name in (*LESSONS, "glossary"):
        (project / "notebooks" / f"{name}.ipynb").write_text(name)
    for module in (lab, start):
        monkeypatch.setattr(module, "PROJECT", project)
        monkeypatch.setattr(module, "NOTEBOOKS", project / "notebooks")
    for module in (lab, lab_files):
        monkeypatch.setattr(module, "NOTEBOOKS", project / "notebooks")
        monkeypatch.setattr(module, "MY_WORK", project / "my_work")
    monkeypatch.chdir(project)
    return project


@pytest.mark.parametrize(
    "asked",
    [
        "02",
        "2",
        "mosse",
        "02_mosse",
        "02_mosse.ipynb",
        "notebooks/02_mosse.ipynb",
        "my_work/02_mosse.ipynb",
    ],
)
def test_a_lesson_is_copied_once_and_the_copy_opened(course, asked, capsys):
    mine = course / "my_work" / "02_mosse.ipynb"
    assert lab.notebook_to_open(asked) == mine
    assert mine.read_text() == "02_mosse" and "my_work/02_mosse.ipynb" in capsys.readouterr().out
    mine.write_text("my answers")
    assert lab.notebook_to_open(asked) == mine
    assert mine.read_text() == "my answers" and capsys.readouterr().out == ""


def test_the_students_other_notebooks_are_opened_unchanged(course):
    (course / "my_work").mkdir()
    (course / "my_work" / "02_mosse_2.ipynb").write_text("second try")
    assert lab.notebook_to_open("my_work/02_mosse_2.ipynb").name == "02_mosse_2.ipynb"
    assert lab.notebook_to_open("notebooks/glossary.ipynb").parent.name == "notebooks"
    assert not (course / "my_work" / "02_mosse.ipynb").exists()


def test_missing_notebooks_and_those_elsewhere_are_reported(course, tmp_path):
    with pytest.raises(MissingDataError, match=r"no lesson '77'; there are 00_welcome, 02_mosse"):
        lab.notebook_to_open("77")
    (tmp_path / "elsewhere.ipynb").write_text("x")
    for asked in ("../elsewhere.ipynb", str(tmp_path / "elsewhere.ipynb")):
        with pytest.raises(CourseError, match="is not in the course's folder"):
            lab.notebook_to_open(asked)


def test_jupyterlab_gets_root_notebook_and_files(course, monkeypatch):
    given = []
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", lambda argv: given.extend(argv))
    from course_lib.cli import main

    assert main(["lab", "--no-browser", "mosse", "--port=8889"]) == 0
    assert given[:3] == [
        f"--ServerApp.root_dir={course}",
        "--LabApp.default_url=/lab/tree/my_work/02_mosse.ipynb",
        "--ServerApp.contents_manager_class=course_lib.cli.lab_files.CourseFiles",
    ]
    assert given[-2:] == ["--no-browser", "--port=8889"]


def test_jupyterlab_leaves_out_news_and_the_instructors_menu(course, monkeypatch, tmp_path):
    """As JupyterLab itself reads it, beside what the student has configured."""
    from jupyterlab_server.config import get_static_page_config

    (tmp_path / "own" / "labconfig").mkdir(parents=True)
    own = tmp_path / "own" / "labconfig" / "page_config.json"
    own.write_text(json.dumps({"disabledExtensions": {"mine": True}}))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "own"))
    monkeypatch.setattr("jupyterlab.labapp.LabApp.launch_instance", lambda argv: None)
    from course_lib.cli import main

    assert main(["lab", "mosse"]) == 0
    left_out = get_static_page_config()["disabledExtensions"]
    assert left_out.keys() >= {
        "@jupyter/nbgrader",
        "@jupyterlab/apputils-extension:announcements",
        "mine",
    }


def test_without_a_lesson_it_opens_the_home(course, monkeypatch):
    made = []
    monkeypatch.setattr(
        lab, "write_home", lambda *folders: made.append(folders) or folders[1] / "h"
    )
    assert lab.notebook_to_open("home") == course / "my_work" / "h"
    assert made == [(course / "notebooks", course / "my_work")]


class TestFiles:
    """What JupyterLab may save, and what is made when it is opened."""

    @pytest.fixture
    def files(self, course):
        from course_lib.cli.lab_files import CourseFiles

        (course / "solutions").mkdir()
        (course / "my_work").mkdir()
        return CourseFiles(root_dir=str(course))

    @pytest.mark.parametrize(
        "path",
        [
            "notebooks/02_mosse.ipynb",
            "/notebooks/02_mosse.ipynb",
            "notebooks/Untitled.ipynb",
            "solutions/02_mosse.ipynb",
        ],
    )
    def test_a_lesson_is_never_saved_over(self, files, course, path):
        from tornado.web import HTTPError

        assert not files.is_writable(path)
        with pytest.raises(HTTPError, match="python -m course_lib start") as refused:
            asyncio.run(files.save({"type": "notebook", "format": "json", "content": EMPTY}, path))
        assert refused.value.status_code == 403
        assert (course / "notebooks" / "02_mosse.ipynb").read_text() == "02_mosse"

    @pytest.mark.parametrize(
        "path", ["my_work/02_mosse.ipynb", "notebooks.ipynb", "my_work/notebooks/x.ipynb"]
    )
    def test_everything_else_is_saved(self, files, course, path):
        (course / path).parent.mkdir(exist_ok=True)
        asyncio.run(files.save({"type": "notebook", "format": "json", "content": EMPTY}, path))
        assert (course / path).is_file() and files.is_writable(path)

    def test_a_copy_is_made_when_it_is_first_opened(self, files, course):
        path, mine = "my_work/02_mosse.ipynb", course / "my_work" / "02_mosse.ipynb"
        (course / "notebooks" / "02_mosse.ipynb").write_text(json.dumps(EMPTY))
        assert asyncio.run(files.file_exists(path)) and not mine.exists()
        assert asyncio.run(files.get(path))["content"]["cells"] == []
        mine.write_text(json.dumps(EMPTY | {"metadata": {"mine": 1}}))
        assert asyncio.run(files.get(path))["content"]["metadata"] == {"mine": 1}

    def test_no_copy_is_made_of_what_is_no_lesson(self, files, course):
        from tornado.web import HTTPError

        for path in ("my_work/77_none.ipynb", "my_work/glossary.ipynb", "elsewhere/02_mosse.ipynb"):
            assert not asyncio.run(files.file_exists(path))
            with pytest.raises(HTTPError):
                asyncio.run(files.get(path))

    def test_the_home_is_made_anew_and_not_saved(self, files, course, monkeypatch):
        def write(notebooks, mine):
            (mine / "home.ipynb").write_text(json.dumps(EMPTY))

        monkeypatch.setattr(lab_files, "write_home", write)
        assert asyncio.run(files.get("my_work/home.ipynb"))["content"]["cells"] == []
        assert not files.is_writable("my_work/home.ipynb")
