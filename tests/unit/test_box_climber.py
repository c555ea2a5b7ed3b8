"""The box climber: its maps, its path, and every control at its ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_lib.analysis.overlap_slices import predicted_overlap, search_image, slices
from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import DataError
from course_lib.geometry.anchors import overlaps
from course_lib.geometry.boxes import iou
from course_lib.models.atom import ATOM
from course_lib.models.device import Placement
from course_lib.models.dimp import DiMP
from course_lib.models.runtime_online import OnlineRuntime
from course_lib.trackers.climbing import ClimbSettings, best_box, climb, starting_boxes
from course_lib.widgets import BoxClimber
from course_lib.widgets.box_climber import MOST

pytestmark = pytest.mark.slow

CPU = Placement(torch.device("cpu"), bf16=False)
SEQUENCE = make_sequence(random_spec(2, length=3, distractors=1))
FRAME, TRUTH = SEQUENCE.frames[1], SEQUENCE.boxes[1]
FIRST = SEQUENCE.frames[0], SEQUENCE.boxes[0]


@pytest.fixture(scope="module")
def runtime():
    torch.manual_seed(0)
    network = ATOM("alexnet", 8, widths=(8,) * 5).eval()
    with torch.no_grad():
        network.predictor.iou.weight.mul_(0.1)  # as gentle slopes as those of a trained one
    return OnlineRuntime(network, CPU)


@pytest.fixture
def climber(runtime):
    return BoxClimber(FRAME, TRUTH, first=FIRST, runtime=runtime)


def true_judge(boxes: torch.Tensor) -> torch.Tensor:
    return overlaps(boxes, torch.from_numpy(TRUTH)[None].to(boxes))[0]


def oracle(**more) -> BoxClimber:
    """A climber whose judge knows the truth."""
    return BoxClimber(FRAME, TRUTH, true_judge, **more)


def test_every_control_at_its_ends(climber):
    climber.step = 2
    for spec in climber.controls:
        for value in (spec["low"], spec["high"], spec["high"] + 100):
            climber.set(**{spec["name"]: value})
            assert climber.values[spec["name"]] <= spec["high"]
            assert climber.png.startswith(b"\x89PNG") and np.isfinite(climber.now).all()
            sent = np.frombuffer(climber.shown["boxes"], "<f4")
            assert sent.reshape(3, climber.shown["count"], 4).shape[1] in (1, 10)


def test_steps_stay_within_their_ends_and_a_new_box_begins_anew(climber):
    climber.set_state({"step": 10**6})
    assert climber.step == MOST and f"After {MOST} steps" in climber.readout
    climber.set_state({"step": -3})
    assert climber.step == 0
    climber.step = 1
    assert "After 1 step:" in climber.readout
    climber.set_state({"box": [20, 30, 60, 50]})
    assert climber.step == 0 and climber.shown["start"] == [20, 30, 60, 50]
    assert climber.now.tolist() == [20, 30, 60, 50]


@pytest.mark.parametrize("box", [[0, 0, 287, 287], [0, 0, 1, 1], [286, 286, 1, 1]])
def test_any_box_of_the_search_image_can_be_dropped(climber, box):
    climber.set_state({"box": box})
    climber.step = 3
    assert np.isfinite(climber.now).all() and "nan" not in climber.readout


def test_it_climbs_as_the_tracker_does(climber, runtime):
    """In pixels of the search image, straight from the network."""
    predictor, window = runtime.predictor, search_image(TRUTH)
    first = search_image(FIRST[1])
    reference, test = (
        runtime.maps(w.cut(frame)[None]) for w, frame in ((first, FIRST[0]), (window, FRAME))
    )
    box = torch.from_numpy(first.box_to_crop(FIRST[1])[None]).float()
    modulation, features = predictor.modulation(reference, box), predictor.test_maps(test)

    def judge(boxes):
        return predictor.raw_iou(features, modulation, boxes[None])[0]

    climber.set(length=2.0)
    for ten, count in ((0, 1), (1, 10)):
        climber.set(boxes=ten)
        climber.step = 4
        boxes = starting_boxes(np.array(climber.box), np.random.default_rng(0), ClimbSettings())
        wanted = climb(judge, boxes[:count], 4, 2.0)
        found = climber.path(4)
        assert not torch.allclose(found.boxes[0], found.boxes[-1], atol=1e-3)
        torch.testing.assert_close(found.boxes, wanted.boxes, atol=2e-3, rtol=0)
        torch.testing.assert_close(found.values, wanted.values, atol=0, rtol=1e-3)
        np.testing.assert_allclose(climber.now, best_box(wanted, 3).numpy(), atol=2e-3)


def test_on_the_true_iou_it_finds_home():
    climber = oracle()
    before = float(iou(climber.box, climber.truth))
    climber._handle_custom_msg("climb", [])  # the page's button
    after = float(iou(climber.now, climber.truth))
    assert before < 0.6 < 0.85 < after and 0 < climber.step < MOST
    assert f"true IoU {before:.2f}" in climber.readout and f"{after:.2f}, centre" in climber.readout
    at, values = climber.step, climber.path(climber.step + 9).values[:, 0]
    assert values.argmax() == at and after == pytest.approx(float(values[at] + 1) / 2, abs=1e-4)
    climber.climb()
    assert climber.step == at  # nothing more is gained


def test_where_boxes_do_not_meet_nothing_pulls():
    climber = oracle()
    climber.set_state({"box": [0, 0, 20, 20]})
    climber.climb()
    assert climber.step == 0  # none is better than the box dropped
    climber.step = 3
    assert climber.now.tolist() == [0, 0, 20, 20] and "true IoU 0.00, centre" in climber.readout


def test_the_prediction_and_the_truth_can_both_be_climbed(climber):
    climber.step = 3
    predicted = climber.now
    climber.set(climbed=1)
    assert climber.step == 3 and np.abs(climber.now - predicted).max() > 0.01
    np.testing.assert_allclose(climber.now, oracle_path(climber, 3), atol=1e-2)


def oracle_path(climber: BoxClimber, steps: int) -> np.ndarray:
    other = oracle()
    other.box, other.step = climber.box, steps
    return other.now


def test_the_maps_hold_the_iou_of_shifted_and_resized_boxes():
    climber = oracle()
    climber.box = climber.truth
    shift, power = climber_slices(climber)
    w, h = climber.truth[2:]
    n = shift.values.shape[-1]
    d = shift.reach * 2 / (n - 1)  # pixels from cell to cell
    row, column = n // 2, n // 2
    for away in (-2, 0, 1):
        expected = (w - abs(away) * d) / (w + abs(away) * d)
        np.testing.assert_allclose(shift.values[:, row, column + away], expected, atol=1e-5)
        expected = (h - abs(away) * d) / (h + abs(away) * d)
        np.testing.assert_allclose(shift.values[:, row + away, column], expected, atol=1e-5)
        factor = 2 ** (away * power.reach * 2 / (n - 1))
        expected = min(factor, 1 / factor)
        np.testing.assert_allclose(power.values[:, row, column + away], expected, atol=1e-5)
        np.testing.assert_allclose(power.values[:, row + away, column], expected, atol=1e-5)


def climber_slices(climber: BoxClimber):
    seen = np.stack([climber.box, climber.now])
    return slices(climber.overlap, climber.home, climber.now, seen)


def test_the_maps_reach_as_far_as_the_box():
    climber = oracle()
    near = climber_slices(climber)
    climber.box = [0, 0, 280, 8]
    far = climber_slices(climber)
    assert far[0].reach > near[0].reach and far[1].reach > np.log2(280 / climber.truth[2])


def test_a_judge_sees_frame_pixels():
    seen = []
    climber = BoxClimber(FRAME, TRUTH, lambda boxes: seen.append(boxes) or true_judge(boxes))
    np.testing.assert_allclose(seen[0].detach()[0], TRUTH, atol=1e-3)
    box = TRUTH + [3, -2, 5, 1]
    climber = oracle(box=box)
    np.testing.assert_allclose(climber.window.box_to_frame(climber.box), box, atol=1e-3)


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (lambda boxes: boxes, r"gives \(1, 4\)"),
        (lambda boxes: 0.5, "gives float"),
        (lambda boxes: true_judge(boxes).detach(), "no gradient"),
        (None, "give first"),
    ],
)
def test_what_cannot_be_climbed_is_refused(judge, words):
    with pytest.raises(DataError, match=words):
        BoxClimber(FRAME, TRUTH, judge)


def test_boxes_that_are_none_are_refused(climber):
    with pytest.raises(DataError, match="finite"):
        BoxClimber(FRAME, [np.nan] * 4, true_judge)
    with pytest.raises(DataError, match="finite"):
        oracle(box=[np.nan] * 4)
    before = list(climber.box)
    with pytest.raises(DataError, match="above 0"):
        climber.box = [3, 3, 0, 10]
    assert climber.box == before
    with pytest.raises(DataError, match="cannot be"):
        climber.set(length=np.nan)


def test_a_network_without_an_iou_predictor_is_refused():
    dimp = OnlineRuntime(DiMP("alexnet", 8, widths=(8,) * 5).eval(), CPU)
    with pytest.raises(DataError, match="predicts no IoU"):
        predicted_overlap(dimp, FIRST, FRAME, search_image(TRUTH))


def test_the_frame_is_sent_once(climber, monkeypatch):
    sent: set[str] = set()
    send = climber._send
    monkeypatch.setattr(
        climber,
        "_send",
        lambda message, buffers=None: (
            sent.update(message.get("state", {})) or send(message, buffers)
        ),
    )
    climber.box = [20, 30, 60, 50]
    climber.step = 2
    assert {"box", "step", "shown", "readout"} <= sent
    assert not sent & {"jpegs", "offsets", "sizes", "truth", "styles"}


def test_the_cell_holds_an_image_with_alternative_text(climber):
    data, _ = climber._repr_mimebundle_()
    assert "image/png" in data and "predicted and the true IoU" in data["text/plain"]
