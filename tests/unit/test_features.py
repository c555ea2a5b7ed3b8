"""Features against loops over pixels, and on images whose gradients are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import SettingsError
from course_lib.trackers.features import colour, features, gradients, grey, hog


def steepest(patch, y, x):
    """Length and direction 0 … 17 of the gradient of one pixel, of the colour where it is
    longest."""
    best = (-1.0, 0)
    for c in range(patch.shape[2]):
        dx = float(patch[y, x + 1, c]) - float(patch[y, x - 1, c])
        dy = float(patch[y + 1, x, c]) - float(patch[y - 1, x, c])
        length = (dx * dx + dy * dy) ** 0.5
        if length > best[0]:
            # the direction among 0°, 20°, … with the largest inner product
            ahead = [dx * np.cos(np.pi * k / 9) + dy * np.sin(np.pi * k / 9) for k in range(18)]
            best = (
                length,
                max(range(18), key=lambda k: (round(ahead[k], 6), k)),
            )  # upright lies between two: the later
    return best


def slow_histograms(patch, cell):
    """(18, rows, columns): every pixel's gradient distributed among the four nearest cells, one
    pixel after another."""
    h, w, _ = patch.shape
    rows, columns = h // cell, w // cell
    sums = np.zeros((18, rows, columns))
    for y in range(1, h - 1):
        for x in range(1, w - 1):
            length, direction = steepest(patch, y, x)
            for i in range(rows):
                for j in range(columns):
                    down = 1 - abs((y + 0.5) / cell - (i + 0.5))
                    right = 1 - abs((x + 0.5) / cell - (j + 0.5))
                    sums[direction, i, j] += length * max(down, 0) * max(right, 0)
    return sums


def slow_hog(patch, cell):
    """The 31 channels, cell after cell."""
    sums = slow_histograms(patch, cell)
    _, rows, columns = sums.shape
    unsigned = sums[:9] + sums[9:]
    power = (unsigned**2).sum(0)

    def at(i, j):
        return power[min(max(i, 0), rows - 1), min(max(j, 0), columns - 1)]

    out = np.zeros((31, rows, columns))
    for i in range(rows):
        for j in range(columns):
            for k, (up, left) in enumerate(((-1, -1), (-1, 0), (0, -1), (0, 0))):
                block = sum(at(i + up + a, j + left + b) for a in (0, 1) for b in (0, 1))
                for d in range(18):
                    value = min(sums[d, i, j] / np.sqrt(block + 1e-4), 0.2)
                    out[d, i, j] += value / 2
                    out[27 + k, i, j] += value * 0.2357
                for d in range(9):
                    out[18 + d, i, j] += min(unsigned[d, i, j] / np.sqrt(block + 1e-4), 0.2) / 2
    return out


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**31), st.integers(8, 19), st.integers(8, 19), st.integers(2, 5))
def test_hog_equals_a_loop_over_pixels_and_cells(seed, height, width, cell):
    patch = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    np.testing.assert_allclose(hog(patch[None], cell)[0], slow_hog(patch, cell), atol=2e-5)


def test_several_patches_at_once_equal_one_by_one():
    patches = np.random.default_rng(0).integers(0, 256, (3, 24, 20, 3), dtype=np.uint8)
    for kinds in ("grey", "colour", "hog", "grey+hog", "hog+colour"):
        together = features(patches, kinds, 4)
        for k in range(3):
            np.testing.assert_array_equal(features(patches[k : k + 1], kinds, 4)[0], together[k])


@pytest.mark.parametrize("steps", range(18))
def test_a_ramp_in_some_direction_fills_its_own_bin(steps):
    y, x = np.mgrid[0:32, 0:32] - 16.0
    angle = steps * np.pi / 9
    ramp = np.clip(128 + 6 * (x * np.cos(angle) + y * np.sin(angle)), 0, 255).astype(np.uint8)
    inner = hog(ramp[None], 4)[0, :, 2:-2, 2:-2]  # (31, 4, 4)
    assert (inner[:18].argmax(0) == steps).all() and (inner[18:27].argmax(0) == steps % 9).all()


def test_doubled_brightness_changes_nothing_and_a_flat_patch_is_zero():
    dark = np.random.default_rng(1).integers(0, 120, (1, 32, 32), dtype=np.uint8)
    np.testing.assert_allclose(hog(2 * dark), hog(dark), atol=1e-4)
    assert (hog(np.full((1, 32, 32, 3), 77, dtype=np.uint8)) == 0).all()


def test_gradients_of_hand_made_pixels():
    patch = np.zeros((1, 3, 3, 3), dtype=np.uint8)
    patch[0, 1, 2, 1], patch[0, 0, 1, 2] = (
        30,
        40,
    )  # green rises to the right by 30, blue rises upwards by 40
    strength, direction = gradients(patch)
    assert (
        strength[0, 1, 1] == 40 and direction[0, 1, 1] == 14
    )  # 270° lies between 260° and 280°: the later
    assert strength.sum() == 40  # the border has no neighbours


def test_grey_and_colour_are_means_of_cells_minus_the_mean_of_the_patch():
    patch = np.random.default_rng(2).integers(
        0, 256, (13, 18, 3), dtype=np.uint8
    )  # not whole cells
    values = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)[:12, :16].astype(float) / 255
    cells = np.array(
        [[values[4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean() for j in range(4)] for i in range(3)]
    )
    np.testing.assert_allclose(grey(patch[None], 4)[0, 0], cells - cells.mean(), atol=1e-6)
    np.testing.assert_allclose(colour(patch[None], 4).mean((2, 3)), 0, atol=1e-6)
    warm = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    warm[:, :, 4:, 0] = 200  # the right half is red
    difference = np.diff(colour(warm, 4)[0], axis=2)  # (3, 2, 1), right less left
    assert (difference[1:] > 0.1).all()  # red lies high on both colour axes, blue low on the second


@pytest.mark.parametrize("kinds", ["hogs", "hog+hog", "", "hog,grey"])
def test_an_unknown_kind_is_named(kinds):
    with pytest.raises(SettingsError, match="grey, colour, hog"):
        features(np.zeros((1, 8, 8, 3), dtype=np.uint8), kinds, 4)
