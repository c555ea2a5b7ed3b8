"""Benches of lessons 03 to 06, driven from Python at their extremes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from course_lib.data.frames import ArrayFrames
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError
from course_lib.evaluation.multistart import run_multistart
from course_lib.evaluation.multistart_scores import multistart_scores
from course_lib.models.device import Placement
from course_lib.models.pyramid import MapPlace
from course_lib.models.runtime import SiamFCRuntime
from course_lib.trackers.base import Tracker
from course_lib.trackers.baselines import StayPut
from course_lib.trackers.siamfc import SiamFCSettings, SiamFCTracker
from course_lib.training.loop import Progress
from course_lib.widgets import (
    LiveCurves,
    ProtocolExplorer,
    ScoreMapExplorer,
    ShiftExplorer,
    WindowBench,
)
from course_lib.widgets.race import run_lap
from course_lib.widgets.score_maps import untrained

pytestmark = pytest.mark.slow

SMALL = (4, 8, 8, 8, 4)


@pytest.fixture(scope="module")
def runtime():
    return SiamFCRuntime(untrained(widths=SMALL), Placement(torch.device("cpu"), bf16=False))


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(2, length=8, distractors=1))


def decoded(widget) -> np.ndarray:
    """The image as the page gets it."""
    return cv2.imdecode(np.frombuffer(widget.png, np.uint8), cv2.IMREAD_COLOR)


def sent_map(explorer) -> np.ndarray:
    """The response as the page gets it."""
    side = explorer.shown["side"]
    return np.frombuffer(explorer.shown["values"], "<f4").reshape(side, side)


class TestScoreMaps:
    """The score-map explorer."""

    @pytest.fixture
    def explorer(self, sequence, runtime):
        return ScoreMapExplorer(
            sequence, make_sequence(random_spec(4, length=2)), {"a": runtime, "b": runtime}
        )

    def test_every_control_at_its_ends(self, explorer):
        for spec in explorer.controls:
            for value in (spec["low"], spec["high"], spec["high"] + 100):
                explorer.set(**{spec["name"]: value})
                assert explorer.values[spec["name"]] <= spec["high"] and sent_map(
                    explorer
                ).shape == (17, 17)

    def test_the_own_exemplar_peaks_on_the_target(self, explorer):
        explorer.set(frame=0)
        row, column = np.unravel_index(explorer.response.argmax(), explorer.response.shape)
        assert abs(row - 8) <= 1 and abs(column - 8) <= 1
        own, crop = explorer.response.copy(), explorer.crop
        explorer.set(exemplar=1)
        assert explorer.crop != crop and not np.allclose(explorer.response, own)

    def test_the_page_gets_the_response_and_where_it_lies(self, explorer, sequence, runtime):
        explorer.set(frame=3)
        np.testing.assert_array_equal(sent_map(explorer), explorer.response)
        x, y, w, h = sequence.boxes[3]
        side = np.sqrt(
            (w + (w + h) / 2) * (h + (w + h) / 2)
        )  # of 127 pixels, so 8 of them are a step
        assert explorer.shown["middle"] == pytest.approx([x + w / 2, y + h / 2])
        assert explorer.shown["step"] == pytest.approx(runtime.network.stride * side / 127)
        assert explorer.readout.startswith(
            f"frame 3: highest response {explorer.response.max():.2f}"
        )

    def test_a_box_from_the_page_is_the_exemplar(self, explorer):
        before, crop = explorer.response.copy(), explorer.crop
        explorer.set_state({"box": [50, 60, 40, 30]})
        assert explorer.box == [50, 60, 40, 30]
        assert explorer.crop != crop and not np.allclose(sent_map(explorer), before)
        image = cv2.imdecode(np.frombuffer(explorer.crop, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        side = np.sqrt((40 + 35) * (30 + 35))
        centre = explorer.sequence.frames[0][
            int(75 - side / 8) : int(75 + side / 8), int(70 - side / 8) : int(70 + side / 8)
        ]
        assert image.shape == (127, 127, 3)
        assert np.abs(image[48:79, 48:79].mean((0, 1)) - centre.mean((0, 1))).max() < 8
        with pytest.raises(DataError):
            explorer.box = [0, 0, 0, 10]
        assert explorer.box == [50, 60, 40, 30]

    def test_the_exemplar_comes_from_the_frame_that_is_chosen(self, explorer):
        explorer.set(frame=0)
        first, response = explorer.crop, explorer.response.copy()
        explorer.set(drawn_in=6)
        assert explorer.crop != first and not np.allclose(explorer.response, response)

    def test_each_network_answers_for_itself(self, sequence, runtime):
        other = SiamFCRuntime(untrained(widths=SMALL, seed=1), runtime.placement)
        explorer = ScoreMapExplorer(sequence, None, {"a": runtime, "b": other})
        first = explorer.response.copy()
        explorer.set(network=1)
        assert not np.allclose(explorer.response, first)
        explorer.set(network=0)
        np.testing.assert_array_equal(sent_map(explorer), first)

    def test_while_the_target_is_absent_it_searches_where_it_was_seen_last(self, sequence, runtime):
        boxes = sequence.boxes.copy()
        boxes[4:6] = np.nan
        explorer = ScoreMapExplorer(replace(sequence, boxes=boxes), None, {"a": runtime})
        explorer.set(frame=5)
        x, y, w, h = boxes[3]
        assert explorer.shown["frame"] == 5 and explorer.shown["middle"] == pytest.approx(
            [x + w / 2, y + h / 2]
        )

    def test_the_sentence_says_how_far_the_peak_is_off(self, explorer):
        explorer.cached.clear()
        response = np.zeros((17, 17), np.float32)
        response[8, 11], response[0, 0] = 5, 2.88
        key = explorer._exemplar()[1]
        explorer.cached[key, 6, 0] = response
        explorer.set(frame=6)
        assert explorer.readout == (
            "frame 6: highest response 5.00, 24 search pixels from the target; mean of all other "
            "cells 0.01"
        )

    def test_the_frames_are_sent_once(self, explorer, monkeypatch):
        sent = []
        send = explorer._send
        monkeypatch.setattr(
            explorer,
            "_send",
            lambda message, buffers=None: sent.append((message, buffers)) or send(message, buffers),
        )
        explorer.set(frame=4)
        explorer.box = [50, 60, 40, 30]
        names = {name for message, _ in sent for name in message.get("state", {})}
        assert (
            explorer.offsets[-1] == len(explorer.jpegs)
            and len(explorer.offsets) == len(explorer.sequence) + 1
        )
        assert "shown" in names and not names & {"jpegs", "offsets", "sizes", "truth", "palette"}

    def test_wrong_values_are_refused(self, explorer, sequence, runtime):
        for wrong in ({"frame": np.nan}, {"nothing": 1}):
            with pytest.raises(DataError, match="cannot be"):
                explorer.set(**wrong)
        with pytest.raises(DataError, match="no network"):
            ScoreMapExplorer(sequence, None, {})

    def test_the_cell_holds_an_image_with_alternative_text(self, explorer):
        data, _ = explorer._repr_mimebundle_()
        assert "image/png" in data and explorer.sequence.name in data["text/plain"]


class TestWindowBench:
    """The window-and-scale bench."""

    @pytest.fixture
    def bench(self, sequence, runtime):
        return WindowBench(sequence, runtime)

    def test_every_control_at_its_ends(self, bench):
        for spec in bench.controls:
            for value in (spec["low"], spec["high"]):
                bench.set(**{spec["name"]: value})
                assert np.isfinite(bench.decide().box).all() and decoded(bench) is not None

    def test_with_the_trackers_own_settings_it_takes_the_trackers_step(
        self, bench, sequence, runtime
    ):
        defaults = SiamFCSettings(scales=5)
        tracker = SiamFCTracker(defaults, runtime)
        tracker.init(sequence.frames[0], sequence.boxes[0])
        bench.set(
            scales=2,
            window=defaults.window,
            penalty=defaults.scale_penalty,
            rate=defaults.scale_rate,
        )
        for t in range(1, len(sequence)):
            box, choice = tracker.update(sequence.frames[t]), bench.decide(t)
            np.testing.assert_allclose(choice.box[2:], box[2:], rtol=1e-6)
            inside = (tracker.centre > 0).all() and (tracker.centre < tracker.frame_size).all()
            if inside:  # the tracker keeps its centre within the frame
                np.testing.assert_allclose(choice.box, box, atol=1e-4)

    def test_a_window_of_influence_one_stays_where_it_was(self, bench):
        bench.set(window=1.0, scales=0)
        chosen = bench.decide(1)
        centre = chosen.box[:2] + chosen.box[2:] / 2
        np.testing.assert_allclose(
            centre, [chosen.window.cx, chosen.window.cy], atol=0.5 * chosen.window.side / 255
        )


def test_live_curves_follow_a_run():
    curves = LiveCurves(every=0.0)
    assert "waiting" in curves.readout
    p = Progress(20, 40, 8, loss=0.5, rate=0.1)
    p.seconds["network"] = 2.0
    p.curve.append((20, 0.6))
    p.validation.append({"step": 20, "loss": 0.55, "hits": 0.4, "distance": 30.0})
    p.maps, p.search_images = torch.zeros(8, 15, 15), torch.zeros(8, 3, 239, 239, dtype=torch.uint8)
    p.map_place = MapPlace(1, 8, 63.5)
    before = curves.png
    curves(p)
    assert (
        curves.png != before
        and "step 20 of 40" in curves.readout
        and "80 pairs/s" in curves.readout
    )
    slow = LiveCurves(every=1000.0)
    slow(p)
    p.step = 30
    slow(p)
    assert "step 20 of 40" in slow.readout  # not yet time for another
    p.step = 40
    slow(p)
    assert "step 40 of 40" in slow.readout  # the last one is always drawn


class TestShiftExplorer:
    """The shift explorer."""

    @pytest.fixture
    def frame(self):
        coarse = np.random.default_rng(4).integers(0, 256, (20, 26, 3), dtype=np.uint8)
        return cv2.resize(coarse, (260, 200), interpolation=cv2.INTER_CUBIC)

    @pytest.fixture
    def explorer(self, frame):
        return ShiftExplorer(frame, np.array([110, 80, 48, 48.0]))

    def test_it_is_drawn_once_when_it_is_made_and_once_for_each_move(self, frame):
        drawn = []

        class Counted(ShiftExplorer):
            def draw(self):
                drawn.append(dict(self.values))
                return super().draw()

        explorer = Counted(frame, np.array([110, 80, 48, 48.0]))
        assert len(drawn) == 1
        explorer.set(dx=3, dy=-2)
        assert len(drawn) == 2 and (drawn[-1]["dx"], drawn[-1]["dy"]) == (3, -2)

    def test_every_control_at_its_ends(self, explorer):
        for spec in explorer.controls:
            for value in (spec["low"], spec["high"], spec["high"] + 100):
                explorer.set(**{spec["name"]: value})
                assert spec["low"] <= explorer.values[spec["name"]] <= spec["high"]
                assert explorer.png[:4] == b"\x89PNG" and explorer.readout

    @pytest.mark.parametrize("window, kernel", [(0, 0), (1, 2), (0, 1)])
    def test_the_peak_says_how_far_everything_moved(self, explorer, window, kernel):
        explorer.set(window=window, kernel=kernel, dx=-5, dy=3)
        assert (
            explorer.readout.startswith("shifted by (-5, 3); the ")
            and "is largest at (-5, 3)" in explorer.readout
        )

    def test_without_a_shift_both_patches_are_equal(self, explorer):
        explorer.set(dx=0, dy=0)
        assert "differ by 0 %" in explorer.readout and "largest at (0, 0), 1," in explorer.readout

    def test_the_sentence_compares_the_cyclic_shift_with_the_real_one(self, explorer):
        explorer.set(dx=7, dy=-3)
        x, z = explorer.patch(), explorer.patch(7, -3)
        cyclic = np.roll(np.roll(x, 7, axis=1), -3, axis=0)  # right and up
        apart = ((cyclic - z) ** 2).sum() / ((cyclic**2).sum() + (z**2).sum())
        assert f"differ by {100 * apart:.0f} % of their energy" in explorer.readout and apart < 0.5

    def test_a_real_shift_shows_what_is_beside_the_patch(self, explorer, frame):
        """Shifting by the patch's side shows, exactly, the patch next to it."""
        explorer.set(window=0)
        moved = explorer.patch(dx=24)  # of 48 pixels, which show 96 of the frame
        there = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[56:152, 38:134].astype(
            float
        )  # 48 frame pixels to the left
        there = there.reshape(48, 2, 48, 2).mean((1, 3)) / 255
        np.testing.assert_allclose(moved, there - there.mean(), atol=0.01)

    def test_the_transformed_matrix_is_diagonal(self, explorer):
        off = float(explorer.readout.split("at most ")[1].split(" of")[0])
        assert off < 1e-9

    def test_a_flat_image_is_no_trouble(self):
        flat = ShiftExplorer(np.full((60, 80, 3), 90, np.uint8), np.array([30, 20, 16, 16.0]))
        assert "nan" not in flat.readout


class TestProtocolExplorer:
    """The protocol explorer, with a tracker that stays put while the target walks away and back."""

    @pytest.fixture
    def sequence(self) -> Sequence:
        x = np.r_[np.arange(24), np.arange(24)[::-1], np.zeros(57)] * 1.0  # (105,)
        boxes = np.stack([10 + x, np.full(105, 12.0), np.full(105, 16.0), np.full(105, 16.0)], 1)
        return Sequence("walk", ArrayFrames([np.zeros((48, 80, 3), np.uint8)] * 105), boxes)

    @pytest.fixture
    def explorer(self, sequence) -> ProtocolExplorer:
        return ProtocolExplorer(sequence, StayPut, "stay-put")

    def test_every_control_at_its_ends(self, explorer):
        for spec in explorer.controls:
            for value in (spec["low"], spec["high"], spec["high"] + 100):
                explorer.set(**{spec["name"]: value})
                assert spec["low"] <= explorer.values[spec["name"]] <= spec["high"]
                assert explorer.png[:4] == b"\x89PNG" and "nan" not in explorer.readout

    def test_the_sentence_has_the_protocol_s_scores(self, explorer, sequence):
        found = multistart_scores([run_multistart(StayPut, sequence)], "walk", [105])
        assert explorer.readout.startswith(f"{found['runs']} runs, {found['failed']} of them fail")
        for name in ("accuracy", "robustness", "eao"):
            assert f"{found[name]:.3f}" in explorer.readout

    def test_a_longer_grace_and_a_lower_threshold_forgive(self, explorer):
        def failed(**rule) -> int:
            explorer.set(**rule)
            return int(explorer.readout.split(", ")[1].split()[0])

        assert failed(threshold=0.1, grace=1, spacing=1) == len(explorer.runs())  # the start frame
        counts = [failed(threshold=0.1, grace=g, spacing=1) for g in (2, 10, 30)]
        assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]

    def test_a_run_is_made_once_however_often_it_is_counted(self, sequence):
        made = []
        explorer = ProtocolExplorer(sequence, lambda: made.append(1) or StayPut())
        explorer.set(grace=3)
        explorer.set(spacing=2)
        explorer.set(spacing=1)
        assert len(made) == 4  # frames 0, 50, 100, 104; those of spacing 100 are among them


def test_a_race_keeps_the_boxes_of_a_tracker_that_changes_its_own_array(sequence):
    class InPlace(Tracker):
        def init(self, frame, box):
            self.box = box

        def update(self, frame):
            self.box[0] += 2
            return self.box

    first = sequence.boxes[0].copy()
    lap = run_lap(InPlace(), sequence)
    np.testing.assert_array_equal(lap.boxes, first + np.outer(range(8), [2, 0, 0, 0]))
    np.testing.assert_array_equal(sequence.boxes[0], first)
