"""Sums of files: published ones, and those of earlier downloads in `checksums.json`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from _errors import DownloadError

from course_lib.files import read_json, write_whole

KINDS = ("md5", "sha1", "sha256")
RECORD = "checksums.json"


def verify(path: Path, checksum: str | None, url: str) -> None:
    """Raise DownloadError if the file's sum is not the expected one, "sha256:…" or such."""
    if checksum is None:
        return
    kind, _, expected = checksum.partition(":")
    found = digest(path, kind)
    if found != expected.lower():
        raise DownloadError(
            f"{path.name} from {url} has {kind} {found}; expected {expected}. Delete {path} if it "
            "is there and run again,"
            " or name a mirror with --base-url. If you changed the file on purpose, delete its "
            "line in "
            f"{path.parent / RECORD}."
        )


def digest(path: Path, kind: str) -> str:
    """Hexadecimal sum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def remembered(target: Path) -> str | None:
    """The sum of an earlier download of `target`; raises DataError if the record is damaged."""
    checksum = _record(target).get(target.name)
    if checksum is None:
        return None
    if not isinstance(checksum, str) or checksum.partition(":")[0] not in KINDS:
        raise DownloadError(
            f"{target.parent / RECORD} gives {checksum!r} for {target.name}; expected sha256: and "
            "a sum. "
            "Delete that file and run the same command again: it is made anew."
        )
    return checksum


def remember(target: Path) -> None:
    """Keep the sum of a file that has just come."""
    known = _record(target) | {target.name: f"sha256:{digest(target, 'sha256')}"}
    write_whole(target.parent / RECORD, json.dumps(known, indent=1, sort_keys=True) + "\n")


def _record(target: Path) -> dict:
    path = target.parent / RECORD
    remedy = "delete it and run the same command again: it is made anew"
    return read_json(path, remedy) if path.exists() else {}
