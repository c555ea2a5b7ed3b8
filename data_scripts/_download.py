"""Downloads that leave either a complete, verified file or none: resuming, retries, checksums, disk
space."""

from __future__ import annotations

import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from _checksums import remember, remembered, verify
from _errors import (
    TIMEOUT,
    TRY_AGAIN,
    WEB_PAGE,
    DownloadError,
    given_up,
    in_words,
    kept,
    web_page,
)
from tqdm.auto import tqdm

from course_lib.errors import os_error_in_words

CHUNK = 1 << 18  # bytes
PAUSES = (0.5, 2, 8)  # seconds between tries
BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, EOFError)


def download(
    url: str, target: Path, checksum: str | None = None, size: int | None = None, pauses=PAUSES
) -> Path:
    """Fetch `url` into `target`, resuming an interrupted download.

    Args:
        url: address of the file.
        target: where to save it.
        checksum: "md5:…", "sha1:…" or "sha256:…" if the source publishes one. Without one, the
            checksum of the download is recorded beside the file and compared at the next use.
        size: expected number of bytes, if known.
        pauses: seconds between tries.

    Raises:
        DownloadError: with the URL, what was received, what was expected and what to do next.
    """
    url, part = usable_address(url), target.with_name(target.name + ".part")
    for path in (target, part):
        if path.is_dir():
            raise DownloadError(
                f"{path} is a folder; expected a file, or nothing. Move it away and run again."
            )
    known = remembered(target)  # read before fetching anything: the record may be damaged
    if target.is_file():
        verify(target, checksum or known, url)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _fetch_patiently(url, part, size, pauses)
    try:
        _refuse_web_page(url, part)
        verify(part, checksum, url)
    except DownloadError:
        part.unlink(missing_ok=True)
        raise
    part.replace(target)
    remember(target)
    return target


def usable_address(url: str) -> str:
    """The address with blanks and other special characters in its path escaped.

    Raises DownloadError unless it begins with http:// or https:// and a host.
    """
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", parts.netloc):
        raise DownloadError(
            f"{url!r} is not a usable address; expected one that begins with http:// or https:// "
            "and a host"
        )
    return urlunsplit(parts._replace(path=quote(parts.path, safe="/%:@!$&'()*+,;=~")))


def require_space(folder: Path, needed: int) -> None:
    """Raise DownloadError if the disk has no space for `needed` bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if needed * 1.02 > free:
        raise DownloadError(
            f"{folder} has {free / 1e9:.1f} GB free; {needed / 1e9:.1f} GB are needed. Free some "
            "space, or choose another disk with --root."
        )


def _fetch_patiently(url: str, part: Path, size: int | None, pauses) -> None:
    """Retry, with pauses, until the file is complete; partial data are kept for the next run."""
    for last, pause in [(False, p) for p in pauses] + [(True, 0)]:
        try:
            return _fetch(url, part, size)
        except BROKEN as problem:
            if last or _is_final(problem):
                raise given_up(url, part, problem) from None
            time.sleep(pause)
        finally:
            if part.is_file() and part.stat().st_size == 0:
                part.unlink()


def _fetch(url: str, part: Path, size: int | None) -> None:
    """One try: append the missing bytes to `part`."""
    have = part.stat().st_size if part.is_file() else 0
    answer = _open(url, part, have)
    if answer is None:
        return
    with answer:
        usable_address(answer.url)  # a redirection may lead anywhere
        if answer.headers.get_content_type() == "text/html" and not _may_be_page(url):
            raise web_page(url, part)
        have = _begin(answer, part, have)
        coming = answer.length  # None if the server does not say
        require_space(part.parent, coming or 0)
        total = size if coming is None else have + coming
        with (
            part.open("ab" if have else "wb", buffering=0) as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            while chunk := _read(answer):
                _write(file, chunk, part)
                bar.update(len(chunk))
    _check_size(url, part, size, total if coming is not None else None)


def _open(url: str, part: Path, have: int):
    """The server's response to a request for the missing bytes; None if there are none."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as problem:
        if problem.code != 416 or not have:
            raise
        whole = re.fullmatch(r"bytes \*/([0-9]+)", problem.headers.get("Content-Range", ""))
        if whole and int(whole[1]) == have:
            return None
        part.unlink()  # longer than the file, or part of another one
        return urllib.request.urlopen(url, timeout=TIMEOUT)


def _begin(answer, part: Path, have: int) -> int:
    """The byte at which the response begins: the end of `part`, or 0."""
    if not have or answer.status != 206:
        return 0  # the server does not support ranges and starts over, or `part` is gone
    first = re.match(r"bytes ([0-9]+)-", answer.headers.get("Content-Range", ""))
    if first and int(first[1]) != have:
        part.unlink(missing_ok=True)
        raise EOFError(f"it sent bytes from {first[1]} on, but was asked for those from {have} on")
    return have if part.is_file() else 0


def _read(answer) -> bytes:
    try:
        return answer.read1(CHUNK)  # keeps the bytes received before a connection breaks
    except OSError as problem:  # from the connection, not from a disk
        raise ConnectionError(in_words(problem)) from None


def _write(file, chunk: bytes, part: Path) -> None:
    """Write all of a chunk; an error such as a full disk says what is kept."""
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as problem:
        said = os_error_in_words(OSError(problem.errno, problem.strerror, str(part)))
        raise DownloadError(f"{said}. {kept(part)}") from None


def _check_size(url: str, part: Path, size: int | None, promised: int | None) -> None:
    got = part.stat().st_size if part.is_file() else 0
    if promised is not None and got < promised:
        raise EOFError(f"received {got:,} of {promised:,} bytes")
    if size is not None and got != size:
        part.unlink(missing_ok=True)
        raise DownloadError(
            f"{url} has {got:,} bytes; expected {size:,}. The source has changed: give a mirror "
            "with --base-url."
        )


def _is_final(problem: Exception) -> bool:
    """Whether retrying now cannot help."""
    if isinstance(problem, urllib.error.HTTPError):
        return problem.code < 500 and problem.code not in TRY_AGAIN
    return isinstance(getattr(problem, "reason", None), ssl.SSLCertVerificationError)


def _may_be_page(url: str) -> bool:
    return url.endswith((".html", "/"))


def _refuse_web_page(url: str, part: Path) -> None:
    """Raise DownloadError if the server sent a web page instead of the file."""
    with part.open("rb") as file:
        if WEB_PAGE.match(file.read(2048).removeprefix(b"\xef\xbb\xbf")) and not _may_be_page(url):
            raise web_page(url, part)
