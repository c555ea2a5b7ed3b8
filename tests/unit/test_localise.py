"""From score maps to states: cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.places import RECIPES
from course_lib.recipe import load_settings
from course_lib.trackers.atom import ATOMSettings
from course_lib.trackers.localise import (
    HARD,
    LOST,
    NORMAL,
    UNCERTAIN,
    LocalisationSettings,
    in_pixels,
    localise,
)

SIZE, CENTRE = np.array([20.0, 10.0]), np.array([100.0, 100.0])


def fine(**peaks: tuple[float, float, float]) -> np.ndarray:
    """A map of 200 × 200 with peaks (x, y, height)."""
    y, x = np.mgrid[:200, :200] + 0.5
    return sum(
        h * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 50) for px, py, h in peaks.values()
    ) + np.zeros((200, 200))


def state(peaks: dict, **settings) -> tuple[str, tuple[float, float]]:
    found = localise(fine(**peaks), SIZE, LocalisationSettings(**settings), CENTRE)
    return found.state, tuple(found.point)


# the displacement limit is 0.8 · 100 = 80 pixels
@pytest.mark.parametrize(
    ("first", "second", "expected", "at"),
    [
        ((100.5, 100.5, 1.0), (10.5, 10.5, 0.0), NORMAL, 0),
        ((100.5, 100.5, 0.24), (10.5, 10.5, 0.0), LOST, 0),
        ((100.5, 100.5, 1.0), (150.5, 100.5, 0.49), NORMAL, 0),
        ((100.5, 100.5, 1.0), (150.5, 100.5, 0.51), HARD, 0),
        ((100.5, 100.5, 0.4), (150.5, 100.5, 0.24), NORMAL, 0),  # a low second peak is harmless
        ((100.5, 100.5, 1.0), (150.5, 100.5, 0.81), UNCERTAIN, 0),  # both near
        ((100.5, 100.5, 1.0), (190.5, 100.5, 0.81), HARD, 0),  # the second is too far
        ((190.5, 100.5, 1.0), (100.5, 100.5, 0.81), HARD, 1),  # the first is too far: the second
        ((190.5, 100.5, 1.0), (10.5, 100.5, 0.81), UNCERTAIN, 0),  # both too far
        ((190.5, 100.5, 1.0), (100.5, 100.5, 0.79), HARD, 0),  # not high enough to be the target
    ],
)
def test_states(first, second, expected, at):
    found, point = state({"a": first, "b": second})
    assert found == expected and point == pytest.approx((first, second)[at][:2])


def test_distance_counts_from_where_the_target_was_and_not_from_the_middle():
    peaks = fine(a=(150.5, 100.5, 1.0), b=(60.5, 100.5, 0.9))
    assert localise(peaks, SIZE, LocalisationSettings(), CENTRE).state == UNCERTAIN
    left = localise(peaks, SIZE, LocalisationSettings(), np.array([50.0, 100]))
    assert left.state == HARD and left.point[0] == 60.5
    assert (left.other[0], left.other_score) == (150.5, pytest.approx(1.0))


def test_the_second_peak_is_looked_for_outside_the_first_one_s_neighbourhood():
    """2.2 · (20, 10): 22 pixels to each side, 11 up and down."""
    for away, expected in (
        ((21.0, 0), NORMAL), ((23.0, 0), HARD), ((0, 12.0), HARD),
        ((-21.0, 0), NORMAL), ((-24.0, 0), HARD), ((0, -13.0), HARD),
    ):  # fmt: skip
        peaks = {"a": (100.5, 100.5, 1.0), "b": (100.5 + away[0], 100.5 + away[1], 0.0)}
        values = fine(**peaks)
        y, x = int(100 + away[1]), int(100 + away[0])
        values[y, x] = 0.6  # one pixel alone
        found = localise(values, SIZE, LocalisationSettings(), CENTRE)
        assert found.state == expected, away
        if expected == HARD:
            assert tuple(found.other) == (x + 0.5, y + 0.5) and found.other_score == 0.6


def test_settings_are_used():
    peaks = {"a": (100.5, 100.5, 1.0), "b": (150.5, 100.5, 0.6)}
    assert state(peaks, not_found=1.1)[0] == LOST
    assert state(peaks, hard_negative=0.7)[0] == NORMAL
    assert state(peaks, hard_score=0.65)[0] == NORMAL
    assert state(peaks, distractor=0.55)[0] == UNCERTAIN
    assert state(peaks, distractor=0.55, displacement=0.4)[0] == HARD


def test_on_vot_a_second_peak_needs_no_least_score():
    """ATOM's public code asks of it what it asks of the first, above −1 there."""
    settings = load_settings(ATOMSettings, RECIPES / "atom_vot.yaml").localisation
    peaks = fine(a=(100.5, 100.5, 0.5), b=(150.5, 100.5, 0.2))
    assert localise(peaks, SIZE, settings, CENTRE).state == HARD
    assert localise(peaks, SIZE, LocalisationSettings(), CENTRE).state == NORMAL


def test_scores_at_pixels_by_hand():
    """A linear map stays one under cubic interpolation, but for the outermost cells."""
    rows, columns = np.mgrid[:9, :9]
    scores = 2.0 * columns + 10 * rows
    pixels = in_pixels(scores, start=4.5, stride=8, size=80)
    assert pixels.shape == (80, 80)
    assert pixels[4 + 8 * 3, 4 + 8 * 2] == pytest.approx(2 * 2 + 10 * 3)
    assert pixels[4 + 8 * 3, 4 + 8 * 2 + 4] == pytest.approx(2 * 2.5 + 30, abs=0.05)
    # beyond the first cell the map goes on as it is, but for the overshoot of the cubic
    assert pixels[0, 0] == pytest.approx(0, abs=2) and pixels[79, 79] == pytest.approx(96, abs=2)
