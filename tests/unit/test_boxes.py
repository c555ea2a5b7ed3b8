"""Boxes against rasterised areas, cases worked by hand, and properties of every box."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.geometry import boxes as B

some = settings(deadline=None, max_examples=60)
place = st.floats(-500, 500, width=32)
length = st.floats(0.125, 500, width=32)
box = st.tuples(place, place, length, length).map(np.array)
whole_box = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2).map(np.array)
nothing = np.full(4, np.nan)


def mask(b: np.ndarray) -> np.ndarray:
    x, y, w, h = b
    drawn = np.zeros((60, 60), dtype=bool)
    drawn[y : y + h, x : x + w] = True
    return drawn


@some
@given(box)
def test_conversions_are_inverses(b):
    np.testing.assert_allclose(B.from_corners(B.to_corners(b)), b, atol=1e-9)
    np.testing.assert_allclose(B.from_centre(B.to_centre(b)), b, atol=1e-9)


def test_conversions_by_hand():
    np.testing.assert_array_equal(B.to_corners([10, 20, 30, 40]), [10, 20, 40, 60])
    np.testing.assert_array_equal(B.to_centre([10, 20, 30, 40]), [25, 40, 30, 40])
    np.testing.assert_array_equal(B.from_corners([[1, 2, 4, 8]]), [[1, 2, 3, 6]])


@some
@given(whole_box, whole_box)
def test_iou_is_shared_pixels_over_covered_pixels(a, b):
    expected = (mask(a) & mask(b)).sum() / (mask(a) | mask(b)).sum()
    assert B.iou(a, b) == pytest.approx(expected, abs=1e-12)


@some
@given(box, box, place, place, st.floats(0.1, 10))
def test_iou_is_symmetric_bounded_and_blind_to_shift_and_scale(a, b, dx, dy, scale):
    value = B.iou(a, b)
    assert 0 <= value <= 1
    assert B.iou(b, a) == value
    shift = np.array([dx, dy, 0, 0])
    assert B.iou(a + shift, b + shift) == pytest.approx(value, abs=1e-6)
    assert B.iou(a * scale, b * scale) == pytest.approx(value, abs=1e-6)
    assert B.iou(a, a) == pytest.approx(1, abs=1e-9)


def test_iou_of_touching_empty_inverted_and_absent_boxes():
    assert B.iou([0, 0, 10, 10], [10, 0, 10, 10]) == 0
    assert B.iou([5, 5, 0, 0], [5, 5, 0, 0]) == 0
    assert B.iou([0, 0, -5, 10], [-5, 0, 10, 10]) == 0
    assert np.isnan(B.iou([0, 0, 10, 10], nothing))


def test_iou_broadcasts_over_rows():
    many = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 1, 1]])
    np.testing.assert_allclose(B.iou(many, [0, 0, 10, 10]), [1, 1 / 3, 0])
    assert B.iou(many[:, None], many[None]).shape == (3, 3)


def test_centre_errors_by_hand():
    a, b = [0, 0, 10, 20], [3, 4, 10, 20]
    assert B.centre_error(a, b) == 5
    assert B.normalised_centre_error(b, a) == pytest.approx(np.hypot(3 / 10, 4 / 20))
    assert np.isnan(B.normalised_centre_error(b, [0, 0, 0, 20]))
    assert np.isnan(B.centre_error(a, nothing))


@some
@given(box)
def test_clipping_keeps_what_is_inside_and_nothing_else(b):
    clipped = B.clip_to_image(b, height=100, width=200)
    x1, y1, x2, y2 = B.to_corners(clipped)
    assert 0 <= x1 <= x2 <= 200 and 0 <= y1 <= y2 <= 100
    image = np.array([0, 0, 200, 100])
    shared = B.iou(b, image) * (B.area(b) + B.area(image)) / (1 + B.iou(b, image))
    assert B.area(clipped) == pytest.approx(shared, rel=1e-6, abs=1e-6)


def test_clipping_shrinks_the_size_with_the_corner():
    np.testing.assert_array_equal(B.clip_to_image([-10, 5, 50, 10], 100, 200), [0, 5, 40, 10])
    np.testing.assert_array_equal(B.clip_to_image([300, 5, 50, 10], 100, 200), [200, 5, 0, 10])


def test_valid_boxes():
    rows = np.array(
        [[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 1, -1], nothing, [np.inf, 0, 1, 1], [-9, -9, 0.1, 0.1]]
    )
    np.testing.assert_array_equal(B.is_valid(rows), [True, False, False, False, False, True])


@some
@given(box, st.floats(0, np.pi))
def test_a_rotated_rectangle_keeps_centre_and_area(b, angle):
    centre, (w, h) = b[:2] + b[2:] / 2, b[2:]
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2 @ rotation.T + centre
    found = B.area_preserving_box(corners.ravel())
    assert B.area(found) == pytest.approx(w * h, rel=1e-6)
    np.testing.assert_allclose(B.to_centre(found)[:2], centre, atol=1e-6)


def test_polygons_by_hand():
    np.testing.assert_allclose(B.area_preserving_box([2, 9, 2, 3, 10, 3, 10, 9]), [2, 3, 8, 6])
    # A square of side sqrt(2) on its tip: bounding box 2×2, area 2.
    np.testing.assert_allclose(
        B.area_preserving_box([1, 0, 2, 1, 1, 2, 0, 1]), B.from_centre([1, 1, 2**0.5, 2**0.5])
    )
    assert np.isnan(B.area_preserving_box([np.nan] * 8)).all()
    np.testing.assert_array_equal(B.area_preserving_box([5] * 8), [5, 5, 0, 0])


@pytest.mark.parametrize("wrong", [[1, 2, 3], 5.0, np.zeros((4, 5))])
def test_a_wrong_shape_is_named(wrong):
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 4\)"):
        B.as_boxes(wrong)


def test_the_box_around_a_polygon_by_hand():
    np.testing.assert_array_equal(B.bounding_box([1, 0, 2, 1, 1, 2, 0, 1]), [0, 0, 2, 2])
    np.testing.assert_array_equal(
        B.bounding_box([[3, 1, 7, 2, 4, 9]]), [[3, 1, 4, 8]]
    )  # a triangle
    assert np.isnan(B.bounding_box([[np.nan] * 8])).all()


def test_a_polygon_of_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"shape \(6,\); expected \(\.\.\., 8\)"):
        B.area_preserving_box(np.zeros(6))
    for wrong in (np.zeros(4), np.zeros(7), 5.0):
        with pytest.raises(ValueError, match=r"expected \(\.\.\., 2N\)"):
            B.bounding_box(wrong)
