"""The judge: whether an answer earns its points, decided out of the notebook's reach while it
is graded.

`seal` runs in the notebook's process before the first cell. From then on nothing that a cell
changes decides on points:

* the judge works with its own copy of the checks, which no name in the process refers to;
* before each verdict every replaced function of the course, of NumPy and of Python is restored; one
  that is replaced while an answer is checked costs that answer's points;
* the seed of the hidden inputs and the secret that signs a verdict are in no variable and no
  environment;
* cells may not inspect frames, the garbage collector or C memory, nor open the term's other files.

It is reached through an audit event, since an audit hook can be neither seen nor taken away.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import course_lib
from course_lib.errors import CourseError
from course_lib.exercises import core, untouched

ASK = "course_lib.judge"  # the audit event: (exercise, number used once)
FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_code", "__code__", "gi_code"}
STARTS = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty"}
TERMS = {
    *("source", "source_with_tests", "release", "submitted", "autograded", "feedback"),
    *("solution", "gradebook.db", "nbgrader_config.py"),
}
FILES = {"open", "sqlite3.connect", "os.remove", "os.rename", "os.listdir", "os.scandir"}


def seal(place: str) -> None:
    """Set the judge up with the order in the file `place`, and delete that file.

    The order is JSON: "secret" (hexadecimal), "seed" of the hidden inputs, "exercises" (names),
    "term" (its folder).
    """
    order = json.loads(Path(place).read_text(encoding="utf-8"))
    os.unlink(place)
    for name in order["exercises"]:
        with suppress(CourseError):  # an exercise of the instructor's own has no check here
            core.find_check(name)
    own = _private_copy()["course_lib.exercises.judge"]
    own.listen(order, core.RECORDS, sys.stdout)


def listen(order: dict[str, Any], records: dict[str, Any], out: Any) -> None:
    """Answer the audit event with a signed line. Called on the judge's own copy of this module.

    Args:
        order: the order that `seal` read.
        records: those of the notebook.
        out: where the line is written.
    """
    judge = _Judge(order["seed"], records)
    secret, term, here = bytes.fromhex(order["secret"]), order["term"], os.getcwd()
    looking = False

    def hook(event: str, given: tuple) -> None:
        nonlocal looking
        if looking:
            return
        if event == ASK:
            name, nonce = (str(v) for v in given)
            out.write(_signed(secret, name, nonce, *judge.verdict(name)))
            out.flush()
        elif _is_closed(event, given):
            looking = True
            try:
                cell = _asked_by_a_cell(sys._getframe(1))
            finally:
                looking = False
            if cell:
                raise RuntimeError(f"{event} is closed to cells while a notebook is graded")
        elif event == "sys.settrace":  # it hands out frames, whoever asks
            raise RuntimeError("tracing is closed while a notebook is graded")
        elif event in STARTS and judge.busy:
            raise RuntimeError("an answer may not start programs while it is checked")
        elif event in FILES and given and _is_the_terms(given[0], term, here):
            raise PermissionError(f"{given[0]} is closed to cells while a notebook is graded")

    sys.addaudithook(hook)


class _Judge:
    """Verdicts on the answers in `records`, the notebook's own."""

    def __init__(self, seed: int, records: dict[str, Any]) -> None:
        self.seed, self.records, self.busy = seed, records, False
        self.before = untouched.Snapshot()

    def verdict(self, name: str) -> tuple[str, str]:
        """Status and sentence. A record says what the visible check found; it may be forged, so
        hidden inputs decide."""
        self.before.put_back()
        record = self.records.get(name)
        if record is None:
            return "not attempted", "run the cell above first"
        status = record.status
        if (
            type(status) is not str or status != "right"
        ):  # an object may print as something it is not
            return "wrong", str(record.words)
        self.busy = True
        try:
            with untouched.put_away(*core.find_check(name).guarded):
                status, words = core.examine(name, record.answer, self.seed)
        finally:
            self.busy = False
            changed = self.before.put_back()
        if status == "right" and changed:
            return "wrong", f"your answer replaces {changed[0]} while it is checked"
        return status, words


def sign(secret: bytes, *parts: str) -> str:
    """A signature that only the judge and the process that set it up can compute."""
    return blake2b("\n".join(parts).encode(), key=secret, digest_size=32).hexdigest()


def _signed(secret: bytes, name: str, nonce: str, status: str, words: str) -> str:
    parts = (name, nonce, status, words)
    return json.dumps([*parts, sign(secret, *parts)]) + "\n"


def _private_copy() -> dict[str, ModuleType]:
    """Every module of course_lib.exercises imported once more and kept out of
    `sys.modules`."""
    public = {n: m for n, m in sys.modules.items() if f"{n}.".startswith("course_lib.exercises.")}
    try:
        for name in public:
            del sys.modules[name]
        twins = {name: importlib.import_module(name) for name in sorted(public)}
    finally:
        for name in [n for n in sys.modules if f"{n}.".startswith("course_lib.exercises.")]:
            del sys.modules[name]
        sys.modules.update(public)
        course_lib.exercises = public["course_lib.exercises"]
    copies: dict[int, ModuleType] = {id(twin): twin for twin in twins.values()}
    for twin in twins.values():
        for name, value in list(vars(twin).items()):
            if isinstance(value, ModuleType) and value is not sys:
                copy = copies.setdefault(id(value), untouched.private(value))
                setattr(twin, name, copy)
    return twins


def _is_closed(event: str, given: tuple) -> bool:
    """Whether an event could reveal what the judge keeps."""
    if event in ("object.__getattr__", "object.__setattr__"):
        return len(given) > 1 and given[1] in FRAMES
    return event in ("sys._getframe", "sys.setprofile") or event.startswith(
        ("gc.get_", "ctypes.", "sys._current_")
    )


def _asked_by_a_cell(frame: Any) -> bool:
    """Whether the code that caused an event was written in the notebook, not in Python or an
    installed package."""
    while frame.f_code.co_filename == INSPECT and frame.f_back is not None:
        frame = frame.f_back  # it hands out frames to any caller
    return not frame.f_code.co_filename.startswith(OWN)


def _is_the_terms(path: Any, term: str, here: str) -> bool:
    """Whether a path belongs to nbgrader in the term's folder and lies outside the submission's
    own folder."""
    if not isinstance(path, (str, bytes)):
        return False
    real = os.path.realpath(os.fsdecode(path))
    if not real.startswith(os.path.join(term, "")) or f"{real}{os.sep}".startswith(
        os.path.join(here, "")
    ):
        return False
    return os.path.relpath(real, term).split(os.sep)[0] in TERMS


INSPECT = importlib.import_module("inspect").__file__
OWN = tuple({"<frozen", *(os.path.dirname(m.__file__) for m in (os, course_lib))}) + tuple(
    p for p in {sys.prefix, sys.base_prefix} if p != os.sep
)
