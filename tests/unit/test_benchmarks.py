"""Benchmarks by name: what each reads, joins and lists, and the messages for missing data."""

from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from course_lib.data import benchmarks
from course_lib.data.benchmarks import benchmark_names, data_root, load_benchmark
from course_lib.data.frames import ArrayFrames
from course_lib.data.otb_names import OTB50, OTB100, OTB2013
from course_lib.data.sequence import Benchmark, Sequence
from course_lib.data.training_sets import TRAINING_SETS, refuse_measured
from course_lib.errors import MissingDataError, SettingsError
from course_lib.geometry.boxes import area, clip_to_image


def video(root, name, image, truth, text="11,21,30,40\n"):
    """One video of one image, in the layout given by `image` and `truth`."""
    for path in (root / image.format(name), root / truth.format(name)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / truth.format(name)).write_text(text)


def otb(root, *names):
    for name in names:
        video(root, name, "otb/{}/img/0001.jpg", "otb/{}/groundtruth_rect.txt")


def otb100(root):
    otb(root, *(name for name in OTB100 if "." not in name))
    for name in ("Jogging", "Skating2"):
        for k in (1, 2):
            video(root, name, "otb/{}/img/0001.jpg", f"otb/{{}}/groundtruth_rect.{k}.txt")


def test_the_otb_lists_are_those_of_the_got10k_toolkit():
    OTB = pytest.importorskip("got10k.datasets").OTB
    for ours, version in ((OTB2013, 2013), (OTB50, "tb50"), (OTB100, "tb100")):
        assert {name.split(".")[0] for name in ours} == set(OTB._OTB__version_dict[version])
    assert (len(OTB2013), len(OTB50), len(OTB100)) == (51, 50, 100)
    assert len(set(OTB100)) == 100 and set(OTB50) < set(OTB100) and set(OTB2013) < set(OTB100)
    assert {name for name in OTB100 if "." in name} == {
        "Jogging.1",
        "Jogging.2",
        "Skating2.1",
        "Skating2.2",
    }


def test_otb_lists_are_taken_from_one_folder(tmp_path):
    otb100(tmp_path)
    otb(tmp_path, "Mine")
    for name, names in (("otb2013", OTB2013), ("otb50", OTB50), ("otb100", OTB100)):
        benchmark = load_benchmark(name, tmp_path)
        assert (
            benchmark.name == name
            and tuple(benchmark.names) == names
            and benchmark.first_pixel == 1
        )
    assert set(load_benchmark("otb", tmp_path).names) == {*OTB100, "Mine"}
    np.testing.assert_array_equal(load_benchmark("otb", tmp_path)["Mine"].boxes, [[10, 20, 30, 40]])


def test_missing_videos_of_an_otb_list_are_counted_and_named(tmp_path):
    otb100(tmp_path)
    for name in ("Biker", "Woman"):
        shutil.rmtree(tmp_path / "otb" / name)
    with pytest.raises(MissingDataError) as caught:
        load_benchmark("otb50", tmp_path)
    assert str(caught.value).startswith(
        f"2 sequences of otb50 are missing (Biker, Woman) from {tmp_path / 'otb'}: "
        "run `python data_scripts/otb.py` or pass --root"
    )
    assert "'otb' uses the 98" in str(caught.value)


LAYOUTS = {
    "vot2014": ("vot2014/{}/00000001.jpg", "vot2014/{}/groundtruth.txt"),
    "vot2018": ("vot2018/{}/color/00000001.jpg", "vot2018/{}/groundtruth.txt"),
    "vot2031": ("vot2031/{}/color/00000001.jpg", "vot2031/{}/groundtruth.txt"),
    "got10k-train": ("got10k/train/{}/00000001.jpg", "got10k/train/{}/groundtruth.txt"),
    "got10k-val": ("got10k/val/{}/00000001.jpg", "got10k/val/{}/groundtruth.txt"),
    "got10k-test": ("got10k/test/{}/00000001.jpg", "got10k/test/{}/groundtruth.txt"),
    "lasot": ("lasot/a/{}/img/00000001.jpg", "lasot/a/{}/groundtruth.txt"),
    "trackingnet-test": ("trackingnet/TEST/frames/{}/0.jpg", "trackingnet/TEST/anno/{}.txt"),
    "uav123": ("uav123/data_seq/UAV123/{}/000001.jpg", "uav123/anno/UAV123/{}.txt"),
    "nfs30": ("nfs/{0}/30/{0}/00001.jpg", "nfs/{0}/30/{0}.txt"),
    "nfs240": ("nfs/{0}/240/{0}/00001.jpg", "nfs/{0}/240/{0}.txt"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_name_finds_its_folder(tmp_path, name):
    video(tmp_path, "a-1", *LAYOUTS[name])
    if name == "lasot":
        for label in ("full_occlusion", "out_of_view"):
            (tmp_path / "lasot" / "a" / "a-1" / f"{label}.txt").write_text("0")
    if name.startswith("nfs"):
        (tmp_path / LAYOUTS[name][1].format("a-1")).write_text('0 11 21 41 61 1 0 0 0 "a b"')
    benchmark = load_benchmark(name, tmp_path)
    assert (benchmark.name, benchmark.names, benchmark.first_pixel) == (name, ["a-1"], 0)
    np.testing.assert_array_equal(benchmark[0].boxes, [[11, 21, 30, 40]])


def test_every_name_in_the_list_is_tried_here():
    others = {"generated-v1", "generated-alike-v1", "otb", "otb2013", "otb50", "otb100"}
    others |= {
        "vid",
        "trackingnet-train",
        "lasot-train",
    }  # to train on: see test_readers_layouts.py
    assert set(benchmark_names()) - others <= set(LAYOUTS)


@pytest.mark.parametrize("name", sorted({*LAYOUTS, "otb", "otb100"}))
def test_missing_and_empty_folders_say_what_to_do(tmp_path, name):
    with pytest.raises(
        MissingDataError,
        match=r"0 sequences found in .*, which does not exist \(looked for .*pass --root",
    ):
        load_benchmark(name, tmp_path)
    if name not in ("otb", "otb100"):
        video(tmp_path, "a", *LAYOUTS[name])
        for path in sorted(tmp_path.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else None
    else:
        (tmp_path / "otb").mkdir()
    with pytest.raises(
        MissingDataError, match=r"0 sequences found in .* \(looked for .*\): "
    ) as caught:
        load_benchmark(name, tmp_path)
    assert "does not exist" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("vot2018", "vot.py 2018"),
        ("vot2022-bounding", "vot.py 2022"),
        ("got10k-train", "got10k.py --split train"),
        ("got10k-test", "got10k.py --split test"),
    ],
)
def test_the_command_that_brings_missing_data_is_whole(tmp_path, name, command):
    with pytest.raises(MissingDataError, match=f"run `python data_scripts/{command}` or"):
        load_benchmark(name, tmp_path)


def test_the_table_of_names_and_folders_is_that_of_the_code():
    page = Path(__file__).resolve().parents[2] / "data_scripts" / "README.md"
    rows = [r for r in page.read_text(encoding="utf-8").splitlines() if r.startswith("| `")]
    examples = {"vot2014", "vot2018"}  # of years, which the table gives as a range
    for name in {*benchmark_names()} - examples:
        assert any(f"`{name}`" in row.split(" | ")[0] for row in rows), name
    for name, (folder, _) in benchmarks.FOLDERS.items():
        assert any(f"`{name}`" in row and f"| `{folder}/` |" in row for row in rows), name


def test_the_data_root_is_the_variable_or_the_projects_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setattr("course_lib.places.PROJECT", tmp_path)
    with pytest.raises(
        MissingDataError,
        match=r"^0 sequences found in .*data/otb, which does not exist \(looked for",
    ):
        load_benchmark("otb")
    otb(tmp_path / "data", "Dog")
    assert load_benchmark("otb").names == ["Dog"]
    otb(tmp_path / "elsewhere", "Deer")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "elsewhere"))
    assert data_root() == tmp_path / "elsewhere" and load_benchmark("otb").names == ["Deer"]
    assert load_benchmark("otb", root=tmp_path / "data").names == ["Dog"]


def test_joined_benchmarks_count_from_zero_and_keep_names_apart(tmp_path):
    otb(tmp_path, "Dog", "car")
    video(tmp_path, "car", *LAYOUTS["vot2014"])
    joined = load_benchmark("otb+vot2014", tmp_path)
    assert (joined.name, joined.first_pixel) == ("otb+vot2014", 0)
    assert joined.names == ["Dog", "otb-car", "vot2014-car"]
    np.testing.assert_array_equal(joined["otb-car"].boxes, [[10, 20, 30, 40]])
    np.testing.assert_array_equal(joined["vot2014-car"].boxes, [[11, 21, 30, 40]])


def test_the_generated_benchmark_is_made_only_when_named(monkeypatch):
    sequence = Sequence(
        "clip", ArrayFrames(np.zeros((1, 4, 4, 3), dtype=np.uint8)), np.ones((1, 4))
    )
    module = types.ModuleType("course_lib.data.generated")
    module.generated_benchmark = lambda: Benchmark("generated-v1", (sequence,))
    monkeypatch.setitem(sys.modules, "course_lib.data.generated", module)
    assert load_benchmark("generated-v1").names == ["clip"]
    assert not hasattr(benchmarks, "generated_benchmark")


@pytest.mark.parametrize(("name", "sentence"), [
    ("OTB-100", r"no benchmark 'OTB-100'. Did you mean otb100"),
    ("vot14", r"no benchmark 'vot14'. Did you mean vot2014"),
    ("generated", r"Did you mean generated-v1"),
    ("qqq", r"no benchmark 'qqq'. Known names: generated-v1, generated-alike-v1, otb"),
    ("", r"no benchmark ''. Known names:"),
])  # fmt: skip
def test_an_unknown_name_is_answered_with_near_ones(tmp_path, name, sentence):
    with pytest.raises(SettingsError, match=sentence):
        load_benchmark(name, tmp_path)


@pytest.mark.real_data
def test_the_22_real_targets(real_data):
    benchmark = load_benchmark("otb+vot2014", real_data)
    assert len(benchmark) == 22
    for sequence in benchmark:
        H, W, _ = sequence.frames[0].shape
        assert len(sequence) == len(sequence.frames) == len(sequence.boxes) > 70
        assert (area(clip_to_image(sequence.boxes, H, W)) > 0).all(), sequence.name
        assert sequence.frames[-1].shape == (H, W, 3)


def test_real_sequences_are_none_where_the_data_are_not(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert benchmarks.real_sequences() == ()


@pytest.mark.real_data
def test_real_sequences_are_those_of_otb_and_vot(real_data):
    names = {s.name for s in benchmarks.real_sequences()}
    assert {"David", "surfing"} <= names


MAY_BE_TRAINED_ON = (*TRAINING_SETS, "got10k-val")


@pytest.mark.parametrize("name", sorted({
    *benchmark_names(), "vot2022",
    *(f"{name}-bounding" for name in (*benchmark_names(), "vot2022") if "vot" in name),
}))  # fmt: skip
def test_what_trackers_are_measured_on_is_not_trained_on(name):
    if name in MAY_BE_TRAINED_ON:
        refuse_measured(name)
        return
    for written in (name, f"got10k-train+{name}"):
        with pytest.raises(SettingsError, match=f"^{name}: trackers are measured on these"):
            refuse_measured(written)
