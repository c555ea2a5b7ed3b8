"""Floor 3: online trackers, frame in, box out. `make_tracker("mosse", rate=0.2)` makes one by
name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from course_lib.errors import SettingsError
from course_lib.lookup import load, row
from course_lib.places import RECIPES
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


class System(NamedTuple):
    """A system of the course that is one of these trackers with another network or other settings.

    Attributes:
        tracker: its name in TRACKERS.
        recipe: name of the recipe with its settings; "" for the tracker's defaults.
        settings: that differ from the recipe's.
    """

    tracker: str
    recipe: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})

    @property
    def path(self) -> Path | None:
        """The recipe's file."""
        return RECIPES / f"{self.recipe}.yaml" if self.recipe else None


SYSTEMS = {
    "siamfc-5s": System("siamfc", "siamfc_5s"),
    "siamfc-lite0": System("siamfc", "siamfc", {"weights": "heads-siamfc"}),
    "siamrpnpp": System("siamrpn", "siamrpnpp"),
    "siamconcatrpn": System("siamrpn", "siamrpn", {"weights": "heads-concat"}),
    "siambroadcastrpn": System("siamrpn", "siamrpn", {"weights": "heads-broadcast"}),
    "ciresnet22": System("siamfc", "siamfc", {"weights": "ciresnet22"}),
    "atom-scales": System("atom", settings={"refine": False}),
    "dimp": System("atom", settings={"classifier": "dimp-lite0"}),
}
ALL_NAMES = (*TRACKERS, *SYSTEMS)
RANKED = tuple(name for name in ALL_NAMES if name != "random-walk")  # on the leaderboard


def system(name: str) -> System:
    """The system called `name`, in TRACKERS or SYSTEMS.

    Raises SettingsError for an unknown name.
    """
    return row({**{own: System(own) for own in TRACKERS}, **SYSTEMS}, name, "tracker")


def tracker_class(name: str) -> type[Tracker]:
    """The class of a tracker or system, imported only now: PyTorch alone takes seconds to import.

    Raises SettingsError for an unknown name.
    """
    return load(TRACKERS[system(name).tracker])


def make_tracker(name: str, recipe: Path | str | None = None, **overrides: Any) -> Tracker:
    """A tracker by name.

    Args:
        name: one of TRACKERS or SYSTEMS.
        recipe: YAML file with its settings; None for its own.
        overrides: settings that take precedence over the recipe.

    Raises:
        SettingsError: for an unknown name or setting.
        CourseError: if the installed OpenCV lacks the tracker.
    """
    kind, own = tracker_class(name), system(name)
    if kind.Settings is not None:
        recipe = recipe or own.path
        return kind(load_settings(kind.Settings, recipe, {**own.settings, **overrides}))
    if overrides or recipe:
        raise SettingsError(f"tracker {name!r} has fixed settings and takes none")
    return kind()
