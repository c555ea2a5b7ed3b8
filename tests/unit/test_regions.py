"""Overlaps of regions: hand-worked cases, values from VOT's toolkit, and a slow pixel-by-pixel
reference.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.errors import DataError
from course_lib.evaluation.regions import region_overlap

finite = st.floats(allow_nan=False, allow_infinity=False)
SQUARE = [0, 0, 10, 0, 10, 10, 0, 10]  # corners of the square from (0, 0) to (10, 10)
DIAMOND = [4, 0, 8, 4, 4, 8, 0, 4]  # 1 + 3 + 5 + 7 + 9 + 7 + 5 + 3 + 1 = 41 pixels

BY_HAND = {
    # two boxes
    "one beside the other by half": ([10, 10, 20, 20], [20, 10, 20, 20], 200, 600),
    "one in the other": ([0, 0, 10, 10], [2, 2, 5, 5], 25, 100),
    "they touch": ([0, 0, 10, 10], [10, 0, 10, 10], 0, 200),
    # sub-pixel: x, y, w and h are rounded one by one, halves to even
    "1.4 and 3.4 are 1 and 3: columns 1 to 3": ([1.4, 0, 3.4, 4], [1, 0, 3, 4], 12, 12),
    "right edges 4.8 would round to 5": ([1.4, 0, 3.4, 4], [1, 0, 4, 4], 12, 16),
    "0.5 is 0": ([0.5, 0, 10, 10], [0, 0, 10, 10], 100, 100),
    "1.5 is 2": ([1.5, 0, 10, 10], [2, 0, 10, 10], 100, 100),
    "2.5 wide is 2 wide": ([0, 0, 2.5, 4], [0, 0, 2, 4], 8, 8),
    # box and polygon: the polygon has its last row and column too
    "a square as box and as polygon": ([0, 0, 10, 10], SQUARE, 100, 121),
    "a box of the polygon's pixels": ([0, 0, 11, 11], SQUARE, 121, 121),
    "a diamond in its box": ([0, 0, 9, 9], DIAMOND, 41, 81),
    "the upper half of a diamond": ([0, 0, 9, 4], DIAMOND, 16, 61),  # 1 + 3 + 5 + 7 of 36 + 41 − 16
    # two polygons
    "a polygon and itself": (SQUARE, SQUARE, 121, 121),
    "the other way round": (SQUARE, [0, 10, 10, 10, 10, 0, 0, 0], 121, 121),
    "shifted by five columns": (SQUARE, [5, 0, 15, 0, 15, 10, 5, 10], 66, 176),
    "rounded corners": (SQUARE, [0.4, 0.2, 9.6, -0.3, 10.4, 9.7, 0.1, 10.3], 121, 121),
    "a diamond in a square": (DIAMOND, SQUARE, 41, 121),
    # beyond the image of 40 rows and 50 columns
    "left of it": ([-10, 0, 20, 10], [0, 0, 10, 10], 100, 100),
    "right of it": ([45, 0, 20, 10], [40, 0, 10, 10], 50, 100),
    "below it": (SQUARE, [0, 35, 10, 35, 10, 60, 0, 60], 0, 176),
    "a polygon half outside": ([0, 0, 5, 11], [-10, 0, 4, 0, 4, 10, -10, 10], 55, 55),
    "one wholly outside": ([-30, 0, 20, 10], [0, 0, 10, 10], 0, 100),
    "both wholly outside": ([-30, 0, 20, 10], [-30, 0, 20, 10], 0, 1),
    "without end": ([-1e9, -1e9, 2e9, 2e9], [0, 0, 50, 40], 2000, 2000),
    # no area
    "two empty boxes": ([5, 5, 0, 0], [5, 5, 0, 0], 1, 1),
    "an empty box in a box": ([5, 5, 0, 0], [0, 0, 10, 10], 0, 100),
    "a box with a negative side": ([5, 5, -3, 10], [0, 0, 20, 20], 0, 400),
    "one pixel and itself": ([5, 5, 1, 1], [5, 5, 1, 1], 1, 1),
    # one column: empty to the toolkit, and in the image nothing to compare
    "two apart in one column": ([5, 5, 1, 10], [5, 20, 1, 10], 1, 1),
    "two apart in two columns": ([5, 5, 2, 10], [5, 20, 2, 10], 0, 40),
    "one column of both in the image": ([-9, 5, 10, 10], [-9, 5, 10, 10], 0, 10),
    "two columns of both in the image": ([-8, 5, 10, 10], [-8, 5, 10, 10], 20, 20),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_overlaps_by_hand(case):
    a, b, shared, union = BY_HAND[case]
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    assert region_overlap(a, b, 40, 50) == region_overlap(b, a, 40, 50) == shared / union


# values of vot-toolkit 0.9.0's calculate_overlap in an image of 40 rows and 50 columns: a, b,
# shared and union reduced
FROM_THE_TOOLKIT = [
    ([0.9, -7.1, 18.1, 16.6, 7.8, 24.0, -9.4, 0.4], [17.2, 6.2, -7.6, 21.8, -14.4, 11.0, 10.4, -4.6], 34, 83),
    ([36.8, 13.3, 47.3, 24.1, 37.0, 34.1, 26.5, 23.3], [26.5, 16.5, 15.1, 14.4], 40, 73),
    ([42.4, 56.6, 12.7, 57.7, 11.8, 33.0, 41.6, 32.0], [38.3, 34.4, 28.0, 62.4, 4.9, 53.8, 15.2, 25.9], 89, 150),
    ([8.6, 2.4, -12.1, 8.0, -17.3, -11.4, 3.5, -16.9], [-15.2, -14.1, 21.4, 20.0], 27, 46),
    ([31.5, 15.6, 27.9, 20.9, 18.2, 14.2, 21.8, 8.9], [24.9, 6.6, 31.3, 6.6, 31.2, 18.4, 24.8, 18.3], 36, 139),
    ([54.6, 4.7, 54.2, 18.7, 21.8, 17.7, 22.2, 3.7], [27.5, -4.8, 14.0, 32.4], 196, 575),
    ([20.5, 1.8, 0.1, 10.5, -8.3, -9.0, 12.2, -17.8], [3.2, -13.8, 25.0, -9.7, 21.1, 11.1, -0.8, 7.0], 129, 229),
    ([32.7, 7.4, 36.6, 17.2, 8.3, 28.4, 4.4, 18.7], [17.3, 7.0, 10.5, 30.5], 29, 132),
    ([31.9, 16.6, 36.8, 42.5, 26.5, 44.4, 21.6, 18.6], [16.5, 21.0, 41.6, 28.8, 38.4, 38.9, 13.3, 31.0], 147, 412),
    ([24.5, 0.1, 0.3, 10.2, -5.4, -3.7, 18.7, -13.7], [-4.9, -9.6, 26.2, 15.0], 47, 75),
    ([29.0, 25.1, 58.8, 39.7, 48.6, 60.5, 18.8, 45.9], [57.5, 27.1, 52.1, 59.7, 29.3, 56.0, 34.7, 23.3], 76, 185),
    ([18.1, 24.3, 27.7, 47.7, 6.3, 56.4, -3.2, 33.1], [-1.7, 32.3, 25.2, 23.1], 2, 3),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "shared", "union"), FROM_THE_TOOLKIT)
def test_rotated_polygons_overlap_as_in_the_toolkit(a, b, shared, union):
    assert region_overlap(np.array(a), np.array(b), 40, 50) == shared / union


def slow_pixels(region, height, width, left) -> set[tuple[int, int]]:
    """Pixels of a region in the image, one row after the other; a convex polygon.

    Crossings of sides and rows are computed in the toolkit's order of operations, from a corner
    to the one before it: an exactly whole column may fall short of it in floats. `left` is the
    first column drawn: a crossing is truncated to a whole column counted from there.
    """
    numbers = [round(float(np.float32(v))) for v in region]  # Python rounds halves to even as well
    if len(numbers) == 4:
        x, y, w, h = numbers
        cells = {(r, c) for r in range(max(y, 0), min(y + h, height)) for c in range(x, x + w)}
    else:
        corners = list(zip(numbers[0::2], numbers[1::2], strict=True))
        cells = set()
        for r in range(height):
            places = []
            for (x1, y1), (x2, y2) in zip(corners, corners[-1:] + corners[:-1], strict=True):
                if y1 == y2 == r:
                    places += [x1 - left, x2 - left]
                elif min(y1, y2) <= r <= max(y1, y2) and y1 != y2:
                    places.append(x1 - left + (r - y1) / (y2 - y1) * (x2 - x1))
            whole = [int(place) + left for place in places]
            cells |= {(r, c) for c in range(min(whole), max(whole) + 1)} if whole else set()
    return {(r, c) for r, c in cells if 0 <= c < width}


def turned(centre, half, angle) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return (corners @ np.array([[c, s], [-s, c]]) + centre).ravel()


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**31), st.booleans())
def test_overlaps_equal_a_slow_reference(seed, two_polygons):
    rng = np.random.default_rng(seed)
    a = turned(rng.uniform(-5, 45, 2), rng.uniform(3, 18, 2), rng.uniform(0, np.pi))
    b = np.array([*rng.uniform(-10, 40, 2), *rng.uniform(2, 30, 2)])
    if two_polygons:
        b = turned(rng.uniform(-5, 45, 2), rng.uniform(3, 18, 2), rng.uniform(0, np.pi))
    left = max(
        0,
        min(
            round(float(np.float32(v)))
            for v in (a[0::2].min(), b[0::2].min() if two_polygons else b[0])
        ),
    )
    A, B = (slow_pixels(region, 40, 50, left) for region in (a, b))
    expected = len(A & B) / len(A | B) if A | B else 0
    assert region_overlap(a, b, 40, 50) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([4, 6, 8, 10]).flatmap(lambda n: st.lists(finite, min_size=n, max_size=n)),
    st.lists(finite, min_size=4, max_size=4),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_any_finite_region_has_an_overlap(a, b, height, width):
    a, b = np.array(a), np.array(b)
    value = region_overlap(a, b, height, width)
    assert 0 <= value <= 1 and value == region_overlap(b, a, height, width)


@pytest.mark.parametrize("wrong", [[np.nan, 1, 2, 3], [1, 1, np.inf, 3], [np.nan] * 8])
def test_a_region_that_is_not_finite_is_refused(wrong):
    with pytest.raises(DataError, match="expected finite numbers"):
        region_overlap(np.array(wrong), np.array([0.0, 0, 5, 5]), 40, 50)
