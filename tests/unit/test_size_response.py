"""The size response of trackers whose response is known, and of the loop that it makes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from course_lib.analysis.size_response import (
    FACTORS,
    SizeResponse,
    fit_response,
    found_sizes,
    median_response,
    simulate,
)
from course_lib.errors import DataError
from course_lib.trackers.siamrpn import smooth_size, true_size

BOXES = np.array([[10.0 + t, 20, 30 + t, 24 + t] for t in range(12)])
FRAMES = list(range(12))  # a frame is its number


class Answers:
    """Finds true · exp(g · log q + b) at the true place, or `away` sides beside it."""

    def __init__(self, gain: float, bias: float, away: float = 0.0) -> None:
        self.gain, self.bias, self.away, self.seen = gain, bias, away, []

    def init(self, frame, box):
        self.started = frame, np.array(box)

    def believe(self, centre, size):
        self.centre, self.size = centre, size

    def update(self, frame):
        true, self.seen = BOXES[frame], [*self.seen, frame]
        q = self.size[0] / true[2]
        size = true[2:] * math.exp(self.gain * math.log(q) + self.bias)
        self.box = np.concatenate([self.centre + self.away * true[2:] - size / 2, size])
        half = np.sqrt(size * self.size)  # moved by half of the way, in the logarithm
        return np.concatenate([self.centre - half / 2, half])

    def found(self):
        return self.box


@pytest.mark.parametrize(("gain", "bias"), [(0.0, 0.0), (0.71, 0.12), (1.0, -0.05)])
def test_a_known_response_is_found(gain, bias):
    tracker = Answers(gain, bias)
    logs = found_sizes(tracker, FRAMES, BOXES, count=5)
    assert logs.shape == (5, len(FACTORS))
    assert tracker.started[0] == 0 and sorted(set(tracker.seen)) == [1, 4, 6, 8, 11]
    assert fit_response(logs) == pytest.approx((gain, bias), abs=1e-9)


def test_what_is_smoothed_moves_less():
    logs = found_sizes(Answers(0.4, 0.1), FRAMES, BOXES, smoothed=True)
    assert fit_response(logs) == pytest.approx((0.7, 0.05), abs=1e-9)


def test_the_middle_frame_decides():
    logs = found_sizes(Answers(0.5, 0.0), FRAMES, BOXES, count=3)
    logs[0] += 5  # a single frame gone wrong
    logs[2, 3] = np.nan
    logs[2, :3] -= 0.0
    assert fit_response(logs[1:]).gain == pytest.approx(0.5)
    assert fit_response(np.vstack([logs, logs[1:]])).gain == pytest.approx(0.5)


def test_what_lies_elsewhere_is_not_measured():
    assert np.isfinite(found_sizes(Answers(0, 0, 0.49), FRAMES, BOXES)).all()
    missed = found_sizes(Answers(0, 0, 0.51), FRAMES, BOXES)
    assert np.isnan(missed).all()
    with pytest.raises(DataError, match="found at 0 of 7 sizes; a line needs two"):
        fit_response(missed)


def test_absent_frames_are_left_out():
    boxes = BOXES.copy()
    boxes[[0, 3, 11]] = np.nan
    tracker = Answers(0.3, 0.0)
    found_sizes(tracker, FRAMES, boxes, count=50)
    assert tracker.started[0] == 1 and sorted(set(tracker.seen)) == [2, 4, 5, 6, 7, 8, 9, 10]
    boxes[1:] = np.nan
    with pytest.raises(DataError, match="visible in 0 frames"):
        found_sizes(tracker, FRAMES, boxes)


def test_the_median_over_clips():
    three = [SizeResponse(0.2, 0.3), SizeResponse(0.9, 0.0), SizeResponse(0.4, 0.1)]
    assert median_response(three) == (0.4, 0.1)


@pytest.mark.parametrize(("gain", "bias"), [(0.71, 0.12), (0.5, -0.1), (0.0, 0.05)])
def test_a_loop_settles_where_it_is_said_to_and_inverted_at_the_truth(gain, bias):
    size = inverted = np.array([40.0, 20.0])
    true = np.array([40.0, 20.0])
    for _ in range(400):

        def answer(size):
            return true * np.exp(gain * np.log(size[0] / true[0]) + bias)

        size = smooth_size(size, answer(size), 1.0, 0.3)
        inverted = smooth_size(
            inverted, true_size(answer(inverted), inverted, gain, bias), 1.0, 0.3
        )
    assert size[0] / true[0] == pytest.approx(SizeResponse(gain, bias).settles, rel=1e-6)
    assert inverted == pytest.approx(true, rel=1e-6)
    assert SizeResponse(1.0, 0.1).settles == math.inf


def test_the_inverse_keeps_the_shape_and_trusts_no_wild_answer():
    found = true_size(np.array([60.0, 20.0]), np.array([40.0, 40.0]), 0.5, 0.0)
    assert found[0] / found[1] == pytest.approx(3)
    wild = true_size(np.array([4e3, 4e3]), np.array([40.0, 40.0]), 0.5, 0.0)
    assert wild == pytest.approx([40 * math.e, 40 * math.e])  # r = 0.5, doubled
    as_found = true_size(np.array([4e3, 1.0]), np.array([40.0, 40.0]), 0.0, 0.0)
    assert as_found.tolist() == [4e3, 1.0]


def test_the_simulated_loop_is_the_trackers():
    def line(x):
        return 0.6 * x + 0.1

    sizes = simulate(line, 0.3, start=1.4, frames=40)
    size = np.array([1.4])
    for expected in sizes[1:]:
        size = smooth_size(size, np.exp([line(math.log(size[0]))]), 1.0, 0.3)
        assert size[0] == pytest.approx(expected)
    assert simulate(line, 1.0, SizeResponse(0.6, 0.1), start=1.4, frames=3)[1:] == pytest.approx(1)
    assert simulate(line, 1.0, SizeResponse(0.0, 0.0), start=1.4, frames=300)[-1] == pytest.approx(
        SizeResponse(0.6, 0.1).settles
    )


def test_too_much_inversion_swings_and_noise_is_seeded():
    swinging = np.log(simulate(lambda x: 0.0, 1.0, SizeResponse(0.4, 0.0), start=1.2, frames=12))
    assert (np.sign(swinging[1:]) == -np.sign(swinging[:-1])).all()
    assert abs(swinging[-1]) < abs(swinging[0])
    wild = np.log(simulate(lambda x: 0.0, 1.0, SizeResponse(0.6, 0.0), start=1.2, frames=12))
    assert abs(wild[-1]) > abs(wild[0])
    a, b, c = (simulate(lambda x: 0.5 * x, 0.3, noise=0.1, seed=s) for s in (0, 0, 1))
    assert (a == b).all() and not (a == c).all()
    assert 0.02 < np.log(a).std() < 0.08
    assert np.isfinite(simulate(lambda x: 3 * x + 1, 1.0, frames=500)).all()
