"""ImageNet-VID's cached tracks: valid for the present annotations, remade otherwise,
never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from course_lib.data.readers import vid
from course_lib.data.readers.vid import read_vid
from course_lib.errors import DataError


def annotate(folder: Path, video: str, x: int, frames: int = 3) -> Path:
    """The XML files of a video with one track, its box at x; returns their folder."""
    where = folder / "Annotations" / "VID" / video
    where.mkdir(parents=True, exist_ok=True)
    for frame in range(frames):
        (where / f"{frame:06d}.xml").write_text(
            f"<annotation><object><trackid>0</trackid><bndbox><xmax>{x + 9}</xmax><xmin>{x}</xmin>"
            "<ymax>19</ymax><ymin>0</ymin></bndbox></object></annotation>"
        )
    return where


def lefts(folder: Path) -> dict[str, list[float]]:
    """The x of every box, by sequence."""
    return {s.name: s.boxes[:, 0].tolist() for s in read_vid(folder)}


@pytest.fixture
def folder(tmp_path):
    annotate(tmp_path, "val/v0", 5)
    annotate(tmp_path, "train/ILSVRC2015_VID_train_0000/t0", 7)
    assert lefts(tmp_path) == {"t0.0": [7] * 3, "v0.0": [5] * 3}
    return tmp_path


def test_tracks_are_read_from_the_cache(folder, monkeypatch):
    monkeypatch.setattr(vid, "_read_frame", lambda path: pytest.fail("an XML was read again"))
    assert lefts(folder) == {"t0.0": [7] * 3, "v0.0": [5] * 3}


def test_a_video_unpacked_later_is_there(folder):
    annotate(folder, "val/v1", 3)
    assert lefts(folder) == {"t0.0": [7] * 3, "v0.0": [5] * 3, "v1.0": [3] * 3}


def test_a_frame_added_or_gone_counts(folder):
    annotate(folder, "val/v0", 5, frames=5)
    assert len(lefts(folder)["v0.0"]) == 5
    (folder / "Annotations" / "VID" / "val" / "v0" / "000004.xml").unlink()
    assert len(lefts(folder)["v0.0"]) == 4


def test_a_corrected_annotation_counts(folder):
    where = annotate(folder, "val/v0", 6)  # as many bytes as before
    for path in where.iterdir():
        os.utime(path, ns=(1, 1))  # a change by its time alone
    assert lefts(folder)["v0.0"] == [6] * 3


def damaged(text: str) -> list[str]:
    """A cache file damaged in several ways."""
    content = json.loads(text)
    other = json.loads(text)
    other["tracks"]["val/v0"]["0"]["000001"] = [1.0, 2.0, 3.0, 4.0]
    return [
        "", text[: len(text) // 2], "[]", "null", "{}", json.dumps(content["tracks"]),
        json.dumps({**content, "tracks": None}), json.dumps({**content, "tracks": {"v": 3}}),
        json.dumps(other), json.dumps({**content, "format": 1}), "\0" * 50,
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(11))
def test_a_damaged_cache_is_remade(folder, number):
    kept = folder / "tracks.json"
    text = kept.read_text()
    kept.write_text(damaged(text)[number])
    assert lefts(folder) == {"t0.0": [7] * 3, "v0.0": [5] * 3}
    assert kept.read_text() == text


def test_a_folder_in_its_place_or_a_read_only_disk(folder, monkeypatch):
    (folder / "tracks.json").unlink()
    (folder / "tracks.json").mkdir()
    assert lefts(folder) == {"t0.0": [7] * 3, "v0.0": [5] * 3}
    (folder / "tracks.json").rmdir()

    def no(path, text):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(vid, "write_whole", no)
    assert lefts(folder) == {"t0.0": [7] * 3, "v0.0": [5] * 3}


def test_without_annotations_the_cached_tracks_suffice(folder):
    for path in (folder / "Annotations").rglob("*.xml"):
        path.unlink()
    assert lefts(folder) == {"t0.0": [7] * 3, "v0.0": [5] * 3}


def test_hidden_and_other_files_are_skipped(folder):
    where = annotate(folder, "val/v0", 8)
    (where / "._000001.xml").write_bytes(b"\0\5")
    (where / "readme.xml").write_text("<object>")
    assert lefts(folder)["v0.0"] == [8] * 3


@pytest.mark.parametrize("text", [
    "", "  ", "<annotation><object><trackid>1</trackid>",
    "<object><trackid>1</trackid></object>",
    "<object><trackid>1</trackid><bndbox><xmin>1.2.3</xmin><ymin>0</ymin><xmax>9</xmax>"
    "<ymax>9</ymax></bndbox></object>",
])  # fmt: skip
def test_a_cut_or_malformed_annotation_is_named(folder, text):
    path = folder / "Annotations" / "VID" / "val" / "v0" / "000001.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=r"v0/000001.xml.* Unpack the archive again"):
        read_vid(folder)


def test_corners_are_the_first_and_last_pixel(folder):
    (track,) = [s for s in read_vid(folder) if s.name == "v0.0"]
    np.testing.assert_array_equal(track.boxes, [[5, 0, 10, 20]] * 3)
