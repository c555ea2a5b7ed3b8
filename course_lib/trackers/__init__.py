"""Floor 3: online trackers, frame in, box out. `make_tracker("mosse", rate=0.2)` makes one by
name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from course_lib.errors import SettingsError
from course_lib.lookup import load, row
from course_lib.recipe import load_settings
from course_lib.trackers.base import Tracker

# name → its class, which carries its `Settings` and whether it can run in lock-step
TRACKERS = {
    "stay-put": "course_lib.trackers.baselines:StayPut",
    "random-walk": "course_lib.trackers.baselines:RandomWalk",
    "ncc": "course_lib.trackers.template:TemplateMatching",
    "mosse": "course_lib.trackers.mosse:MOSSE",
    "kcf": "course_lib.trackers.kcf:KCF",
    "siamfc": "course_lib.trackers.siamfc:SiamFCTracker",
    "siammargin": "course_lib.trackers.siammargin:SiamMarginTracker",
    "siamrpn": "course_lib.trackers.siamrpn:SiamRPNTracker",
    "atom": "course_lib.trackers.atom:ATOMTracker",
    "onestream": "course_lib.trackers.onestream:OneStreamTracker",
    "opencv-mosse": "course_lib.trackers.opencv:OpenCVMOSSE",
    "opencv-kcf": "course_lib.trackers.opencv:OpenCVKCF",
    "opencv-csrt": "course_lib.trackers.opencv:OpenCVCSRT",
    "opencv-nano": "course_lib.trackers.opencv_networks:OpenCVNano",
    "opencv-vit": "course_lib.trackers.opencv_networks:OpenCVVit",
}
TRACKER_NAMES = tuple(TRACKERS)


def tracker_class(name: str) -> type[Tracker]:
    """The class of a tracker, imported only now: PyTorch alone takes seconds to import.

    Raises SettingsError for an unknown name.
    """
    return load(row(TRACKERS, name, "tracker"))


def make_tracker(name: str, recipe: Path | str | None = None, **overrides: Any) -> Tracker:
    """A tracker by name.

    Args:
        name: one of TRACKERS.
        recipe: YAML file with its settings; None for its defaults.
        overrides: settings that take precedence over the recipe.

    Raises:
        SettingsError: for an unknown name or setting.
        CourseError: if the installed OpenCV lacks the tracker.
    """
    kind = tracker_class(name)
    if kind.Settings is not None:
        return kind(load_settings(kind.Settings, recipe, overrides))
    if overrides or recipe:
        raise SettingsError(f"tracker {name!r} has fixed settings and takes none")
    return kind()
