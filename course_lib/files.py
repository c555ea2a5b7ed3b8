"""Files: text, lists, numbers and JSON, read with errors that name the fault and written whole or
not at all."""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from course_lib.errors import DataError, MissingDataError, SettingsError

# path separators, and the characters that Windows does not allow in a name
NOT_IN_NAMES = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
LONGEST_NAME = 150  # bytes; file systems take 255, and suffixes and temporary marks are added


def read_text(path: Path) -> str:
    """Text of a file in UTF-8, or in UTF-16 if its byte order mark says so.

    The Windows shell writes lists in UTF-16. Bytes that do not decode become replacement
    characters.
    """
    with path.open("rb") as file:
        mark = file.read(2)
    utf16 = mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return path.read_text(encoding="utf-16" if utf16 else "utf-8-sig", errors="replace")


def split_row(line: str) -> list[str]:
    """The fields of a row, separated by a comma, a semicolon, a tab or blanks.

    A trailing separator adds no field. Two commas with nothing between them are an empty field, so
    that a missing value is not overlooked.
    """
    return re.split(r"\s*[,;]\s*|\s+", re.sub(r"\s*[,;]?\s*$", "", line).lstrip())


def read_names(path: Path) -> list[str]:
    """The names in a list file, one per line; blanks inside a name stay, empty lines are skipped.

    Raises DataError if the file is empty or lists a name twice: an empty list is a mistake, not a
    benchmark without sequences.
    """
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise DataError(
            f"{path} is empty; expected one name per line. Delete it, or fetch it again."
        )
    twice = (
        sorted({name for name in names if names.count(name) > 1})
        if len(set(names)) < len(names)
        else []
    )
    if twice:
        raise DataError(
            f"{path} lists {', '.join(twice[:5])} more than once; expected each name once"
        )
    return names


def read_numbers(
    path: Path, columns: int, codes: bool = False, blank_is_row: bool = False
) -> np.ndarray:
    """The numbers (rows, columns) of a text file, separated by commas, semicolons, tabs or spaces.

    Args:
        path: of the file.
        columns: numbers in each row; "nan" is accepted, infinity is not.
        codes: whether a row may be a single whole number or "nan" instead; it becomes NaN.
        blank_is_row: whether a blank line is a row of NaN; else it is skipped.

    Raises:
        DataError: a row is something else; the message names the file, the line and its text.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            rows += [[math.nan] * columns] * blank_is_row
            continue
        if codes and is_code(line):
            rows.append([math.nan] * columns)
            continue
        try:
            rows.append([_number(word) for word in split_row(line)])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != columns:
            raise DataError(
                f"{path}, line {number}: {line.strip()[:80]!r}; expected {columns} "
                f"number{'s' * (columns > 1)}"
            )
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def is_code(row: str) -> bool:
    """Whether a row is one whole number, or "nan", in place of a region."""
    word = split_row(row)[0]
    return len(split_row(row)) == 1 and (word.isdecimal() or word.lower() == "nan")


def _number(word: str) -> float:
    """A finite number or NaN; `float` would also take "1_000" and "inf"."""
    number = float(word)
    if "_" in word or math.isinf(number):
        raise ValueError(word)
    return number


def read_json(path: Path, remedy: str, kind: type = dict) -> Any:
    """The content of a JSON file.

    Args:
        path: of the file.
        remedy: what to do next, appended to either message.
        kind: the type it should hold: dict or list.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it is damaged or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise MissingDataError(f"{path} does not exist; {remedy}") from None
    except (ValueError, RecursionError) as problem:
        raise DataError(
            f"{path} is damaged ({type(problem).__name__}: {problem}); {remedy}"
        ) from None
    if not isinstance(content, kind):
        raise DataError(
            f"{path} holds a {type(content).__name__}; expected a {kind.__name__}. {remedy}"
        )
    return content


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary file name beside `path`, with the same suffix; renamed to `path` when the block
    succeeds, removed otherwise.

    A reader never sees half a file, and if anything goes wrong the old file stays. The new file
    gets the permissions set by the umask. `with whole_file(path) as part: part.write_bytes(…)`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except OSError as problem:
        problem.filename = problem.filename or str(path)  # the error of a full disk names no file
        raise
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write text so that `path` is either the old file or the complete new one, even on a full
    disk."""
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def json_lines(value: object, width: int = 90) -> str:
    """A value as readable JSON: one line for each key, and one for each row of a table (a list or
    dictionary of plain values that is not longer than `width` characters)."""
    text = json.dumps(value, indent=1)
    innermost = re.compile(r"([\[{])\n\s*([^\[\]{}]*?)\n\s*([\]}])")  # holds no other

    def on_one_line(found: re.Match[str]) -> str:
        short = found[1] + re.sub(r"\n\s*", " ", found[2]) + found[3]
        return short if len(short) <= width else found[0]

    return innermost.sub(on_one_line, text) + "\n"


def plain_name(name: str, what: str) -> str:
    """`name` if it is one plain name that every file system accepts: no folders, not "..", not
    hidden, not empty.

    `what` says whose name it is, for the message. Raises SettingsError otherwise.
    """
    if (
        not isinstance(name, str)
        or not name.strip()
        or name != name.strip()
        or name.startswith((".", "~"))
        or name.endswith(".")
        or NOT_IN_NAMES.search(name)
        or len(name.encode("utf-8", errors="replace")) > LONGEST_NAME
    ):
        raise SettingsError(
            f"{what} is {name!r}; expected one plain name: letters, digits, - and _, without "
            f"folders, not beginning with a dot, at most {LONGEST_NAME} bytes"
        )
    return name


def digest(*parts: bytes | str | np.ndarray | Path) -> str:
    """The SHA-256 digest of several things in order, as 64 hexadecimal digits: text, bytes, arrays,
    or files by their content.

    Each part is preceded by its length, so that moving a letter from one part to the next changes
    the digest.
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                part = hashlib.file_digest(file, "sha256").digest()
        elif isinstance(part, np.ndarray):
            part = f"{part.dtype} {part.shape} ".encode() + np.ascontiguousarray(part).tobytes()
        elif isinstance(part, str):
            part = part.encode("utf-8", errors="surrogateescape")
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()
