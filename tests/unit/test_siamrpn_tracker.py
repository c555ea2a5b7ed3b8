"""The tracker with proposals: formulas by hand, the whole against a slow one, lock-step, guides,
settings, tuning."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.data.frames import ArrayFrames
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.evaluation.lockstep import track_in_lockstep
from course_lib.evaluation.otb import track
from course_lib.evaluation.results import result_path
from course_lib.evaluation.runner import TrackerSpec, evaluate
from course_lib.evaluation.tuning import mean_auc, search_settings
from course_lib.geometry.anchors import place_anchors, siamrpn_anchor_sizes
from course_lib.geometry.windows import CropWindow, context_side
from course_lib.models.device import Placement
from course_lib.models.runtime import ProposalRuntime
from course_lib.models.siamrpn import SiamRPN
from course_lib.models.siamrpnpp import SiamRPNpp
from course_lib.models.weights import find_weights
from course_lib.places import RECIPES
from course_lib.recipe import load_settings
from course_lib.trackers.baselines import StayPut
from course_lib.trackers.siamrpn import (
    SiamRPNSettings,
    SiamRPNTracker,
    anchor_window,
    change,
    change_penalty,
    rerank,
    smooth_size,
)

pytestmark = pytest.mark.slow

SMALL = (4, 8, 8, 8, 8)
CPU = Placement(torch.device("cpu"), bf16=False)


def runtime(kind: str = "depthwise") -> ProposalRuntime:
    torch.manual_seed(0)
    network = (
        SiamRPNpp("alexnet", 8, widths=SMALL, groups=2)
        if kind == "siamrpn++"
        else SiamRPN(kind, 8, widths=SMALL, groups=2)
    )
    network.train()
    with torch.no_grad():  # batch norm needs statistics
        channels = 4 if network.guided else 3
        for _ in range(5):
            network(
                torch.rand(2, channels, 127, 127) * 255, torch.rand(2, channels, 255, 255) * 255
            )
        if network.guided:
            torch.nn.init.normal_(network.backbone.guide.weight, 0, 0.5)
    return ProposalRuntime(network, CPU)


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(3, length=6))


@given(st.floats(0.01, 100))
def test_change_is_symmetric(ratio):
    assert (
        float(change(ratio)) == pytest.approx(float(change(1 / ratio)))
        and float(change(ratio)) >= 1
    )


def test_the_penalty_by_hand():
    """128 × 32 after 64 × 64: ratio changed by 4; padded sizes √(208 · 112) and 128."""
    boxes = np.array([[0.0, 0, 64, 64], [5, 5, 128, 32], [0, 0, 128, 128]])
    s = math.sqrt(208 * 112) / 128
    expected = [1.0, math.exp(-(4 * s - 1) * 0.22), math.exp(-(2 - 1) * 0.22)]
    assert np.allclose(change_penalty(boxes, np.array([64.0, 64.0]), 0.22), expected)
    assert float(context_side([64, 64])) == 128


def test_the_penalty_of_a_proposal_without_size_is_finite():
    values = change_penalty(np.array([[0.0, 0, 0, 5], [0, 0, 0, 0]]), np.array([64.0, 64.0]), 0.2)
    assert np.isfinite(values).all() and (values < 1e-6).all()


def test_rerank_and_smoothing_by_hand():
    assert rerank(np.array([0.8]), np.array([0.5]), np.array([0.25]), 0.4)[0] == pytest.approx(
        0.6 * 0.4 + 0.1
    )
    assert smooth_size(np.array([10.0, 20]), np.array([20.0, 10]), 0.5, 0.4).tolist() == [
        12.0,
        18.0,
    ]


@pytest.mark.parametrize("cells", [17, 18])
def test_the_window_is_the_hann_window_at_every_shape(cells):
    anchors = place_anchors(siamrpn_anchor_sizes(), cells, 8, 127.5).reshape(-1, 4)
    expected = np.tile(np.outer(np.hanning(cells), np.hanning(cells)).ravel(), 5)
    assert np.allclose(anchor_window(anchors), expected)


class Slow:
    """The tracker written independently, one proposal at a time."""

    def __init__(self, network: ProposalRuntime, penalty=0.16, window=0.4, rate=0.3):
        self.network, self.k, self.lam, self.rate = network, penalty, window, rate

    def init(self, frame, box):
        x, y, w, h = box
        self.cx, self.cy, self.w, self.h = x + w / 2, y + h / 2, w, h
        self.fill = frame.reshape(-1, 3).mean(0)
        side = math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))
        self.template = self.network.template_features(
            CropWindow(self.cx, self.cy, side, 127).cut(frame, self.fill), 255
        )

    def update(self, frame):
        side = math.sqrt((self.w + (self.w + self.h) / 2) * (self.h + (self.w + self.h) / 2))
        scale = 127 / side
        crop = CropWindow(self.cx, self.cy, side * 255 / 127, 255).cut(frame, self.fill)
        answer = self.network.respond(self.template, crop[None])[0]
        best, found = -1.0, None
        n = int(math.sqrt(len(answer) / 5))
        for number, (score, dx, dy, dw, dh) in enumerate(answer.astype(float)):
            k, cell = divmod(number, n * n)
            i, j = divmod(cell, n)
            r = (0.33, 0.5, 1, 2, 3)[k]
            aw, ah = 64 / math.sqrt(r), 64 * math.sqrt(r)
            ax, ay = (j - (n - 1) / 2) * 8, (i - (n - 1) / 2) * 8
            w, h = aw * math.exp(dw), ah * math.exp(dh)
            sz = lambda w, h: math.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))  # noqa: E731
            s = sz(w, h) / sz(self.w * scale, self.h * scale)
            q = (self.w / self.h) / (w / h)
            penalty = math.exp(-(max(s, 1 / s) * max(q, 1 / q) - 1) * self.k)
            hann = (0.5 - 0.5 * math.cos(2 * math.pi * i / (n - 1))) * (
                0.5 - 0.5 * math.cos(2 * math.pi * j / (n - 1))
            )
            rank = (1 - self.lam) * penalty * score + self.lam * hann
            if rank > best:
                best, found = rank, (ax + dx * aw, ay + dy * ah, w, h, penalty * score)
        mx, my, w, h, certainty = found
        H, W = frame.shape[:2]
        self.cx, self.cy = (
            min(max(self.cx + mx / scale, 0), W),
            min(max(self.cy + my / scale, 0), H),
        )
        step = certainty * self.rate
        self.w = min(max((1 - step) * self.w + step * w / scale, 10), W)
        self.h = min(max((1 - step) * self.h + step * h / scale, 10), H)
        return np.array([self.cx - self.w / 2, self.cy - self.h / 2, self.w, self.h])


@pytest.mark.parametrize("kind", ["upchannel", "depthwise", "broadcast", "siamrpn++"])
def test_the_tracker_equals_a_slow_one(sequence, kind):
    network = runtime(kind)
    fast, slow = SiamRPNTracker(SiamRPNSettings(), network), Slow(network)
    for tracker in (fast, slow):
        tracker.init(sequence.frames[0], sequence.boxes[0])
    for t in range(1, len(sequence)):
        assert (
            np.abs(fast.update(sequence.frames[t]) - slow.update(sequence.frames[t])).max() < 0.05
        )


@pytest.mark.parametrize("kind", ["depthwise", "concat"])
def test_lockstep_gives_the_same_boxes(kind):
    network = runtime(kind)
    sequences = [make_sequence(random_spec(seed, length=n)) for seed, n in ((1, 5), (2, 3), (4, 4))]
    make = partial(SiamRPNTracker, SiamRPNSettings(), network)
    together = track_in_lockstep(make, sequences, width=2)
    for result, c in zip(together, sequences, strict=True):
        assert np.abs(result.boxes - track(make(), c).boxes).max() < 0.05


def test_a_sequence_that_fails_in_lockstep_does_not_stop_the_others(tmp_path):
    good = make_sequence(random_spec(1, length=4))
    no_box = Sequence("no-box", good.frames, np.vstack([np.full((1, 4), np.nan), good.boxes[1:]]))
    broken = ArrayFrames(
        [good.frames[0], np.zeros((9, 9, 7), np.uint8), good.frames[2], good.frames[3]]
    )
    bad_frame = Sequence("bad-frame", broken, good.boxes)
    benchmark = Benchmark("three", (no_box, good, bad_frame))
    with pytest.raises(CourseError, match=r"2 of 3 runs failed: .*no-box.*four finite numbers"):
        evaluate([TrackerSpec("siamrpn")], benchmark, tmp_path, progress=False, lockstep=2)
    assert result_path(tmp_path, "three", "siamrpn", good.name).is_file()


def test_the_guide_is_the_last_box(sequence):
    tracker = SiamRPNTracker(SiamRPNSettings(), runtime("concat"))
    tracker.init(sequence.frames[0], sequence.boxes[0])
    crops = tracker.look(sequence.frames[1])
    assert crops.shape == (1, 255, 255, 4) and set(np.unique(crops[..., 3])) == {0, 1}
    rows, columns = np.nonzero(crops[0, ..., 3])
    w, h = tracker.size * tracker.window.scale
    assert abs(np.ptp(columns) + 1 - w) <= 1 and abs(np.ptp(rows) + 1 - h) <= 1
    assert abs(columns.mean() + 0.5 - 127.5) <= 1 and abs(rows.mean() + 0.5 - 127.5) <= 1


def test_a_target_never_leaves_the_frame_nor_vanishes(sequence):
    tracker = SiamRPNTracker(SiamRPNSettings(rate=1.0), runtime())
    tracker.init(sequence.frames[0], sequence.boxes[0])
    A = len(tracker.anchors)
    for offset, size in ((50.0, -9.0), (-50.0, 9.0)):
        tracker.look(sequence.frames[1])
        wild = np.tile([1.0, offset, offset, size, size], (1, A, 1))
        box = tracker.decide(wild)
        H, W = sequence.frames[1].shape[:2]
        centre = box[:2] + box[2:] / 2
        assert (centre >= 0).all() and (centre <= [W, H]).all() and (box[2:] >= 9.99).all()
        assert (box[2:] <= np.array([W, H]) + 1e-9).all()


def test_a_larger_search_image_has_more_anchors(sequence):
    tracker = SiamRPNTracker(SiamRPNSettings(search=271), runtime())
    tracker.init(sequence.frames[0], sequence.boxes[0])
    assert np.isfinite(tracker.update(sequence.frames[1])).all()
    assert len(tracker.last.boxes) == 5 * 19**2 and tracker.last.crop.shape == (271, 271, 3)


def test_impossible_settings_are_named():
    for wrong, words in (
        ({"search": 100}, "search is 100; expected 191 … 1023"),
        ({"window": 1.5}, "window is 1.5; expected 0 … 1"),
        ({"penalty": -1.0}, "penalty is -1.0; expected at least 0"),
        ({"rate": 2.0}, "rate is 2.0; expected 0 … 1"),
    ):
        with pytest.raises(SettingsError, match=words):
            SiamRPNSettings(**wrong)


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("siamrpn*.yaml")), ids=lambda p: p.name)
def test_recipes_fit(recipe):
    assert find_weights(load_settings(SiamRPNSettings, recipe).weights).is_file()


def test_a_siamfc_proposes_nothing():
    with pytest.raises(DataError, match="are of network siamfc, which makes no proposals"):
        ProposalRuntime.load("siamfc", "cpu", "fp32")


class Shifted(StayPut):
    """A tracker whose only setting is its error."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def update(self, frame):
        return super().update(frame) + [self.shift, 0, 0, 0]


class TestTuning:
    """The search for settings."""

    @pytest.fixture
    def sequences(self):
        still = make_sequence(random_spec(1, length=8))
        return [replace(still, name="gen-still", boxes=np.tile(still.boxes[0], (8, 1)))]

    def test_finds_the_best_of_a_known_curve_and_can_be_repeated(self, sequences):
        trials = search_settings(
            Shifted, sequences, {"shift": (-40.0, 40.0)}, 25, seed=1, start={"shift": 30.0}
        )
        assert trials[0].settings == {"shift": 30.0} and len(trials) == 25
        best = max(trials, key=lambda t: t.auc)
        assert abs(best.settings["shift"]) < 6 and best.auc > trials[0].auc
        late = [abs(t.settings["shift"]) for t in trials[-8:]]
        assert np.mean(late) < 14  # 20 if it learned nothing, more if it sought the worst
        assert best.auc == mean_auc(lambda: Shifted(**best.settings), sequences)
        again = search_settings(
            Shifted, sequences, {"shift": (-40.0, 40.0)}, 25, seed=1, start={"shift": 30.0}
        )
        assert [t.settings for t in again] == [t.settings for t in trials]

    def test_refuses_real_sequences_and_empty_spaces(self, sequences):
        with pytest.raises(DataError, match="generated sequences only, not on Skiing"):
            search_settings(Shifted, [replace(sequences[0], name="Skiing")], {"shift": (0.0, 1.0)})
        with pytest.raises(SettingsError, match="lowest and a larger"):
            search_settings(Shifted, sequences, {"shift": (1.0, 1.0)})
