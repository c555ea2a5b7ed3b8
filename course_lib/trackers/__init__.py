"""Floor 3: online trackers, frame in, box out; made by name with `make_tracker("mosse",
rate=0.2)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course_lib.errors import SettingsError
from course_lib.lookup import load, row
from course_lib.recipe import load_settings
from course_lib.trackers.base import Tracker

# name → where its class is, which carries its `Settings` and whether it runs in lock-step
TRACKERS = {
    "stay-put": "course_lib.trackers.baselines:StayPut",
    "random-walk": "course_lib.trackers.baselines:RandomWalk",
    "ncc": "course_lib.trackers.template:TemplateMatching",
    "mosse": "course_lib.trackers.mosse:MOSSE",
    "kcf": "course_lib.trackers.kcf:KCF",
    "siamfc": "course_lib.trackers.siamfc:SiamFCTracker",
    "siammargin": "course_lib.trackers.siammargin:SiamMarginTracker",
    "siamrpn": "course_lib.trackers.siamrpn:SiamRPNTracker",
    "opencv-mosse": "course_lib.trackers.opencv:OpenCVMOSSE",
    "opencv-kcf": "course_lib.trackers.opencv:OpenCVKCF",
    "opencv-csrt": "course_lib.trackers.opencv:OpenCVCSRT",
}
TRACKER_NAMES = tuple(TRACKERS)


def tracker_class(name: str) -> type[Tracker]:
    """The class of a tracker, imported when it is asked for: PyTorch alone takes seconds.

    Raises SettingsError for a name nobody knows.
    """
    return load(row(TRACKERS, name, "tracker"))


def make_tracker(name: str, recipe: Path | str | None = None, **overrides: Any) -> Tracker:
    """A tracker by name.

    Args:
        name: one of TRACKERS.
        recipe: YAML file with its settings; None for its defaults.
        overrides: settings that win over the recipe.

    Raises:
        SettingsError: for a name or a setting nobody knows.
        CourseError: if the installed OpenCV lacks the tracker.
    """
    kind = tracker_class(name)
    if kind.Settings is not None:
        return kind(load_settings(kind.Settings, recipe, overrides))
    if overrides or recipe:
        raise SettingsError(f"tracker {name!r} runs with settings of its own and takes none")
    return kind()
