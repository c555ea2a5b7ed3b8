"""A call that does not end is interrupted and answered in words."""

from __future__ import annotations

import threading
import time

import pytest

from course_lib.exercises import patience
from course_lib.exercises.core import examine
from course_lib.exercises.patience import within_patience
from course_lib.exercises.words import Wrong


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE", 0.4)


def forever():
    n = 0
    while True:
        try:
            n += 1
        except Exception:
            continue


def test_an_endless_loop_is_interrupted(short):
    for _ in range(2):
        with pytest.raises(Wrong, match="does its loop end"):
            within_patience(forever)
    assert within_patience(divmod, 7, 4) == (1, 3)
    time.sleep(1)  # nothing comes later


def test_a_call_within_a_call_has_the_time_of_the_outer_one(short):
    began = time.monotonic()
    with pytest.raises(Wrong):
        within_patience(lambda: [within_patience(time.sleep, 0.15) for _ in range(100)])
    assert time.monotonic() - began < 10


def test_an_interrupt_of_the_user_goes_through(short):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        within_patience(stopped)
    assert threading.get_ident() not in patience._ENDS


def test_a_check_says_what_is_wrong_with_it(short):
    def displacement(response):
        return forever()

    assert examine("kcf.displacement", displacement)[0] == "wrong"
