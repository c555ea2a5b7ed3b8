"""What lesson 13 asks for is what the library does: the references of its checks beside the code
that the tracker runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib.exercises.lesson13_descent import descended
from course_lib.exercises.lesson13_fault import mended_labels
from course_lib.exercises.lesson13_localise import two_peaks
from course_lib.exercises.lesson13_precondition import preconditioned
from course_lib.exercises.lesson13_solve import conjugate_gradients
from course_lib.exercises.lesson13_state import conclusion
from course_lib.exercises.memory_steps import remembered
from course_lib.models import optimise
from course_lib.models.predictor import ModelPredictor
from course_lib.models.pyramid import MapPlace
from course_lib.trackers.localise import LocalisationSettings, localise
from course_lib.trackers.online_classifier import OnlineClassifier
from course_lib.trackers.sample_memory import SampleMemory


def test_the_solver_is_the_library_s():
    draw = torch.Generator().manual_seed(0)
    J = torch.randn(9, 5, generator=draw, dtype=torch.float64)
    y = torch.randn(9, generator=draw, dtype=torch.float64)
    local = optimise.Linearised(
        lambda a, b: J @ torch.cat([a, b]) - y, (J.new_zeros(2), J.new_zeros(3))
    )
    theirs = optimise.conjugate_gradients(local, 4, optimise.divide_by(0.2, 0.03))
    mine = conjugate_gradients(
        -y, lambda v: J.T @ v, lambda d: J @ d, 4, lambda g: preconditioned(g, [2, 3], [0.2, 0.03])
    )
    torch.testing.assert_close(mine, torch.cat(theirs))


@pytest.mark.parametrize("floor", [0.1, 0.6])
def test_the_memory_s_weights_are_the_library_s(floor):
    memory = SampleMemory(torch.zeros(3, 1, 1, 1), torch.zeros(3, 2), 7, floor)
    weights, last = np.full(3, 1 / 3), None
    for k in range(12):
        rate = 0.2 if k % 4 == 3 else 0.1
        place = memory.add(torch.zeros(1, 1, 1), torch.zeros(2), rate)
        weights, last = remembered(weights, 3, last, 7, rate, floor)
        assert last == place
        np.testing.assert_allclose(weights, memory.weights.numpy(), atol=1e-12)


def test_peaks_and_states_are_the_library_s():
    rng, seen = np.random.default_rng(0), set()
    at = np.arange(96) + 0.5
    for _ in range(300):
        fine = np.zeros((96, 96))
        for height in rng.choice([0.1, 0.2, 0.3, 0.5, 0.9, 0.95, 1.0], 2):
            x, y = rng.uniform(4, 92, 2)
            fine += height * np.exp(-((at - x) ** 2 + (at[:, None] - y) ** 2) / 18)
        size, before, s = np.array([9.0, 7.0]), rng.uniform(30, 66, 2), LocalisationSettings()
        found = localise(fine, size, s, before)
        peaks = two_peaks(fine, size, s.neighbourhood)
        taken, state = conclusion(peaks, before, 48.0, s)
        assert state == found.state
        np.testing.assert_allclose(peaks[taken], [*found.point, found.score])
        seen.add(state)
    assert len(seen) == 4


def test_the_labels_are_the_library_s():
    classifier = OnlineClassifier()
    boxes = torch.tensor([[40.0, 61.0, 30.0, 18.0]])
    centres = (boxes[:, :2] + boxes[:, 2:] / 2 - 0.5) / 16
    theirs = classifier.labels(centres, torch.zeros(1, 4, 11, 9))
    torch.testing.assert_close(mended_labels(boxes, 0.5, 16, (11, 9), 4, 0.9), theirs)


def test_the_step_is_the_library_s():
    torch.manual_seed(0)
    predictor = ModelPredictor(MapPlace(3, 16, 0.5), kernel=4)
    features, filters = torch.randn(1, 2, 3, 7, 7), torch.randn(1, 3, 4, 4)
    centres = torch.tensor([[[3.2, 4.1], [2.0, 5.0]]])
    with torch.no_grad():
        (theirs,) = predictor.descend(filters, features, centres, steps=1)
        labels, mask, _ = predictor.maps(centres, (8, 8))  # (1, 2, 8, 8) each
        x = F.unfold(features[0], 4, padding=2).transpose(1, 2).flatten(0, 1)  # (2 · 64, 48)
        v = torch.full((128,), 0.5**0.5)
        given = labels.flatten(), mask.flatten(), v, 0.01, 0.9
        mine = descended(filters.flatten(), x, *given)
    torch.testing.assert_close(mine, theirs.flatten(), rtol=1e-4, atol=1e-5)
