"""Floor 3: online trackers, frame in, box out; made by name with `make_tracker("mosse",
rate=0.2)`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from course_lib.errors import SettingsError
from course_lib.recipe import load_settings
from course_lib.trackers.base import Tracker, accept_start
from course_lib.trackers.baselines import (
    RandomWalk,
    RandomWalkSettings,
    StayPut,
    StayPutSettings,
)
from course_lib.trackers.kcf import KCF, KCFSettings
from course_lib.trackers.mosse import MOSSE, MOSSESettings
from course_lib.trackers.opencv import KINDS, OpenCVTracker
from course_lib.trackers.template import TemplateMatching, TemplateSettings

__all__ = [
    "KCF",
    "MOSSE",
    "TRACKER_NAMES",
    "KCFSettings",
    "MOSSESettings",
    "OpenCVTracker",
    "RandomWalk",
    "StayPut",
    "TemplateMatching",
    "Tracker",
    "accept_start",
    "make_tracker",
]

WITH_SETTINGS = {
    "stay-put": (StayPut, StayPutSettings),
    "random-walk": (RandomWalk, RandomWalkSettings),
    "ncc": (TemplateMatching, TemplateSettings),
    "mosse": (MOSSE, MOSSESettings),
    "kcf": (KCF, KCFSettings),
}
# imported when asked for: PyTorch takes seconds to import
DEEP = "siamfc", "siammargin", "siamrpn"
# one call of the network a frame, so that many targets can share it
LOCKSTEP = "siamfc", "siamrpn"
TRACKER_NAMES = (*WITH_SETTINGS, *DEEP, *(f"opencv-{kind}" for kind in KINDS))


def make_tracker(name: str, recipe: Path | str | None = None, **overrides: Any) -> Tracker:
    """A tracker by name, with settings from a recipe file and `overrides` on top.

    Raises SettingsError for a name or a setting nobody knows, CourseError if OpenCV lacks the
    tracker.
    """
    if name in WITH_SETTINGS or name in DEEP:
        tracker, settings = WITH_SETTINGS[name] if name in WITH_SETTINGS else _deep(name)
        return tracker(load_settings(settings, recipe, overrides))
    if name.startswith("opencv-") and name in TRACKER_NAMES:
        if overrides or recipe:
            raise SettingsError(f"tracker {name!r} runs with OpenCV's own settings and takes none")
        return OpenCVTracker(name.removeprefix("opencv-"))
    near = difflib.get_close_matches(name, TRACKER_NAMES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"there is no tracker {name!r}.{hint} Known: {', '.join(TRACKER_NAMES)}.")


def _deep(name: str) -> tuple[type[Tracker], type]:
    """A tracker that needs PyTorch, and its settings."""
    from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker
    from course_lib.trackers.siammargin import SiamMarginSettings, SiamMarginTracker
    from course_lib.trackers.siamrpn import SiamRPNSettings, SiamRPNTracker

    known = {
        "siamfc": (SiamFCTracker, SiamFCSettings),
        "siammargin": (SiamMarginTracker, SiamMarginSettings),
        "siamrpn": (SiamRPNTracker, SiamRPNSettings),
    }
    return known[name]
