"""Ground truth, labels, settings and images in any form: read as meant, or refused by line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_files import images, rows, write

from course_lib.data.readers.folders import (
    list_images,
    read_boxes,
    read_fps,
    read_keys,
    read_labels,
)
from course_lib.data.readers.got10k import read_got10k
from course_lib.data.readers.otb import read_otb, read_video
from course_lib.data.readers.trackingnet import read_trackingnet, read_trackingnet_train
from course_lib.data.readers.uav123 import read_uav123
from course_lib.data.readers.vot import read_vot
from course_lib.errors import DataError, MissingDataError
from course_lib.files import read_numbers

nan = np.nan
MARK = b"\xef\xbb\xbf"
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            *[st.floats(-1e4, 1e4) | st.just(nan)] * 2, *[st.floats(0.01, 1e4) | st.just(nan)] * 2
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([",", ";", "\t", " ", ", ", " ; ", "   ", ",\t"]),
    st.sampled_from(["", ",", ";", "\t", " "]),
    ENDS,
    ENCODINGS,
    st.sampled_from([str, "{:.17g}".format, "{:.17E}".format, lambda v: str(v).upper()]),
    st.integers(0, 3),
)
def test_boxes_are_read_back(
    tmp_path_factory, boxes, between, last, end, encoding, spelling, blank
):
    path = tmp_path_factory.mktemp("boxes") / "groundtruth.txt"
    last = last if last in (between.strip(), "\t", " ", "") else ""
    lines = [between.join(map(spelling, box)) + last for box in boxes] + [""] * blank
    path.write_bytes(end.join(lines).encode(encoding))
    expected = np.array(boxes)
    expected[np.isnan(expected).any(axis=1)] = nan
    np.testing.assert_array_equal(read_boxes(path), expected)


@pytest.mark.parametrize(("content", "box"), [
    (b"1e2,2,3,4", [100, 2, 3, 4]),
    (b"+1,-.5,3.,4", [1, -0.5, 3, 4]),
    (b"1,2,3,4,\r\n\r\n\r\n", [1, 2, 3, 4]),
    (b"NAN,NaN,nan,NAN\n", [nan] * 4),
    (b"\n\n 1 2 3 4\n", [1, 2, 3, 4]),
    (MARK + b"1;2;3;4;\n", [1, 2, 3, 4]),
])  # fmt: skip
def test_boxes_as_people_write_them(tmp_path, content, box):
    (tmp_path / "b.txt").write_bytes(content)
    np.testing.assert_array_equal(read_boxes(tmp_path / "b.txt"), [box])


@pytest.mark.parametrize(("content", "sentence"), [
    (b"x,y,w,h\n1,2,3,4\n", r"b\.txt, line 1: 'x,y,w,h'; expected 4 numbers"),
    (b"1,2,3,4\n1,,3,4\n", r"line 2: '1,,3,4'"),
    (b"1,2,3,4\n,1,2,3,4\n", r"line 2"),
    (b"1,2,3,4,,\n", r"line 1"),
    (b"1,2,3,4\n1,2,3,inf\n", r"line 2"),
    (b"1,2,3,1e999\n", r"line 1"),
    (b"1,2,3,1_0\n", r"line 1"),
    (b"1,5;2,5;3,5;4,5\n", r"line 1"),
    (b"1 2 3 4 5 6 7 8\n", r"line 1"),
    (b"1 2 3\n", r"line 1"),
    (b"0x1,2,3,4\n", r"line 1"),
    (b"[1, 2, 3, 4]\n", r"line 1"),
    (b"# boxes\n1,2,3,4\n", r"line 1"),
    (b"", r"b\.txt is empty"),
    (MARK + b"\r\n \r\n", r"b\.txt is empty"),
    (bytes(range(256)) * 40, r"line 1"),
    (b"\x00" * 100_000, r"line 1"),
])  # fmt: skip
def test_boxes_that_are_not_four_numbers_a_line(tmp_path, content, sentence):
    (tmp_path / "b.txt").write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        read_boxes(tmp_path / "b.txt")
    assert len(str(caught.value)) < 700


def test_boxes_that_are_missing_or_a_folder(tmp_path):
    with pytest.raises(MissingDataError, match=r"b\.txt does not exist"):
        read_boxes(tmp_path / "b.txt")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(IsADirectoryError):
        read_boxes(tmp_path / "b.txt")


@pytest.mark.parametrize("count", [2, 4])
def test_fewer_and_more_rows_than_frames_name_both_counts(tmp_path, count):
    images(tmp_path / "a", range(1, 4))
    write(tmp_path / "a" / "groundtruth.txt", rows(count))
    for read in (read_got10k, read_vot):
        with pytest.raises(DataError, match=rf"groundtruth\.txt has {count} rows, .* 3 images"):
            read(tmp_path)


# ---- VOT's two shapes


@pytest.mark.parametrize(("text", "sentence"), [
    ("1,2,3,4\n1,2,3,4,5,6,7,8\n", r"line 2: .* expected 4 numbers"),
    ("1,2,3,4,5,6,7,8\n1,2,3,4\n", r"line 2: .* expected 8 numbers"),
    ("1,5;2,5;30,5;40,5\n1,5;2,5;30,5;40,5\n", r"several kinds of separators"),
    ("1,5\t2,5\t30,5\t40,5\n" * 2, r"several kinds of separators"),
    ("1,5 2,5 30,5 40,5\n" * 2, r"several kinds of separators"),
    ("\ufeff\n", r"begins with ''"),
])  # fmt: skip
def test_vot_decimal_commas_are_not_a_polygon(tmp_path, text, sentence):
    images(tmp_path / "ball", [1, 2])
    write(tmp_path / "ball" / "groundtruth.txt", text)
    with pytest.raises(DataError, match=sentence):
        read_vot(tmp_path)


@pytest.mark.parametrize("between", [",", ", ", "\t", ";", "  "])
@pytest.mark.parametrize("end", ["\n", "\r\n", ",\n"])
def test_vot_polygons_after_a_mark(tmp_path, between, end):
    images(tmp_path / "ball", [1])
    text = between.join(["2", "9", "2", "3", "10", "3", "10", "9"]) + end
    (tmp_path / "ball" / "groundtruth.txt").write_bytes(MARK + text.encode())
    (tmp_path / "ball" / "occlusion.tag").write_bytes(MARK + b"1\r\n")
    (tmp_path / "ball" / "._occlusion.tag").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "ball" / "sequence").write_bytes(MARK + b"fps=25\r\n")
    (ball,) = read_vot(tmp_path)
    np.testing.assert_allclose(ball.boxes, [[2, 3, 8, 6]])
    assert ball.tags["occlusion"].tolist() == [True] and ball.fps == 25


@pytest.mark.parametrize("code", ["0", "1", "nan", "2,", " 0 "])
@pytest.mark.parametrize("shape", ["1,2,3,4", "2,9,2,3,10,3,10,9", "m1,2,3,1,0,3"])
@pytest.mark.parametrize("absent", [(0,), (1,), (0, 1), (2,)])
def test_vot_a_single_number_is_an_absent_target(tmp_path, code, shape, absent):
    images(tmp_path / "ball", range(1, 4))
    lines = [code if t in absent else shape for t in range(3)]
    write(tmp_path / "ball" / "groundtruth.txt", "\n".join(lines) + "\n")
    (ball,) = read_vot(tmp_path)
    assert np.flatnonzero(np.isnan(ball.boxes).all(axis=1)).tolist() == list(absent)
    assert (ball.polygons is not None, ball.masks is not None) == ("9" in shape, "m" in shape)


@pytest.mark.parametrize("text", ["0\n0\n", "1,2,3,4\n5.5\n", "1,2,3,4\n-1\n", "1,2,3,4\nx\n"])
def test_vot_codes_alone_and_other_short_rows_are_refused(tmp_path, text):
    images(tmp_path / "ball", [1, 2])
    write(tmp_path / "ball" / "groundtruth.txt", text)
    with pytest.raises(DataError, match=r"begins with ''|line 2: .* expected 4 numbers"):
        read_vot(tmp_path)


# ---- labels


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=20),
    st.sampled_from(["\n", "\r\n", "\r", ",", ";", " ", "\t", ",\n"]),
    ENCODINGS,
    st.sampled_from(["", ",", "\n\n"]),
)
def test_labels_are_read_back(tmp_path_factory, values, between, encoding, last):
    path = tmp_path_factory.mktemp("labels") / "cover.label"
    last = "" if between.rstrip() != "," and last == "," else last
    path.write_bytes((between.join(map(str, values)) + last).encode(encoding))
    assert read_labels(path, len(values), highest=8).tolist() == values


@pytest.mark.parametrize(("content", "sentence"), [
    (b"0\nyes\n", r"contains 'yes'; expected whole numbers, one per frame \(line 2\)"),
    (b"0\n-1\n", r"contains '-1'"),
    (b"0\n.5\n", r"contains '\.5'"),
    (b"0\nnan\n", r"contains 'nan'"),
    (b"0,,1\n", r"contains ''"),
    (b"0\n9\n", r"contains 9; expected 0 to 8 \(line 2\)"),
    (b"0\n" + b"9" * 400, r"contains '9+'; expected whole"),
    (b"0\n", r"1 values for 2 frames"),
    (b"0\n1\n0\n", r"3 values for 2 frames"),
    (b"", r"0 values for 2 frames"),
    (bytes(range(128, 256)), r"expected whole numbers"),
])  # fmt: skip
def test_malformed_labels(tmp_path, content, sentence):
    (tmp_path / "cover.label").write_bytes(content)
    with pytest.raises(DataError, match=rf"cover\.label.*{sentence}"):
        read_labels(tmp_path / "cover.label", 2, highest=8)


def test_after_an_empty_line_a_short_file_is_not_padded(tmp_path):
    write(tmp_path / "a.tag", "0\n\n1\n")
    assert read_labels(tmp_path / "a.tag", 2, pad=True).tolist() == [0, 1]
    with pytest.raises(DataError, match="2 values for 4 frames"):
        read_labels(tmp_path / "a.tag", 4, pad=True)


@pytest.mark.parametrize("label", ["absence", "cut_by_image"])
def test_got10k_flags_are_0_or_1_and_may_have_a_mark(tmp_path, label):
    images(tmp_path / "a", range(1, 3))
    write(tmp_path / "a" / "groundtruth.txt", rows(2))
    (tmp_path / "a" / f"{label}.label").write_bytes(MARK + b"0\r\n1\r\n")
    (tmp_path / "a" / "meta_info.ini").write_bytes(MARK + b"anno_fps: 10Hz\r\n")
    (sequence,) = read_got10k(tmp_path)
    assert sequence.tags.popitem()[1].tolist() == [False, True] and sequence.fps == 10
    write(tmp_path / "a" / f"{label}.label", "0\n2\n")
    with pytest.raises(DataError, match="expected 0 to 1"):
        read_got10k(tmp_path)


@pytest.mark.parametrize(("text", "fps"), [
    ("30", 30), ("10Hz", 10), ("10 hz", 10), ("29.97", 29.97), ("29,97", 29.97), ("25fps", 25),
    ("30000/1001", 30000 / 1001), ("0", None), ("-5", None), ("many", None), ("1/0", None),
    ("", None),
])  # fmt: skip
def test_frames_per_second(tmp_path, text, fps):
    (tmp_path / "sequence").write_bytes(MARK + f"[sequence]\r\nFPS = {text}\r\n".encode())
    assert read_fps(read_keys(tmp_path / "sequence"), "fps") == fps


# ---- attributes and tables


def otb(root, *names):
    for name in names:
        images(root / name / "img", [1])
        write(root / name / "groundtruth_rect.txt", rows(1))
    return root


def test_otb_attributes_after_a_mark_in_any_case_and_separator(tmp_path):
    otb(tmp_path, "Deer", "Dog", "my-1")
    (tmp_path / "Deer" / "attrs.txt").write_bytes(MARK + b"mb; FM\tipr\r\n")
    (tmp_path / "attributes.txt").write_bytes(
        MARK + b"DOG: iv,sv\r\nWoman: OCC\r\nmy-1: OV\r\n\r\n"
    )
    found = {sequence.name: sequence.attributes for sequence in read_otb(tmp_path)}
    assert found == {"Deer": {"MB", "FM", "IPR"}, "Dog": {"IV", "SV"}, "my-1": {"OV"}}


@pytest.mark.parametrize("name", ["Jogging.1", "jogging-1", "Jogging_1", "jogging1", "Jogging"])
def test_otb_attributes_of_a_target_in_the_toolkits_spellings(tmp_path, name):
    images(tmp_path / "Jogging" / "img", [1])
    write(tmp_path / "Jogging" / "groundtruth_rect.1.txt", rows(1))
    write(tmp_path / "attributes.txt", f"{name}: OCC\n")
    assert read_otb(tmp_path)[0].attributes == {"OCC"}


@pytest.mark.parametrize(("text", "sentence"), [
    ("Dog: SV\nDgo: IV\n", r"attributes\.txt, line 2: 'Dgo: IV'; expected the name of an existing video"),
    ("Dog SV\n", r"line 1: 'Dog SV'; expected .* a colon"),
    ("Dog: SV\ndog: IV\n", r"line 2: dog appears a second time"),
    ("\nDog: SV, XY\n", r"line 2: unknown attributes \['XY'\]"),
    (": SV\n", r"line 1: ': SV'"),
])  # fmt: skip
def test_otb_attributes_of_unknown_videos(tmp_path, text, sentence):
    otb(tmp_path, "Dog")
    write(tmp_path / "attributes.txt", text)
    with pytest.raises(DataError, match=sentence):
        read_otb(tmp_path)


def test_otb_a_copy_of_a_ground_truth_is_not_a_second_target(tmp_path):
    otb(tmp_path, "Dog")
    write(tmp_path / "Dog" / "groundtruth_rect (old).txt", rows(1, start=9))
    (dog,) = read_otb(tmp_path)
    assert dog.name == "Dog" and dog.boxes[0, 0] == 0
    images(tmp_path / "Cat" / "img", [1])
    with pytest.raises(MissingDataError, match=r"Cat has no groundtruth_rect\.txt"):
        read_video(tmp_path / "Cat")


@pytest.mark.parametrize(("row", "sentence"), [
    ({"folder_name": "../../x", "start_frame": 1, "end_frame": 2}, "folder_name is '../../x'"),
    ({"folder_name": "/x", "start_frame": 1, "end_frame": 2}, "folder_name is '/x'"),
    ({"folder_name": 3, "start_frame": 1, "end_frame": 2}, "folder_name is 3"),
    ({"folder_name": "car", "start_frame": 1.5, "end_frame": 2}, "start_frame is 1.5"),
    ({"folder_name": "car", "start_frame": True, "end_frame": 2}, "start_frame is True"),
    ({"folder_name": "car", "start_frame": 1, "end_frame": None}, "TypeError"),
])  # fmt: skip
def test_uav123_table_is_checked_and_stays_inside_the_folder(tmp_path, row, sentence):
    images(tmp_path / "data_seq" / "UAV123" / "car", range(1, 3))
    write(tmp_path / "anno" / "UAV123" / "car.txt", rows(2))
    write(tmp_path / "anno" / "UAV123" / "._car.txt", "\x00")
    (tmp_path / "uav123.json").write_bytes(MARK + json.dumps({"UAV123": {"car": row}}).encode())
    with pytest.raises(DataError, match=rf"not UAV123's table.*{sentence}"):
        read_uav123(tmp_path)
    write(tmp_path / "uav123.json", '{"UAV123": {"car"')
    with pytest.raises(DataError, match=r"uav123\.json is damaged.*fetch the table again"):
        read_uav123(tmp_path)
    (tmp_path / "uav123.json").unlink()
    assert [sequence.name for sequence in read_uav123(tmp_path)] == ["car"]


def test_trackingnet_ignores_hidden_files_and_archives(tmp_path):
    images(tmp_path / "TRAIN_0" / "frames" / "a", range(2), "{}.jpg")
    (tmp_path / "TRAIN_0" / "anno").mkdir()
    (tmp_path / "TRAIN_0" / "anno" / "a.txt").write_bytes(MARK + b"1,2,3,4\r\n1,2,3,4,\r\n")
    write(tmp_path / "TRAIN_0" / "anno" / "._a.txt", "\x00")
    write(tmp_path / "TRAIN_1.zip", "")
    assert [sequence.name for sequence in read_trackingnet_train(tmp_path)] == ["a"]
    assert len(read_trackingnet(tmp_path / "TRAIN_0")) == 1


# ---- images


def test_images_with_all_common_names(tmp_path):
    for name in [
        "0001.JPG",
        "2.jpeg",
        "0004.Png",
        "5 b.bmp",
        "._0001.jpg",
        "Thumbs.db",
        ".hidden.png",
    ]:
        (tmp_path / name).touch()
    (tmp_path / "Bild Ä 10.jpg").touch()
    (tmp_path / "0003.jpg").mkdir()
    names = [path.name for path in list_images(tmp_path)]
    assert names == ["0001.JPG", "2.jpeg", "0004.Png", "5 b.bmp", "Bild Ä 10.jpg"]


@pytest.mark.parametrize(
    ("one", "other"), [("0001.jpg", "0001.png"), ("1.jpg", "0001.jpg"), ("1.JPG", "1.jpg")]
)
def test_two_images_with_the_same_number_are_refused(tmp_path, one, other):
    for name in (one, other, "0002.jpg"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="two images with the same number"):
        list_images(tmp_path)


def test_a_gap_in_the_numbers_changes_the_count(tmp_path):
    images(tmp_path / "a", [1, 2, 4])
    write(tmp_path / "a" / "groundtruth.txt", rows(4))
    with pytest.raises(DataError, match="4 rows, but .* 3 images"):
        read_got10k(tmp_path)


def test_other_readers_of_numbers_keep_their_columns(tmp_path):
    write(tmp_path / "t.txt", "0.25\n0.5,\n")
    assert read_numbers(tmp_path / "t.txt", 1).tolist() == [[0.25], [0.5]]
