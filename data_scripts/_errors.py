"""The error of the data scripts, and what it says of connections that fail."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import sys
import urllib.error
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # the course, installed or not

from course_lib.errors import CourseError

TIMEOUT = 30  # seconds without an answer
TRY_AGAIN = (408, 425, 429)  # besides 500 and more: what a server in trouble answers
WEB_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype html|html)\b", re.IGNORECASE | re.DOTALL)


class DownloadError(CourseError):
    """A file could not be fetched or unpacked, or is not what it should be.

    Nothing is left under its final name.
    """


def given_up(url: str, part: Path, problem: Exception) -> DownloadError:
    """The error after the last try: what happened, what is kept, what to do."""
    if isinstance(problem, urllib.error.HTTPError):
        return DownloadError(
            f"{url} answers {problem.code} ({problem.reason}). {hint(problem.code)}{by_hand(part)}"
            f"{' ' + kept(part) if part.is_file() else ''}"
        )
    got = part.stat().st_size if part.is_file() else 0
    if not got:
        return DownloadError(
            f"{url} cannot be fetched: {in_words(problem)}. Check the connection and the address, "
            "and run the same "
            f"command again. {by_hand(part)}"
        )
    return DownloadError(
        f"{url} broke off after {got:,} bytes ({in_words(problem)}). Run the same command again: "
        "it goes on from there. "
        f"{kept(part)} {by_hand(part)}"
    )


def hint(code: int) -> str:
    """What an answer's number means, where it is not plain."""
    if code in (401, 403, 407):
        return "It asks for a login, or lets no programs in. "
    if code in TRY_AGAIN or code >= 500:
        return "The server is in trouble or asks to wait: run the same command again later. "
    return ""


def in_words(problem: Exception) -> str:
    """What went wrong with a connection."""
    reason = getattr(problem, "reason", problem)
    if isinstance(reason, socket.gaierror):
        return "no machine of that name is known, or this machine is not online"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not accepted ({reason.verify_message}); check this machine's date"
        )
    if isinstance(reason, TimeoutError):
        return f"no answer for {TIMEOUT} seconds"
    if isinstance(reason, http.client.IncompleteRead):
        return "the connection ended before the file did"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def web_page(url: str, part: Path) -> DownloadError:
    """The error of a page that came in place of a file."""
    return DownloadError(
        f"{url} sent a web page instead of a file; it probably asks for a login. {by_hand(part)}"
    )


def kept(part: Path) -> str:
    """What is left on the disk, and why; nothing if nothing came."""
    size = part.stat().st_size if part.is_file() else 0
    return (
        f"The {size:,} bytes that came are kept in {part} for the next run; delete it if you want "
        "none."
        if size
        else "Nothing is kept."
    )


def by_hand(part: Path) -> str:
    """Where to put a file that was fetched in another way."""
    place = part.with_suffix("")
    return f"If you have the file from elsewhere, put it at {place} and run the same command again."
