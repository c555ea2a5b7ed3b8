"""ATOM's tracker: what each of its parts changes, on a sequence whose truth is known."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import SettingsError
from course_lib.geometry.boxes import iou
from course_lib.models.device import Placement
from course_lib.models.networks import build
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.models.weights import load_network, save_weights
from course_lib.recipe import load_settings
from course_lib.trackers import make_tracker
from course_lib.trackers.atom import ATOMSettings, ATOMTracker
from course_lib.trackers.climbing import ClimbSettings
from course_lib.trackers.dimp_classifier import DiMPClassifier
from course_lib.trackers.first_samples import SampleSettings
from course_lib.trackers.localise import Localisation, LocalisationSettings
from course_lib.trackers.online_classifier import ClassifierSettings

CPU = Placement(torch.device("cpu"), bf16=False)
FEW = SampleSettings(rotations=(10.0, -10.0), blurs=(2.0, 2.0), dropouts=1)
QUICK = ATOMSettings(
    search=191,
    samples=FEW,
    online=ClassifierSettings(capacity=12, first_rounds=3, compressed=16),
    climbing=ClimbSettings(random=2, best=2, steps=2),
)


@pytest.fixture(scope="module")
def backbone() -> dict:
    return load_network("lite0").state_dict()


def network(kind: str, backbone: dict, **more) -> torch.nn.Module:
    torch.manual_seed(0)
    made = build({"network": kind, "backbone": "lite0"} | more)
    made.load_state_dict(
        {n: t for n, t in backbone.items() if n in made.state_dict()}, strict=False
    )
    return made.eval()


@pytest.fixture(scope="module")
def atom(backbone) -> torch.nn.Module:
    return network("atom", backbone, width=8)


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(700_002, length=14)).loaded()


def tracker(atom, **changes) -> ATOMTracker:
    return ATOMTracker(replace(QUICK, **changes), OnlineRuntime(copy.deepcopy(atom), CPU))


def run(made: ATOMTracker, sequence, frames: int = 14) -> np.ndarray:
    made.init(sequence.frames[0], sequence.boxes[0])
    return np.array([made.update(sequence.frames[t]) for t in range(1, frames)])


def test_the_classifier_alone_finds_the_target(atom, sequence):
    """Without refinement everything that is learned is learned from the first frame."""
    boxes = run(tracker(atom, refine=False), sequence)
    assert iou(boxes, sequence.boxes[1:]).mean() > 0.6
    again = run(tracker(atom, refine=False), sequence)
    assert np.array_equal(boxes, again)


def test_refinement_climbs_what_the_network_predicts(atom, sequence):
    """With the true IoU as the network, boxes become those of the truth."""
    made = tracker(atom, climbing=ClimbSettings())
    made.init(sequence.frames[0], sequence.boxes[0])
    truth = {}

    def true_iou(features, modulation, boxes):
        low = torch.maximum(boxes[0, :, :2], truth["box"][:2])
        high = torch.minimum(boxes[0, :, :2] + boxes[0, :, 2:], truth["box"][:2] + truth["box"][2:])
        inside = (high - low).clamp_min(0).prod(-1)
        union = boxes[0, :, 2:].prod(-1) + truth["box"][2:].prod() - inside
        return (2 * inside / union - 1)[None]

    made.runtime.predictor.raw_iou = true_iou
    for t in range(1, 6):
        window = made._window()
        truth["box"] = torch.from_numpy(window.box_to_crop(sequence.boxes[t])).float()
        box = made.update(sequence.frames[t])
        assert float(iou(box, sequence.boxes[t])) > 0.8
    assert made.last.climb.boxes.shape == (6, 10, 4)


def test_the_label_of_a_sample_is_where_the_refined_box_is(atom, sequence):
    made = tracker(atom)
    run(made, sequence, 3)
    cell = made.last.window.to_crop(made.centre) - made.coarse.start
    kept = made.classifier.memory.centres[-1].numpy() * made.coarse.stride
    np.testing.assert_allclose(kept, cell, atol=1e-3)


def test_a_moving_scene_moves_the_peak_with_it(atom, sequence):
    """Shifting the frame by a whole cell's pixels shifts the found place by as many."""
    frame, box = sequence.frames[0], sequence.boxes[0]
    made = tracker(atom, refine=False, scales=1)
    made.init(frame, box)
    made.update(frame)
    still = made.centre.copy()
    made.init(frame, box)
    made.update(np.roll(frame, (6, 9), (0, 1)))
    np.testing.assert_allclose(made.centre - still, [9, 6], atol=2)
    assert np.abs(still - box[:2] - box[2:] / 2).max() < 2  # and without a shift it is found there


def test_when_it_learns_and_what_it_remembers(atom, sequence, monkeypatch):
    made = tracker(atom, update_every=3)
    state = {"now": "found"}

    def say(fine, size, settings, before):
        return Localisation(before, 0.9, state["now"], before, 0.0)

    monkeypatch.setattr("course_lib.trackers.atom.localise", say)
    made.init(sequence.frames[0], sequence.boxes[0])
    first = len(made.classifier.memory)
    seen = []
    for t, now in enumerate(("found", "not found", "not found", "uncertain", "hard negative"), 1):
        state["now"] = now
        before = made.centre.copy(), made.size.copy()
        made.update(sequence.frames[t])
        seen.append((len(made.classifier.memory) - first, made.last.learned))
        if now == "not found":
            assert np.array_equal(before, (made.centre, made.size)) and made.last.climb is None
        assert made.last.state == now and made.last.score == 0.9
    # frame 3 is the third: it learns although the target is lost; a hard negative is learned at once
    assert seen == [(1, False), (1, False), (1, True), (1, False), (2, True)]


def test_a_frozen_one_neither_remembers_nor_learns(atom, sequence):
    made = tracker(atom, update_every=1, online=replace(QUICK.online, frozen=True))
    made.init(sequence.frames[0], sequence.boxes[0])
    w2, count = made.classifier.w2.clone(), len(made.classifier.memory)
    for t in range(1, 4):
        made.update(sequence.frames[t])
    assert torch.equal(made.classifier.w2, w2) and len(made.classifier.memory) == count
    assert not made.last.learned


def test_without_refinement_the_best_of_several_scales_is_taken(atom, sequence):
    made = tracker(atom, refine=False, scales=3, scale_step=1.5)
    made.init(sequence.frames[0], sequence.boxes[0])
    size, answers = made.size.copy(), torch.zeros(3, 12, 12)
    answers[2, 6, 6] = 1.0
    made.classifier.scores = lambda features: answers[: len(features)]
    made.update(sequence.frames[1])
    np.testing.assert_allclose(made.size, 1.5 * size)


def test_a_target_that_leaves_keeps_a_fifth_inside(atom, sequence):
    made = tracker(atom, refine=False, localisation=LocalisationSettings(not_found=-10))
    made.init(sequence.frames[0], sequence.boxes[0])
    made.centre = np.array([-400.0, 50])
    x, _, w, _ = made.update(sequence.frames[1])
    assert x + w == pytest.approx(0.2 * w)


class TestDiMP:
    @pytest.fixture
    def dimp(self, backbone):
        return network("dimp", backbone, channels=8, blocks=0)

    def test_alone_it_tracks_without_refinement(self, dimp, sequence):
        made = ATOMTracker(QUICK, OnlineRuntime(dimp, CPU))
        run(made, sequence, 3)
        assert isinstance(made.classifier, DiMPClassifier) and made.last.climb is None

    def test_as_a_switch_in_atom(self, atom, dimp, sequence, tmp_path):
        for name, kept in (("a", atom), ("d", dimp)):
            save_weights(kept, tmp_path / f"{name}.safetensors", {})
        names = {
            "weights": str(tmp_path / "a.safetensors"),
            "classifier": str(tmp_path / "d.safetensors"),
        }
        made = make_tracker("atom", **names, search=191, precision="fp32")
        run(made, sequence, 3)
        assert isinstance(made.classifier, DiMPClassifier) and made.last.climb is not None

    def test_another_backbone_is_refused(self, atom, dimp, tmp_path):
        with torch.no_grad():
            dimp.backbone.conv1.weight += 1
        for name, kept in (("a", atom), ("d", dimp)):
            save_weights(kept, tmp_path / f"{name}.safetensors", {})
        with pytest.raises(SettingsError, match="another backbone"):
            make_tracker(
                "atom",
                weights=str(tmp_path / "a.safetensors"),
                classifier=str(tmp_path / "d.safetensors"),
            )

    def test_the_same_weights_with_other_arguments_are_refused(self, atom, backbone, tmp_path):
        """Dilated, lite0 has the same weights, but other maps in other places."""
        dilated = network("dimp", backbone, channels=8, blocks=0, dilated=True)
        for name, kept in (("a", atom), ("d", dilated)):
            save_weights(kept, tmp_path / f"{name}.safetensors", {})
        mine, theirs = (
            OnlineRuntime.load(str(tmp_path / f"{name}.safetensors"), "cpu", "fp32")
            for name in ("a", "d")
        )
        weights = zip(*(r.backbone.state_dict().values() for r in (mine, theirs)), strict=True)
        assert all(torch.equal(*pair) for pair in weights) and mine.places != theirs.places
        with pytest.raises(SettingsError, match="other arguments"):
            make_tracker(
                "atom",
                weights=str(tmp_path / "a.safetensors"),
                classifier=str(tmp_path / "d.safetensors"),
                device="cpu",
                precision="fp32",
            )


def test_weights_of_another_kind_are_refused():
    with pytest.raises(Exception, match="does not learn online"):
        OnlineRuntime.load("siamfc", "cpu", "fp32")


@pytest.mark.parametrize("recipe", ["atom_published", "atom_vot", "dimp_published"])
def test_the_published_settings_are_read(recipe):
    settings = load_settings(ATOMSettings, f"recipes/{recipe}.yaml", {})
    assert settings.search >= 255
