"""GOT-10k's AO and SR: hand-worked, and beside the toolkit's overlap function with its way of
clipping."""

from __future__ import annotations

import numpy as np
import pytest
from got10k.utils.metrics import rect_iou

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.got10k import ao_sr, pooled_ious


def sequence(name, boxes, cover=None):
    frames = np.zeros((len(boxes), 100, 100, 3), dtype=np.uint8)
    tags = {} if cover is None else {"cover": np.array(cover)}
    return Sequence(name, ArrayFrames(frames), np.array(boxes, dtype=float), tags=tags)


def test_the_first_frame_and_hidden_targets_do_not_count_and_frames_are_pooled():
    box = [10, 10, 20, 20]
    a, b = sequence("a", [box] * 4, cover=[8, 8, 0, 3]), sequence("b", [box] * 2)
    half = [20, 10, 20, 20]  # IoU 1/3
    scores = ao_sr([np.array([half, box, half, half]), np.array([half, box])], [a, b])
    assert scores["ao"] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert scores["sr50"] == pytest.approx(2 / 3) and scores["sr75"] == pytest.approx(2 / 3)
    assert scores["curve"].shape == (101,) and scores["curve"][-1] == 0


def test_inside_the_image_the_toolkit_agrees():
    rng = np.random.default_rng(0)
    boxes = np.column_stack([rng.uniform(0, 50, (30, 2)), rng.uniform(5, 45, (30, 2))])
    guesses = np.column_stack([rng.uniform(0, 50, (30, 2)), rng.uniform(5, 45, (30, 2))])
    ours = pooled_ious([guesses], [sequence("a", boxes)])
    np.testing.assert_allclose(
        ours, rect_iou(guesses, boxes, bound=np.array([100, 100]))[1:], atol=1e-12
    )


def test_a_box_left_of_the_image_is_cut_here_and_moved_in_the_toolkit():
    true, guess = np.array([[0.0, 10, 30, 20]] * 2), np.array([[-20.0, 10, 50, 20]] * 2)
    assert pooled_ious([guess], [sequence("a", true)])[0] == pytest.approx(
        1.0
    )  # the part inside is exactly the truth
    assert rect_iou(guess.copy(), true.copy(), bound=np.array([100, 100]))[0] == pytest.approx(0.6)


def test_lengths_that_differ_are_named():
    with pytest.raises(DataError, match="1 boxes for the 2 frames of a"):
        ao_sr([np.ones((1, 4))], [sequence("a", [[1, 1, 5, 5]] * 2)])
