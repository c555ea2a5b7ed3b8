"""NfS in both frame rates, and the attributes of LaSOT and UAV123, on small files by hand."""

from __future__ import annotations

import numpy as np
import pytest
from reader_files import images, rows, write

from course_lib.data.benchmarks import load_benchmark
from course_lib.data.readers.attributes import LASOT, UAV123, read_attributes
from course_lib.data.readers.lasot import read_lasot
from course_lib.data.readers.nfs import read_nfs
from course_lib.data.readers.uav123 import read_uav123
from course_lib.data.sequence import ATTRIBUTES, OTB_ATTRIBUTES, Benchmark, Sequence
from course_lib.data.training_sets import refuse_measured
from course_lib.errors import DataError, MissingDataError, SettingsError
from course_lib.evaluation.figures import attribute_plot
from course_lib.evaluation.results import Result
from course_lib.evaluation.rules import OTB, rule_of
from course_lib.evaluation.scores import Report


def vatic(count: int, first: int = 1, track: int = 0, lost=(), occluded=()) -> str:
    """Rows of a target that moves by (2, 1) a frame and is 30 wide and 20 high."""
    return "".join(
        f"{track} {10 + 2 * t} {5 + t} {40 + 2 * t} {25 + t} {first + t} "
        f'{int(t in lost)} {int(t in occluded)} {int(t % 5 > 0)} "a dog"\n'
        for t in range(count)
    )


def truth(numbers) -> np.ndarray:
    return np.array([[10 + 2 * t, 5 + t, 30, 20] for t in numbers], float)


def nfs(folder, fps, count, text, name="dog_1"):
    images(folder / name / str(fps) / name, range(1, count + 1), "{:05d}.jpg")
    write(folder / name / str(fps) / f"{name}.txt", text)


@pytest.mark.parametrize("first", [0, 1])
def test_nfs_at_240(tmp_path, first):
    nfs(tmp_path, 240, 4, vatic(4, first, lost=[2], occluded=[1, 3]))
    (dog,) = read_nfs(tmp_path, 240)
    expected = truth(range(4))
    expected[2] = np.nan
    np.testing.assert_array_equal(dog.boxes, expected)
    assert (dog.name, dog.fps) == ("dog_1", 240)
    assert dog.tags["lost"].tolist() == [False, False, True, False]
    assert dog.tags["occluded"].tolist() == [False, True, False, True]


@pytest.mark.parametrize("count", [17, 20, 24])
def test_nfs_at_30_keeps_every_eighth_row(tmp_path, count):
    """17 to 24 rows are three images: those of rows 0, 8 and 16."""
    nfs(tmp_path, 30, 3, vatic(count, lost=[16, 17]))
    (dog,) = read_nfs(tmp_path, 30)
    np.testing.assert_array_equal(dog.boxes, [*truth([0, 8]), [np.nan] * 4])
    assert dog.fps == 30 and dog.tags["lost"].tolist() == [False, False, True]


def test_nfs_at_30_with_a_row_for_each_image(tmp_path):
    nfs(tmp_path, 30, 3, vatic(3))
    np.testing.assert_array_equal(read_nfs(tmp_path, 30)[0].boxes, truth(range(3)))


@pytest.mark.parametrize(("fps", "count", "images_of"), [(240, 5, 4), (240, 4, 5), (30, 40, 4)])
def test_one_row_or_image_more_is_left_out(tmp_path, fps, count, images_of):
    nfs(tmp_path, fps, images_of, vatic(count))
    (dog,) = read_nfs(tmp_path, fps)
    step = 8 if fps == 30 else 1
    np.testing.assert_array_equal(dog.boxes, truth(range(0, 4 * step, step)))
    assert len(dog.frames) == 4


def test_both_rates_and_several_videos(tmp_path):
    for name in ("b_10", "b_2", "a"):
        nfs(tmp_path / "nfs", 240, 8, vatic(8), name)
        nfs(tmp_path / "nfs", 30, 1, vatic(8), name)
    write(tmp_path / "nfs" / "a" / "30" / "notes.txt", "not a ground truth")
    for name, length in (("nfs240", 8), ("nfs30", 1)):
        found = load_benchmark(name, tmp_path)
        assert found.names == ["a", "b_2", "b_10"] and {len(s) for s in found} == {length}
    assert rule_of("nfs30") == OTB


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"dog_1\.txt is empty"),
        (vatic(6), "has 6 rows for the 4 images"),
        (vatic(2), "has 2 rows for the 4 images"),
        (vatic(2) + vatic(2), "not one for each frame in order"),
        (vatic(2) + vatic(2, first=4), "not one for each frame in order"),
        (vatic(2) + vatic(2, first=3, track=1), "rows of several tracks"),
        (vatic(3) + '0 1 2 three 4 4 0 0 0 "dog"\n', r"line 4: '0 1 2 three 4 4"),
        (vatic(3) + "0 1 2 3 4\n", "line 4: '0 1 2 3 4'; expected track, xmin"),
        (vatic(3) + '0 1 2 nan 4 4 0 0 0 "dog"\n', "line 4: '0 1 2 nan"),
    ],
)
def test_what_is_wrong_in_nfs_is_named(tmp_path, text, words):
    nfs(tmp_path, 240, 4, text)
    with pytest.raises(DataError, match=words):
        read_nfs(tmp_path, 240)


def test_nfs_that_is_not_there(tmp_path):
    nfs(tmp_path, 240, 1, vatic(1))
    with pytest.raises(MissingDataError, match=r"0 sequences .*looked for \*/30/\*\.txt"):
        read_nfs(tmp_path, 30)


def test_nobody_trains_on_nfs():
    for name in ("nfs30", "nfs240", "got10k-train+nfs30"):
        with pytest.raises(SettingsError, match="trackers are measured on these"):
            refuse_measured(name)


def lasot(folder, *names):
    for name in names:
        images(folder / name / "img", range(1, 3), "{:08d}.jpg")
        write(folder / name / "groundtruth.txt", rows(2))
        for label in ("full_occlusion", "out_of_view"):
            write(folder / name / f"{label}.txt", "0,0\n")


def test_lasots_attributes(tmp_path):
    lasot(tmp_path, "airplane-1", "dog-2")
    # the toolkit's own line for airplane-1
    write(tmp_path / "att" / "airplane-1.txt", "0,1,0,0,0,1,0,0,1,0,0,0,1,0\n")
    found = {s.name: s.attributes for s in read_lasot(tmp_path)}
    assert found == {"airplane-1": {"POC", "ROT", "SV", "LR"}, "dog-2": frozenset()}


def test_uav123s_attributes(tmp_path):
    for name in ("car", "bike1"):
        images(tmp_path / "data_seq" / "UAV123" / name, range(1, 3), "{:06d}.jpg")
        write(tmp_path / "anno" / "UAV123" / f"{name}.txt", rows(2))
    write(tmp_path / "anno" / "UAV123" / "att" / "bike1.txt", "1,0,0,0,1,0,0,0,0,0,0,1\n")
    found = {s.name: s.attributes for s in read_uav123(tmp_path)}
    assert found == {"car": frozenset(), "bike1": {"SV", "FOC", "SOB"}}


@pytest.mark.parametrize("names", [LASOT, UAV123], ids=["lasot", "uav123"])
def test_each_flag_is_one_attribute(tmp_path, names):
    assert set(names) <= set(ATTRIBUTES) and len(set(names)) == len(names)
    path = tmp_path / "a.txt"
    for k, name in enumerate(names):
        path.write_text(" ".join(str(int(k == j)) for j in range(len(names))))
        assert read_attributes(path, names) == {name}
    path.write_text(",".join("1" for _ in names) + ",\n\n")
    assert read_attributes(path, names) == set(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,0,1", r"a\.txt has 3 values; expected 12, one each for SV, ARC"),
        ("0," * 12 + "1", "has 13 values"),
        ("0," * 11 + "2", "contains '2'; expected 0 or 1"),
        ("", "has 0 values"),
    ],
)
def test_what_is_wrong_in_attributes_is_named(tmp_path, text, words):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        read_attributes(tmp_path / "a.txt", UAV123)


def test_a_report_shows_attributes_that_otb_has_not():
    assert set(OTB_ATTRIBUTES) < set(ATTRIBUTES) and len(ATTRIBUTES) == 18
    frames, boxes = np.zeros((3, 8, 8, 3), np.uint8), np.tile([1.0, 1, 4, 4], (3, 1))
    sequences = {
        name: Sequence.in_memory(name, frames, boxes, tags)
        for name, tags in (("a", ["CM", "SV"]), ("b", ["CM"]))
    }
    results = {name: Result(boxes, np.ones(3)) for name in sequences}
    report = Report.from_results(Benchmark("mine", tuple(sequences.values())), {"own": results})
    assert report.tagged() == {"SV": ["a"], "CM": ["a", "b"]}
    assert "camera motion" in attribute_plot(report)[1]
    with pytest.raises(DataError, match=r"unknown attributes \['XY'\]; expected some of IV"):
        Sequence.in_memory("c", frames, boxes, ["XY"])
