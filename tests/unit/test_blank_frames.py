"""Frames without contrast, as after a cut to black: no classical tracker walks away, changes its
size, or learns from them."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.generated import make_sequence, random_spec
from course_lib.places import RECIPES
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker, confidence_of
from course_lib.trackers.scale import ScaleFilter

TRACKERS = {
    "ncc": {},
    "mosse": {"psr_threshold": 0.0},  # with the default, no response is believed anyway
    **{
        f"kcf {path.stem}": {"recipe": path}
        for path in sorted([*RECIPES.glob("kcf*.yaml"), RECIPES / "csk.yaml"])
    },
    "kcf filter": {"scale": "filter"},
    "kcf colour": {"features": "colour", "cell": 1, "subcell": True},
    "kcf linear": {"features": "colour+grey", "kernel": "linear"},
}
LEVELS = ((0, 0, 0), (128, 128, 128), (255, 255, 255), (10, 200, 77))


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(3, length=12))


def made(name: str) -> Tracker:
    return make_tracker(name.split()[0], **TRACKERS[name])


def blank(sequence, colour) -> np.ndarray:
    return np.full_like(sequence.frames[0], np.array(colour, np.uint8))


@pytest.mark.parametrize("colour", LEVELS)
@pytest.mark.parametrize("name", TRACKERS)
def test_the_box_stays_on_blank_frames_and_nothing_is_learned(name, colour, sequence):
    tracker, other = made(name), made(name)
    for t in (tracker, other):
        t.init(sequence.frames[0], sequence.boxes[0])
        for k in range(1, 4):
            box = t.update(sequence.frames[k])
    for _ in range(5):
        np.testing.assert_array_equal(tracker.update(blank(sequence, colour)), box)
        assert confidence_of(tracker) == 0
    for k in range(4, 7):  # as if the blank frames had not been
        np.testing.assert_array_equal(*(t.update(sequence.frames[k]) for t in (tracker, other)))


@pytest.mark.parametrize("name", TRACKERS)
def test_the_box_stays_after_a_blank_first_frame(name, sequence):
    tracker, box = made(name), sequence.boxes[0]
    tracker.init(blank(sequence, (90, 90, 90)), box)
    for _ in range(3):
        np.testing.assert_allclose(tracker.update(blank(sequence, (90, 90, 90))), box)
    assert confidence_of(tracker) == 0


def test_a_template_without_contrast_is_nowhere(sequence):
    tracker, box = made("ncc"), sequence.boxes[0]
    tracker.init(blank(sequence, (90, 90, 90)), box)
    np.testing.assert_allclose(tracker.update(sequence.frames[1]), box)  # OpenCV: 1 everywhere
    assert confidence_of(tracker) == 0


def test_a_template_as_large_as_the_region_keeps_its_similarity(sequence):
    """A response to a single place has no range, but it is one."""
    tracker = make_tracker("ncc", search=1.0)
    tracker.init(sequence.frames[0], sequence.boxes[0])
    tracker.update(sequence.frames[0])
    assert tracker.last.response.shape == (1, 1) and confidence_of(tracker) > 0.99


def test_no_size_is_better_than_the_others_in_a_blank_frame(sequence):
    (x, y, w, h) = sequence.boxes[0]
    centre, size = np.array([x + w / 2, y + h / 2]), np.array([w, h])
    for first, then in ((sequence.frames[0], blank(sequence, 0)), (blank(sequence, 0),) * 2):
        assert ScaleFilter(first, centre, size).factor(then, centre, size) == 1
