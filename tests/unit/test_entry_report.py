"""The page on an entry: its numbers by hand, one file, and what it refuses."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import SettingsError
from course_lib.evaluation.bootstrap import Spread
from course_lib.evaluation.entry_report import (
    EntryScores,
    entry_report,
    failure_figure,
    score_entry,
    verdict,
)
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker


class Told(Tracker):
    """A tracker that knows the boxes, with an error of its own."""

    name = "told <b>"

    def __init__(self, boxes, shift):
        self.boxes, self.shift = boxes, shift

    def init(self, frame, box):
        """Begin."""
        self.t = 0

    def update(self, frame):
        """The next true box, moved."""
        self.t += 1
        return self.boxes[self.t] + [self.shift * self.boxes[self.t, 2], 0, 0, 0]


@pytest.fixture(scope="module")
def sequences():
    """Three short sequences."""
    size = {"length": 6, "height": 60, "width": 80, "size": 20.0, "leaves": False, "occluders": 0}
    return tuple(make_sequence(random_spec(991_000 + k, **size)).loaded() for k in range(3))


def told(sequences, shift, name="told <b>"):
    """Scores of boxes that are moved by a part of their width; stay-put is the rival."""
    pending = iter([None, *sequences])  # one is made for its name

    def make():
        sequence = next(pending)
        return Told(None if sequence is None else sequence.boxes, shift)

    return score_entry(make, {"stay-put": lambda: make_tracker("stay-put")}, sequences)


def test_scores_are_mean_ious_after_the_first_frame(sequences):
    scores = told(sequences, 1 / 3)  # of two boxes a third of their width apart the IoU is 1/2
    assert list(scores.scores) == ["told <b>", "stay-put"]
    np.testing.assert_allclose(scores.scores["told <b>"], 0.5)


def test_the_difference_shares_its_draws():
    """Rivals that differ by the same on every sequence: no doubt is left."""
    hard = np.array([0.1, 0.5, 0.9])
    scores = EntryScores("a", (), (), {"a": hard + 0.05, "b": hard})
    apart = scores.ahead_of("b")
    assert (apart.value, apart.low, apart.high) == pytest.approx((0.05, 0.05, 0.05))
    assert scores.from_worst == [0, 1, 2]


@pytest.mark.parametrize(
    ("ends", "words"), [((0.1, 0.2), "beaten"), ((-0.2, -0.1), "not beaten"), ((-0.1, 0.2), "open")]
)
def test_a_verdict_is_the_intervals(ends, words):
    assert verdict(Spread(0.0, *ends)) == words


class Reader(HTMLParser):
    """Collects what a page refers to, and its text."""

    def __init__(self):
        super().__init__()
        self.addresses, self.text, self.open = [], "", []

    def handle_starttag(self, tag, attributes):
        """Keep what is loaded, and what must be closed."""
        self.addresses += [v for k, v in attributes if k in ("src", "href")]
        self.open += [tag] * (tag not in ("img", "meta"))

    def handle_endtag(self, tag):
        """Tags close in order."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Keep the text."""
        self.text += data


def test_the_page_is_one_file_that_says_what_was_found(sequences, tmp_path):
    scores = told(sequences, 0.1)
    path = entry_report(scores, tmp_path / "entry.html", "It <knows> them.")
    page, reader = path.read_text(encoding="utf-8"), Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(reader.addresses) == 1 + len(sequences)  # the scores, and three failures
    assert all(a.startswith("data:image/png;base64,") for a in reader.addresses)
    assert "//" not in re.sub(r'src="[^"]*"', "", page)
    assert "told <b>" in reader.text and "It <knows> them." in reader.text
    apart = scores.ahead_of("stay-put")
    assert f"{apart.low:+.3f} to {apart.high:+.3f}" in reader.text
    assert verdict(apart) in reader.text


def test_the_worst_clip_is_shown_where_it_is_missed_first(sequences):
    boxes = tuple(sequence.boxes.copy() for sequence in sequences)
    boxes[1][3:, 0] += 500
    scores = EntryScores("a", sequences, boxes, {"a": np.array([0.9, 0.3, 0.8])})
    assert f"The worst failure: {sequences[1].name}" in failure_figure(scores)[1]
    assert "is first 0 in frame 3" in failure_figure(scores)[1]
    second = failure_figure(scores, 1)[1]
    assert f"The second worst failure: {sequences[2].name}, mean IoU 0.800" in second


def test_what_has_no_interval_is_refused(sequences):
    stay = {"stay-put": lambda: make_tracker("stay-put")}
    with pytest.raises(SettingsError, match="at least two sequences"):
        score_entry(lambda: make_tracker("mosse"), stay, sequences[:1])
    with pytest.raises(SettingsError, match="another name"):
        score_entry(lambda: make_tracker("stay-put"), stay, sequences)
