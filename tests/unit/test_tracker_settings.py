"""Every setting of every tracker has a range, is taken at its ends and refused beyond them."""

from __future__ import annotations

import math
import typing
from dataclasses import fields, is_dataclass
from typing import Annotated, Literal

import numpy as np
import pytest

from course_lib.errors import DataError, SettingsError
from course_lib.recipe import Range, load_settings
from course_lib.trackers import TRACKER_NAMES, make_tracker
from course_lib.trackers.atom import ATOMSettings
from course_lib.trackers.baselines import RandomWalkSettings
from course_lib.trackers.climbing import ClimbSettings
from course_lib.trackers.dimp_classifier import DiMPClassifierSettings
from course_lib.trackers.first_samples import SampleSettings
from course_lib.trackers.kcf import KCFSettings
from course_lib.trackers.localise import LocalisationSettings
from course_lib.trackers.mosse import MOSSESettings
from course_lib.trackers.online_classifier import ClassifierSettings
from course_lib.trackers.scale import ScaleFilterSettings
from course_lib.trackers.siamfc import SiamFCSettings
from course_lib.trackers.siammargin import SiamMarginSettings
from course_lib.trackers.siamrpn import SiamRPNSettings
from course_lib.trackers.template import TemplateSettings

CLASSES = (
    ATOMSettings,
    ClassifierSettings,
    ClimbSettings,
    DiMPClassifierSettings,
    KCFSettings,
    LocalisationSettings,
    MOSSESettings,
    RandomWalkSettings,
    SampleSettings,
    ScaleFilterSettings,
    SiamFCSettings,
    SiamMarginSettings,
    SiamRPNSettings,
    TemplateSettings,
)
# texts, checked where they are used; and the one number for which any value makes sense
FREE = {"weights", "classifier", "device", "features", "psr_threshold"}
NEXT = {"scales": 2, "largest": 16}  # the steps of settings that are not taken one by one


def ranged() -> list:
    found = []
    for cls in CLASSES:
        hints = typing.get_type_hints(cls, include_extras=True)
        for field in fields(cls):
            hint = hints[field.name]
            if typing.get_origin(hint) is Annotated:
                limit = next(a for a in typing.get_args(hint) if isinstance(a, Range))
                found.append((cls, field.name, limit, typing.get_args(hint)[0]))
            elif typing.get_origin(hint) is tuple:
                assert typing.get_origin(typing.get_args(hint)[0]) is Annotated, field.name
            elif typing.get_origin(hint) is not Literal and hint is not bool:
                if is_dataclass(hint):
                    assert hint in CLASSES, f"{hint.__name__} is not among those tried here"
                    continue
                assert field.name in FREE, f"{cls.__name__}.{field.name} has no range"
    return found


@pytest.mark.parametrize(("cls", "name", "limit", "kind"), ranged())
def test_each_is_taken_at_its_ends_and_refused_beyond(cls, name, limit, kind):
    step = NEXT.get(name, 1) if kind is int else 1e-6
    lowest = limit.low + step if limit.above else limit.low
    highest = limit.high if limit.high < math.inf else 1e6
    if name == "largest":
        highest = 1023  # 255 + 48 · 16
    for value in (lowest, highest):
        assert getattr(cls(**{name: kind(value)}), name) == value
    beyond = [limit.low if limit.above else limit.low - step, math.nan, -math.inf, "much", None]
    beyond += [limit.high + step] if limit.high < math.inf else []
    for value in beyond:
        with pytest.raises(SettingsError, match=name):
            cls(**{name: value})
        if isinstance(value, float) and math.isfinite(value):
            with pytest.raises(SettingsError, match=name):
                load_settings(cls, None, {name: str(value)})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kcf", {"kernel": "rbf"}),
        ("kcf", {"features": "hog+hue"}),
        ("kcf", {"features": ""}),
        ("siamfc", {"scales": 4}),
        ("atom", {"scales": 2}),
        ("atom", {"classifier": "atom-lite0"}),
        ("atom", {"samples": {"blurs": [1.0]}}),
        ("atom", {"samples": {"rotations": [200]}}),
        ("siamfc", {"precision": "fp8"}),
        ("siamfc", {"weights": ""}),
        ("siammargin", {"largest": 300}),
        ("siamrpn", {"precision": True}),
    ],
)
def test_unknown_words_are_refused(name, settings):
    with pytest.raises((SettingsError, DataError)):
        make_tracker(name, **settings)


NUMPY = ("stay-put", "random-walk", "ncc", "mosse", "kcf")


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("corner", ["low", "high"])
def test_a_tracker_runs_with_each_setting_at_its_end(name, corner, tiny_frame):
    """No setting in its range makes a tracker fail, hang or return a box that is not finite."""
    cls = type(make_tracker(name).settings)
    for c, key, limit, kind in ranged():
        value = limit.low if corner == "low" else limit.high
        if c is not cls or not math.isfinite(value) or limit.above or kind(value) > 1e6:
            continue
        tracker = make_tracker(name, **{key: kind(value)})
        tracker.init(tiny_frame, [20, 15, 14, 12])
        for _ in range(3):
            assert np.isfinite(tracker.update(tiny_frame)).all(), (key, value)


@pytest.fixture
def tiny_frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_every_tracker_with_settings_is_tried():
    classes = {type(make_tracker(n).settings) for n in TRACKER_NAMES if n in NUMPY}
    assert classes - {type(make_tracker("stay-put").settings)} <= set(CLASSES)
