"""Sizes of search image at which a proposal network's map has its centre at the image's."""

from __future__ import annotations

import pytest
import torch

from course_lib.errors import SettingsError
from course_lib.geometry.windows import check_search
from course_lib.models.concat_broadcast import SiamBroadcastRPN, SiamConcatRPN
from course_lib.models.device import Placement
from course_lib.models.runtime import ProposalRuntime
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.places import RECIPES
from course_lib.recipe import load_settings
from course_lib.trackers.siamrpn import SiamRPNSettings, SiamRPNTracker

CPU = Placement(torch.device("cpu"), bf16=False)
NETWORKS = {
    "siamrpn": lambda: SiamRPN("depthwise", 8, widths=(4, 8, 8, 8, 8)),
    "lite0": lambda: SiamRPNpp("lite0", 8),
    "dilated": lambda: SiamRPNpp("lite0", 8, dilated=True),
    "broadcast": SiamBroadcastRPN,
    "concat": SiamConcatRPN,
}


def tracker(name: str, search: int) -> SiamRPNTracker:
    return SiamRPNTracker(
        SiamRPNSettings(search=search), ProposalRuntime(NETWORKS[name]().eval(), CPU)
    )


@pytest.mark.parametrize(
    ("name", "search", "words"),
    [
        ("siamrpn", 262, "search is 262; expected 127 plus a multiple of 8, .*: 255 or 263"),
        ("lite0", 263, "search is 263; expected 127 plus a multiple of 16, .*: 255 or 271"),
        ("lite0", 279, "271 or 287"),
        ("dilated", 262, "255 or 263"),
        ("broadcast", 271, "search is 271; siambroadcastrpn only accepts 255"),
    ],
)
def test_the_tracker_refuses_a_map_that_is_off_the_centre(name, search, words):
    with pytest.raises(SettingsError, match=words):
        tracker(name, search)


@pytest.mark.parametrize(
    ("name", "search"),
    [
        *(("siamrpn", 255), ("siamrpn", 263), ("siamrpn", 287), ("lite0", 255), ("lite0", 271)),
        *(("dilated", 263), ("broadcast", 255), ("concat", 262)),
    ],
)
def test_the_tracker_accepts_the_others(name, search):
    assert tracker(name, search).settings.search == search


def test_shipped_recipes_are_accepted():
    for path in RECIPES.glob("siamrpn*.yaml"):
        settings = load_settings(SiamRPNSettings, path)
        assert SiamRPNTracker(settings).settings.search == settings.search


def test_sizes_are_counted_from_the_exemplars():
    check_search(255, 16, None, "x")
    check_search(300, 1, None, "x")
    check_search(256, 16, 256, "x")  # the only one, whatever the step
    with pytest.raises(SettingsError, match="search is 256; expected 127 .*: 255 or 259"):
        check_search(256, 4, None, "x")
