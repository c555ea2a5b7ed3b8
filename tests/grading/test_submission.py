"""Checks of a submission: each fault is found, named with its remedy, and fixed where possible."""

from __future__ import annotations

import copy
import subprocess
import sys
import zipfile

import nbformat
import pytest
import small_lesson as small
from nbformat import NotebookNode

from course_lib.errors import CourseError, DataError, MissingDataError
from course_lib.grading.reading import exercise_of, read_notebook
from course_lib.grading.submission import answers, find_release, fix
from course_lib.grading.term import collect, new_term

NAME = f"{small.STEM}.ipynb"


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> NotebookNode:
    path = tmp_path_factory.mktemp("lesson") / f"{small.STEM}.py"
    path.write_text(small.source(), encoding="utf-8")
    return small.build.for_students(small.build.solved(path))


@pytest.fixture
def whole(release) -> NotebookNode:
    return small.answered(release)


def faults(notebook, release, name=NAME) -> list[str]:
    return [problem.what for problem in fix(notebook, release, small.STEM, name)[1]]


def gradable(notebook: NotebookNode, release: NotebookNode) -> bool:
    """Whether nbgrader can recognise every cell: the released answer and points cells, once each,
    in the released order."""
    wanted = [c.metadata.nbgrader.grade_id for c in release.cells if "nbgrader" in c.metadata]
    found = [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]
    return sorted(wanted) == sorted(found) and len({c.id for c in notebook.cells}) == len(
        notebook.cells
    )


def test_nothing_is_wrong_with_a_right_submission(whole, release):
    before = copy.deepcopy(whole)
    fixed, problems = fix(whole, release, small.STEM, NAME)
    assert problems == [] and whole == before  # what was handed in is not modified
    assert [c.source for c in fixed.cells] == [c.source for c in whole.cells] and gradable(
        fixed, release
    )


@pytest.mark.parametrize("student", ["overwritten", "deleted", "duplicated", "bare", "renamed"])
def test_each_fault_is_fixed_and_named(release, student):
    file, notebook, _ = small.submissions(release)[student]
    fixed, problems = fix(notebook, release, small.STEM, file)
    assert gradable(fixed, release) and problems and all(p.fixed and p.remedy for p in problems)
    words = {
        "overwritten": "the points cell of mosse.window was changed",
        "deleted": "the points cell of mosse.target is gone",
        "duplicated": "kcf.size is answered in 2 cells; the last one counts",
        "bare": "the cell for kcf.size has lost its metadata",
        "renamed": "the file is called my homework (final) 2.ipynb",
    }
    assert words[student] in [p.what for p in problems]
    for name, cell in small.ANSWERS.items():
        if student != "overwritten":
            assert cell in small.answer_cell(fixed, name).source
    for cell in fixed.cells:
        if cell.source.startswith("award("):
            assert cell.source == small.award_cell(release, exercise_name(cell)).source


def exercise_name(cell) -> str:
    return cell.source.split('"')[1]


def test_the_last_of_two_written_answers_counts(whole, release):
    stub = copy.deepcopy(small.answer_cell(release, "kcf.size"))
    better = copy.deepcopy(small.answer_cell(whole, "kcf.size"))
    better.source += "  # better"
    whole.cells += [better, stub]  # pasted below, and then a fresh stub
    fixed, _ = fix(whole, release, small.STEM, NAME)
    graded = [c for c in fixed.cells if exercise_of(c) == "kcf.size" and "nbgrader" in c.metadata]
    assert len(graded) == 1 and graded[0].source.endswith("# better") and gradable(fixed, release)


def test_a_lost_answer_is_left_to_its_author(whole, release):
    whole.cells.remove(small.answer_cell(whole, "mosse.target"))
    fixed, problems = fix(whole, release, small.STEM, NAME)
    assert [(p.what, p.fixed) for p in problems] == [("the cell for mosse.target is gone", False)]
    assert "raise NotImplementedError" in small.answer_cell(
        fixed, "mosse.target"
    ).source and gradable(fixed, release)


def test_a_lost_first_line_is_put_back(whole, release):
    cell = small.answer_cell(whole, "mosse.window")
    cell.source = cell.source.split("\n", 1)[1]
    fixed, problems = fix(whole, release, small.STEM, NAME)
    assert 'lost its line @exercise("mosse.window")' in problems[0].what and problems[0].fixed
    assert (
        small.answer_cell(fixed, "mosse.window").source
        == f'@exercise("mosse.window")\n{small.ANSWERS["mosse.window"]}'
    )


def test_syntax_and_kernel(whole, release):
    small.answer_cell(whole, "mosse.target").source += "\n    return ("
    whole.cells.insert(2, nbformat.v4.new_code_cell("for x in 3\n    pass"))
    whole.cells.insert(
        2, nbformat.v4.new_code_cell("%matplotlib inline\n!ls\nx = 1")
    )  # IPython's own lines are allowed
    whole.metadata.kernelspec.name = "julia"
    found = faults(whole, release)
    assert "its kernel is 'julia'" in found
    assert any(f.startswith("the answer to mosse.target is not Python") for f in found)
    assert any(f.startswith("cell 4 is not Python") for f in found) and len(found) == 3
    fixed, _ = fix(whole, release, small.STEM, NAME)
    assert fixed.metadata.kernelspec.name == "python3"


def test_own_cells_stay_where_they_are(whole, release):
    own = nbformat.v4.new_code_cell("def helper(v, n):\n    return v")
    whole.cells.insert(3, own)
    fixed, problems = fix(whole, release, small.STEM, NAME)
    assert problems == [] and fixed.cells[3].source == own.source


def test_the_lesson_is_found_by_its_exercises(whole, release):
    other = NotebookNode(cells=[c for c in release.cells if exercise_of(c) == "kcf.size"])
    assert find_release(whole, {"other": other, small.STEM: release}) == small.STEM
    with pytest.raises(DataError, match=r"none of the course's exercises.*97_small"):
        find_release(nbformat.v4.new_notebook(), {small.STEM: release})
    assert set(answers(release)) == set(small.ANSWERS)


def test_an_invalid_notebook_is_named(tmp_path):
    (tmp_path / "a.ipynb").write_text("<html>", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.ipynb is not a readable notebook"):
        read_notebook(tmp_path / "a.ipynb")
    with pytest.raises(DataError, match="does not exist"):
        read_notebook(tmp_path / "b.ipynb")


class TestCollect:
    """Submissions as they arrive."""

    @pytest.fixture
    def term(self, tmp_path, release):
        new_term(tmp_path / "term", [])
        path = tmp_path / "term" / "release" / small.STEM / NAME
        path.parent.mkdir(parents=True)
        nbformat.write(release, path)
        return tmp_path / "term"

    def test_a_platforms_zip_with_good_and_bad_files(self, tmp_path, term, whole):
        archive = tmp_path / "all.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr(f"Ada Byron_123_assign/{NAME}", nbformat.writes(whole))
            packed.writestr("Bo_124_assign/notes.ipynb", "no json")
            packed.writestr(
                "Cy_125_assign/empty.ipynb", nbformat.writes(nbformat.v4.new_notebook())
            )
            packed.writestr(f"__MACOSX/Ada Byron_123_assign/{NAME}", "junk")
            packed.writestr("../../out.ipynb", nbformat.writes(whole))
        found = {c.student: c for c in collect(term, archive)}
        assert set(found) == {"Ada Byron", "Bo", "Cy", ".."}
        assert found[".."].lesson is None and "names no student" in found[".."].problems[0].what
        assert found["Ada Byron"].lesson == small.STEM and found["Ada Byron"].problems == []
        assert (
            found["Bo"].lesson is None and "not a readable notebook" in found["Bo"].problems[0].what
        )
        assert (
            found["Cy"].lesson is None
            and "none of the course's exercises" in found["Cy"].problems[0].what
        )
        assert (term / "submitted" / "Ada Byron" / small.STEM / NAME).is_file()
        assert sorted(p.name for p in (term / "submitted").iterdir()) == ["Ada Byron"]
        assert sorted(p.name for p in term.iterdir()) == [
            "nbgrader_config.py",
            "release",
            "submitted",
        ]

    def test_one_notebook_or_a_folder(self, tmp_path, term, whole):
        (tmp_path / "in" / "dan").mkdir(parents=True)
        nbformat.write(whole, tmp_path / "in" / "dan" / NAME)
        assert [c.student for c in collect(term, tmp_path / "in")] == ["dan"]
        nbformat.write(whole, tmp_path / "eve_97.ipynb")
        assert [c.student for c in collect(term, tmp_path / "eve_97.ipynb")] == ["eve"]
        nbformat.write(whole, tmp_path / "gil.ipynb")
        assert [c.student for c in collect(term, tmp_path / "gil.ipynb")] == ["gil"]

    def test_what_cannot_be_done_is_reported(self, tmp_path, term, whole):
        nbformat.write(whole, tmp_path / "fay.ipynb")
        with pytest.raises(CourseError, match="finds no student"):
            collect(term, tmp_path / "fay.ipynb", r"group(?P<student>\d+)")
        with pytest.raises(MissingDataError, match="does not exist"):
            collect(term, tmp_path / "nothing.zip")
        (tmp_path / "void").mkdir()
        with pytest.raises(MissingDataError, match="no notebook"):
            collect(term, tmp_path / "void")
        with pytest.raises(MissingDataError, match="nothing is released"):
            collect(tmp_path / "void", tmp_path / "fay.ipynb")


def test_a_terms_configuration_keeps_its_seed(tmp_path):
    new_term(tmp_path, ["02_mosse"])
    first = (tmp_path / "nbgrader_config.py").read_text("utf-8")
    written = new_term(tmp_path, ["03_kernels_and_channels"])
    assert (tmp_path / "nbgrader_config.py").read_text("utf-8") == first and len(written) == 1
    assert (tmp_path / "source" / "02_mosse" / "02_mosse.ipynb").is_file()


@pytest.mark.slow
def test_the_command_checks_a_lesson(tmp_path, project):
    notebook = read_notebook(project / "notebooks" / "02_mosse.ipynb")
    notebook.cells = [c for c in notebook.cells if 'award("mosse.psr"' not in c.source]
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    command = [sys.executable, "-m", "course_lib", "grading", "check", str(tmp_path / "mine.ipynb")]
    said = subprocess.run(
        [*command, "--fixed", str(tmp_path / "whole.ipynb")], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert "lesson 02_mosse" in said.stdout and "call it 02_mosse.ipynb" in said.stdout
    assert "the points cell of mosse.psr is gone" in said.stdout
    again = subprocess.run(
        [*command[:-1], str(tmp_path / "whole.ipynb")], capture_output=True, text=True
    )
    assert "mosse.psr" not in again.stdout
