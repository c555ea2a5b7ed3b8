"""A lesson's submissions graded side by side: nbgrader's own command, one process for each
submission, all with one gradebook.

A submission that cannot be graded, or takes too long, does not stop the others' grading. What its
process printed stays in `unfinished/LESSON/STUDENT.log` of the term's folder until it is graded.
For the next run this file also marks submissions that were cut off, which nbgrader would take for
graded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import make_url
from traitlets.config import Config, PyFileConfigLoader

from course_lib.children import end, ending_us, held_back, start
from course_lib.errors import MissingDataError, SettingsError

LIMIT = 1800.0  # seconds that a submission may take by default
PATIENCE = 300  # seconds that a process waits for its turn to write into the gradebook
TRIES = 2  # attempts at a submission that could not be graded, not counting time run out
GLANCE = 0.1  # seconds between two looks at the running processes


@dataclass(frozen=True)
class Graded:
    """What came of one submission.

    Attributes:
        student: the name of the student's folder.
        points: points in the gradebook; None if it was not graded.
        possible: points of the lesson.
        seconds: time it took.
        problem: why it was not graded, and what to do; None if it was.
    """

    student: str
    points: float | None
    possible: float
    seconds: float
    problem: str | None = None


@dataclass(frozen=True)
class _Running:
    student: str
    process: subprocess.Popen
    began: float


class Autograding:
    """The grading of one lesson in a term's folder.

    Args:
        folder: the term's.
        lesson: the lesson's name there, or a part of it: "02", "mosse".
        limit: seconds that one submission may take.
        force: whether what has been graded is graded again.
        isolation: sandbox of the kernels, see `SurvivingExecute`; None leaves it to the term's
            configuration.
    """

    def __init__(
        self,
        folder: Path,
        lesson: str,
        limit: float = LIMIT,
        force: bool = False,
        isolation: str | None = None,
    ) -> None:
        self.folder, self.limit, self.force = folder, limit, force
        self.isolation = isolation
        self.course = CourseDirectory(config=_config(folder), root=str(folder.resolve()))
        self.url = patient(self.course.db_url)
        self.lesson = _lesson(folder, lesson)
        self.logs = folder / "unfinished" / self.lesson
        pattern = f"*/{self.lesson}/{self.lesson}.ipynb"
        self.students = sorted(p.parts[-3] for p in (folder / "submitted").glob(pattern))
        self.todo = [student for student in self.students if self._is_open(student)]

    def run(self, jobs: int, ended: Callable[[Graded], None]) -> None:
        """Grade every submission that is not graded yet; `ended` is told of each as it ends.

        Stopped by Ctrl-C or SIGTERM, it ends the running processes; the same command grades what is
        left.

        Raises SettingsError if `jobs` is below 1.
        """
        if jobs < 1:
            raise SettingsError(f"--jobs is {jobs}; expected a number of processes, 1 or more")
        waiting = deque((student, 1) for student in self.todo)
        running: dict[_Running, int] = {}
        self.logs.mkdir(parents=True, exist_ok=True)
        with ending_us():
            try:
                while waiting or running:
                    while waiting and len(running) < jobs:
                        student, attempt = waiting.popleft()
                        with held_back():
                            running[self._start(student)] = attempt
                    time.sleep(GLANCE)
                    for one in [r for r in running if self._is_over(r)]:
                        attempt = running.pop(one)
                        if one.process.poll() and attempt < TRIES:  # it failed: perhaps by chance
                            waiting.append((one.student, attempt + 1))
                        else:
                            ended(self._result(one))
            finally:
                with ThreadPoolExecutor(jobs) as together:  # each gets seconds to stop by itself
                    list(together.map(end, [one.process for one in running]))
        _remove_if_empty(self.logs, self.logs.parent)

    def _is_open(self, student: str) -> bool:
        """Whether a submission is still to be graded; nbgrader's own rule, but for those cut
        off."""
        submitted, autograded = (
            self._place("submitted", student),
            self._place("autograded", student),
        )
        if self.force or self._log(student).exists() or not autograded.exists():
            return True
        new, old = map(self.course.get_existing_timestamp, (str(submitted), str(autograded)))
        return new is not None and old is not None and new > old

    def _place(self, step: str, student: str) -> Path:
        return self.folder / step / student / self.lesson

    def _log(self, student: str) -> Path:
        return self.logs / f"{student}.log"

    def _start(self, student: str) -> _Running:
        words = ["-m", "nbgrader", "autograde", self.lesson, f"--student={student}"]
        if self.url:
            words.append(f"--db={self.url}")
        if self.isolation:
            words.append(f"--SurvivingExecute.isolation={self.isolation}")
        if self.force or self._log(student).exists():
            words.append("--force")
        with self._log(student).open("w", encoding="utf-8") as log:
            process = start(words, self.folder, dict(os.environ), log)
        return _Running(student, process, time.monotonic())

    def _is_over(self, one: _Running) -> bool:
        return one.process.poll() is not None or time.monotonic() - one.began > self.limit

    def _result(self, one: _Running) -> Graded:
        """What came of a submission whose process has ended, or is ended here for taking too
        long."""
        late = one.process.poll() is None
        end(one.process)  # and whatever it left behind
        seconds = time.monotonic() - one.began
        if one.process.returncode == 0 and not late:
            self._log(one.student).unlink()
            return Graded(one.student, *self._points(one.student), seconds)
        # half of a graded notebook would pass for a whole one, in feedback for example
        shutil.rmtree(self._place("autograded", one.student), ignore_errors=True)
        why = (
            f"stopped after {self.limit:.0f} s; read the submission, or give more time (--limit)"
            if late
            else f"nbgrader ended with status {one.process.returncode} in each of {TRIES} tries"
        )
        why += f" (what it printed: {self._log(one.student)}). Its points in the gradebook are void"
        return Graded(one.student, None, 0.0, seconds, why)

    def _points(self, student: str) -> tuple[float, float]:
        with Gradebook(self.url or self.course.db_url, self.course.course_id) as book:
            found = book.find_submission(self.lesson, student)
            return found.score, found.max_score


def patient(url: str) -> str | None:
    """The address of an SQLite gradebook with which a process waits for its turn to write.

    SQLite allows one writer at a time, and by default gives up after five seconds ("database is
    locked"). None for any other database, which has its own ways.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return None
    if "timeout" not in address.query:
        address = address.update_query_dict({"timeout": str(PATIENCE)})
    return address.render_as_string(hide_password=False)


def _config(folder: Path) -> Config:
    """The term's configuration; raises MissingDataError if there is none."""
    if not (folder / "nbgrader_config.py").is_file():
        raise MissingDataError(
            f"{folder} is not a term's folder (looked for nbgrader_config.py); make one with "
            f"`python -m course_lib grading new {folder} 02`"
        )
    with _kept_environment():  # the file sets variables, for the processes that grade
        return PyFileConfigLoader("nbgrader_config.py", path=str(folder.resolve())).load_config()


@contextmanager
def _kept_environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _lesson(folder: Path, name: str) -> str:
    """The released lesson called so, or the only one with that in its name."""
    released = sorted(path.parent.name for path in folder.glob("release/*/*.ipynb"))
    found = [stem for stem in released if stem == name] or [s for s in released if name in s]
    if len(found) != 1:
        raise MissingDataError(
            f"{name!r} names {len(found)} of the lessons released in {folder}: "
            f"{', '.join(released) or 'none'}. Name one of them; to release one, go there and run "
            "`nbgrader generate_assignment 02_mosse`"
        )
    return found[0]


def _remove_if_empty(*folders: Path) -> None:
    for folder in folders:
        if not any(folder.iterdir()):
            folder.rmdir()
