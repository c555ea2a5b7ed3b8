"""Boxes that the IoU predictor learns from: their IoU, their noise, and what they depend on."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.overlap_proposals import NOISE, draw_proposals
from course_lib.geometry.boxes import iou, to_centre

BOX = np.array([60.0, 40, 80, 20])


def draw(count: int = 4000, seed: int = 0, **more) -> np.ndarray:
    return draw_proposals(np.random.default_rng(seed), BOX, count, **more)


def test_every_box_overlaps_the_target_and_has_an_area():
    boxes = draw()
    assert boxes.shape == (4000, 4)
    assert (iou(boxes, BOX) > 0.1).all() and (boxes[:, 2:] > 0).all()


def test_small_noise_is_normal_in_roots_of_the_area():
    """At 0.01 no box is refused: all four numbers have the deviation 0.01 · √(80 · 20) = 0.4."""
    noise = to_centre(draw(noise=(0.01,))) - to_centre(BOX)
    np.testing.assert_allclose(noise.std(0), 0.4, rtol=0.05)
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.03)
    assert np.abs(np.corrcoef(noise.T) - np.eye(4)).max() < 0.06


def test_all_five_noises_are_drawn_alike():
    """Between 0.01 and 0.05 lies a gap: a fifth of the boxes is left of it."""
    error = np.abs(to_centre(draw()) - to_centre(BOX)).max(1)  # of four normal numbers
    root = np.sqrt(80 * 20)
    small = (error < 0.035 * root).mean()  # all of 0.01, hardly any of 0.05
    assert NOISE == (0.01, 0.05, 0.1, 0.2, 0.3)
    # P(max of 4 |normal| < 0.7 σ) = 0.516⁴ = 0.071 of 0.05's, next to none of the others'
    assert small == pytest.approx((1 + 0.071 + 0.005) / 5, abs=0.02)


def test_boxes_that_miss_are_drawn_again_with_less_noise():
    """With noise of three roots hardly a box overlaps at once; all do in the end, and differ."""
    boxes = draw(200, noise=(3.0,))
    assert (iou(boxes, BOX) > 0.1).all() and len(np.unique(boxes, axis=0)) == 200


def test_a_side_that_vanishes_becomes_a_part_of_the_target_s():
    boxes = draw(noise=(0.5,))
    small = boxes[:, 3] < 0.15 * 20
    assert (boxes[:, 3] >= 1).all()
    assert small.any()  # between one pixel and 0.15 sides nothing is changed
    flat = draw_proposals(np.random.default_rng(0), np.array([0.0, 0, 400, 1.5]), 3000)
    assert flat[:, 3].min() >= 0.15 * 1.5 - 1e-9


def test_it_depends_on_its_generator_alone():
    np.testing.assert_array_equal(draw(50, 3), draw(50, 3))
    assert not np.array_equal(draw(50, 3), draw(50, 4))
