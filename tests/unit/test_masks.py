"""Masks of VOT since 2020: their text, the box around them, what a box scores against them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_runs import frames

from course_lib.data.readers.vot import read_sequence
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.longterm import run_reporting
from course_lib.evaluation.multistart import anchors, is_empty, run_multistart
from course_lib.evaluation.multistart_scores import progress
from course_lib.evaluation.quality import frame_counts
from course_lib.evaluation.regions import exact_overlap, region_overlap
from course_lib.evaluation.vot import run_supervised, true_regions
from course_lib.geometry.mask import Mask
from course_lib.trackers import make_tracker

# a window of 4 × 3 at column 10, row 20: an L
L = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
TEXT = "m10,20,4,3,0,1,3,1,3,4"


class TestText:
    def test_is_runs_row_by_row_the_first_one_outside(self):
        assert str(Mask.from_pixels(L, 10, 20)) == TEXT
        np.testing.assert_array_equal(Mask.from_text(TEXT).within(10, 20, 13, 22), L)

    def test_may_end_early_and_need_not_fit_its_window(self):
        """The window has two empty rows and columns around the two pixels."""
        mask = Mask.from_text("m5,5,4,3,5,2")
        assert mask.corner_and_size == (6, 6, 2, 1) and mask.box.tolist() == [6, 6, 2, 1]

    def test_of_no_pixels_has_no_box(self):
        for text in ("m0,0,0,0", "m3,4,2,2,4", "m0,0,0,0,0"):
            mask = Mask.from_text(text)
            assert np.isnan(mask.box).all() and mask.width == 0

    @pytest.mark.parametrize("text", ["", "x1", "m1,2,3", "m0,0,2,2,3,2", "m0,0,2,2,-1,2", "m0,a"])
    def test_that_is_none_is_refused(self, text):
        with pytest.raises(DataError, match="is no mask; expected m, then left"):
            Mask.from_text(text)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
    def test_comes_back_from_any_pixels(self, seed, height, width):
        rng = np.random.default_rng(seed)
        pixels = rng.random((height, width)) < rng.random()
        left, top = rng.integers(-5, 20, 2)
        mask = Mask.from_text(str(Mask.from_pixels(pixels, left, top)))
        canvas = np.zeros((60, 60), dtype=bool)
        canvas[top + 20 : top + 20 + height, left + 20 : left + 20 + width] = pixels
        np.testing.assert_array_equal(mask.within(-20, -20, 39, 39), canvas)
        a, b, c, d = rng.integers(-20, 39, 4)
        part = (min(a, b), min(c, d), max(a, b), max(c, d))
        shown = canvas[part[1] + 20 : part[3] + 21, part[0] + 20 : part[2] + 21]
        np.testing.assert_array_equal(mask.within(*part), shown)


class TestOverlap:
    mask = Mask.from_pixels(L, 10, 20)

    def test_of_a_box_is_counted_in_its_pixels(self):
        """The box has 4 × 3 = 12 pixels, the L six of them."""
        assert region_overlap(np.array([10.0, 20, 4, 3]), self.mask, 90, 120) == 6 / 12
        # columns 11 … 14, rows 22 … 24: three shared, 12 + 6 - 3 in all
        assert region_overlap(np.array([11.0, 22, 4, 3]), self.mask, 90, 120) == 3 / 15

    def test_rounds_the_box_and_not_the_mask(self):
        assert region_overlap(np.array([10.4, 19.6, 3.6, 3.4]), self.mask, 90, 120) == 6 / 12
        assert exact_overlap(np.array([10.4, 19.6, 3.6, 3.4]), self.mask, 90, 120) == 6 / 12

    def test_of_the_box_around_it_is_the_share_that_it_fills(self):
        """So a tracker of boxes cannot reach 1 unless its target is a rectangle."""
        assert region_overlap(self.mask.box, self.mask, 90, 120) == 0.5
        full = Mask.from_pixels(np.ones((5, 6), dtype=bool), 3, 4)
        assert region_overlap(full.box, full, 90, 120) == 1

    def test_counts_pixels_of_the_image_only(self):
        """Of the L, the first column lies left of the image; three pixels of its last row do not."""
        mask = Mask.from_pixels(L, -1, 0)
        assert region_overlap(np.array([-1.0, 0, 4, 3]), mask, 90, 120) == 3 / 9
        assert region_overlap(mask, mask, 90, 120) == 1

    def test_of_masks_that_do_not_meet_is_0(self):
        other = Mask.from_pixels(L, 40, 20)
        assert region_overlap(self.mask, other, 90, 120) == 0

    def test_a_mask_one_pixel_wide_or_high_counts_as_empty(self):
        """A peculiarity of the toolkit: such a target is no truth, so it cannot be lost."""
        line = Mask.from_pixels(np.ones((5, 1), dtype=bool), 10, 20)
        assert is_empty(line) and not is_empty(self.mask)
        assert is_empty(Mask.from_pixels(np.ones((1, 5), dtype=bool)))
        assert region_overlap(np.array([10.0, 20, 2, 5]), line, 90, 120) == 0.5


def moving(length: int = 30) -> Sequence:
    """A triangle of 20 × 20 px that stands still, absent in frames 12 to 14."""
    triangle = Mask.from_pixels(np.tri(20, dtype=bool), 30, 40)
    masks = tuple(None if 12 <= t < 15 else triangle for t in range(length))
    boxes = [np.full(4, np.nan) if m is None else m.box for m in masks]
    return Sequence("wedge", frames(length), np.array(boxes), masks=masks)


class TestSequences:
    def test_are_read_with_the_box_around_each_mask(self, tmp_path):
        folder = tmp_path / "wedge"
        folder.mkdir()
        for t in range(4):
            (folder / f"{t + 1:08d}.jpg").touch()
        (folder / "groundtruth.txt").write_text(f"{TEXT}\n0\nnan,nan,nan,nan\nm0,0,0,0,0\n")
        sequence = read_sequence(folder)
        assert sequence.boxes[0].tolist() == [10, 20, 4, 3] and sequence.polygons is None
        assert np.isnan(sequence.boxes[1:]).all() and sequence.masks[1:] == (None, None, None)
        assert str(sequence.masks[0]) == TEXT
        assert anchors(sequence) == {0: 1}

    def test_a_mask_one_pixel_wide_is_read_as_none(self, tmp_path):
        """A peculiarity of the toolkit; one that is one pixel high stays, and counts as empty."""
        for t in range(3):
            (tmp_path / f"{t + 1:08d}.jpg").touch()
        (tmp_path / "groundtruth.txt").write_text(f"{TEXT}\nm3,4,1,5,0,5\nm3,4,5,1,0,5\n")
        sequence = read_sequence(tmp_path)
        assert sequence.masks[1] is None and sequence.masks[2].box.tolist() == [3, 4, 5, 1]

    def test_differ_if_only_a_mask_does(self):
        sequence = moving()
        other = Sequence("wedge", sequence.frames, sequence.boxes)
        assert sequence.identity()["truth"] != other.identity()["truth"]
        assert len(sequence.part(10, 13).masks) == 3 and sequence.part(10, 13).masks[2] is None
        with pytest.raises(DataError, match="30 frames but 29 rows of masks"):
            Sequence("wedge", sequence.frames, sequence.boxes, masks=sequence.masks[1:])

    def test_are_scored_by_their_masks_in_every_protocol(self):
        """Stay-put has the true box throughout; it covers the triangle's 210 of 400 pixels."""
        sequence = moving()
        fits = 210 / 400
        assert region_overlap(sequence.boxes[0], true_regions(sequence)[0], 90, 120) == fits
        for run in run_multistart(lambda: make_tracker("stay-put"), sequence):
            expected = np.where(run.present, fits, 0)
            expected[0] = 0
            np.testing.assert_allclose(run.overlaps, expected)
            assert progress(run.overlaps, run.present) == len(run.overlaps)
        passed = run_reporting(make_tracker("stay-put"), sequence)
        assert frame_counts(passed)["tracked"] == 26 and frame_counts(passed)["invented"] == 3
        supervised = run_supervised(lambda: make_tracker("stay-put"), sequence)
        assert np.nanmin(supervised.overlaps) == fits and supervised.failures == 0
