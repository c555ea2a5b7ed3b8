"""Downloading, so that a file is either whole and right or not there: resume, retries, checksums, disk space."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm.auto import tqdm

from course_lib.errors import CourseError
from course_lib.files import write_whole

CHUNK = 1 << 18  # bytes
TIMEOUT = 30  # seconds without an answer
PAUSES = (0.5, 2, 8)  # seconds between tries


class DownloadError(CourseError):
    """A file could not be fetched, or is not what it should be. Nothing is left under its final name."""


def download(
    url: str, target: Path, checksum: str | None = None, size: int | None = None, pauses=PAUSES
) -> Path:
    """Fetch `url` into `target`; goes on where an earlier call was cut off.

    Args:
        checksum: "md5:…", "sha1:…" or "sha256:…" if the source publishes one. Without it the sum of the first
            download is kept beside the file and compared at the next.
        size: bytes expected, if known.

    Raises DownloadError naming the URL, what came, what was expected and what to do next.
    """
    if target.is_file():
        verify(target, checksum or _remembered(target), url)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for last, pause in [(False, p) for p in pauses] + [(True, 0)]:
        try:
            _fetch(url, part, size)
            break
        except (urllib.error.URLError, ConnectionError, TimeoutError, EOFError) as problem:
            if isinstance(problem, urllib.error.HTTPError) and problem.code < 500:
                raise DownloadError(
                    f"{url} answers {problem.code} ({problem.reason}). {_by_hand(target)}"
                ) from None
            if last:
                got = part.stat().st_size if part.is_file() else 0
                raise DownloadError(
                    f"{url} broke off after {got:,} bytes ({problem}). Run the same command again: it goes on from there. {_by_hand(target)}"
                ) from None
            time.sleep(pause)
    try:
        verify(part, checksum or _remembered(target), url)
    except DownloadError:
        part.unlink(missing_ok=True)
        raise
    part.replace(target)
    _remember(target)
    return target


def _fetch(url: str, part: Path, size: int | None) -> None:
    """One try: append what is missing of `part`."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as problem:
        if (
            problem.code == 416 and have
        ):  # nothing is missing, or the file has changed: the checksum decides
            return
        raise
    with answer:
        if answer.headers.get_content_type() == "text/html" and not url.endswith((".html", "/")):
            raise DownloadError(
                f"{url} sent a web page instead of a file; it probably asks for a login. {_by_hand(part.with_suffix(''))}"
            )
        if have and answer.status != 206:
            have = 0  # the server knows no ranges and starts anew
        coming = int(answer.headers.get("Content-Length") or 0)
        require_space(part.parent, coming)
        total = have + coming if coming else size
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    got = part.stat().st_size
    if coming and got < have + coming:
        raise EOFError(f"{got:,} of {have + coming:,} bytes came")
    if size is not None and got != size:
        part.unlink()
        raise DownloadError(
            f"{url} has {got:,} bytes; expected {size:,}. The source has changed: look for a mirror with --base-url."
        )


def verify(path: Path, checksum: str | None, url: str) -> None:
    """Raise DownloadError if the file's sum is not the expected one."""
    if checksum is None:
        return
    kind, _, expected = checksum.partition(":")
    found = digest(path, kind)
    if found != expected.lower():
        raise DownloadError(
            f"{path.name} from {url} has {kind} {found}; expected {expected}. Delete {path} if it is there and run again,"
            " or name a mirror with --base-url."
        )


def digest(path: Path, kind: str) -> str:
    """Hexadecimal sum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def require_space(folder: Path, needed: int) -> None:
    """Raise DownloadError if the disk has no room for `needed` bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if needed * 1.02 > free:
        raise DownloadError(
            f"{folder} has {free / 1e9:.1f} GB free; {needed / 1e9:.1f} GB are needed. Make room, or choose another disk with --root."
        )


def _manifest(target: Path) -> Path:
    return target.parent / "checksums.json"


def _remembered(target: Path) -> str | None:
    path = _manifest(target)
    return json.loads(path.read_text(encoding="utf-8")).get(target.name) if path.is_file() else None


def _remember(target: Path) -> None:
    path = _manifest(target)
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known[target.name] = f"sha256:{digest(target, 'sha256')}"
    write_whole(path, json.dumps(known, indent=1, sort_keys=True) + "\n")


def _by_hand(target: Path) -> str:
    return (
        f"If you have the file from elsewhere, put it at {target} and run the same command again."
    )
