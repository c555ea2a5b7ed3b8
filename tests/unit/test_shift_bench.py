"""`benchmarks/shift.py`: what it calls staying behind, and which arms it has."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from course_lib.places import PROJECT


@pytest.fixture
def shift(monkeypatch):
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    return importlib.import_module("shift")


def test_the_way_is_counted_from_the_first_centre(shift):
    boxes = np.array([[0.0, 0, 2, 2], [3, 4, 2, 2], [np.nan] * 4])
    assert shift.way(boxes) == pytest.approx([0, 5, np.nan], nan_ok=True)


def test_both_networks_are_trained_with_every_shift(shift):
    assert set(shift.NETWORKS) == {"lite0", "twin"}
    assert shift.SHIFTS == (0, 16, 32, 64)
    assert shift.DISTANCES.max() == shift.PLACES.max() == 64
