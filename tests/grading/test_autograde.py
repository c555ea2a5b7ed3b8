"""A class graded side by side: points right, what hangs, fails or kills its kernel costs itself
only, and what was cut off is graded by the next run."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import small_lesson as small
from nbgrader.api import Gradebook

from course_lib.errors import MissingDataError, SettingsError
from course_lib.files import write_whole
from course_lib.grading import isolation
from course_lib.grading.autograde import Autograding, patient
from course_lib.grading.term import collect, new_term, releases

pytestmark = pytest.mark.slow
SECONDS = 6  # a cell may take


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A term's folder in which the small lesson is released."""
    base = tmp_path_factory.mktemp("released")
    folder, lesson = base / "term", base / f"{small.STEM}.py"
    new_term(folder, [], timeout=SECONDS)
    lesson.write_text(small.source(), encoding="utf-8")
    write_whole(
        folder / "source" / small.STEM / f"{small.STEM}.ipynb",
        small.build.to_text(small.build.solved(lesson)),
    )
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", small.STEM]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def term(released, tmp_path):
    """A copy of it for each test."""
    return shutil.copytree(released, tmp_path / "term")


def hand_in(folder: Path, *students: str) -> dict[str, float]:
    """Collect some of the small lesson's submissions; returns the points that each must get."""
    made = small.submissions(releases(folder)[small.STEM])
    chosen = {student: made[student] for student in students}
    small.write(folder.parent / "in", chosen)
    assert all(one.lesson for one in collect(folder, folder.parent / "in"))
    return {student: points for student, (_, _, points) in chosen.items()}


def stored(folder: Path) -> dict[str, float]:
    """Points in the gradebook by student."""
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {s.student.id: s.score for s in book.assignment_submissions(small.STEM)}


def test_a_class_gets_its_points_with_two_at_a_time(term):
    wanted = hand_in(term, "complete", "untouched", "looping", "killed", "later")
    found = []
    Autograding(term, "97").run(2, found.append)
    assert {one.student: one.points for one in found} == wanted == stored(term)
    assert all(one.possible == small.TOTAL and not one.problem for one in found)
    assert not (term / "unfinished").exists()
    assert Autograding(term, "small").todo == []  # nothing is graded twice
    assert Autograding(term, "small", force=True).todo == sorted(wanted)


def test_too_long_or_cut_off_costs_itself_only_and_is_graded_next_time(term):
    wanted = hand_in(term, "complete", "looping")
    found = []
    # the looping one takes a cell's six seconds several times
    Autograding(term, small.STEM, limit=0.5).run(2, found.append)
    assert sorted(one.student for one in found) == sorted(wanted)
    assert all(one.points is None and "stopped after" in one.problem for one in found)
    assert not list(term.glob("autograded/*/*/*.ipynb"))
    again = Autograding(term, small.STEM)
    assert again.todo == sorted(wanted)
    # as after a power cut: half of a graded notebook, and the mark
    half = term / "autograded" / "complete" / small.STEM / f"{small.STEM}.ipynb"
    write_whole(half, (term / "submitted" / half.relative_to(term / "autograded")).read_text())
    again.run(1, found.append)
    assert {one.student: one.points for one in found[2:]} == wanted == stored(term)


def test_what_nbgrader_cannot_grade_is_named_and_the_others_are_graded(term):
    wanted = hand_in(term, "complete", "untouched")
    (term / "submitted" / "untouched" / small.STEM / f"{small.STEM}.ipynb").write_text("{")
    found = []
    Autograding(term, small.STEM).run(1, found.append)
    one, other = sorted(found, key=lambda g: g.student)
    assert (one.student, one.points) == ("complete", wanted["complete"])
    assert other.points is None and "status 1 in each of 2 tries" in other.problem
    log = term / "unfinished" / small.STEM / "untouched.log"
    assert str(log) in other.problem and "untouched" in log.read_text()


@pytest.mark.parametrize("body", ["import os\n    os._exit(1)", "while True:\n        pass"])
def test_the_courses_own_stands_in_for_an_answer_that_kills_or_loops(term, body):
    made = small.answered(releases(term)[small.STEM])
    answer = f'@exercise("mosse.window")\ndef window(height, width):\n    {body}'
    small.answer_cell(made, "mosse.window").source = answer
    later = small.answer_cell(made, "mosse.target")
    later.source = later.source.replace("return ", "return 0 * window(height, width) + ")
    small.write(term.parent / "in", {"ada": (f"{small.STEM}.ipynb", made, 0)})
    collect(term, term.parent / "in")
    found = []
    Autograding(term, small.STEM).run(1, found.append)
    assert [one.points for one in found] == [small.TOTAL - small.POINTS["mosse.window"]]


def test_the_sandbox_is_passed_on(term):
    (term / "nbgrader_config.py").open("a").write('c.SurvivingExecute.isolation = "bubblewrap"\n')
    cell = "import os\nraise RuntimeError(f'outside: {os.path.exists(\"/proc/%d/cwd\")}')"
    made = small.answered(releases(term)[small.STEM])
    made.cells[1].source += "\n" + cell % os.getpid()
    small.write(term.parent / "in", {"ada": (f"{small.STEM}.ipynb", made, 0)})
    collect(term, term.parent / "in")
    seen = {}
    for how in ("none", None if isolation.why_not() is None else "none"):
        Autograding(term, small.STEM, force=True, isolation=how).run(1, lambda one: None)
        graded = term / "autograded" / "ada" / small.STEM / f"{small.STEM}.ipynb"
        seen[how] = "outside: True" in graded.read_text(encoding="utf-8")
    assert seen == ({"none": True, None: False} if len(seen) == 2 else {"none": True})


def test_a_locked_gradebook_is_waited_for(term):
    wanted = hand_in(term, "complete")
    lock = sqlite3.connect(term / "gradebook.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")

    def release() -> None:
        time.sleep(12)  # more than the five seconds after which SQLite gives up by default
        lock.execute("ROLLBACK")

    waiting = threading.Thread(target=release)
    waiting.start()
    found = []
    Autograding(term, small.STEM).run(1, found.append)
    waiting.join()
    assert [(one.student, one.points) for one in found] == [("complete", wanted["complete"])]
    assert found[0].seconds > 10  # in the first try


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_command(term, number):
    hand_in(term, "looping")
    command = [sys.executable, "-m", "course_lib", "grading", "autograde", str(term), "97"]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 180
    # a kernel runs, and is not only being started: bubblewrap ends with its parent from then on
    while not any(map(is_a_kernel, processes_of(term))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert any(map(is_a_kernel, processes_of(term)))
    started.send_signal(number)
    started.wait(60)
    deadline = time.monotonic() + 120
    while processes_of(term) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_of(term) == []
    assert Autograding(term, small.STEM).todo == ["looping"]


def is_a_kernel(process: int) -> bool:
    """Whether a process is the kernel itself, not what starts it."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"python" in words[0] and b"ipykernel_launcher" in words


def processes_of(term: Path) -> list[int]:
    """Processes that work in the term's folder or below."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(place / "cwd")).is_relative_to(term):
                found.append(int(place.name))
        except OSError:
            continue
    return found


def test_what_is_asked_for_wrongly_is_named(term, tmp_path):
    with pytest.raises(MissingDataError, match="is not a term's folder"):
        Autograding(tmp_path, "97")
    with pytest.raises(MissingDataError, match=r"'98' names 0 .*97_small"):
        Autograding(term, "98")
    with pytest.raises(SettingsError, match="--jobs is 0"):
        Autograding(term, "97").run(0, print)


def test_only_sqlite_is_told_to_wait():
    assert patient("sqlite:////term/gradebook.db") == "sqlite:////term/gradebook.db?timeout=300"
    assert patient("sqlite:///g.db?timeout=9") == "sqlite:///g.db?timeout=9"
    assert patient("postgresql://me:secret@host/grades") is None
