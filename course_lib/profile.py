"""One switch for the size of every experiment: the profile.

The tests run `smoke`; `laptop` is the default without a GPU, `gpu` the default with one. Set
`COURSE_PROFILE=smoke|laptop|gpu` to choose yourself.
"""

from __future__ import annotations

import os
from typing import TypeVar

from course_lib.errors import SettingsError

PROFILES = ("smoke", "laptop", "gpu")
T = TypeVar("T")


def current_profile() -> str:
    """Name of the current profile.

    Raises SettingsError if COURSE_PROFILE is set to anything but the name of a profile.
    """
    chosen = os.environ.get("COURSE_PROFILE", "").strip().lower()
    if not chosen:
        # torch takes seconds to import, so it is asked only when no profile was chosen
        import torch

        return "gpu" if torch.cuda.is_available() else "laptop"
    if chosen not in PROFILES:
        raise SettingsError(
            f"COURSE_PROFILE is {chosen!r}; expected one of {', '.join(PROFILES)}. Unset it to let "
            "the machine decide."
        )
    return chosen


def by_profile(*, smoke: T, laptop: T, gpu: T) -> T:
    """The value for the current profile: `by_profile(smoke=8, laptop=100, gpu=1000)`."""
    return {"smoke": smoke, "laptop": laptop, "gpu": gpu}[current_profile()]
