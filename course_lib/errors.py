"""Errors that a person reads: what was wrong, what was expected, what to do next."""


class CourseError(Exception):
    """Base of every error the course raises on purpose. The command line prints it without a traceback."""


class DataError(CourseError, ValueError):
    """A file, folder, frame or box is not what its format promises."""


class MissingDataError(DataError, FileNotFoundError):
    """Data that should be on disk is not there. The message names the command that fetches it."""

    def __str__(self) -> str:  # FileNotFoundError would print "[Errno …]"-style text
        return str(self.args[0]) if self.args else ""


class SettingsError(CourseError, ValueError):
    """A recipe or an override has an unknown key or a value of the wrong kind."""
