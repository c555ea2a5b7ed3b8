"""The identity of kept results: each part of it is broken once, which must be noticed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from kept_files import STAY, T, go, little, refused, sequence

from course_lib.data.frames import ArrayFrames, ImageFiles, PartOfFrames
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.errors import DataError
from course_lib.evaluation import jobs, workers
from course_lib.evaluation.identity import differences, tracker_identity
from course_lib.evaluation.kept import check_kept
from course_lib.evaluation.protocols import PROTOCOLS
from course_lib.evaluation.records import Run
from course_lib.evaluation.report import make_report
from course_lib.evaluation.runner import TrackerSpec
from course_lib.files import digest
from course_lib.trackers import make_tracker


@pytest.fixture
def benchmark(tmp_path):
    return little(tmp_path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "results"


# --- the tracker ---


def test_the_record_states_every_setting_the_tracker_was_really_made_with(
    root, benchmark, tmp_path
):
    """Defaults, a recipe's value, and an override of the recipe."""
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("rate: 0.5\npsr_threshold: 3\n")
    go(root, benchmark, TrackerSpec("mosse", {"rate": "0.25"}, str(recipe)))
    record = json.loads(Run(root, benchmark, "mosse", benchmark["calm"], "ope").record.read_text())
    made_by = record["made_by"]
    assert made_by == {
        "tracker": "mosse",
        "settings": {
            "rate": 0.25,
            "sigma": 2.0,
            "regulariser": 0.1,
            "padding": 1.5,
            "smallest": 64,
            "warps": 8,
            "psr_threshold": 3.0,
            "seed": 0,
        },
    }


def test_a_value_written_differently_or_equal_to_the_default_is_the_same(root, benchmark):
    files = go(root, benchmark, TrackerSpec("ncc"))
    stamps = [f.stat().st_mtime_ns for f in files]
    for value in (2.0, 2, "2", "2.0", "2e0"):
        again = go(root, benchmark, TrackerSpec("ncc", {"search": value}))
        assert [f.stat().st_mtime_ns for f in again] == stamps


def test_a_default_that_changed_in_the_code_is_noticed(root, benchmark, monkeypatch):
    from course_lib.trackers import template
    from course_lib.trackers.template import TemplateMatching

    go(root, benchmark, TrackerSpec("ncc"))
    newer = replace(template.TemplateSettings(), search=2.5)
    monkeypatch.setattr(jobs, "make_tracker", lambda name, recipe, **s: TemplateMatching(newer))
    refused(root, benchmark, r"search was 2\.0, is now 2\.5", TrackerSpec("ncc"))


def test_each_setting_and_the_tracker_itself_count(root, benchmark):
    go(root, benchmark, TrackerSpec("mosse", label="mine"))
    for key, value in (("rate", 0.2), ("sigma", 3.0), ("warps", 4)):
        was = getattr(make_tracker("mosse").settings, key)
        spec = TrackerSpec("mosse", {key: value}, label="mine")
        refused(root, benchmark, f"{key} was {was}, is now {value}", spec)
    other = TrackerSpec("stay-put", label="mine")
    refused(root, benchmark, "the tracker was mosse, is now stay-put", other)


def test_arguments_of_a_tracker_without_a_settings_class_count(root, benchmark):
    go(root, benchmark, TrackerSpec("random-walk", {"seed": 1}))
    refused(root, benchmark, "seed was 1, is now 2", TrackerSpec("random-walk", {"seed": 2}))


class TestWeights:
    """A file of weights counts by its content, not by its name or path."""

    @pytest.fixture
    def weights(self, tmp_path):
        from course_lib.models.weights import find_weights

        shipped = find_weights("siamfc")
        for path in (shipped, shipped.with_suffix(".json")):
            shutil.copy(path, tmp_path / path.name)
        return tmp_path / shipped.name

    def test_the_checksum_is_that_of_the_resolved_file(self, weights):
        by_path = tracker_identity("siamfc", make_tracker("siamfc", weights=str(weights)))
        by_name = tracker_identity("siamfc", make_tracker("siamfc"))
        assert by_name["weights"]["sha256"] == digest(weights) and by_name == by_path
        assert differences(by_name, by_path) == []

    def test_the_name_of_the_file_does_not_count(self, weights):
        then = tracker_identity("siamfc", make_tracker("siamfc", weights=str(weights)))
        moved = weights.with_name("moved.safetensors")
        shutil.copy(weights, moved)
        shutil.copy(weights.with_suffix(".json"), moved.with_suffix(".json"))
        now = tracker_identity("siamfc", make_tracker("siamfc", weights=str(moved)))
        assert now["weights"]["file"] == moved.name and differences(then, now) == []

    def test_other_weights_under_the_same_name_are_noticed(self, weights):
        from safetensors.torch import load_file, save_file

        card = weights.with_suffix(".json")  # an old one, which does not have the file's checksum
        kept = {k: v for k, v in json.loads(card.read_text()).items() if k != "sha256"}
        card.write_text(json.dumps(kept))
        before = make_tracker("siamfc", weights=str(weights))
        then = tracker_identity("siamfc", before)
        tensors = load_file(weights)
        save_file({name: t * 2 if t.ndim == 4 else t for name, t in tensors.items()}, weights)
        after = make_tracker("siamfc", weights=str(weights))
        (why,) = differences(then, tracker_identity("siamfc", after))
        assert why.startswith(
            f"the checksum of the weights' file was {then['weights']['sha256'][:12]}…"
        )
        assert after.runtime is not before.runtime  # the network is loaded again as well

    def test_another_card_is_noticed(self, weights):
        then = tracker_identity("siamfc", make_tracker("siamfc", weights=str(weights)))
        card = weights.with_suffix(".json")
        card.write_text(json.dumps(json.loads(card.read_text()) | {"trained": "elsewhere"}))
        now = tracker_identity("siamfc", make_tracker("siamfc", weights=str(weights)))
        assert [w.split(" was ")[0] for w in differences(then, now)] == [
            "the checksum of the weights' card"
        ]

    def test_the_resolved_precision_counts(self):
        auto, fp32, bf16 = (
            tracker_identity("siamfc", make_tracker("siamfc", device="cpu", precision=p))
            for p in ("auto", "fp32", "bf16")
        )
        assert differences(fp32, bf16) == ["the precision was fp32, is now bf16"]
        assert fp32["placement"] == {"device": "cpu", "precision": "fp32"}
        assert auto in (fp32, bf16)


# --- the data ---


def shifted(q: Sequence) -> Sequence:
    boxes = q.boxes.copy()
    boxes[T // 2, 0] += 0.01  # a hundredth of a pixel in one frame
    return replace(q, boxes=boxes)


def absent(q: Sequence) -> Sequence:
    boxes = q.boxes.copy()
    boxes[-1] = np.nan
    return replace(q, boxes=boxes)


def with_polygons(q: Sequence) -> Sequence:
    return replace(q, polygons=np.tile([20.0, 10, 32, 10, 32, 20, 20, 20], (T, 1)))


def omitting(q: Sequence) -> Sequence:
    return replace(q, omitted=np.arange(T) < 1)


def renamed_frame(q: Sequence) -> Sequence:
    paths = q.frames.paths
    moved = paths[3].with_name("003x.png")
    shutil.copy(paths[3], moved)
    return replace(q, frames=ImageFiles([*paths[:3], moved, *paths[4:]]))


def resized_frame(q: Sequence) -> Sequence:
    q.frames.paths[5].write_bytes(q.frames.paths[5].read_bytes() + b"0")
    return replace(q, frames=ImageFiles(q.frames.paths))


def frames_in_another_order(q: Sequence) -> Sequence:
    paths = q.frames.paths
    return replace(q, frames=ImageFiles([paths[1], paths[0], *paths[2:]]))


def shorter(q: Sequence) -> Sequence:
    return q.part(0, T - 1)


CHANGES = [
    (shifted, "sum of the ground truth"),
    (absent, "sum of the ground truth"),
    (with_polygons, "sum of the ground truth"),
    (omitting, "sum of the ground truth"),
    (renamed_frame, "sum of the frames' names and sizes"),
    (resized_frame, "sum of the frames' names and sizes"),
    (frames_in_another_order, "sum of the frames' names and sizes"),
    (shorter, f"the number of frames was {T}, is now {T - 1}"),
]


SEVERAL = [
    (c, w, p) for p in list(PROTOCOLS)[1:] for c, w in CHANGES if c in (shifted, resized_frame)
]


@pytest.mark.parametrize(
    ("change", "words", "protocol"), [*((c, w, "ope") for c, w in CHANGES), *SEVERAL]
)
def test_results_of_other_data_are_neither_used_nor_shown(root, benchmark, change, words, protocol):
    go(root, benchmark, protocol=protocol)
    assert check_kept(root, benchmark, ["stay-put"], protocol) == []
    calm, quick = benchmark
    other = Benchmark("little", (change(calm), quick))
    refused(root, other, f"of calm that are not what is asked for: .*{words}", protocol=protocol)
    with pytest.raises(DataError, match=f"stay-put on calm .*is not shown: .*{words}"):
        check_kept(root, other, ["stay-put"], protocol)
    go(root, other, protocol=protocol, fresh=True)
    assert check_kept(root, other, ["stay-put"], protocol) == []


def test_a_report_in_python_shows_no_results_of_other_data_either(root, benchmark):
    go(root, benchmark)
    make_report(root, benchmark, ["stay-put"])
    other = Benchmark("little", tuple(shifted(q) for q in benchmark))
    with pytest.raises(DataError, match=r"is not shown: the checksum of the ground truth was"):
        make_report(root, other, ["stay-put"])


def test_the_number_of_the_first_pixel_counts(root, benchmark):
    go(root, benchmark)
    other = replace(benchmark, first_pixel=1)
    refused(root, other, "the number of the first pixel was 0, is now 1")


def test_results_copied_under_another_benchmarks_name_are_noticed(root, benchmark):
    go(root, benchmark)
    shutil.copytree(root / "little", root / "other")
    refused(root, replace(benchmark, name="other"), "benchmark was little, is now other")


def test_attributes_and_the_path_on_disk_do_not_count(root, benchmark, tmp_path):
    files = go(root, benchmark)
    stamps = [f.stat().st_mtime_ns for f in files]
    shutil.move(tmp_path / "data", tmp_path / "moved")
    moved = [replace(sequence(tmp_path / "moved", q.name), attributes={"OCC"}) for q in benchmark]
    again = go(root, Benchmark("little", tuple(moved)))
    assert [f.stat().st_mtime_ns for f in again] == stamps


def test_the_last_bit_of_a_box_does_not_count():
    frames = ArrayFrames(np.zeros((2, 8, 8, 3), np.uint8))
    a, b = (Sequence("a", frames, np.full((2, 4), v)) for v in (1.0, np.nextafter(1.0, 2)))
    assert a.identity() == b.identity()
    zeros = [Sequence("a", frames, [[z, 1, 2, 2]] * 2).identity() for z in (0.0, -0.0)]
    assert zeros[0] == zeros[1]


def test_frames_in_memory_and_parts_count_by_their_content(tmp_path):
    black, white = (ArrayFrames(np.full((2, 8, 8, 3), v, np.uint8)) for v in (0, 255))
    assert black.identity() != white.identity()
    files = sequence(tmp_path).frames
    assert PartOfFrames(files, range(3)).identity() != PartOfFrames(files, range(1, 4)).identity()
    assert ImageFiles([tmp_path / "gone.png"]).identity()  # reading it reports that it is gone


def test_the_name_of_a_workers_data_is_not_enough(root, benchmark, monkeypatch):
    """A worker loads the benchmark by name: the data must be the same as given."""
    monkeypatch.setattr(workers, "_LOADED", {})
    monkeypatch.setattr(workers, "load_benchmark", lambda name, data: benchmark)
    mine = shifted(benchmark["calm"])
    with pytest.raises(
        DataError, match="finds different data.*the checksum of the ground truth was"
    ):
        workers._run_by_name(STAY, "little", benchmark.identity(mine), root, "ope", None)
    stranger = replace(mine, name="stranger")
    with pytest.raises(DataError, match="finds different data.*it is not there"):
        workers._run_by_name(STAY, "little", benchmark.identity(stranger), root, "ope", None)
    assert not root.exists()
