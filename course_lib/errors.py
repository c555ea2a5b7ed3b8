"""Errors written for people: what was wrong, what was expected, what to do next."""

from __future__ import annotations

import errno


class CourseError(Exception):
    """Base class of every error the course raises on purpose. The command line prints it without
    a traceback."""


class DataError(CourseError, ValueError):
    """A file, folder, frame or box is not what its format promises."""


class MissingDataError(DataError, FileNotFoundError):
    """Data that should be on disk is not there. The message names the command that fetches it."""

    def __str__(self) -> str:  # FileNotFoundError would print "[Errno …]"-style text
        return str(self.args[0]) if self.args else ""


class SettingsError(CourseError, ValueError):
    """A recipe or an override has an unknown key or a value of the wrong kind."""


# the operating system's error numbers in words, each with a remedy; {file} is the file concerned
OS_ERRORS = {
    errno.ENOSPC: (
        "there is no room left on the disk of {file}; free some and run the same command again"
    ),
    errno.EDQUOT: (
        "your quota on the disk of {file} is used up; free some space and run the same command "
        "again"
    ),
    errno.EACCES: (
        "no permission to read or write {file}; change its permissions, or name another place"
    ),
    errno.EPERM: (
        "the system does not allow this on {file}; change its owner or permissions, or "
        "name another place"
    ),
    errno.EROFS: "{file} is on a disk that is mounted read-only; name another place to write to",
    errno.ENOENT: "{file} does not exist; check the path",
    errno.ENOTDIR: (
        "{file} is used as a folder, but a part of that path is a file; move the file or name "
        "another place"
    ),
    errno.EISDIR: "{file} is a folder; expected a file",
    errno.EEXIST: "{file} already exists; move it or name another place",
    errno.ENOTEMPTY: "the folder {file} is not empty; move it or name another place",
    errno.ENAMETOOLONG: "the name {file} is longer than the system allows; give a shorter one",
    errno.ELOOP: "{file} is a link that points back to itself; remove it",
    errno.EMFILE: (
        "too many files are open at once (the last was {file}); raise the limit with "
        "`ulimit -n 4096`"
    ),
    errno.EIO: (
        "the disk of {file} reports an error; check the disk, then run the same command again"
    ),
}


def os_error_in_words(problem: OSError) -> str:
    """One sentence for an operating system error: the file, what is wrong with it, what to do
    next."""
    named = [str(name) for name in (problem.filename, problem.filename2) if name is not None]
    file = " → ".join(named) or "a file"
    words = OS_ERRORS.get(problem.errno)
    if words is None:
        reason = problem.strerror or str(problem) or type(problem).__name__
        return (
            f"{file}: the system says {reason!r}; check the path and the disk, then run the "
            "same command again"
        )
    return words.format(file=file)
