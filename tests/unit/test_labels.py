"""Labels of people and programs: CSV, COCO's JSON, CVAT's XML, by hand and refused in words."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from course_lib.data.label_sheet import frames_to_show, label_sheet, suspects
from course_lib.data.labels import boxes_by_target, number_in, read_labels_of
from course_lib.data.sequence import Sequence
from course_lib.errors import DataError, MissingDataError

NAN = np.full(4, np.nan)


def labels(tmp_path, text, name="boxes.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_labels_of(path)


def told(found) -> list[tuple]:
    return [(one.target, one.frame, one.box.tolist()) for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "frame,x,y,w,h\n0,1,2,30,40\n3,5,6,7.5,8\n",
        "\ufeffFrame;Left;Top;Width;Height\r\n0;1;2;30;40\r\n\r\n3;5;6;7.5;8",
        "h\tw\ty\tx\tnote\timage\n40\t30\t2\t1\ta b\t0\n8\t7.5\t6\t5\t\t3\n",
        "frame,x1,y1,x2,y2\n0,1,2,31,42\n3,5,6,12.5,14\n",
        'frame,"xmin",ymin,xmax,ymax\n0,1,2,31,42\n3,5,6,12.5,14\n',
    ],
)
def test_csv_in_many_styles(tmp_path, text):
    assert told(labels(tmp_path, text)) == [("", 0, [1, 2, 30, 40]), ("", 3, [5, 6, 7.5, 8])]


def test_csv_without_header_is_one_line_for_each_frame(tmp_path):
    found = labels(tmp_path, "1,2,3,4\nnan,nan,nan,nan\n5,6,7,8\n", "groundtruth.txt")
    assert [one.frame for one in found] == [0, 1, 2]
    assert np.isnan(found[1].box).all() and found[2].box.tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n"])
def test_lines_without_a_header_are_those_of_the_frames(tmp_path, end):
    found = labels(tmp_path, f"1,2,3,4\n,,,\nnan,nan,nan,nan\n5,6,7,8{end}", "groundtruth.txt")
    expected = [[1, 2, 3, 4], NAN, NAN, [5, 6, 7, 8]]
    for frames in (4, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]):
        np.testing.assert_array_equal(boxes_by_target(found, frames)[""], expected)


def test_csv_with_targets_names_and_absence(tmp_path):
    text = "image,track,x,y,w,h\na/0001.jpg,dog,1,2,3,4\n0001.jpg,cat,5,6,7,8\n0002.jpg,dog,,,,\n"
    found = labels(tmp_path, text)
    assert [(one.target, one.frame) for one in found] == [
        ("dog", "a/0001.jpg"), ("cat", "0001.jpg"), ("dog", "0002.jpg")
    ]  # fmt: skip
    boxes = boxes_by_target(found, ["0001.jpg", "0002.jpg", "0003.jpg"])
    np.testing.assert_array_equal(boxes["dog"], [[1, 2, 3, 4], NAN, NAN])
    np.testing.assert_array_equal(boxes["cat"], [[5, 6, 7, 8], NAN, NAN])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no box"),
        ("frame,x,y,w,h\n", "holds no box"),
        ("1,1,5,5\n\n30,3,5,5\n40,4,5,5\n", "line 2: it is empty, so it is unclear which frame"),
        ("\n1,2,3,4\n", "line 1: it is empty"),
        ("1,2,3,4\r\n5,6,7,8\r\n  \r\n9,9,9,9\r\n", "line 3: it is empty"),
        ("1,2,3\n", "line 1: '1,2,3' has 3 fields"),
        ("1,2,3,4\n1,2,3,4,5\n", "line 2: '1,2,3,4,5' has 5 fields"),
        ("x,y,w,h\n1,2,3,4\n", "line 1: the columns are x, y, w, h; expected columns frame"),
        ("frame,x,y,w\n0,1,2,3\n", "the columns are frame, x, y, w"),
        ("frame,x,y,w,h,x1,y1,x2,y2\n", "the columns are"),
        ("frame,image,x,y,w,h\n", "frame and image both mean frame"),
        ("frame,x,y,w,h\n\n0,1,2,3\n", "line 3: 4 fields; expected 5, as in the header"),
        (
            "frame,x,y,w,h\n0,1,2,three,4\n",
            "line 2: the box is 1, 2, three, 4; expected four numbers",
        ),
        ("frame,x,y,w,h\n0,1,2,,4\n", "line 2: the box is 1, 2, , 4"),
        ("frame,x,y,w,h\n0,1,2,inf,4\n", "line 2: the box is 1, 2, inf, 4"),
        ("frame,x,y,w,h\n0,1,2,-3,4\n", "line 2: the box is 1, 2, -3, 4; expected w and h above 0"),
        ("frame,x1,y1,x2,y2\n0,10,2,3,4\n", "line 2: the box is 10, 2, 3, 4; expected x2 above x1"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named(tmp_path, text, words):
    with pytest.raises(DataError, match=re.escape(words)):
        labels(tmp_path, text)


def test_files_that_are_not_labels(tmp_path):
    with pytest.raises(MissingDataError, match=r"no file of labels .*boxes\.csv"):
        read_labels_of(tmp_path / "boxes.csv")
    with pytest.raises(DataError, match=r"export\.zip is not a known kind .*Unpack it"):
        labels(tmp_path, "PK", "export.zip")


@pytest.mark.parametrize(
    ("text", "frames", "options", "words"),
    [
        ("frame,x,y,w,h\n3,1,2,3,4", 3, {}, "line 2: the frame is 3; expected 0 to 2. If the file counts from 1, add --first-frame 1"),
        ("frame,x,y,w,h\n0,1,2,3,4", 3, {"first_frame": 1}, "the frame is 0; expected 1 to 3"),
        ("frame,x,y,w,h\ndog,1,2,3,4", 3, {}, "the frame is 'dog'"),
        ("frame,x,y,w,h\n9.jpg,1,2,3,4", ["1.jpg", "2.jpg"], {}, "there is no frame '9.jpg'; the 2 images are 1.jpg, 2.jpg"),
        ("frame,x,y,w,h\n0,1,2,3,4\n1,1,2,3,4\n0,5,6,7,8", 3, {}, "line 4: a second box of the target in frame 0 (the first: "),
        ("1,2,3,4\n5,6,7,8\n", 3, {}, "each of the 3 frames needs a line, but it has 2"),
        ("1,2,3,4\n5,6,7,8\n", ["1.jpg"], {}, "each of the 1 frames needs a line, but it has 2"),
        ("frame,id,x,y,w,h\n0,a,1,2,3,4\n0,a,1,2,3,4", 3, {}, "line 3: a second box of target 'a'"),
    ],
)  # fmt: skip
def test_labels_that_do_not_fit_the_frames(tmp_path, text, frames, options, words):
    with pytest.raises(DataError, match=re.escape(words)):
        boxes_by_target(labels(tmp_path, text), frames, **options)


def test_counting_from_one(tmp_path):
    found = labels(tmp_path, "frame,x,y,w,h\n1,1,1,3,4\n3,11,21,3,4\n")
    boxes = boxes_by_target(found, 3, first_frame=1, first_pixel=1)
    np.testing.assert_array_equal(boxes[""], [[0, 0, 3, 4], NAN, [10, 20, 3, 4]])


def test_numbers_in_names():
    assert [number_in(n) for n in ("frame_000012.PNG", "a1b07", "dog.jpg", "7/x")] == [
        12,
        7,
        None,
        None,
    ]


COCO = {
    "images": [
        {"id": 7, "file_name": "frame_000000.PNG"},
        {"id": 8, "file_name": "frame_000002.PNG"},
    ],
    "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 8, "category_id": 1, "bbox": [5, 6, 7, 8.5]},
        {"id": 3, "image_id": 8, "category_id": 2, "bbox": [9, 9, 9, 9]},
    ],
}


def coco(tmp_path, change=lambda content: None):
    content = json.loads(json.dumps(COCO))
    change(content)
    return labels(tmp_path, json.dumps(content), "instances.json")


def test_coco_by_hand(tmp_path):
    found = coco(tmp_path)
    assert told(found) == [
        ("dog", "frame_000000.PNG", [1, 2, 3, 4]),
        ("dog", "frame_000002.PNG", [5, 6, 7, 8.5]),
        ("cat", "frame_000002.PNG", [9, 9, 9, 9]),
    ]
    in_video, by_name = (
        boxes_by_target(found, 3),
        boxes_by_target(found, ["frame_000000.PNG", "frame_000001.PNG", "frame_000002.PNG"]),
    )
    for boxes in (in_video, by_name):
        np.testing.assert_array_equal(boxes["dog"], [[1, 2, 3, 4], NAN, [5, 6, 7, 8.5]])


def test_tracks_in_coco(tmp_path):
    def change(content):
        content["annotations"][0]["track_id"] = 4
        content["annotations"][1]["attributes"] = {"track_id": 4, "occluded": False}
        content["annotations"][2] |= {"track_id": 0, "category_id": 99}

    assert [one.target for one in coco(tmp_path, change)] == ["dog-4", "dog-4", "target-0"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("images"), "'images' is None; expected COCO's"),
        (lambda c: c.update(annotations={}), "'annotations' is {}"),
        (lambda c: c["annotations"][1].update(image_id=3), "annotation 2: image_id is 3, but no image has that id"),
        (lambda c: c["annotations"][1].update(bbox=[1, 2]), "annotation 2: bbox is [1, 2]; expected four numbers"),
        (lambda c: c["annotations"][1].update(bbox=[1, 2, 0, 4]), "annotation 2: the box is 1, 2, 0, 4; expected w and h above 0"),
        (lambda c: c["images"][1].pop("file_name"), "image 2: file_name is None"),
        (lambda c: c.update(annotations=[]), "holds no box"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_coco_is_named(tmp_path, change, words):
    with pytest.raises(DataError, match=re.escape(words)):
        coco(tmp_path, change)


VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
 <track id="0" label="dog" source="manual">
  <box frame="0" outside="0" occluded="0" keyframe="1" xtl="1.5" ytl="2" xbr="31.5" ybr="42" z_order="0"/>
  <box frame="1" outside="1" occluded="0" keyframe="1" xtl="1.5" ytl="2" xbr="31.5" ybr="42" z_order="0"/>
 </track>
 <track id="3" label="cat"><box frame="1" outside="0" xtl="0" ytl="0" xbr="4" ybr="5" rotation="0.0"/></track>
</annotations>"""
IMAGES = """<annotations>
 <image id="0" name="in/a.jpg" width="80" height="60"><box label="dog" xtl="1" ytl="2" xbr="4" ybr="6"/></image>
 <image id="1" name="b.jpg" width="80" height="60">
  <box label="dog" xtl="1" ytl="2" xbr="4" ybr="6"><attribute name="track_id"> 5 </attribute></box>
  <box label="cat" xtl="7" ytl="7" xbr="9" ybr="9"/></image>
</annotations>"""


def test_cvat_for_video_by_hand(tmp_path):
    found = labels(tmp_path, VIDEO, "annotations.xml")
    assert [(one.target, one.frame) for one in found] == [("dog-0", 0), ("dog-0", 1), ("cat-3", 1)]
    assert found[0].box.tolist() == [1.5, 2, 30, 40] and np.isnan(found[1].box).all()
    assert found[2].box.tolist() == [0, 0, 4, 5]


def test_cvat_for_images_by_hand(tmp_path):
    found = labels(tmp_path, IMAGES, "annotations.xml")
    assert told(found) == [
        ("dog", "in/a.jpg", [1, 2, 3, 4]),
        ("dog-5", "b.jpg", [1, 2, 3, 4]),
        ("cat", "b.jpg", [7, 7, 2, 2]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (VIDEO.replace('frame="0"', 'frame="x"'), "track 0, frame x: frame is 'x'"),
        (VIDEO.replace('xbr="4"', 'xbr="-4"'), "track 3, frame 1: the box is 0, 0, -4, 5; expected x2 above x1"),
        (VIDEO.replace(' ybr="5"', ""), "track 3, frame 1: the box is 0, 0, 4, missing"),
        (VIDEO.replace('rotation="0.0"', 'rotation="30.5"'), "track 3, frame 1: the box is rotated by 30.5 degrees"),
        (IMAGES.replace('name="b.jpg"', 'name=""'), "image '', box 1: the image has no name"),
        ("<annotations><image name='a'><polygon/><polygon/></image></annotations>", "holds no boxes (other shapes: 2 × polygon)"),
        ("<annotations>", "is damaged XML"),
        ("<data/>", "begins with <data>; expected CVAT's <annotations>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "declares a document type"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_cvat_is_named(tmp_path, text, words):
    with pytest.raises(DataError, match=re.escape(words)):
        labels(tmp_path, text, "annotations.xml")


def test_suspects_by_hand():
    """A box of 10 × 10 that jumps by 20, twice its side, in frame 3, grows to 20 × 20 in frame 5
    around the same centre, and is absent in frame 7."""
    boxes = np.tile([50.0, 50, 10, 10], (9, 1))
    boxes[3:, 0] += 20
    boxes[5:] += [-5, -5, 10, 10]
    boxes[7] = np.nan
    assert suspects(boxes) == {3: "moves by 2.0 sides", 5: "size × or ÷ 2.00"}
    shown = frames_to_show(boxes, 6)
    assert list(shown) == [0, 3, 5, 8] and shown[0] == "" and shown[3] == "moves by 2.0 sides"
    assert frames_to_show(np.tile([1.0, 2, 3, 4], (30, 1)), 6) == dict.fromkeys(
        [0, 6, 12, 17, 23, 29], ""
    )
    assert frames_to_show(boxes, 99)[7] == "absent"


def test_a_step_is_measured_in_the_sides_it_had_before():
    """From 10 × 10 around (5, 5) to 20 × 20 around (35, 45): 50 pixels, 5 sides."""
    boxes = np.array([[0.0, 0, 10, 10], [25, 35, 20, 20], [25, 35, 20, 20]])
    assert suspects(boxes) == {1: "moves by 5.0 sides"}


def test_a_sheet_shows_the_boxes():
    frames = np.zeros((9, 60, 80, 3), np.uint8)
    boxes = np.tile([50.0, 30, 10, 12], (9, 1))
    boxes[4] = np.nan
    figure = label_sheet(Sequence.in_memory("dog", frames, boxes), 20)
    titles = [ax.get_title() for ax in figure.axes if ax.images]
    assert titles == [f"frame {t}{': absent' * (t == 4)}" for t in range(9)]
    drawn = [ax.patches[0].get_bbox().bounds for ax in figure.axes if ax.patches]
    assert len(drawn) == 8 and drawn[0] == (49.5, 29.5, 10, 12)
    assert figure.get_suptitle() == "dog: 9 frames, absent in 1"
