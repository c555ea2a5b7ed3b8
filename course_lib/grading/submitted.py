"""A term's submitted/ folder: submissions brought in, where they came from, what they replaced."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

from course_lib.errors import DataError, os_error_in_words
from course_lib.files import read_json, whole_file, write_whole
from course_lib.grading.arrived import shown
from course_lib.grading.reading import Problem
from course_lib.grading.students import Collected, find_student

RECORD = "collected.json"  # beside each submission, like nbgrader's timestamp.txt


class Submitted:
    """Where submissions are written. Nothing in it is replaced except by the same student's newer
    work.

    Args:
        folder: the term.
        in_place: whether this folder itself is what arrived.
        trusted: whether the instructor's own pattern says who is who, so that a name means the same
            student each time.
    """

    def __init__(self, folder: Path, in_place: bool, trusted: bool) -> None:
        self.folder, self.in_place, self.trusted = folder, in_place, trusted

    def bring(self, one: Collected) -> None:
        """Write one submission; if it must not or cannot be written, its problems say so."""
        target = self.folder / "submitted" / one.student / one.lesson / f"{one.lesson}.ipynb"
        try:
            if target.exists() and not self._make_room(one, target):
                return
            write_whole(target, one.text)
            if not self.in_place:
                when = one.when.isoformat(sep=" ") if one.when else None
                write_whole(target.parent / RECORD, json.dumps({"who": one.who, "when": when}))
        except OSError as problem:
            remedy = "then collect again: what was collected stays"
            one.leave(f"it was not written: {os_error_in_words(problem)}", remedy)

    def _make_room(self, one: Collected, target: Path) -> bool:
        """Whether the submission may be written; what it replaces is kept beside it."""
        content = target.read_bytes()
        known = _record(target.parent)
        same = content == one.text.encode("utf-8")
        if same and known.get("who") in (None, one.who):
            return False  # it was collected already
        why = None if self.in_place else self._why_not(one, known)
        if why:
            one.leave(*why)
            return False
        ending = "as-handed-in" if self.in_place else f"before-{_stamp(target)}"
        kept = _free(target.with_name(f"{target.name}.{ending}"))
        with whole_file(kept) as part:
            part.write_bytes(content)
        if not self.in_place:
            what = f"it replaces what was collected before, which is kept as {kept.name}"
            remedy = f"grade it again: nbgrader autograde {one.lesson} --force"
            one.problems.append(Problem(what, remedy, True))
        return True

    def _why_not(self, one: Collected, known: dict) -> tuple[str, str] | None:
        """Why the submission may not replace the one that is there, and what to do; None if
        it may."""
        place = f"submitted/{one.student}/{one.lesson}"
        if not self.trusted and known.get("who") != one.who:
            before = shown(str(known["who"])) if known.get("who") else "a source that is not known"
            return (
                f"{place} came from {before}, this comes from {shown(one.who)}",
                "if they are two students, give --student a pattern that tells them apart; if it "
                "is one, give a pattern "
                "that takes the name alone, such as --student '^(?P<student>[^_/]+)_'",
            )
        then, now = known.get("when"), one.when and one.when.isoformat(sep=" ")
        if then and now and now < then:
            return (
                f"it is older ({now}) than what was collected before ({then})",
                f"to take it anyway, move {place} away",
            )
        return None


def _record(place: Path) -> dict:
    """Where the submission in a folder came from, and when; empty if unknown."""
    try:
        found = read_json(place / RECORD, "delete it")
    except DataError:
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def without_notebook(
    others: list[str], pattern: re.Pattern, collected: list[Collected]
) -> list[Collected]:
    """Students who handed in something, but no notebook."""
    seen = {one.who for one in collected}
    found: dict[str, list[str]] = {}
    for name in others:
        student = find_student(pattern, name)
        file = name.rsplit("/", 1)[-1]
        if "/" in name and student and student[1] not in seen and not file.startswith("."):
            found.setdefault(student[1], []).append(file)
    return [
        Collected(
            who,
            None,
            who,
            [
                Problem(
                    f"no notebook is among what {shown(who)} handed in "
                    f"({shown(', '.join(files[:3]))})",
                    "hand in the .ipynb file, alone or in a zip file",
                    False,
                )
            ],
            who=who,
        )
        for who, files in found.items()
    ]


def _stamp(path: Path) -> str:
    return datetime.fromtimestamp(int(path.stat().st_mtime)).strftime("%Y%m%dT%H%M%S")


def _free(path: Path) -> Path:
    """`path`, or the first name like it that is free."""
    names = (path.with_name(f"{path.name}-{n}") for n in range(2, 10_000))
    return path if not path.exists() else next(name for name in names if not name.exists())
