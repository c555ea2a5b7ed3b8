"""Validation by tracking: what it measures, on trackers whose errors are known, and in a run."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_lib.data.frames import Frames
from course_lib.data.generated import make_sequence, random_spec
from course_lib.data.pairs import Mixture
from course_lib.data.pairs_video import VideoPairs
from course_lib.data.sequence import Sequence
from course_lib.models.device import Placement
from course_lib.models.networks import NETWORKS, build, network_class
from course_lib.trackers import TRACKERS
from course_lib.training import by_tracking
from course_lib.training.by_tracking import FRAMES, follow, tracker_with, validation_clips
from course_lib.training.loop import train
from course_lib.training.settings import ProposalSettings, TrainSettings

pytestmark = pytest.mark.slow
CPU = Placement(torch.device("cpu"), bf16=False)
BOXES = np.array([[20.0 + t, 30, 40, 20] for t in range(9)])


class Off:
    """A tracker that is `right` pixels off and `larger` times too large."""

    def __init__(self, right: float, larger: float) -> None:
        self.right, self.larger = right, larger

    def init(self, frame, box):
        self.t = 0

    def update(self, frame):
        self.t += 1
        x, y, w, h = BOXES[self.t]
        size = np.array([w, h]) * self.larger
        centre = np.array([x + w / 2 + self.right, y + h / 2])
        return np.concatenate([centre - size / 2, size])


class OnlyMap:
    output = "responses"


def sequence(boxes: np.ndarray = BOXES) -> Sequence:
    return Sequence.in_memory("clip", np.zeros((len(boxes), 60, 80, 3), np.uint8), boxes)


def test_place_and_size_errors_are_told_apart(monkeypatch):
    side = math.sqrt((40 + 30) * (20 + 30))
    for right, larger in ((0, 1), (7, 1), (0, 1.5)):
        monkeypatch.setattr(by_tracking, "tracker_with", lambda *_, o=(right, larger): Off(*o))
        found = follow(OnlyMap(), [sequence()], CPU)
        assert found["tracking_place"] == pytest.approx(right / side)
        assert found["tracking_size"] == pytest.approx(math.log(larger))
        area = 800 * larger**2
        both = (40 - right) * 20 if larger == 1 else 800
        assert found["tracking_iou"] == pytest.approx(both / (800 + area - both))


def test_absent_frames_and_lost_targets_say_nothing_of_the_size(monkeypatch):
    monkeypatch.setattr(by_tracking, "tracker_with", lambda *_: Off(500, 3))
    boxes = BOXES.copy()
    boxes[4] = np.nan
    lost = follow(OnlyMap(), [sequence(boxes)], CPU)
    assert lost["tracking_iou"] == 0 and "tracking_size" not in lost
    monkeypatch.setattr(by_tracking, "tracker_with", lambda *_: Off(0, 2))
    assert follow(OnlyMap(), [sequence(boxes)], CPU)["tracking_size"] == pytest.approx(math.log(2))


def small(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    about = {"network": name, "backbone": "alexnet", "widths": (4, 4, 4, 4, 4), "groups": 1}
    return build(about | {"channels": 4})


@pytest.mark.parametrize("name", ["siamfc", "siamrpn", "siamrpn++", "atom", "dimp"])
def test_a_network_stays_as_it_is_and_is_followed_alike(name):
    network = small(name).train()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    sequences = validation_clips(2, VideoPairs([make_sequence(random_spec(1, length=3))]))[:2]
    assert [len(c) for c in sequences] == [FRAMES, FRAMES]
    sequences = [c.part(0, 5) for c in sequences]
    first = follow(network, sequences, CPU)
    assert network.training and first == follow(network, sequences, CPU)
    for n, t in network.state_dict().items():
        assert torch.equal(t, before[n]), n
    assert ("size_gain" in first) <= (network.output == "proposals")
    tracker_with(network, CPU).init(sequences[0].frames[0], sequences[0].boxes[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_network_has_its_tracker(name):
    _, tracker = by_tracking.TRACKERS[network_class(name).output]
    assert tracker in TRACKERS.values()


def test_held_out_videos_are_followed_too():
    videos = VideoPairs([make_sequence(random_spec(k, length=50)) for k in range(2)])
    sequences = validation_clips(1, Mixture([videos], [1.0]))
    assert [len(c) for c in sequences] == [FRAMES, FRAMES, FRAMES]
    assert validation_clips(0, Mixture([videos], [1.0])) == []


class Undecoded(Frames):
    """Frames that may not be read yet."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def _read(self, index: int) -> np.ndarray:
        raise AssertionError("decoded before it is tracked in")


def made(name: str, seen: range = range(60)) -> Sequence:
    """60 frames that nobody has decoded; the target is there in some."""
    boxes = np.full((60, 4), np.nan)
    boxes[list(seen)] = 20.0, 30, 40, 20
    return Sequence(name, Undecoded(60), boxes)


def test_of_many_held_out_videos_some_are_followed_and_none_is_decoded_before(monkeypatch):
    monkeypatch.setattr(by_tracking, "VIDEOS", 5)
    for count, expected in ((2, [0, 1]), (5, [0, 1, 2, 3, 4]), (41, [0, 10, 20, 30, 40])):
        videos = VideoPairs([made(str(k)) for k in range(count)])
        followed = validation_clips(1, Mixture([videos], [1.0]))[1:]
        assert [int(c.name) for c in followed] == expected
        assert [len(c) for c in followed] == [FRAMES] * len(expected)


def test_a_target_that_does_not_come_back_in_time_is_not_followed():
    once = made("once", range(5, 60, FRAMES))  # frames 5 and 45: the second is beyond the part
    followed = validation_clips(1, VideoPairs([once, made("often")]))[1:]
    assert [c.name for c in followed] == ["often"]


def test_a_clip_without_its_target_says_nothing(monkeypatch):
    monkeypatch.setattr(by_tracking, "tracker_with", lambda *_: Off(7, 1))
    boxes = BOXES.copy()
    boxes[1:] = np.nan
    alone = follow(OnlyMap(), [sequence()], CPU)
    assert follow(OnlyMap(), [sequence(), sequence(boxes)], CPU) == alone
    assert follow(OnlyMap(), [sequence(boxes)], CPU) == {}
    network = small("siamrpn")
    monkeypatch.undo()
    assert follow(network, [sequence(boxes)], CPU) == {}


def test_a_run_validates_by_tracking_and_keeps_what_it_found(tmp_path):
    settings = TrainSettings(
        name="tiny",
        network="siamrpn",
        widths=(4, 4, 4, 4, 4),
        search=255,
        batch=2,
        steps=2,
        precision="fp32",
        validate_every=2,
        validation_pairs=2,
        validation_clips=1,
        proposals=ProposalSettings(channels=4),
    )
    run = train(settings, tmp_path / "a", "cpu")
    row = run.progress.validation[-1]
    assert {"loss", "tracking_iou", "tracking_place"} <= set(row)
    without = train(replace(settings, validation_clips=0), tmp_path / "b", "cpu")
    assert "tracking_iou" not in without.progress.validation[-1]
    for a, b in zip(run.network.parameters(), without.network.parameters(), strict=True):
        assert torch.equal(a, b)
