"""The aspect response of trackers whose response is known."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.analysis.aspect_response import (
    ASPECTS,
    marked_aspects,
    seen_aspects,
    stretched,
    with_aspect,
)
from course_lib.analysis.size_response import fit_response
from course_lib.errors import DataError
from course_lib.geometry.windows import context_side, exemplar_window

BOXES = np.array([[40.0 + 2 * t, 30, 30 + t, 24] for t in range(9)])
FRAMES = [np.full((120, 160, 3), t, np.uint8) for t in range(9)]


class Draws:
    """Finds the true shape · (seen / true)^seen · (marked / true)^marked, `away` sides off."""

    def __init__(self, seen: float, marked: float, away: float = 0.0) -> None:
        self.seen, self.marked, self.away = seen, marked, away

    def init(self, frame, box):
        self.first = np.array(box)

    def believe(self, centre, size):
        self.centre, self.told = centre, np.array(size)

    def update(self, frame):
        true = BOXES[frame[0, 0, 0]]
        height, width = frame.shape[:2]
        k = (width / height) / (160 / 120)
        mark = (self.first[2] / self.first[3]) / (BOXES[0, 2] / BOXES[0, 3])
        factor = k**self.seen * mark**self.marked
        size = true[2:] * [factor**0.5, factor**-0.5]
        self.box = np.concatenate([self.centre + self.away * true[2:] - size / 2, size])
        return self.box

    def found(self):
        return self.box


def test_another_aspect_cuts_the_same_exemplar():
    for k in ASPECTS:
        box = with_aspect(BOXES[3], k)
        assert box[2] / box[3] == pytest.approx(k * BOXES[3, 2] / BOXES[3, 3])
        assert box[:2] + box[2:] / 2 == pytest.approx(BOXES[3, :2] + BOXES[3, 2:] / 2)
        assert context_side(box[2:]) == pytest.approx(context_side(BOXES[3, 2:]))
        assert exemplar_window(box).side == pytest.approx(exemplar_window(BOXES[3]).side)


def test_a_stretched_frame_carries_its_box():
    frame = np.zeros((120, 160, 3), np.uint8)
    frame[30:54, 40:70] = 255
    for k in ASPECTS:
        new, box = stretched(frame, BOXES[0], k)
        assert box[2] / box[3] == pytest.approx(k * 30 / 24, rel=0.02)
        bright = np.argwhere(new[..., 0] > 127)  # rows and columns
        assert bright.min(0)[::-1] == pytest.approx(box[:2], abs=1)
        assert bright.max(0)[::-1] + 1 == pytest.approx(box[:2] + box[2:], abs=1)


@pytest.mark.parametrize(("seen", "marked"), [(1.0, 0.0), (0.3, 0.8)])
def test_a_known_response_is_found(seen, marked):
    tracker = Draws(seen, marked)
    for logs, gain in (
        (seen_aspects(tracker, FRAMES, BOXES), seen),
        (marked_aspects(tracker, FRAMES, BOXES), marked),
    ):
        assert logs.shape == (4, len(ASPECTS))
        assert fit_response(logs, ASPECTS).gain == pytest.approx(gain, abs=0.02)


def test_the_marked_shape_is_believed_in_only_if_asked():
    tracker = Draws(1.0, 0.0)
    for search_too, aspect in ((False, 38 / 24), (True, 2 * 38 / 24)):
        marked_aspects(tracker, FRAMES, BOXES, search_too)
        assert tracker.told[0] / tracker.told[1] == pytest.approx(aspect)


def test_what_lies_elsewhere_is_not_measured():
    assert np.isnan(marked_aspects(Draws(1, 0, 0.51), FRAMES, BOXES)).all()
    with pytest.raises(DataError, match="visible in 1 frames"):
        seen_aspects(Draws(1, 0), FRAMES, np.vstack([BOXES[:1], np.full((8, 4), np.nan)]))
