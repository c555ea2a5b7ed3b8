"""The one-stream tracker: its steps by hand, a scripted network, and networks of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from stream_files import bright, ready, small

from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.evaluation.otb import track
from course_lib.geometry.boxes import iou
from course_lib.recipe import load_settings
from course_lib.trackers.onestream import (
    OneStreamSettings,
    OneStreamTracker,
    box_of,
    hann,
    kept_in_frame,
    square,
)

FRAME = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
BOX = np.array([120.0, 70, 50, 32])  # √(w · h) = 40: the search image shows 160 pixels at 256


class Scripted:
    """A network that answers with given maps, one after the other; a template's tokens are the mean
    of its crop."""

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers, self.seen, self.templates, self.prepared_from = list(answers), [], [], []

    def template_tokens(self, crop: np.ndarray) -> torch.Tensor:
        self.templates.append(crop)
        return torch.full((1, 64, 2), float(crop.mean()))

    def prepared(self, tokens: torch.Tensor) -> tuple:
        self.prepared_from.append(tokens)
        return (tokens,)

    def respond(self, z: tuple, crops: np.ndarray) -> np.ndarray:
        self.seen.append(crops)
        return self.answers.pop(0)[None]


def maps(*peaks: tuple[int, int, float], size=(0.25, 0.25), offset=(0.0, 0.0)) -> np.ndarray:
    """Maps (5, 16, 16) with scores at (column, row), and the same size and offset everywhere."""
    made = np.zeros((5, 16, 16), np.float32)
    made[0] = 0.01
    for column, row, score in peaks:
        made[0, row, column] = score
    made[1:3] = np.array(size)[:, None, None]
    made[3:5] = np.array(offset)[:, None, None]
    return made


def scripted(*answers: np.ndarray, **settings) -> OneStreamTracker:
    tracker = OneStreamTracker(OneStreamSettings(**settings), Scripted(*answers))
    tracker.init(FRAME, BOX)
    return tracker


class TestSteps:
    """The small functions."""

    def test_hann(self):
        np.testing.assert_allclose(hann(3), np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))
        window = hann(16)
        assert window[0, 8] > 0.03 and np.allclose(window, window[::-1, ::-1])
        line = [0.5 * (1 - math.cos(2 * math.pi / 17 * k)) for k in range(1, 17)]
        np.testing.assert_allclose(window, np.outer(line, line))

    def test_square(self):
        window = square([10, 20, 90, 40], 2, 128)
        assert (window.cx, window.cy, window.size) == (55, 40, 128)
        assert window.side == pytest.approx(120)

    def test_box_of(self):
        made = maps(size=(0.5, 0.25), offset=(0.25, -0.5))
        assert box_of(made, 6, 10).tolist() == [6.25 / 16 - 0.25, 9.5 / 16 - 0.125, 0.5, 0.25]

    def test_kept_in_frame_as_published(self):
        rng, W, H, margin = np.random.default_rng(0), 90, 60, 10
        for _ in range(300):
            x1, y1, w, h = rng.uniform([-150, -150, 0.1, 0.1], [200, 200, 200, 200])
            left, right = min(max(0, x1), W - margin), min(max(margin, x1 + w), W)
            top, bottom = min(max(0, y1), H - margin), min(max(margin, y1 + h), H)
            expected = left, top, max(margin, right - left), max(margin, bottom - top)
            found = kept_in_frame(np.array([x1, y1, w, h]), W, H)
            np.testing.assert_allclose(found, expected)

    def test_a_frame_smaller_than_the_margin(self):
        found = kept_in_frame(np.array([-40.0, 50, 20, 20]), 6, 30)
        assert found.tolist() == [0, 20, 6, 10]

    def test_a_box_inside_stays(self):
        box = np.array([3.0, 4, 50, 40])
        assert np.array_equal(kept_in_frame(box, 90, 60), box)


class TestDecisions:
    def test_the_box_by_hand(self):
        """The search image begins at (145 − 80, 86 − 80) and shows 10 frame pixels a cell."""
        tracker = scripted(maps((9, 7, 0.8), size=(0.3, 0.2), offset=(0.25, -0.5)))
        box = tracker.update(FRAME)
        centre = 65 + 92.5, 6 + 65
        assert box == pytest.approx([centre[0] - 24, centre[1] - 16, 48, 32], abs=1e-4)
        assert tracker.last.score == pytest.approx(0.8) and tracker.last.best == (9, 7)
        assert not tracker.last.lost
        again = tracker.look(FRAME)  # the next search image is around the new box
        assert tracker.window.side == pytest.approx(4 * math.sqrt(48 * 32), rel=1e-4)
        assert (tracker.window.cx, tracker.window.cy) == pytest.approx(centre, abs=1e-3)
        assert again.shape == (1, 256, 256, 3)

    def test_the_window_is_multiplied(self):
        far, near = (1, 1, 0.9), (8, 7, 0.4)
        with_window = scripted(maps(far, near))
        with_window.update(FRAME)
        assert with_window.last.best == (8, 7)
        assert with_window.last.score == pytest.approx(0.4)  # without the window
        np.testing.assert_allclose(with_window.last.ranked, with_window.last.maps[0] * hann(16))
        without = scripted(maps(far, near), window=False)
        without.update(FRAME)
        assert without.last.best == (1, 1)

    def test_a_much_higher_score_far_away_wins_all_the_same(self):
        tracker = scripted(maps((3, 4, 0.9), (8, 7, 0.2)))
        tracker.update(FRAME)
        assert tracker.last.best == (3, 4)

    def test_neither_penalty_nor_smoothing(self):
        tracker = scripted(maps((8, 8, 0.9), size=(0.75, 0.0625)))
        assert tracker.update(FRAME)[2:] == pytest.approx([120, 10])

    @pytest.mark.parametrize(("score", "lost"), [(0.19, True), (0.21, False)])
    def test_lost_below_its_threshold(self, score, lost):
        tracker = scripted(maps((9, 8, score)))
        box = tracker.update(FRAME)
        assert tracker.last.lost is lost
        assert box[0] + box[2] / 2 == pytest.approx(65 + 90)  # it follows the peak anyway

    def test_at_the_border_ten_pixels_remain(self):
        tracker = scripted(maps((0, 0, 0.9)), window=False)
        tracker.believe(np.array([20.0, 15]), np.array([40.0, 40]))
        box = tracker.update(FRAME)
        assert box.tolist() == [0, 0, 10, 10] and (tracker.last.found[:2] < -50).all()

    def test_nothing_is_said_before_the_first_update(self):
        tracker = scripted()
        assert math.isnan(tracker.last.score) and tracker.last.maps is None
        assert np.array_equal(tracker.last.found, BOX)


class TestCrops:
    def test_template_and_search_image_have_the_same_scale(self):
        tracker = scripted(maps((8, 8, 0.9)))
        (template,) = tracker.runtime.templates
        np.testing.assert_array_equal(template, square(BOX, 2, 128).cut(FRAME, (0, 0, 0)))
        assert tracker.last.window.side == pytest.approx(80) and template.shape == (128, 128, 3)
        tracker.update(FRAME)
        search = tracker.runtime.seen[0][0]
        np.testing.assert_array_equal(search, square(BOX, 4, 256).cut(FRAME, (0, 0, 0)))
        np.testing.assert_array_equal(tracker.last.crop, search)
        inside = np.abs(search[64:192, 64:192].astype(int) - template)[1:-1, 1:-1]
        assert inside.max() == 0  # its central half is the template

    def test_black_beyond_the_frame(self):
        white = np.full((200, 300, 3), 255, np.uint8)
        tracker = OneStreamTracker(OneStreamSettings(), Scripted(maps((8, 8, 0.9))))
        tracker.init(white, [0, 80, 40, 40])
        tracker.update(white)
        search = tracker.runtime.seen[0][0]  # 80 of its 160 pixels lie left of the frame, less 20
        assert search[:, :95].max() == 0 and search[:, 97:].min() == 255
        (template,) = tracker.runtime.templates  # 20 of its 80 pixels
        assert template[:, :31].max() == 0 and template[:, 33:].min() == 255


class TestRenewal:
    """A second template, by its score."""

    def test_never_by_default(self):
        tracker = scripted(*[maps((8, 8, 0.9))] * 12)
        for _ in range(12):
            tracker.update(FRAME)
        assert len(tracker.runtime.templates) == 1
        (only,) = tracker.runtime.prepared_from
        assert only.shape == (1, 64, 2)

    def test_every_so_many_frames_the_surest_crop_since(self):
        scores = (0.6, 0.8, 0.7, 0.55, 0.4, 0.3, 0.3, 0.2, 0.1)
        frames = [np.full_like(FRAME, 10 * (t + 1)) for t in range(len(scores))]
        answers = [maps((8, 8, score)) for score in scores]
        tracker = scripted(*answers, update=3)
        first = float(tracker.tokens.mean())
        second = []
        for frame in frames:
            tracker.update(frame)
            tokens = tracker.runtime.prepared_from[-1]
            assert tokens.shape == (1, 128, 2) and float(tokens[0, :64].mean()) == first
            second.append(float(tokens[0, 64:].mean()))
        # after three frames the one with .8; after six the one with .55, the only one above .5;
        # after nine none was sure enough, and it stays
        assert second == [first, first, 20, 20, 20, 40, 40, 40, 40]

    def test_the_threshold_is_a_setting(self):
        answers = [maps((8, 8, 0.6))] * 2
        for above, renewed in ((0.5, True), (0.65, False)):
            tracker = scripted(*answers, update=1, update_above=above)
            tracker.update(np.full_like(FRAME, 70))
            second = float(tracker.runtime.prepared_from[-1][0, 64:].mean())
            assert (second == 70) is renewed

    def test_only_surer_crops_are_kept(self):
        tracker = scripted(*[maps((8, 8, s)) for s in (0.7, 0.9, 0.8)], update=3)
        for t in range(3):
            tracker.update(np.full_like(FRAME, 10 * (t + 1)))
        assert float(tracker.runtime.prepared_from[-1][0, 64:].mean()) == 20

    def test_of_a_real_network(self):
        """Two equal templates are not one: the softmax counts them twice."""
        network = small(asymmetric=True)
        one, two = (OneStreamTracker(OneStreamSettings(update=n), ready(network)) for n in (0, 5))
        for tracker in (one, two):
            tracker.init(FRAME, BOX)
            tracker.update(FRAME)
        assert two.z.kept[0][0].shape[2] == 2 * one.z.kept[0][0].shape[2] == 128
        assert np.abs(one.last.maps - two.last.maps).max() > 1e-4


@pytest.fixture(scope="module")
def sequences():
    return [
        make_sequence(random_spec(740_000 + seed, length=n)).loaded()
        for seed, n in ((1, 6), (2, 4), (3, 5))
    ]


@pytest.mark.parametrize(
    ("more", "settings"),
    [
        ({}, {}),
        ({"asymmetric": True}, {}),
        ({"eliminate": (2,)}, {}),
        ({"asymmetric": True, "eliminate": (1,)}, {"update": 2, "update_above": 0.0}),
    ],
)
def test_lockstep_gives_the_boxes_of_one_by_one(sequences, more, settings):
    make = partial(OneStreamTracker, OneStreamSettings(**settings), ready(small(**more)))
    together = track_in_lockstep(make, sequences, width=2)
    for result, sequence in zip(together, sequences, strict=True):
        alone = track(make(), sequence).boxes
        # pixels; a batch rounds otherwise, by 1e-5 in the first frame, and it grows with each
        assert np.abs(result.boxes - alone).max() < 0.3
        assert np.abs(np.diff(alone, axis=0)).max() > 1


def test_asked_at_another_place_it_stays_as_it_is(sequences):
    sequence = sequences[0]
    settings = OneStreamSettings(update=2, update_above=0.0)
    asked, alone = (OneStreamTracker(settings, ready(small(asymmetric=True))) for _ in range(2))
    for tracker in (asked, alone):
        tracker.init(sequence.frames[0], sequence.boxes[0])
    for t in range(1, 6):
        before = asked.last
        for box in ([5, 5, 30, 40], [60, 50, 60, 50]):
            found, score = asked.ask(sequence.frames[t], box)
            assert found.shape == (4,) and 0 < score < 1
        assert asked.last is before
        found = asked.update(sequence.frames[t])
        np.testing.assert_array_equal(found, alone.update(sequence.frames[t]))


def test_believe_moves_the_search_image():
    tracker = scripted()
    tracker.believe(np.array([40.0, 50]), np.array([20.0, 5]))
    tracker.look(FRAME)
    w = tracker.window
    assert (w.cx, w.cy, w.side) == (40, 50, 40)


def test_it_follows_what_its_network_finds():
    """A bright square on a dark ground, with a network made by hand that looks for brightness."""
    tracker = OneStreamTracker(OneStreamSettings(), ready(bright()))
    truth = np.array([[40 + 3 * t, 50 + 2 * t, 40, 40] for t in range(20)], float)
    frames = np.full((20, 160, 200, 3), 40, np.uint8)
    for frame, (x, y, w, h) in zip(frames, truth.astype(int), strict=True):
        frame[y : y + h, x : x + w] = 220
    tracker.init(frames[0], truth[0])
    found = np.array([tracker.update(frame) for frame in frames[1:]])
    assert iou(found, truth[1:]).min() > 0.5
    # a grey scene without anything bright, and the score falls
    assert tracker.last.score > 0.5
    tracker.update(np.full_like(frames[0], 40))
    assert tracker.last.score < 0.2 and tracker.last.lost


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"update": -1}, "update"),
        ({"update_above": 1.5}, "update_above"),
        ({"lost_below": -0.1}, "lost_below"),
        ({"window": "maybe"}, "window"),
        ({"precision": "fp8"}, "precision"),
        ({"windows": True}, "windows.*window"),
    ],
)
def test_wrong_settings_are_named(settings, words):
    with pytest.raises(SettingsError, match=words):
        load_settings(OneStreamSettings, None, {k: str(v) for k, v in settings.items()})


def test_wrong_weights_are_named():
    with pytest.raises(MissingDataError, match="no weights 'nowhere'"):
        OneStreamTracker(OneStreamSettings(weights="nowhere"))
    with pytest.raises(DataError, match="give the weights of a onestream"):
        OneStreamTracker(replace(OneStreamSettings(), weights="siamfc"))
