"""The adapters inside the real GOT-10k toolkit, whose experiments must score as the course does."""

from __future__ import annotations

import numpy as np
import pytest
from got10k.datasets import OTB
from got10k.experiments import ExperimentGOT10k, ExperimentOTB
from got10k.trackers import IdentityTracker
from got10k.trackers import Tracker as ToolkitTracker
from PIL import Image

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.generated import SPECS, make_sequence
from course_lib.errors import DataError, SettingsError
from course_lib.evaluation.export import export_results
from course_lib.evaluation.layouts import read_passes
from course_lib.evaluation.otb import track
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import got10k_scores, make_report
from course_lib.evaluation.results import result_path, write_result
from course_lib.trackers import make_tracker
from course_lib.trackers.base import Tracker
from course_lib.trackers.toolkits import FromToolkit, ToToolkit

pytestmark = pytest.mark.slow

SOURCES = {"Basketball": SPECS[0].name, "Bolt": SPECS[5].name}
LENGTH = 12


@pytest.fixture(scope="module")
def sequences():
    return {
        name: make_sequence(next(s for s in SPECS if s.name == spec)).part(0, LENGTH)
        for name, spec in SOURCES.items()
    }


def save(sequence, folder, pattern):
    folder.mkdir(parents=True)
    for t in range(LENGTH):
        Image.fromarray(sequence.frames[t]).save(folder / pattern.format(t + 1), quality=95)


def lines(boxes) -> str:
    return "".join(",".join(f"{v:.3f}" for v in row) + "\n" for row in boxes)


@pytest.fixture(scope="module")
def otb(tmp_path_factory, sequences):
    """OTB of two targets; the other folders are empty, or the toolkit would download them."""
    root = tmp_path_factory.mktemp("data")
    for name in OTB._OTB__otb13_seqs:
        (root / "otb" / name).mkdir(parents=True)
    for name, sequence in sequences.items():
        save(sequence, root / "otb" / name / "img", "{:04d}.jpg")
        (root / "otb" / name / "groundtruth_rect.txt").write_text(
            lines(sequence.boxes + [1, 1, 0, 0])
        )
    return root


@pytest.fixture(scope="module")
def got10k(tmp_path_factory, sequences):
    """A data root with GOT-10k's validation set, of two sequences."""
    root = tmp_path_factory.mktemp("data")
    val = root / "got10k" / "val"
    for name, sequence in sequences.items():
        save(sequence, val / name, "{:08d}.jpg")
        (val / name / "groundtruth.txt").write_text(lines(sequence.boxes))
        height, width = sequence.frames[0].shape[:2]
        (val / name / "meta_info.ini").write_text(f"[METAINFO]\nresolution: ({width}, {height})\n")
        for label, value in (("cover", 8), ("absence", 0), ("cut_by_image", 0)):
            (val / name / f"{label}.label").write_text(f"{value}\n" * LENGTH)
    (val / "list.txt").write_text("\n".join(sequences) + "\n")
    return root


def in_otb(otb, tmp_path):
    return ExperimentOTB(
        str(otb / "otb"), 2013, str(tmp_path / "results"), str(tmp_path / "reports")
    )


class Exact(Tracker):
    """Returns the true boxes of the sequence it is started on, counted from 0; records its starts."""

    name = "exact"

    def __init__(self, sequences):
        self.sequences, self.starts = sequences, []

    def init(self, frame, box):
        self.starts.append(box)
        nearest = min(self.sequences.values(), key=lambda c: np.abs(c.boxes[0] - box).sum())
        self.left = list(nearest.boxes[1:])

    def update(self, frame):
        return self.left.pop(0)


def test_in_otbs_experiment_boxes_count_from_1(otb, sequences, tmp_path):
    """A perfect tracker scores 20/21; one that is off by a pixel does not."""
    found = {}
    for first_pixel in (0, 1):
        tracker, experiment = Exact(sequences), in_otb(otb, tmp_path / str(first_pixel))
        experiment.run(ToToolkit(tracker, first_pixel))
        found[first_pixel] = experiment.report(["exact"])["exact"]["overall"]
        starts = np.array(tracker.starts) - [sequence.boxes[0] for sequence in sequences.values()]
        np.testing.assert_allclose(starts[:, :2], 1 - first_pixel, atol=1e-3)
    assert found[1]["success_score"] == pytest.approx(20 / 21)
    assert found[1]["precision_curve"][0] == 1
    assert found[0]["success_score"] < 0.93 and found[0]["precision_curve"][1] < 0.1


@pytest.mark.parametrize("name", ["ncc", "mosse"])
def test_otbs_experiment_scores_as_the_course_does(otb, tmp_path, name):
    experiment = in_otb(otb, tmp_path)
    experiment.run(ToToolkit(make_tracker(name), first_pixel=1))
    theirs = experiment.report([name])[name]["overall"]
    benchmark = load_benchmark("otb", otb)
    # their results read by the course
    folder = tmp_path / "results" / "OTB2013"
    report = make_report(folder, benchmark, [name], layout="otb")
    np.testing.assert_allclose(report.curve(name, "success"), theirs["success_curve"], atol=1e-9)
    np.testing.assert_allclose(report.curve(name, "precision"), theirs["precision_curve"])
    # the course's own runs have the same boxes, to the three digits of their files
    for sequence in benchmark:
        ours = track(make_tracker(name), sequence)
        (read,) = read_passes("otb", Run(folder, benchmark, name, sequence, "ope"))
        np.testing.assert_allclose(ours.boxes, read.boxes, atol=6e-4)
        assert np.isfinite(read.seconds).all()
        write_result(result_path(tmp_path, "otb", name, sequence.name), ours, first_pixel=1)
    # and the course's results read by the toolkit
    (other := tmp_path / "again").mkdir()
    target = ("otb", other / "results" / "OTB2013")
    export_results(("course", tmp_path), benchmark, name, "ope", target)
    again = in_otb(otb, other).report([name])[name]["overall"]
    np.testing.assert_allclose(again["success_curve"], theirs["success_curve"], atol=0.05)
    assert again["success_score"] == pytest.approx(theirs["success_score"], abs=5e-3)


def test_got10ks_experiment_counts_from_0_and_scores_as_the_course_does(got10k, tmp_path):
    def experiment(place):
        return ExperimentGOT10k(str(got10k / "got10k"), "val", str(place), str(tmp_path / "r"))

    first = experiment(tmp_path / "results")
    first.run(ToToolkit(make_tracker("ncc")))
    theirs = first.report(["ncc"])["ncc"]["overall"]
    benchmark = load_benchmark("got10k-val", got10k)
    folder = tmp_path / "results" / "GOT-10k"
    assert sorted(p.name for p in (folder / "ncc" / "Bolt").iterdir()) == [
        "Bolt_001.txt",  # deterministic: it was run once
        "Bolt_time.txt",
    ]
    ours = got10k_scores(folder, benchmark, ["ncc"], layout="got10k")["ncc"]
    assert ours["ao"] == pytest.approx(theirs["ao"], abs=1e-9)
    for sequence in benchmark:
        result = track(make_tracker("ncc"), sequence)
        (read,) = read_passes("got10k", Run(folder, benchmark, "ncc", sequence, "ope"))
        np.testing.assert_allclose(result.boxes, read.boxes, atol=6e-4)
        write_result(result_path(tmp_path, "got10k-val", "ncc", sequence.name), result)
    target = ("got10k", tmp_path / "out" / "GOT-10k")
    export_results(("course", tmp_path), benchmark, "ncc", "ope", target)
    again = experiment(tmp_path / "out").report(["ncc"])["ncc"]["overall"]
    assert again["ao"] == pytest.approx(theirs["ao"], abs=1e-3)


class Wanders(ToolkitTracker):
    """Every run differs: a tracker that declares itself not deterministic."""

    def __init__(self):
        super().__init__("wanders", is_deterministic=False)
        self.rng = np.random.default_rng(5)

    def init(self, image, box):
        self.box = box

    def update(self, image):
        return self.box + self.rng.normal(0, 3, 4) * [1, 1, 0, 0]


def test_the_toolkits_three_runs_of_a_random_tracker_are_all_scored(got10k, tmp_path):
    experiment = ExperimentGOT10k(
        str(got10k / "got10k"), "val", str(tmp_path / "results"), str(tmp_path / "r")
    )
    experiment.run(Wanders())
    theirs = experiment.report(["wanders"])["wanders"]["overall"]
    benchmark, folder = load_benchmark("got10k-val", got10k), tmp_path / "results" / "GOT-10k"
    passes = read_passes("got10k", Run(folder, benchmark, "wanders", benchmark[0], "ope"))
    assert len(passes) == 3 and not np.array_equal(passes[0].boxes, passes[1].boxes)
    ours = got10k_scores(folder, benchmark, ["wanders"], layout="got10k")["wanders"]
    assert ours["ao"] == pytest.approx(theirs["ao"], abs=1e-9)


def test_what_the_toolkits_trackers_say_of_themselves_is_kept():
    assert not FromToolkit(Wanders()).is_deterministic
    assert not ToToolkit(FromToolkit(Wanders())).is_deterministic
    assert FromToolkit(IdentityTracker()).is_deterministic
    assert ToToolkit(make_tracker("ncc")).is_deterministic


class CountsFrom1(ToolkitTracker):
    """Moves right by one pixel per frame; records the box it was started on."""

    def __init__(self):
        super().__init__("theirs", is_deterministic=True)

    def init(self, image, box):
        assert isinstance(image, Image.Image)
        self.box = np.array(box)

    def update(self, image):
        return (self.box + [1, 0, 0, 0]).tolist()


@pytest.mark.parametrize("first_pixel", [0, 1])
def test_theirs_run_in_ours(first_pixel):
    tracker = FromToolkit(CountsFrom1(), first_pixel)
    frame = np.zeros((100, 130, 3), dtype=np.uint8)
    tracker.init(frame, [40, 30, 20, 24])
    assert tracker.theirs.box.tolist() == [40 + first_pixel, 30 + first_pixel, 20, 24]
    assert tracker.name == "theirs" and tracker.update(frame).tolist() == [41, 30, 20, 24]


@pytest.mark.parametrize("answer", [None, [1, 2, 3], "box", [[1, 2, 3, 4]], {}])
def test_a_result_of_theirs_that_is_not_a_box_is_reported(answer):
    class Answers(CountsFrom1):
        def update(self, image):
            return answer

    tracker, frame = FromToolkit(Answers()), np.zeros((100, 130, 3), dtype=np.uint8)
    tracker.init(frame, [40, 30, 20, 24])
    with pytest.raises(DataError, match="tracker theirs returned .* expected four numbers"):
        tracker.update(frame)


def test_the_toolkits_own_tracker_there_and_back(sequences):
    sequence = sequences["Bolt"]
    result = track(FromToolkit(IdentityTracker(), first_pixel=1), sequence)
    np.testing.assert_array_equal(result.boxes, np.tile(sequence.boxes[0], (LENGTH, 1)))


def test_ours_run_through_a_list_of_files(tmp_path):
    paths, scene = [], np.random.default_rng(0).integers(0, 256, (100, 130, 3), dtype=np.uint8)
    for t in range(4):
        paths.append(str(tmp_path / f"{t}.png"))
        Image.fromarray(np.roll(scene, 2 * t, axis=1)).save(paths[-1])
    for first_pixel in (0, 1):
        start = np.array([40.0, 30, 20, 24]) + [first_pixel, first_pixel, 0, 0]
        boxes, times = ToToolkit(make_tracker("ncc"), first_pixel).track(paths, start)
        np.testing.assert_allclose(boxes[:, 0] - first_pixel, [40, 42, 44, 46])
        assert (times > 0).all()


@pytest.mark.parametrize("wrong", [2, -1, 0.5, None, "1"])
def test_pixels_count_from_0_or_1(wrong):
    with pytest.raises(SettingsError, match="first_pixel is .*expected 0 or 1"):
        ToToolkit(make_tracker("ncc"), wrong)
