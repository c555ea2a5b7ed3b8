"""The size loop: every control at its ends, what it says, and measured curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from course_lib.analysis.size_response import FACTORS
from course_lib.errors import DataError
from course_lib.widgets import SizeLoop
from course_lib.widgets.size_loop import beyond

CURVES = {"first": np.zeros(7), "second": np.log(FACTORS) * 0.5 + 0.05}


@pytest.fixture(scope="module")
def loop() -> SizeLoop:
    return SizeLoop(CURVES)


def test_every_control_at_its_ends(loop):
    for spec in loop.controls:
        for value in (spec["low"], spec["high"]):
            loop.set(**{spec["name"]: value})
            assert np.isfinite(loop.sizes()).all() and loop.png.startswith(b"\x89PNG")
    with pytest.raises(DataError, match="'window'"):
        loop.set(window=0.3)


def test_it_settles_where_the_line_says_and_at_the_truth_if_inverted():
    loop = SizeLoop()
    assert loop.sizes()[-1] == pytest.approx(math.exp(0.1 / 0.3), rel=0.01)
    assert "1.40 times the true one; it settles" in loop.readout
    loop.set(assumed=0.7)
    assert loop.sizes(1.6)[-1] == pytest.approx(1, rel=0.01)
    loop.set(assumed=0.85, gain=0.0, bias=0.0, rate=0.5)
    assert "swings" in loop.readout


def test_a_measured_curve_takes_the_lines_place():
    loop = SizeLoop(CURVES)
    loop.set(response=1)
    assert loop.answer(0.3) == 0 and loop.sizes(1.6)[-1] == pytest.approx(1)
    loop.set(response=2)
    assert loop.answer(0.3) == pytest.approx(0.2, abs=1e-3)
    assert loop.sizes()[-1] == pytest.approx(math.exp(0.1), rel=0.01)


def test_beyond_the_ends_the_last_line_goes_on():
    at, values = np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 3.0])
    found = [beyond(x, at, values) for x in (-1, 0, 0.5, 2, 3, 5)]
    assert found == pytest.approx([-2, 0, 1, 2.5, 3, 4])
