"""The description of a VOT year: its sequences and where their files are.

It comes from outside, so everything in it is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _errors import DownloadError

from course_lib.errors import CourseError
from course_lib.files import plain_name, read_json

SUMS = {32: "md5", 40: "sha1", 64: "sha256"}  # kind of checksum by its length
TAKEN = ("archives", "list.txt")  # other names in the folder of the sequences


@dataclass(frozen=True)
class Entry:
    """One sequence: its name, addresses and checksums of frames and annotations, frame rate."""

    name: str
    frames: str
    frames_sum: str | None
    truth: str
    truth_sum: str | None
    fps: float


def read_description(path: Path, url: str) -> dict[str, Entry]:
    """The sequences of a description by name.

    Raises CourseError, naming the sequence and the field, if it is malformed.
    """
    remedy = f"delete it and run the same command again, or give a mirror of {url} with --base-url"
    sequences = read_json(path, remedy).get("sequences")
    if not isinstance(sequences, list) or not sequences:
        raise DownloadError(f"{path} is not a VOT description: it has no sequences; {remedy}")
    found: dict[str, Entry] = {}
    for number, sequence in enumerate(sequences, start=1):
        try:
            entry = _entry(sequence)
            _refuse_taken(entry.name, found)
        except CourseError as problem:
            raise DownloadError(f"{path}, sequence {number}: {problem}; {remedy}") from None
        found[entry.name] = entry
    return found


def _entry(sequence: Any) -> Entry:
    name = plain_name(_field(sequence, "name", str), "the name")
    truth = _field(sequence, "annotations", dict)
    frames = _field(_field(sequence, "channels", dict), "color", dict)
    fps = sequence.get("fps", 30)
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < 10_000:
        raise DownloadError(f"fps is {fps!r}; expected a number above 0")
    return Entry(
        name=name,
        frames=_field(frames, "url", str),
        frames_sum=_sum(frames),
        truth=_field(truth, "url", str),
        truth_sum=_sum(truth),
        fps=fps,
    )


def _field(entry: Any, key: str, kind: type) -> Any:
    """A field that must exist and have this type."""
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, kind) or not value:
        said = f"{key} is {str(value)[:80]!r}" if value is not None else f"it has no {key}"
        words = {str: "a string", dict: "a mapping"}
        raise DownloadError(f"{said}; expected {words[kind]}")
    return value


def _sum(entry: dict) -> str | None:
    """The checksum of an entry, with the kind inferred from its length; None if it has none."""
    value = entry.get("checksum")
    if value is None or value == "":
        return None
    if (
        not isinstance(value, str)
        or len(value) not in SUMS
        or not re.fullmatch("[0-9a-fA-F]+", value)
    ):
        raise DownloadError(f"checksum is {value!r}; expected 32, 40 or 64 hexadecimal digits")
    return f"{SUMS[len(value)]}:{value}"


def _refuse_taken(name: str, found: dict[str, Entry]) -> None:
    """Raise DownloadError if the files of a sequence would collide with others."""
    others = {f"{other}{end}".casefold() for other in found for end in ("", "-color")}
    own = {name.casefold(), f"{name}-color".casefold()}
    if own & others or name.casefold() in TAKEN:
        raise DownloadError(
            f"the name {name!r} is already taken; expected a unique name for each sequence"
        )
