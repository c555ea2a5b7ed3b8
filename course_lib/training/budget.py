"""The time that a command may take, and how it reports that it stopped in time."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from course_lib.errors import SettingsError

# exit status of a command whose budget ended before its work: "try again later" in sysexits.h
STOPPED = 75
LONGEST = 366 * 86_400  # seconds


def stopped_in_time(under_torchrun: bool) -> int:
    """The exit status of a command whose budget ended before its work.

    torchrun treats any status but 0 as a failure: it prints a traceback and exits with 1. So under
    torchrun the status is 0, and a marker file tells `runs` that the work is unfinished.
    """
    mark = os.environ.get("COURSE_STOPPED")
    if mark:
        Path(mark).touch()
    return 0 if under_torchrun else STOPPED


def budget_from_outside() -> float | None:
    """Seconds that `runs` allows the command it started; None for a command started by hand."""
    text = os.environ.get("COURSE_BUDGET")
    return None if text is None else seconds_of(text, unit="s")


def seconds_of(text: str, unit: str = "", what: str = "budget") -> float:
    """Seconds of "90s", "9m" or "2h", or of a bare number in `unit`, if that is given.

    Args:
        text: the time.
        unit: of a bare number.
        what: what it is the time for, in the message.

    Raises:
        SettingsError: for anything else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([smh]?)\s*", text, re.ASCII)
    factor = {"s": 1, "m": 60, "h": 3600}.get((found[2] or unit) if found else "", math.nan)
    seconds = float(found[1]) * factor if found else math.nan
    if not 0 < seconds <= LONGEST:
        raise SettingsError(
            f"{what} {text!r} is not a time; expected for example 90s, 9m or 2h, at most a year"
        )
    return seconds
