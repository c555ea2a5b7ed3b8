"""The course's colours, as people with the common forms of colour blindness see them.

The simulation follows Machado, Oliveira and Fernandes (2009), with their matrices for a missing
cone type; distances are CIEDE2000, where 2 to 3 can just be told apart side by side.
"""

from __future__ import annotations

from itertools import combinations

import matplotlib
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from course_lib import plots

# linear RGB to linear RGB, a row for each channel that is seen
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
THINGS = {
    "ground truth": plots.TRUTH,
    "prediction": plots.PREDICTION,
    "exemplar": plots.EXEMPLAR,
    "look-alike": plots.DISTRACTOR,
    "reference": plots.NEUTRAL,
}


def seen(colours: np.ndarray, sight: str) -> np.ndarray:
    """Colours (N, 3), sRGB from 0 to 1, as CIELAB (N, 3) of what is seen."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(SIGHTS[sight]).T, 0, 1)
    return rgb2lab(
        np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    )


def rgb(colours: list[str] | tuple[str, ...]) -> np.ndarray:
    return np.array([matplotlib.colors.to_rgb(colour) for colour in colours])


def close_pairs(colours: list[str] | tuple[str, ...], sight: str, least: float) -> list[tuple]:
    """Pairs of colours that lie closer than `least`."""
    lab = seen(rgb(colours), sight)
    apart = {
        (colours[i], colours[j]): deltaE_ciede2000(lab[i], lab[j])
        for i, j in combinations(range(len(lab)), 2)
    }
    return [(pair, round(float(d), 1)) for pair, d in apart.items() if d < least]


@pytest.mark.parametrize("sight", SIGHTS)
class TestPalette:
    """Everybody can tell apart what colours distinguish."""

    def test_the_things_that_keep_their_colours(self, sight):
        assert close_pairs(list(THINGS.values()), sight, least=12) == []

    def test_lines_of_one_chart(self, sight):
        assert close_pairs(plots.CYCLE, sight, least=10) == []

    def test_a_map_grows_lighter_from_its_lowest_to_its_highest_value(self, sight):
        lightness = seen(matplotlib.colormaps[plots.MAP](np.linspace(0, 1, 64))[:, :3], sight)[:, 0]
        assert (np.diff(lightness) > 0).all()


def test_the_simulation_leaves_grey_as_it_is_and_takes_red_from_green():
    grey = rgb(["#808080"])
    for sight in SIGHTS:
        np.testing.assert_allclose(seen(grey, sight), seen(grey, "normal"), atol=0.1)
    assert close_pairs(["#b05030", "#707030"], "normal", least=20) == []
    assert close_pairs(["#b05030", "#707030"], "deuteranopia", least=20) != []


def test_the_check_finds_two_colours_that_only_some_can_tell_apart():
    pair = ["#D55E00", "#8a7500"]  # vermilion and olive, once both in this palette
    assert (
        close_pairs(pair, "normal", least=10) == []
        and close_pairs(pair, "protanopia", least=10) != []
    )


@pytest.mark.parametrize("thing", THINGS)
def test_a_thing_stands_out_from_a_white_page(thing):
    colour = rgb([THINGS[thing]])[0]
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) >= 3  # WCAG 2, success criterion 1.4.11
