"""COCO-format folders: what is read, what is left out with a warning, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from course_lib.data.coco import read_coco
from course_lib.data.faults import Unreadable
from course_lib.data.objects import pieces_of
from course_lib.data.pairs import pair_at
from course_lib.data.pairs_photo import PhotoPairs, outline_box
from course_lib.errors import DataError, MissingDataError
from course_lib.geometry.augmented_windows import AugmentedWindow

SQUARE = [[10, 10, 40, 10, 40, 30, 10, 30]]
NOTE = {"image_id": 1, "category_id": 5, "iscrowd": 0, "segmentation": SQUARE}


def write(folder: Path, content: object) -> Path:
    """The folder, with `content` as its instances.json."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "instances.json").write_bytes(text)
    return folder


@pytest.fixture
def folder(tmp_path):
    """A folder with three images of 80×60 pixels, one of them in a subfolder."""
    for name in ("a.jpg", "b.jpg", "more/a.jpg"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((60, 80, 3), 90, dtype=np.uint8))
    return tmp_path


def content(*notes: dict, images: list | None = None) -> dict:
    """A COCO file with these annotations, by default of image 1 ("a.jpg")."""
    names = ("a.jpg", "b.jpg", "more/a.jpg")
    listed = [{"id": k + 1, "file_name": n, "width": 80, "height": 60} for k, n in enumerate(names)]
    return {
        "images": listed if images is None else images,
        "annotations": [NOTE | note for note in notes],
        "categories": [],
    }


def test_outlines_are_read(folder):
    crowd = {"segmentation": {"counts": [1], "size": [60, 80]}, "iscrowd": 1}
    small = {"segmentation": [[1, 1, 3, 1, 3, 3]]}
    objects, images = read_coco(write(folder, content({}, crowd, small)))
    assert [o.box.tolist() for o in objects] == [[10, 10, 30, 20]]
    assert images[0].read().shape == (60, 80, 3) and objects[0].category == 5
    np.testing.assert_allclose(
        outline_box(objects[0], AugmentedWindow(25, 20, 40, 80)), [10, 20, 60, 40]
    )


def test_images_of_one_name_in_two_subfolders_are_two(folder):
    cv2.imwrite(str(folder / "images" / "more" / "a.jpg"), np.full((60, 80, 3), 200, np.uint8))
    objects, images = read_coco(write(folder, content({}, {"image_id": 3})))
    assert [p.name for p in images] == ["a.jpg", "b.jpg", "more/a.jpg"]
    assert objects[0].image is images[0] and objects[1].image is images[2]
    assert [int(o.image.read().mean()) for o in objects] == [90, 200]


def test_a_byte_order_mark_and_images_without_objects_are_fine(folder):
    text = b"\xef\xbb\xbf" + json.dumps(content({"image_id": 2})).encode()
    objects, images = read_coco(write(folder, text))
    assert len(objects) == 1 and len(images) == 3
    assert read_coco(write(folder, content()))[0] == []


@pytest.mark.parametrize("missing", ["everything", "instances.json", "images"])
def test_what_is_missing_is_named_with_what_is_expected(folder, missing):
    write(folder, content({}))
    if missing == "instances.json":
        (folder / missing).unlink()
    elif missing == "images":
        (folder / missing).rename(folder / "moved")
    where = folder / "nowhere" if missing == "everything" else folder
    looked = "images" if missing == "images" else "instances.json"
    with pytest.raises(
        MissingDataError, match=rf"no photographs in .*looked for {looked}.*val2017"
    ):
        read_coco(where)


IMAGE = {"id": 1, "file_name": "a.jpg"}


@pytest.mark.parametrize(("bad", "words"), [
    (b"", "instances.json is damaged"),
    (b'{"images": [', "instances.json is damaged"),
    ("text".encode("utf-16"), "instances.json is damaged"),
    ([], "holds a list; expected a dict"),
    ({}, "it has no list 'images'"),
    ({"images": {}, "annotations": []}, "it has no list 'images'"),
    ({"images": [IMAGE]}, "it has no list 'annotations'"),
    ({"images": [IMAGE], "annotations": {"a": 1}}, "it has no list 'annotations'"),
    (content(images=[]), "lists no images"),
    (content(images=["a.jpg"]), "image 0 of its list"),
    (content(images=[{"file_name": "a.jpg"}]), "image 0 of its list: it has no 'id'"),
    (content(images=[IMAGE, {"id": 2}]), "image 1 of its list: it has no 'file_name'"),
    (content(images=[IMAGE, IMAGE | {"id": 2}]), "file_name 'a.jpg' already belongs to another"),
    (content(images=[IMAGE, IMAGE | {"id": 2, "file_name": "./a.jpg"}]), "already belongs to another"),
    (content(images=[IMAGE, IMAGE | {"file_name": "b.jpg"}]), "id 1 or file_name"),
    (content(images=[IMAGE | {"id": [1]}]), "image 0 of its list"),
    (content(images=[IMAGE | {"width": "wide"}]), "image 0 of its list"),
    *[(content(images=[IMAGE | {"file_name": name}]), "does not lead to a file inside")
      for name in ("../a.jpg", "more/../../a.jpg", "/etc/a.jpg", "..\\a.jpg", "C:\\a.jpg",
                   "C:a.jpg", "", ".", "a\0.jpg", 7, None)],
    (content(images=[IMAGE | {"file_name": "\ud800.jpg"}]), "image 0 of its list"),
])  # fmt: skip
def test_what_is_not_coco_is_refused(folder, bad, words):
    with pytest.raises(DataError, match="instances.json") as refused:
        read_coco(write(folder, bad))
    assert words in str(refused.value)
    assert "fetch it again" in str(refused.value)


@pytest.mark.parametrize(("bad", "words"), [
    ({"segmentation": [[10, 10, 40, 10, 40, 30, 10]]}, "an odd number of coordinates"),
    ({"segmentation": [[10, 10, 40, 10, 40, float("nan")]]}, "one that is not finite"),
    ({"segmentation": [[10, 10, 40, 10]]}, "fewer than three points"),
    ({"segmentation": []}, "fewer than three points"),
    ({"segmentation": {"counts": "abc", "size": [60, 80]}}, "run lengths"),
    ({"segmentation": "square"}, "malformed"),
    ({"segmentation": [["a", "b", "c", "d", "e", "f"]]}, "malformed"),
    ({"segmentation": None}, "malformed"),
    ({"category_id": None}, "malformed"),
    ({"category_id": "cat"}, "malformed"),
    ({"image_id": [1]}, "malformed"),
    ({"image_id": 99}, "whose image is not listed"),
    ({"segmentation": [[100, 10, 140, 10, 140, 30]]}, "outside their image"),
    ({"segmentation": [[10, -50, 40, -50, 40, -5]]}, "outside their image"),
])  # fmt: skip
def test_annotations_with_a_fault_are_left_out_with_a_warning(folder, bad, words):
    write(folder, content({}, bad, bad))
    with pytest.warns(
        UserWarning, match=rf"instances.json: 2 annotations were left out: 2 .*{words}"
    ):
        objects, _ = read_coco(folder)
    assert [o.box.tolist() for o in objects] == [[10, 10, 30, 20]]


def test_annotations_without_their_keys_are_left_out_with_a_warning(folder):
    whole = content({})
    whole["annotations"] += [{}, "x", None, {"image_id": 1, "category_id": 5}]
    with pytest.warns(UserWarning, match="4 annotations were left out"):
        assert len(read_coco(write(folder, whole))[0]) == 1


def test_an_outline_that_reaches_beyond_its_image_is_kept(folder):
    objects, _ = read_coco(write(folder, content({"segmentation": [[-5, 10, 90, 10, 90, 30]]})))
    assert objects[0].box.tolist() == [-5, 10, 95, 20]


class TestPairsOfDamagedFolders:
    """Images that are missing, truncated or of another size are skipped; too many stop the run."""

    def source(self, folder, count=16, **damage):
        """Pairs of `count` images with one object each, numbered; one of them damaged."""
        listed = [
            {"id": k, "file_name": f"{k}.png", "width": 80, "height": 60} for k in range(count)
        ]
        for k in range(count):
            cv2.imwrite(str(folder / "images" / f"{k}.png"), np.full((60, 80, 3), k, np.uint8))
        for name, change in damage.items():
            change(folder / "images" / f"{name[1:]}.png")
        notes = [{"image_id": k} for k in range(count)]
        objects, images = read_coco(write(folder, content(*notes, images=listed)))
        return PhotoPairs(objects, images, paste=0.3)

    @pytest.mark.parametrize(("change", "words"), [
        (lambda path: path.unlink(), "7.png does not exist"),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "7.png .* does not decode"),
        (lambda path: path.write_bytes(b""), r"7.png \(0 bytes\) does not decode"),
        (lambda path: (path.unlink(), path.mkdir()), "7.png cannot be read: .* is a folder"),
        (lambda path: cv2.imwrite(str(path), np.zeros((30, 40, 3), np.uint8)),
         "7.png has 40×30 pixels; its outlines were drawn on 80×60"),
    ])  # fmt: skip
    def test_one_image_is_skipped(self, folder, change, words):
        source = self.source(folder, _7=change)
        with pytest.warns(UserWarning, match=words):
            pairs = [pair_at(source, 0, i) for i in range(60)]
        assert not any(pair.source.startswith("7.png") for pair in pairs)
        skipped = [i for i, pair in enumerate(pairs) if pair.skipped]
        assert skipped and source.faults.skipped == sum(len(p.skipped) for p in pairs)
        for i in reversed(skipped):  # again, in another order
            np.testing.assert_array_equal(pair_at(source, 0, i).search, pairs[i].search)

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_a_folder_without_its_images_stops(self, folder):
        source = self.source(folder, count=4, **{f"_{k}": Path.unlink for k in range(4)})
        with pytest.raises(Unreadable, match=r"pair 0 .*\.png does not exist"):
            pair_at(source, 0, 0)

    def test_pieces_are_cut_from_what_can_be_read(self, folder):
        listed = [{"id": k, "file_name": f"{name}.jpg"} for k, name in enumerate("abc")]
        _, images = read_coco(write(folder, content(images=listed)))
        with pytest.warns(UserWarning, match=r"c.jpg does not exist.* No pieces were cut from it"):
            pieces = pieces_of(images, each=2)
        assert [p.image.name for p in pieces] == ["a.jpg"] * 2 + ["b.jpg"] * 2
        assert {p.category for p in pieces} == {-2, -3}
