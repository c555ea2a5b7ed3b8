"""OPE, TRE and SRE: what a protocol may do to a tracker, hand-worked starts and shifted boxes."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data.frames import ArrayFrames
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.otb import track
from course_lib.evaluation.tre_sre import sre, sre_boxes, tre, tre_starts
from course_lib.trackers.base import Tracker


class Spy(Tracker):
    """Records what it is shown; returns `answer`, or boxes that cannot be guessed."""

    name = "spy"

    def __init__(self, answer=None):
        self.answer, self.seen = answer, []

    def init(self, frame, box):
        self.seen.append(("init", int(frame[0, 0, 0]), box.tolist()))

    def update(self, frame):
        self.seen.append(("update", int(frame[0, 0, 0])))
        return np.array([len(self.seen), 0.5, 3, 4]) if self.answer is None else self.answer


def sequence(T=6):
    frames = [np.full((100, 120, 3), t, dtype=np.uint8) for t in range(T)]
    return Sequence(
        "spied",
        ArrayFrames(frames),
        np.column_stack([np.arange(T) + 20.0, np.full(T, 30.0), np.full((T, 2), 10.0)]),
    )


def test_one_pass_starts_once_and_never_helps():
    spy, target = Spy(), sequence()
    result = track(spy, target)
    assert spy.seen == [("init", 0, [20, 30, 10, 10]), *(("update", t) for t in range(1, 6))]
    assert result.boxes[:, 0].tolist() == [20, 2, 3, 4, 5, 6] and (result.seconds > 0).all()


def test_a_pass_may_start_later_and_elsewhere():
    spy = Spy()
    result = track(spy, sequence(), start=3, box=[1, 2, 3, 4])
    assert (
        spy.seen[0] == ("init", 3, [1, 2, 3, 4])
        and len(result) == 3
        and result.boxes[0].tolist() == [1, 2, 3, 4]
    )


@pytest.mark.parametrize(
    "answer", [np.array([np.nan, 1, 2, 3]), np.zeros(3), "box", [None] * 4, np.full(4, np.inf)]
)
def test_an_invalid_box_is_named(answer):
    with pytest.raises(
        DataError, match="tracker spy gave .* for frame 1 of spied; expected four finite numbers"
    ):
        track(Spy(answer), sequence())


def test_tre_starts_of_a_hundred_frames():
    """E = 81 (the last start leaves 20 frames), step 81/19: floor(1, 5.26, 9.53, …) counted from 1,
    then 81."""
    starts = tre_starts(np.ones((100, 4)))
    assert starts == [0, 4, 8, 12, 17, 21, 25, 29, 34, 38, 42, 46, 51, 55, 59, 63, 68, 72, 76, 80]


def test_tre_starts_skip_frames_that_do_not_count():
    truth = np.ones((60, 4))
    truth[0:3] = np.nan
    omitted = np.arange(60) == 3
    starts = tre_starts(truth, omitted)
    assert starts[0] == 4 and starts[-1] == 40 and len(starts) == 20


def test_the_last_start_of_tre_leaves_twenty_frames_whether_they_have_a_box_or_not():
    truth = np.ones((60, 4))
    truth[45:] = np.nan
    assert tre_starts(truth)[-1] == 40
    truth[0, 0], truth[1, 1], truth[2, 0] = -1, -2, -0.5  # −1 is 0 counted from 1
    assert tre_starts(truth)[:2] == [2, 4]


def test_a_short_sequence_has_one_start():
    assert tre_starts(np.ones((15, 4))) == [0] and tre_starts(np.full((15, 4), np.nan)) == []


def test_every_pass_of_tre_runs_to_the_end():
    runs = tre(Spy, sequence(45), segments=4)
    assert [start for start, _ in runs] == [0, 8, 17, 25]
    assert all(len(result) == 45 - start for start, result in runs)


# Box x=10, y=20, w=40, h=21 counted from 1 in a frame of 300 × 200 (so (9, 19, 40, 21) here): a
# tenth is 4 and 2.1 px.
BY_HAND = {
    "left": (6, 20, 40, 21),
    "right": (14, 20, 40, 21),
    "up": (10, 17, 40, 21),  # ceil(2.1) = 3
    "down": (10, 23, 40, 21),
    "topLeft": (6, 18, 44, 23),  # corner to (6, 17.9); the opposite one stays at (49, 40)
    "topRight": (10, 18, 44, 23),
    "bottomLeft": (6, 20, 44, 23),
    "bottomRight": (10, 20, 44, 23),
    "scale_8": (14, 22, 32, 17),  # centre (30, 30.5): 30 − 16 = 14, 30.5 − 8.4 = 22.1
    "scale_9": (12, 21, 36, 19),
    "scale_11": (8, 19, 44, 23),  # 30.5 − 11.55 = 18.95
    "scale_12": (6, 18, 48, 25),
}


def test_the_twelve_boxes_of_sre_by_hand():
    boxes = sre_boxes([9, 19, 40, 21], 200, 300)
    assert {name: tuple(box + [1, 1, 0, 0]) for name, box in boxes.items()} == BY_HAND


def test_a_box_of_sre_that_begins_outside_is_moved_to_the_edge():
    boxes = sre_boxes([2, 3, 50, 40], 100, 120)
    assert tuple(boxes["left"]) == (0, 3, 50, 40)  # by 5 pixels, of which 2 were there
    assert tuple(boxes["topLeft"]) == (0, 0, 55, 44)
    assert tuple(sre_boxes([70, 3, 50, 40], 100, 120)["right"]) == (75, 3, 45, 40)  # cut off
    assert tuple(sre_boxes([1, 9, 65, 40], 100, 120)["topLeft"]) == (0, 5, 72, 44)  # 2 − 6.5 → −5


def test_a_box_between_pixels_is_shifted_as_it_is_and_its_moved_corner_is_put_on_whole_pixels():
    boxes = sre_boxes([20.25, 30.5, 40.5, 20.0], 100, 120)
    assert tuple(boxes["left"]) == (15.25, 30.5, 40.5, 20)
    assert tuple(boxes["topLeft"]) == (16, 29, 44.75, 21.5)  # 21.25 − 4.05 = 17.2, 31.5 − 2 = 29.5
    assert tuple(boxes["scale_8"]) == (24, 33, 32, 16)  # 41.5 − 16.2 = 25.3, 41.5 − 8 = 33.5


def test_boxes_of_sre_stay_in_the_frame():
    for box in (
        *sre_boxes([0, 0, 30, 30], 100, 120).values(),
        *sre_boxes([95, 75, 25, 25], 100, 120).values(),
    ):
        assert (
            (box[:2] >= 0).all()
            and box[0] + box[2] <= 120
            and box[1] + box[3] <= 100
            and (box[2:] > 0).all()
        )


def test_sre_starts_each_pass_on_its_box():
    results = sre(Spy, sequence())
    expected = sre_boxes([20, 30, 10, 10], 100, 120)
    assert results.keys() == expected.keys() and all(len(r) == 6 for r in results.values())
    assert all(np.array_equal(results[name].boxes[0], expected[name]) for name in expected)
