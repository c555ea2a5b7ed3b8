"""What a submission's code can reach while it is graded: with bubblewrap, and what happens
without."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from course_lib.errors import CourseError
from course_lib.grading import isolation
from course_lib.grading.execute import SurvivingExecute

pytestmark = pytest.mark.slow
sandboxed = pytest.mark.skipif(
    isolation.why_not() is not None, reason=f"kernels cannot be isolated: {isolation.why_not()}"
)


def executed(folder: Path, *cells: str, isolation: str = "bubblewrap") -> list[list]:
    """The outputs of each cell, run as a submission in `folder`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    run = SurvivingExecute(timeout=6, kernel_name="python3", isolation=isolation)
    graded, _ = run.preprocess(notebook, {"metadata": {"path": str(folder)}})
    return [cell.outputs for cell in graded.cells]


def text(outputs: list) -> str:
    """What a cell printed, or the error it raised."""
    return "".join(o.get("text", "") or f"{o.get('ename')}: {o.get('evalue')}" for o in outputs)


REACH = """
import os, socket, subprocess
def reached(attempt):
    try:
        return attempt() and True
    except (OSError, RuntimeError, PermissionError):
        return False
print({
    "other's work": reached(lambda: os.path.exists("../../bob/02/02.ipynb")),
    "the home's files": reached(lambda: os.path.exists(SECRET)),
    "a password": "MY_PASSWORD" in os.environ,
    "the course, to write": reached(lambda: os.access(COURSE, os.W_OK)),
    "the network": reached(lambda: socket.create_connection(("127.0.0.1", PORT), 2)),
    "other processes": reached(lambda: os.path.exists(f"/proc/{OUTER}/cmdline") and OUTER > 50),
    "its own folder": reached(lambda: open("mine.txt", "w").close() or os.path.exists("mine.txt")),
    "the course": bool(__import__("course_lib")),
})
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A submission's folder beside another student's, and a file of the instructor's own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret.txt").write_text("secret")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MY_PASSWORD", "secret")
    for student in ("ada", "bob"):
        folder = tmp_path / "term" / "autograded" / student / "02"
        folder.mkdir(parents=True)
        (folder / "02.ipynb").write_text("{}")
    return tmp_path / "term" / "autograded" / "ada" / "02"


def reach(place: Path, how: str) -> dict[str, bool]:
    """What code in a submission's folder reaches."""
    import ast
    import socket

    import course_lib

    with socket.create_server(("127.0.0.1", 0)) as server:
        values = {
            "SECRET": str(Path.home() / "secret.txt"),
            "COURSE": str(Path(course_lib.__file__).parent),
            "PORT": server.getsockname()[1],
            "OUTER": os.getpid(),
        }
        head = "\n".join(f"{name} = {value!r}" for name, value in values.items())
        (said,) = executed(place, head + REACH, isolation=how)
    return ast.literal_eval(text(said))


@sandboxed
def test_in_a_sandbox_only_its_own_folder_and_the_course_are_reached(place):
    found = reach(place, "bubblewrap")
    assert [what for what, there in found.items() if there] == ["its own folder", "the course"]
    assert (place / "mine.txt").is_file()


def test_without_a_sandbox_all_of_it_is_reached(place):
    """So that the test above can fail."""
    assert all(reach(place, "none").values())


@sandboxed
def test_what_a_cell_leaves_running_ends_with_the_kernel(tmp_path):
    left = "import subprocess\nsubprocess.Popen(['sleep', '1234.5'], start_new_session=True)"
    (said,) = executed(tmp_path, left + "\nprint('on')")
    assert "on" in text(said)
    commands = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not any(b"1234.5" in command for command in commands)


@sandboxed
def test_a_loop_is_interrupted_and_a_dead_kernel_costs_its_own_cell(tmp_path):
    loop, dead, after = executed(
        tmp_path, "kept = 3\nwhile True: pass", "import os\nos._exit(1)", "print(kept)"
    )
    assert "CellTimeoutError" in text(loop)
    assert "this cell ended the kernel" in text(dead)
    assert text(after) == "3\n"


@pytest.mark.parametrize("how", [pytest.param("bubblewrap", marks=sandboxed), "none"])
def test_a_loop_that_no_interrupt_reaches_is_ended(tmp_path, how):
    first, second = executed(tmp_path, "sum(range(10**15))", "print('on')", isolation=how)
    assert "this cell ended the kernel" in text(first) and text(second) == "on\n"


def test_where_it_cannot_be_it_is_left_out_or_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "why_not", lambda: "bubblewrap is not installed")
    (said,) = executed(tmp_path, "print(1)", isolation="auto")
    assert text(said) == "1\n"
    with pytest.raises(CourseError, match="bubblewrap is not installed"):
        executed(tmp_path, "print(1)", isolation="bubblewrap")


def test_of_the_environment_only_what_a_lesson_needs_is_kept():
    given = {"COURSE_PROFILE": "smoke", "AWS_SECRET_ACCESS_KEY": "x", "PATH": "/bin", "LC_ALL": "C"}
    assert list(isolation.environment(given)) == ["COURSE_PROFILE", "PATH", "LC_ALL"]
