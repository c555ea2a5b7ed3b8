"""The error class of the data scripts, and its messages about failing connections."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import sys
import urllib.error
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))  # finds course_lib if not installed

from course_lib.errors import CourseError

TIMEOUT = 30  # seconds without a response
TRY_AGAIN = (408, 425, 429)  # temporary faults, besides 500 and above
WEB_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype html|html)\b", re.IGNORECASE | re.DOTALL)


class DownloadError(CourseError):
    """A file could not be fetched or unpacked, or has the wrong content.

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
            f"and run the same command again. {by_hand(part)}"
        )
    return DownloadError(
        f"{url} broke off after {got:,} bytes ({in_words(problem)}). Run the same command again "
        f"to resume. {kept(part)} {by_hand(part)}"
    )


def hint(code: int) -> str:
    """The meaning of a status code, if it is not obvious."""
    if code in (401, 403, 407):
        return "It asks for a login, or refuses programs. "
    if code in TRY_AGAIN or code >= 500:
        return "The server has a problem or asks to wait: run the same command again later. "
    return ""


def in_words(problem: Exception) -> str:
    """What went wrong with a connection, in words."""
    reason = getattr(problem, "reason", problem)
    if isinstance(reason, socket.gaierror):
        return "the host name is unknown, or this machine is not online"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not accepted ({reason.verify_message}); check this machine's date"
        )
    if isinstance(reason, TimeoutError):
        return f"no response for {TIMEOUT} seconds"
    if isinstance(reason, http.client.IncompleteRead):
        return "the connection ended before the file did"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def web_page(url: str, part: Path) -> DownloadError:
    """The error for a web page received instead of a file."""
    return DownloadError(
        f"{url} sent a web page instead of a file; it probably asks for a login. {by_hand(part)}"
    )


def kept(part: Path) -> str:
    """A sentence on the partial file that is left on the disk."""
    size = part.stat().st_size if part.is_file() else 0
    return (
        f"The {size:,} bytes received so far are kept in {part} for the next run; delete it if you "
        "do not want to resume."
        if size
        else "Nothing is kept."
    )


def by_hand(part: Path) -> str:
    """A sentence on where to put a file obtained in another way."""
    place = part.with_suffix("")
    return f"If you have the file from elsewhere, put it at {place} and run the same command again."
