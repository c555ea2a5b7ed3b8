"""Lost and found again: trackers asked at other places, and the wrapper on timetables by hand."""

from __future__ import annotations

import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from course_lib.data.generated import make_sequence, random_spec
from course_lib.errors import CourseError, SettingsError
from course_lib.evaluation.otb import track
from course_lib.geometry.boxes import iou
from course_lib.models.runtime import SiamFCRuntime
from course_lib.places import RECIPES, WEIGHTS
from course_lib.trackers import TRACKER_NAMES, make_tracker, system, tracker_class
from course_lib.trackers.base import Tracker, confidence_of
from course_lib.trackers.redetection import (
    Redetection,
    RedetectionSettings,
    grid,
    inside,
    recipe_for,
    ring,
    with_redetection,
)
from course_lib.trackers.siamfc import SiamFCTracker

FRAME = np.zeros((60, 80, 3), np.uint8)
BOX = np.array([35.0, 25, 10, 10])
MOVABLE = [n for n in TRACKER_NAMES if tracker_class(n).believe is not Tracker.believe]
# learns from every frame, and searches no further than others
NEAR = {"sure": -2.0, "again": False, "adapt": False}
SETTINGS = {"kcf": [{}, {"scale": "filter"}], "siammargin": [NEAR], "atom": [{"search": 191}]}
CASES = [(n, s) for n in MOVABLE for s in SETTINGS.get(n, [{}])]


@pytest.fixture(scope="module")
def sequence():
    return make_sequence(random_spec(750_001, length=14, roam=0.6, occluders=0)).loaded()


def run(tracker: Tracker, sequence, frames) -> np.ndarray:
    return np.array([tracker.update(sequence.frames[t]) for t in frames])


def test_those_that_can_be_asked():
    assert {"ncc", "mosse", "kcf", "siamfc", "siamrpn", "siammargin", "atom"} <= set(MOVABLE)


@pytest.mark.parametrize(("name", "settings"), CASES)
class TestAsked:
    """What holds for every tracker with `believe`."""

    def test_asking_leaves_no_trace(self, name, settings, sequence):
        asked, alone = make_tracker(name, **settings), make_tracker(name, **settings)
        for tracker in (asked, alone):
            tracker.init(sequence.frames[0], sequence.boxes[0])
            run(tracker, sequence, range(1, 4))
        before = asked.last
        for t in range(5, 14):
            for box in ([5, 5, 30, 40], [200, 150, 60, 50], sequence.boxes[3]):
                asked.ask(sequence.frames[t], box)
        assert asked.last is before
        assert np.array_equal(run(asked, sequence, range(4, 8)), run(alone, sequence, range(4, 8)))

    def test_a_fork_learns_for_itself(self, name, settings, sequence):
        tracker, alone = make_tracker(name, **settings), make_tracker(name, **settings)
        for one in (tracker, alone):
            one.init(sequence.frames[0], sequence.boxes[0])
            run(one, sequence, [1, 2])
        other = tracker.fork()
        far = run(other, sequence, [9, 10, 11])  # other frames than the first of the two sees
        assert np.array_equal(
            run(tracker, sequence, range(3, 7)), run(alone, sequence, range(3, 7))
        )
        again = make_tracker(name, **settings)
        again.init(sequence.frames[0], sequence.boxes[0])
        assert np.array_equal(run(again, sequence, [1, 2, 9, 10, 11])[2:], far)

    def test_asked_where_it_is_it_says_what_it_finds(self, name, settings, sequence):
        tracker = make_tracker(name, **settings)
        tracker.init(sequence.frames[0], sequence.boxes[0])
        box = tracker.update(sequence.frames[1])
        told, score = tracker.ask(sequence.frames[2], box)
        found = tracker.update(sequence.frames[2])
        np.testing.assert_allclose(told, found, atol=1e-3)
        assert score == pytest.approx(confidence_of(tracker), rel=1e-4)

    def test_asked_at_the_target_it_is_surer_than_far_away(self, name, settings, sequence):
        tracker = make_tracker(name, **settings)
        tracker.init(sequence.frames[0], sequence.boxes[0])
        tracker.update(sequence.frames[1])
        truth = sequence.boxes[2]
        centre = truth[:2] + truth[2:] / 2
        away = np.where(centre < np.array([160, 120]), 1, -1) * np.array([120, 80])
        near, far = truth + [2, -2, 0, 0], truth + [*away, 0, 0]
        found, score = tracker.ask(sequence.frames[2], near)
        there, other = tracker.ask(sequence.frames[2], far)
        assert iou(found, truth) > 0.6 and iou(there, truth) < 0.2 and score > other


def test_who_cannot_be_asked_says_so():
    for name in ("stay-put", "random-walk"):
        with pytest.raises(CourseError, match=f"tracker {name} cannot be told where its target is"):
            with_redetection(make_tracker(name))


def test_kcf_takes_the_size_that_it_is_told():
    tracker = make_tracker("kcf", scale="fixed")
    tracker.init(
        np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8), [40, 30, 20, 10]
    )
    tracker.believe(np.array([60.0, 40]), np.array([40.0, 20]))
    found = tracker.update(np.zeros((90, 120, 3), np.uint8))
    assert found[2:].tolist() == [40, 20]
    tracker.believe(np.array([60.0, 40]), np.array([5.0, 10]))  # half the side, by area
    assert tracker.scale == pytest.approx(0.5)


def test_the_ring_by_hand():
    found = ring(np.array([10.0, 20, 4, 6]), 0.5)
    assert found[:, :2].tolist() == [
        [8, 17], [10, 17], [12, 17], [8, 20], [12, 20], [8, 23], [10, 23], [12, 23],
    ]  # fmt: skip
    assert (found[:, 2:] == [4, 6]).all()


def test_the_grid_by_hand():
    """A frame 80 wide and 60 high, a box of 20 × 20, steps of one side: 4 × 3 places."""
    found = grid(np.array([0.0, 0, 20, 20]), 1.0, (60, 80))
    centres = found[:, :2] + 10
    assert found.shape == (12, 4) and (found[:, 2:] == 20).all()
    assert sorted(map(tuple, centres)) == [(x, y) for x in (10, 30, 50, 70) for y in (10, 30, 50)]
    assert centres[0].tolist() == [10, 10] and centres[-1].tolist() == [70, 50]
    away = np.linalg.norm(centres - 10, axis=1)
    assert (np.diff(away) >= 0).all()


@pytest.mark.parametrize(("spacing", "size"), [(0.75, (52, 31)), (0.3, (17, 90)), (2, (400, 300))])
def test_the_grid_leaves_no_gap(spacing, size):
    found = grid(np.array([3.0, 4, *size]), spacing, (240, 320))
    centres = found[:, :2] + found[:, 2:] / 2
    for axis, limit in ((0, 320), (1, 240)):
        along = np.unique(np.round(centres[:, axis], 6))
        step = spacing * size[axis] + 1e-6
        assert along[0] <= step / 2 and limit - along[-1] <= step / 2
        assert (np.diff(along) <= step).all()


def test_places_beyond_the_frame_are_not_asked():
    boxes = np.array([[-6.0, 0, 10, 10], [-4, 0, 10, 10], [76, 50, 10, 10], [74, 56, 10, 10]])
    assert inside(boxes, (60, 80)).tolist() == [[-4, 0, 10, 10]]


class Scripted(Tracker):
    """Is as sure as `scores` says, frame by frame where it is; elsewhere 0, at `target` 9."""

    name = "scripted"

    def __init__(self, scores, target=None):
        self.scores, self.target, self.learned = scores, target, ()
        self.asked = []  # shared with every fork

    def init(self, frame, box):
        self.box, self.t, self.moved = np.array(box, float), 0, False
        self.last = SimpleNamespace(score=math.nan)

    def believe(self, centre, size):
        self.box, self.moved = np.array([*(centre - size / 2), *size]), True

    def update(self, frame):
        t = int(frame[0, 0, 0])
        here = self.box[:2] + self.box[2:] / 2
        score = self.scores[t]
        if self.moved:
            self.asked.append((t, *self.box[:2]))
            near = self.target is not None and (abs(here - self.target) <= 5).all()
            score = 9.0 if near else 0.0
        self.learned = (*self.learned, t)
        self.box = self.box + [1, 0, 0, 0]
        self.last = SimpleNamespace(score=score, response=np.full((2, 2), t))
        return self.box


def frame(t: int) -> np.ndarray:
    return np.full((60, 80, 3), t, np.uint8)


def follow(scores, target=None, **settings):
    inner = Scripted([0, *scores], target)
    wrapped = Redetection(inner, RedetectionSettings(**{"sure": 5, "found": 8, **settings}))
    wrapped.init(frame(0), BOX)
    told = []
    for t in range(1, len(scores) + 1):
        box = wrapped.update(frame(t))
        told.append((wrapped.last.surety, float(box[0]), len(wrapped.last.answers)))
    return wrapped, inner, told


def test_sure_unsure_lost_by_hand():
    """The box moves by 1 a frame while sure; it stays from frame 3 on; after two frames unsure, the
    grid of 8 × 6 places is asked, 20 at a time."""
    wrapped, _, told = follow([6, 5, 4, 1, 1, 1, 1], patience=2, spacing=1, places=20)
    assert told == [
        ("sure", 36, 0), ("sure", 37, 0),
        ("unsure", 37, 8), ("unsure", 37, 8),
        ("lost", 37, 20), ("lost", 37, 20), ("lost", 37, 20),
    ]  # fmt: skip
    assert wrapped.last.score == 1


def test_the_grid_is_asked_to_its_end_and_from_its_beginning():
    _, inner, _ = follow([1] * 5, patience=1, spacing=1, places=20)
    by_frame = [[place for t, *place in inner.asked if t == k] for k in range(2, 6)]
    every = [list(p[:2]) for p in grid(BOX, 1, FRAME.shape)]
    assert len(every) == 48
    assert by_frame[0] == every[:20] and by_frame[1] == every[20:40]
    assert by_frame[2] == every[40:] + every[:12] and by_frame[3] == every[12:32]


def test_a_grid_smaller_than_asked_is_asked_once_a_frame():
    _, inner, told = follow([1] * 3, patience=1, spacing=4, places=99)
    assert [count for *_, count in told] == [8, 4, 4]
    assert len([t for t, *_ in inner.asked if t == 2]) == 4


def test_nothing_is_learned_while_unsure():
    wrapped, _, _ = follow([6, 1, 1, 6, 6], patience=9)
    assert wrapped.tracker.learned == (1, 4, 5)


def test_the_map_of_an_unsure_frame_is_that_frame_s():
    wrapped, _, told = follow([6, 1])
    assert told[-1][0] == "unsure" and (wrapped.last.inner.response == 2).all()
    assert wrapped.score_map() is wrapped.last.inner.response
    # sure again, and found elsewhere
    for scores, target in (([6, 1, 6], None), ([6, 1], np.array([31.0, 30]))):
        wrapped, _, told = follow(scores, target)
        assert told[-1][0] == "sure" and (wrapped.score_map() == len(scores)).all()


def test_where_it_is_it_is_believed_from_sure_on():
    """Back at its own place, `sure` is enough, even if long lost."""
    _, _, told = follow([6, 1, 1, 1, 5, 6], patience=1)
    assert [surety for surety, *_ in told] == ["sure", "unsure", "lost", "lost", "sure", "sure"]
    assert [x for _, x, _ in told] == [36, 36, 36, 36, 37, 38]


def test_after_being_sure_again_all_begins_anew():
    """Unsure first, not lost at once; and the grid from its nearest place."""
    wrapped, inner, told = follow([1, 1, 6, 1, 1], patience=1, spacing=1, places=20)
    assert [surety for surety, *_ in told] == ["unsure", "lost", "sure", "unsure", "lost"]
    asked = [list(place) for t, *place in inner.asked if t == 5]
    assert asked == [list(p[:2]) for p in grid(wrapped.box, 1, FRAME.shape)][:20]


def test_found_beside_its_box():
    """The target is one side to the left: the ring finds it, and the tracker goes on from there."""
    wrapped, _, told = follow([6, 1, 1], target=np.array([31.0, 30]))
    assert told[1] == ("sure", 27, 8)  # asked at 26, and one further
    assert wrapped.last.surety == "sure" and wrapped.box[0] == 28


def test_found_across_the_frame():
    wrapped, _, told = follow(
        [1, 1, 1, 1], target=np.array([5.0, 55]), patience=1, spacing=1, places=24
    )
    assert [surety for surety, *_ in told] == ["unsure", "lost", "sure", "sure"]
    assert told[2][1] == 1 and wrapped.box.tolist() == [2, 50, 10, 10]


def test_below_found_it_is_not_believed_elsewhere():
    _, _, told = follow([6, 1, 1], target=np.array([31.0, 30]), found=9.5)
    assert [surety for surety, *_ in told] == ["sure", "unsure", "unsure"]


def test_a_lost_target_is_absent_if_asked_for():
    inner = Scripted([0, 1, 1, 6])
    wrapped = Redetection(inner, RedetectionSettings(sure=5, found=8, patience=1, absent=True))
    wrapped.init(frame(0), BOX)
    assert [np.isnan(wrapped.update(frame(t))).all() for t in (1, 2, 3)] == [False, True, False]


def test_a_tracker_that_says_nothing_is_never_lost():
    _, _, told = follow([math.nan] * 4)
    assert [surety for surety, *_ in told] == ["sure"] * 4


def test_the_returned_box_is_the_callers():
    wrapped, _, _ = follow([1, 1])
    wrapped.update(frame(2))[:] = 0
    assert wrapped.update(frame(2)).tolist() == BOX.tolist()


@pytest.mark.parametrize("name", ["ncc", "mosse", "kcf", "siamfc", "siamrpn"])
def test_while_sure_nothing_changes(name, sequence):
    lowest = {"sure": -1e9, "found": 1e9}
    with_it = track(with_redetection(make_tracker(name), **lowest), sequence)
    assert np.array_equal(with_it.boxes, track(make_tracker(name), sequence).boxes)


def test_it_comes_back_where_the_tracker_alone_does_not():
    """Five sequences, out of view or hidden: how many are followed at the end."""
    ends = {"alone": 0, "with": 0}
    for k in range(1, 6):
        switches = {"occluders": 2} if k % 2 else {"leaves": True, "occluders": 0}
        sequence = make_sequence(random_spec(740_000 + k, length=100, **switches)).loaded()
        for way, make in (("alone", lambda tracker: tracker), ("with", with_redetection)):
            found = track(make(make_tracker("mosse")), sequence).boxes
            ends[way] += np.nanmean(iou(found, sequence.boxes)[-10:]) > 0.5
    assert ends["with"] >= ends["alone"] + 3, ends


def test_two_runs_are_equal(sequence):
    one, other = (
        track(with_redetection(make_tracker("mosse"), sure=20, found=20), sequence) for _ in "ab"
    )
    assert np.array_equal(one.boxes, other.boxes)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("redetection_*.yaml")), ids=lambda p: p.stem)
def test_a_recipe_is_for_a_tracker_that_can_be_asked(path):
    name = path.stem.removeprefix("redetection_")
    own = system(name).tracker
    wrapped = with_redetection(make_tracker(name), places=3)
    assert own in MOVABLE and wrapped.name == f"{own}-redetection"
    assert wrapped.settings.places == 3 and wrapped.settings.sure <= wrapped.settings.found
    assert wrapped.settings.weights == getattr(wrapped.tracker.settings, "weights", "")


OTHERS = ["ciresnet22", "siamfc-lite0", "siamconcatrpn", "siambroadcastrpn"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_weights_have_other_units(name):
    """A tracker of the same class does not get the thresholds of another network."""
    other = make_tracker(name)
    assert recipe_for(other) is None
    with pytest.raises(SettingsError, match=f"with the weights .*{other.settings.weights}.*give b"):
        with_redetection(other)
    settings = with_redetection(other, sure=1.5, found=1.8).settings
    assert (settings.sure, settings.found, settings.weights) == (1.5, 1.8, "")


def test_the_weights_are_known_by_their_file(tmp_path):
    """Other settings do not matter, another file of the same name does, nor is a network trusted
    that comes from no file."""
    five = make_tracker("siamfc-5s", weights=str(WEIGHTS / "siamfc.safetensors"))
    assert recipe_for(five) == RECIPES / "redetection_siamfc.yaml"
    for end in (".safetensors", ".json"):
        shutil.copy(WEIGHTS / f"siamfc{end}", tmp_path)
    assert recipe_for(make_tracker("siamfc", weights=str(tmp_path / "siamfc.safetensors"))) is None
    made = SiamFCRuntime(five.runtime.network, five.runtime.placement)
    assert recipe_for(SiamFCTracker(runtime=made)) is None


def test_without_a_recipe_both_thresholds_are_needed():
    inner = Scripted([0])
    with pytest.raises(
        SettingsError, match=r"no recipe redetection_\*\.yaml for scripted, .*give both"
    ):
        with_redetection(inner, sure=3)
    assert with_redetection(inner, sure=3, found=4).settings.found == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sure": 5, "found": 4}, "found is 4 and sure is 5"),
        ({"sure": math.nan, "found": 4}, "sure is nan"),
        ({"sure": 1, "found": 4, "patience": 0}, "patience is 0; expected at least 1"),
        ({"sure": 1, "found": 4, "spacing": 0}, "spacing is 0"),
        ({"sure": 1, "found": 4, "reach": -1}, "reach is -1"),
        ({"sure": 1, "found": 4, "places": 0}, "places is 0"),
    ],
)
def test_settings_without_sense_are_refused(settings, words):
    with pytest.raises(SettingsError, match=words):
        RedetectionSettings(**settings)
