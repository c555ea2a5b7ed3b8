"""Augmented windows against crop windows, and against points mapped by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from course_lib.geometry.augmented_windows import AugmentedWindow
from course_lib.geometry.windows import CropWindow, crop_matrix


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def test_a_plain_augmented_window_is_a_crop_window(image):
    smooth = cv2.GaussianBlur(image, (0, 0), 2)
    view, window = AugmentedWindow(55.3, 41.7, 63.5, 64), CropWindow(55.3, 41.7, 63.5, 64)
    assert np.abs(view.cut(smooth).astype(int) - window.cut(smooth)).max() <= 2
    points = np.array([[10.0, 20.0], [55.3, 41.7]])
    np.testing.assert_allclose(view.to_crop(points), window.to_crop(points))


@pytest.mark.parametrize("view", [
    AugmentedWindow(60, 45, 50, 100, angle=0.5), AugmentedWindow(60, 45, 50, 100, aspect_change=1.4), AugmentedWindow(60, 45, 50, 100, mirror=True),
    AugmentedWindow(50, 40, 70, 100, angle=-0.7, aspect_change=0.8, mirror=True),
])  # fmt: skip
def test_pixels_go_where_points_go(view):
    for x, y in ((60.5, 45.5), (52.5, 40.5), (66.5, 51.5)):
        dot = np.zeros((90, 120, 3), dtype=np.uint8)
        dot[int(y), int(x)] = 255
        crop = view.cut(dot, fill=(0, 0, 0))[..., 0].astype(float)
        rows, columns = np.mgrid[0:100, 0:100] + 0.5
        found = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
        np.testing.assert_allclose(found, view.to_crop([x, y]), atol=0.3)


def test_an_aspect_change_keeps_the_area():
    corners = AugmentedWindow(0, 0, 10, 100, angle=0.3, aspect_change=1.7).to_crop(
        [[0, 0], [1, 0], [0, 1]]
    )
    a, b = corners[1] - corners[0], corners[2] - corners[0]
    assert abs(a[0] * b[1] - a[1] * b[0]) == pytest.approx(100.0)


def test_the_crop_matrix_maps_centre_to_centre():
    for size in (127, 255):
        matrix = crop_matrix(40.25, 31.5, 80.0, size)
        centre = (size - 1) / 2  # pixel number of the crop's centre
        np.testing.assert_allclose(matrix @ [centre, centre, 1], [40.25 - 0.5, 31.5 - 0.5])
