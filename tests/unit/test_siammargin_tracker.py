"""SiamMargin's tracker against a slow one written independently, and each switch on its own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data.generated import SequenceSpec, make_sequence
from course_lib.errors import DataError, SettingsError
from course_lib.evaluation.otb import track
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.device import choose_placement
from course_lib.models.runtime import SiamFCRuntime
from course_lib.models.siamfc import SiamFC
from course_lib.models.siammargin import SiamMargin
from course_lib.models.templates import roi_of, template_from, unit
from course_lib.models.weights import save_weights
from course_lib.trackers import make_tracker
from course_lib.trackers.siammargin import SiamMarginSettings, SiamMarginTracker, region_size

pytestmark = pytest.mark.slow

SEQUENCE = make_sequence(
    SequenceSpec("gen-test", 77, length=14, distractors=1, scale=1.4, roam=0.8, period=9)
)


@pytest.fixture(scope="module")
def runtime() -> SiamFCRuntime:
    torch.manual_seed(3)
    return SiamFCRuntime(
        SiamMargin(widths=(16, 32, 32, 32, 16)).eval(), choose_placement("cpu", "fp32")
    )


def slow(runtime: SiamFCRuntime, sequence, s: SiamMarginSettings) -> np.ndarray:
    """The tracker step by step: plain loops, one image at a time, no class."""

    def phi(crop):
        with torch.no_grad():
            return runtime.backbone(torch.from_numpy(crop).permute(2, 0, 1)[None].float())[
                0
            ].double()

    def cosines(z, x):
        a, n = z.shape[-1], x.shape[-1] - z.shape[-1] + 1
        flat = torch.stack(
            [x[:, i : i + a, j : j + a].flatten() for i in range(n) for j in range(n)]
        )
        return (
            (F.normalize(flat, dim=1) @ (z.flatten() / z.norm()))
            .reshape(n, n)
            .numpy()
            .astype(np.float32)
        )

    frame, box = sequence.frames[0], sequence.boxes[0]
    centre, size, colour = box[:2] + box[2:] / 2, box[2:].copy(), cv2.mean(frame)[:3]
    side = float(context_side(box[2:]))
    z = first = average = phi(CropWindow(*centre, side, 127).cut(frame, colour))
    side = start = side * 255 / 127
    speed, found = 0.0, [box]
    for frame in list(sequence.frames)[1:]:
        was = centre.copy()
        pixels = 255
        while s.adapt and (pixels - 127) / 2 < s.reach * speed and pixels < s.largest:
            pixels += 16

        def look(pixels, centre=centre, side=side, frame=frame, z=z):
            windows = [
                CropWindow(*centre, side * f * pixels / 255, pixels)
                for f in (1 / s.scale_step, 1, s.scale_step)
            ]
            maps = [phi(w.cut(frame, colour)) for w in windows]
            return windows, maps, [cosines(z, m) for m in maps]

        windows, maps, answers = look(pixels)
        if s.again and max(a.max() for a in answers) < s.unsure and pixels < s.largest:
            wide = look(s.largest)
            if max(a.max() for a in wide[2]) > max(a.max() for a in answers) + s.gain:
                windows, maps, answers = wide
        large = [cv2.resize(a, None, fx=16, fy=16, interpolation=cv2.INTER_CUBIC) for a in answers]
        peaks = [large[0].max() * s.scale_penalty, large[1].max(), large[2].max() * s.scale_penalty]
        k = int(np.argmax(peaks))
        hann = np.outer(np.hanning(len(large[k])), np.hanning(len(large[k])))
        share = large[k] - large[k].min()
        mix = (1 - s.window) * share / share.sum() + s.window * hann / hann.sum()
        row, column = np.unravel_index(mix.argmax(), mix.shape)
        score = large[k][row, column]
        spot = (len(mix) - 1) / 2
        moved = np.array([column - spot, row - spot]) * 8 / 16
        centre = np.clip(windows[k].to_frame(moved + windows[k].size / 2), 0, frame.shape[1::-1])
        factor = (1 / s.scale_step, 1, s.scale_step)[k]
        new = np.clip(
            (1 - s.scale_rate) * side + s.scale_rate * side * factor, 0.2 * start, 5 * start
        )
        size, side = size * new / side, float(new)
        speed = max(np.hypot(*(centre - was)) * 255 / side, 0.8 * speed)
        if s.update and score > s.sure:
            place = windows[k].to_crop(centre)
            ratio = side / windows[k].side * windows[k].size / 255
            at = (place[:, None] - 43.5) / 8 + (
                np.arange(6) - 2.5
            ) * ratio  # (2, 6) indices on the map, x and y
            if at.min() + 0.5 - ratio / 2 >= 0 and at.max() + 0.5 + ratio / 2 <= maps[k].shape[-1]:
                fresh = torch.zeros(len(z), 6, 6, dtype=torch.float64)
                for i, y in enumerate(at[1]):
                    for j, x in enumerate(at[0]):
                        for yy, wy in (
                            (int(np.floor(y)), 1 - y % 1),
                            (int(np.floor(y)) + 1, y % 1),
                        ):
                            for xx, wx in (
                                (int(np.floor(x)), 1 - x % 1),
                                (int(np.floor(x)) + 1, x % 1),
                            ):
                                if wy * wx:
                                    fresh[:, i, j] += wy * wx * maps[k][:, yy, xx]
                average = (1 - s.rate) * average / average.norm() + s.rate * fresh / fresh.norm()
                average = average / average.norm()
                z = s.keep * first / first.norm() + (1 - s.keep) * average
        found.append(np.concatenate([centre - size / 2, size]))
    return np.array(found)


@pytest.mark.parametrize(
    "how",
    [
        {"update": False, "again": False, "adapt": False},
        {"again": False, "adapt": False, "sure": -1.0, "rate": 0.3, "keep": 0.2},
        {"update": False, "again": False, "reach": 40.0},
        {"update": False, "adapt": False, "unsure": 2.0, "gain": -0.5},
        {"adapt": False, "unsure": 2.0, "gain": 2.0, "sure": -1.0, "rate": 0.5, "keep": 0.0},
        {"sure": 0.2, "unsure": 0.98, "gain": -0.002, "reach": 25.0, "rate": 0.2},
    ],
    ids=["plain", "update", "adapt", "again", "again in vain", "all"],
)
def test_equals_the_slow_one(runtime, how):
    s = SiamMarginSettings(**how)
    boxes = track(SiamMarginTracker(s, runtime), SEQUENCE).boxes
    assert np.abs(boxes - slow(runtime, SEQUENCE, s)).max() < 0.05


def test_every_switch_changes_the_result(runtime):
    off = {"update": False, "again": False, "adapt": False}
    strong = {"sure": -1.0, "rate": 0.5, "keep": 0.0, "unsure": 2.0, "gain": -0.5, "reach": 40.0}
    plain = track(SiamMarginTracker(SiamMarginSettings(**off, **strong), runtime), SEQUENCE).boxes
    for switch in off:
        one = SiamMarginSettings(**(off | {switch: True}), **strong)
        assert np.abs(track(SiamMarginTracker(one, runtime), SEQUENCE).boxes - plain).max() > 0.1, (
            switch
        )


def test_with_all_switches_off_it_is_siamfc_on_cosines(runtime):
    from course_lib.trackers.siamfc import SiamFCTracker

    off = SiamMarginSettings(update=False, again=False, adapt=False)
    mine = track(SiamMarginTracker(off, runtime), SEQUENCE).boxes
    assert np.allclose(mine, track(SiamFCTracker(off, runtime), SEQUENCE).boxes, atol=1e-6)


def test_the_speed_rises_at_once_and_falls_by_a_fifth_a_frame(runtime):
    tracker = SiamMarginTracker(SiamMarginSettings(), runtime)
    tracker.init(SEQUENCE.frames[0], SEQUENCE.boxes[0])
    for earlier in (50.0, 0.0):
        tracker.speed, before = earlier, tracker.centre.copy()
        tracker.update(SEQUENCE.frames[1])
        step = np.linalg.norm(tracker.centre - before) * 255 / tracker.side
        assert step < 40 and tracker.speed == pytest.approx(40.0 if earlier else step)


class TestUpdate:
    """The template."""

    def started(self, runtime, **how) -> SiamMarginTracker:
        tracker = SiamMarginTracker(SiamMarginSettings(again=False, adapt=False, **how), runtime)
        tracker.init(SEQUENCE.frames[0], SEQUENCE.boxes[0])
        return tracker

    def test_an_uncertain_find_changes_nothing(self, runtime):
        tracker = self.started(runtime, sure=1.01)
        exemplar, average = tracker.z.clone(), tracker.average.clone()
        tracker.update(SEQUENCE.frames[1])
        assert torch.equal(tracker.z, exemplar) and torch.equal(tracker.average, average)

    def test_the_first_template_keeps_its_weight(self, runtime):
        tracker = self.started(runtime, sure=-1.0, rate=1.0, keep=0.7)
        for t in range(1, 5):
            tracker.update(SEQUENCE.frames[t])
        first, average = (F.normalize(v.flatten(), dim=0) for v in (tracker.first, tracker.average))
        assert torch.allclose(tracker.z.flatten(), 0.7 * first + 0.3 * average, atol=1e-5)

    def test_a_rate_of_zero_keeps_the_direction_of_the_template(self, runtime):
        tracker = self.started(runtime, sure=-1.0, rate=0.0)
        first = tracker.z.clone()
        tracker.update(SEQUENCE.frames[1])
        assert float(F.cosine_similarity(tracker.z.flatten(), first.flatten(), 0)) == pytest.approx(
            1, abs=1e-5
        )

    def test_the_gate_reads_the_cosine_at_the_chosen_place_not_the_highest(self, runtime):
        tracker = self.started(runtime, sure=1.01, window=1.0)
        tracker.update(SEQUENCE.frames[1])  # the window alone decides: the centre
        score, highest = tracker.last.score, float(tracker.last.responses.max())
        assert highest > score + 1e-4
        again = self.started(runtime, sure=(score + highest) / 2, window=1.0, rate=0.5)
        average = again.average.clone()
        again.update(SEQUENCE.frames[1])
        assert torch.equal(again.average, average)

    def test_a_target_that_has_grown_is_cut_out_larger(self, runtime):
        tracker = self.started(runtime, sure=-1.0, rate=1.0)
        features = runtime.features(tracker.look(SEQUENCE.frames[1]))
        tracker.update(SEQUENCE.frames[1])
        place = torch.from_numpy(tracker.last.window.to_crop(tracker.centre)).float()
        ratio = 1.5 * tracker.side / tracker.last.window.side
        tracker.side *= 1.5
        tracker._learn(features)
        expected = template_from(
            features[tracker.last.scale][None], roi_of(place, ratio, 43.5, 8, 6), 6
        )
        assert torch.allclose(tracker.average, unit(expected), atol=1e-5)

    def test_a_target_at_the_edge_of_the_search_image_is_not_learned(self, runtime):
        tracker = self.started(runtime, sure=-1.0)
        features = runtime.features(tracker.look(SEQUENCE.frames[1]))
        tracker.update(SEQUENCE.frames[1])
        average = tracker.average.clone()
        tracker.centre = tracker.last.window.to_frame(np.array([30.0, 120.0]))
        tracker._learn(features)
        assert torch.equal(tracker.average, average)


class TestRegion:
    """`region_size`."""

    @given(st.floats(0, 300), st.floats(0.5, 4))
    def test_reaches_as_far_as_asked_or_as_allowed_and_no_further(self, speed, reach):
        size = region_size(speed, reach, 255, 383)
        assert 255 <= size <= 383 and (size - 255) % 16 == 0
        reached = (size - 127) / 2  # pixels from the centre to the response's last cell
        assert size == 383 or reached >= reach * speed - 1e-6
        assert size == 255 or reached - 8 < reach * speed

    def test_the_table(self):
        assert [region_size(v, 2, 255, 383) for v in (0, 32, 33, 40, 41, 1e6)] == [
            255,
            255,
            271,
            287,
            303,
            383,
        ]


class TestSettings:
    """Settings and weights that are refused."""

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"rate": 1.5}, "rate is 1.5; expected 0 … 1"),
            ({"keep": -0.1}, "keep is -0.1; expected 0 … 1"),
            ({"largest": 300}, "plus a multiple of 16"),
            ({"largest": 239}, "largest is 239; expected 255 … 1023"),
        ],
    )
    def test_invalid_ones(self, wrong, words):
        with pytest.raises(SettingsError, match=words):
            SiamMarginSettings(**wrong)

    def test_weights_without_cosines(self, tmp_path):
        save_weights(SiamFC(widths=(8, 8, 8, 8, 8)), tmp_path / "it.safetensors", {"name": "it"})
        with pytest.raises(DataError, match="are of network siamfc.*use the tracker siamfc"):
            make_tracker("siammargin", weights=str(tmp_path / "it.safetensors"))
