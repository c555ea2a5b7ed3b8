"""Checksums of files: published ones, and those of earlier downloads in `checksums.json`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from _errors import DownloadError

from course_lib.files import read_json, write_whole

KINDS = ("md5", "sha1", "sha256")
RECORD = "checksums.json"


def verify(path: Path, checksum: str | None, url: str) -> None:
    """Raise DownloadError unless the file has the expected checksum, for example "sha256:…"."""
    if checksum is None:
        return
    kind, _, expected = checksum.partition(":")
    found = digest(path, kind)
    if found != expected.lower():
        raise DownloadError(
            f"{path.name} from {url} has {kind} {found}; expected {expected}. Delete {path} if it "
            "exists and run again, or give a mirror with --base-url. If you changed the file on "
            f"purpose, delete its line in {path.parent / RECORD}."
        )


def digest(path: Path, kind: str) -> str:
    """Hexadecimal checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def remembered(target: Path) -> str | None:
    """The checksum of an earlier download of `target`, or None.

    Raises DataError or DownloadError if the record is damaged.
    """
    checksum = _record(target).get(target.name)
    if checksum is None:
        return None
    if not isinstance(checksum, str) or checksum.partition(":")[0] not in KINDS:
        raise DownloadError(
            f"{target.parent / RECORD} has {checksum!r} for {target.name}; expected sha256: and a "
            "checksum. Delete that file and run the same command again to recreate it."
        )
    return checksum


def remember(target: Path) -> None:
    """Record the checksum of a file that was just downloaded."""
    known = _record(target) | {target.name: f"sha256:{digest(target, 'sha256')}"}
    write_whole(target.parent / RECORD, json.dumps(known, indent=1, sort_keys=True) + "\n")


def _record(target: Path) -> dict:
    path = target.parent / RECORD
    remedy = "delete it and run the same command again to recreate it"
    return read_json(path, remedy) if path.exists() else {}
