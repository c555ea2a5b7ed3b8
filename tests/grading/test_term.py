"""A term rehearsed: released, handed in in fourteen ways, collected, graded, with feedback and a table of points."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import nbformat
import pytest
import small_lesson as small
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import PyFileConfigLoader

from course_lib.files import write_whole
from course_lib.grading.term import collect, new_term, releases

SECONDS = 6  # a cell may take


@pytest.fixture(scope="module")
def term(tmp_path_factory):
    """A term in which the small lesson is released."""
    folder = tmp_path_factory.mktemp("term")
    new_term(folder, [], timeout=SECONDS)
    lesson = folder / f"{small.STEM}.py"
    lesson.write_text(small.source(), encoding="utf-8")
    write_whole(folder / "source" / small.STEM / f"{small.STEM}.ipynb", small.build.to_text(small.build.solved(lesson)))
    before, place = dict(os.environ), Path.cwd()
    os.chdir(folder)  # as nbgrader's commands are used
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
    """By student: the points received and the points there must be."""
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
        return {s: (book.find_submission(small.STEM, s).score, wanted) for s, (_, _, wanted) in made.items()}


@pytest.mark.slow
def test_each_kind_of_submission_gets_what_it_must(points):
    assert {s: got for s, (got, _) in points.items()} == {s: wanted for s, (_, wanted) in points.items()}


@pytest.mark.slow
def test_feedback_tells_what_was_wrong(term, points):
    folder, _ = term
    pages = {s: (folder / "feedback" / s / small.STEM / f"{small.STEM}.html").read_text("utf-8") for s in points}
    assert "this cell ended the kernel" in pages["killed"] and "os._exit(1)" in pages["killed"]
    assert "CellTimeoutError" in pages["looping"]
    assert "not written yet" in pages["untouched"]


@pytest.mark.slow
def test_what_is_released_holds_no_answer(term):
    folder, _ = term
    text = nbformat.writes(releases(folder)[small.STEM])
    assert "hanning" not in text and "hidden=True" not in text and "raise NotImplementedError" in text
