"""`benchmarks/place_or_size.py`: what a tracker gains by being told its place or size."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from course_lib.data.sequence import Sequence
from course_lib.places import PROJECT


class Shifted:
    """Finds what it believes in, four pixels further right and twice as large."""

    def init(self, frame, box):
        self.box = np.array(box, dtype=np.float64)

    def believe(self, centre, size):
        self.box = np.concatenate([centre - size / 2, size])

    def update(self, frame):
        centre = self.box[:2] + self.box[2:] / 2 + [4.0, 0.0]
        self.believe(centre, 2 * self.box[2:])
        return self.box


class TestPlaceOrSize:
    """`benchmarks/place_or_size.py`: three frames, a target that stays; in the last it is gone."""

    @pytest.fixture
    def bench(self, monkeypatch):
        monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
        return importlib.import_module("place_or_size")

    @pytest.fixture
    def still(self) -> Sequence:
        boxes = np.array([[10.0, 10.0, 8.0, 4.0]] * 3 + [[np.nan] * 4])
        return Sequence("still", [np.zeros((60, 60, 3), np.uint8)] * 4, boxes)

    @pytest.mark.parametrize(
        ("what", "expected"),
        [
            # the centre is (14, 12); it moves by four a frame unless told, the size doubles
            ("alone", [[10, 8, 16, 8], [6, 4, 32, 16], [-6, -4, 64, 32]]),
            ("true size", [[14, 10, 8, 4], [18, 10, 8, 4], [18, 8, 16, 8]]),
            ("true place", [[6, 8, 16, 8], [-2, 4, 32, 16], [-14, -4, 64, 32]]),
        ],
    )
    def test_it_is_told_one_and_keeps_the_other(self, bench, still, what, expected):
        boxes = bench.told(Shifted(), still, what)
        np.testing.assert_allclose(boxes[1:], expected)
        np.testing.assert_allclose(boxes[0], still.boxes[0])

    def test_a_smoothed_size_goes_on_from_the_smoothed_one(self, bench, still):
        boxes = bench.told(Shifted(), still, "alone", 0.5)
        # it finds twice the size that it believes; half of the change is believed
        np.testing.assert_allclose(boxes[1:, 2:], [[12, 6], [18, 9], [27, 13.5]])
        np.testing.assert_allclose(boxes[1:, 0] + boxes[1:, 2] / 2, [18, 22, 26])

    def test_what_smoothing_gains_is_by_sequence(self, bench, still, monkeypatch):
        monkeypatch.setattr(bench, "TRACKERS", {"one stream": Shifted})
        monkeypatch.setattr(bench, "UNSMOOTHED", Shifted)
        monkeypatch.setattr(bench, "RATES", (0.0,))
        table = bench.smoothed([still, still], {"one stream": [0.1, 0.1], "siamrpn++": [0.0, 0.2]})
        # size kept, shifts of 4 and 8 of 8 px: overlaps 1/3 and 0
        assert table["one stream, 0.0"]["iou"] == pytest.approx(1 / 6)
        assert table["one stream, 0.0"]["gain"]["mean"] == pytest.approx(1 / 6 - 0.1)
        assert table["siamrpn++, unsmoothed"]["gain"]["half_width"] > 0

    def test_frames_without_a_target_do_not_count(self, bench, still):
        boxes = np.array([[10, 10, 8, 4], [10, 10, 8, 4], [14, 10, 8, 4], [0, 0, 1, 1.0]])
        assert bench.mean_iou(boxes, still) == pytest.approx((1 + 1 / 3) / 2)
        assert bench.lost_part(boxes, still) == 0
        boxes[2] = [40, 40, 8, 4]
        assert bench.lost_part(boxes, still) == 0.5
