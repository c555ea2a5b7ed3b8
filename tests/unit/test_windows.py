"""Crop windows: one warp against loops, slices and a ramp; the batched cut against the single
one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import DataError
from course_lib.geometry.patches import cut_patch
from course_lib.geometry.windows import (
    CropWindow,
    context_side,
    exemplar_window,
    search_side,
    search_window,
)

some = settings(deadline=None, max_examples=50)
place = st.floats(-300, 300)
window = st.builds(CropWindow, place, place, st.floats(1, 600), st.integers(1, 300))
# OpenCV 4 rounds positions to 1/32 pixel, which shows on noise.
LEVELS_ON_NOISE = 1.0 if int(cv2.__version__.split(".")[0]) >= 5 else 8.0


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    return cv2.GaussianBlur(noise(height, width, seed), (0, 0), 4) // 2 + 90


def slow_cut(frame: np.ndarray, w: CropWindow) -> np.ndarray:
    """Every crop pixel from its four neighbours, one at a time."""
    H, W = frame.shape[:2]
    mean = frame.reshape(-1, 3).mean(axis=0)

    def pixel(row: int, column: int) -> np.ndarray:
        return frame[row, column].astype(float) if 0 <= row < H and 0 <= column < W else mean

    crop = np.empty((w.size, w.size, 3))
    for i in range(w.size):
        for j in range(w.size):
            x, y = w.to_frame([j + 0.5, i + 0.5]) - 0.5
            c, r = int(np.floor(x)), int(np.floor(y))
            a, b = x - c, y - r
            above = (1 - a) * pixel(r, c) + a * pixel(r, c + 1)
            below = (1 - a) * pixel(r + 1, c) + a * pixel(r + 1, c + 1)
            crop[i, j] = (1 - b) * above + b * below
    return crop


def test_window_by_hand():
    w = CropWindow(cx=50, cy=40, side=20, size=40)
    assert w.scale == 2
    np.testing.assert_array_equal(
        w.to_crop([[40, 30], [50, 40], [60, 50]]), [[0, 0], [20, 20], [40, 40]]
    )
    np.testing.assert_array_equal(w.to_frame([1, 39]), [40.5, 49.5])
    np.testing.assert_array_equal(w.box_to_crop([42, 33, 5, 10]), [4, 6, 10, 20])
    np.testing.assert_array_equal(w.box_to_frame([[4, 6, 10, 20]]), [[42, 33, 5, 10]])


@some
@given(window, st.lists(st.tuples(place, place), min_size=1, max_size=5))
def test_a_round_trip_returns_the_same_point(w, points):
    np.testing.assert_allclose(w.to_frame(w.to_crop(points)), points, atol=1e-6)
    np.testing.assert_allclose(w.to_crop(w.to_frame(points)), points, atol=1e-6)


@some
@given(window, st.tuples(place, place, st.floats(1, 100), st.floats(1, 100)))
def test_a_round_trip_returns_the_same_box_and_its_corners_are_points(w, box):
    np.testing.assert_allclose(w.box_to_frame(w.box_to_crop(box)), box, atol=1e-6)
    x, y, width, height = box
    a, b, c, d = w.box_to_crop(box)
    np.testing.assert_allclose(
        [[a, b], [a + c, b + d]], w.to_crop([[x, y], [x + width, y + height]]), atol=1e-6
    )


def test_an_absent_box_stays_absent():
    assert np.isnan(CropWindow(0, 0, 10, 10).box_to_crop(np.full((2, 4), np.nan))).all()


@some
@given(st.integers(-20, 60), st.integers(-20, 50), st.integers(1, 40))
def test_a_whole_window_at_scale_one_is_a_slice(x, y, side):
    frame = noise(40, 50)
    crop = CropWindow(x + side / 2, y + side / 2, side, side).cut(frame, fill=(7, 8, 9))
    padded = np.full((140, 150, 3), (7, 8, 9), dtype=np.uint8)
    padded[50:90, 50:100] = frame
    np.testing.assert_array_equal(crop, padded[y + 50 : y + 50 + side, x + 50 : x + 50 + side])


def test_the_cut_of_a_ramp_is_the_ramp_where_the_window_says():
    H, W = 100, 120
    frame = np.stack(
        [np.tile(2 * np.arange(W), (H, 1)), np.tile(2 * np.arange(H)[:, None], (1, W))], axis=-1
    )
    frame = np.dstack([frame, np.zeros((H, W))]).astype(np.uint8)
    w = CropWindow(60.3, 48.9, 37.0, 64)
    j, i = np.meshgrid(np.arange(64), np.arange(64))
    where = w.to_frame(np.stack([j + 0.5, i + 0.5], axis=-1))
    np.testing.assert_allclose(w.cut(frame)[..., :2], 2 * (where - 0.5), atol=0.51 + 2 / 32)


@pytest.mark.parametrize("w", [
    CropWindow(20.3, 15.8, 17.2, 23),
    CropWindow(1.7, 38.1, 30.5, 20),
    CropWindow(25.0, 20.0, 90.0, 31),
    CropWindow(-40.0, 20.0, 12.0, 5),
])  # fmt: skip
def test_the_cut_against_loops(w):
    frame = noise(40, 50)
    difference = np.abs(w.cut(frame).astype(float) - slow_cut(frame, w))
    assert difference.max() <= LEVELS_ON_NOISE


def test_pixels_outside_get_the_mean_colour_or_the_one_given():
    frame = np.zeros((10, 20, 3), dtype=np.uint8)
    frame[:, :10] = (100, 50, 20)
    far = CropWindow(-100, -100, 20, 4)
    assert (far.cut(frame) == (50, 25, 10)).all()
    assert (far.cut(frame, fill=(1, 2, 3)) == (1, 2, 3)).all()


def test_a_grey_frame_a_mirrored_array_and_the_frame_itself():
    frame = noise(30, 40)
    before, w = frame.copy(), CropWindow(20.2, 10.1, 30, 25)
    np.testing.assert_array_equal(w.cut(np.ascontiguousarray(frame[..., 1])), w.cut(frame)[..., 1])
    np.testing.assert_array_equal(
        w.cut(frame[:, ::-1]), w.cut(np.ascontiguousarray(frame[:, ::-1]))
    )
    np.testing.assert_array_equal(frame, before)
    crop = w.cut(frame)
    assert crop.shape == (25, 25, 3) and crop.dtype == np.uint8


def test_sides_by_hand():
    # A box of 100×60 has p = (100 + 60) / 4 = 40 of context on each side: 180×140.
    assert context_side([100, 60]) == pytest.approx(np.sqrt(180 * 140))
    assert search_side([5, 6, 100, 60]) == pytest.approx(np.sqrt(180 * 140) * 255 / 127)
    assert search_side([0, 0, 50, 50], exemplar=100, search=200) == pytest.approx(200)
    sides = context_side([[10, 10], [np.nan] * 2])
    assert sides[0] == pytest.approx(20) and np.isnan(sides[1])


def test_windows_around_a_box_by_hand():
    box = [100, 50, 20, 60]  # with its context 60 by 100 pixels
    z, x = exemplar_window(box), search_window(box)
    assert (z.cx, z.cy, z.size, z.side) == (110, 80, 127, pytest.approx(np.sqrt(6000)))
    assert (x.cx, x.cy, x.size, x.side) == (110, 80, 255, pytest.approx(np.sqrt(6000) * 255 / 127))
    assert x.scale == pytest.approx(z.scale)


@given(dx=st.floats(-100, 100), dy=st.floats(-100, 100))
def test_a_target_is_shifted_in_its_search_window(dx, dy):
    w = search_window([100, 50, 20, 60], shift=(dx, dy))
    np.testing.assert_allclose(w.to_crop([110, 80]), [127.5 + dx, 127.5 + dy], atol=1e-9)


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0, 9), (0, 0, -2, 9), (np.nan, 0, 5, 9), (0, 0, np.inf, 9), (0, 0, 5, 0)]
)
def test_an_invalid_window_is_refused(numbers):
    with pytest.raises(DataError, match="expected a finite centre, a side above 0"):
        CropWindow(*numbers)


def test_a_patch_at_scale_one_is_a_slice_and_repeats_the_border():
    frame = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        cut_patch(frame, (30, 20), (20, 10), (10, 20)), frame[15:25, 20:40]
    )
    corner = cut_patch(frame, (0, 0), (8, 6), (6, 8))
    assert (corner[:3, :4] == frame[0, 0]).all() and (corner[3:, 4:] == frame[:3, :4]).all()


def test_a_patch_of_a_ramp_is_the_ramp_at_the_centres_of_its_pixels():
    ramp = np.tile(np.arange(100, dtype=np.uint8), (50, 1)) * 2  # 2 a pixel; pixel k shows k + 0.5
    patch = cut_patch(ramp, (50.0, 25.0), (40.0, 30.0), (20, 25))  # 1.6 frame pixels wide
    centres = 50 - 20 + (np.arange(25) + 0.5) * 1.6
    np.testing.assert_allclose(patch, np.tile(2 * (centres - 0.5), (20, 1)), atol=1)


@pytest.mark.parametrize("reduce", [2, 3, 5])
def test_a_patch_reduced_a_lot_is_averaged(reduce):
    """Stripes one pixel wide become even grey; bilinear interpolation alone would keep some of
    them."""
    stripes = np.zeros((120, 120), dtype=np.uint8)
    stripes[:, ::2] = 200
    patch = cut_patch(stripes, (60, 60), (60, 60), (60 // reduce, 60 // reduce))
    blocks = stripes[30:90, 30:90].reshape(60 // reduce, reduce, 60 // reduce, reduce).mean((1, 3))
    np.testing.assert_allclose(patch, blocks, atol=1)
