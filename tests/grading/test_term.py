"""A term rehearsed: released, handed in in fourteen ways, collected, graded, with feedback and a
table of points."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
import small_lesson as small
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader

from course_lib.files import write_whole
from course_lib.grading.students import plain_student
from course_lib.grading.term import collect, new_term, releases

SECONDS = 6  # a cell may take


@pytest.fixture(scope="module")
def term(tmp_path_factory):
    """A term in which the small lesson is released."""
    folder = tmp_path_factory.mktemp("term")
    new_term(folder, [], timeout=SECONDS)
    lesson = folder / f"{small.STEM}.py"
    lesson.write_text(small.source(), encoding="utf-8")
    write_whole(
        folder / "source" / small.STEM / f"{small.STEM}.ipynb",
        small.build.to_text(small.build.solved(lesson)),
    )
    before, place = dict(os.environ), Path.cwd()
    os.chdir(folder)  # nbgrader's commands run there
    try:
        config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
        api = NbGraderAPI(config=config)
        assert api.generate_assignment(small.STEM)["success"]
        yield folder, api
    finally:
        os.chdir(place)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def points(term, tmp_path_factory):
    """By student: the points received and the points expected."""
    folder, api = term
    made = small.submissions(releases(folder)[small.STEM])
    arrived = tmp_path_factory.mktemp("arrived")
    small.write(arrived, made)
    archive = arrived / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in arrived.rglob("*.ipynb"):
            packed.write(path, path.relative_to(arrived))
    collected = collect(folder, archive)
    assert sorted(c.student for c in collected) == sorted(made)
    for student in made:
        graded = api.autograde(small.STEM, student)
        assert graded["success"], graded
        assert api.generate_feedback(small.STEM, student)["success"]
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {
            s: (book.find_submission(small.STEM, s).score, wanted)
            for s, (_, _, wanted) in made.items()
        }


@pytest.mark.slow
def test_each_kind_of_submission_gets_its_points(points):
    assert {s: got for s, (got, _) in points.items()} == {
        s: wanted for s, (_, wanted) in points.items()
    }


@pytest.mark.slow
def test_feedback_tells_what_was_wrong(term, points):
    folder, _ = term
    pages = {
        s: (folder / "feedback" / s / small.STEM / f"{small.STEM}.html").read_text("utf-8")
        for s in points
    }
    assert "this cell ended the kernel" in pages["killed"] and "os._exit(1)" in pages["killed"]
    assert "CellTimeoutError" in pages["looping"]
    assert "mosse.window: not written yet" in pages["untouched"]
    assert "record.status" not in pages["untouched"]  # the course's own lines help nobody here


@pytest.mark.slow
def test_the_release_holds_no_answer(term):
    folder, _ = term
    text = nbformat.writes(releases(folder)[small.STEM])
    assert (
        "hanning" not in text and "hidden=True" not in text and "raise NotImplementedError" in text
    )


@pytest.mark.slow
def test_with_a_hub_what_nbgrader_collected_is_fixed_in_place(term, tmp_path):
    folder, api = term
    exchange, desk = tmp_path / "exchange", tmp_path / "desk"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)  # whatever the umask: nbgrader requires it open to all
    desk.mkdir()
    api.config.Exchange.root = str(exchange)
    assert api.release_assignment(small.STEM)["success"]
    config = f'c = get_config()\nc.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = "tracking"\n'
    (desk / "nbgrader_config.py").write_text(config, encoding="utf-8")
    nbgrader = [sys.executable, "-m", "nbgrader"]
    subprocess.run(
        [*nbgrader, "fetch_assignment", small.STEM], cwd=desk, check=True, capture_output=True
    )
    path = desk / small.STEM / f"{small.STEM}.ipynb"
    notebook = small.answered(nbformat.read(path, as_version=4))
    notebook.cells = [c for c in notebook.cells if not c.source.startswith("award(")]
    nbformat.write(notebook, path)
    subprocess.run([*nbgrader, "submit", small.STEM], cwd=desk, check=True, capture_output=True)
    assert api.collect(small.STEM)["success"]
    (arrived,) = [
        c for c in collect(folder, folder / "submitted") if c.student == getpass.getuser()
    ]
    assert len([p for p in arrived.problems if "points cell" in p.what and p.fixed]) == len(
        small.ANSWERS
    )
    assert api.autograde(small.STEM, getpass.getuser())["success"]
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        assert book.find_submission(small.STEM, getpass.getuser()).score == small.TOTAL


@pytest.mark.slow
def test_unusual_names_are_graded_under_a_name_that_nbgrader_finds(term, tmp_path):
    folder, _ = term
    whole = small.answered(releases(folder)[small.STEM])
    names = ["Ada Byron", "Zoë O'Brien", "a+b", ".hidden", "-x,[y]*{z}"]
    small.write(tmp_path / "in", dict.fromkeys(names, (f"{small.STEM}.ipynb", whole, 0)))
    found = collect(folder, tmp_path / "in")
    assert sorted(plain_student(c.student) for c in found if c.lesson) == sorted(names)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", small.STEM],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        for one in found:
            assert book.find_submission(small.STEM, one.student).score == small.TOTAL
