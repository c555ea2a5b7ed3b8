"""Shards: what is packed comes back, a missing or cut one is named, and pairs follow their number."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.data import shards as shards_module
from course_lib.data.generated import make_clip, random_spec
from course_lib.data.packing import write_shards
from course_lib.data.pairs import Changes, pair_at
from course_lib.data.shards import ShardPairs, read_index, read_shard
from course_lib.errors import DataError, MissingDataError
from course_lib.geometry.windows import CropWindow, search_side


@pytest.fixture
def clips():
    return [make_clip(random_spec(k, length=6, occluders=0)) for k in range(4)]


@pytest.fixture
def folder(tmp_path, clips):
    write_shards(clips, tmp_path / "s", per_shard=2, progress=False)
    return tmp_path / "s"


def test_crops_come_back(folder, clips):
    index = read_index(folder)
    assert [len(row["videos"]) for row in index] == [2, 2]
    video = read_shard(folder, index[1])[0]
    assert video.name == clips[2].name and len(video) == 6
    box = clips[2].boxes[3]
    window = CropWindow(*(box[:2] + box[2:] / 2), float(search_side(box)) * 1.25, 319)
    expected = window.cut(clips[2].frames[3]).astype(float)
    assert np.abs(video.frames[3].astype(float) - expected).mean() < 6  # JPEG
    np.testing.assert_allclose(video.boxes[3], window.box_to_crop(box), atol=1e-3)
    np.testing.assert_allclose(video.boxes[3][:2] + video.boxes[3][2:] / 2, 159.5, atol=1e-3)


def test_a_missing_shard_is_named(folder):
    (folder / "00001.tar").unlink()
    with pytest.raises(MissingDataError, match=r"shard .*00001.tar is missing: 2 are listed"):
        ShardPairs(folder, Changes())


def test_a_cut_shard_is_named(folder):
    path = folder / "00000.tar"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"00000.tar has \d+ bytes, its index says \d+"):
        ShardPairs(folder, Changes())


def test_no_shards_at_all(tmp_path):
    with pytest.raises(MissingDataError, match="no shards in"):
        ShardPairs(tmp_path, Changes())


def test_writing_goes_on_where_it_stopped(folder, clips):
    (folder / "00001.tar").unlink()
    (folder / "index.json").unlink()
    kept = (folder / "00000.tar").stat().st_mtime_ns
    write_shards(clips, folder, per_shard=2, progress=False)
    assert (folder / "00000.tar").stat().st_mtime_ns == kept and len(read_index(folder)) == 2
    assert not list(folder.glob(".*.part"))


def test_pairs_come_from_one_shard_at_a_time(folder, monkeypatch):
    monkeypatch.setattr(shards_module, "BLOCK", 8)
    source = ShardPairs(folder, Changes())
    opened = []
    read = shards_module.read_shard
    monkeypatch.setattr(
        shards_module, "read_shard", lambda f, row: opened.append(row["file"]) or read(f, row)
    )
    pairs = [pair_at(source, 0, i) for i in range(32)]
    assert len(opened) <= 4 and set(opened) == {"00000.tar", "00001.tar"}
    again = ShardPairs(folder, Changes())
    for i in (30, 3, 17):  # in any order, the same pair
        np.testing.assert_array_equal(pair_at(again, 0, i).search, pairs[i].search)
