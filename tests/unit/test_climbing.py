"""Climbing the IoU: on true IoUs and on functions whose gradient is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_lib.trackers.climbing import Climb, ClimbSettings, best_box, climb, starting_boxes

TRUTH = torch.tensor([50.0, 60, 40, 20])


def true_iou(boxes: torch.Tensor) -> torch.Tensor:
    """2 · IoU − 1 with TRUTH."""
    low = torch.maximum(boxes[:, :2], TRUTH[:2])
    high = torch.minimum(boxes[:, :2] + boxes[:, 2:], TRUTH[:2] + TRUTH[2:])
    shared = (high - low).clamp_min(0).prod(1)
    return 2 * shared / (boxes[:, 2:].prod(1) + TRUTH[2:].prod() - shared) - 1


def test_one_step_by_hand():
    """f = x + 2y + 3w + 4h at (10, 20, 30, 40): the gradient is (1, 2, 3, 4), its factor
    0.1 · (30, 40, 30, 40)."""
    slopes = torch.tensor([1.0, 2, 3, 4])
    start = torch.tensor([[10.0, 20, 30, 40]])
    found = climb(lambda b: b @ slopes, start, steps=1, length=0.1)
    assert found.boxes.shape == (2, 1, 4) and torch.equal(found.boxes[0], start)
    torch.testing.assert_close(found.boxes[1], torch.tensor([[13.0, 28, 39, 56]]))
    assert found.values.tolist() == [[10 + 40 + 90 + 160]]  # before the step


def test_boxes_climb_each_for_itself():
    start = torch.tensor([[56.0, 63, 30, 26], [40, 56, 50, 20], [50, 60, 40, 20]])
    found = climb(true_iou, start, steps=5)
    assert (true_iou(found.boxes[-1])[:2] > true_iou(start)[:2] + 0.15).all()
    alone = climb(true_iou, start[1:2], steps=5)
    torch.testing.assert_close(alone.boxes[:, 0], found.boxes[:, 1])
    assert not found.boxes.requires_grad and not found.values.requires_grad


def test_it_climbs_under_no_grad_too():
    with torch.no_grad():
        found = climb(true_iou, torch.tensor([[56.0, 63, 30, 26]]), steps=2)
    assert true_iou(found.boxes[-1]) > true_iou(found.boxes[0])


def test_no_side_falls_below_a_pixel():
    found = climb(lambda b: -b[:, 2:].sum(1), torch.tensor([[0.0, 0, 1.4, 8]]), steps=3)
    assert found.boxes[:, 0, 2].tolist()[1:] == [1, 1, 1]
    assert found.boxes[-1, 0, 3] == 1


def test_the_best_are_those_judged_best_before_the_last_step():
    boxes = torch.tensor(
        [[[9.0, 9, 9, 9]] * 4, [[0, 0, 10, 10], [2, 2, 10, 10], [8, 8, 10, 10], [0, 0, 10, 70]]]
    )
    values = torch.tensor([[0.1, 0.8, 0.9, 1.0]])
    found = Climb(boxes, values)
    # the last is more than six times as high as wide
    assert best_box(found, 1).tolist() == [8, 8, 10, 10]
    assert best_box(found, 2).tolist() == [5, 5, 10, 10]
    assert best_box(found, 9).tolist() == pytest.approx([10 / 3, 10 / 3, 10, 10])
    assert best_box(Climb(boxes[:, 3:], values[:, 3:]), 1) is None
    wide = boxes[:, 3:, [0, 1, 3, 2]]
    assert best_box(Climb(wide, values[:, 3:]), 1) is None


def test_boxes_to_start_from():
    guess = np.array([100.0, 50, 30, 120])  # root of the area: 60
    settings = ClimbSettings(random=2000)
    boxes = starting_boxes(guess, np.random.default_rng(0), settings).numpy()
    assert boxes.shape == (2001, 4) and np.array_equal(boxes[0], guess)
    centres = boxes[1:, :2] + boxes[1:, 2:] / 2 - [115, 110]
    # 0.1 · 60 · ±0.5 and 0.5 · 60 · ±0.5, uniformly
    for values, reach in ((centres, 3), (boxes[1:, 2:] - [30, 120], 15)):
        assert np.abs(values).max() == pytest.approx(reach, rel=0.02)
        np.testing.assert_allclose(values.std(0), reach / 3**0.5, rtol=0.06)
    wide = ClimbSettings(random=500, size_range=3.0)
    least = starting_boxes(guess, np.random.default_rng(0), wide)[:, 2:].min()
    assert float(least) == 10  # a third of the smaller side
    assert len(starting_boxes(guess, np.random.default_rng(0), ClimbSettings(random=0))) == 1
