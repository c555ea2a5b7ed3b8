"""The classifier room: what the tracker did, what it remembered, and every control at its ends."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import DataError
from course_lib.geometry.boxes import iou
from course_lib.models.atom import ATOM
from course_lib.models.device import Placement
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.trackers.atom import ATOMSettings, ATOMTracker
from course_lib.trackers.first_samples import SampleSettings
from course_lib.trackers.localise import HARD, LOST, NORMAL, LocalisationSettings
from course_lib.trackers.online_classifier import ClassifierSettings
from course_lib.widgets import ClassifierRoom
from course_lib.widgets.classifier_room import COLUMNS, MODES, ROWS, mosaic
from course_lib.widgets.classifier_runs import FIRST, THUMB, Sample

pytestmark = pytest.mark.slow

SEQUENCE = make_sequence(random_spec(2, length=8, distractors=1))
# 1 plain + 4 shifted + 1 rotated + 1 mirrored + 1 blurred + 2 without some channels
SAMPLES = SampleSettings(rotations=(20,), blurs=(2, 2), dropouts=2)
FEW = ClassifierSettings(compressed=8, first_rounds=2, first_steps=4, capacity=13)
SETTINGS = ATOMSettings(
    online=FEW, samples=SAMPLES, update_every=3, localisation=LocalisationSettings(not_found=-10)
)
COUNT = 10


@pytest.fixture(scope="module")
def tracker():
    torch.manual_seed(0)
    network = ATOM("alexnet", 8, widths=(8,) * 5).eval()
    return ATOMTracker(SETTINGS, OnlineRuntime(network, Placement(torch.device("cpu"), bf16=False)))


@pytest.fixture(scope="module")
def room(tracker):
    return ClassifierRoom(SEQUENCE, tracker)


def test_every_control_at_its_ends(room):
    for spec in room.controls:
        for value in (spec["low"], spec["high"], spec["high"] + 100, -5):
            room.set(**{spec["name"]: value})
            assert spec["low"] <= room.values[spec["name"]] <= spec["high"]
            assert room.png.startswith(b"\x89PNG") and "nan" not in room.readout
    with pytest.raises(DataError, match="cannot be"):
        room.set(frame=np.nan)


def alone(tracker: ATOMTracker, frozen: bool) -> ATOMTracker:
    settings = replace(SETTINGS, online=replace(FEW, frozen=frozen))
    return ATOMTracker(settings, tracker.runtime)


@pytest.mark.parametrize("mode", MODES)
def test_it_shows_what_the_tracker_does_on_its_own(room, tracker, mode):
    other = alone(tracker, mode == "frozen")
    other.init(SEQUENCE.frames[0], SEQUENCE.boxes[0])
    overlaps = []
    for t, moment in enumerate(room.runs[mode], start=1):
        box, last = other.update(SEQUENCE.frames[t]), other.last
        np.testing.assert_allclose(moment.box, box, atol=1e-3)
        assert (moment.found.state, moment.learned) == (last.state, last.learned)
        np.testing.assert_allclose(moment.weights, other.classifier.memory.weights)
        np.testing.assert_allclose(moment.fine, last.fine[::2, ::2], atol=2e-3)
        overlaps.append(float(iou(box, SEQUENCE.boxes[t])))
        kept = last.state in (NORMAL, HARD) and mode == "online"
        assert (moment.remembered is not None) == kept
        if kept:
            sample = moment.samples[moment.remembered]
            assert (sample.kind, sample.frame) == (last.state, t)
            small = cv2.resize(last.crop, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
            np.testing.assert_array_equal(sample.image, small)
    np.testing.assert_allclose(room.overlaps(mode), overlaps, atol=1e-3)


def test_both_runs_differ(room):
    online, frozen = (np.stack([m.fine for m in room.runs[mode]]) for mode in MODES)
    np.testing.assert_array_equal(online[0], frozen[0])  # nothing was learned before
    assert np.abs(online[-1] - frozen[-1]).max() > 0.01


def test_the_memory_is_the_first_frame_s_and_then_the_latest(room):
    sizes = []
    for t, moment in enumerate(room.runs["online"], start=1):
        kinds = [sample.kind for sample in moment.samples]
        assert kinds[:COUNT] == [FIRST] * COUNT and FIRST not in kinds[COUNT:]
        assert len(moment.samples) == len(moment.weights) <= FEW.capacity
        sizes.append(len(moment.samples))
        if moment.remembered is not None:
            assert moment.samples[moment.remembered].frame == t
    assert sizes[-1] == FEW.capacity  # full: others were replaced
    frames = [s.frame for s in room.runs["online"][-1].samples[COUNT:]]
    assert len(set(frames)) == len(frames) == FEW.capacity - COUNT
    for moment in room.runs["frozen"]:
        assert len(moment.samples) == COUNT and moment.weights.sum() == pytest.approx(1)


def test_a_lost_target_is_not_remembered(tracker):
    settings = replace(SETTINGS, localisation=LocalisationSettings(not_found=10))
    room = ClassifierRoom(SEQUENCE.part(0, 4), ATOMTracker(settings, tracker.runtime))
    for moment in room.runs["online"]:
        assert moment.found.state == LOST and moment.remembered is None
        np.testing.assert_allclose(moment.box, SEQUENCE.boxes[0])
    assert "not found" in room.readout and "is not remembered" in room.readout


def test_the_sentence_says_what_is_in_the_memory(room):
    room.set(frame=3, mode=0)
    moment = room.runs["online"][2]
    weight = 100 * moment.weights[:COUNT].sum()
    assert f"10 samples of the first frame with {weight:.0f} % of the weight" in room.readout
    assert "the classifier learns in this frame" in room.readout
    room.set(mode=1)
    assert "frozen" in room.readout and "100 % of the weight and 0 later" in room.readout


def test_the_given_tracker_is_left_as_it_is(room, tracker):
    assert room.runs and not hasattr(tracker, "classifier") and not FEW.frozen


def test_it_uses_no_more_frames_than_asked_for(tracker):
    assert len(ClassifierRoom(SEQUENCE, tracker, max_frames=3).runs["online"]) == 2
    with pytest.raises(DataError, match="no second frame"):
        ClassifierRoom(SEQUENCE, tracker, max_frames=1)


def test_samples_lie_in_their_cells():
    samples = [Sample(np.full((THUMB, THUMB, 3), 40 * k, np.uint8), FIRST, 0) for k in range(3)]
    cells = [0, COLUMNS + 1, 2 * ROWS * COLUMNS - 1]
    image = mosaic(samples, cells)
    high, wide = image.shape[0] / (2 * ROWS), image.shape[1] / COLUMNS
    for k, cell in enumerate(cells):
        y, x = cell // COLUMNS * high + 0.3 * wide, (cell % COLUMNS + 0.5) * wide
        assert (image[int(y), int(x)] == 40 * k).all()
    assert (image == 255).any()


def test_more_samples_than_there_is_room_for_are_counted(room):
    moment = room.runs["online"][-1]
    many = ROWS * COLUMNS + 4
    later = moment.samples[-1]
    crowd = replace(
        moment,
        samples=moment.samples[:COUNT] + (later,) * many,
        weights=np.linspace(1, 2, COUNT + many),
        remembered=COUNT + many - 1,
    )
    room.runs["online"][-1] = crowd
    room.set(mode=0, frame=len(SEQUENCE) - 1)
    figure, _ = room.draw()
    assert any("4 more are not shown" in ax.get_title() for ax in figure.axes)
    room.runs["online"][-1] = moment


def test_the_cell_holds_an_image_with_alternative_text(room):
    data, _ = room._repr_mimebundle_()
    assert "image/png" in data and SEQUENCE.name in data["text/plain"]
