"""What holds for every tracker: the two calls, errors in words, making by name; and the trackers
without learning."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import is_dataclass

import numpy as np
import pytest
import torch

from course_lib.data.generated import SPECS, make_sequence
from course_lib.errors import CourseError, DataError, SettingsError
from course_lib.geometry.boxes import iou
from course_lib.recipe import Settings, load_settings
from course_lib.trackers import SYSTEMS, TRACKER_NAMES, TRACKERS, make_tracker, tracker_class
from course_lib.trackers.base import Tracker
from course_lib.trackers.opencv import find_factory

OURS = [n for n in TRACKER_NAMES if not n.startswith("opencv")]


def scene(seed=0, height=100, width=130):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", OURS)
class TestEveryTracker:
    """The contract of `init` and `update`."""

    def test_returns_four_finite_numbers_and_does_not_keep_the_callers_arrays(self, name):
        tracker, box = make_tracker(name), np.array([40.0, 30, 20, 24])
        assert tracker.init(scene(), box) is None
        box += 7
        first = tracker.update(scene())
        assert first.shape == (4,) and first.dtype == np.float64 and np.isfinite(first).all()
        kept = first.copy()
        tracker.update(scene(1))
        assert np.array_equal(first, kept)

    def test_has_its_own_name(self, name):
        assert make_tracker(name).name == name

    @pytest.mark.parametrize(
        ("box", "words"),
        [
            ([np.nan, 1, 2, 3], "four finite numbers"),
            ([10, 10, 0, 5], "0 wide and 5 high"),
            ([10, 10, -4, 5], "-4 wide"),
            ([500, 10, 20, 20], "wholly outside the frame of 130×100"),
            ([1, 2, 3], r"shape \(3,\)"),
        ],
    )
    def test_a_bad_first_box_is_named(self, name, box, words):
        with pytest.raises(DataError, match=words):
            make_tracker(name).init(scene(), box)

    @pytest.mark.parametrize(
        "frame", [np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)]
    )
    def test_something_that_is_not_a_frame_is_refused(self, name, frame):
        with pytest.raises(DataError, match="expected uint8"):
            make_tracker(name).init(frame, [0, 0, 2, 2])

    def test_a_grey_frame_counts_as_three_equal_channels(self, name):
        grey = scene()[..., 0]
        colour = np.repeat(grey[..., None], 3, axis=2)
        boxes = []
        for frame in (grey, colour):
            tracker = make_tracker(name)
            tracker.init(frame, [40, 30, 20, 24])
            boxes.append(tracker.update(np.roll(frame, 3, axis=1)))
        assert np.array_equal(*boxes)

    def test_a_frame_of_another_size_is_taken_as_it_is(self, name):
        tracker = make_tracker(name)
        tracker.init(scene(), [100, 70, 20, 24])
        assert np.isfinite(tracker.update(scene(2, 40, 50))).all()

    def test_a_box_half_outside_is_kept(self, name):
        tracker = make_tracker(name)
        tracker.init(scene(), [-10, -8, 24, 24])
        np.testing.assert_allclose(tracker.update(scene()), [-10, -8, 24, 24], atol=10)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACKER_NAMES)
def test_two_runs_give_the_same_boxes_whatever_was_drawn_before(name):
    """Every tracker has its own seed, because the toolkits are told that it is deterministic."""
    if name not in OURS and find_factory(name.removeprefix("opencv-")) is None:
        pytest.skip("needs OpenCV's contrib modules")
    sequence, boxes = make_sequence(SPECS[0]), []
    for seed in (1, 2):
        for draw in (random.seed, np.random.seed, torch.manual_seed):
            draw(seed)
        tracker = make_tracker(name)
        tracker.init(sequence.frames[0], sequence.boxes[0])
        boxes.append([tracker.update(sequence.frames[t]) for t in range(1, 7)])
    np.testing.assert_array_equal(*boxes)


def test_template_matching_finds_a_shifted_scene_exactly():
    tracker, frame = make_tracker("ncc"), scene()
    tracker.init(frame, [40.5, 30.25, 20, 24])
    np.testing.assert_allclose(
        tracker.update(np.roll(frame, (-4, 6), axis=(0, 1))), [46.5, 26.25, 20, 24]
    )
    assert tracker.last.response.max() == pytest.approx(1, abs=1e-5)


def test_template_matching_is_blind_to_brightness_and_contrast():
    tracker, frame = make_tracker("ncc"), scene() // 2
    tracker.init(frame, [40, 30, 20, 24])
    tracker.update(frame + 60)
    assert tracker.last.response.max() == pytest.approx(1, abs=1e-2)


def test_template_matching_survives_frames_without_contrast():
    tracker = make_tracker("ncc")
    tracker.init(np.full((60, 60, 3), 9, np.uint8), [20, 20, 10, 10])
    assert np.isfinite(tracker.update(np.full((60, 60, 3), 9, np.uint8))).all()


def test_the_random_walk_stays_in_the_frame_and_repeats_itself():
    runs = []
    for _ in range(2):
        tracker = make_tracker("random-walk", deviation=2.0)
        tracker.init(scene(), [40, 30, 20, 24])
        runs.append(np.array([tracker.update(scene()) for _ in range(50)]))
    assert np.array_equal(*runs) and len(np.unique(runs[0][:, 0])) > 10
    centres = runs[0][:, :2] + runs[0][:, 2:] / 2
    assert (centres >= 0).all() and (centres <= [130, 100]).all()


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("moose", {}, "Did you mean 'mosse'"),
        ("mosse", {"rat": 0.1}, "unknown key 'rat'; did you mean 'rate'"),
        ("mosse", {"rate": "fast"}, "rate is 'fast'"),
        ("stay-put", {"rate": 1}, "unknown key 'rate'; there is nothing to set"),
        ("opencv-kcf", {"rate": 1}, "takes none"),
    ],
)
def test_wrong_names_and_settings_are_explained(name, settings, words):
    with pytest.raises(SettingsError, match=words):
        make_tracker(name, **settings)


@pytest.mark.parametrize("name", TRACKER_NAMES)
def test_a_row_leads_to_a_class_of_that_name(name):
    kind = tracker_class(name)
    assert issubclass(kind, Tracker) and kind.name == name
    assert kind.Settings is None or (
        issubclass(kind.Settings, Settings) and is_dataclass(kind.Settings)
    )
    assert not kind.lockstep or all(callable(getattr(kind, step)) for step in ("look", "decide"))


def test_which_trackers_share_a_call_of_their_network():
    sharing = [name for name in TRACKERS if tracker_class(name).lockstep]
    assert sharing == ["siamfc", "siamrpn", "onestream"]


def test_a_tracker_is_imported_only_when_it_is_asked_for():
    code = """
import sys
import course_lib.trackers
assert not any(name in sys.modules for name in ("torch", "cv2", "scipy"))
course_lib.trackers.make_tracker("ncc")
print(*(n for n in sys.modules if n.startswith("course_lib.trackers.")), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    names = ["course_lib.trackers.base", "course_lib.trackers.template", "False"]
    assert (done.returncode, done.stdout.split()) == (0, names), done.stderr


def test_one_more_tracker_is_one_more_row(monkeypatch):
    monkeypatch.setitem(TRACKERS, "toy", "course_lib.trackers.baselines:StayPut")
    assert type(make_tracker("toy")) is tracker_class("stay-put")


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_its_tracker_with_its_own_settings(name):
    own, sequence = SYSTEMS[name], make_sequence(SPECS[0])
    tracker = make_tracker(name)
    assert type(tracker) is tracker_class(own.tracker) is tracker_class(name)
    expected = load_settings(tracker.Settings, own.path, dict(own.settings))
    assert tracker.settings == expected != tracker.Settings()
    tracker.init(sequence.frames[0], sequence.boxes[0])
    assert iou(tracker.update(sequence.frames[1]), sequence.boxes[1]) > 0.25


def test_what_is_asked_for_wins_over_a_system_s_settings(tmp_path):
    (tmp_path / "a.yaml").write_text("refine: true\n")
    assert make_tracker("siamrpnpp", window=0.11).settings.window == 0.11
    assert make_tracker("siamfc-5s", weights="ciresnet22").settings.scales == 5
    assert not make_tracker("atom-scales", tmp_path / "a.yaml").settings.refine
    assert make_tracker("atom-scales", refine=True).settings.refine


def test_recipes_are_the_defaults(project):
    """A recipe equals the tracker's defaults."""
    for name in ("mosse", "ncc", "kcf"):
        assert (
            make_tracker(name, project / "recipes" / f"{name}.yaml").settings
            == make_tracker(name).settings
        )


def test_opencvs_trackers_run_or_say_what_to_install():
    for name in ("opencv-mosse", "opencv-kcf", "opencv-csrt"):
        if find_factory(name.removeprefix("opencv-")) is None:
            with pytest.raises(CourseError, match="make reference"):
                make_tracker(name)
        else:
            tracker = make_tracker(name)
            tracker.init(scene(), [40, 30, 20, 24])
            assert np.isfinite(tracker.update(scene())).all()
