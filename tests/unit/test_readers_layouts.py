"""VOT, GOT-10k, LaSOT, TrackingNet and UAV123: each layout with its oddities, read from disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from reader_files import images, rows, write

from course_lib.data.readers.got10k import read_got10k
from course_lib.data.readers.lasot import read_lasot, read_lasot_train
from course_lib.data.readers.trackingnet import read_trackingnet, read_trackingnet_train
from course_lib.data.readers.uav123 import read_uav123
from course_lib.data.readers.vid import read_vid
from course_lib.data.readers.vot import read_vot
from course_lib.errors import DataError, MissingDataError

nan = np.nan

POLYGONS = "2,9,2,3,10,3,10,9\n1,0,2,1,1,2,0,1\nnan,nan,nan,nan,nan,nan,nan,nan\n"


@pytest.mark.parametrize("below", ["", "color"])
def test_vot_polygons_tags_and_fps(tmp_path, below):
    images(tmp_path / "ball" / below, range(1, 4), "{:08d}.jpg")
    write(tmp_path / "ball" / "groundtruth.txt", POLYGONS)
    write(tmp_path / "ball" / "occlusion.tag", "0\n1\n")
    write(tmp_path / "ball" / "camera_motion.label", "1\n1\n1\n")
    write(
        tmp_path / "ball" / "sequence",
        "[sequence]\nname=ball\nfps=24\nchannels.color=color/%08d.jpg\n",
    )
    (ball,) = read_vot(tmp_path)
    np.testing.assert_allclose(ball.boxes[0], [2, 3, 8, 6])
    np.testing.assert_allclose(ball.boxes[1, 2:] ** 2, [2, 2])
    assert np.isnan(ball.boxes[2]).all() and np.isnan(ball.polygons[2]).all()
    np.testing.assert_array_equal(ball.polygons[1], [1, 0, 2, 1, 1, 2, 0, 1])
    np.testing.assert_array_equal(ball.tags["occlusion"], [False, True, False])
    np.testing.assert_array_equal(ball.tags["camera_motion"], [True] * 3)
    assert ball.fps == 24 and ball.tags.keys() == {"occlusion", "camera_motion"}


def test_vot_boxes_of_2013_and_the_order_of_the_list(tmp_path):
    for name in ["bolt", "cup", "extra"]:
        images(tmp_path / name, range(1, 3), "{:08d}.jpg")
        write(tmp_path / name / "groundtruth.txt", "1.5,2,30,40\nnan,nan,nan,nan\n")
    write(tmp_path / "list.txt", "cup\nbolt\n")
    cup, bolt = read_vot(tmp_path)
    assert (cup.name, bolt.name) == ("cup", "bolt") and cup.polygons is None and cup.fps is None
    np.testing.assert_array_equal(cup.boxes, [[1.5, 2, 30, 40], [nan] * 4])
    write(tmp_path / "list.txt", "cup\ngone\nalso\n")
    with pytest.raises(
        MissingDataError, match=r"2 sequences of .*list.txt are missing \(gone, also\).*vot.py"
    ):
        read_vot(tmp_path)


@pytest.mark.parametrize(("text", "sentence"), [
    ("m0,0,5,5,3,2\nm0,0,2,2,3,2\n", "line 2: 'm0,0,2,2,3,2' is no mask; .* width · height"),
    ("m0,0,5,5,3,2\n1,2,3,4\n", "line 2: '1,2,3,4' is no mask; .* Fetch the sequence again"),
    ("1,2,3\n4,5,6\n", "begins with '1,2,3'; expected rows of 4 numbers .* or masks"),
    ("1,2,3,4,5,6\n", "begins with '1,2,3,4,5,6'; expected rows of 4 numbers"),
    ("", "begins with ''; expected"),
    ("1,2,3,4\n1,2,3,4,5,6,7,8\n", "line 2: .* expected 4 numbers"),
    ("1,2,3,4\n", "1 rows, but .* 2 images"),
])  # fmt: skip
def test_vot_errors(tmp_path, text, sentence):
    images(tmp_path / "ball", [1, 2])
    write(tmp_path / "ball" / "groundtruth.txt", text)
    with pytest.raises(DataError, match=sentence):
        read_vot(tmp_path)


def test_vot_tags_that_are_too_long_or_words_are_refused(tmp_path):
    images(tmp_path / "ball", [1, 2])
    write(tmp_path / "ball" / "groundtruth.txt", rows(2))
    write(tmp_path / "ball" / "occlusion.tag", "0\n1\n0\n")
    with pytest.raises(DataError, match=r"occlusion.tag has 3 values for 2 frames"):
        read_vot(tmp_path)
    write(tmp_path / "ball" / "occlusion.tag", "0\nyes\n")
    with pytest.raises(DataError, match=r"occlusion.tag contains 'yes'; expected whole numbers"):
        read_vot(tmp_path)


# ---- GOT-10k, LaSOT, TrackingNet, UAV123


def got10k_video(split: Path, name: str, count: int, annotated: int) -> Path:
    images(split / name, range(1, count + 1), "{:08d}.jpg")
    write(split / name / "groundtruth.txt", rows(annotated, start=0))
    write(
        split / name / "meta_info.ini",
        "[METAINFO]\nurl: https://a.b/c\nanno_fps: 10Hz\nresolution: (1280, 720)",
    )
    return split / name


def test_got10k_labels_and_absence(tmp_path):
    folder = got10k_video(tmp_path / "val", "GOT-10k_Val_000001", 4, 4)
    for name, values in {"absence": "0011", "cover": "8300", "cut_by_image": "0100"}.items():
        write(folder / f"{name}.label", "\n".join(values))
    (sequence,) = read_got10k(tmp_path / "val")
    np.testing.assert_array_equal(
        sequence.boxes, [[0, 0, 10, 20], [1, 2, 11, 20], [nan] * 4, [nan] * 4]
    )
    np.testing.assert_array_equal(sequence.tags["cover"], [8, 3, 0, 0])
    np.testing.assert_array_equal(sequence.tags["absent"], [False, False, True, True])
    np.testing.assert_array_equal(sequence.tags["cut_by_image"], [False, True, False, False])
    assert sequence.fps == 10


def test_got10k_only_test_may_hold_the_first_box_only(tmp_path):
    got10k_video(tmp_path / "test", "GOT-10k_Test_000001", 5, 1)
    (sequence,) = read_got10k(tmp_path / "test")
    np.testing.assert_array_equal(sequence.boxes[0], [0, 0, 10, 20])
    assert len(sequence) == 5 and np.isnan(sequence.boxes[1:]).all()
    got10k_video(tmp_path / "train", "GOT-10k_Train_000001", 5, 1)
    with pytest.raises(DataError, match=r"1 rows, but .* 5 images"):
        read_got10k(tmp_path / "train")


@pytest.mark.parametrize("below", ["cat", ""])
def test_lasot_absent_targets_are_nan_and_not_left_out(tmp_path, below):
    folder = tmp_path / below / "cat-2"
    images(folder / "img", range(1, 5), "{:08d}.jpg")
    write(folder / "groundtruth.txt", rows(4, start=0))
    write(folder / "full_occlusion.txt", "0,1,0,0")
    write(folder / "out_of_view.txt", "0,0,1,0\n")
    (cat,) = read_lasot(tmp_path)
    absent = [False, True, True, False]
    assert not cat.omitted.any()  # LaSOT's toolkit counts them, as missed
    np.testing.assert_array_equal(cat.tags["absent"], absent)
    np.testing.assert_array_equal(cat.tags["out_of_view"], [False, False, True, False])
    np.testing.assert_array_equal(np.isnan(cat.boxes).all(axis=1), absent)
    assert cat.name == "cat-2"
    (folder / "out_of_view.txt").unlink()
    with pytest.raises(
        MissingDataError, match=r"out_of_view.txt does not exist; LaSOT's scores need it"
    ):
        read_lasot(tmp_path)


def test_lasot_reads_the_sequences_of_its_testing_set(tmp_path):
    for name in ["cat-1", "cat-10", "cat-2"]:
        images(tmp_path / "cat" / name / "img", [1])
        write(tmp_path / "cat" / name / "groundtruth.txt", rows(1))
        for label in ["full_occlusion", "out_of_view"]:
            write(tmp_path / "cat" / name / f"{label}.txt", "0")
    assert [s.name for s in read_lasot(tmp_path)] == ["cat-1", "cat-2", "cat-10"]
    write(tmp_path / "testing_set.txt", "cat-10\n")
    assert [s.name for s in read_lasot(tmp_path)] == ["cat-10"]


def test_trackingnet_counts_from_zero_without_padding(tmp_path):
    for name in ["-abc", "_x-1", "zz"]:
        images(tmp_path / "TEST" / "frames" / name, range(12), "{}.jpg")
        write(tmp_path / "TEST" / "anno" / f"{name}.txt", "3,4,50,60\n")
    sequences = read_trackingnet(tmp_path / "TEST")
    assert [s.name for s in sequences] == ["-abc", "_x-1", "zz"]
    assert [p.name for p in sequences[0].frames.paths] == [f"{i}.jpg" for i in range(12)]
    np.testing.assert_array_equal(sequences[0].boxes[0], [3, 4, 50, 60])
    assert np.isnan(sequences[0].boxes[1:]).all()
    with pytest.raises(
        MissingDataError,
        match=r"0 sequences found in .*TRAIN_0, which does not exist \(looked for anno",
    ):
        read_trackingnet(tmp_path / "TRAIN_0")


def test_uav123_parts_of_a_video_need_the_table(tmp_path):
    images(tmp_path / "data_seq" / "UAV123" / "bird1", range(1, 11), "{:06d}.jpg")
    images(tmp_path / "data_seq" / "UAV123" / "bike2", range(1, 4), "{:06d}.jpg")
    for name, count in {"bird1_1": 3, "bird1_2": 4, "bike2": 3}.items():
        write(tmp_path / "anno" / "UAV123" / f"{name}.txt", rows(count - 1) + "NaN,NaN,NaN,NaN\n")
    with pytest.raises(
        MissingDataError, match=r"sequence bird1_1 is not known .* put the table .*uav123.json"
    ):
        read_uav123(tmp_path)
    table = {"bird1_1": ("bird1", 1, 3), "bird1_2": ("bird1", 6, 9)}
    keys = ("folder_name", "start_frame", "end_frame")
    write(
        tmp_path / "uav123.json",
        json.dumps({"UAV123": {n: dict(zip(keys, v, strict=True)) for n, v in table.items()}}),
    )
    bike, first, second = read_uav123(tmp_path)
    assert [int(path.stem) for path in second.frames.paths] == [6, 7, 8, 9]
    assert (bike.name, len(bike), first.name, len(first)) == ("bike2", 3, "bird1_1", 3)
    assert np.isnan(second.boxes[-1]).all() and not np.isnan(second.boxes[:-1]).any()


def test_uav123_a_part_whose_name_is_its_folder_needs_the_table_too(tmp_path):
    images(tmp_path / "data_seq" / "UAV123" / "car", range(1, 9), "{:06d}.jpg")
    write(tmp_path / "anno" / "UAV123" / "car.txt", rows(5))
    with pytest.raises(MissingDataError, match=r"5 rows, .* 8 images"):
        read_uav123(tmp_path)
    write(
        tmp_path / "uav123.json",
        '{"UAV123": {"car": {"folder_name": "car", "start_frame": 7, "end_frame": 11}}}',
    )
    with pytest.raises(DataError, match=r"5 rows, but .* 2 images"):
        read_uav123(tmp_path)
    write(tmp_path / "uav123.json", '{"UAV123": {"car": {"folder": "car"}}}')
    with pytest.raises(DataError, match=r"uav123.json is not UAV123's table"):
        read_uav123(tmp_path)


def vid_frame(
    folder: Path, video: str, frame: int, objects: dict[int, tuple[int, int, int, int]]
) -> None:
    """One frame of ImageNet-VID and its XML."""
    images(folder / "Data" / "VID" / video, [frame], "{:06d}.JPEG")
    inner = "".join(
        f"<object><trackid>{t}</trackid><name>n1</name><bndbox><xmax>{c[2]}</xmax><xmin>{c[0]}</xmin>"
        f"<ymax>{c[3]}</ymax><ymin>{c[1]}</ymin></bndbox><occluded>0</occluded></object>"
        for t, c in objects.items()
    )
    write(
        folder / "Annotations" / "VID" / video / f"{frame:06d}.xml",
        f"<annotation>{inner}</annotation>",
    )


def test_vid_has_a_sequence_for_each_track(tmp_path):
    video = "train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"
    vid_frame(tmp_path, video, 0, {0: (10, 20, 19, 39), 1: (0, 0, 4, 4)})
    vid_frame(tmp_path, video, 1, {})
    vid_frame(tmp_path, video, 2, {0: (12, 20, 21, 39)})
    vid_frame(tmp_path, "val/ILSVRC2015_val_00000000", 0, {3: (1, 1, 2, 2)})
    (track,) = read_vid(tmp_path)  # the others have one box each
    assert track.name == "ILSVRC2015_train_00000000.0" and len(track) == 3
    np.testing.assert_array_equal(track.boxes, [[10, 20, 10, 20], [nan] * 4, [12, 20, 10, 20]])
    assert [p.stem for p in track.frames.paths] == ["000000", "000001", "000002"]
    for path in (tmp_path / "Annotations").rglob("*.xml"):
        path.unlink()
    np.testing.assert_array_equal(read_vid(tmp_path)[0].boxes, track.boxes)  # from tracks.json


def test_vid_says_what_is_missing(tmp_path):
    with pytest.raises(
        MissingDataError, match=r"0 sequences found in .* \(looked for Annotations/VID"
    ):
        read_vid(tmp_path)
    vid_frame(tmp_path, "val/v", 0, {})
    write(
        tmp_path / "Annotations" / "VID" / "val" / "v" / "000000.xml",
        "<object><trackid>1</trackid></object>",
    )
    with pytest.raises(DataError, match=r"000000.xml: an object without trackid or bndbox"):
        read_vid(tmp_path)


def test_trackingnet_train_joins_its_splits(tmp_path):
    for part, name in (("TRAIN_0", "b"), ("TRAIN_2", "c"), ("TRAIN_10", "a")):
        images(tmp_path / part / "frames" / name, range(2), "{}.jpg")
        write(tmp_path / part / "anno" / f"{name}.txt", rows(2))
    assert [s.name for s in read_trackingnet_train(tmp_path)] == ["b", "c", "a"]


def test_lasot_train_leaves_the_testing_set_out(tmp_path):
    for name in ["cat-1", "cat-2"]:
        images(tmp_path / "cat" / name / "img", [1])
        write(tmp_path / "cat" / name / "groundtruth.txt", rows(1))
        for label in ["full_occlusion", "out_of_view"]:
            write(tmp_path / "cat" / name / f"{label}.txt", "0")
    with pytest.raises(MissingDataError, match=r"testing_set.txt does not exist"):
        read_lasot_train(tmp_path)
    write(tmp_path / "testing_set.txt", "cat-2\n")
    assert [s.name for s in read_lasot_train(tmp_path)] == ["cat-1"]
