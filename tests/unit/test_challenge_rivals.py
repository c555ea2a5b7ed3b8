"""What an entry has to beat is what those trackers reach on the hidden sequences of today."""

from __future__ import annotations

import pytest

from course_lib.exercises.lesson17_entry import RIVALS, hidden_sequences, mean_iou, score_of
from course_lib.exercises.tracks import run
from course_lib.trackers import make_tracker


@pytest.mark.slow
@pytest.mark.parametrize("rival", RIVALS)
def test_the_kept_scores_are_the_rivals(rival):
    settings = {"precision": "fp32"} if rival == "siamfc" else {}
    tracker = make_tracker(rival, None, **settings)
    value = mean_iou([run(tracker, sequence) for sequence in hidden_sequences()])
    assert value == pytest.approx(score_of(rival), abs=RIVALS[rival] / 2 or 1e-3)


def test_every_step_is_higher_than_the_one_before():
    scores = [score_of(rival) + more for rival, more in RIVALS.items()]
    assert scores == sorted(scores) and len(set(scores)) == len(scores)
