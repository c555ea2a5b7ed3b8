"""Readers: any spelling of numbers, OTB with its oddities, real sequences against the GOT-10k
toolkit."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_files import images, rows, write

from course_lib.data.readers.folders import list_images, read_boxes, read_labels
from course_lib.data.readers.got10k import read_got10k
from course_lib.data.readers.otb import read_otb
from course_lib.errors import DataError, MissingDataError

nan = np.nan


def otb_video(
    root: Path, name: str, numbers, count: int | None = None, text: str | None = None, **where
) -> Path:
    numbers = list(numbers)
    images(root / name / "img", numbers, **where)
    write(
        root / name / "groundtruth_rect.txt",
        rows(len(numbers) if count is None else count) if text is None else text,
    )
    return root / name


# ---- boxes and labels in any spelling


number = st.one_of(st.integers(-50, 900).map(float), st.floats(-50, 900, width=32))
side = st.floats(0.5, 300, width=32)
good = st.tuples(number, number, side, side)
odd = st.sampled_from(
    [(nan, nan, nan, nan), (0.0, 0.0, 0.0, 0.0), (5.0, 6.0, 0.0, 7.0), (nan, 1.0, 2.0, 3.0)]
)
delimiter = st.sampled_from([",", "\t", " ", ", ", "  ", " \t", ",\t"])
line = st.tuples(st.one_of(good, odd), delimiter, st.sampled_from(["\n", "\r\n", " \n", "\n\n"]))


@settings(deadline=None, max_examples=60)
@given(st.lists(line, min_size=1, max_size=12), st.integers(0, 1))
def test_boxes_are_read_back_with_any_separator(lines, first_pixel):
    text = "".join(between.join(repr(v) for v in box) + end for box, between, end in lines)
    expected = np.array([box for box, _, _ in lines]) - [first_pixel, first_pixel, 0, 0]
    absent = np.isnan(expected).any(axis=1) | (expected[:, 2:] <= 0).any(axis=1)
    expected[absent] = nan
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "boxes.txt"
        path.write_bytes(text.encode())
        np.testing.assert_array_equal(read_boxes(path, first_pixel), expected)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=30),
    st.sampled_from(["\n", ",", " ", ",\n"]),
    st.integers(0, 5),
)
def test_labels_are_read_back_and_short_ones_padded(values, between, more):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cover.label"
        path.write_text(between.join(map(str, values)) + "\n")
        np.testing.assert_array_equal(read_labels(path, len(values)), values)
        np.testing.assert_array_equal(
            read_labels(path, len(values) + more, pad=True), values + [0] * more
        )
        with pytest.raises(DataError, match=f"{len(values)} values for {len(values) + 1} frames"):
            read_labels(path, len(values) + 1)


@settings(deadline=None, max_examples=30)
@given(st.sets(st.integers(0, 30000), min_size=1, max_size=20), st.integers(1, 8))
def test_images_come_in_the_order_of_their_numbers(numbers, width):
    with tempfile.TemporaryDirectory() as folder:
        images(Path(folder), numbers, "{:0" + str(width) + "d}.jpg")
        assert [int(path.stem) for path in list_images(Path(folder))] == sorted(numbers)


def test_other_files_are_not_images(tmp_path):
    images(tmp_path, [1, 2])
    for name in ["._0001.jpg", "Thumbs.db", "groundtruth.txt", "3.PNG"]:
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["0001.jpg", "0002.jpg", "3.PNG"]


# ---- OTB


def test_otb_counts_from_one_and_mixes_delimiters(tmp_path):
    otb_video(
        tmp_path,
        "Dog",
        range(1, 5),
        text="11,21,30,40\n12\t22\t30\t40\n13 23 30 40\nNaN,NaN,NaN,NaN\n",
    )
    (dog,) = read_otb(tmp_path)
    np.testing.assert_array_equal(
        dog.boxes, [[10, 20, 30, 40], [11, 21, 30, 40], [12, 22, 30, 40], [nan] * 4]
    )
    assert dog.name == "Dog" and not dog.omitted.any() and dog.frames.paths[0].name == "0001.jpg"


@pytest.mark.parametrize(("name", "on_disk", "covered"), [
    ("David", range(1, 771), range(300, 771)),
    ("David", range(1, 472), range(1, 472)),  # a copy that holds the covered part alone
    ("Football1", range(1, 81), range(1, 75)),
    ("Freeman3", range(1, 501), range(1, 461)),
    ("Freeman4", range(1, 301), range(1, 284)),
    ("Diving", range(1, 232), range(1, 216)),
    ("BlurCar1", range(247, 989), range(247, 989)),
    ("BlurCar3", range(3, 360), range(3, 360)),
])  # fmt: skip
def test_otb_videos_start_and_end_where_their_annotation_does(tmp_path, name, on_disk, covered):
    otb_video(tmp_path, name, on_disk, count=len(covered))
    (sequence,) = read_otb(tmp_path)
    numbers = [int(path.stem) for path in sequence.frames.paths]
    assert numbers == list(covered)
    np.testing.assert_array_equal(sequence.boxes[0], [0, 0, 10, 20])


def test_otb_board_has_five_digits_and_kitesurf_may_be_png(tmp_path):
    otb_video(tmp_path, "Board", range(1, 13), pattern="{:05d}.jpg")
    otb_video(tmp_path, "KiteSurf", range(1, 4), pattern="{:04d}.png")
    board, kite = read_otb(tmp_path)
    assert board.frames.paths[-1].name == "00012.jpg" and len(kite) == 3


def test_otb_two_targets_of_one_video(tmp_path):
    images(tmp_path / "Jogging" / "img", range(1, 4))
    write(tmp_path / "Jogging" / "groundtruth_rect.1.txt", rows(3))
    write(tmp_path / "Jogging" / "groundtruth_rect.2.txt", rows(3, start=101))
    first, second = read_otb(tmp_path)
    assert (first.name, second.name) == ("Jogging.1", "Jogging.2")
    assert first.boxes[0, 0] == 0 and second.boxes[0, 0] == 100


def test_otb_human4_has_its_target_in_the_second_file(tmp_path):
    images(tmp_path / "Human4" / "img", range(1, 4))
    write(tmp_path / "Human4" / "groundtruth_rect.1.txt", "\n")
    write(tmp_path / "Human4" / "groundtruth_rect.2.txt", rows(3, start=51))
    (human,) = read_otb(tmp_path)
    assert human.name == "Human4" and human.boxes[0, 0] == 50


def test_otb_one_target_of_jogging_alone_keeps_its_number(tmp_path):
    images(tmp_path / "Jogging" / "img", range(1, 4))
    write(tmp_path / "Jogging" / "groundtruth_rect.2.txt", rows(3))
    assert [s.name for s in read_otb(tmp_path)] == ["Jogging.2"]


def test_otb_tiger1_omits_its_first_five_frames(tmp_path):
    otb_video(tmp_path, "Tiger1", range(1, 355))
    (tiger,) = read_otb(tmp_path)
    np.testing.assert_array_equal(np.flatnonzero(tiger.omitted), range(5))


def test_otb_attributes_beside_the_sequence_or_in_one_file(tmp_path):
    write(otb_video(tmp_path, "Deer", [1]) / "attrs.txt", "MB, FM, IPR\n")
    write(otb_video(tmp_path, "Dog", [1]) / "attributes.txt", "SV DEF")
    otb_video(tmp_path, "Car4", [1])
    images(tmp_path / "Jogging" / "img", [1])
    write(tmp_path / "Jogging" / "groundtruth_rect.1.txt", rows(1))
    write(tmp_path / "attributes.txt", "car4: IV\njogging-1: OCC, DEF\ndeer: OV\n")
    found = {s.name: s.attributes for s in read_otb(tmp_path)}
    assert found == {
        "Deer": {"MB", "FM", "IPR"},
        "Dog": {"SV", "DEF"},
        "Car4": {"IV"},
        "Jogging.1": {"OCC", "DEF"},
    }


def test_otb_errors_name_file_value_and_remedy(tmp_path):
    def sentence(error=DataError):
        with pytest.raises(error) as caught:
            read_otb(tmp_path)
        return str(caught.value)

    assert sentence(MissingDataError) == (
        f"0 sequences found in {tmp_path} (looked for */groundtruth_rect*.txt): "
        "run `python data_scripts/otb.py` or pass --root"
    )
    dog = otb_video(tmp_path, "Dog", range(1, 10), count=7)
    assert (
        "Dog/groundtruth_rect.txt has 7 rows" in sentence() and "Dog/img has 9 images" in sentence()
    )
    write(dog / "groundtruth_rect.txt", rows(3) + "12,no,3,4\n" + rows(5))
    assert "groundtruth_rect.txt, line 4: '12,no,3,4'; expected 4 numbers" in sentence()
    write(dog / "groundtruth_rect.txt", rows(8) + "1,2,3\n")
    assert "line 9: '1,2,3'; expected 4 numbers" in sentence()
    (dog / "groundtruth_rect.txt").write_bytes(b"\xff\xd8\xff\xe0 an image")
    assert "groundtruth_rect.txt, line 1" in sentence()
    write(dog / "groundtruth_rect.txt", "\n")
    assert "groundtruth_rect.txt is empty; expected one row of x, y, w, h" in sentence()
    write(dog / "groundtruth_rect.txt", rows(9))
    write(dog / "attrs.txt", "IV, XYZ")
    assert "attrs.txt: unknown attributes ['XYZ']; expected some of IV, SV" in sentence()
    for path in (dog / "img").iterdir():
        path.unlink()
    assert (
        "0 images found in" in sentence(MissingDataError)
        and "fetch the sequence again" in sentence()
    )


def test_otb_david_with_other_counts_names_what_is_on_disk(tmp_path):
    otb_video(tmp_path, "David", range(1, 472), count=400)
    with pytest.raises(DataError, match=r"400 rows.*471 images"):
        read_otb(tmp_path)


# ---- real sequences


@pytest.mark.real_data
def test_real_otb_is_what_the_got10k_toolkit_reads(real_data, capsys):
    toolkit = pytest.importorskip("got10k.datasets").OTB(
        str(real_data / "otb"), version="otb2015", download=False
    )
    ours = {sequence.name: sequence for sequence in read_otb(real_data / "otb")}
    assert sorted(ours) == sorted(toolkit.seq_names) and len(ours) == 14
    # David's copy holds only the covered frames; the toolkit would cut it a second time.
    for name in sorted(ours.keys() - {"David"}):
        files, boxes = toolkit[name]
        np.testing.assert_array_equal(ours[name].boxes, boxes - [1, 1, 0, 0])
        assert [str(path) for path in ours[name].frames.paths] == files


@pytest.mark.real_data
def test_real_otb_is_what_was_published(real_data):
    published = real_data / "otb100_published"
    tags = dict(
        line.split(":")
        for line in (published / "attributes.txt").read_text().splitlines()
        if line.strip()
    )
    for sequence in read_otb(real_data / "otb"):
        name = sequence.name.lower().replace(".", "-")
        np.testing.assert_array_equal(
            sequence.boxes, read_boxes(published / "annotations" / f"{name}.txt", 1)
        )
        assert sequence.attributes == set(tags[name].replace(",", " ").split()), name


@pytest.mark.real_data
@pytest.mark.parametrize("split", ["train", "val"])
def test_real_got10k_is_what_the_got10k_toolkit_reads(real_data, split, capsys):
    GOT10k = pytest.importorskip("got10k.datasets").GOT10k
    toolkit = GOT10k(str(real_data / "training" / "got10k"), subset=split)
    ours = read_got10k(real_data / "training" / "got10k" / split)
    assert [sequence.name for sequence in ours] == toolkit.seq_names
    for sequence in ours:
        files, boxes = toolkit[sequence.name]
        present = ~sequence.tags["absent"]
        np.testing.assert_array_equal(sequence.boxes[present], boxes[present])
        assert [str(path) for path in sequence.frames.paths] == files
